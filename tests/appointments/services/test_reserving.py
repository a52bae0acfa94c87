"""Holding a slot when the city answers well, badly or not at all."""

from datetime import timedelta

import pytest

from appointments.errors import AlreadyHolding
from appointments.models import Booking, Office, Slot, Watch
from appointments.services import reserving, sweeps, turns
from appointments.services.bookings import release_booking, request_booking
from appointments.services.subscribers import pause_subscriber
from appointments.services.watches import pause_watch
from appointments.states import BookingState as S
from appointments.upstream.errors import OutcomeUnknown
from appointments.upstream.types import ServiceCount
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
    time_out,
)
from tests.conftest import GUARDED, RUPPERT
from tests.conftest import Office as Domain

RESERVE = ["reserve-appointment"]


def test_a_reservation_writes_down_number_key_and_deadlines(office: Domain) -> None:
    booking = reserved(office)

    process = office.munich.reservations[0]
    assert (booking.process_id, booking.auth_key) == (process.number, process.key)
    assert booking.reserved_at <= office.now()
    assert booking.held_until - booking.reserved_at == timedelta(minutes=booking.office.reservation_minutes)
    assert booking.activate_until - booking.reserved_at == timedelta(
        minutes=booking.office.activation_minutes
    )
    assert states(booking) == ["requested", "reserving", "reserved"]
    assert booking.lease_until is None


@pytest.mark.parametrize("kind", ["maintenance", "rate_limited", "slow"])
def test_a_refusal_that_changed_nothing_is_tried_again_and_works(office: Domain, kind: str) -> None:
    booking = requested(office)
    office.munich.faults.add(kind, 1, RESERVE, seconds=0.01)

    office.work()
    booking.refresh_from_db()
    after_first = booking.state
    settle(office, booking, minutes=2, step=10)

    assert after_first == (S.RESERVED if kind == "slow" else S.REQUESTED)
    assert booking.state == S.RESERVED
    assert at_the_city(office) == ["reserved"]


@pytest.mark.parametrize(
    ("kind", "held_there"),
    [
        ("lost_before", 0),
        ("lost_after", 1),
        ("gateway_400", 0),
        ("html_502", 0),
        ("truncated_json", 1),
        ("empty_body", 1),
    ],
)
def test_an_answer_that_says_nothing_is_uncertain_and_settles_when_it_must_have_lapsed(
    office: Domain, kind: str, held_there: int
) -> None:
    booking = requested(office)
    office.munich.faults.add(kind, 1, RESERVE)

    office.work()
    booking.refresh_from_db()

    assert booking.state == S.UNCERTAIN
    assert len(at_the_city(office)) == held_there
    assert booking.unnamed_hold_until is not None or booking.process_id is not None
    settle(office, booking, minutes=booking.office.reservation_minutes + 3, step=30)
    assert booking.state in (S.LAPSED, S.RESERVED, S.CANCELLED)
    assert at_the_city(office) == []
    assert calls_of(office, "reserve-appointment") == 1, "a lost POST is never repeated blindly"


@pytest.mark.parametrize("before", [True, False])
def test_a_time_out_is_an_unknown_outcome(office: Domain, before: bool) -> None:
    booking = requested(office)
    time_out(office, "reserve-appointment", before=before)

    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.UNCERTAIN, "timeout")


def test_a_possible_hold_blocks_another_one_until_it_must_have_lapsed(office: Domain) -> None:
    who = person(office)
    booking = requested(office, who=who)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=1))
    office.munich.faults.add("lost_after", 1, RESERVE)
    office.work()

    with pytest.raises(AlreadyHolding):
        request_booking(who, other, mode="hold", watch=None, now=office.now())
    settle(office, booking, minutes=booking.office.reservation_minutes + 3, step=30)
    second = request_booking(who, other, mode="hold", watch=None, now=office.now())
    office.work()

    second.refresh_from_db()
    assert (booking.state, second.state) == (S.LAPSED, S.RESERVED)
    assert "booking_uncertain" in office.mailman.kinds()
    assert "booking_settled" in office.mailman.kinds()


