"""Many demands at once, one challenge; a process that dies hands over; no call inside a transaction."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from django.db import connection, connections

from captcha import flights, services, solutions
from captcha.client import CaptchaApi
from captcha.errors import CaptchaUnavailable
from captcha.friendly_client import FriendlyApi
from captcha.models import CaptchaToken
from termin_project.sandbox.city import CityWorld, city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.captcha.desk import SITE, Clock, Desk, OpenGate, api_for

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, act: Callable[[], str]) -> list[str]:
    """What `count` threads get that start together."""
    start = threading.Barrier(count)

    def one(_: int) -> str:
        start.wait()
        try:
            return act()
        except CaptchaUnavailable as error:
            return f"unavailable: {error.reason}"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def real_now() -> datetime:
    return datetime.now(UTC)


def test_twenty_demands_at_once_cause_exactly_one_challenge(database_for_threads: None) -> None:
    desk = Desk(real_now)
    desk.pause = 0.3

    got = at_once(20, lambda: services.get_token(api_for(desk), site=SITE, mode="auto", now=real_now()))

    assert len(set(got)) == 1
    assert got[0].count(".") == 2
    assert desk.challenges == 1


def test_twenty_demands_at_once_share_a_failure_too(database_for_threads: None) -> None:
    desk = Desk(real_now)
    desk.pause = 0.3
    desk.faults["challenge"] = [(200, {"meta": {"success": False}, "data": None})]

    got = at_once(20, lambda: services.get_token(api_for(desk), site=SITE, mode="auto", now=real_now()))

    assert set(got) == {"unavailable: serviceDown"}
    assert desk.challenges == 1


def test_a_flight_whose_owner_died_is_taken_over_when_its_lease_ends(desk: Desk, clock: Clock) -> None:
    dead = flights.claim(SITE, clock())
    began = clock()

    token = services.get_token(
        api_for(desk), site=SITE, mode="auto", now=clock, sleep=clock.advance, wait=timedelta(minutes=3)
    )

    assert dead
    assert token.count(".") == 2
    assert flights.CALL_LEASE <= clock() - began < flights.CALL_LEASE + timedelta(seconds=2)


def test_an_owner_that_comes_back_late_writes_nothing(desk: Desk, clock: Clock) -> None:
    slow = flights.claim(SITE, clock())
    clock.advance(flights.CALL_LEASE.total_seconds())
    token = services.get_token(api_for(desk), site=SITE, mode="auto", now=clock)

    with pytest.raises(CaptchaUnavailable, match="leaseLost"):
        flights.fly(api_for(desk), site=SITE, owner=slow, clock=clock)

    assert CaptchaToken.objects.get(site=SITE).token == token
    assert desk.challenges == 1


def test_whoever_waits_gives_up_after_a_while(desk: Desk, clock: Clock) -> None:
    flights.claim(SITE, clock())

    with pytest.raises(CaptchaUnavailable) as caught:
        services.get_token(
            api_for(desk), site=SITE, mode="auto", now=clock, sleep=clock.advance, wait=timedelta(seconds=5)
        )

    assert caught.value.reason == "waiting"
    assert desk.challenges == 0


def test_no_call_leaves_inside_a_transaction(desk: Desk, clock: Clock) -> None:
    inside: list[bool] = []
    desk.before = lambda path: inside.append(connection.in_atomic_block)
    desk.faults["verify"] = [(200, {"meta": {"success": False}, "data": {"valid": False}})]

    services.get_token(api_for(desk), site=SITE, mode="auto", now=clock)

    assert inside == [False] * 4


def test_two_who_want_a_solution_at_once_get_two(database_for_threads: None, settings: Any) -> None:
    settings.CAPTCHA_FRIENDLY = True
    world = CityWorld(tag=23)
    base = "http://city.test/city/api/citizen"
    session = requests.Session()
    session.mount("http://city.test/", WsgiAdapter(city_app(world)))
    details = CaptchaApi(session, base, gate=OpenGate()).details()
    puzzles = FriendlyApi(session, details, base_url=base)

    got = at_once(
        2,
        lambda: solutions.take_solution(puzzles, site="pair", mode="auto", now=real_now, run=services.beside),
    )

    assert len(set(got)) == world.puzzles.issued == 2
    assert all(world.puzzles.accepts(solution, world.now()) for solution in got)
