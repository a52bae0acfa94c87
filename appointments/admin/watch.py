"""Watches, the searches they share, and the requests that serve them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.admin.acts import service_act
from appointments.models import PollTarget, Search, Watch, WatchOffice
from appointments.services.watches import pause_watch, resume_watch
from termin_project.staff_admin import Act, FactInline, StaffAdmin

STATE_COLOURS: dict[str, str | None] = {
    **dict.fromkeys(Watch.State.values),
    Watch.State.ACTIVE: "success",
    Watch.State.PAUSED: "warning",
    Watch.State.FULFILLED: "info",
}


class WatchOfficeInline(FactInline):
    """Where and when, as matching sees it."""

    model = WatchOffice
    fields = (
        "office",
        "position",
        "date_from",
        "date_to",
        "weekday_mask",
        "minute_from",
        "minute_to",
        "active",
    )
    readonly_fields = fields
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[WatchOffice]:
        """With the office's name at hand."""
        return super().get_queryset(request).select_related("office").order_by("position", "pk")


@admin.register(Watch)
class WatchAdmin(StaffAdmin):
    """People's standing wishes."""

    list_display = (
        "__str__",
        "person",
        "search",
        "mode",
        "shown_state",
        "sees",
        "waiting_since",
        "snoozed_until",
    )
    list_filter = ("state", "mode", ("blind_since", admin.EmptyFieldListFilter), "any_office")
    list_select_related = ("search__main_service", "subscriber")
    search_fields = ("=id", "=subscriber__id", "search__key")
    search_help_text = _("Number of the watch or the person, or a service's number")
    ordering = ("-pk",)
    inlines = (WatchOfficeInline,)
    acts = (
        Act(
            "pause",
            _("Pause"),
            _("The watch stops looking until it is resumed."),
            service_act(pause_watch),
            icon="pause",
        ),
        Act("resume", _("Resume"), _("The watch looks again."), service_act(resume_watch)),
    )

    @display(description=_("person"), ordering="subscriber_id")
    def person(self, watch: Watch) -> str:
        """Number of the person."""
        return f"#{watch.subscriber_id}"

    @display(description=_("state"), ordering="state", label=STATE_COLOURS)
    def shown_state(self, watch: Watch) -> tuple[str, str]:
        """State as a coloured word."""
        return watch.state, watch.get_state_display()

    @display(description=_("sees"), boolean=True)
    def sees(self, watch: Watch) -> bool:
        """Whether its owner was told that we cannot see."""
        return watch.blind_since is None


@admin.register(Search)
class SearchAdmin(StaffAdmin):
    """What is asked for; equal wishes share one."""

    list_display = ("__str__", "main_service", "watch_count", "short_notice", "serve_at", "created_at")
    list_filter = ("short_notice",)
    list_select_related = ("main_service",)
    search_fields = ("key", "main_service__name")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Search]:
        """With the number of active watches."""
        active = Q(watches__state=Watch.State.ACTIVE)
        return super().get_queryset(request).annotate(active_watches=Count("watches", filter=active))

    @display(description=_("active watches"), ordering="active_watches")
    def watch_count(self, search: Any) -> int:
        """How many people's watches it serves."""
        return search.active_watches


@admin.register(PollTarget)
class PollTargetAdmin(StaffAdmin):
    """What we ask the city again and again."""

    list_display = ("search", "kind", "day", "guarded", "active", "next_due_at", "answered_at", "last_error")
    list_filter = ("active", "kind", "guarded", ("last_error", admin.EmptyFieldListFilter))
    list_select_related = ("search__main_service",)
    search_fields = ("=id", "search__key")
    ordering = ("-active", "next_due_at")
