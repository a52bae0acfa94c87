"""Who is next, how many try at once, and what the next in turn gets when somebody fails."""

from datetime import timedelta

import pytest

from appointments.limits import QUIET_GAP
from appointments.models import Booking, GateState, OutboxMessage, PollTarget, Search, Slot, Subscriber, Watch
from appointments.selectors.bookings import ends_quietly
from appointments.services import attempts, turns
from appointments.services.bookings import release_booking
from appointments.services.matching import serve_waiting
from appointments.services.turns import turn_key
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    known_slot,
    look,
    person,
    requested,
    reserved,
)
from tests.appointments.services.crowd import gather, open_places, served
from tests.conftest import PASING, RUPPERT, Office

RESERVE = ["reserve-appointment"]
DAY = timedelta(days=1)


def waiting(days: float, priority: int = 0, number: int = 1) -> Watch:
    """A watch that has waited so many days, never saved."""
    since = THURSDAY_9 - timedelta(days=days)
    return Watch(pk=number, waiting_since=since, subscriber=Subscriber(priority=priority))


# --- The formula ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((waiting(2), 0), (waiting(1), 0)),  # who waits longer
        ((waiting(1, priority=1), 0), (waiting(1), 0)),  # who has priority
        ((waiting(0, priority=3), 0), (waiting(2.9), 0)),  # a step of priority is worth a day
        ((waiting(3.1), 0), (waiting(0, priority=3), 0)),  # so a long wait passes any priority
        ((waiting(0), 0), (waiting(9, priority=9), 1)),  # who let a hold go stands behind
        ((waiting(1, number=1), 0), (waiting(1, number=2), 0)),  # and nobody is equal
    ],
)
def test_the_turn_is_decided_by_one_formula(first: tuple[Watch, int], second: tuple[Watch, int]) -> None:
    assert turn_key(*first) < turn_key(*second)


def test_who_let_a_hold_go_yesterday_stands_behind_who_did_not(office: Office) -> None:
    first, second = gather(office, 2)
    open_places(office, THURSDAY_9, times=1, places=1)
    look(office, 6)
    release_booking(Booking.objects.get(state=S.RESERVED), now=office.now())
    office.work()

    office.open(THURSDAY_9 + timedelta(hours=1))
    look(office, 20)

    booking = Booking.objects.get(state=S.RESERVED)
    assert (booking.watch_id, booking.turn["rank"]) == (second.pk, 1)
    assert turns.unkept_holds(since=office.now() - DAY) == {first.subscriber_id: 1}


def test_what_was_let_go_long_ago_is_forgotten(office: Office) -> None:
    first, _second = gather(office, 2)
    open_places(office, THURSDAY_9, times=1, places=1)
    look(office, 6)
    release_booking(Booking.objects.get(state=S.RESERVED), now=office.now())
    office.work()
    Booking.objects.filter(watch=first).update(ended_at=office.now() - turns.UNKEPT_COUNTS_FOR)

    # Two times: the one given back, which is not for the first any more, and a new one.
    office.open(THURSDAY_9 + timedelta(hours=1))
    look(office, 20)

    assert Booking.objects.filter(state=S.RESERVED).earliest("pk").watch_id == first.pk


# --- How many at once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "places"), [(30, 1), (3, 10), (1, 30), (10, 3)])
def test_a_hundred_people_and_thirty_places_use_all_of_them_in_fair_order(
    office: Office, times: int, places: int
) -> None:
    watches = gather(office, 100)
    open_places(office, THURSDAY_9, times=times, places=places)

    look(office, 15)

    assert at_the_city(office) == ["reserved"] * 30
    assert served(watches) == list(range(30))


def test_a_time_with_one_place_costs_at_most_one_refusal_per_office(office: Office) -> None:
    gather(office, 40)
    open_places(office, THURSDAY_9, times=20, places=1)

    look(office, 15)

    assert len(at_the_city(office)) == 20
    assert calls_of(office, "reserve-appointment") <= 22