def test_a_booking_without_end_of_its_uncertainty_stays_until_then(office: Domain) -> None:
    booking = requested(office)
    office.munich.faults.add("lost_after", 1, RESERVE)
    office.work()

    settle(office, booking, minutes=booking.office.reservation_minutes - 1, step=60)

    assert booking.state == S.UNCERTAIN


def test_a_lost_race_without_a_watch_fails_and_says_so(office: Domain) -> None:
    booking = requested(office)
    office.munich.faults.add("lost_race", 1)

    office.work()

    booking.refresh_from_db()
    assert booking.state == S.FAILED
    assert Slot.objects.get().gone_at is not None
    assert office.mailman.kinds() == ["slot_taken"]
    assert office.mailman.sent[0][0].payload == {"next": None}


def test_a_slot_the_city_no_longer_has_is_a_lost_race(office: Domain) -> None:
    booking = requested(office)
    office.munich.remove_places(RUPPERT, [booking.main_service.upstream_id], THURSDAY_9)

    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.FAILED, "appointmentNotAvailable")


def test_one_person_tries_five_candidates_of_one_burst_at_most(office: Domain) -> None:
    office.watch(mode="hold")
    for hour in range(8):
        office.open(THURSDAY_9 + timedelta(hours=hour))
    office.munich.faults.add("lost_race", None)

    office.look()

    chain = Booking.objects.filter(state=S.FAILED)
    assert chain.count() == turns.MOST_CANDIDATES
    assert len({booking.starts_at for booking in chain}) == turns.MOST_CANDIDATES
    assert Booking.objects.exclude(state=S.FAILED).count() == 0


@pytest.mark.parametrize("end", ["watch", "person"])
def test_a_lost_race_does_not_go_on_for_who_paused(office: Domain, end: str) -> None:
    watch = office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=1))
    for _step in range(6):
        office.watcher.step()
        office.advance(seconds=1)
    office.munich.faults.add("lost_race", 1)
    if end == "watch":
        pause_watch(watch, now=office.now())
    else:
        pause_subscriber(watch.subscriber, "staff", now=office.now())

    office.work()

    assert [booking.state for booking in Booking.objects.all()] == [S.FAILED]


def test_a_city_away_for_long_fails_the_attempt_after_some_tries(office: Domain) -> None:
    booking = requested(office)
    office.munich.faults.add("maintenance", None, RESERVE)

    settle(office, booking, minutes=3, step=10)

    assert booking.state == S.FAILED
    assert calls_of(office, "reserve-appointment") == reserving.MOST_ATTEMPTS
    assert "booking_failed" in office.mailman.kinds()


def test_a_request_the_city_calls_invalid_fails_at_once(office: Domain) -> None:
    booking = requested(office)
    Office.objects.filter(pk=booking.office_id).update(upstream_id=999_999)

    office.work()

    booking.refresh_from_db()
    assert booking.state == S.FAILED
    assert calls_of(office, "reserve-appointment") == 1
    assert office.mailman.kinds() == ["booking_failed"]


def test_a_token_that_died_is_renewed_once_and_the_slot_is_held(office: Domain) -> None:
    service = next(
        s for s in office.munich.catalogue.services if office.munich.catalogue.offers(GUARDED, [s])
    )
    booking = requested(office, at=GUARDED, service=service)
    office.desk.tokens.token()
    office.munich.captcha.token_key = "the city restarted and knows no token of before"

    office.work()

    booking.refresh_from_db()
    assert booking.state == S.RESERVED
    assert calls_of(office, "reserve-appointment") == 2
    assert calls_of(office, "captcha-verify") == 2


def test_a_captcha_service_that_is_away_changes_nothing_and_is_tried_again(office: Domain) -> None:
    service = next(
        s for s in office.munich.catalogue.services if office.munich.catalogue.offers(GUARDED, [s])
    )
    booking = requested(office, at=GUARDED, service=service)
    office.munich.faults.add("captcha_down", 1)

    office.work()
    booking.refresh_from_db()

    assert booking.state == S.REQUESTED
    assert at_the_city(office) == []
    settle(office, booking, minutes=4, step=15)
    assert booking.state == S.RESERVED


