"""The city's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from termin_project.sandbox.city import Clock
from termin_project.sandbox.city.clock import berlin_day, berlin_instant

from .conftest import MONDAY

MOMENT = timedelta(seconds=5)


def test_it_runs_with_real_time() -> None:
    assert abs(Clock().now() - datetime.now(UTC)) < MOMENT


def test_it_moves_ahead_and_never_back() -> None:
    clock = Clock()
    clock.advance(timedelta(hours=3))
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=3)) < MOMENT
    with pytest.raises(ValueError, match="ahead"):
        clock.advance(timedelta(seconds=-1))


def test_it_stands_still_until_it_runs_again() -> None:
    clock = Clock(MONDAY)
    assert clock.now() == clock.now() == MONDAY
    assert clock.advance(timedelta(minutes=1)) == MONDAY + timedelta(minutes=1)
    clock.run()
    assert timedelta(0) <= clock.now() - MONDAY - timedelta(minutes=1) < MOMENT


def test_it_wants_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(MONDAY.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (date(2027, 3, 27), "2027-03-27T07:00"),
        (date(2027, 3, 28), "2027-03-28T06:00"),
        (date(2027, 10, 30), "2027-10-30T06:00"),
        (date(2027, 10, 31), "2027-10-31T07:00"),
    ],
)
def test_eight_oclock_follows_the_wall_clock_of_munich(day: date, utc: str) -> None:
    moment = berlin_instant(day, 8 * 60)
    assert moment == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert berlin_day(moment.timestamp()) == day
