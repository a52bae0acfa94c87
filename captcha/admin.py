"""Captcha tokens: their state and times, never their value."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from captcha.models import CaptchaToken
from captcha.services import block, release
from termin_project.staff_admin import Act, StaffAdmin

STATE_COLOURS: dict[str, str | None] = {
    **dict.fromkeys(CaptchaToken.State.values),
    CaptchaToken.State.VALID: "success",
    CaptchaToken.State.COOLDOWN: "warning",
    CaptchaToken.State.NEEDS_HUMAN: "warning",
    CaptchaToken.State.BLOCKED: "danger",
}


def _block(row: CaptchaToken, now: datetime, answers: dict[str, Any]) -> None:
    block(row.site, now, "staff")


def _release(row: CaptchaToken, now: datetime, answers: dict[str, Any]) -> None:
    release(row.site, now)


@admin.register(CaptchaToken)
class CaptchaTokenAdmin(StaffAdmin):
    """One row per address of the city as seen from one of ours."""

    list_display = (
        "site",
        "shown_state",
        "since",
        "has_token",
        "expires_at",
        "solve_ms",
        "failures",
        "last_error",
    )
    list_filter = ("state", "source")
    search_fields = ("site",)
    fields = (
        "site",
        "state",
        "since",
        "has_token",
        "source",
        "issued_at",
        "stale_at",
        "expires_at",
        "lease_until",
        "provider",
        "cost",
        "solve_ms",
        "attempts",
        "failures",
        "cooldowns",
        "cooldown_until",
        "rejections",
        "rejected_at",
        "last_error",
        "last_error_at",
        "unknown_shape",
    )
    acts = (
        Act(
            "block",
            _("Block"),
            _(
                "No token is made or used for this site until you release it. Offices that ask for a captcha go blind."
            ),
            _block,
            icon="block",
            variant=ActionVariant.DANGER,
        ),
        Act("release", _("Release"), _("Lifts a block or a pause."), _release, icon="check_circle"),
    )

    @display(description=_("token"), boolean=True)
    def has_token(self, row: CaptchaToken) -> bool:
        """Whether one is kept, not which."""
        return bool(row.token)

    @display(
        description=_("state"),
        ordering="state",
        label=STATE_COLOURS,
    )
    def shown_state(self, row: CaptchaToken) -> tuple[str, str]:
        """State as a coloured word."""
        return row.state, row.get_state_display()
