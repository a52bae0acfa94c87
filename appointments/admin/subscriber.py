"""People. Personal data is masked; in clear only on a person's own page and only with a permission of its own."""

import logging
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from appointments.admin.acts import service_act
from appointments.models import Booking, NameChange, Profile, Subscriber, Watch
from appointments.selectors.bookings import holds_of, unkept_holds
from appointments.services.holding_limits import A_DAY, REMEMBERED, lift_pause
from appointments.services.names import MOST_CHANGES, forgive_names, new_names_within
from appointments.services.subscribers import erase_subscriber, pause_subscriber, resume_subscriber
from appointments.states import LIVE
from termin_project.staff_admin import Act, FactInline, StaffAdmin, masked

logger = logging.getLogger(__name__)
PERSONAL_DATA = "view_personal_data"


def may_see_personal_data(request: HttpRequest) -> bool:
    """Whether the permission was given on purpose, to the account or its group. Being a superuser is not enough."""
    user = request.user
    if not (user.is_active and user.is_staff):
        return False
    granted = Permission.objects.filter(codename=PERSONAL_DATA, content_type__app_label="appointments")
    return granted.filter(Q(user=user.pk) | Q(group__user=user.pk)).exists()


class WatchInline(FactInline):
    """The person's watches."""

    model = Watch
    fields = ("search", "mode", "state", "created_at", "blind_since")
    readonly_fields = fields
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Watch]:
        """With the service's name at hand."""
        return super().get_queryset(request).select_related("search__main_service")


class BookingInline(FactInline):
    """The person's bookings."""

    model = Booking
    fields = ("main_service", "office", "starts_at", "state", "state_since")
    readonly_fields = fields
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        """With names at hand; keys and contact data stay in the database."""
        return super().get_queryset(request).select_related("main_service", "office")


class ProfileInline(FactInline):
    """People this person books for; masked for everybody."""

    model = Profile
    fields = ("called", "name_masked", "consented_at", "name_used_at", "erased_at")
    readonly_fields = fields

    @display(description=_("called"))
    def called(self, profile: Profile) -> str:
        """First letter."""
        return masked(profile.label) or "–"

    @display(description=_("name for the city"))
    def name_masked(self, profile: Profile) -> str:
        """First letters."""
        return masked(profile.family_name) or "–"


class NameChangeInline(FactInline):
    """That there were new names and when; which ones is nowhere written."""

    model = NameChange
    fields = ("at", "kind", "profile", "forgiven_at")
    readonly_fields = fields


