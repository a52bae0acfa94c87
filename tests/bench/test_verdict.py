"""The judge of `script/chaos` finds each kind of harm, and none where there is none."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Booking, BookingEvent, ImportRequest
from appointments.states import BookingState as S
from bench.chaos.blows import Blow, recoveries
from bench.chaos.judge import Verdict
from bench.chaos.people import Person
from bench.chaos.worlds import Occupied, Shown, Worlds
from bench.processes import free_port
from tests.factories import BookingFactory, OutboxMessageFactory, SubscriberFactory

pytestmark = pytest.mark.django_db
SENT = {"sent_at": timezone.now()}


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Both worlds, without anybody listening on their port."""
    made = Worlds(free_port(), random.Random(1), hold=1, activation=2)
    made._server.server_close()
    yield made
    made.telegram.close()


class Scene:
    """One person with a chat, one booking, and what Telegram showed."""

    def __init__(self, worlds: Worlds, **booking: Any) -> None:
        from termin_project.sandbox.telegram import control

        self.worlds = worlds
        control.say(worlds.telegram, {"chat": 7, "text": "/start"})
        self.who = SubscriberFactory(known=True)
        self.booking = BookingFactory(subscriber=self.who, **booking)

    def tell(self, kind: str, text: str = "Given back.", **fields: Any) -> None:
        telegram = self.worlds.telegram
        message = telegram.add(telegram.people[7], from_bot=True, text=text)
        OutboxMessageFactory(
            subscriber=self.who, booking=self.booking, kind=kind, receipt=str(message.id), **(SENT | fields)
        )
        self.show(text, message.id)

    def show(self, text: str, number: int = 9000) -> None:
        self.worlds.shown.append(Shown(number, 7, text, "{}"))

    def found(self) -> dict[str, int]:
        people = SimpleNamespace(everybody=[Person(7, self.who.pk, "a@example.org", "press")])
        lines = Verdict(self.worlds, people).lines()  # type: ignore[arg-type]
        return {line.what.split()[0]: int(line.measured) for line in lines if line.measured != "0"}


def test_a_run_in_which_all_went_well_has_nothing_to_report(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1, reserved_at=timezone.now())
    scene.tell("hold_released")

    assert scene.found() == {}


def test_an_end_that_nobody_was_told_is_a_lost_message(worlds: Worlds) -> None:
    scene = Scene(worlds, lapsed=True)

    assert scene.found() == {"lost": 1}


