"""Giving back holds and cancelling appointments, whatever the city answers."""

from datetime import timedelta

import pytest

from appointments.errors import NotAllowed
from appointments.models import Booking, Watch
from appointments.services import sweeps
from appointments.services.bookings import keep_booking, release_booking
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    AT,
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    preconfirmed,
    requested,
    reserved,
    settle,
    states,
    time_out,
)
from tests.conftest import Office as Domain

CANCEL = ["cancel-appointment"]
GIVEN_BACK = {S.RESERVED: [], S.PRECONFIRMED: ["deleted"], S.CONFIRMED: ["deleted"]}


@pytest.mark.parametrize(("tried", "told"), [(False, []), (True, ["hold_released"])])
def test_what_is_given_back_before_it_is_held_is_told_once_the_city_was_asked(
    office: Domain, tried: bool, told: list[str]
) -> None:
    booking = requested(office)
    if tried:
        office.munich.faults.add("maintenance", 1, ["reserve-appointment"])
        office.work()

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert office.mailman.kinds() == told


@pytest.mark.parametrize("state", [S.RESERVED, S.PRECONFIRMED, S.CONFIRMED])
def test_giving_back_reaches_the_city_and_is_told(office: Domain, state: S) -> None:
    booking = AT[state](office)

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason, booking.auth_key) == (S.CANCELLED, "person", "")
    assert at_the_city(office) == GIVEN_BACK[state]
    told = "appointment_cancelled" if state == S.CONFIRMED else "hold_released"
    assert office.mailman.kinds()[-1] == told


@pytest.mark.parametrize("state", [S.RESERVED, S.PRECONFIRMED, S.CONFIRMED])
@pytest.mark.parametrize(
    "kind",
    [
        "maintenance",
        "rate_limited",
        "lost_before",
        "lost_after",
        "gateway_400",
        "html_502",
        "truncated_json",
        "empty_body",
    ],
)
def test_whatever_the_answer_it_is_given_back_in_the_end(office: Domain, state: S, kind: str) -> None:
    booking = AT[state](office)
    office.munich.faults.add(kind, 1, CANCEL)

    release_booking(booking, now=office.now(), reason="superseded")
    settle(office, booking, minutes=2.5, step=50)

    assert (booking.state, booking.reason) == (S.CANCELLED, "superseded")
    assert [status for status in at_the_city(office) if status != "deleted"] == []
    told = [
        m.payload for m, _e in office.mailman.sent if m.kind in ("hold_released", "appointment_cancelled")
    ]
    assert told == [{"why": "superseded"}]


@pytest.mark.parametrize("before", [True, False])
def test_a_time_out_is_settled_by_reading(office: Domain, before: bool) -> None:
    booking = confirmed(office)
    time_out(office, "cancel-appointment", before=before)

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert at_the_city(office) == ["deleted"]


def test_a_city_away_for_an_hour_is_asked_rarely_and_gets_it_back_at_last(office: Domain) -> None:
    booking = confirmed(office)
    fault = office.munich.faults.add("maintenance", None, CANCEL)
    release_booking(booking, now=office.now())

    settle(office, booking, minutes=60, step=30)
    asked = calls_of(office, "cancel-appointment")
    office.munich.faults.active.remove(fault)
    settle(office, booking, minutes=6, step=30)

    assert asked <= 20
    assert booking.state == S.CANCELLED


def test_a_hold_that_lapsed_at_the_city_counts_as_given_back(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(timedelta(minutes=booking.office.reservation_minutes + 1))
    office.munich.tick()

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED


def test_giving_back_twice_asks_once(office: Domain) -> None:
    booking = reserved(office)

    release_booking(booking, now=office.now())
    release_booking(booking, now=office.now())
    office.queue.put("cancel_appointment", booking.pk)
    office.work()

    assert calls_of(office, "cancel-appointment") == 1
    with pytest.raises(NotAllowed):
        release_booking(booking, now=office.now())


def test_an_appointment_whose_time_has_come_cannot_be_cancelled_and_stands(office: Domain) -> None:
    booking = confirmed(office)
    office.munich.clock.advance(THURSDAY_9 - office.now())

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.wish) == (S.CONFIRMED, Booking.Wish.BOOK)
    assert office.mailman.kinds()[-1] == "booking_failed"


