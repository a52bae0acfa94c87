"""Watching: slices, answers, failures, and what the people behind the watches are told."""

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from appointments import tasks
from appointments.models import CircuitBreaker, Lease, PollTarget, Sighting, Slot
from appointments.models import Office as OfficeRow
from appointments.services import leases, sightings, watching
from appointments.services.catalogue import sync_catalogue
from appointments.services.targets import refit_targets
from appointments.services.watches import pause_watch, resume_watch
from appointments.services.watching import start_chain
from appointments.upstream.types import Calendar, CalendarDay, ServiceCount
from appointments.upstream.types import Slot as SeenSlot
from tests.appointments.services.counter import THURSDAY_9, calls_of, known_slot, look
from tests.conftest import GUARDED, PASING, REGISTER, RUPPERT, Office
from tests.factories import SubscriberFactory

CALENDAR = ["available-calendar"]
THURSDAY = THURSDAY_9.date()


def guarded_service(office: Office) -> int:
    return next(s for s in office.munich.catalogue.services if office.munich.catalogue.offers(GUARDED, [s]))


# The chain


def test_of_two_copies_of_a_slice_one_goes_on(office: Office) -> None:
    epoch = start_chain(now=office.now())
    assert epoch is not None

    first = office.watcher.run_slice(epoch)
    second = office.watcher.run_slice(epoch)

    assert first == epoch + 1
    assert second is None


def test_a_running_chain_is_not_started_twice(office: Office) -> None:
    assert start_chain(now=office.now()) is not None

    assert start_chain(now=office.now() + timedelta(seconds=44)) is None


def test_a_computer_started_anew_goes_on_at_once_where_it_left_off(office: Office) -> None:
    office.watcher.host = "one"
    left = office.watcher.run_slice(start_chain(now=office.now()) or 0)
    assert left is not None

    assert start_chain(now=office.now()) is None
    new = start_chain(now=office.now(), restarted="one")

    assert new == left + 1
    assert office.watcher.run_slice(left) is None


def test_a_computer_started_anew_leaves_the_chain_of_another_alone(office: Office) -> None:
    office.watcher.host = "one"
    office.watcher.run_slice(start_chain(now=office.now()) or 0)

    assert start_chain(now=office.now(), restarted="two") is None


def test_a_dead_chain_is_started_anew_and_its_last_slice_stops(office: Office) -> None:
    old = start_chain(now=office.now())
    assert old is not None

    office.advance(seconds=46)
    new = start_chain(now=office.now())

    assert new is not None
    assert office.watcher.run_slice(old) is None
    assert office.watcher.run_slice(new) == new + 1


def test_the_tasks_keep_the_chain_going(office: Office) -> None:
    assert tasks.keep_watching() == "watching: started"
    assert tasks.keep_watching() == "watching: runs"
    name, args = office.queue.waiting.pop()

    assert name == "watch_slice"
    tasks.watch_slice(*args)
    assert office.queue.names() == ["watch_slice"]
    assert tasks.watch_slice(*args).endswith("another chain runs")


def test_a_slice_ends_early_when_the_process_is_to_end(office: Office) -> None:
    office.watcher.ending = lambda: True
    before = office.now()

    office.watcher.run_slice(start_chain(now=office.now()) or 0)

    assert office.now() == before


# Answers


def test_fifty_watches_of_one_search_are_one_request(office: Office) -> None:
    for _number in range(50):
        office.watch()
    before = calls_of(office, "available-calendar")

    look(office, 10)

    assert PollTarget.objects.count() == 1
    assert calls_of(office, "available-calendar") == before + 1


def test_guarded_offices_are_a_sweep_of_their_own(office: Office) -> None:
    service = guarded_service(office)
    office.watch(services=(ServiceCount(service, 1),), office_ids=(office.office_pk(GUARDED),))
    office.watch()

    assert sorted(PollTarget.objects.values_list("guarded", flat=True)) == [False, True]
    office.munich.faults.add("captcha_down", None)
    look(office, 4)
    assert PollTarget.objects.get(guarded=False).answered_at is not None
    assert PollTarget.objects.get(guarded=True).last_error != ""


