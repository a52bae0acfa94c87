"""Tokens from the simulated city: made, used at guarded offices, refused, renewed."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import ServiceCount
from captcha import services
from captcha.client import CaptchaApi
from captcha.errors import CaptchaUnavailable, HumanNeeded
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.captcha.desk import SITE, OpenGate

pytestmark = pytest.mark.django_db

OFFICE, SERVICES = 1063278, (ServiceCount(10300793),)
START, END = date(2026, 11, 24), date(2026, 12, 20)
PATHS = {"challenge": ["captcha-challenge"], "verify": ["captcha-verify"]}


class City:
    """The simulated city, seen from one address through both clients."""

    def __init__(self) -> None:
        self.clock = Clock(datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC))
        self.world = CityWorld(self.clock, limit=1000, captcha_cost=20)
        self.world.add_places(OFFICE, [10300793], datetime(2026, 11, 26, 8, 0, tzinfo=UTC))
        self.move("127.0.0.1")

    def move(self, address: str) -> None:
        """Call from another address from now on."""
        session = requests.Session()
        session.mount("http://city.test/", WsgiAdapter(city_app(self.world), address))
        base_url = "http://city.test/city/api/citizen"
        self.captcha = CaptchaApi(session, base_url, gate=OpenGate())
        self.api = CitizenApi(session, base_url, gate=OpenGate())

    def token(self) -> str:
        return services.get_token(self.captcha, site=SITE, mode="auto", now=self.clock.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def ask(self, token: str) -> Any:
        return self.api.calendar(SERVICES, [OFFICE], START, END, captcha_token=token)

    def challenges(self) -> int:
        return sum(request.path.strip("/").endswith("captcha-challenge") for request in self.world.requests)


@pytest.fixture
def city() -> City:
    return City()


def test_a_token_opens_a_guarded_office_again_and_again(city: City) -> None:
    for _ in range(3):
        found = city.ask(city.token())
        city.sleep(60)

    held = city.api.reserve(found.slots[0], SERVICES, captcha_token=city.token())

    assert held.status == "reserved"
    assert city.challenges() == 1


def test_a_token_that_came_with_the_appointment_is_used_next(city: City) -> None:
    held = city.api.reserve(city.ask(city.token()).slots[0], SERVICES, captcha_token=city.token())
    city.sleep(270)

    services.offer_token(SITE, city.api.appointment(held.key).captcha_token, city.clock.now())

    assert city.ask(city.token()) is not None
    assert city.challenges() == 1


def test_an_expired_token_is_dropped_and_renewed(city: City) -> None:
    token = city.token()
    city.clock.advance(timedelta(hours=1))

    with pytest.raises(errors.CaptchaExpired) as caught:
        city.ask(token)
    services.discard_token(SITE, caught.value.code, city.clock.now(), token=token)

    assert city.ask(city.token()).slots
    assert city.challenges() == 2


def test_a_token_is_bound_to_the_address_it_was_made_from(city: City) -> None:
    token = city.token()
    city.move("203.0.113.9")

    with pytest.raises(errors.CaptchaRejected) as caught:
        city.ask(token)
    services.discard_token(SITE, caught.value.code, city.clock.now(), token=token)

    assert city.ask(city.token()).slots


@pytest.mark.parametrize("kind", ["captcha_down", "rate_limited", "maintenance", "gateway_400", "html_502"])
def test_a_failing_challenge_is_followed_by_a_pause_and_then_by_a_token(city: City, kind: str) -> None:
    city.world.faults.add(kind, paths=PATHS["challenge"])

    with pytest.raises(CaptchaUnavailable) as caught:
        city.token()

    assert caught.value.retry_at is not None
    city.sleep((caught.value.retry_at - city.clock.now()).total_seconds())
    assert city.ask(city.token()).slots


@pytest.mark.parametrize("kind", ["captcha_down", "lost_before", "lost_after", "truncated_json", "html_200"])
def test_an_unclear_answer_to_a_solution_costs_one_more_challenge(city: City, kind: str) -> None:
    city.world.faults.add(kind, paths=PATHS["verify"])

    assert city.ask(city.token()).slots
    assert city.challenges() == 2


def test_a_city_that_asks_too_much_is_left_to_people(city: City) -> None:
    city.world.captcha.ladder = ((1, 5_000_000),)

    with pytest.raises(HumanNeeded):
        city.token()


def test_no_token_is_written_to_any_log(city: City, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = city.token()
    city.ask(token)
    services.discard_token(SITE, "captchaExpired", city.clock.now())

    assert token not in caplog.text
    assert token.split(".")[2] not in caplog.text
