"""Captcha tokens: their state and times, never their value."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from captcha.models import CaptchaChoice, CaptchaToken
from captcha.modes import choose_mode, current_mode
from captcha.services import block, release, verification_status
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
        "verification",
        "state",
        "since",
        "has_token",
        "source",
        "issued_at",
        "stale_at",
        "expires_at",
        "lease_until",
        "variant",
        "variant_found_at",
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

    @display(description=_("verification"))
    def verification(self, row: CaptchaToken) -> str:
        """How things stand, in one line, with the way to solve one by hand."""
        now = timezone.now()
        status, ratio = verification_status(row.site, now), row.cost_alarm(now)
        parts = [current_mode(), status.state.replace("_", " ")]
        if status.remaining is not None:
            parts.append(f"{int(status.remaining.total_seconds())} s")
        parts.append(f"{status.challenges_last_half_hour}/30 min, {status.challenges_last_day}/24 h")
        if ratio is not None:
            parts.append(f"{_('cost against the usual')}: {ratio:.0f}")
        return format_html(
            '{} · <a href="{}">{}</a>', " · ".join(parts), reverse("captcha:staff"), _("Solve one now")
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


@admin.register(CaptchaChoice)
class CaptchaChoiceAdmin(StaffAdmin):
    """The mode, changed while everything runs. One row, made when it is first looked for."""

    list_display = ("mode", "in_force", "changed_at")
    fields = ("mode", "in_force", "changed_at")
    editable = ("mode",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        CaptchaChoice.objects.get_or_create(pk=1)
        return super().changelist_view(request, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        choose_mode(obj.mode, timezone.now())

    @display(description=_("in force now"))
    def in_force(self, row: CaptchaChoice) -> str:
        """What counts, the setting included."""
        return current_mode()
