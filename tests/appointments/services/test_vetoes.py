"""Time to object before something is booked by itself. Wish 14: ask me before you book, or let me veto."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appointments import wiring
from appointments.errors import InvalidValue, NotAllowed
from appointments.models import Booking, OutboxMessage, Watch
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.vetoes import set_veto, stop_booking
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, at_the_city, calls_of, look, settle
from tests.conftest import Office


def held_with_veto(office: Office, seconds: int = 30) -> Booking:
    """An `auto` watch with a window got a slot a moment ago."""
    watch = office.watch(mode="auto")
    set_veto(watch, seconds, now=office.now())
    office.open(THURSDAY_9)
    look(office, 4)
    return Booking.objects.earliest("pk")


def test_without_a_window_it_is_sent_at_once(office: Office) -> None:
    booking = held_with_veto(office, 0)

    assert (booking.state, booking.veto_until) == (S.PRECONFIRMED, None)
    assert "veto" not in office.mailman.kinds()


def test_with_a_window_it_is_held_told_and_sent_when_the_window_is_over(office: Office) -> None:
    booking = held_with_veto(office, 30)
    held = booking.state, calls_of(office, "preconfirm-appointment"), office.mailman.kinds()

    settle(office, booking, minutes=0.4, step=5)
    before = booking.state
    settle(office, booking, minutes=0.25, step=5)

    assert held == (S.RESERVED, 0, ["veto"])
    assert before == S.RESERVED
    assert booking.state == S.PRECONFIRMED
    assert "appointment_reserved" not in office.mailman.kinds()
    kinds = office.mailman.kinds()
    assert kinds.count("veto") == 3  # opened, half way, over
    assert [edit != "" for message, edit in office.mailman.sent if message.kind == "veto"] == [
        False,
        True,
        True,
    ]


def test_stopping_turns_it_into_a_hold_that_asks(office: Office) -> None:
    booking = held_with_veto(office, 60)

    booking = stop_booking(booking, now=office.now())
    settle(office, booking, minutes=2, step=5)

    assert (booking.state, booking.wish) == (S.RESERVED, Booking.Wish.ASK)
    assert calls_of(office, "preconfirm-appointment") == 0
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_who_stops_and_says_nothing_more_loses_the_hold_as_anybody(office: Office) -> None:
    booking = stop_booking(held_with_veto(office, 60), now=office.now())

    settle(office, booking, minutes=booking.office.reservation_minutes, step=20)

    assert (booking.state, booking.reason) == (S.CANCELLED, "silence")


def test_giving_back_in_the_window_gives_it_back(office: Office) -> None:
    booking = held_with_veto(office, 60)

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert calls_of(office, "preconfirm-appointment") == 0


def test_saying_yes_ends_the_window(office: Office) -> None:
    booking = held_with_veto(office, 120)

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_after_the_window_it_cannot_be_stopped(office: Office) -> None:
    booking = held_with_veto(office, 30)
    settle(office, booking, minutes=1, step=5)

    with pytest.raises(NotAllowed):
        stop_booking(booking, now=office.now())


def test_a_worker_that_dies_in_the_window_changes_nothing(office: Office) -> None:
    booking = held_with_veto(office, 30)
    office.queue.waiting.clear()
    office.queue.put("send_booking", booking.pk)  # the task comes again, much too early
    office.work()
    booking.refresh_from_db()
    early = booking.state

    office.queue.waiting.clear()
    settle(office, booking, minutes=0.7, step=5)

    assert early == S.RESERVED
    assert booking.state == S.PRECONFIRMED
    assert at_the_city(office) == ["preconfirmed"]


def test_the_window_never_outlasts_the_time_to_answer(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = replace(office.desk, answer_time=timedelta(seconds=40))
    monkeypatch.setattr(wiring, "desk", lambda: desk)

    booking = held_with_veto(office, 120)

    assert booking.veto_until == booking.answer_until


def test_only_the_offered_windows_can_be_set(office: Office) -> None:
    watch = office.watch(mode="auto")

    with pytest.raises(InvalidValue):
        set_veto(watch, 45, now=office.now())
    set_veto(watch, 60, now=office.now())

    assert Watch.objects.get(pk=watch.pk).veto_seconds == 60


def test_a_hold_whose_answer_was_lost_gets_its_window_too(office: Office) -> None:
    watch = office.watch(mode="auto")
    set_veto(watch, 30, now=office.now())
    office.open(THURSDAY_9)
    reserve = office.desk.api.reserve

    def doubtful(*args: object, **options: object) -> object:
        from appointments.upstream.errors import OutcomeUnknown

        answer = reserve(*args, **options)
        raise OutcomeUnknown("notUnderstood", 200, key=answer.key)

    office.desk.api.reserve = doubtful  # type: ignore[method-assign]
    look(office, 4)

    booking = Booking.objects.earliest("pk")
    assert (booking.state, booking.veto_until is not None) == (S.RESERVED, True)
    assert OutboxMessage.objects.filter(kind="veto").count() == 1
