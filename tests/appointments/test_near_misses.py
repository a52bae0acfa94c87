"""Free times just outside a search: one point misses, and not by much."""

from datetime import timedelta

import pytest

from appointments.models import Office, Slot, Watch
from appointments.selectors.near_misses import near_misses
from tests.conftest import MONDAY
from tests.factories import BookingFactory, OfficeFactory, SlotFactory, WatchFactory
from tests.factories.watching import local

pytestmark = pytest.mark.django_db
TUESDAY, WEDNESDAY, SATURDAY = 1, 2, 5
MORNINGS = [[0b0011111, 8 * 60, 12 * 60]]


@pytest.fixture
def office() -> Office:
    return OfficeFactory()


@pytest.fixture
def watch(office: Office) -> Watch:
    """Weekday mornings of this week at one office, with three hours to get there."""
    return WatchFactory(
        hours=MORNINGS, rolling_days=7, minimum_notice_minutes=180, chosen=[office], now=MONDAY
    )


def free(watch: Watch, day: int, hour: int, minute: int = 0, **slot: object) -> Slot:
    """A free time so many days after Monday."""
    at = {"office": watch.offices.get().office} | slot
    return SlotFactory(search=watch.search, starts_at=local(MONDAY, day, hour, minute), now=MONDAY, **at)


def found(watch: Watch) -> list[tuple[Slot, str]]:
    return [(near.slot, near.miss.value) for near in near_misses(watch, now=MONDAY)]


@pytest.mark.parametrize(
    ("day", "hour", "miss"),
    [
        (TUESDAY, 12, "hour"),
        (TUESDAY, 13, "hour"),
        (TUESDAY, 7, "hour"),
        (SATURDAY, 9, "weekday"),
        (8, 9, "day"),
        (14, 9, "day"),
    ],
)
def test_one_point_that_does_not_fit_is_named(watch: Watch, day: int, hour: int, miss: str) -> None:
    slot = free(watch, day, hour)

    assert found(watch) == [(slot, miss)]


def test_another_office_of_the_same_search_is_near_too_and_comes_last(watch: Watch) -> None:
    elsewhere = free(watch, TUESDAY, 9, office=OfficeFactory())
    late = free(watch, WEDNESDAY, 12)

    assert found(watch) == [(late, "hour"), (elsewhere, "office")]


def test_a_time_too_soon_to_get_there_is_near_while_it_can_still_be_reached(watch: Watch) -> None:
    soon = SlotFactory(
        search=watch.search,
        office=watch.offices.get().office,
        starts_at=MONDAY + timedelta(hours=1),
        now=MONDAY,
    )
    watch.hours = []

    assert found(watch) == [(soon, "notice")]
    assert near_misses(watch, now=MONDAY + timedelta(minutes=31)) == []


@pytest.mark.parametrize(
    ("day", "hour"),
    [(TUESDAY, 9), (TUESDAY, 16), (SATURDAY, 13), (8, 13), (20, 9)],
    ids=["fits", "by far", "weekday and hour", "day and hour", "days later"],
)
def test_what_fits_or_misses_by_more_is_none(watch: Watch, day: int, hour: int) -> None:
    free(watch, day, hour)

    assert found(watch) == []


def test_what_is_gone_or_was_seen_long_ago_is_none(watch: Watch) -> None:
    free(watch, TUESDAY, 12, gone=True)
    free(watch, WEDNESDAY, 12, seen_at=MONDAY - timedelta(hours=1))

    assert found(watch) == []


def test_three_at_most_the_soonest_first(watch: Watch) -> None:
    for minute in (50, 10, 30, 20):
        free(watch, TUESDAY, 12, minute)

    assert [local_minute(slot) for slot, _miss in found(watch)] == [10, 20, 30]


def test_who_improves_an_appointment_is_shown_nothing_that_gains_nothing(watch: Watch) -> None:
    watch.improves = BookingFactory(confirmed=True, subscriber=watch.subscriber)
    free(watch, TUESDAY, 12)

    assert found(watch) == []


def local_minute(slot: Slot) -> int:
    return slot.starts_at.minute
