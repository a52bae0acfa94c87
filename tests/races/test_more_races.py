"""Races around sweeps, silence, swaps, readings and late answers: each shown without its guard, then cured by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction

from appointments.errors import NotAllowed, StaleBooking
from appointments.models import Booking, BookingEvent, Lease, OutboxMessage
from appointments.services import leases, outbox, sweeps
from appointments.services.bookings import advance, keep_booking, release_booking, swap_booking
from appointments.services.following import follow_booking
from appointments.services.outbox import claim_due, deliver_due
from appointments.services.releasing import cancel_appointment
from appointments.services.reserving import record_reservation
from appointments.services.sweeps import sweep_bookings
from appointments.services.watching import CHAIN, CHAIN_LEASE
from appointments.states import BookingState as S
from appointments.upstream import types
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    known_slot,
    preconfirmed,
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
    loaded = Booking.objects.select_related("subscriber", "watch__search", "search", "office", "main_service")
    return loaded.get(pk=booking.pk)


def careless_advance(booking: Booking, to: S, *, now: datetime, reason: str = "", **fields: Any) -> Booking:
    """`advance` without its condition: whoever comes writes."""
    fields = {"lease_until": None} | fields
    if to in (S.CANCELLED, S.LAPSED, S.FAILED):
        fields["ended_at"] = now
    Booking.objects.filter(pk=booking.pk).update(state=to, state_since=now, **fields)
    BookingEvent.objects.create(booking=booking, source=booking.state, state=to, reason=reason, at=now)
    booking.refresh_from_db()
    return booking


class Meeting:
    """Both have looked before one of them acts."""

    def __init__(self, parties: int = 2) -> None:
        self.barrier = threading.Barrier(parties)

    def after(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """`act`, but only once everybody is here."""

        def wait_then(*args: Any, **options: Any) -> Any:
            self.barrier.wait(timeout=10)
            return act(*args, **options)

        return wait_then


# --- Sweeps twice at once ------------------------------------------------------------------------------------


def stale(office: Office) -> Booking:
    booking = requested(office)
    Booking.objects.update(state=S.RESERVING, lease_until=office.now() - timedelta(seconds=1))
    office.queue.waiting.clear()
    return booking


def both_have_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sweeps have read the same row before one of them begins to write."""
    met = Meeting().after(transaction.atomic)
    monkeypatch.setattr(sweeps, "transaction", SimpleNamespace(atomic=met))


def test_without_the_condition_two_sweeps_find_a_dead_worker_twice(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = stale(office)
    both_have_looked(monkeypatch)
    monkeypatch.setattr(sweeps, "advance", careless_advance)

    at_once(*(lambda: sweeps._stale_leases(office.now()) for _sweep in range(2)))

    assert states(booking).count("uncertain") == 2


def test_with_it_two_sweeps_that_both_saw_it_find_it_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = stale(office)
    both_have_looked(monkeypatch)

    at_once(*(lambda: sweeps._stale_leases(office.now()) for _sweep in range(2)))

    assert states(booking).count("uncertain") == 1
    assert OutboxMessage.objects.filter(kind="booking_uncertain").count() == 1


def test_three_sweeps_at_once_give_a_silent_hold_back_once_and_say_it_once(office: Office) -> None:
    booking = reserved(office)
    assert booking.answer_until is not None
    office.munich.clock.advance(booking.answer_until - office.now())

    at_once(*(lambda: sweep_bookings(now=office.now()) for _sweep in range(3)))
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert calls_of(office, "cancel-appointment") == 1
    assert OutboxMessage.objects.filter(kind="hold_released").count() == 1


def test_three_sweeps_at_once_say_once_that_a_hold_has_lapsed(office: Office) -> None:
    booking = reserved(office)
    office.advance(minutes=40)

    at_once(*(lambda: sweep_bookings(now=office.now()) for _sweep in range(3)))

    assert states(booking).count("lapsed") == 1
    assert OutboxMessage.objects.filter(kind="hold_lapsed").count() == 1


# --- Silence against keeping ---------------------------------------------------------------------------------


def test_without_the_condition_silence_takes_the_place_from_who_kept_it(office: Office) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())

    # The sweep had read it as silent a moment before, and writes what it thinks.
    Booking.objects.filter(pk=booking.pk).update(wish=Booking.Wish.RELEASE, reason="silence")
    office.queue.put("cancel_appointment", booking.pk)
    settle(office, booking, minutes=0.5)

    assert booking.state == S.CANCELLED


@pytest.mark.parametrize("turn", range(4))
def test_silence_and_keeping_in_the_same_moment_end_in_what_was_told(office: Office, turn: int) -> None:
    booking = reserved(office)
    assert booking.answer_until is not None
    office.munich.clock.advance(booking.answer_until - office.now())

    _swept, kept = at_once(
        lambda: sweeps._silent_holds(office.now()),
        lambda: keep_booking(load(booking), now=office.now()),
    )
    office.work()

    booking.refresh_from_db()
    was_kept = isinstance(kept, Booking)
    assert was_kept or isinstance(kept, NotAllowed)
    assert booking.state == (S.PRECONFIRMED if was_kept else S.CANCELLED)
    assert at_the_city(office) == (["preconfirmed"] if was_kept else [])


# --- Two senders ---------------------------------------------------------------------------------------------


def test_without_the_lease_two_senders_write_faster_than_telegram_allows(office: Office) -> None:
    for _number in range(2):
        OutboxMessageFactory(now=office.now())
    meeting = Meeting()

    def careless() -> list[int]:
        claimed = claim_due(office.now(), limit=1)
        meeting.barrier.wait(timeout=10)
        return [message.pk for message in claimed]

    first, second = at_once(careless, careless)

    assert (len(first), len(second)) == (1, 1), "both send at the same moment"


