"""The booking machine as data, and the arithmetic of budgets."""

import importlib
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import IntegrityError
from django.utils import timezone

from appointments import limits, machine_picture
from appointments.errors import IllegalTransition, StaleBooking
from appointments.models import Booking, BookingEvent
from appointments.schedules import PERIODIC, write_schedules
from appointments.services.bookings import advance
from appointments.states import CALLING, ENDED, HOLDING, LIVE, STAYS, STEPS, TRANSITIONS, BookingState
from bot.news import KINDS
from termin_project.settings import BASE_DIR
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


def test_every_state_that_can_be_left_has_a_deadline_and_somebody_who_finds_it() -> None:
    assert set(STAYS) == LIVE
    fields = {field.name for field in Booking._meta.get_fields()}
    for stay in STAYS.values():
        module, name = stay.healed_by.split(".")
        assert callable(getattr(importlib.import_module(f"appointments.services.{module}"), name))
        assert stay.deadline in fields


def test_no_step_stands_twice_and_what_it_tells_can_be_told() -> None:
    arrows = [(step.source, step.target) for step in STEPS]

    assert len(arrows) == len(set(arrows))
    assert {kind for step in STEPS for kind in step.tells} <= KINDS


def test_page_and_picture_of_the_machine_are_drawn_from_it() -> None:
    page = (BASE_DIR / "docs/booking-machine.md").read_text()
    picture = (BASE_DIR / "docs/images/booking-machine.svg").read_text()

    assert page == machine_picture.page(), "run manage.py draw_booking_machine"
    assert sha256(machine_picture.dot().encode()).hexdigest() in picture, "run manage.py draw_booking_machine"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "to", "wish"),
    [
        (S.RESERVED, S.PRECONFIRMING, "ask"),
        (S.RESERVED, S.PRECONFIRMING, "release"),
        (S.RESERVED, S.CONFIRMING, "book"),  # it takes nobody's place
        (S.RESERVED, S.CANCELLING, "book"),
        (S.CONFIRMED, S.CANCELLING, "book"),
    ],
)
def test_a_step_is_not_taken_while_the_row_does_not_allow_it(state: S, to: S, wish: str) -> None:
    now = timezone.now()
    booking = BookingFactory(**{state.value: True}, wish=wish)

    with pytest.raises(StaleBooking):
        advance(booking, to, now=now, lease_until=now)

    booking.refresh_from_db()
    assert booking.state == state
    assert not booking.events.exists()


@pytest.mark.django_db
def test_what_takes_the_place_of_an_appointment_is_confirmed_directly_and_never_mailed() -> None:
    now = timezone.now()
    old = BookingFactory(confirmed=True)
    new = BookingFactory(
        reserved=True, subscriber=old.subscriber, search=old.search, replaces=old, wish="book"
    )

    with pytest.raises(StaleBooking):
        advance(new, S.PRECONFIRMING, now=now, lease_until=now)
    advance(new, S.CONFIRMING, now=now, lease_until=now)

    assert new.events.get().source == S.RESERVED
    assert new.state == S.CONFIRMING


@pytest.mark.django_db
def test_an_appointment_is_replaced_by_one_booking_at_a_time() -> None:
    old = BookingFactory(confirmed=True)
    BookingFactory(confirmed=True, subscriber=old.subscriber, search=old.search, replaces=old)

    with pytest.raises(IntegrityError):
        BookingFactory(reserved=True, subscriber=old.subscriber, search=old.search, replaces=old)


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