def test_only_a_few_attempts_are_on_their_way_at_a_time(office: Office, settings) -> None:  # type: ignore[no-untyped-def]
    settings.BOOKING_WORKERS = 3
    gather(office, 30)
    open_places(office, THURSDAY_9, times=20, places=1)

    for _step in range(4):
        office.watcher.step()
        office.advance(seconds=1)

    assert Booking.objects.count() == 6
    assert office.queue.names().count("reserve_appointment") == 6
    assert Search.objects.get().serve_at is not None


def test_the_gate_bounds_a_burst_and_the_rest_follow_when_it_opens(office: Office, settings) -> None:  # type: ignore[no-untyped-def]
    settings.EGRESS_NAME = "test"
    watches = gather(office, 100)
    open_places(office, THURSDAY_9, times=30, places=1)
    GateState.objects.filter(egress="test").update(limit=60, round_cap=40, used=30, last_call_at=office.now())
    office.munich.limiter.limit = 60

    look(office, 6)
    before = served(watches)
    PollTarget.objects.update(active=False)
    office.advance(seconds=QUIET_GAP.total_seconds() + 1)
    for _turn in range(6):
        attempts.sweep_attempts(now=office.now())
        office.work()
        office.advance(seconds=4)

    refused = [r for r in office.munich.requests if r.status == 429]
    assert refused == []
    assert before == list(range(len(before)))
    assert 8 <= len(before) < 30
    assert GateState.objects.get(egress="test").rounds > 1
    assert served(watches) == list(range(30))
    assert not Booking.objects.filter(reason="gateClosed").exists()


# --- Who loses, fails or gives up ------------------------------------------------------------------------------


def test_who_lost_a_race_gets_the_next_place_before_those_behind(office: Office) -> None:
    watches = gather(office, 8)
    open_places(office, THURSDAY_9, times=5, places=1)
    office.munich.faults.add("lost_race", 1)

    look(office, 6)

    assert served(watches) == [0, 1, 2, 3]
    lost = Booking.objects.earliest("pk")
    following = Booking.objects.get(previous=lost)
    assert lost.state == S.FAILED
    assert (lost.watch_id, following.watch_id) == (watches[0].pk, watches[0].pk)
    assert following.turn["lost"] == lost.pk


def test_what_failed_without_being_taken_goes_to_the_next_at_once(office: Office) -> None:
    first, second = gather(office, 2)
    office.open(THURSDAY_9)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    Watch.objects.filter(pk=first.pk).update(date_from=THURSDAY_9.date() + DAY)
    first.offices.update(date_from=THURSDAY_9.date() + DAY)
    office.munich.faults.add("maintenance", 1, RESERVE)

    office.work()

    assert Booking.objects.get(state=S.FAILED).watch_id == first.pk
    assert Booking.objects.get(state=S.RESERVED).watch_id == second.pk


def test_what_was_given_up_before_asking_goes_to_the_next_at_once(office: Office) -> None:
    _first, second = gather(office, 2)
    office.open(THURSDAY_9)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    looks = calls_of(office, "available-calendar")

    release_booking(Booking.objects.get(), now=office.now())
    office.work()

    assert Booking.objects.get(state=S.RESERVED).watch_id == second.pk
    assert calls_of(office, "available-calendar") == looks


def test_a_place_given_back_is_not_tried_before_the_calendar_shows_it_again(office: Office) -> None:
    _first, second = gather(office, 2)
    office.open(THURSDAY_9)
    look(office, 6)
    asked = calls_of(office, "reserve-appointment")
    release_booking(Booking.objects.get(state=S.RESERVED), now=office.now())
    office.work()
    serve_waiting(Search.objects.get(), now=office.now())
    office.work()
    too_early = calls_of(office, "reserve-appointment")

    office.advance(seconds=65)
    look(office, 3)

    assert too_early == asked
    assert Booking.objects.get(state=S.RESERVED).watch_id == second.pk


