"""What guarded calls bring along: which captcha the city has, found out once and corrected by refusals."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.services.tokens import Proof, TokenSource
from appointments.upstream.errors import CaptchaMissing, CaptchaRejected
from captcha import human, services, solutions, variants
from captcha.errors import CaptchaUnavailable, CityPageNeeded
from captcha.models import CaptchaToken
from termin_project.sandbox.city.releases import Release
from tests.conftest import Office

pytestmark = pytest.mark.django_db


@pytest.fixture
def tokens(office: Office) -> TokenSource:
    """At the newest city; tests move it to an older one."""
    return office.desk.tokens


def friendly(office: Office, settings: Any, *, allowed: bool = True) -> TokenSource:
    settings.CAPTCHA_FRIENDLY = allowed
    office.munich.release = Release.of(tag=23)
    return office.desk.tokens


def calls(office: Office, endpoint: str) -> int:
    return sum(request.path.strip("/") == endpoint for request in office.munich.requests)


def sent_for(tokens: TokenSource) -> Proof:
    return tokens.for_reservation(lambda proof: proof, needed=True)


def row() -> CaptchaToken:
    return CaptchaToken.objects.get(site="test")


def test_nothing_is_asked_where_nothing_is_needed(office: Office, tokens: TokenSource) -> None:
    before = len(office.munich.requests)

    assert tokens.for_calendar(lambda token: token, needed=False) == ""
    assert tokens.for_reservation(lambda proof: proof, needed=False) == Proof()
    assert len(office.munich.requests) == before


def test_a_reservation_at_a_city_with_altcha_reads_its_token_with_two_queries(tokens: TokenSource) -> None:
    token = tokens.for_calendar(lambda token: token, needed=True)

    with CaptureQueriesContext(connection) as queries:
        sent = sent_for(tokens)

    assert sent == Proof(token=token)
    assert len(queries) == 2


def test_a_reservation_does_not_wait_for_a_finding_to_be_renewed(office: Office, tokens: TokenSource) -> None:
    tokens.for_calendar(lambda token: token, needed=True)
    office.advance(days=2)

    assert sent_for(tokens).token
    assert calls(office, "captcha-details") == 1
    assert tokens.for_calendar(lambda token: token, needed=True)
    assert calls(office, "captcha-details") == 2


def test_a_solution_goes_to_one_reservation_and_no_calendar(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)

    first, second = sent_for(tokens), sent_for(tokens)

    assert len({first.solution, second.solution, ""}) == 3
    assert (first.token, second.token) == ("", "")
    assert tokens.for_calendar(lambda token: token, needed=True) == ""
    assert office.munich.puzzles.issued == 2


def test_proofs_are_not_shown(office: Office, settings: Any) -> None:
    proof = sent_for(friendly(office, settings))

    assert proof.solution not in repr(proof)


def test_a_calendar_that_wants_a_token_all_the_same_is_asked_once_more_at_most(
    office: Office, settings: Any
) -> None:
    tokens = friendly(office, settings)
    asked: list[str] = []

    def ask(token: str) -> str:
        asked.append(token)
        raise CaptchaMissing("captchaMissing", 400)

    with pytest.raises(CaptchaMissing):
        tokens.for_calendar(ask, needed=True)
    assert asked == [""]
    assert calls(office, "captcha-details") == 2


def test_a_second_refusal_is_not_followed_by_a_third_try(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)
    asked: list[Proof] = []

    def ask(proof: Proof) -> str:
        asked.append(proof)
        raise CaptchaRejected("captchaVerificationFailed", 400)

    with pytest.raises(CaptchaUnavailable) as caught:
        tokens.for_reservation(ask, needed=True)
    assert (len(asked), caught.value.reason) == (2, "solutionRefused")
    assert caught.value.retry_at == office.now() + timedelta(minutes=1)
    with pytest.raises(CaptchaUnavailable):
        tokens.for_reservation(ask, needed=True)
    assert len(asked) == 2


def test_a_city_that_cannot_check_is_given_more_time_each_time(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)
    pauses = []

    def ask(proof: Proof) -> str:
        raise CaptchaRejected("captchaVerificationError", 400)

    for _ in range(3):
        with pytest.raises(CaptchaUnavailable) as caught:
            tokens.for_reservation(ask, needed=True)
        assert caught.value.retry_at is not None
        pauses.append((caught.value.retry_at - office.now()).total_seconds())
        office.munich.clock.advance(timedelta(seconds=pauses[-1]))

    assert pauses == [30, 60, 60]
    assert row().cooldowns == 1


def test_without_leave_of_the_operator_no_puzzle_is_fetched(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings, allowed=False)

    with pytest.raises(CityPageNeeded):
        sent_for(tokens)
    assert office.munich.puzzles.issued == 0


def test_details_that_lead_nowhere_leave_it_to_the_citys_page(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)
    sent_for(tokens)
    CaptchaToken.objects.update(variant_details={"siteKey": "k", "puzzle": "http://elsewhere.test/p"})

    with pytest.raises(CityPageNeeded):
        sent_for(tokens)


def test_routes_that_are_named_and_missing_are_not_asked_after_again_and_again(
    office: Office, tokens: TokenSource
) -> None:
    office.munich.faults.add("error", None, ["captcha-challenge"], code="notFound", status=404)
    sent = []
    for _ in range(10):
        with pytest.raises(CaptchaUnavailable):
            sent.append(tokens.for_calendar(lambda token: token, needed=True))
        office.advance(seconds=1)

    assert not sent
    assert (calls(office, "captcha-challenge"), calls(office, "captcha-details")) == (1, 1)


def test_a_city_without_details_is_taken_for_one_with_altcha_and_asked_again(
    office: Office, tokens: TokenSource
) -> None:
    office.munich.faults.add("error", 1, ["captcha-details"], code="internalError")

    assert tokens.for_calendar(lambda token: token, needed=True)
    office.advance(minutes=11)
    assert tokens.for_calendar(lambda token: token, needed=True)
    assert calls(office, "captcha-details") == 2


def test_a_token_that_came_with_an_appointment_is_no_solution(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)
    tokens.for_calendar(lambda token: token, needed=True)

    tokens.offer("a.token.of altcha")

    assert row().token == ""


def test_what_altcha_left_behind_is_forgotten_when_the_city_changes(office: Office, settings: Any) -> None:
    tokens = office.desk.tokens
    tokens.for_calendar(lambda token: token, needed=True)
    solutions.solutions_refused("test", office.now())
    assert row().cooldown_until is not None
    friendly(office, settings)
    variants.doubt("test")

    assert sent_for(tokens).solution
    assert (row().cooldown_until, row().cooldowns) == (None, 0)


def test_a_change_of_the_city_lifts_no_block(office: Office, settings: Any) -> None:
    tokens = friendly(office, settings)
    services.block("test", office.now())

    with pytest.raises(CaptchaUnavailable) as caught:
        sent_for(tokens)
    assert (caught.value.reason, row().state) == ("blocked", "blocked")


@pytest.mark.parametrize("known", [True, False])
def test_our_page_sends_people_to_the_citys_own(office: Office, settings: Any, known: bool) -> None:
    tokens = friendly(office, settings)
    if known:
        tokens.for_calendar(lambda token: token, needed=True)
    secret = human.issue_ticket("test", "telegram:1", language="de", now=office.now())
    ticket = human.ticket_of(secret, office.now())

    with pytest.raises(human.PageRefused) as caught:
        human.challenge_for(ticket, tokens.transport, office.now())
    assert caught.value.reason == "elsewhere"
