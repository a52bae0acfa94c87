"""The booking machine as data, and the arithmetic of budgets."""

from datetime import timedelta

import pytest
from django.utils import timezone

from appointments import limits
from appointments.errors import IllegalTransition
from appointments.models import Booking, BookingEvent
from appointments.schedules import PERIODIC, write_schedules
from appointments.services.bookings import advance
from appointments.states import CALLING, ENDED, HOLDING, LIVE, TRANSITIONS, BookingState
from tests.factories import BookingFactory

S = BookingState


def test_every_state_has_its_transitions_and_ended_ones_have_none() -> None:
    assert set(TRANSITIONS) == set(S)
    assert {state for state, following in TRANSITIONS.items() if not following} == ENDED


def test_the_groups_of_states_fit_together() -> None:
    assert set(S) == LIVE | ENDED
    assert not LIVE & ENDED
    assert HOLDING < LIVE
    assert CALLING < LIVE


def test_every_state_is_reached_from_the_first() -> None:
    reached, waiting = set(), [S.REQUESTED]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += TRANSITIONS[state]

    assert reached == set(S)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "to"),
    [(state, to) for state in S for to in S if to not in TRANSITIONS[state]],
    ids=lambda state: str(state),
)
def test_what_is_not_on_the_map_is_refused_and_changes_nothing(state: S, to: S) -> None:
    trait = {} if state == S.REQUESTED else {state.value: True}
    booking = BookingFactory(**trait)

    with pytest.raises(IllegalTransition):
        advance(booking, to, now=timezone.now())

    booking.refresh_from_db()
    assert booking.state == state
    assert not BookingEvent.objects.exists()


@pytest.mark.django_db
def test_an_end_takes_all_appointments_with_the_sweep_away() -> None:
    now = timezone.now()
    booking = BookingFactory(reserved=True, follow_at=now, remind_at=now, retry_at=now)

    advance(booking, S.LAPSED, now=now, reason="silence")

    assert (booking.ended_at, booking.follow_at, booking.remind_at, booking.retry_at) == (
        now,
        None,
        None,
        None,
    )
    assert booking.events.get().reason == "silence"


@pytest.mark.django_db
def test_why_it_is_given_back_is_kept_until_the_end() -> None:
    now = timezone.now()
    booking = BookingFactory(reserved=True, wish=Booking.Wish.RELEASE, reason="superseded")

    advance(booking, S.CANCELLING, now=now, lease_until=now, reason="interrupted")
    kept = booking.reason
    advance(booking, S.CANCELLED, now=now, reason="elsewhere")

    assert (kept, booking.reason) == ("superseded", "elsewhere")


@pytest.mark.parametrize(
    ("limit", "largest"), [(60, 40), (120, 80), (600, 400), (20, 11), (10, 4), (5, 4), (1, 1)]
)
def test_rounds_leave_room_for_bookings(limit: int, largest: int) -> None:
    assert limits.largest_round(limit) == largest


def test_rounds_shrink_by_half_and_grow_by_one() -> None:
    assert [limits.shrink_round(cap) for cap in (40, 9, 5, 4)] == [20, 4, 4, 4]
    assert [limits.grow_round(cap, 60) for cap in (4, 39, 40)] == [5, 40, 40]


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    minutes = [limits.pause_after(openings) / timedelta(minutes=1) for openings in (0, 1, 2, 3, 4, 5, 99)]

    assert minutes == [1, 1, 2, 4, 8, 15, 15]


def test_the_citys_remaining_is_one_too_low() -> None:
    assert [limits.used_from_headers(60, remaining) for remaining in (58, 0)] == [1, 59]
    assert limits.booking_bound(60) == 59


@pytest.mark.django_db
def test_schedules_in_the_database_equal_the_list_whatever_was_there() -> None:
    from django_q.models import Schedule

    now = timezone.now()
    Schedule.objects.create(name="old", func="appointments.tasks.gone", schedule_type=Schedule.MINUTES)
    foreign = Schedule.objects.create(name="mine", func="other.tasks.keep", schedule_type=Schedule.MINUTES)
    write_schedules(now=now)
    later = now + timedelta(hours=1)
    written = write_schedules(now=later)

    names = set(Schedule.objects.values_list("name", flat=True))
    assert written == len(PERIODIC)
    assert names == {entry.task for entry in PERIODIC} | {foreign.name}
    assert set(Schedule.objects.exclude(pk=foreign.pk).values_list("next_run", flat=True)) == {now}


def test_every_scheduled_task_exists() -> None:
    from appointments import tasks

    assert all(callable(getattr(tasks, entry.task)) for entry in PERIODIC)