def test_a_place_given_back_is_looked_for_right_after_the_citys_minute_jobs(office: Office) -> None:
    booking = reserved(office, who=person(office))
    watch = office.watch(mode="hold")
    look(office, 4)
    PollTarget.objects.update(next_due_at=office.now() + timedelta(minutes=10))

    release_booking(booking, now=office.now())
    office.work()

    due = PollTarget.objects.filter(search=watch.search, active=True).earliest("next_due_at").next_due_at
    minute = office.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    assert minute < due <= minute + timedelta(seconds=10)


def test_a_city_that_refuses_the_request_itself_is_not_asked_by_everybody(office: Office) -> None:
    from appointments.models import Office as OfficeRow

    gather(office, 12)
    office.open(THURSDAY_9)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    OfficeRow.objects.filter(upstream_id=RUPPERT).update(upstream_id=999_999)

    office.work()

    assert calls_of(office, "reserve-appointment") == turns.MOST_FAILURES
    assert set(Booking.objects.values_list("state", flat=True)) == {S.FAILED}


def test_a_person_with_two_watches_gets_one_place_and_the_others_move_up(office: Office) -> None:
    who = person(office)
    office.watch(subscriber=who, mode="hold")
    office.watch(subscriber=who, mode="hold")
    other = office.watch(mode="hold")
    open_places(office, THURSDAY_9, times=3, places=1)

    look(office, 6)

    assert sorted(Booking.objects.filter(state=S.RESERVED).values_list("subscriber_id", flat=True)) == sorted(
        [who.pk, other.subscriber_id]
    )


def test_the_office_liked_better_is_tried_first_and_the_other_one_after_a_loss(office: Office) -> None:
    offices = (office.office_pk(PASING), office.office_pk(RUPPERT))
    office.watch(mode="hold", office_ids=offices)
    office.open(THURSDAY_9, office=RUPPERT)
    office.open(THURSDAY_9, office=PASING)
    office.munich.faults.add("lost_race", 1)

    look(office, 6)

    tried = list(Booking.objects.order_by("pk").values_list("office_id", "state"))
    assert tried == [(offices[0], S.FAILED), (offices[1], S.RESERVED)]


def test_a_new_watch_does_not_jump_the_queue(office: Office, settings) -> None:  # type: ignore[no-untyped-def]
    settings.BOOKING_WORKERS = 1
    watches = gather(office, 4)
    open_places(office, THURSDAY_9, times=4, places=1)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)

    newcomer = office.watch(mode="hold")
    office.work()

    assert served([*watches, newcomer]) == [0, 1, 2, 3]


# --- Out of time ----------------------------------------------------------------------------------------------


def test_an_attempt_that_never_began_is_matched_anew_when_its_burst_is_over(office: Office) -> None:
    watches = gather(office, 1)
    office.open(THURSDAY_9)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    office.queue.waiting.clear()

    office.advance(seconds=turns.BURST.total_seconds() + 1)
    attempts.sweep_attempts(now=office.now())
    office.work()

    old, new = Booking.objects.order_by("pk")
    assert (old.state, old.reason) == (S.FAILED, attempts.NEVER_BEGUN)
    assert (new.state, new.watch_id, new.previous_id) == (S.RESERVED, watches[0].pk, old.pk)
    assert office.mailman.kinds() == ["appointment_reserved"]


def test_an_attempt_that_never_began_and_has_nothing_left_ends_with_the_truth(office: Office) -> None:
    gather(office, 1)
    office.open(THURSDAY_9)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    office.queue.waiting.clear()
    Slot.objects.update(gone_at=office.now())

    office.advance(seconds=turns.BURST.total_seconds() + 1)
    attempts.sweep_attempts(now=office.now())
    office.work()

    assert Booking.objects.get().state == S.FAILED
    message = OutboxMessage.objects.get()
    assert (message.kind, message.payload) == ("booking_failed", {"why": attempts.NOT_ASKED})
    assert at_the_city(office) == []


