"""Races: shown without their guard where that is cheap, then cured by it."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from appointments.errors import AlreadyHolding, NotAllowed, StaleBooking
from appointments.models import Booking, BookingEvent, Lease, OutboxMessage, Subscriber
from appointments.services import leases, sweeps
from appointments.services.bookings import advance, keep_booking, release_booking, request_booking
from appointments.services.outbox import claim_due, enqueue
from appointments.services.reserving import reserve_appointment
from appointments.services.sending import send_booking
from appointments.services.sweeps import sweep_bookings
from appointments.services.watching import CHAIN, start_chain
from appointments.states import BookingState as S
from appointments.upstream import types
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    known_slot,
    person,
    requested,
    reserved,
    settle,
    states,
)
from tests.conftest import Office
from tests.factories import OutboxMessageFactory
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def load(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def test_two_workers_with_one_booking_reserve_once(office: Office) -> None:
    booking = requested(office)
    copies = load(booking), load(booking)

    at_once(*(lambda copy=copy: reserve_appointment(copy, office.desk) for copy in copies))

    assert calls_of(office, "reserve-appointment") == 1
    assert at_the_city(office) == ["reserved"]
    assert states(booking) == ["requested", "reserving", "reserved"]


def test_without_the_conditional_update_both_workers_would_reserve(office: Office) -> None:
    booking = requested(office)
    office.munich.add_places(10489, [1063475], booking.starts_at, 1)
    both_looked = threading.Barrier(2)

    def careless() -> None:
        copy = load(booking)
        assert copy.state == S.REQUESTED
        both_looked.wait(timeout=10)
        slot = types.Slot(10489, copy.starts_at)
        office.desk.api.reserve(slot, copy.search.services)

    at_once(careless, careless)

    assert at_the_city(office) == ["reserved", "reserved"]


def test_of_two_moves_of_one_booking_one_is_stale(office: Office) -> None:
    booking = requested(office)
    copies = load(booking), load(booking)

    results = at_once(
        *(
            lambda copy=copy: advance(
                copy, S.RESERVING, now=office.now(), lease_until=office.now() + timedelta(seconds=60)
            )
            for copy in copies
        )
    )

    assert sorted(type(result).__name__ for result in results) == ["Booking", "StaleBooking"]
    assert BookingEvent.objects.filter(booking=booking, state=S.RESERVING).count() == 1
    assert any(isinstance(result, StaleBooking) for result in results)


def test_one_person_who_taps_two_slots_at_once_gets_one(office: Office) -> None:
    who = person(office)
    slots = [known_slot(office, THURSDAY_9 + timedelta(hours=hour)) for hour in range(4)]

    results = at_once(
        *(
            lambda slot=slot: request_booking(
                Subscriber.objects.get(pk=who.pk), slot, mode="hold", watch=None, now=office.now()
            )
            for slot in slots
        )
    )
    office.work()

    assert sum(isinstance(result, Booking) for result in results) == 1
    assert sum(isinstance(result, AlreadyHolding) for result in results) == 3
    assert at_the_city(office) == ["reserved"]


def test_ten_people_and_three_places_make_three_holds(office: Office) -> None:
    slot = known_slot(office)
    office.munich.add_places(10489, [1063475], slot.starts_at, 2)
    bookings = [
        request_booking(person(office), slot, mode="hold", watch=None, now=office.now()) for _who in range(10)
    ]

    at_once(
        *(lambda booking=booking: reserve_appointment(load(booking), office.desk) for booking in bookings)
    )

    ends = sorted(Booking.objects.values_list("state", flat=True))
    assert ends == ["failed"] * 7 + ["reserved"] * 3
    assert at_the_city(office) == ["reserved"] * 3


@pytest.mark.parametrize("turn", range(4))
def test_keeping_and_giving_back_at_once_ends_in_one_of_both(office: Office, turn: int) -> None:
    booking = reserved(office)

    results = at_once(
        lambda: keep_booking(load(booking), now=office.now()),
        lambda: release_booking(load(booking), now=office.now()),
    )
    settle(office, booking, minutes=1, step=20)

    assert all(isinstance(result, Booking | NotAllowed) for result in results)
    # Giving back is final: whoever was first, the place is free again.
    assert (booking.state, at_the_city(office) in ([], ["deleted"])) == (S.CANCELLED, True)


@pytest.mark.parametrize("turn", range(4))
def test_keeping_while_the_worker_takes_the_hold_is_not_overlooked(office: Office, turn: int) -> None:
    booking = requested(office)

    at_once(
        lambda: reserve_appointment(load(booking), office.desk),
        lambda: keep_booking(load(booking), now=office.now()),
    )
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


@pytest.mark.parametrize("turn", range(4))
def test_giving_back_while_the_worker_takes_the_hold_is_not_overlooked(office: Office, turn: int) -> None:
    booking = requested(office)

    at_once(
        lambda: reserve_appointment(load(booking), office.desk),
        lambda: release_booking(load(booking), now=office.now()),
    )
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert at_the_city(office) == []


def test_who_keeps_in_the_moment_of_silence_is_heard(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep has read the silent ones; before it acts, one of them answers."""
    booking = reserved(office)
    office.munich.clock.advance(booking.answer_until - office.now())
    real = sweeps.transaction.atomic
    answered: list[bool] = []

    def answer_first(*args: object, **options: object) -> object:
        if not answered:
            answered.append(True)
            keep_booking(load(booking), now=office.now())
        return real(*args, **options)

    monkeypatch.setattr("appointments.services.sweeps.transaction.atomic", answer_first)
    sweeps._silent_holds(office.now())
    office.work()

    booking.refresh_from_db()
    assert answered
    assert booking.state == S.PRECONFIRMED


