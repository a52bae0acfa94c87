"""Natural life: a calendar that is nearly full, and changes that a newcomer gets to see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import PASING, RECORD, RUPPERT, Citizen

THREE_OFFICES = f"{RUPPERT},{PASING},102522"


@pytest.fixture
def lively(make_world: Callable[..., CityWorld]) -> CityWorld:
    return make_world(life=True)


def listed(citizen: Citizen, **more: object) -> set[tuple[str, str]]:
    """(day, office) pairs the calendar shows within two weeks."""
    query = {"officeIds": THREE_OFFICES} | more
    document = citizen.calendar("2026-11-23", "2026-12-06", **query).json()
    return {
        (day["date"], office) for day in document["availableDays"] for office in day["providerIDs"].split(",")
    }


def test_without_life_nothing_is_open(world: CityWorld) -> None:
    assert not any(capacity.openings for capacity in world.capacities.values())


def test_citizens_offices_are_nearly_booked_out_and_quiet_counters_are_not(lively: CityWorld) -> None:
    citizen = Citizen(lively)
    offices = ",".join(map(str, lively.catalogue.offices_of(RECORD)[:-1]))
    quiet = citizen.calendar("2026-11-24", "2027-01-15", officeIds=10500, serviceIds=RECORD).json()
    scarce = citizen.calendar("2026-11-24", "2027-01-15").json()
    assert offices
    assert len(quiet["availableDays"]) > 20
    assert len(scarce["availableDays"]) < 8


@pytest.mark.parametrize("seed", range(5))
def test_a_newcomer_sees_a_slot_open_within_about_a_minute(
    make_world: Callable[..., CityWorld], clock: Clock, seed: int
) -> None:
    """Registering at three offices in the next two weeks, looked at every five seconds."""
    citizen = Citizen(make_world(life=True, seed=seed, limit=10_000))
    waits: list[float] = []
    known, waited = listed(citizen), 0
    for _ in range(240):
        clock.advance(timedelta(seconds=5))
        waited += 5
        present = listed(citizen)
        if present - known:
            waits.append(waited)
            waited = 0
        known = present
    assert waits
    assert median(waits) <= 75


def test_what_comes_free_is_taken_again_within_ten_minutes(lively: CityWorld, clock: Clock) -> None:
    lively.tick()
    before = {(office, key) for office, capacity in lively.capacities.items() for key in capacity.openings}
    clock.advance(timedelta(minutes=5))
    lively.tick()
    fresh = {
        (office, key) for office, capacity in lively.capacities.items() for key in capacity.openings
    } - before
    assert len(fresh) >= 8
    lively.life.next_common_at = lively.life.next_other_at = float("inf")
    clock.advance(timedelta(minutes=10))
    lively.tick()
    assert all(sum(lively.capacities[office].openings[key].free) == 0 for office, key in fresh)


def test_others_do_not_take_what_somebody_holds(lively: CityWorld, clock: Clock) -> None:
    lively.tick()
    office, capacity = next((o, c) for o, c in lively.capacities.items() if o == RUPPERT)
    opening_id = capacity.open(int((clock.now() + timedelta(days=3)).timestamp()), 3, 1)
    opening = capacity.openings[opening_id]
    lively.life.takers = [(clock.now().timestamp() + 60, office, opening_id)]
    answer = Citizen(lively).reserve(datetime.fromtimestamp(opening.starts_at, UTC))
    assert answer.status_code == 200
    clock.advance(timedelta(seconds=61))
    lively.tick()
    assert opening.free == [0, 0, 0]
    assert len(lively.reservations) == 1


def test_the_same_seed_makes_the_same_life(make_world: Callable[..., CityWorld], clock: Clock) -> None:
    twins = [make_world(life=True, seed=7) for _ in range(2)]
    clock.advance(timedelta(minutes=20))
    for twin in twins:
        twin.tick()
    first, second = (
        {
            office: sorted((o.starts_at, *o.free) for o in capacity.openings.values())
            for office, capacity in twin.capacities.items()
        }
        for twin in twins
    )
    assert first == second


def test_slots_lie_in_opening_hours_on_working_days(lively: CityWorld) -> None:
    from termin_project.sandbox.city.clock import BERLIN

    for capacity in lively.capacities.values():
        for opening in capacity.openings.values():
            local = datetime.fromtimestamp(opening.starts_at, UTC).astimezone(BERLIN)
            assert local.weekday() < 5
            assert 7 * 60 + 30 <= local.hour * 60 + local.minute < 18 * 60


def test_the_newest_day_opens_when_the_office_opens_in_the_morning(
    make_world: Callable[..., CityWorld], clock: Clock
) -> None:
    clock.freeze(datetime(2026, 11, 24, 20, 0, tzinfo=UTC))
    lively = make_world(life=True)
    assert lively.life.released_until[RUPPERT] == "2027-01-05"
    clock.freeze(datetime(2026, 11, 25, 6, 0, tzinfo=UTC))
    lively.tick()
    assert lively.life.released_until[RUPPERT] == "2027-01-05", "07:00 in Munich: still closed"
    clock.freeze(datetime(2026, 11, 25, 6, 31, tzinfo=UTC))
    lively.tick()
    assert lively.life.released_until[RUPPERT] == "2027-01-06"


def test_a_jump_of_weeks_is_survived_quickly(lively: CityWorld, clock: Clock) -> None:
    clock.advance(timedelta(days=30))
    lively.tick()
    clock.advance(timedelta(minutes=2))
    lively.tick()
    assert lively.life.next_common_at > clock.now().timestamp()
    oldest = min(o.ends_at for c in lively.capacities.values() for o in c.openings.values())
    assert oldest > (clock.now() - timedelta(days=2)).timestamp()
