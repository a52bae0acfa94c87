"""Every row of the failure table against the simulated city over real HTTP: what is seen, and what we do."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import requests

from appointments.services.tokens import TokenSource
from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import ServiceCount
from bench.server import Simulators
from captcha import flights, services
from captcha.client import CaptchaApi
from captcha.errors import CaptchaUnavailable, HumanNeeded
from captcha.models import CaptchaToken
from captcha.signals import cost_rose
from termin_project.sandbox.city import Clock
from tests.captcha.desk import SITE, OpenGate

pytestmark = pytest.mark.django_db

OFFICE, SERVICES = 1063278, (ServiceCount(10300793),)
START, END = date(2026, 11, 24), date(2026, 12, 20)


class Office:
    """Both clients at a city behind a real port, on one clock that stands until moved."""

    def __init__(self, simulators: Simulators) -> None:
        self.world = simulators.city
        self.clock = self.world.clock = Clock(datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC))
        self.world.captcha.ladder = ((1, 5),)
        self.world.add_places(OFFICE, [10300793], datetime(2026, 11, 26, 8, 0, tzinfo=UTC))
        base = f"http://127.0.0.1:{simulators.port}/city/api/citizen"
        self.session = requests.Session()
        self.captcha = CaptchaApi(self.session, base, gate=OpenGate())
        self.api = CitizenApi(self.session, base, gate=OpenGate())
        self.tokens = TokenSource(self.captcha, SITE, "auto", self.clock.now)

    def token(self) -> str:
        return services.get_token(
            self.captcha, site=SITE, mode="auto", now=self.clock.now, sleep=self.pass_time
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def calendar(self) -> object:
        return self.tokens.for_calendar(
            lambda token: self.api.calendar(SERVICES, [OFFICE], START, END, captcha_token=token), needed=True
        )

    def refused(self) -> CaptchaUnavailable:
        with pytest.raises(CaptchaUnavailable) as caught:
            self.token()
        return caught.value

    def calls(self, path: str) -> int:
        return sum(request.path.strip("/").endswith(path) for request in self.world.requests)

    def row(self) -> CaptchaToken:
        return CaptchaToken.objects.get(site=SITE)


@pytest.fixture
def office() -> Iterator[Office]:
    with Simulators(0) as simulators:
        yield Office(simulators)


@pytest.mark.parametrize(
    "kind", ["captcha_down", "maintenance", "backend_down", "html_502", "html_200", "empty_body"]
)
def test_no_challenge_means_30_then_60_seconds_and_never_a_loop(office: Office, kind: str) -> None:
    office.world.faults.add(kind, count=2, paths=["captcha-challenge"])
    waits = []

    for _ in range(2):
        error = office.refused()
        assert error.retry_at is not None
        waits.append((error.retry_at - office.clock.now()).total_seconds())
        office.refused()  # in the pause nothing is asked
        office.pass_time(waits[-1])

    assert waits == [30, 60]
    assert office.token()
    assert office.calls("captcha-challenge") == 3


@pytest.mark.parametrize("kind", ["captcha_down", "html_502", "lost_after"])
def test_a_stale_token_serves_while_the_challenge_fails(office: Office, kind: str) -> None:
    first = office.token()
    office.pass_time(260)
    office.world.faults.add(kind, count=None, paths=["captcha-challenge"])

    assert office.token() == first


def test_a_refused_solution_gets_one_new_try_and_then_a_pause(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office.world.captcha, "_solved", lambda document, now: False)

    error = office.refused()

    assert error.reason == "solutionRefused"
    assert (office.calls("captcha-challenge"), office.calls("captcha-verify")) == (2, 2)
    assert office.row().state == "cooldown"


def test_a_challenge_that_ended_while_solving_is_not_handed_in(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = flights.solving.solve

    def slow(*given: object, **options: object) -> object:
        office.pass_time(1300)
        return solve(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(flights.solving, "solve", slow)
    monkeypatch.setattr(flights, "SOLVE_LEASE", timedelta(hours=1))

    assert office.refused().reason == "expired"
    assert (office.calls("captcha-challenge"), office.calls("captcha-verify")) == (2, 0)


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "captcha_down", "truncated_json"])
def test_a_payload_without_an_answer_is_never_posted_again(office: Office, kind: str) -> None:
    office.world.faults.add(kind, paths=["captcha-verify"])

    assert office.token()
    assert office.calls("captcha-challenge") == 2
    assert len(office.world.captcha.used) <= 2


def test_an_expired_token_is_dropped_and_the_call_repeated_once(office: Office) -> None:
    office.calendar()
    office.world.captcha.token_life = -1  # every token from now on is too old at once
    CaptchaToken.objects.update(token=office.world.captcha.token("127.0.0.1", office.world.now()))
    office.world.captcha.token_life = 300

    assert office.calendar()
    assert (office.calls("captcha-challenge"), office.calls("available-calendar")) == (2, 3)


def test_tokens_that_stay_invalid_block_the_site(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office.world.captcha, "token_problem", lambda *given: "captchaInvalid")

    with pytest.raises(errors.CaptchaRejected):
        office.calendar()

    assert office.row().state == "blocked"
    assert office.refused().reason == "blocked"


def test_a_changed_address_is_no_reason_to_block(office: Office) -> None:
    office.calendar()
    office.session.headers["X-Forwarded-For"] = "203.0.113.9"  # as if our network had got another address

    assert office.calendar()
    assert office.row().state == "valid"


def test_an_office_that_has_begun_to_ask_gets_a_token(office: Office) -> None:
    found = office.tokens.for_calendar(
        lambda token: office.api.calendar(SERVICES, [OFFICE], START, END, captcha_token=token), needed=False
    )

    assert found
    assert office.calls("captcha-challenge") == 1


@pytest.mark.parametrize("path", ["captcha-challenge", "captcha-verify"])
def test_being_asked_to_slow_down_pauses_at_least_a_minute(office: Office, path: str) -> None:
    office.world.faults.add("rate_limited", count=2, paths=[path])

    error = office.refused()

    assert error.retry_at is not None
    assert error.retry_at - office.clock.now() >= timedelta(seconds=60)


def test_a_solver_over_its_time_pauses_a_minute_and_is_then_left_to_people(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.world.captcha.ladder = ((1, 50_000),)
    monkeypatch.setattr(flights, "check_bounds", lambda *given, **options: timedelta(seconds=0.05))

    error = office.refused()
    assert error.retry_at is not None
    pause = error.retry_at - office.clock.now()
    office.clock.advance(pause)

    assert pause == timedelta(minutes=1)
    with pytest.raises(HumanNeeded):
        office.token()
    assert office.row().state == "needs_human"


@pytest.mark.parametrize("spoil", ["extra", "algorithm"])
def test_an_unknown_shape_needs_a_person_and_is_kept_without_values(office: Office, spoil: str) -> None:
    if spoil == "extra":
        office.world.captcha.extra = {"codeChallenge": {"image": "secret"}}
    else:
        office.world.captcha.version, office.world.captcha.algorithm = 1, "SHA3-256"
        office.world.captcha._hash = lambda text: "ab" * 32  # type: ignore[method-assign]
        office.world.captcha._old_signature = lambda text: "cd" * 32  # type: ignore[method-assign]

    with pytest.raises(HumanNeeded):
        office.token()

    assert office.row().state == "needs_human"
    assert office.row().unknown_shape
    assert "secret" not in office.row().unknown_shape


@pytest.mark.parametrize("ampersand", [True, False])
@pytest.mark.parametrize("algorithm", ["SHA-1", "SHA-256", "SHA-384", "SHA-512"])
def test_an_older_city_gives_tokens_too(office: Office, algorithm: str, ampersand: bool) -> None:
    desk = office.world.captcha
    desk.version, desk.algorithm, desk.final_ampersand = 1, algorithm, ampersand
    desk.ladder = ((1, 500),)

    assert office.calendar()
    assert office.row().provider == "altcha-v1"


def test_challenges_ten_times_as_dear_raise_one_alarm(office: Office) -> None:
    heard: list[float] = []

    def hear(ratio: float, **about: object) -> None:
        heard.append(ratio)

    cost_rose.connect(hear, dispatch_uid="test")
    office.world.captcha.ladder = ((1, 5), (2, 50))

    try:
        for _ in range(3):
            office.token()
            office.pass_time(256)
    finally:
        cost_rose.disconnect(dispatch_uid="test")

    assert heard == [10.0]
    assert services.cost_alarm(SITE, office.clock.now()) == 10.0
    assert services.cost_alarm(SITE, office.clock.now() + timedelta(hours=1)) is None


def test_nothing_secret_is_logged_on_the_whole_way(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    office.world.faults.add("lost_after", paths=["captcha-verify"])
    office.calendar()
    token = office.row().token
    for code in ("captchaExpired", "captchaInvalid", "captchaInvalid"):
        services.discard_token(SITE, code, office.clock.now())
        if code != "captchaInvalid":
            office.token()

    assert token not in caplog.text
    assert token.split(".")[2] not in caplog.text
    assert "eyJ" not in caplog.text
