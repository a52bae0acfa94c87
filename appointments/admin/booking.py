"""Bookings with their history. Contact data is masked here for everybody; the key is never shown."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from appointments.admin.acts import service_act
from appointments.models import Booking, BookingEvent
from appointments.services.bookings import look_again, release_booking
from appointments.states import BookingState
from termin_project.staff_admin import Act, FactInline, StaffAdmin, masked

STATE_COLOURS: dict[str, str | None] = {
    **dict.fromkeys(BookingState.values),
    BookingState.CONFIRMED: "success",
    BookingState.RESERVED: "info",
    BookingState.PRECONFIRMED: "info",
    BookingState.UNCERTAIN: "warning",
    BookingState.LAPSED: "warning",
    BookingState.FAILED: "danger",
}


class BookingEventInline(FactInline):
    """Every step, oldest first."""

    model = BookingEvent
    fields = ("at", "source", "state", "reason")
    readonly_fields = fields


@admin.register(Booking)
class BookingAdmin(StaffAdmin):
    """One person's attempt at one slot, from wanted to confirmed."""

    list_display = (
        "__str__",
        "person",
        "main_service",
        "office",
        "starts_at",
        "shown_state",
        "reason",
        "state_since",
    )
    list_filter = ("state", "mode", "wish", "office")
    list_select_related = ("main_service", "office")
    search_fields = ("=id", "=subscriber__id", "=process_id", "=display_number")
    search_help_text = _("Number of the booking, the person, or at the city")
    date_hierarchy = "created_at"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "subscriber",
                    "profile",
                    "watch",
                    "main_service",
                    "search",
                    "office",
                    "starts_at",
                    "mode",
                    "previous",
                    "replaces",
                    "moved_from",
                    "changes",
                    "imported",
                )
            },
        ),
        (
            _("Where it stands"),
            {
                "fields": (
                    "state",
                    "state_since",
                    "wish",
                    "reason",
                    "attempts",
                    "lease_until",
                    "retry_at",
                    "answer_until",
                    "veto_until",
                    "cancel_first",
                    "follow_at",
                    "remind_at",
                    "unnamed_hold_until",
                )
            },
        ),
        (
            _("At the city"),
            {
                "fields": (
                    "process_id",
                    "has_key",
                    "display_number",
                    "city_status",
                    "reserved_at",
                    "held_until",
                    "activate_until",
                    "confirmed_at",
                    "ended_at",
                )
            },
        ),
        (_("Sent with"), {"fields": ("name_masked", "email_masked", "telephone_masked", "answers_given")}),
    )
    inlines = (BookingEventInline,)
    acts = (
        Act(
            "release",
            _("Give back or cancel"),
            _("A hold is given back; a confirmed appointment is cancelled at the city. The person is told."),
            service_act(release_booking, reason="staff"),
            icon="event_busy",
            variant=ActionVariant.DANGER,
        ),
        Act(
            "look_again",
            _("Look again"),
            _("Asks the city how this booking stands."),
            service_act(look_again),
            icon="refresh",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        """With everything its page names."""
        return super().get_queryset(request).select_related("main_service", "office", "search__main_service")

    @display(description=_("person"), ordering="subscriber_id")
    def person(self, booking: Booking) -> str:
        """Number of the person."""
        return f"#{booking.subscriber_id}"

    @display(description=_("state"), ordering="state", label=STATE_COLOURS)
    def shown_state(self, booking: Booking) -> tuple[str, str]:
        """State as a coloured word."""
        return booking.state, booking.get_state_display()

    @display(description=_("key at the city"), boolean=True)
    def has_key(self, booking: Booking) -> bool:
        """Whether we hold the key with which the city lets us act."""
        return bool(booking.auth_key)

    @display(description=_("name"))
    def name_masked(self, booking: Booking) -> str:
        """First letters."""
        return masked(booking.family_name) or "–"

    @display(description=_("e-mail"))
    def email_masked(self, booking: Booking) -> str:
        """First letters."""
        return masked(booking.email) or "–"

    @display(description=_("telephone"))
    def telephone_masked(self, booking: Booking) -> str:
        """First digits."""
        return masked(booking.telephone) or "–"

    @display(description=_("answered the office's question"), boolean=True)
    def answers_given(self, booking: Booking) -> bool:
        """Whether there is an answer, not what it says."""
        return bool(booking.custom_text or booking.custom_text_2)