@pytest.mark.parametrize(
    "kind",
    ["maintenance", "rate_limited", "gateway_400", "html_502", "html_200", "truncated_json", "lost_after"],
)
def test_a_failed_answer_is_no_observation(office: Office, kind: str) -> None:
    watch = office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    office.munich.faults.add(kind, None, CALENDAR)

    look(office, 60)

    slot = Slot.objects.get()
    assert slot.gone_at is None
    assert Sighting.objects.count() == 1
    assert PollTarget.objects.get(kind="sweep").days == {"2026-11-26": [office.office_pk(RUPPERT)]}
    assert office.mailman.kinds().count("slots_opened") == 1
    assert watch.blind_since is None


def test_a_slot_appears_goes_and_returns(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    look(office, 25)
    gone = Slot.objects.get().gone_at
    office.open(THURSDAY_9)
    look(office, 25)

    slot = Slot.objects.get()
    assert gone is not None
    assert (slot.gone_at, slot.appearances) == (None, 2)
    assert list(Sighting.objects.order_by("pk").values_list("kind", flat=True)) == [
        "appeared",
        "gone",
        "returned",
    ]


def test_times_not_asked_for_change_nothing(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    target = PollTarget.objects.get(kind="sweep")
    days = (
        CalendarDay(date(2026, 11, 25), frozenset({RUPPERT}), ()),
        CalendarDay(THURSDAY, frozenset({RUPPERT}), None),
    )

    sightings.record_answer(target, Calendar(days, date(2026, 11, 25), None), [RUPPERT], now=office.now())

    assert Slot.objects.get().gone_at is None


def test_a_day_no_longer_bookable_closes_its_slots(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    target = PollTarget.objects.get(kind="sweep")

    sightings.record_answer(target, Calendar((), None, None), [RUPPERT], now=office.now())

    assert Slot.objects.get().gone_at == office.now()


def test_an_office_not_asked_keeps_its_slots(office: Office) -> None:
    office.watch(office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)))
    office.open(THURSDAY_9)
    look(office, 3)
    target = PollTarget.objects.get(kind="sweep")

    sightings.record_answer(target, Calendar((), None, None), [PASING], now=office.now())

    assert Slot.objects.get().gone_at is None


def test_slots_of_offices_nobody_asked_for_are_left_out(office: Office) -> None:
    office.watch()
    target = PollTarget.objects.get(kind="sweep")
    strange = SeenSlot(PASING, THURSDAY_9)
    days = (CalendarDay(THURSDAY, frozenset({PASING}), (strange,)),)

    sightings.record_answer(target, Calendar(days, THURSDAY, None), [RUPPERT], now=office.now())

    assert not Slot.objects.exists()


def test_a_slot_whose_time_came_is_gone(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    target = PollTarget.objects.get(kind="sweep")
    shown = SeenSlot(RUPPERT, THURSDAY_9)
    days = (CalendarDay(THURSDAY, frozenset({RUPPERT}), (shown,)),)

    sightings.record_answer(target, Calendar(days, THURSDAY, None), [RUPPERT], now=THURSDAY_9)

    assert Slot.objects.get().gone_at == THURSDAY_9


def test_newly_bookable_days_are_asked_for_their_times_at_once(office: Office) -> None:
    office.watch()
    for days in (0, 1, 4):
        office.open(THURSDAY_9 + timedelta(days=days))

    look(office, 5)

    assert Slot.objects.count() == 3
    assert office.mailman.kinds().count("slots_opened") >= 1


def test_days_beyond_the_soonest_are_asked_too(office: Office) -> None:
    """Afternoons on three days must not hide the one morning of the fourth."""
    office.watch(hours=((0b1111111, 0, 12 * 60),))
    for days in range(4):
        office.open(THURSDAY_9 + timedelta(days=days, hours=0 if days == 3 else 6))

    look(office, 8)

    told = [m.payload["slots"] for m, _e in office.mailman.sent if m.kind == "slots_opened"]
    assert told == [[Slot.objects.get(starts_at=THURSDAY_9 + timedelta(days=3)).pk]]


def test_days_beyond_the_soonest_are_asked_rarely_while_nothing_changes(office: Office) -> None:
    office.watch()
    for days in range(8):
        office.open(THURSDAY_9 + timedelta(days=days))
    look(office, 30)
    before = calls_of(office, "available-calendar")

    look(office, 120)

    # Two minutes: eight sweeps, three soonest days twice or thrice each, a spare one.
    assert calls_of(office, "available-calendar") - before <= 8 + 3 * 3 + 2
    assert Slot.objects.count() == 8


def test_days_nobody_wants_are_not_asked(office: Office) -> None:
    office.watch(date_to=date(2026, 11, 27))
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(days=7))

    look(office, 10)

    assert set(PollTarget.objects.filter(kind="detail").values_list("day", flat=True)) == {THURSDAY}


def test_a_token_that_died_is_renewed_once_and_the_sweep_goes_on(office: Office) -> None:
    office.watch(
        services=(ServiceCount(guarded_service(office), 1),), office_ids=(office.office_pk(GUARDED),)
    )
    look(office, 3)
    office.munich.captcha.token_key = "the city restarted and knows no token of before"
    solved = calls_of(office, "captcha-verify")

    look(office, 20)

    assert calls_of(office, "captcha-verify") == solved + 1
    assert PollTarget.objects.get().last_error == ""


def test_a_city_that_refuses_every_token_is_no_endless_loop(office: Office) -> None:
    office.watch(
        services=(ServiceCount(guarded_service(office), 1),), office_ids=(office.office_pk(GUARDED),)
    )
    office.munich.captcha.token_problem = lambda *_args: "captchaInvalid"  # type: ignore[method-assign]

    office.watcher.step()

    assert calls_of(office, "available-calendar") == 2
    assert PollTarget.objects.get().last_error == "captchaInvalid"


@pytest.mark.parametrize("where", ["recorded", "asked"])
def test_a_poison_answer_does_not_stop_the_others(
    office: Office, where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office.watch(subscriber=SubscriberFactory(now=office.now()))
    office.watch(services=(ServiceCount(REGISTER, 2),))
    poisoned = PollTarget.objects.order_by("pk")[0]
    if where == "recorded":
        record = watching.record_answer

        def stumble(target: PollTarget, *args: object, **options: object) -> object:
            if target.pk == poisoned.pk:
                raise ArithmeticError("cannot digest this")
            return record(target, *args, **options)

        monkeypatch.setattr(watching, "record_answer", stumble)
    else:
        calendar = office.watcher.api.calendar

        def refuse(services: tuple[ServiceCount, ...], *args: object, **options: object) -> object:
            if services[0].count == 1:
                raise ValueError("a range runs forward")
            return calendar(services, *args, **options)

        monkeypatch.setattr(office.watcher.api, "calendar", refuse)

    with caplog.at_level(logging.CRITICAL):
        look(office, 5)

    poisoned.refresh_from_db()
    assert poisoned.last_error == f"not_{where}"
    assert PollTarget.objects.exclude(pk=poisoned.pk).get().answered_at is not None


# The catalogue's changes


def test_an_office_that_left_the_catalogue_is_no_longer_asked_and_asked_again_when_it_returns(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.watch(office_ids=(office.office_pk(PASING),))
    look(office, 2)
    whole = office.desk.api.catalogue()
    assert whole is not None
    others = tuple(each for each in whole.offices if each.upstream_id != PASING)
    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: replace(whole, offices=others))
    sync_catalogue(office.desk.api, now=office.now())
    refit_targets(now=office.now())
    before = calls_of(office, "available-calendar")
    look(office, 30)
    away = calls_of(office, "available-calendar") - before

    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: whole)
    sync_catalogue(office.desk.api, now=office.now())
    refit_targets(now=office.now())
    office.open(THURSDAY_9, office=PASING)
    look(office, 5)

    assert away == 0
    assert office.mailman.kinds() == ["catalogue_change", "catalogue_change", "slots_opened"]


def test_an_office_that_begins_to_ask_for_a_captcha_moves_to_the_guarded_sweep(office: Office) -> None:
    office.watch(office_ids=(office.office_pk(PASING),))
    look(office, 2)

    OfficeRow.objects.filter(upstream_id=PASING).update(captcha_required=True)
    refit_targets(now=office.now())

    assert list(PollTarget.objects.filter(active=True).values_list("kind", "guarded")) == [("sweep", True)]


def test_the_hourly_sync_refits_the_targets_and_leaves_turns_alone(office: Office) -> None:
    office.watch()
    look(office, 2)
    due = PollTarget.objects.get().next_due_at
    PollTarget.objects.update(active=False)
    Lease.objects.filter(name="catalogue").update(until=None)

    office.watcher.step()
    revived = PollTarget.objects.get()
    PollTarget.objects.update(next_due_at=due)
    refit_targets(now=office.now())

    assert revived.active
    assert PollTarget.objects.get().next_due_at == due


def test_a_catalogue_that_does_not_come_is_asked_again_in_a_minute(office: Office) -> None:
    Lease.objects.filter(name="catalogue").update(until=None)
    office.munich.faults.add("maintenance", 1, ["offices-and-services"])
    before = calls_of(office, "offices-and-services")

    look(office, 30)
    soon = calls_of(office, "offices-and-services") - before
    office.advance(seconds=60)
    CircuitBreaker.objects.all().delete()
    look(office, 3)

    assert soon == 1
    assert calls_of(office, "offices-and-services") - before == 2


# What was free long ago


def test_what_nobody_has_seen_for_long_is_not_offered_and_told_when_seen_again(office: Office) -> None:
    first = office.watch()
    office.open(THURSDAY_9)
    look(office, 3)
    pause_watch(first, now=office.now())
    office.advance(hours=3)

    office.watch(subscriber=SubscriberFactory(now=office.now()))
    before = len(office.mailman.sent)
    office.work()
    unseen = len(office.mailman.sent) - before
    look(office, 4)

    assert unseen == 0
    assert office.mailman.kinds().count("slots_opened") == 2


def test_what_is_known_to_be_free_is_told_to_a_new_watch_at_once(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 3)

    office.watch(subscriber=SubscriberFactory(now=office.now()))
    office.work()

    assert office.mailman.kinds().count("slots_opened") == 2


def test_a_resumed_watch_is_told_what_is_free(office: Office) -> None:
    watch = office.watch()
    pause_watch(watch, now=office.now())
    known_slot(office)

    resume_watch(watch, now=office.now())
    office.work()

    assert office.mailman.kinds() == ["slots_opened"]


def test_with_nothing_to_watch_a_small_question_shows_whether_the_city_is_there(office: Office) -> None:
    office.advance(seconds=100)
    before = calls_of(office, "captcha-details")

    look(office, 5)

    assert calls_of(office, "captcha-details") == before + 1


def test_leases_are_given_back_and_shortened(db: None) -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    epoch = leases.take_lease("x", timedelta(minutes=1), now=now)
    assert epoch is not None

    assert leases.take_lease("x", timedelta(minutes=1), now=now) is None
    assert leases.drop_lease("x", epoch + 1) is False
    assert leases.drop_lease("x", epoch) is True
    second = leases.take_lease("x", timedelta(minutes=1), now=now)
    assert second == epoch + 1
    leases.shorten_lease("x", timedelta(seconds=5), now=now)
    assert leases.take_lease("x", timedelta(minutes=1), now=now + timedelta(seconds=5)) == epoch + 2