def test_a_message_given_up_is_lost_and_one_that_was_overtaken_is_not(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released")
    OutboxMessageFactory(subscriber=scene.who, failed_at=timezone.now(), last_error="overtaken")
    OutboxMessageFactory(subscriber=scene.who, failed_at=timezone.now(), last_error="timeout")

    assert scene.found() == {"lost": 1}


def test_a_message_said_to_be_sent_that_is_not_in_the_chat_is_lost(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released")
    OutboxMessageFactory(subscriber=scene.who, kind="slots_opened", receipt="9999", **SENT)

    assert scene.found() == {"lost": 1}


def test_the_same_news_as_a_second_new_message_is_shown_twice(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released", "Given back. 3 minutes\nTue 24 Nov 15:20, Pasing")
    scene.show("Given back. 2 minutes\nTue 24 Nov 15:20, Pasing")

    assert scene.found() == {"messages": 1}


def test_two_attempts_at_one_time_may_end_in_the_same_words(worlds: Worlds) -> None:
    scene = Scene(worlds, failed=True)
    again = BookingFactory(subscriber=scene.who, failed=True)
    scene.tell("slot_taken", "15:20 went to someone else\nTue 24 Nov 15:20, Pasing")
    scene.booking = again
    scene.tell("slot_taken", "15:20 went to someone else\nTue 24 Nov 15:20, Pasing")

    assert scene.found() == {}


def test_news_of_two_bookings_are_not_the_same(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released", "Given back.\nTue 24 Nov 15:20, Pasing")
    scene.show("Given back.\nWed 25 Nov 15:20, Pasing")

    assert scene.found() == {}


def test_two_places_of_one_person_at_once_are_a_double_booking(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1, process_id=111_111)
    scene.tell("hold_released")
    other = BookingFactory(subscriber=scene.who, cancelled=True, attempts=0, process_id=222_222)
    for number, since, until in ((111_111, 10.0, 20.0), (222_222, 15.0, 30.0)):
        worlds.occupied[number, since] = Occupied(number, 1, 1, since, until)

    assert other.pk
    assert scene.found() == {"double": 1}


def test_one_place_after_the_other_is_none(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1, process_id=111_111)
    scene.tell("hold_released")
    BookingFactory(subscriber=scene.who, cancelled=True, attempts=0, process_id=222_222)
    for number, since, until in ((111_111, 10.0, 20.0), (222_222, 20.0, 30.0)):
        worlds.occupied[number, since] = Occupied(number, 1, 1, since, until)

    assert scene.found() == {}


class Move(Scene):
    """An appointment that was given back for another one, which the city confirmed at the 20th second."""

    def __init__(self, worlds: Worlds) -> None:
        now = timezone.now()
        super().__init__(
            worlds, cancelled=True, attempts=1, reason="replaced", process_id=111_111, confirmed_at=now
        )
        self.old = self.booking
        self.booking = BookingFactory(
            subscriber=self.who, confirmed=True, process_id=222_222, moved_from=self.old
        )
        self.tell("appointment_moved", "Moved.")
        worlds.confirmed |= {111_111: 5.0, 222_222: 20.0}
        self.stood(old_until=25.0)

    def stood(self, *, old_until: float) -> None:
        for number, since, until in ((111_111, 1.0, old_until), (222_222, 15.0, 60.0)):
            self.worlds.occupied[number, since] = Occupied(number, 1, 1, since, until)

    def tell_given_back(self) -> None:
        self.tell("old_given_back", "The old one is given back.", dedup_key=f"old_given_back:{self.old.pk}")


def test_both_appointments_of_a_move_may_stand_together_for_a_while(worlds: Worlds) -> None:
    scene = Move(worlds)
    scene.tell_given_back()

    assert scene.found() == {}


def test_an_old_appointment_of_which_nobody_heard_that_it_went_is_a_lost_message(worlds: Worlds) -> None:
    assert Move(worlds).found() == {"lost": 1}


def test_two_places_of_which_none_was_to_replace_the_other_are_a_double_booking(worlds: Worlds) -> None:
    scene = Move(worlds)
    scene.tell_given_back()
    Booking.objects.filter(pk=scene.booking.pk).update(moved_from=None)

    assert scene.found() == {"double": 1}


def test_an_old_appointment_that_went_before_the_new_one_was_confirmed_is_harm(worlds: Worlds) -> None:
    scene = Move(worlds)
    scene.tell_given_back()
    scene.stood(old_until=18.0)

    assert scene.found() == {"appointments": 1}


def test_a_try_that_failed_before_the_one_that_went_well_is_no_harm(worlds: Worlds) -> None:
    scene = Move(worlds)
    scene.tell_given_back()
    BookingFactory(subscriber=scene.who, failed=True, turn={"probe": True}, moved_from=scene.old)

    assert scene.found() == {}


def test_a_third_place_beside_a_move_is_a_double_booking(worlds: Worlds) -> None:
    scene = Move(worlds)
    scene.tell_given_back()
    BookingFactory(subscriber=scene.who, cancelled=True, attempts=0, process_id=333_333)
    worlds.occupied[333_333, 2.0] = Occupied(333_333, 1, 1, 2.0, 4.0)

    assert scene.found() == {"double": 1}


def test_a_link_nobody_answered_is_a_lost_message(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released")
    now = timezone.now()
    ImportRequest.objects.create(
        subscriber=scene.who, process_id=4711, auth_key="abcd", created_at=now, retry_at=now
    )

    assert scene.found() == {"lost": 1}


def test_a_place_at_the_city_that_no_booking_wants_is_left_behind(worlds: Worlds) -> None:
    scene = Scene(worlds, cancelled=True, attempts=1)
    scene.tell("hold_released")
    starts_at = timezone.now() + timedelta(days=9)
    office = next(iter(worlds.city.capacities))
    service = next(s for s in worlds.city.catalogue.services if worlds.city.catalogue.offers(office, [s]))
    worlds.city.add_places(office, [service], starts_at)
    process = worlds.city.desk.reserve(office, [(service, 1)], int(starts_at.timestamp()), worlds.city.now())

    assert process is not None
    assert scene.found() == {"holds": 1}


def test_confirmed_before_the_city_said_so_is_a_false_word(worlds: Worlds) -> None:
    scene = Scene(worlds, confirmed=True, process_id=111_111)
    scene.tell("appointment_confirmed", "Confirmed by the city!")
    now = time.time()
    worlds.said_confirmed.append((now, 7))
    worlds.confirmed[111_111] = now + 5
    too_early = scene.found()
    worlds.confirmed[111_111] = now - 5

    assert too_early == {'"confirmed"': 1}
    assert scene.found() == {}


def test_an_old_appointment_that_still_has_to_go_is_stuck(worlds: Worlds) -> None:
    scene = Scene(worlds, confirmed=True, process_id=111_111, wish="release")
    scene.tell("appointment_confirmed")
    worlds.confirmed[111_111] = 1.0

    assert scene.found() == {"stuck": 1}


@pytest.mark.parametrize("state", ["reserved", "preconfirmed", "uncertain"])
def test_what_neither_ended_nor_is_confirmed_is_stuck(worlds: Worlds, state: str) -> None:
    scene = Scene(worlds, **{state: True})

    assert scene.found() == {"stuck": 1}


def test_recovery_counts_from_the_kill_to_the_step_that_told(worlds: Worlds) -> None:
    booking = BookingFactory(uncertain=True)
    began = timezone.now()
    for seconds, source, state in ((0, S.REQUESTED, S.RESERVING), (50, S.RESERVING, S.UNCERTAIN)):
        BookingEvent.objects.create(
            booking=booking, source=source, state=state, at=began + timedelta(seconds=seconds)
        )
    blows = [Blow(began + timedelta(seconds=s), "booking", 1, {booking.pk: "ask"}) for s in (1, 30)]

    [recovery] = recoveries(blows)

    assert (recovery.first, recovery.last) == (49.0, 20.0)
    assert Booking.objects.count() == 1