def test_an_office_that_began_to_ask_for_a_captcha_gets_its_token(office: Domain) -> None:
    service = next(
        s for s in office.munich.catalogue.services if office.munich.catalogue.offers(GUARDED, [s])
    )
    booking = requested(office, at=GUARDED, service=service)
    Office.objects.update(captcha_required=False)

    office.work()

    booking.refresh_from_db()
    assert booking.state == S.RESERVED


def test_a_worker_that_died_before_its_call_leaves_a_hold_that_may_exist(office: Domain) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    Booking.objects.filter(pk=booking.pk).update(
        state=S.RESERVING, lease_until=office.now() + timedelta(seconds=60)
    )

    office.advance(seconds=61)
    office.sweep()
    booking.refresh_from_db()

    assert (booking.state, booking.reason) == (S.UNCERTAIN, "interrupted")
    assert booking.unnamed_hold_until > office.now() + timedelta(minutes=booking.office.reservation_minutes)
    settle(office, booking, minutes=booking.office.reservation_minutes + 4, step=60)
    assert booking.state == S.LAPSED


def test_a_lease_that_still_runs_is_left_alone(office: Domain) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    Booking.objects.filter(pk=booking.pk).update(
        state=S.RESERVING, lease_until=office.now() + timedelta(seconds=60)
    )

    office.advance(seconds=59)
    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.RESERVING


def test_an_answer_that_comes_after_the_sweep_gave_it_up_is_taken(office: Domain) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    reserve = office.desk.api.reserve

    def slow_reserve(*args: object, **options: object) -> object:
        answer = reserve(*args, **options)
        office.munich.clock.advance(timedelta(seconds=61))
        sweeps.sweep_bookings(now=office.now())
        assert Booking.objects.get(pk=booking.pk).state == S.UNCERTAIN
        return answer

    office.desk.api.reserve = slow_reserve  # type: ignore[method-assign]
    reserving.reserve_appointment(booking, office.desk)

    booking.refresh_from_db()
    assert booking.state == S.RESERVED
    assert booking.unnamed_hold_until is None
    assert states(booking) == ["requested", "reserving", "uncertain", "reserved"]


@pytest.mark.parametrize(
    ("kind", "state"), [("lost_race", S.FAILED), ("maintenance", S.REQUESTED), ("lost_before", S.UNCERTAIN)]
)
def test_a_late_answer_of_any_kind_settles_what_the_sweep_gave_up(
    office: Domain, kind: str, state: S
) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    office.munich.faults.add(kind, 1, RESERVE)
    reserve = office.desk.api.reserve

    def slow_reserve(*args: object, **options: object) -> object:
        try:
            return reserve(*args, **options)
        finally:
            office.munich.clock.advance(timedelta(seconds=61))
            sweeps.sweep_bookings(now=office.now())

    office.desk.api.reserve = slow_reserve  # type: ignore[method-assign]
    reserving.reserve_appointment(booking, office.desk)

    booking.refresh_from_db()
    assert booking.state == state


def test_a_task_that_runs_twice_reserves_once(office: Domain) -> None:
    booking = requested(office)
    office.queue.put("reserve_appointment", booking.pk)
    office.queue.put("reserve_appointment", booking.pk)

    office.work()

    assert calls_of(office, "reserve-appointment") == 1


def test_a_task_that_was_lost_is_found_by_the_sweep(office: Domain) -> None:
    booking = requested(office)
    office.queue.waiting.clear()

    office.advance(seconds=16)
    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.RESERVED


def test_a_task_for_a_booking_that_is_gone_says_so(office: Domain) -> None:
    for task in ("reserve_appointment", "send_booking", "cancel_appointment", "follow_booking"):
        office.queue.put(task, 4711)

    assert office.work() == [
        f"{task} -> booking 4711: gone"
        for task in ("reserve_appointment", "send_booking", "cancel_appointment", "follow_booking")
    ]


