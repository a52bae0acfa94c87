"""The simulated city's clock: real time plus an offset, or standing still."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")


class Clock:
    """Tells the time in UTC.

    By default it runs with real time. `advance` moves it ahead, `freeze` makes it stand at one instant
    (`advance` then moves that instant), `run` lets it go on from where it stands.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._offset = timedelta(0)
        self._frozen_at: datetime | None = None
        if at is not None:
            self.freeze(at)

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> datetime:
        """Move ahead by `by` (a negative duration is refused with ValueError) and return the new present."""
        if by < timedelta(0):
            raise ValueError("The city's clock only moves ahead.")
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            self._offset += by
        return self.now()

    def freeze(self, at: datetime) -> None:
        """Stand still at `at`, which has to carry a time zone (ValueError otherwise)."""
        if at.tzinfo is None:
            raise ValueError("The instant to stand at needs a time zone.")
        self._frozen_at = at.astimezone(UTC)

    def run(self) -> None:
        """Go on from where the clock stands, at the speed of real time."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - datetime.now(UTC)
            self._frozen_at = None

    @property
    def offset(self) -> timedelta:
        """How far the clock is ahead of real time (meaningless while it stands)."""
        return self._offset

    @offset.setter
    def offset(self, value: timedelta) -> None:
        self._offset = value


def berlin_day(at: float | datetime) -> date:
    """The local day in Munich of an instant, given in Unix seconds or as an aware datetime."""
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return moment.astimezone(BERLIN).date()


def berlin_instant(day: date, minutes: int) -> datetime:
    """The UTC instant of `minutes` after local midnight by the wall clock of `day` in Munich.

    On the two days when the clocks change, the wall clock counts: 08:00 stays 08:00.
    """
    local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=BERLIN)
    return local.astimezone(UTC)
