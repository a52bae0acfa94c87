"""Who cannot see is told once, and told again when it sees."""

from datetime import timedelta
from typing import Any

import pytest

from appointments.models import CircuitBreaker, GateState, PollTarget, Watch
from appointments.services import blindness
from appointments.services.blindness import tell_blindness
from appointments.services.watches import pause_watch, resume_watch
from appointments.upstream.types import ServiceCount
from tests.appointments.services.counter import look
from tests.conftest import REGISTER, Office

CALENDAR = ["available-calendar"]


def blind_look(office: Office, seconds: int) -> None:
    for _turn in range(0, seconds, 10):
        office.advance(seconds=9)
        office.watcher.step()
        office.advance(seconds=1)
        tell_blindness(now=office.now())
    office.work()


@pytest.mark.parametrize("seen_before", [True, False])
def test_blindness_is_told_once_and_so_is_seeing_again(office: Office, seen_before: bool) -> None:
    office.watch()
    if seen_before:
        look(office, 2)
    office.munich.faults.add("html_502", None, CALENDAR)

    blind_look(office, 150)
    early = office.mailman.kinds()
    blind_look(office, 400)
    blind = office.mailman.kinds()
    office.munich.faults.clear()
    CircuitBreaker.objects.all().delete()
    blind_look(office, 60)

    assert early == []
    assert blind == ["watch_blind"]
    assert office.mailman.kinds() == ["watch_blind", "watch_sees"]
    assert Watch.objects.get().blind_since is None


def test_everybody_behind_an_open_breaker_is_blind_not_only_who_was_asked_last(office: Office) -> None:
    for count in (1, 2, 3):
        office.watch(services=(ServiceCount(REGISTER, count),))
    look(office, 5)
    CircuitBreaker.objects.create(
        name="watching",
        state="open",
        opened_at=office.now(),
        open_until=office.now() + timedelta(hours=1),
        reason="serviceUnavailable",
    )

    office.advance(seconds=200)
    told = tell_blindness(now=office.now())
    office.work()

    assert told == (3, 0)
    assert {m.payload["reason"] for m, _e in office.mailman.sent} == {"serviceUnavailable"}


def test_a_long_pause_the_city_asked_for_is_blindness(office: Office) -> None:
    office.watch()
    look(office, 2)
    GateState.objects.update(paused_until=office.now() + timedelta(hours=1), pause_reason="slow_down")

    office.advance(seconds=200)

    assert tell_blindness(now=office.now()) == (1, 0)


def test_a_watch_resumed_after_long_is_not_blind_at_the_first_failure(office: Office) -> None:
    watch = office.watch()
    look(office, 2)
    pause_watch(watch, now=office.now())
    office.advance(hours=5)
    resume_watch(watch, now=office.now())
    office.munich.faults.add("html_502", None, CALENDAR)

    blind_look(office, 60)

    assert office.mailman.kinds() == []


def test_a_busy_gate_alone_is_no_blindness(office: Office) -> None:
    """Waiting for one's turn is not being blind: nothing is wrong at the city."""
    office.watch()
    look(office, 2)

    office.advance(minutes=10)

    assert tell_blindness(now=office.now()) == (0, 0)


def test_each_long_blindness_is_told_once_however_often_it_flaps(office: Office) -> None:
    """Shorter gaps than `BLIND_AFTER` are nobody's business; each longer one is one pair of messages."""
    office.watch()
    look(office, 2)
    for _time in range(4):
        office.munich.faults.add("html_502", None, CALENDAR)
        blind_look(office, 60)
        office.munich.faults.clear()
        CircuitBreaker.objects.all().delete()
        blind_look(office, 30)
    short = office.mailman.kinds()
    for _time in range(2):
        office.munich.faults.add("html_502", None, CALENDAR)
        blind_look(office, 300)
        office.munich.faults.clear()
        CircuitBreaker.objects.all().delete()
        blind_look(office, 60)

    assert short == []
    assert office.mailman.kinds() == ["watch_blind", "watch_sees"] * 2


def test_one_look_that_succeeds_for_one_of_several_sweeps_is_not_seeing(office: Office) -> None:
    """A search with open and guarded offices has two sweeps; its owner sees when both do."""
    watch = office.watch()
    look(office, 2)
    now = office.now()
    open_sweep = PollTarget.objects.get(search=watch.search, kind="sweep")
    guarded = PollTarget.objects.create(
        search=watch.search,
        kind="sweep",
        guarded=True,
        next_due_at=now + timedelta(days=1),
        wanted_since=now,
        last_error="captchaInvalid",
    )
    later = now + timedelta(seconds=200)

    blind = tell_blindness(now=later)
    PollTarget.objects.filter(pk=open_sweep.pk).update(answered_at=later, last_error="")
    half = tell_blindness(now=later)
    PollTarget.objects.filter(pk=guarded.pk).update(answered_at=later, last_error="")
    both = tell_blindness(now=later)

    assert (blind, half, both) == ((1, 0), (0, 0), (0, 1))


def test_a_restart_in_the_middle_tells_nothing_twice(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between noting the blindness and telling it: both or neither are written."""
    office.watch()
    look(office, 2)
    CircuitBreaker.objects.create(
        name="watching", state="open", opened_at=office.now(), open_until=office.now() + timedelta(hours=1)
    )
    office.advance(seconds=200)
    with monkeypatch.context() as patched:

        def dies(*_args: object, **_more: object) -> None:
            raise SystemExit

        patched.setattr(blindness, "enqueue", dies)
        with pytest.raises(SystemExit):
            tell_blindness(now=office.now())
    after_death = Watch.objects.get().blind_since

    told = [tell_blindness(now=office.now()) for _time in range(3)]
    office.work()
    CircuitBreaker.objects.all().delete()
    PollTarget.objects.update(answered_at=office.now(), last_error="")
    told += [tell_blindness(now=office.now()) for _time in range(3)]
    office.work()

    assert after_death is None
    assert told == [(1, 0), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0)]
    assert office.mailman.kinds() == ["watch_blind", "watch_sees"]


def test_everybody_of_one_search_is_told_and_nobody_of_another(office: Office) -> None:
    first, second = office.watch(), office.watch()
    other = office.watch(services=(ServiceCount(REGISTER, 2),))
    look(office, 4)
    PollTarget.objects.filter(search=first.search).update(last_error="notUnderstood")
    office.advance(seconds=200)
    PollTarget.objects.filter(search=other.search).update(answered_at=office.now())

    told = tell_blindness(now=office.now())

    assert first.search == second.search
    assert told == (2, 0)
    assert Watch.objects.get(pk=other.pk).blind_since is None


def test_a_quota_that_is_used_up_is_blindness_until_midnight(office: Office, settings: Any) -> None:
    office.watch()
    look(office, 2)
    settings.CITY_DAILY_QUOTA = GateState.objects.get().used_today

    office.advance(seconds=200)
    told = tell_blindness(now=office.now())
    office.work()

    assert told == (1, 0)
    assert office.mailman.sent[-1][0].payload["reason"] == "quota"
