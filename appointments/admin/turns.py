"""Why a person got a slot, in words; and what became of attempts, counted."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from appointments.models import AttemptCount, Booking
from appointments.templatetags.staff_pages import brief
from termin_project.staff_admin import StaffAdmin


def turn_in_words(booking: Booking) -> str:
    """ "Number 2 of 31 in turn: waited 3 d, priority 0. Before: 1 got another time." A dash when chosen by hand."""
    turn: dict[str, Any] = booking.turn or {}
    if "rank" not in turn:
        return _("chosen by hand")
    text = _("Number %(rank)s of %(of)s in turn: waited %(waited)s, priority %(priority)s.") % {
        "rank": turn["rank"],
        "of": turn["of"],
        "waited": brief(timedelta(seconds=turn.get("waited", 0))),
        "priority": turn.get("priority", 0),
    }
    parts = [text, *_those_before(turn.get("before") or {})]
    if turn.get("unkept"):
        parts.append(
            ngettext("Let %(n)s hold go lately.", "Let %(n)s holds go lately.", turn["unkept"])
            % {"n": turn["unkept"]}
        )
    if turn.get("lost"):
        parts.append(_("Lost booking #%(number)s just before.") % {"number": turn["lost"]})
    if turn.get("probe"):
        parts.append(_("Tried for one more place at a time of which some were held already."))
    return " ".join(parts)


def _those_before(before: dict[str, int]) -> list[str]:
    parts = []
    if served := before.get("served"):
        parts.append(
            ngettext("Before: %(n)s got another time.", "Before: %(n)s got other times.", served)
            % {"n": served}
        )
    if nothing := before.get("nothing"):
        parts.append(
            ngettext(
                "For %(n)s before nothing fitting was to be had.",
                "For %(n)s before nothing fitting was to be had.",
                nothing,
            )
            % {"n": nothing}
        )
    if busy := before.get("busy"):
        parts.append(
            ngettext("%(n)s before had something already.", "%(n)s before had something already.", busy)
            % {"n": busy}
        )
    return parts


@admin.register(AttemptCount)
class AttemptCountAdmin(StaffAdmin):
    """Attempts of an hour at one place, by what became of them."""

    list_filter = ("outcome", "office")
    list_select_related = ("search__main_service", "office")
    search_fields = ("=reason", "search__key", "office__name")
    ordering = ("-hour", "search", "office", "outcome")
    list_display = (
        "hour",
        "search",
        "office",
        "outcome",
        "reason",
        "attempts",
        "seen_to_asked",
        "asked_to_held",
        "held_to_confirmed",
    )

    @display(description=gettext_lazy("seen to asked, ms"))
    def seen_to_asked(self, count: AttemptCount) -> int | None:
        """Mean milliseconds."""
        return _mean(count.leaving_ms, count.leaving)

    @display(description=gettext_lazy("asked to held, ms"))
    def asked_to_held(self, count: AttemptCount) -> int | None:
        """Mean milliseconds."""
        return _mean(count.holding_ms, count.holding)

    @display(description=gettext_lazy("held to confirmed, ms"))
    def held_to_confirmed(self, count: AttemptCount) -> int | None:
        """Mean milliseconds."""
        return _mean(count.confirming_ms, count.confirming)


def _mean(total: int, number: int) -> int | None:
    return round(total / number) if number else None
