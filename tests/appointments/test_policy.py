"""Emergency services have their own pace; other times stay fresh while somebody decides."""

import random
from datetime import datetime, timedelta

import pytest

from appointments.models import PollTarget, Search, Service
from appointments.policy import (
    DETAIL_EVERY,
    EMERGENCY_EVERY,
    JITTER,
    SWEEP_EVERY,
    WARM_EVERY,
    FairPolicy,
    are_emergency_hours,
)
from appointments.selectors.watches import MUNICH
from appointments.services.emergencies import ENOUGH_SLOTS, judge_search
from tests.factories import BookingFactory, SearchFactory, ServiceFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db
Kind = PollTarget.Kind
MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=MUNICH)
NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=MUNICH)


def target(now: datetime, *, emergency: bool = False, kind: str = Kind.SWEEP, late: float = 0) -> PollTarget:
    search = SearchFactory(now=now, short_notice=emergency)
    return PollTarget.objects.create(
        search=search,
        kind=kind,
        day=now.date() if kind == Kind.DETAIL else None,
        next_due_at=now - timedelta(seconds=late),
    )


def rhythm(of: PollTarget, now: datetime) -> float:
    """Seconds until it is due again, without the blur."""
    due = FairPolicy(random.Random(1)).asked(of, well=True, now=now)
    return (due - now).total_seconds() / random.Random(1).uniform(1 - JITTER, 1 + JITTER)


@pytest.mark.parametrize(
    ("hour", "minute", "is_one"),
    [
        (7, 30, True),
        (12, 0, True),
        (15, 0, True),
        (10, 30, False),
        (20, 0, False),
        (6, 44, False),
        (6, 45, True),
    ],
)
def test_emergency_slots_are_added_in_the_morning_at_midday_and_in_the_afternoon(
    hour: int, minute: int, is_one: bool
) -> None:
    assert are_emergency_hours(MORNING.replace(hour=hour, minute=minute)) is is_one


def test_sundays_have_no_emergency_hours() -> None:
    assert not are_emergency_hours(MORNING - timedelta(days=1))


def test_an_emergency_is_asked_more_often_at_these_hours_only() -> None:
    emergency, usual = target(MORNING, emergency=True), target(MORNING)

    assert rhythm(emergency, MORNING) == pytest.approx(EMERGENCY_EVERY.total_seconds())
    assert rhythm(usual, MORNING) == pytest.approx(SWEEP_EVERY.total_seconds())
    assert rhythm(emergency, NIGHT) == pytest.approx(SWEEP_EVERY.total_seconds())


def test_a_due_emergency_goes_first_but_never_twice_in_a_row() -> None:
    waiting, emergency = target(MORNING, late=60), target(MORNING, emergency=True)
    policy = FairPolicy(random.Random(1))

    chosen = [policy.next_target(now=MORNING) for _time in range(4)]

    assert chosen == [emergency, waiting, emergency, waiting]
    assert FairPolicy().next_target(now=NIGHT + timedelta(days=1)) == waiting


def test_other_times_are_asked_more_often_while_somebody_decides() -> None:
    detail = target(NIGHT, kind=Kind.DETAIL)
    before = rhythm(detail, NIGHT)
    slot = SlotFactory(search=detail.search, now=NIGHT)
    booking = BookingFactory(slot=slot, reserved=True, now=NIGHT)

    during = rhythm(detail, NIGHT)
    booking.wish = "book"
    booking.save()

    assert before == pytest.approx(DETAIL_EVERY.total_seconds())
    assert during == pytest.approx(WARM_EVERY.total_seconds())
    assert rhythm(detail, NIGHT) == pytest.approx(DETAIL_EVERY.total_seconds())


@pytest.mark.parametrize(
    ("name", "staff", "short"),
    [
        ("Notfall-Hilfe Aufenthaltstitel", None, True),
        ("Notfall-Hilfe Aufenthaltstitel", False, False),
        ("Reisepass", None, False),
        ("Reisepass", True, True),
    ],
)
def test_the_name_decides_and_staff_may_overrule_it(name: str, staff: bool | None, short: bool) -> None:
    service = ServiceFactory(name=name, emergency=staff)
    search = SearchFactory(main_service=service, now=NIGHT)

    judge_search(search, now=NIGHT)

    search.refresh_from_db()
    assert search.short_notice is short
    assert Service.objects.get(pk=service.pk).emergency is staff


def test_people_who_all_want_today_or_tomorrow_make_it_an_emergency() -> None:
    search = SearchFactory(now=NIGHT)
    WatchFactory(search=search, rolling_days=1, now=NIGHT)

    judge_search(search, now=NIGHT)
    first = Search.objects.get(pk=search.pk).short_notice
    WatchFactory(search=search, now=NIGHT)
    judge_search(search, now=NIGHT)

    assert (first, Search.objects.get(pk=search.pk).short_notice) == (True, False)


def test_days_that_never_go_beyond_tomorrow_make_it_an_emergency() -> None:
    search = SearchFactory(now=NIGHT)
    for number in range(ENOUGH_SLOTS):
        SlotFactory(search=search, now=NIGHT, starts_at=NIGHT + timedelta(hours=30, minutes=number))
    judge_search(search, now=NIGHT)
    first = Search.objects.get(pk=search.pk).short_notice

    SlotFactory(search=search, now=NIGHT, starts_at=NIGHT + timedelta(days=5))
    judge_search(search, now=NIGHT)

    assert (first, Search.objects.get(pk=search.pk).short_notice) == (True, False)
