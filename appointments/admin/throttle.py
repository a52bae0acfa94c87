"""What keeps all processes in step: gate, breakers, leases, signs of life."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from appointments import wiring
from appointments.limits import why_slow
from appointments.models import CircuitBreaker, GateState, Heartbeat, Lease, StaffAlert
from appointments.selectors.traffic import city_rules
from appointments.services.breakers import close_breaker, open_breaker
from appointments.templatetags.staff_pages import slow_reason
from termin_project.staff_admin import Act, ActRefused, StaffAdmin


class OpenBreakerForm(BaseDialogForm):
    """Why no calls shall pass."""

    reason = forms.CharField(label=_("Reason"), max_length=100, widget=UnfoldAdminTextInputWidget())
    until = forms.DateTimeField(
        label=_("Until"),
        help_text=_("Munich time. Left empty, it stays open until somebody closes it."),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )

    def clean_until(self) -> datetime | None:
        """A moment to come."""
        until: datetime | None = self.cleaned_data["until"]
        if until is not None and until <= timezone.now():
            raise forms.ValidationError(_("This moment is over."))
        return until


def _open(breaker: CircuitBreaker, now: datetime, answers: dict[str, Any]) -> None:
    open_breaker(breaker.name, answers["reason"], now=now, until=answers.get("until"))


def _close(breaker: CircuitBreaker, now: datetime, answers: dict[str, Any]) -> None:
    close_breaker(breaker.name, now=now)


@admin.register(CircuitBreaker)
class CircuitBreakerAdmin(StaffAdmin):
    """Stops a kind of calls for a while when they keep failing."""

    list_display = ("name", "shown_state", "failures", "opened_at", "open_until", "by_hand", "reason")
    list_filter = ("state", "by_hand")
    search_fields = ("name",)
    ordering = ("name",)
    acts = (
        Act(
            "open_breaker",
            _("Open: stop calls"),
            _("No calls of this kind leave until then, or until somebody closes the breaker."),
            _open,
            icon="block",
            variant=ActionVariant.DANGER,
            form=OpenBreakerForm,
            bulk=False,
        ),
        Act(
            "close_breaker",
            _("Close: let calls pass"),
            _("Calls pass again at once."),
            _close,
            icon="check_circle",
        ),
    )

    @display(
        description=_("state"),
        ordering="state",
        label={"closed": "success", "open": "danger", "half_open": "warning"},
    )
    def shown_state(self, breaker: CircuitBreaker) -> tuple[str, str]:
        """State as a coloured word."""
        return breaker.state, breaker.get_state_display()


def _lift_pause(state: GateState, now: datetime, answers: dict[str, Any]) -> None:
    if state.egress != settings.EGRESS_NAME:
        raise ActRefused(_("Only an installation with this address can do that."))
    # Through the gate itself: its ledger may be kept in Redis, and this row only shows it.
    wiring.gate().lift_pause()


@admin.register(GateState)
class GateStateAdmin(StaffAdmin):
    """How much of the city's limit is used, and why not more."""

    list_display = (
        "egress",
        "used",
        "round_cap",
        "limit",
        "used_today",
        "rounds",
        "last_call_at",
        "paused_until",
        "pace",
    )
    acts = (
        Act(
            "lift_pause",
            _("End the pause"),
            _("Calls pass again at once. If the city still refuses them, the next pause is longer."),
            _lift_pause,
            icon="play_circle",
            bulk=False,
        ),
    )

    @display(description=_("why not faster"))
    def pace(self, state: GateState) -> str:
        """Reasons as sentences."""
        reasons = why_slow(state.ledger, timezone.now(), city_rules())
        return " ".join(slow_reason(code) for code in reasons) or str(_("Nothing slows watching down."))


@admin.register(StaffAlert)
class StaffAlertAdmin(StaffAdmin):
    """What staff were told about, and whether it is over."""

    list_display = ("subject", "kind", "reason", "since", "raised_at", "told", "over_at")
    list_filter = ("kind", "told")
    search_fields = ("subject", "reason")
    ordering = ("-since",)


@admin.register(Lease)
class LeaseAdmin(StaffAdmin):
    """Who may be the only one to do something, and until when."""

    list_display = ("name", "epoch", "until", "holder")
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(Heartbeat)
class HeartbeatAdmin(StaffAdmin):
    """When each part last showed life."""

    list_display = ("name", "at", "detail")
    search_fields = ("name",)
    ordering = ("name",)
