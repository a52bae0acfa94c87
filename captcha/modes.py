"""Which mode counts now: the operator's choice in the database, or else the setting."""

from datetime import datetime

from django.conf import settings

from captcha.models import CaptchaChoice

MODES = ("off", "human", "auto")


def current_mode() -> str:
    """off, human or auto. One small query: a change counts from the next request on."""
    chosen = CaptchaChoice.objects.filter(pk=1).values_list("mode", flat=True).first()
    return chosen or settings.CAPTCHA_MODE


def choose_mode(mode: str, now: datetime) -> None:
    """Choose a mode at run time; "" goes back to the setting. Raises `ValueError` for an unknown one."""
    if mode not in ("", *MODES):
        raise ValueError(f"captcha mode {mode!r} is none of {MODES}")
    CaptchaChoice.objects.update_or_create(pk=1, defaults={"mode": mode, "changed_at": now})
