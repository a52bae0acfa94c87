"""Which dialect of its API the city speaks: found out by asking, remembered, found out anew when a route disappears.

Nothing is asked only to find out: each attempt is the question itself in the next older dialect, until one is
answered. That a route does not exist (404 with the code `notFound`) is the one sign; any other 404 is a real answer,
and a failure says nothing about dialects at all.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from appointments.upstream.availability import (
    Ask,
    CalendarQuestion,
    by_office_calendar,
    earliest_calendar,
    merged_calendar,
    newest_calendar,
)
from appointments.upstream.errors import RETIRED_CODE, CaptchaRefused, InvalidRequest, RouteGone
from appointments.upstream.types import Calendar

REMEMBERED_FOR = timedelta(days=1)
# While no dialect fits, the older ones are not tried with every question; the newest is, so recovery is seen at once.
UNKNOWN_FOR = timedelta(minutes=10)
UNKNOWN_CODE = "dialectUnknown"
NOT_FOUND = 404


class Dialect(StrEnum):
    """A way of asking for free times. Source: the contract's table of dialects."""

    D3 = "D3"  # muc46 and later
    D2 = "D2"  # muc26 to muc45
    D1 = "D1"  # muc20 to muc25
    D1_MUC19 = "D1-muc19"
    D0 = "D0"  # the retired back end: known by its answers, not spoken
    UNKNOWN = "unknown"


class DialectMemory(Protocol):
    """Where the dialect is kept, so that every process need not find out by itself."""

    def recall(self) -> Dialect | None:
        """The dialect found out last, or None when that is too long ago or never was."""

    def remember(self, dialect: Dialect, lasting: timedelta) -> None:
        """Keep `dialect` for as long as `lasting`."""


class OwnMemory:
    """Keeps the dialect for the life of this object; for tests and tools that ask a few questions."""

    def __init__(self) -> None:
        self._dialect: Dialect | None = None

    def recall(self) -> Dialect | None:
        return self._dialect

    def remember(self, dialect: Dialect, lasting: timedelta) -> None:
        self._dialect = dialect


_CALENDARS: dict[Dialect, Callable[[Ask, CalendarQuestion], Calendar]] = {
    Dialect.D3: newest_calendar,
    Dialect.D2: by_office_calendar,
    Dialect.D1: merged_calendar,
    Dialect.D1_MUC19: earliest_calendar,
}
HOPELESS = (Dialect.D0, Dialect.UNKNOWN)
"""What the memory says when the city speaks no dialect of ours."""


def calendar(ask: Ask, question: CalendarQuestion, memory: DialectMemory) -> Calendar:
    """The city's calendar, in whatever dialect it speaks.

    Raises what `ask` raises. `RouteGone` comes only when no dialect fits: its code is "dialectUnknown", or
    "retiredBackend" when the address leads to the back end that was switched off in 2025.
    """
    known = memory.recall()
    if known in _CALENDARS:
        try:
            return _CALENDARS[known](ask, question)
        except RouteGone as gone:
            _only_if_missing(gone)
    hopeless = known in HOPELESS
    untried = [Dialect.D3] if hopeless else [each for each in _CALENDARS if each is not known]
    code = RETIRED_CODE if known is Dialect.D0 else UNKNOWN_CODE
    for dialect in untried:
        try:
            found = _CALENDARS[dialect](ask, question)
        except RouteGone as gone:
            _only_if_missing(gone)
            code = gone.code if gone.code == RETIRED_CODE else code
            continue
        except (CaptchaRefused, InvalidRequest):
            # Refused in its own words: the route is there.
            memory.remember(dialect, REMEMBERED_FOR)
            raise
        memory.remember(dialect, REMEMBERED_FOR)
        return found
    if not hopeless:
        memory.remember(Dialect.D0 if code == RETIRED_CODE else Dialect.UNKNOWN, UNKNOWN_FOR)
    raise RouteGone(code, NOT_FOUND)


def _only_if_missing(gone: RouteGone) -> None:
    """Raise it again unless it says, with the status that goes with it, that there is no such route."""
    if gone.status != NOT_FOUND and gone.code != RETIRED_CODE:
        raise gone
