"""Full load against the simulated city, on its real limit: nothing is ever refused.

A stretch of a day, busier than any, runs with the suite. All of a day takes minutes: `SIMULATED_DAY=full pytest ...`,
or `script/bench --only day`.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import pytest

from appointments import limits
from appointments.models import Call, CallCount, GateState
from bench.city_day import CityDay, DayResult
from tests.conftest import Office

FULL = os.environ.get("SIMULATED_DAY") == "full"
STRETCH = timedelta(days=1) if FULL else timedelta(minutes=45)

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1800 if FULL else 180)]


def begin(office: Office, limit: int = 60) -> None:
    """The city as it is, and a gate that has learned nothing."""
    office.munich.limiter.limit = limit
    office.munich.limiter.counters.clear()
    GateState.objects.all().delete()
    Call.objects.all().delete()


def report(result: DayResult) -> None:
    """Shown with `pytest -s`."""
    sys.stdout.write(f"\n{result}\n")


def test_a_day_of_forty_searches_and_thirty_bookings_is_never_refused(office: Office) -> None:
    begin(office)

    result = CityDay(office, length=STRETCH).run()

    report(result)
    assert result.refused == 0
    assert (result.searches, result.booked) == (40, 30)
    assert result.largest_count < 60
    assert set(result.by_kind) >= {"sweep", "detail", "captcha", "booking", "follow"}
    assert sum(result.by_kind.values()) == result.requests
    counted = CallCount.objects.filter(span="day").values_list("calls", flat=True)
    assert sum(counted) == result.requests


def test_a_limit_halved_in_the_middle_is_learned_from_one_refusal_at_most(office: Office) -> None:
    begin(office)
    day = CityDay(office, bookings=4, length=timedelta(minutes=24))

    def halve() -> None:
        """At the worst moment: when more calls than the new limit have been made in this round."""
        if GateState.objects.get().used < 33:
            day.at(office.now() + timedelta(seconds=1), halve)
        else:
            office.munich.limiter.limit = 30

    day.at(office.now() + timedelta(minutes=10), halve)
    result = day.run()

    report(result)
    assert result.refused == 1
    assert result.booked == 4
    state = GateState.objects.get()
    assert (state.limit, state.round_cap) == (30, limits.largest_round(30))


def test_things_that_happen_at_one_moment_happen_in_their_order(office: Office) -> None:
    day = CityDay(office, searches=1, bookings=0)
    happened: list[str] = []
    day.at(office.now(), lambda: happened.append("first"))
    day._let_happen(office.now())
    later = office.now() + timedelta(minutes=1)

    for what in ("second", "third", "fourth"):
        day.at(later, lambda what=what: happened.append(what))
        day._let_happen(office.now())
    day._let_happen(later)

    assert happened == ["first", "second", "third", "fourth"]
