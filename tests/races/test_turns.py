"""Turns under races: several workers end attempts and hand places out at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from appointments.models import Booking, Search, Slot
from appointments.services import attempts, turns
from appointments.services.bookings import release_booking
from appointments.services.matching import serve_waiting
from appointments.services.reserving import reserve_appointment
from appointments.services.vetoes import stop_booking
from appointments.states import BookingState as S
from appointments.tasks import _load
from tests.appointments.services.counter import THURSDAY_9, at_the_city, calls_of, known_slot
from tests.appointments.services.crowd import gather, open_places, served
from tests.conftest import Office
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def work_off(office: Office, workers: int) -> None:
    """Several workers empty the queue of reservations, as the clusters would; ends when nothing is left."""
    taking = threading.Lock()
    idle = threading.Semaphore(0)

    def worker() -> None:
        for _look in range(4000):
            with taking:
                waiting = office.queue.waiting
                found = next((task for task in waiting if task[0] == "reserve_appointment"), None)
                if found is not None:
                    waiting.remove(found)
            if found is None:
                if not Booking.objects.filter(state__in=turns.ON_THE_WAY).exists():
                    return
                idle.acquire(timeout=0.005)
                continue
            booking = _load(found[1][0])  # type: ignore[arg-type]
            if booking is None:
                # These tests queue before the commit; the queue itself does not.
                waiting.append(found)
                idle.acquire(timeout=0.005)
                continue
            reserve_appointment(booking, office.desk)

    results = at_once(*(worker for _number in range(workers)))
    assert results == [None] * workers


def look_once(office: Office) -> None:
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)


@pytest.mark.parametrize(("times", "places"), [(30, 1), (3, 10)])
def test_a_hundred_people_and_thirty_places_on_several_workers(
    office: Office, times: int, places: int
) -> None:
    watches = gather(office, 100)
    open_places(office, THURSDAY_9, times=times, places=places)
    look_once(office)

    work_off(office, 3)
    # What the calendar still shows is tried again after the next look; nothing may be left.
    look_once(office)
    work_off(office, 3)

    assert at_the_city(office) == ["reserved"] * 30
    got = served(watches)
    assert len(got) == 30
    # Workers that come back at the same moment may swap neighbours at the very end of the places, no more.
    assert got[:26] == list(range(26))
    assert got[-1] < 30 + 2 * 2


def test_two_workers_that_serve_at_once_start_distinct_attempts(office: Office) -> None:
    gather(office, 6)
    search = Search.objects.get()
    slots = [known_slot(office, THURSDAY_9 + timedelta(hours=hour)) for hour in range(3)]

    at_once(*(lambda: serve_waiting(Search.objects.get(pk=search.pk), now=office.now()) for _w in range(3)))

    starts = Counter(Booking.objects.values_list("starts_at", flat=True))
    assert starts == dict.fromkeys((slot.starts_at for slot in slots), 1)


def test_without_the_lock_two_workers_would_send_two_people_to_one_place(office: Office) -> None:
    first, second = gather(office, 2)
    slot = known_slot(office)
    both_looked = threading.Barrier(2)

    def careless(position: int) -> None:
        ledger = turns.Ledger(slot.search, [slot], now=office.now())
        watch = (first, second)[position]
        assert ledger.chance(slot, watch.subscriber_id) == turns.Chance.KNOWN
        both_looked.wait(timeout=10)
        turns.start_booking(watch.subscriber, slot, mode="hold", watch=watch, now=office.now())

    at_once(lambda: careless(0), lambda: careless(1))

    assert Booking.objects.filter(starts_at=slot.starts_at).count() == 2


@pytest.mark.parametrize("turn", range(3))
def test_an_attempt_given_up_by_the_sweep_and_taken_by_a_worker_happens_once(
    office: Office, turn: int
) -> None:
    gather(office, 1)
    office.open(THURSDAY_9)
    look_once(office)
    booking = Booking.objects.get()
    office.advance(seconds=turns.BURST.total_seconds() - 1)
    begun = _load(booking.pk)
    assert begun is not None

    at_once(
        lambda: reserve_appointment(begun, office.desk),
        lambda: attempts.sweep_attempts(now=office.now() + timedelta(seconds=5)),
    )
    work_off(office, 1)

    assert at_the_city(office) == ["reserved"]
    assert calls_of(office, "reserve-appointment") == 1


@pytest.mark.parametrize("turn", range(3))
def test_stopping_and_giving_back_in_the_same_moment_ends_given_back(office: Office, turn: int) -> None:
    watch = office.watch(mode="auto")
    type(watch).objects.filter(pk=watch.pk).update(veto_seconds=60)
    office.open(THURSDAY_9)
    look_once(office)
    office.work()
    booking = Booking.objects.get()
    assert booking.state == S.RESERVED

    at_once(
        lambda: stop_booking(Booking.objects.get(pk=booking.pk), now=office.now()),
        lambda: release_booking(Booking.objects.get(pk=booking.pk), now=office.now()),
    )
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert calls_of(office, "preconfirm-appointment") == 0


def test_threads_of_the_crowd_see_one_database(office: Office) -> None:
    """What the tests above rest on."""
    at_once(lambda: known_slot(office))

    assert Slot.objects.count() == 1
    assert not connection.in_atomic_block