class ManyNames(admin.SimpleListFilter):
    """People with so many new names that one more is refused: a sign of trading, or of a family that moved."""

    title = _("new names")
    parameter_name = "names"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """One choice besides "all"."""
        return [("many", _("many new names lately"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> QuerySet[Subscriber]:
        """Those at the limit."""
        if self.value() != "many":
            return queryset
        return queryset.alias(lately=new_names_within(timezone.now())).filter(lately__gte=MOST_CHANGES)


@admin.register(Subscriber)
class SubscriberAdmin(StaffAdmin):
    """Search by number; names are encrypted and cannot be searched."""

    list_display = (
        "__str__",
        "masked_name",
        "language",
        "standing",
        "watching",
        "live",
        "new_names",
        "created_at",
        "last_seen_at",
    )
    list_filter = (
        ("paused_at", admin.EmptyFieldListFilter),
        ("holds_paused_until", admin.EmptyFieldListFilter),
        ManyNames,
        "language",
        "pause_reason",
    )
    search_fields = ("=id",)
    search_help_text = _("Number of the person")
    ordering = ("-pk",)
    editable = ("priority",)
    fieldsets = (
        (None, {"fields": ("language", "priority", "created_at", "last_seen_at", "consented_at")}),
        (_("Pause and erasure"), {"fields": ("paused_at", "pause_reason", "erase_after")}),
        (
            _("Holds"),
            {"fields": ("holds_today", "holds_let_go", "holds_paused_until")},
        ),
        (
            _("Contact data"),
            {
                "fields": (
                    "first_name_shown",
                    "name_shown",
                    "email_shown",
                    "telephone_shown",
                    "contact_consented_at",
                    "name_used_at",
                )
            },
        ),
    )
    inlines = (WatchInline, BookingInline, ProfileInline, NameChangeInline)
    acts = (
        Act(
            "pause",
            _("Pause"),
            _("Nothing is sent to this person and nothing is started until you resume."),
            service_act(pause_subscriber, reason="staff"),
            icon="pause",
        ),
        Act(
            "resume",
            _("Resume"),
            _("The person is served again."),
            service_act(resume_subscriber),
            icon="play_arrow",
        ),
        Act(
            "forgive_names",
            _("Allow new names"),
            _("The new names of this person count no more, so that the name may change again."),
            service_act(forgive_names),
            icon="badge",
            bulk=False,
        ),
        Act(
            "lift_holds_pause",
            _("Hold again"),
            _("Slots are held for this person again from now on, although several were let go."),
            service_act(lift_pause),
            icon="front_hand",
        ),
        Act(
            "erase",
            _("Erase"),
            _(
                "Everything we know about this person goes for good. What is held for them is given back first; a "
                "confirmed appointment stays with the city."
            ),
            service_act(erase_subscriber),
            icon="delete_forever",
            variant=ActionVariant.DANGER,
            bulk=False,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        """With the counts of the list, in the same query."""
        active = Q(watches__state=Watch.State.ACTIVE)
        standing = Q(bookings__state__in=sorted(LIVE), bookings__ended_at=None)
        return (
            super()
            .get_queryset(request)
            .annotate(
                watch_count=Count("watches", filter=active, distinct=True),
                live_count=Count("bookings", filter=standing, distinct=True),
                name_count=new_names_within(timezone.now()),
            )
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Remembers whether this viewer sees the data in clear, and writes down that it was shown."""
        request.shows_personal_data = may_see_personal_data(request)  # type: ignore[attr-defined]
        if request.shows_personal_data:  # type: ignore[attr-defined]
            logger.info(
                "Personal data shown to staff", extra={"subscriber": object_id, "staff": request.user.pk}
            )
        return super().change_view(request, object_id, form_url, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row with the viewer's right on it, which the shown fields look at."""
        person = super().get_object(request, object_id, from_field)
        if person is not None:
            person.in_clear = getattr(request, "shows_personal_data", False)
        return person

    @display(description=_("name"))
    def masked_name(self, person: Subscriber) -> str:
        """First letters only."""
        return masked(person.family_name or person.first_name) or "–"

    @display(description=_("state"), label={"paused": "warning", "active": "success", "new": "info"})
    def standing(self, person: Subscriber) -> tuple[str, str]:
        """Served, paused, or not agreed yet."""
        if person.paused_at:
            return "paused", str(_("paused"))
        return ("active", str(_("active"))) if person.consented_at else ("new", str(_("not agreed yet")))

    @display(description=_("watches"), ordering="watch_count")
    def watching(self, person: Any) -> int:
        """Active watches."""
        return person.watch_count

    @display(description=_("live bookings"), ordering="live_count")
    def live(self, person: Any) -> int:
        """Bookings that stand."""
        return person.live_count

    @display(description=_("new names"), ordering="name_count")
    def new_names(self, person: Any) -> int:
        """How many in the last 90 days; a sign of trading."""
        return person.name_count

    @display(description=_("held within a day"))
    def holds_today(self, person: Subscriber) -> str:
        """How many, and how many there may be."""
        held = holds_of(since=timezone.now() - A_DAY, subscriber=person).get(person.pk, 0)
        return f"{held} / {settings.HOLDS_PER_DAY}"

    @display(description=_("holds let go within two weeks"))
    def holds_let_go(self, person: Subscriber) -> int:
        """Given back, unanswered, or the mailed link never opened."""
        return unkept_holds(since=timezone.now() - REMEMBERED, subscriber=person).get(person.pk, 0)

    @display(description=_("first name"))
    def first_name_shown(self, person: Subscriber) -> str:
        """Masked, or in clear for those who may."""
        return _shown(person, person.first_name)

    @display(description=_("name for the city"))
    def name_shown(self, person: Subscriber) -> str:
        """Masked, or in clear for those who may."""
        return _shown(person, person.family_name)

    @display(description=_("e-mail"))
    def email_shown(self, person: Subscriber) -> str:
        """Masked, or in clear for those who may."""
        return _shown(person, person.email)

    @display(description=_("telephone"))
    def telephone_shown(self, person: Subscriber) -> str:
        """Masked, or in clear for those who may."""
        return _shown(person, person.telephone)


def _shown(person: Subscriber, text: str) -> str:
    return (text if getattr(person, "in_clear", False) else masked(text)) or "–"
