"""Rules of health: which age is fresh, what the city's silence means, when the watch sees."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from appointments.limits import QUIET_GAP, local_day
from appointments.models import Call, CircuitBreaker, GateState, Heartbeat, PollTarget
from appointments.selectors import health
from appointments.selectors.health import city_sight, components
from appointments.services.breakers import open_breaker
from appointments.services.health import beat
from captcha.models import CaptchaToken
from tests.appointments.web.conftest import everything_beats, seconds
from tests.factories import SearchFactory

pytestmark = pytest.mark.django_db


def part(name: str, now: datetime) -> health.Component:
    return next(component for component in components(now) if component.name == name)


def test_a_beat_is_one_row_that_moves_on(now: datetime) -> None:
    beat("bot", now=now)
    beat("bot", now=now + seconds(5), detail="x" * 500)

    row = Heartbeat.objects.get(name="bot")
    assert row.at == now + seconds(5)
    assert len(row.detail) == 200


def test_a_beat_is_one_statement(now: datetime, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        beat("city", now=now, detail="ok")


@pytest.mark.parametrize("name", ["bot", "queue:booking", "queue:polling"])
def test_a_part_is_well_for_a_minute_after_its_last_sign(name: str, now: datetime) -> None:
    beat(name, now=now)

    assert part(name, now + seconds(60)).ok
    assert not part(name, now + seconds(61)).ok
    assert part(name, now + seconds(61)).detail == "silent"


@pytest.mark.parametrize("name", ["bot", "queue:booking", "queue:polling", "city"])
def test_a_part_that_never_beat_is_missing(name: str, now: datetime) -> None:
    everything_beats(now, without=name)

    assert health.missing(components(now)) == [name]
    assert part(name, now).detail == "no sign of life yet"


def test_nothing_is_missing_when_every_part_beats(now: datetime) -> None:
    everything_beats(now)

    assert health.missing(components(now)) == []


def test_a_queue_for_messages_is_asked_for_only_where_it_exists(now: datetime, settings: Any) -> None:
    settings.QUEUES = ("booking", "polling", "notify")
    everything_beats(now, without="queue:notify")

    assert health.missing(components(now)) == ["queue:notify"]


def test_a_city_that_can_be_reached_may_rest_after_a_good_answer(now: datetime) -> None:
    beat("city", now=now, detail="ok")
    beat("city:reached", now=now + QUIET_GAP)

    assert part("city", now + seconds(60) + QUIET_GAP).ok
    assert not part("city", now + seconds(61) + QUIET_GAP).ok


def test_a_city_that_nothing_is_heard_of_for_a_minute_is_missing(now: datetime) -> None:
    beat("city", now=now, detail="ok")

    assert part("city", now + seconds(60)).ok
    assert not part("city", now + seconds(61)).ok


def test_reaching_a_city_whose_last_answer_was_bad_is_no_sign_of_life(now: datetime) -> None:
    beat("city", now=now, detail="ok")
    beat("city:trouble", now=now + seconds(5), detail="timeout")
    beat("city:reached", now=now + seconds(50))

    assert not part("city", now + seconds(61)).ok


def test_the_city_gets_no_rest_after_a_bad_answer(now: datetime) -> None:
    beat("city", now=now, detail="ok")
    beat("city:trouble", now=now + seconds(10), detail="timeout")

    assert part("city", now + seconds(60)).ok
    assert not part("city", now + seconds(61)).ok
    assert part("city", now + seconds(61)).detail == "timeout"


def test_trouble_that_is_over_counts_no_more(now: datetime) -> None:
    beat("city:trouble", now=now - seconds(10), detail="timeout")
    beat("city", now=now, detail="ok")

    assert part("city", now + seconds(60)).ok
    assert part("city", now + seconds(60)).detail == "ok"


def test_an_unreachable_database_is_a_finding(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(Heartbeat.objects, "all", gone)
    monkeypatch.setattr(health.connection, "close", lambda: None)

    found = {component.name: component for component in components(now)}
    assert found["web"].ok
    assert found["database"].detail == "unreachable"
    assert health.missing(list(found.values())) == [
        "bot",
        "queue:booking",
        "queue:polling",
        "city",
        "database",
    ]


def test_a_captcha_that_is_switched_off_is_no_trouble(now: datetime, settings: Any) -> None:
    settings.CAPTCHA_MODE = "off"
    CaptchaToken.objects.create(site="s", state="blocked", since=now)

    assert part("captcha", now).ok


@pytest.mark.parametrize("state", ["blocked", "needs_human", "cooldown"])
def test_a_stuck_captcha_without_a_token_is_trouble_but_not_missing(state: str, now: datetime) -> None:
    everything_beats(now)
    CaptchaToken.objects.create(site="s", state=state, since=now, cooldown_until=now + seconds(60))

    assert not part("captcha", now).ok
    assert health.missing(components(now)) == []


def test_a_pausing_captcha_whose_token_still_serves_is_well(now: datetime) -> None:
    life = {"issued_at": now, "stale_at": now + seconds(200), "expires_at": now + seconds(300)}
    CaptchaToken.objects.create(
        site="s", state="cooldown", since=now, cooldown_until=now + seconds(60), token="t", **life
    )

    assert part("captcha", now).ok
    assert not part("captcha", now + seconds(301)).ok


def test_an_open_captcha_breaker_is_trouble(now: datetime) -> None:
    open_breaker("captcha", "timeout", now=now)

    assert part("captcha", now).detail == "timeout"


def test_before_the_first_answer_the_watch_is_starting(now: datetime) -> None:
    assert city_sight(now) == health.CitySight(sees=False, since=now, reason="starting")


def test_the_watch_sees_since_the_first_call_we_remember(now: datetime) -> None:
    for minutes in (90, 30, 0):
        Call.objects.create(at=now - timedelta(minutes=minutes), kind="sweep", code="ok", milliseconds=5)
    beat("city", now=now, detail="ok")

    assert city_sight(now) == health.CitySight(sees=True, since=now - timedelta(minutes=90), reason="")


def test_the_watch_sees_again_since_the_first_call_after_trouble(now: datetime) -> None:
    for minutes in (90, 30, 0):
        Call.objects.create(at=now - timedelta(minutes=minutes), kind="sweep", code="ok", milliseconds=5)
    beat("city:trouble", now=now - timedelta(minutes=40), detail="timeout")
    beat("city", now=now, detail="ok")

    assert city_sight(now).since == now - timedelta(minutes=30)


def test_a_pause_after_a_refusal_is_named(now: datetime) -> None:
    beat("city", now=now, detail="rateLimitExceeded")
    GateState.objects.create(
        egress="default", paused_until=now + seconds(61), refused_at=now, pause_reason="slow_down"
    )

    assert city_sight(now + seconds(5)) == health.CitySight(sees=False, since=now, reason="slow_down")
    assert city_sight(now + seconds(62)).sees


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("serviceUnavailable", "maintenance"),
        ("notUnderstood", "not_understood"),
        ("timeout", "no_answer"),
        ("connectionFailed", "no_answer"),
    ],
)
def test_silence_is_explained_by_the_last_trouble(code: str, reason: str, now: datetime) -> None:
    beat("city", now=now, detail="ok")
    beat("city:trouble", now=now + seconds(30), detail=code)

    assert city_sight(now + seconds(50)).sees
    assert city_sight(now + seconds(90)) == health.CitySight(sees=False, since=now, reason=reason)


def test_an_open_breaker_of_watching_blinds_at_once(now: datetime) -> None:
    beat("city", now=now, detail="ok")
    CircuitBreaker.objects.create(
        name="watching",
        state="open",
        opened_at=now,
        open_until=now + seconds(60),
        reason="serviceUnavailable",
    )

    assert city_sight(now) == health.CitySight(sees=False, since=now, reason="maintenance")


@pytest.mark.parametrize(("guarded", "sees"), [([True], False), ([True, False], True), ([], True)])
def test_a_stuck_captcha_blinds_only_when_every_request_needs_it(
    guarded: list[bool], sees: bool, now: datetime
) -> None:
    beat("city", now=now, detail="ok")
    CaptchaToken.objects.create(site="s", state="blocked", since=now)
    for flag in guarded:
        PollTarget.objects.create(kind="sweep", search=SearchFactory(), guarded=flag, next_due_at=now)

    assert city_sight(now).sees is sees
    assert city_sight(now).reason == ("" if sees else "captcha")


def test_a_used_up_quota_is_blindness_with_a_reason(now: datetime, settings: Any) -> None:
    settings.CITY_DAILY_QUOTA = 5
    beat("city", now=now)
    gate = GateState.objects.create(egress="default", day=local_day(now), used_today=4, watched_at=now)
    before = city_sight(now)
    GateState.objects.filter(pk=gate.pk).update(used_today=5)

    after = city_sight(now)

    assert before.sees
    assert (after.sees, after.reason, after.since) == (False, "quota", now)
