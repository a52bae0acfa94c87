"""The limit on requests: a window that starts again with every accepted call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import Citizen, codes


@pytest.fixture
def tight(make_world: Callable[..., CityWorld]) -> Citizen:
    return Citizen(make_world(limit=5, window=20))


def statuses(citizen: Citizen, times: int) -> list[int]:
    return [citizen.get("captcha-details").status_code for _ in range(times)]


def test_the_remaining_calls_are_shown_one_too_low(tight: Citizen, clock: Clock) -> None:
    headers = [tight.get("captcha-details").headers for _ in range(5)]
    assert [entry["X-RateLimit-Remaining"] for entry in headers] == ["3", "2", "1", "0", "0"]
    assert {entry["X-RateLimit-Limit"] for entry in headers} == {"5"}
    reset = int(clock.now().timestamp()) + 20
    assert {entry["X-RateLimit-Reset"] for entry in headers} == {str(reset)}


def test_beyond_the_limit_there_is_a_bare_429(tight: Citizen) -> None:
    assert statuses(tight, 8) == [200] * 5 + [429] * 3
    refused = tight.get("captcha-details")
    assert codes(refused) == ["rateLimitExceeded"]
    named = {name.lower() for name in refused.headers}
    assert not any(name.startswith("x-ratelimit") for name in named)
    assert not named & {"retry-after", "x-frame-options", "cache-control"}


def test_steady_calls_inside_the_window_add_up_and_are_refused(tight: Citizen, clock: Clock) -> None:
    seen = []
    for _ in range(7):
        seen += statuses(tight, 1)
        clock.advance(timedelta(seconds=8))
    assert seen == [200] * 5 + [429] * 2


def test_calls_further_apart_than_the_window_are_never_refused(tight: Citizen, clock: Clock) -> None:
    for _ in range(12):
        assert statuses(tight, 1) == [200]
        clock.advance(timedelta(seconds=21))


def test_refused_calls_do_not_prolong_the_refusal(tight: Citizen, clock: Clock) -> None:
    statuses(tight, 5)
    clock.advance(timedelta(seconds=19))
    assert statuses(tight, 3) == [429] * 3
    clock.advance(timedelta(seconds=1))
    assert statuses(tight, 5) == [200] * 5


def test_every_address_has_its_own_count(tight: Citizen) -> None:
    statuses(tight, 6)
    assert statuses(Citizen(tight.world, "10.1.2.3"), 1) == [200]
    forwarded = {"X-Forwarded-For": "10.4.5.6, 127.0.0.1"}
    url = f"{tight.base}/captcha-details/"
    assert tight.session.get(url, headers=forwarded).status_code == 200
    assert tight.session.get(url, headers={"X-Forwarded-For": "rubbish"}).status_code == 429


def test_errors_and_unknown_routes_count_as_well(tight: Citizen) -> None:
    for path in ("nonsense", "appointment", "available-calendar", "reserve-appointment", "x"):
        assert tight.get(path).status_code in (400, 404)
    assert statuses(tight, 1) == [429]


def test_the_default_is_sixty_a_minute() -> None:
    world = CityWorld()
    assert (world.limiter.limit, world.limiter.window) == (60, 60.0)


def test_old_counters_are_forgotten(tight: Citizen, clock: Clock) -> None:
    statuses(tight, 1)
    clock.advance(timedelta(minutes=2))
    tight.world.tick()
    assert tight.world.limiter.counters == {}