def test_a_hold_whose_time_has_come_lapses_instead(office: Domain) -> None:
    booking = reserved(office)
    office.munich.desk.processes[booking.process_id].starts_at = int(office.munich.now()) - 1

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.LAPSED, "appointmentCanNotBeCanceled")
    assert office.mailman.kinds()[-1] == "hold_released"


def test_a_preconfirmed_one_that_cannot_be_cancelled_is_followed_on(office: Domain) -> None:
    booking = preconfirmed(office)
    process = office.munich.desk.processes[booking.process_id]
    process.starts_at = int(office.munich.now()) - 1
    release_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    refused = booking.state
    office.munich.desk.confirm(booking.process_id, booking.auth_key, office.munich.now())

    settle(office, booking, minutes=0.5)

    assert (refused, booking.state) == (S.PRECONFIRMED, S.CONFIRMED)


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("state", [S.RESERVED, S.PRECONFIRMED, S.CONFIRMED])
def test_a_worker_that_died_while_giving_back_is_settled_by_reading(
    office: Domain, state: S, effect: bool
) -> None:
    booking = AT[state](office)
    release_booking(booking, now=office.now(), reason="superseded")
    office.queue.waiting.clear()
    booking.refresh_from_db()
    if effect:
        office.desk.api.cancel(booking.key)
    Booking.objects.update(
        state=S.CANCELLING, lease_until=office.now() + timedelta(seconds=60), follow_at=None
    )

    settle(office, booking, minutes=2, step=31)

    assert (booking.state, booking.reason) == (S.CANCELLED, "superseded")
    assert [status for status in at_the_city(office) if status != "deleted"] == []


def test_an_answer_that_comes_after_reading_settled_it_is_no_accident(office: Domain) -> None:
    booking = reserved(office)
    cancel = office.desk.api.cancel

    def slow_cancel(*args: object) -> object:
        answer = cancel(*args)
        office.munich.clock.advance(timedelta(seconds=61))
        office.queue.waiting.clear()
        sweeps.sweep_bookings(now=office.now())
        office.queue.run()
        assert Booking.objects.get(pk=booking.pk).state == S.CANCELLED
        return answer

    release_booking(booking, now=office.now())
    office.desk.api.cancel = slow_cancel  # type: ignore[method-assign]
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert states(booking).count("cancelled") == 1
    assert office.mailman.kinds().count("hold_released") == 1


def test_a_lost_task_of_giving_back_is_found_by_the_sweep(office: Domain) -> None:
    booking = reserved(office)
    release_booking(booking, now=office.now())
    office.queue.waiting.clear()

    settle(office, booking, minutes=1, step=16)

    assert booking.state == S.CANCELLED


def test_silence_gives_back_before_the_city_would(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(booking.answer_until - office.now())

    office.sweep()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "silence")
    assert office.now() < booking.held_until
    assert office.mailman.sent[-1][0].payload == {"why": "silence"}


def test_a_moment_before_the_deadline_is_no_silence(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(booking.answer_until - office.now() - timedelta(seconds=1))

    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.RESERVED


def test_who_keeps_in_time_is_not_silent(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(booking.answer_until - office.now() - timedelta(seconds=1))
    keep_booking(booking, now=office.now())
    office.advance(seconds=2)

    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_the_countdown_is_told_until_the_answer(office: Domain) -> None:
    booking = reserved(office)

    settle(office, booking, minutes=booking.office.reservation_minutes, step=20)

    endings = [m for m, _edit in office.mailman.sent if m.kind == "hold_ending"]
    assert [m.payload["minutes"] for m in endings] == sorted(
        {m.payload["minutes"] for m in endings}, reverse=True
    )
    assert 2 <= len(endings) <= 5
    assert all(edit for message, edit in office.mailman.sent if message.kind == "hold_ending")


def test_what_a_person_gave_back_is_not_held_for_them_again(office: Domain) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()
    for _look in range(20):
        office.advance(seconds=60)
        office.look(2)
        office.sweep()

    assert Booking.objects.count() == 1
    assert office.munich.free_places(10489, [1063475], THURSDAY_9) == 1
    assert Watch.objects.get().state == Watch.State.ACTIVE
