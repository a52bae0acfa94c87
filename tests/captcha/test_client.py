"""The captcha routes: errors come with 200, and a solution whose answer is lost is never sent again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from captcha.client import CaptchaApi
from captcha.errors import NotAdmitted, SolutionRefused, TransportFailed, VerifyUnknown
from tests.captcha.desk import Desk, OpenGate, api_for

DOWN = {"meta": {"success": False, "error": "cURL error 7"}, "data": None}
LIMITED = {"errors": [{"errorCode": "rateLimitExceeded", "statusCode": 429}]}

UNUSABLE: list[tuple[Any, str]] = [
    ((200, DOWN), "serviceDown"),
    ((200, "null"), "notUnderstood"),
    ((200, ""), "notUnderstood"),
    ((200, "<html>busy</html>"), "notUnderstood"),
    ((200, '{"parameters": {"cost":'), "notUnderstood"),
    ((200, []), "notUnderstood"),
    ((200, {"errors": []}), "notUnderstood"),
    ((200, {"errors": [{"errorCode": "internalError"}]}), "internalError"),
    ((200, "[" * 100_000), "notUnderstood"),
    ((200, '"' + "x" * 100_000 + '"'), "notUnderstood"),
    ((302, {}), "notUnderstood"),
    ((400, {"status": 400, "error": "Bad Request"}), "notUnderstood"),
    ((404, {"errors": [{"errorCode": "notFound"}]}), "notFound"),
    ((500, {"error": {"message": "An internal error has occurred.", "code": 0}}), "serverError"),
    ((502, "<html>bad gateway</html>"), "serverError"),
    ((503, {"errors": [{"errorCode": "serviceUnavailable"}]}), "serviceUnavailable"),
    (requests.ReadTimeout(), "timeout"),
    (requests.ConnectTimeout(), "timeout"),
    (requests.ConnectionError(), "connectionFailed"),
]


def test_a_solved_challenge_becomes_a_token(api: CaptchaApi, desk: Desk) -> None:
    from captcha.providers import AltchaV2

    provider = AltchaV2()
    challenge = provider.parse(api.challenge())

    token = api.verify(provider.payload(challenge, provider.solve(challenge, limit=timedelta(seconds=20))))

    assert token.count(".") == 2
    assert len(desk.used) == 1


def test_the_details_say_whether_the_captcha_is_on(api: CaptchaApi) -> None:
    assert api.details()["captchaEnabled"] is True


@pytest.mark.parametrize(("fault", "reason"), UNUSABLE)
def test_an_unusable_answer_for_a_challenge_is_a_failed_call(
    desk: Desk, api: CaptchaApi, fault: Any, reason: str
) -> None:
    desk.faults["challenge"] = [fault]

    with pytest.raises(TransportFailed) as caught:
        api.challenge()

    assert caught.value.reason == reason
    assert not isinstance(caught.value, VerifyUnknown)


@pytest.mark.parametrize(("fault", "reason"), UNUSABLE)
def test_an_unusable_answer_to_a_solution_leaves_its_outcome_unknown(
    desk: Desk, api: CaptchaApi, fault: Any, reason: str
) -> None:
    desk.faults["verify"] = [fault]

    with pytest.raises(VerifyUnknown) as caught:
        api.verify("cGF5bG9hZA==")

    assert caught.value.reason == reason
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        {"meta": {"success": True}, "data": {"valid": True}},
        {"meta": {"success": True}, "data": {"valid": True}, "token": ""},
        {"meta": {"success": True}, "data": {"valid": True}, "token": 5},
        {"meta": {"success": True}, "data": {"valid": True}, "token": "x" * 5000},
        {"meta": {"success": 1}, "data": {"valid": True}, "token": "x"},
        {"meta": None, "data": {"valid": True}, "token": "x"},
        {"meta": {"success": True}, "data": None, "token": "x"},
        {"token": "x"},
    ],
)
def test_a_token_counts_only_with_all_three_signs_of_success(desk: Desk, api: CaptchaApi, body: Any) -> None:
    desk.faults["verify"] = [(200, body)]

    with pytest.raises(VerifyUnknown):
        api.verify("cGF5bG9hZA==")


def test_a_refused_solution_is_told_apart_from_a_broken_service(desk: Desk, api: CaptchaApi) -> None:
    refused = {"meta": {"success": False, "error": "Captcha verification failed"}, "data": {"valid": False}}
    desk.faults["verify"] = [(200, refused), (200, DOWN)]

    with pytest.raises(SolutionRefused):
        api.verify("cGF5bG9hZA==")
    with pytest.raises(VerifyUnknown):
        api.verify("cGF5bG9hZA==")


@pytest.mark.parametrize(
    ("header", "seconds"), [({}, 60), ({"Retry-After": "7"}, 60), ({"Retry-After": "90"}, 90)]
)
def test_a_refusal_for_too_many_calls_lasts_a_minute_or_longer(
    desk: Desk, api: CaptchaApi, header: dict[str, str], seconds: int
) -> None:
    desk.faults["challenge"] = [(429, LIMITED, header)]

    with pytest.raises(TransportFailed) as caught:
        api.challenge()

    assert caught.value.retry_after == timedelta(seconds=seconds)


def test_a_closed_gate_keeps_the_call_in(desk: Desk) -> None:
    class Closed(Exception):
        retry_at = datetime(2026, 11, 23, 10, tzinfo=UTC)

    class ClosedGate(OpenGate):
        def admit(self, kind: str) -> Any:
            raise Closed

    with pytest.raises(NotAdmitted) as caught:
        api_for(desk, ClosedGate()).challenge()

    assert caught.value.retry_at == Closed.retry_at
    assert desk.challenges == 0


def test_every_call_passes_the_gate_and_reports_what_it_was(desk: Desk) -> None:
    gate = OpenGate()
    api = api_for(desk, gate)
    desk.faults["challenge"] = [(200, DOWN)]

    with pytest.raises(TransportFailed):
        api.challenge()
    api.details()

    assert gate.kinds == ["captcha", "captcha"]
    assert len(gate.codes) == 2
