"""Our record of one attempt, from slot to appointment."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.catalogue import Office, Service
from appointments.models.subscriber import Profile, Subscriber
from appointments.models.watch import Search, Watch
from appointments.states import CALLING, HOLDING, LIVE, BookingState
from appointments.upstream.types import AppointmentKey, Contact
from termin_project.encryption import EncryptedTextField


class Booking(models.Model):
    """One person's attempt at one slot. Moves only through `services.bookings.advance`."""

    class Wish(models.TextChoices):
        """What the person wants to become of it; workers and sweeps bring the state there."""

        ASK = "ask", _("hold and ask")
        BOOK = "book", _("book")
        RELEASE = "release", _("give back")

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="bookings", verbose_name=_("person")
    )
    profile = models.ForeignKey(
        Profile,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="bookings",
        verbose_name=_("booked for"),
        help_text=_("Empty: for the person themselves."),
    )
    watch = models.ForeignKey(
        Watch,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="bookings",
        verbose_name=_("watch"),
    )
    search = models.ForeignKey(
        Search, on_delete=models.PROTECT, related_name="bookings", verbose_name=_("search")
    )
    main_service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="bookings", verbose_name=_("main service")
    )
    office = models.ForeignKey(
        Office, on_delete=models.PROTECT, related_name="bookings", verbose_name=_("office")
    )
    starts_at = models.DateTimeField(_("starts"))
    mode = models.CharField(_("mode"), max_length=10, choices=Watch.Mode, default=Watch.Mode.HOLD)
    wish = models.CharField(_("wish"), max_length=10, choices=Wish, default=Wish.ASK)
    state = models.CharField(_("state"), max_length=15, choices=BookingState, default=BookingState.REQUESTED)
    reason = models.CharField(
        _("reason"),
        max_length=60,
        blank=True,
        default="",
        help_text=_("Why it stands where it stands, as a code."),
    )
    previous = models.OneToOneField(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="next",
        verbose_name=_("attempt before"),
    )

    swap_to = models.ForeignKey(
        "appointments.Slot",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("wanted instead"),
        help_text=_("Tried as soon as this one is given back."),
    )

    # Moving and improving: the new appointment is confirmed before the old one is cancelled.
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replacements",
        verbose_name=_("takes the place of"),
        help_text=_(
            "The appointment that stands until this one is confirmed; empty once it has been cancelled."
        ),
    )
    moved_from = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="moved_to",
        verbose_name=_("moved from"),
    )
    changes = models.PositiveSmallIntegerField(_("changes before this one"), default=0)
    cancel_first = models.BooleanField(
        _("cancel the old one first"),
        default=False,
        help_text=_(
            "Only after the person's explicit yes, where the city's mail limit allows no other order."
        ),
    )
    imported = models.BooleanField(_("made on the city's page"), default=False)
    # Booked by itself unless the person objects until then.
    veto_until = models.DateTimeField(_("may be stopped until"), null=True, blank=True)
    # Why this person got this slot, for staff: place in the turn, how many waited, priority, seconds waited.
    turn = models.JSONField(_("why this person"), default=dict, blank=True)

    created_at = models.DateTimeField(_("created"))
    state_since = models.DateTimeField(_("in this state since"))
    # Until then a worker has the call in hand; afterwards the sweep takes over.
    lease_until = models.DateTimeField(_("in hand until"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True)

    # What the city gave us.
    process_id = models.BigIntegerField(_("number at the city"), null=True, blank=True)
    auth_key = EncryptedTextField(_("key at the city"), blank=True, default="")
    display_number = models.CharField(_("waiting number"), max_length=50, blank=True, default="")
    city_status = models.CharField(_("the city's word"), max_length=30, blank=True, default="")
    # Both count from the moment of the reservation.
    reserved_at = models.DateTimeField(_("held since"), null=True, blank=True)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)
    # Until then the person may say what they want; afterwards the hold is given back.
    answer_until = models.DateTimeField(_("answer until"), null=True, blank=True)
    activate_until = models.DateTimeField(_("link to be opened until"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # A reservation may exist that we cannot name (lost answer): it must have lapsed by then.
    unnamed_hold_until = models.DateTimeField(_("possible hold until"), null=True, blank=True)
    follow_at = models.DateTimeField(_("look again"), null=True, blank=True)
    remind_at = models.DateTimeField(_("next reminder"), null=True, blank=True)

    # The data it was (or will be) sent with; fixed when the booking is sent.
    family_name = EncryptedTextField(_("name"), blank=True, default="")
    email = EncryptedTextField(_("e-mail"), blank=True, default="")
    telephone = EncryptedTextField(_("telephone"), blank=True, default="")
    custom_text = EncryptedTextField(_("answer to the office's question"), blank=True, default="")
    custom_text_2 = EncryptedTextField(_("answer to its second question"), blank=True, default="")

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("subscriber",),
                # Giving back a hold still occupies the place; cancelling an appointment does not.
                condition=models.Q(state__in=sorted(HOLDING))
                | models.Q(state="cancelling", confirmed_at=None),
                name="booking_one_hold_per_person",
            ),
            # An appointment whose time is over stands in nobody's way; one that takes another's place counts as that.
            models.UniqueConstraint(
                fields=("subscriber", "main_service"),
                condition=models.Q(state__in=sorted(LIVE), ended_at=None, profile=None, replaces=None),
                name="booking_one_live_per_person_and_service",
            ),
            models.UniqueConstraint(
                fields=("profile", "main_service"),
                condition=models.Q(
                    state__in=sorted(LIVE), ended_at=None, profile__isnull=False, replaces=None
                ),
                name="booking_one_live_per_profile_and_service",
            ),
            models.UniqueConstraint(
                fields=("replaces",),
                condition=models.Q(state__in=sorted(LIVE), ended_at=None, replaces__isnull=False),
                name="booking_one_replacement",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="reserved")
                | models.Q(process_id__isnull=False, held_until__isnull=False, reserved_at__isnull=False),
                name="booking_reserved_has_deadline",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="preconfirmed")
                | models.Q(process_id__isnull=False, activate_until__isnull=False),
                name="booking_preconfirmed_has_deadline",
            ),
            # "Booked" is the city's word.
            models.CheckConstraint(
                condition=~models.Q(state="confirmed")
                | models.Q(city_status="confirmed", confirmed_at__isnull=False),
                name="booking_confirmed_by_the_city",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=sorted(CALLING)) | models.Q(lease_until__isnull=False),
                name="booking_call_has_lease",
            ),
        ]
        indexes = [
            models.Index(fields=("state", "lease_until"), name="booking_stale_lease"),
            models.Index(fields=("state", "held_until"), name="booking_hold_deadline"),
            models.Index(fields=("subscriber", "-created_at"), name="booking_by_subscriber"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.state}"

    @property
    def key(self) -> AppointmentKey:
        """Number and key with which the city lets us act. Raises `ValueError` before a reservation exists."""
        if self.process_id is None or not self.auth_key:
            raise ValueError("this booking has no reservation at the city")
        return AppointmentKey(process_id=self.process_id, auth_key=self.auth_key)

    @property
    def contact(self) -> Contact:
        """The data to send; texts that the office does not ask for are left out."""
        office = self.office
        return Contact(
            family_name=self.family_name,
            email=self.email,
            telephone=self.telephone if office.telephone_activated else None,
            custom_text=self.custom_text if office.custom_text_activated else None,
            custom_text_2=self.custom_text_2 if office.custom_text_2_activated else None,
        )

    @property
    def is_live(self) -> bool:
        """Whether it still stands, in whatever state, and its time has not come."""
        return self.state in LIVE and self.ended_at is None


class BookingEvent(models.Model):
    """One step of a booking, written by `advance` and never changed."""

    booking = models.ForeignKey(
        Booking, on_delete=models.CASCADE, related_name="events", verbose_name=_("booking")
    )
    source = models.CharField(_("state before"), max_length=15, choices=BookingState, blank=True, default="")
    state = models.CharField(_("state"), max_length=15, choices=BookingState)
    reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("step of a booking")
        verbose_name_plural = _("steps of bookings")
        ordering = ("pk",)
        indexes = [models.Index(fields=("at", "state"), name="booking_event_by_time")]

    def __str__(self) -> str:
        return f"{self.booking_id} {self.state}"
