"""The older captcha: told by its details, its solution taken once and handed to the reservation."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from captcha import solutions
from captcha.errors import CaptchaUnavailable, CityPageNeeded, TransportFailed
from captcha.friendly_client import FriendlyApi, variant_of
from captcha.models import CaptchaToken
from termin_project.sandbox.mount import WsgiAdapter

PUZZLE = json.loads((Path(__file__).parent / "genuine_puzzles.json").read_text())["friendly"][2]
# Within the life of the stored puzzle.
NOW = datetime.fromtimestamp(1796108400, UTC) + timedelta(minutes=1)
BASE = "http://city.test/city/api/citizen"
DETAILS = {
    "siteKey": "FCMTESTKEY",
    "captchaEndpoint": "https://x/verify",
    "puzzle": "https://friendly.test/puzzle",
}


def api(body: object, status: str = "200 OK") -> FriendlyApi:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        assert environ["QUERY_STRING"] == "sitekey=FCMTESTKEY"
        start(status, [("Content-Type", "application/json")])
        return [body if isinstance(body, bytes) else json.dumps(body).encode()]

    session = requests.Session()
    session.mount("https://friendly.test/", WsgiAdapter(app))
    return FriendlyApi(session, DETAILS, base_url=BASE)


def test_the_details_tell_the_variants_apart() -> None:
    assert variant_of(DETAILS) == "friendly"
    assert variant_of({"siteKey": "a", "captchaChallenge": "x", "captchaVerify": "y"}) == "altcha"
    assert variant_of({"siteKey": "a", "captchaEnabled": False}) == ""


@pytest.mark.django_db
def test_a_solution_is_taken_once(settings: Any) -> None:
    settings.CAPTCHA_FRIENDLY = True
    city = api({"data": {"puzzle": PUZZLE["puzzle"]}})

    first = solutions.take_solution(city, site="friendly", mode="auto", now=NOW)

    assert first.split(".")[2] == PUZZLE["answer"]
    assert first.rpartition(".")[0].startswith(PUZZLE["puzzle"])
    row = CaptchaToken.objects.get(site="friendly")
    assert (row.token, row.state, row.provider) == ("", "absent", "friendly-v1")


@pytest.mark.django_db
def test_it_is_left_to_people_unless_the_operator_allows_it() -> None:
    with pytest.raises(CityPageNeeded):
        solutions.take_solution(
            api({"data": {"puzzle": PUZZLE["puzzle"]}}), site="friendly", mode="auto", now=NOW
        )


@pytest.mark.django_db
def test_a_server_that_fails_is_left_in_peace_for_a_while(settings: Any) -> None:
    settings.CAPTCHA_FRIENDLY = True
    with pytest.raises(CaptchaUnavailable):
        solutions.take_solution(api({}, "500 Broken"), site="friendly", mode="auto", now=NOW)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", [], {"data": None}, {"data": {"puzzle": 5}}, {"data": {"puzzle": ""}}]
)
def test_an_answer_without_a_puzzle_is_a_failed_call(body: object) -> None:
    with pytest.raises(TransportFailed):
        api(body).challenge()


def test_a_puzzle_where_the_api_is_may_come_as_the_api_does() -> None:
    assert FriendlyApi(
        requests.Session(), {**DETAILS, "puzzle": "http://city.test/friendly/puzzle"}, base_url=BASE
    )


@pytest.mark.parametrize(
    "changes", [{"puzzle": None}, {"siteKey": None}, {"puzzle": "http://elsewhere.test/p"}]
)
def test_details_that_lead_nowhere_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="puzzle"):
        FriendlyApi(requests.Session(), {**DETAILS, **changes}, base_url=BASE)
