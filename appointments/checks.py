"""System checks for settings that have to fit together. Each says what to do."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def settings_fit_together(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What a start on a real city or on many processes needs."""
    found: list[CheckMessage] = []
    if not settings.SIMULATED_CITY and not settings.OPERATOR_CONTACT:
        found.append(
            Warning(
                "The city cannot see who calls: OPERATOR_CONTACT is empty.",
                hint="Set OPERATOR_CONTACT to an address or page where the city can reach you.",
                id="appointments.W001",
            )
        )
    if int(os.environ.get("WEB_WORKERS", "1")) > 1 and not settings.REDIS_URL:
        found.append(
            Error(
                "Several web processes need a shared cache to limit requests: REDIS_URL is empty.",
                hint="Set REDIS_URL, or WEB_WORKERS=1.",
                id="appointments.E001",
            )
        )
    if not settings.SQLITE and settings.NOTIFY_QUEUE == "booking" and settings.BOOKING_WORKERS > 4:
        found.append(
            Warning(
                "With many booking workers, messages should have a queue of their own.",
                hint="Set NOTIFY_QUEUE=notify.",
                id="appointments.W002",
            )
        )
    return found
