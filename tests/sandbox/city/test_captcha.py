"""The captcha: genuine ALTCHA challenges, tokens bound to an address."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import altcha
import jwt
import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import MONDAY, PAPERS, TAXI, THURSDAY_9, Citizen, codes, ids

DEADLINE = MONDAY + timedelta(seconds=1200)


def solve(challenge: dict[str, Any]) -> dict[str, Any]:
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(challenge))
    assert solution is not None
    return {"challenge": challenge, "solution": {**solution.to_dict(), "time": 12}}


def packed(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def verify(citizen: Citizen, document: object) -> dict[str, Any]:
    answer = citizen.post("captcha-verify", payload=packed(document))
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture
def challenge(citizen: Citizen) -> dict[str, Any]:
    return citizen.get("captcha-challenge").json()


@pytest.fixture
def token(citizen: Citizen, challenge: dict[str, Any]) -> str:
    return verify(citizen, solve(challenge))["token"]


FAILED = {"meta": {"success": False, "error": "Captcha verification failed"}, "data": {"valid": False}}


def test_the_details_tell_that_it_is_on(citizen: Citizen) -> None:
    assert set(citizen.get("captcha-details").json()) == {
        "siteKey",
        "captchaChallenge",
        "captchaVerify",
        "captchaEnabled",
    }


def test_a_challenge_names_every_member_and_its_nulls(challenge: dict[str, Any]) -> None:
    assert set(challenge) == {"parameters", "signature"}
    parameters = challenge["parameters"]
    assert list(parameters) == [
        "algorithm",
        "nonce",
        "salt",
        "cost",
        "keyLength",
        "keyPrefix",
        "keySignature",
        "memoryCost",
        "parallelism",
        "expiresAt",
        "data",
    ]
    assert (parameters["algorithm"], parameters["keyPrefix"], parameters["keyLength"]) == (
        "SHA-256",
        "00",
        32,
    )
    nulls = ("keySignature", "memoryCost", "parallelism", "data")
    assert [parameters[name] for name in nulls] == [None] * 4
    assert parameters["expiresAt"] == int(DEADLINE.timestamp())


def test_a_solution_earns_a_token_for_this_address_and_five_minutes(citizen: Citizen, token: str) -> None:
    claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
    now = int(MONDAY.timestamp())
    assert claims == {"ip": "127.0.0.1", "iat": now, "exp": now + 300}


def test_a_payload_may_use_the_url_safe_alphabet(citizen: Citizen, challenge: dict[str, Any]) -> None:
    safe = packed(solve(challenge)).replace("+", "-").replace("/", "_").rstrip("=")
    assert citizen.post("captcha-verify", payload=safe).json()["data"] == {"valid": True}


def test_a_solution_counts_only_once(citizen: Citizen, challenge: dict[str, Any]) -> None:
    solved = solve(challenge)
    assert verify(citizen, solved)["meta"] == {"success": True}
    assert verify(citizen, solved) == FAILED


def test_a_solution_too_late_is_refused(citizen: Citizen, challenge: dict[str, Any], clock: Clock) -> None:
    solved = solve(challenge)
    clock.advance(timedelta(seconds=1201))
    assert verify(citizen, solved) == FAILED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda solved: solved["solution"].update(counter=solved["solution"]["counter"] + 1),
        lambda solved: solved["solution"].update(derivedKey="00" * 32),
        lambda solved: solved["solution"].update(counter="7"),
        lambda solved: solved["challenge"]["parameters"].update(cost=1),
        lambda solved: solved["challenge"]["parameters"].update(keyPrefix=""),
        lambda solved: solved["challenge"]["parameters"].update(expiresAt=4_000_000_000),
        lambda solved: solved["challenge"]["parameters"].pop("expiresAt"),
        lambda solved: solved["challenge"].update(signature="0" * 64),
        lambda solved: solved["challenge"].pop("signature"),
        lambda solved: solved.pop("solution"),
        lambda solved: solved.update(challenge=None),
    ],
)
def test_a_tampered_solution_is_refused(
    citizen: Citizen, challenge: dict[str, Any], spoil: Callable[[dict[str, Any]], object]
) -> None:
    solved = solve(challenge)
    spoil(solved)
    assert verify(citizen, solved) == FAILED


def test_a_key_that_lacks_the_prefix_is_refused_even_if_derived_rightly(
    citizen: Citizen, challenge: dict[str, Any]
) -> None:
    parameters = altcha.ChallengeParameters.from_dict(challenge["parameters"])
    salt, nonce = bytes.fromhex(parameters.salt), bytes.fromhex(parameters.nonce)
    for counter in range(10):
        key = altcha.derive_key_sha(parameters, salt, nonce + counter.to_bytes(4, "big"))
        if not key.hex().startswith("00"):
            break
    solved = {"challenge": challenge, "solution": {"counter": counter, "derivedKey": key.hex()}}
    assert verify(citizen, solved) == FAILED


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "No payload provided"),
        ({"payload": ""}, "No payload provided"),
        ({"payload": "%%%"}, "Payload could not be decoded"),
        ({"payload": "aGVsbG8="}, "Invalid JSON in payload"),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_with_status_200(
    citizen: Citizen, fields: dict, error: str
) -> None:
    answer = citizen.post("captcha-verify", **fields)
    assert answer.status_code == 200
    assert answer.json() == {"meta": {"success": False, "error": error}, "data": None}


def test_a_payload_that_is_no_text_crashes_the_city(citizen: Citizen) -> None:
    answer = citizen.post("captcha-verify", payload={"a": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 0)


def test_challenges_grow_dearer_with_every_visit_and_cheap_again_after_half_an_hour(
    citizen: Citizen, clock: Clock
) -> None:
    def cost() -> int:
        return citizen.get("captcha-challenge").json()["parameters"]["cost"]

    assert [cost() for _ in range(21)] == [2] * 9 + [10] * 10 + [20] * 2
    other = Citizen(citizen.world, "10.0.0.9")
    assert other.get("captcha-challenge").json()["parameters"]["cost"] == 2
    clock.advance(timedelta(minutes=31))
    assert cost() == 2


def test_the_first_challenges_of_the_sandbox_cost_a_thousand_rounds() -> None:
    assert CityWorld().captcha.ladder[0] == (1, 1000)


def calendar(citizen: Citizen, **more: object) -> Any:
    return citizen.calendar("2026-11-24", "2026-12-13", officeIds=TAXI, serviceIds=PAPERS, **more)


def test_a_guarded_calendar_wants_a_token(citizen: Citizen, token: str, clock: Clock) -> None:
    assert codes(calendar(citizen)) == ["captchaMissing"]
    assert codes(calendar(citizen, captchaToken="rubbish")) == ["captchaInvalid"]
    assert calendar(citizen, captchaToken=token).status_code == 200
    assert calendar(citizen, captchaToken=token).status_code == 200, "a token can be used again"
    elsewhere = Citizen(citizen.world, "10.1.2.3")
    assert codes(calendar(elsewhere, captchaToken=token)) == ["captchaInvalid"]
    clock.advance(timedelta(seconds=301))
    expired = calendar(citizen, captchaToken=token)
    assert (expired.status_code, codes(expired)) == (400, ["captchaExpired"])
    assert expired.json()["errors"][0]["errorType"] == "error"


def test_a_guarded_office_among_others_guards_the_whole_call(citizen: Citizen) -> None:
    answer = citizen.calendar("2026-11-24", "2026-12-13", officeIds=f"10489,{TAXI}")
    assert codes(answer) == ["captchaMissing"]


def test_a_token_forged_with_another_key_is_refused(citizen: Citizen) -> None:
    forged = jwt.encode({"ip": "127.0.0.1", "exp": 4_000_000_000}, "k" * 64, algorithm="HS256")
    assert codes(calendar(citizen, captchaToken=forged)) == ["captchaInvalid"]


def test_a_guarded_reservation_wants_a_token_in_its_body(
    citizen: Citizen, token: str, world: CityWorld
) -> None:
    world.add_places(TAXI, [PAPERS], THURSDAY_9, places=2)
    assert codes(citizen.reserve(office=TAXI, service=PAPERS)) == ["captchaMissing"]
    wrong = citizen.reserve(office=TAXI, service=PAPERS, captchaToken="x.y.z")
    assert codes(wrong) == ["captchaInvalid"]
    for _ in range(2):
        assert citizen.reserve(office=TAXI, service=PAPERS, captchaToken=token).status_code == 200


def test_reading_and_confirming_hand_out_a_fresh_token_without_a_puzzle(
    citizen: Citizen, token: str, world: CityWorld, clock: Clock
) -> None:
    world.add_places(TAXI, [PAPERS], THURSDAY_9)
    held = citizen.reserve(office=TAXI, service=PAPERS, captchaToken=token).json()
    clock.advance(timedelta(seconds=301))
    fresh = citizen.read(held).json()["captchaToken"]
    assert calendar(citizen, captchaToken=fresh).status_code == 200
    confirmed = citizen.post("confirm-appointment", **ids(held)).json()
    assert calendar(citizen, captchaToken=confirmed["captchaToken"]).status_code == 200


def test_while_the_captcha_service_is_away_challenge_and_verify_answer_200_without_success(
    citizen: Citizen, world: CityWorld
) -> None:
    world.faults.add("captcha_down", count=2)
    for answer in (citizen.get("captcha-challenge"), citizen.post("captcha-verify", payload="x")):
        assert answer.status_code == 200
        assert answer.json()["meta"]["success"] is False
        assert answer.json()["data"] is None
    assert "parameters" in citizen.get("captcha-challenge").json()
