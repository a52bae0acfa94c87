"""After a crash: what was left behind is found within two minutes, told truthfully, and given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from appointments.models import Booking, OutboxMessage
from appointments.services import sweeps
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.reserving import reserve_appointment
from appointments.states import CALLING
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    known_slot,
    preconfirmed,
    requested,
    reserved,
    settle,
    states,
)
from tests.conftest import Office as Domain

TWO_MINUTES = 2.0


class Killed(BaseException):
    """What a worker does not survive."""


def kill(office: Domain, call: str, *, after: bool) -> None:
    """The worker dies in the next `call` of the city's client: before it is sent, or after the city acted."""
    real: Callable[..., object] = getattr(office.desk.api, call)

    def dying(*args: object, **options: object) -> object:
        setattr(office.desk.api, call, real)
        if after:
            real(*args, **options)
        raise Killed

    setattr(office.desk.api, call, dying)
    with pytest.raises(Killed):
        office.work()
    # The queue forgets too: nothing that was waiting in memory comes again.
    office.queue.waiting.clear()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["reserve", "update", "preconfirm", "cancel", "appointment"])
def test_within_two_minutes_of_a_kill_the_truth_is_told_and_nothing_unwanted_is_held(
    office: Domain, call: str, after: bool
) -> None:
    booking = {"reserve": requested, "appointment": preconfirmed}.get(call, reserved)(office)
    if call in ("update", "preconfirm"):
        keep_booking(booking, now=office.now())
    elif call == "cancel":
        release_booking(booking, now=office.now())
    elif call == "appointment":
        office.open_mailed_link()
        Booking.objects.update(follow_at=office.now())
        office.queue.put("follow_booking", booking.pk)
    kill(office, call, after=after)

    settle(office, booking, minutes=TWO_MINUTES, step=5)

    assert booking.state not in CALLING
    expected = {"reserve": S.UNCERTAIN, "cancel": S.CANCELLED, "appointment": S.CONFIRMED}
    assert booking.state == expected.get(call, S.PRECONFIRMED)
    told = {"reserve": "booking_uncertain", "cancel": "hold_released", "appointment": "appointment_confirmed"}
    assert told.get(call, "check_mail") in office.mailman.kinds()
    if call == "cancel":
        assert [status for status in at_the_city(office) if status != "deleted"] == []


def test_a_hold_that_lapsed_while_everything_was_down_is_told_as_what_it_is(office: Domain) -> None:
    booking = reserved(office)
    office.advance(minutes=40)

    office.sweep()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.LAPSED, "overdue")
    assert office.mailman.kinds()[-1] == "hold_lapsed"
    assert at_the_city(office) == []


def test_a_hold_that_must_have_lapsed_is_told_although_the_city_cannot_be_asked(office: Domain) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.munich.faults.add("maintenance", None)

    settle(office, booking, minutes=booking.office.reservation_minutes - 1, step=30)
    before = booking.state
    settle(office, booking, minutes=4, step=30)

    assert (before, booking.state) == (S.RESERVED, S.LAPSED)
    assert office.mailman.kinds()[-1] == "hold_lapsed"


def test_a_silent_hold_that_lapsed_before_it_could_be_given_back_was_not_given_back(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(timedelta(minutes=booking.office.reservation_minutes, seconds=61))
    office.munich.tick()

    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.LAPSED
    assert office.mailman.kinds()[-1] == "hold_lapsed"


def test_a_silent_hold_that_still_stands_is_given_back_and_called_so(office: Domain) -> None:
    booking = reserved(office)
    assert booking.answer_until is not None
    office.munich.clock.advance(booking.answer_until - office.now())

    office.sweep()

    booking.refresh_from_db()
    assert (booking.state, office.mailman.kinds()[-1]) == (S.CANCELLED, "hold_released")


def test_what_lapsed_before_it_could_be_swapped_makes_room_for_what_was_wanted_instead(
    office: Domain,
) -> None:
    from appointments.services.bookings import swap_booking

    booking = reserved(office)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=2))
    swap_booking(booking, other, now=office.now())
    office.queue.waiting.clear()
    fault = office.munich.faults.add("maintenance", None, ["cancel-appointment"])

    settle(office, booking, minutes=booking.office.reservation_minutes + 4, step=30)
    office.munich.faults.active.remove(fault)
    office.work()

    assert booking.state == S.LAPSED
    instead = Booking.objects.get(previous=booking)
    assert (instead.state, instead.starts_at) == (S.RESERVED, other.starts_at)
    assert [m.payload["next"] for m, _e in office.mailman.sent if m.kind == "hold_released"] == [instead.pk]


def test_an_activation_that_nobody_follows_is_found(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    Booking.objects.update(follow_at=None)

    settle(office, booking, minutes=0.5, step=10)

    assert booking.state == S.CONFIRMED


def test_an_uncertain_one_that_nobody_follows_is_found(office: Domain) -> None:
    booking = preconfirmed(office)
    Booking.objects.update(state=S.UNCERTAIN, follow_at=None)

    settle(office, booking, minutes=0.5, step=10)

    assert booking.state == S.PRECONFIRMED


def test_a_cancellation_that_was_forgotten_is_found(office: Domain) -> None:
    booking = confirmed(office)
    release_booking(booking, now=office.now())
    office.queue.waiting.clear()

    settle(office, booking, minutes=0.5, step=10)

    assert booking.state == S.CANCELLED


def test_a_message_nobody_sends_is_found(office: Domain) -> None:
    reserve_appointment(requested(office), office.desk)
    office.queue.waiting.clear()
    office.advance(seconds=5)

    found = sweeps.sweep_bookings(now=office.now())["messages"]

    assert found == 1
    assert "deliver_messages" in office.queue.names()


def test_a_second_sweep_right_behind_changes_nothing(office: Domain) -> None:
    booking = requested(office)
    Booking.objects.update(state=S.RESERVING, lease_until=office.now() - timedelta(seconds=1))
    sweeps.sweep_bookings(now=office.now())
    once = (states(booking), OutboxMessage.objects.count())

    sweeps.sweep_bookings(now=office.now())

    assert (states(booking), OutboxMessage.objects.count()) == once


def test_a_look_while_another_worker_looks_asks_nothing(office: Domain) -> None:
    booking = preconfirmed(office)
    asked = calls_of(office, "appointment")
    Booking.objects.update(follow_at=office.now() + timedelta(seconds=15))

    office.queue.put("follow_booking", booking.pk)
    office.work()

    assert calls_of(office, "appointment") == asked


def test_the_lease_is_renewed_between_two_calls(office: Domain) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    update = office.desk.api.update

    def slow(*args: object) -> object:
        answer = update(*args)  # type: ignore[arg-type]
        office.munich.clock.advance(timedelta(seconds=40))
        return answer

    office.desk.api.update = slow  # type: ignore[method-assign,assignment]
    preconfirm = office.desk.api.preconfirm

    def looked_at(*args: object) -> object:
        office.munich.clock.advance(timedelta(seconds=20))
        sweeps.sweep_bookings(now=office.now())
        return preconfirm(*args)  # type: ignore[arg-type]

    office.desk.api.preconfirm = looked_at  # type: ignore[method-assign,assignment]

    office.work()

    booking.refresh_from_db()
    assert (booking.state, states(booking).count("uncertain")) == (S.PRECONFIRMED, 0)
