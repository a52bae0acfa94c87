"""What keeps all processes in step: gate, breakers, leases, signs of life."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from appointments.models import CircuitBreaker, GateState, Heartbeat, Lease
from appointments.services.breakers import close_breaker, open_breaker
from termin_project.staff_admin import Act, StaffAdmin


class OpenBreakerForm(BaseDialogForm):
    """Why no calls shall pass."""

    reason = forms.CharField(label=_("Reason"), max_length=100, widget=UnfoldAdminTextInputWidget())


def _open(breaker: CircuitBreaker, now: datetime, answers: dict[str, Any]) -> None:
    open_breaker(breaker.name, answers["reason"], now=now)


def _close(breaker: CircuitBreaker, now: datetime, answers: dict[str, Any]) -> None:
    close_breaker(breaker.name, now=now)


@admin.register(CircuitBreaker)
class CircuitBreakerAdmin(StaffAdmin):
    """Stops a kind of calls for a while when they keep failing."""

    list_display = ("name", "shown_state", "failures", "opened_at", "open_until", "reason")
    list_filter = ("state",)
    search_fields = ("name",)
    ordering = ("name",)
    acts = (
        Act(
            "open_breaker",
            _("Open: stop calls"),
            _("No calls of this kind leave until somebody closes the breaker again."),
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


@admin.register(GateState)
class GateStateAdmin(StaffAdmin):
    """How much of the city's limit is used."""

    list_display = (
        "egress",
        "used",
        "round_cap",
        "limit",
        "rounds",
        "last_call_at",
        "paused_until",
        "pause_reason",
    )


@admin.register(Lease)
class LeaseAdmin(StaffAdmin):
    """Who may be the only one to do something, and until when."""

    list_display = ("name", "epoch", "until")
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(Heartbeat)
class HeartbeatAdmin(StaffAdmin):
    """When each part last showed life."""

    list_display = ("name", "at", "detail")
    search_fields = ("name",)
    ordering = ("name",)