def test_two_workers_with_one_held_booking_send_once(office: Office) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()

    at_once(*(lambda: send_booking(load(booking), office.desk) for _worker in range(3)))

    assert calls_of(office, "preconfirm-appointment") == 1


def test_the_sweep_and_the_worker_that_comes_back_late_agree(office: Office) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    reserve = office.desk.api.reserve
    answered = threading.Event()
    swept = threading.Event()

    def slow_reserve(*args: object, **options: object) -> object:
        answer = reserve(*args, **options)
        answered.set()
        assert swept.wait(timeout=10)
        return answer

    def sweep() -> None:
        assert answered.wait(timeout=10)
        office.munich.clock.advance(timedelta(seconds=61))
        sweep_bookings(now=office.now())
        swept.set()

    office.desk.api.reserve = slow_reserve  # type: ignore[method-assign]
    at_once(lambda: reserve_appointment(load(booking), office.desk), sweep)

    booking.refresh_from_db()
    assert states(booking) == ["requested", "reserving", "uncertain", "reserved"]
    assert booking.process_id is not None


def test_two_sweeps_at_once_find_a_stale_lease_once(office: Office) -> None:
    booking = requested(office)
    Booking.objects.update(state=S.RESERVING, lease_until=office.now() - timedelta(seconds=1))

    at_once(*(lambda: sweep_bookings(now=office.now()) for _sweep in range(3)))

    assert states(booking).count("uncertain") == 1
    assert OutboxMessage.objects.filter(kind="booking_uncertain").count() == 1


def test_of_many_starters_one_starts_the_chain(office: Office) -> None:
    results = at_once(*(lambda: start_chain(now=office.now()) for _starter in range(5)))

    assert sorted(results, key=lambda epoch: epoch is None) == [1, None, None, None, None]


def test_of_two_copies_of_a_slice_one_goes_on(office: Office) -> None:
    epoch = start_chain(now=office.now())
    assert epoch is not None

    results = at_once(
        *(
            lambda: leases.pass_lease(CHAIN, epoch, timedelta(seconds=45), now=office.now())
            for _copy in range(4)
        )
    )

    assert [result for result in results if result is not None] == [epoch + 1]
    assert Lease.objects.get(name=CHAIN).epoch == epoch + 1


def test_without_the_condition_two_senders_claim_the_same_message(office: Office) -> None:
    OutboxMessageFactory(now=office.now())
    both_looked = threading.Barrier(2)

    def careless() -> list[int]:
        due = list(OutboxMessage.objects.filter(sent_at=None, available_at__lte=office.now()))
        both_looked.wait(timeout=10)
        OutboxMessage.objects.filter(pk__in=[m.pk for m in due]).update(
            available_at=office.now() + timedelta(minutes=1)
        )
        return [message.pk for message in due]

    first, second = at_once(careless, careless)

    assert first == second


def test_of_two_senders_one_claims_a_message(office: Office) -> None:
    for _number in range(12):
        OutboxMessageFactory(now=office.now())

    results = at_once(*(lambda: [m.pk for m in claim_due(office.now())] for _sender in range(3)))

    claimed = [pk for result in results for pk in result]
    assert len(claimed) == len(set(claimed))


def test_one_fact_written_by_two_workers_is_one_message(office: Office) -> None:
    who = person(office)

    results = at_once(
        *(
            lambda: enqueue(
                Subscriber.objects.get(pk=who.pk), "test_message", now=office.now(), dedup_key="fact"
            )
            for _worker in range(4)
        )
    )

    assert sum(result is not None for result in results) == 1
    assert OutboxMessage.objects.count() == 1


def test_threads_see_one_database(office: Office) -> None:
    """What the tests above rest on."""
    at_once(lambda: person(office))

    assert Subscriber.objects.count() == 1
    assert not connection.in_atomic_block
