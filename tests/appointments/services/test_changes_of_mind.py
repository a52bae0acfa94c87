"""Moving an appointment, and somebody changes their mind in the middle, or acts on the city's own page."""

from datetime import timedelta

import pytest

from appointments.models import Booking
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.moving import move_appointment
from appointments.services.subscribers import erase_subscriber, finish_erasures
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, settle
from tests.appointments.services.test_moving import (
    CANCEL,
    EARLIER,
    begun,
    one_task,
    refreshed,
    seconds,
    standing,
)
from tests.conftest import PASING, Office


@pytest.mark.parametrize("tasks_done", [0, 1, 2])
def test_giving_the_new_one_back_in_the_middle_keeps_the_old_one(office: Office, tasks_done: int) -> None:
    old, new = begun(office)
    for _task in range(tasks_done):
        one_task(office)
    new.refresh_from_db()

    release_booking(new, now=office.now())
    office.work()
    settle(office, new, minutes=1)

    assert_old_stands_quietly(office, old, new)


def assert_old_stands_quietly(office: Office, old: Booking, new: Booking) -> None:
    refreshed(old, new)
    assert (old.state, old.wish) == (S.CONFIRMED, Booking.Wish.BOOK)
    assert new.state == S.CANCELLED
    assert standing(office) == [seconds(THURSDAY_9)]


def test_giving_it_back_while_the_city_confirms_keeps_the_old_one(office: Office) -> None:
    old, new = begun(office)
    confirm = office.desk.api.confirm

    def change_of_mind(*args: object) -> object:
        release_booking(Booking.objects.get(pk=new.pk), now=office.now())
        return confirm(*args)

    office.desk.api.confirm = change_of_mind  # type: ignore[method-assign]
    office.work()
    settle(office, new, minutes=1)

    assert_old_stands_quietly(office, old, new)
    assert "appointment_moved" not in office.mailman.kinds()


def test_a_new_one_given_back_before_the_old_one_went_leaves_the_old_one(office: Office) -> None:
    old, new = begun(office)
    office.munich.faults.add("maintenance", 1, CANCEL)
    office.work()
    new.refresh_from_db()
    assert new.state == S.CONFIRMED

    release_booking(new, now=office.now())
    settle(office, new, minutes=1)

    assert_old_stands_quietly(office, old, new)


def test_an_old_one_cancelled_elsewhere_while_the_city_confirms_makes_the_new_one_simply_stay(
    office: Office,
) -> None:
    old, new = begun(office, watched=False)
    confirm = office.desk.api.confirm

    def cancelled_meanwhile(*args: object) -> object:
        office.desk.api.cancel(old.key)
        return confirm(*args)

    office.desk.api.confirm = cancelled_meanwhile  # type: ignore[method-assign]
    office.work()
    settle(office, new, minutes=1)

    refreshed(old, new)
    assert (new.state, new.replaces_id, old.state) == (S.CONFIRMED, None, S.CANCELLED)
    assert standing(office) == [seconds(EARLIER)]


def test_an_old_one_that_went_while_the_new_one_is_held_makes_it_a_question(office: Office) -> None:
    old, new = begun(office, watched=False)
    one_task(office)
    office.queue.waiting.clear()
    release_booking(old, now=office.now())
    office.work()
    settle(office, new, minutes=0.5)

    refreshed(old, new)
    assert (old.state, new.state, new.replaces_id, new.wish) == (S.CANCELLED, S.RESERVED, None, "ask")
    assert "old_gone_meanwhile" in office.mailman.kinds()
    keep_booking(new, now=office.now())
    office.work()
    assert Booking.objects.get(pk=new.pk).state == S.PRECONFIRMED


def test_a_held_time_whose_appointment_went_unseen_becomes_a_question(office: Office) -> None:
    old, new = begun(office, watched=False)
    one_task(office)
    office.queue.waiting.clear()
    Booking.objects.filter(pk=old.pk).update(state=S.CANCELLED, ended_at=office.now())

    office.sweep()

    refreshed(new)
    assert (new.state, new.replaces_id, new.wish) == (S.RESERVED, None, "ask")
    assert office.mailman.kinds()[-1] == "old_gone_meanwhile"


def test_a_new_one_cancelled_elsewhere_before_the_old_one_went_keeps_the_old_one(office: Office) -> None:
    old, new = begun(office)
    office.munich.faults.add("maintenance", 6, CANCEL)
    office.work()
    new.refresh_from_db()
    office.advance(minutes=2)
    process = office.munich.desk.processes[new.process_id]
    office.munich.desk.cancel(process.number, process.key, office.munich.now())

    settle(office, new, minutes=8)

    refreshed(old, new)
    assert (old.state, old.wish) == (S.CONFIRMED, Booking.Wish.BOOK)
    assert (new.state, new.reason) == (S.CANCELLED, "elsewhere")
    assert standing(office) == [seconds(THURSDAY_9)]


def test_an_old_one_whose_time_has_come_stays_and_the_new_one_is_free_of_it(office: Office) -> None:
    old = confirmed(office, at=PASING)
    new = move_appointment(
        old, known_slot(office, THURSDAY_9 + timedelta(days=5), at=PASING), now=office.now()
    )
    office.munich.faults.add("maintenance", None, CANCEL)
    office.work()

    office.munich.clock.advance(THURSDAY_9 - office.now() + timedelta(minutes=1))
    settle(office, new, minutes=1)

    refreshed(old, new)
    assert (new.state, new.replaces_id) == (S.CONFIRMED, None)
    assert old.ended_at is not None


def test_erasing_everything_in_between_still_cancels_the_old_one(office: Office) -> None:
    old, _new = begun(office)
    office.munich.faults.add("maintenance", 1, CANCEL)
    office.work()

    erase_subscriber(old.subscriber, now=office.now())
    assert Booking.objects.filter(pk=old.pk).exists()
    settle_rows(office)
    finish_erasures()

    assert not Booking.objects.exists()
    assert standing(office) == [seconds(EARLIER)]


def settle_rows(office: Office) -> None:
    for _step in range(6):
        office.advance(seconds=20)
        office.sweep()