def test_giving_back_before_anything_was_asked_ends_it_at_once(office: Domain) -> None:
    booking = requested(office)

    release_booking(booking, now=office.now())
    office.work()

    assert booking.state == S.CANCELLED
    assert calls_of(office, "reserve-appointment") == 0


@pytest.mark.parametrize(
    "kind", [None, "lost_race", "maintenance", "rate_limited", "lost_after", "lost_before"]
)
def test_giving_back_while_the_call_is_under_way_leaves_nothing_at_the_city(
    office: Domain, kind: str | None
) -> None:
    booking = requested(office)
    if kind:
        office.munich.faults.add(kind, 1, RESERVE)
    reserve = office.desk.api.reserve

    def reserve_while_released(*args: object, **options: object) -> object:
        release_booking(Booking.objects.get(pk=booking.pk), now=office.now())
        return reserve(*args, **options)

    office.desk.api.reserve = reserve_while_released  # type: ignore[method-assign]
    office.work()
    booking.refresh_from_db()
    settle(office, booking, minutes=booking.office.reservation_minutes + 3, step=30)

    assert booking.state in (S.CANCELLED, S.FAILED, S.LAPSED)
    assert at_the_city(office) == []
    assert calls_of(office, "reserve-appointment") == 1
    assert "appointment_reserved" not in office.mailman.kinds()
    assert {"hold_released", "booking_settled"} & set(office.mailman.kinds())


def test_giving_back_while_the_outcome_is_unknown_takes_effect_with_the_late_answer(office: Domain) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    reserve = office.desk.api.reserve

    def slow_reserve(*args: object, **options: object) -> object:
        answer = reserve(*args, **options)
        office.munich.clock.advance(timedelta(seconds=61))
        sweeps.sweep_bookings(now=office.now())
        release_booking(Booking.objects.get(pk=booking.pk), now=office.now())
        return answer

    office.desk.api.reserve = slow_reserve  # type: ignore[method-assign]
    reserving.reserve_appointment(booking, office.desk)
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "person")
    assert at_the_city(office) == []


def test_a_watch_that_no_longer_wants_the_slot_does_not_try_again(office: Domain) -> None:
    watch = office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.munich.faults.add("maintenance", 1, RESERVE)
    for _step in range(6):
        office.watcher.step()
        office.advance(seconds=1)
    Watch.objects.filter(pk=watch.pk).update(date_from=THURSDAY_9.date() + timedelta(days=1))

    office.work()

    assert office.booking().state == S.FAILED


def test_an_error_of_the_outcome_that_names_the_appointment_is_read(office: Domain) -> None:
    booking = requested(office)
    reserve = office.desk.api.reserve

    def doubtful(*args: object, **options: object) -> object:
        answer = reserve(*args, **options)
        raise OutcomeUnknown("notUnderstood", 200, key=answer.key)

    office.desk.api.reserve = doubtful  # type: ignore[method-assign]
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.RESERVED
    assert states(booking) == ["requested", "reserving", "uncertain", "reserved"]
    assert ServiceCount(booking.main_service.upstream_id, 1) in booking.search.services


def test_a_worker_that_slept_until_all_was_over_changes_nothing(
    office: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    reserve = office.desk.api.reserve

    def asleep(*args: object, **options: object) -> object:
        """The computer sleeps with the answer on its way, while another one sweeps."""
        answer = reserve(*args, **options)
        settle(office, booking, minutes=40)
        assert booking.state == S.LAPSED
        return answer

    monkeypatch.setattr(office.desk.api, "reserve", asleep)
    found = reserving.reserve_appointment(Booking.objects.get(pk=booking.pk), office.desk)
    office.work()

    assert found.state == S.LAPSED
    assert list(office.munich.desk.in_states("reserved")) == []
    assert [kind for kind in office.mailman.kinds() if kind == "appointment_reserved"] == []