def test_a_chosen_slot_that_could_not_be_asked_for_minutes_ends_with_the_truth(office: Office) -> None:
    booking = requested(office)
    office.queue.waiting.clear()
    office.advance(seconds=attempts.LONGEST_WAIT.total_seconds() - 1)
    attempts.sweep_attempts(now=office.now())
    booking.refresh_from_db()
    before = booking.state

    office.advance(seconds=2)
    office.queue.put("reserve_appointment", booking.pk)
    office.work()

    booking.refresh_from_db()
    assert (before, booking.state, booking.reason) == (S.REQUESTED, S.FAILED, attempts.NOT_ASKED)
    assert calls_of(office, "reserve-appointment") == 0
    assert office.mailman.kinds() == ["booking_failed"]


def test_a_slot_seen_gone_is_not_asked_for(office: Office) -> None:
    booking = requested(office)
    Slot.objects.update(gone_at=office.now())

    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.FAILED, "gone")
    assert calls_of(office, "reserve-appointment") == 0
    assert office.mailman.kinds() == ["slot_taken"]


def test_a_slot_seen_gone_is_told_even_where_another_one_is_tried(office: Office) -> None:
    booking = requested(office)
    Slot.objects.update(gone_at=office.now())
    office.watch(mode="hold", subscriber=booking.subscriber)
    known_slot(office, THURSDAY_9 + timedelta(hours=1))

    office.work()

    booking.refresh_from_db()
    assert Booking.objects.get(previous=booking).state == S.RESERVED
    assert "slot_taken" in office.mailman.kinds()
    assert not ends_quietly(booking)


def test_a_worker_that_dies_before_the_next_in_turn_is_asked_costs_seconds(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = gather(office, 6)
    open_places(office, THURSDAY_9, times=6, places=1)
    for _step in range(5):
        office.watcher.step()
        office.advance(seconds=1)
    with monkeypatch.context() as dead:
        dead.setattr(attempts, "serve_waiting", lambda *_a, **_k: {})
        office.queue.run()
    stuck = served(watches)
    PollTarget.objects.update(active=False)

    office.advance(seconds=5)
    attempts.sweep_attempts(now=office.now())
    office.work()

    assert len(stuck) == 4
    assert served(watches) == [0, 1, 2, 3, 4, 5]


# --- Why ------------------------------------------------------------------------------------------------------


def test_why_this_person_got_this_slot_is_written_down(office: Office) -> None:
    watches = gather(office, 3)
    Watch.objects.filter(pk=watches[1].pk).update(waiting_since=office.now() - 3 * DAY)
    open_places(office, THURSDAY_9, times=2, places=1)

    look(office, 6)

    first = Booking.objects.get(watch=watches[1]).turn
    second = Booking.objects.get(watch=watches[0]).turn
    assert (first["rank"], first["of"], first["priority"], first["before"]) == (1, 3, 0, {"served": 0})
    assert first["waited"] == pytest.approx(3 * DAY.total_seconds(), abs=60)
    assert (second["rank"], second["of"], second["before"]) == (2, 3, {"served": 1})
    assert second["probe"] is first["probe"] is False


def test_who_only_probed_for_one_more_place_is_not_bothered_with_its_loss(office: Office) -> None:
    watches = gather(office, 2)
    office.open(THURSDAY_9)

    look(office, 6)

    probe = Booking.objects.get(watch=watches[1])
    assert (probe.state, probe.turn["probe"]) == (S.FAILED, True)
    assert office.mailman.kinds() == ["appointment_reserved"]


def test_who_lost_a_listed_place_is_told(office: Office) -> None:
    gather(office, 1)
    office.open(THURSDAY_9)
    office.munich.faults.add("lost_race", 1)

    look(office, 6)

    assert office.mailman.kinds() == ["slot_taken"]


def test_a_slot_chosen_by_hand_needs_no_reason(office: Office) -> None:
    assert reserved(office).turn == {}
