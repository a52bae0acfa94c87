"""A look because one person asks: bounded, shared, honest."""

from datetime import timedelta

from appointments import tasks
from appointments.models import PollTarget
from appointments.selectors.moving import times_to_move_to
from appointments.services.looking import ask_for_look
from tests.appointments.services.counter import THURSDAY_9, calls_of, confirmed
from tests.conftest import PASING, RUPPERT, Office


def test_a_look_finds_times_at_every_office_liked_ones_first(office: Office) -> None:
    booking = confirmed(office, at=PASING)
    office.open(THURSDAY_9 - timedelta(days=1), office=RUPPERT)
    office.open(THURSDAY_9 + timedelta(days=1), office=PASING)
    office.open(THURSDAY_9 + timedelta(days=6), office=RUPPERT)

    assert ask_for_look(booking, now=office.now())
    office.work()

    found = [
        (s.office.upstream_id, s.starts_at - THURSDAY_9) for s in times_to_move_to(booking, now=office.now())
    ]
    assert found == [
        (PASING, timedelta(days=1)),
        (RUPPERT, timedelta(days=-1)),
        (RUPPERT, timedelta(days=6)),
    ]
    assert office.mailman.kinds()[-1] == "move_times"


def test_the_same_search_is_looked_at_once_a_minute_for_everybody(office: Office) -> None:
    first, second = confirmed(office, at=PASING), confirmed(office, at=RUPPERT)

    looks = [ask_for_look(booking, now=office.now()) for booking in (first, second, first)]
    office.advance(seconds=61)
    looks.append(ask_for_look(second, now=office.now()))

    assert looks == [True, False, False, True]


def test_a_look_asks_few_days_and_leaves_what_watching_plans_alone(office: Office) -> None:
    booking = confirmed(office, at=PASING)
    for days in range(1, 9):
        office.open(THURSDAY_9 + timedelta(days=days), office=PASING)
    before, plans = calls_of(office, "available-calendar"), PollTarget.objects.count()

    ask_for_look(booking, now=office.now())
    office.work()

    assert calls_of(office, "available-calendar") - before == 5
    assert PollTarget.objects.count() == plans


def test_a_look_that_fails_says_so_and_never_that_nothing_is_free(office: Office) -> None:
    booking = confirmed(office, at=PASING)
    office.munich.faults.add("maintenance", 1, ["available-calendar"])

    ask_for_look(booking, now=office.now())
    office.work()

    message = office.mailman.sent[-1][0]
    assert (message.kind, message.payload["why"]) == ("move_times", "serviceUnavailable")


def test_a_look_for_an_appointment_that_is_gone_asks_nothing(office: Office) -> None:
    booking = confirmed(office, at=PASING)
    before = calls_of(office, "available-calendar")
    type(booking).objects.filter(pk=booking.pk).update(wish="release")

    assert tasks.look_for_times(booking.pk).endswith("0 answers")
    assert calls_of(office, "available-calendar") == before
    assert tasks.look_for_times(999) == "booking 999: gone"