def test_of_two_senders_at_once_one_sends_and_everything_goes_out_once(office: Office) -> None:
    for _number in range(6):
        OutboxMessageFactory(now=office.now())
    senders: set[int] = set()

    class Noting:
        def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
            senders.add(threading.get_ident())
            return str(message.pk)

    channel = Noting()

    at_once(
        *(
            lambda: deliver_due(
                lambda _name: channel,
                clock=office.now,
                sleep=lambda seconds: office.advance(seconds=seconds),
            )
            for _sender in range(3)
        )
    )

    assert len(senders) == 1
    assert OutboxMessage.objects.filter(sent_at=None).count() == 0


def test_who_lost_a_message_to_another_sender_does_not_show_it(office: Office) -> None:
    OutboxMessageFactory(now=office.now())
    [slow] = claim_due(office.now())
    office.munich.clock.advance(outbox.LEASE)
    [quick] = claim_due(office.now())
    shown: list[str] = []

    class Showing:
        def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
            shown.append(message.kind)
            return "1"

    at_once(*(lambda m=m: outbox._deliver(lambda _name: Showing(), m, office.now) for m in (slow, quick)))

    assert len(shown) == 1


# --- Swap against silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(4))
def test_another_time_chosen_in_the_moment_of_silence_is_tried_or_refused(office: Office, turn: int) -> None:
    booking = reserved(office)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=2))
    assert booking.answer_until is not None
    office.munich.clock.advance(booking.answer_until - office.now())

    _swept, swapped = at_once(
        lambda: sweeps._silent_holds(office.now()),
        lambda: swap_booking(load(booking), other, now=office.now()),
    )
    office.work()

    booking.refresh_from_db()
    was_swapped = isinstance(swapped, Booking)
    assert was_swapped or isinstance(swapped, NotAllowed)
    assert booking.state == S.CANCELLED
    assert at_the_city(office) == (["reserved"] if was_swapped else [])
    assert Booking.objects.filter(previous=booking).count() == was_swapped


# --- Two chains ----------------------------------------------------------------------------------------------


def test_without_the_epoch_both_copies_of_a_slice_go_on(office: Office) -> None:
    leases.take_lease(CHAIN, CHAIN_LEASE, now=office.now())
    meeting = Meeting()

    def careless() -> bool:
        mine = Lease.objects.filter(name=CHAIN, until__gt=office.now()).exists()
        meeting.barrier.wait(timeout=10)
        return mine

    assert at_once(careless, careless) == [True, True]


def test_with_it_two_chains_become_one(office: Office) -> None:
    epoch = leases.take_lease(CHAIN, CHAIN_LEASE, now=office.now())
    assert epoch is not None

    results = at_once(
        *(lambda: leases.pass_lease(CHAIN, epoch, CHAIN_LEASE, now=office.now()) for _chain in range(2))
    )

    assert sorted(results, key=str) == [epoch + 1, None]


# --- Reading against giving back -----------------------------------------------------------------------------


def test_without_the_condition_a_reading_brings_back_what_was_given_back(office: Office) -> None:
    booking = preconfirmed(office)
    seen = load(booking)
    release_booking(booking, now=office.now())
    office.work()

    careless_advance(seen, S.CONFIRMED, now=office.now(), city_status="confirmed", confirmed_at=office.now())

    booking.refresh_from_db()
    assert (booking.state, at_the_city(office)) == (S.CONFIRMED, ["deleted"])


@pytest.mark.parametrize("turn", range(4))
def test_reading_and_giving_back_at_once_end_in_given_back(office: Office, turn: int) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    release_booking(booking, now=office.now())
    office.queue.waiting.clear()
    Booking.objects.update(follow_at=office.now())

    at_once(
        lambda: follow_booking(load(booking), office.desk),
        lambda: cancel_appointment(load(booking), office.desk),
    )
    settle(office, booking, minutes=2, step=16)

    assert booking.state == S.CANCELLED
    assert at_the_city(office) == ["deleted"]
    assert booking.messages.filter(dedup_key=f"released:{booking.pk}").count() == 1
    assert not booking.messages.filter(kind="appointment_confirmed").exists()


# --- Late answer against the sweep ---------------------------------------------------------------------------


def test_without_the_second_look_a_late_answer_leaves_a_hold_nobody_knows(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = stale(office)
    seen = load(booking)
    appointment = office.desk.api.reserve(_slot_of(seen), seen.search.services)
    sweep_bookings(now=office.now())
    monkeypatch.setattr("appointments.services.reserving.advance_after_call", advance)

    with pytest.raises(StaleBooking):
        record_reservation(seen, appointment, asked_at=office.now(), now=office.now(), answer_time=None)

    booking.refresh_from_db()
    assert (booking.process_id, at_the_city(office)) == (None, ["reserved"])


@pytest.mark.parametrize("turn", range(4))
def test_a_late_answer_and_the_sweep_at_once_agree_on_the_hold(office: Office, turn: int) -> None:
    booking = stale(office)
    seen = load(booking)
    appointment = office.desk.api.reserve(_slot_of(seen), seen.search.services)

    results = at_once(
        lambda: sweep_bookings(now=office.now()),
        lambda: record_reservation(
            seen, appointment, asked_at=office.now(), now=office.now(), answer_time=None
        ),
    )

    assert [type(result).__name__ for result in results] == ["dict", "Booking"]
    booking.refresh_from_db()
    assert (booking.state, booking.process_id) == (S.RESERVED, appointment.key.process_id)


def _slot_of(booking: Booking) -> types.Slot:
    return types.Slot(office_id=booking.office.upstream_id, starts_at=booking.starts_at)
