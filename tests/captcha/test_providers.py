import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import pytest

from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers import AltchaV2, check_bounds, provider_for
from captcha.types import Challenge
from tests.captcha.desk import NULLS, Clock, Desk

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RATE = 2_500_000.0


def document(**changes: Any) -> dict[str, Any]:
    parameters = {
        "algorithm": "SHA-256",
        "nonce": "5808c72adc97dfdeb0146f0c24eac1d2",
        "salt": "d065c7a20ad6e4920f567df4",
        "cost": 1000,
        "keyLength": 32,
        "keyPrefix": "00",
        **NULLS,
        "expiresAt": int(NOW.timestamp()) + 1200,
    }
    return {"parameters": {**parameters, **changes}, "signature": "ab" * 32}


def bounded(challenge: Challenge) -> timedelta:
    return check_bounds(challenge, AltchaV2().work(challenge), now=NOW, rate=RATE)


def test_the_citys_challenge_is_known_and_within_bounds() -> None:
    provider = provider_for(document())

    challenge = provider.parse(document())

    assert provider.name == "altcha-v2"
    assert provider.work(challenge).expected == 256_000
    assert bounded(challenge) == timedelta(seconds=60)


@pytest.mark.parametrize(
    "strange",
    [
        None,
        [],
        "text",
        {},
        {**document(), "codeChallenge": {"image": "x"}},
        {**document(), "his": {"url": "/x"}},
        document(algorithm="ARGON2ID"),
        document(algorithm="PBKDF2/SHA-256"),
        document(memoryCost=1024),
        document(newMember=1),
        {"algorithm": "SHA-256", "challenge": "ab", "salt": "cd", "maxnumber": 5, "signature": "ef"},
        {"parameters": document()["parameters"]},
    ],
)
def test_every_other_scheme_is_for_a_person(strange: Any) -> None:
    with pytest.raises(HumanNeeded):
        provider_for(strange)


def test_an_unknown_scheme_is_described_without_its_values() -> None:
    with pytest.raises(HumanNeeded) as caught:
        provider_for({"puzzle": "secret-value", "options": {"level": "secret-too"}})

    assert caught.value.shape == "puzzle options(level)"


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": 0},
        {"cost": -1},
        {"cost": True},
        {"cost": "1000"},
        {"cost": None},
        {"keyLength": 0},
        {"keyLength": 65},
        {"keyPrefix": ""},
        {"keyPrefix": "xyz"},
        {"keyPrefix": None},
        {"keyPrefix": "0" * 10, "keyLength": 4},
        {"nonce": "abc"},
        {"nonce": ""},
        {"salt": None},
        {"salt": "ab" * 1000},
        {"expiresAt": "soon"},
        {"expiresAt": 1_795_424_400_000},
        {"data": {"x": "y" * 20_000}},
    ],
)
def test_a_challenge_out_of_bounds_is_never_hashed(changes: dict[str, Any]) -> None:
    with pytest.raises(HumanNeeded):
        AltchaV2().parse(document(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": 1_000_000},
        {"cost": 200_000_000, "keyPrefix": "0"},
        {"keyPrefix": "00000000"},
        {"expiresAt": int(NOW.timestamp()) + 25},
        {"expiresAt": int(NOW.timestamp()) - 5},
    ],
)
def test_too_much_work_or_too_little_time_is_for_a_person(changes: dict[str, Any]) -> None:
    with pytest.raises(HumanNeeded):
        bounded(AltchaV2().parse(document(**changes)))


def test_a_long_prefix_is_capped_by_time() -> None:
    challenge = AltchaV2().parse(document(keyPrefix="0" * 16))

    with pytest.raises(SolveAborted):
        AltchaV2().solve(challenge, limit=timedelta(seconds=0.05))


def test_the_payload_carries_the_challenge_unchanged_and_passes_the_strict_check() -> None:
    desk = Desk(Clock())
    issued = desk.challenge()
    before = copy.deepcopy(issued)
    provider = AltchaV2()
    challenge = provider.parse(issued)

    payload = provider.payload(challenge, provider.solve(challenge, limit=timedelta(seconds=20)))

    sent = json.loads(base64.b64decode(payload))
    assert sent["challenge"] == before
    assert list(sent["challenge"]["parameters"]) == list(before["parameters"])
    assert isinstance(sent["solution"]["time"], int)
    assert desk.verify(payload)["data"] == {"valid": True}
    assert altcha.Payload.from_base64(payload).solution.counter == sent["solution"]["counter"]
