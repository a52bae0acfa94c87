"""What every step of a booking works with; made by `wiring`, one per process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appointments.services.tokens import TokenSource
from appointments.upstream.client import CitizenApi


@dataclass(frozen=True)
class Desk:
    """The city's counter: its API, captcha tokens, the clock, and how long people may think (None: all of the hold)."""

    api: CitizenApi
    tokens: TokenSource
    clock: Callable[[], datetime]
    answer_time: timedelta | None = None
