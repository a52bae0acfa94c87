import base64
import copy
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import altcha
import altcha.v1
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captcha import solving
from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers import (
    WITH_FRIENDLY,
    AltchaV1,
    AltchaV2,
    FriendlyV1,
    Human,
    check_bounds,
    page_can_show,
    provider_for,
)
from captcha.types import Challenge
from tests.captcha.desk import NULLS, Clock, Desk

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RATE = 2_500_000.0
# Made once with the vendors' own JavaScript solvers, which the file names.
STORED = json.loads((Path(__file__).parent / "genuine_puzzles.json").read_text())


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


def v1_document() -> dict[str, Any]:
    return {
        "algorithm": "SHA-256",
        "challenge": "ab" * 32,
        "salt": "0123?expires=1798790400",
        "maxnumber": 1000,
        "signature": "cd" * 32,
    }


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
        document(memoryCost=1024),
        document(newMember=1),
        document(algorithm="SHA-1"),
        {"algorithm": "MD5", "challenge": "ab", "salt": "cd", "maxnumber": 5, "signature": "ef"},
        {**v1_document(), "his": {}},
        {**v1_document(), "maxNumber": 5},
        {"puzzle": "ab.cd"},
        {"parameters": document()["parameters"]},
    ],
)
def test_every_other_scheme_is_for_a_person(strange: Any) -> None:
    provider = provider_for(strange)

    assert provider.name == "human"
    with pytest.raises(HumanNeeded):
        provider.parse(strange)


def test_an_unknown_scheme_is_described_without_its_values() -> None:
    with pytest.raises(HumanNeeded) as caught:
        Human().parse({"puzzle": "secret-value", "options": {"level": "secret-too"}})

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
        {"algorithm": "SCRYPT", "cost": 1000},
        {"algorithm": "SCRYPT", "cost": 2**16, "memoryCost": 16},
        {"algorithm": "SCRYPT", "cost": 2, "parallelism": 0},
        {"algorithm": "SHA-384", "keyPrefix": "0" * 98, "keyLength": 64},
    ],
)
def test_a_challenge_out_of_bounds_is_never_hashed(changes: dict[str, Any]) -> None:
    with pytest.raises(HumanNeeded):
        AltchaV2().parse(document(**changes))


def test_a_document_too_large_to_look_at_is_for_a_person() -> None:
    with pytest.raises(HumanNeeded):
        provider_for(document(data={"x": "y" * 20_000}))


@pytest.mark.parametrize(
    "changes",
    [
        {"maxnumber": 20_000_001},
        {"maxnumber": 0},
        {"maxnumber": "5"},
        {"challenge": "ab" * 20},
        {"challenge": "xy" * 32},
        {"salt": ""},
        {"salt": "a" * 2000},
        {"salt": "ab?expires=soon"},
        {"salt": "ab?expires=99999999999"},
        {"salt": "\ud800"},
    ],
)
def test_an_old_challenge_out_of_bounds_is_never_hashed(changes: dict[str, Any]) -> None:
    given = {**v1_document(), **changes}

    with pytest.raises(HumanNeeded):
        AltchaV1().parse(given)


def test_an_old_challenge_without_a_largest_number_goes_up_to_a_million() -> None:
    given = v1_document()
    del given["maxnumber"]

    assert AltchaV1().work(AltchaV1().parse(given)).p99 == 1_000_001


@pytest.mark.parametrize(
    "salt", ["ab?expires=1798790400", "ab?expires=1798790400&", "ab?expire=1798790400&k=v"]
)
def test_the_salt_of_an_old_challenge_tells_its_end_and_comes_back_as_it_was(salt: str) -> None:
    challenge = AltchaV1().parse({**v1_document(), "salt": salt})

    assert challenge.expires_at == datetime.fromtimestamp(1798790400, UTC)
    assert challenge.salt == salt.encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:31],
        lambda raw: raw + bytes(40),
        lambda raw: raw[:12] + b"\2" + raw[13:],
        lambda raw: raw[:14] + b"\0" + raw[15:],
        lambda raw: b"\0" * 4 + raw[4:],
    ],
)
def test_a_friendly_puzzle_out_of_bounds_is_never_hashed(spoil: Callable[[bytes], bytes]) -> None:
    raw = base64.b64decode(STORED["friendly"][0]["puzzle"].split(".")[1])
    puzzle = {"puzzle": f"abc.{base64.b64encode(spoil(raw)).decode()}"}

    with pytest.raises(HumanNeeded):
        FriendlyV1().parse(puzzle)


def test_a_friendly_puzzle_is_left_to_people_unless_the_operator_allows_it() -> None:
    puzzle = {"puzzle": STORED["friendly"][0]["puzzle"]}

    assert provider_for(puzzle).name == "human"
    assert provider_for(puzzle, WITH_FRIENDLY).name == "friendly-v1"
    assert provider_for({"puzzle": ".UNSTARTED"}, WITH_FRIENDLY).name == "human"


def test_a_real_friendly_puzzle_of_production_size_is_within_bounds() -> None:
    raw = bytearray(base64.b64decode(STORED["friendly"][0]["puzzle"].split(".")[1]))
    raw[14], raw[15] = 48, 163

    work = FriendlyV1().work(FriendlyV1().parse({"puzzle": f"a.{base64.b64encode(raw).decode()}"}))

    assert work.expected is not None
    assert 60_000_000 < work.expected < 70_000_000


@pytest.mark.parametrize(
    "stored", STORED["friendly"], ids=lambda each: f"{each['solutions']}x{each['difficulty']}"
)
def test_genuine_friendly_puzzles_get_the_answer_the_vendors_solver_gives(stored: dict[str, Any]) -> None:
    provider = FriendlyV1()
    challenge = provider.parse({"puzzle": stored["puzzle"]})

    solution = provider.solve(challenge, limit=timedelta(seconds=20))

    signature, puzzle, solutions, diagnostics = provider.payload(challenge, solution).split(".")
    assert solutions == stored["answer"]
    assert f"{signature}.{puzzle}" == stored["puzzle"]
    assert base64.b64decode(diagnostics)[0] == 0


@pytest.mark.parametrize("stored", STORED["altcha_v1"], ids=lambda each: each["challenge"]["algorithm"])
def test_old_challenges_of_the_javascript_library_get_its_number(stored: dict[str, Any]) -> None:
    provider = provider_for(stored["challenge"])
    challenge = provider.parse(stored["challenge"])

    solution = provider.solve(challenge, limit=timedelta(seconds=20))

    assert provider.name == "altcha-v1"
    assert solution.answer == {"number": stored["number"]}


@settings(max_examples=60, deadline=None)
@given(
    algorithm=st.sampled_from(["SHA-1", "SHA-256", "SHA-512"]),
    most=st.integers(1, 3000),
    share=st.floats(0, 1),
    salt=st.sampled_from(["", "ab?expires=1798790400", "cd?expires=1798790400&", "ä?k=v&"]),
)
def test_an_old_challenge_gets_the_number_the_official_library_finds(
    algorithm: Any, most: int, share: float, salt: str
) -> None:
    salt, number = salt or "ef", round(most * share)
    wanted = altcha.v1.hash_hex(algorithm, f"{salt}{number}".encode())
    given = {"algorithm": algorithm, "challenge": wanted, "maxnumber": most, "salt": salt, "signature": "x"}
    provider = AltchaV1()

    solution = provider.solve(provider.parse(given), limit=timedelta(seconds=20))

    theirs = altcha.v1.solve_challenge(wanted, salt, algorithm, most)
    assert theirs is not None
    assert solution.answer["number"] == theirs.number == number


@settings(max_examples=40, deadline=None)
@given(
    algorithm=st.sampled_from(
        ["SHA-384", "SHA-512", "PBKDF2/SHA-256", "PBKDF2/SHA-384", "PBKDF2/SHA-512", "SCRYPT"]
    ),
    cost=st.sampled_from([2, 4, 16]),
    prefix=st.sampled_from(["0", "00", "a", "F"]),
    length=st.integers(2, 64),
)
def test_every_key_derivation_finds_what_the_official_library_finds(
    algorithm: str, cost: int, prefix: str, length: int
) -> None:
    memory = {}
    if algorithm == "SCRYPT":
        memory, cost = {"memory_cost": 2, "parallelism": 2}, 16
    issued = altcha.create_challenge(
        algorithm, cost, key_prefix=prefix, key_length=length, hmac_secret="k", **memory
    )
    provider = AltchaV2()
    theirs = altcha.solve_challenge(issued)

    ours = provider.solve(provider.parse(issued.to_dict()), limit=timedelta(seconds=20))

    assert theirs is not None
    assert ours.answer == {"counter": theirs.counter, "derivedKey": theirs.derived_key}


def test_a_task_of_some_length_is_solved_beside_this_process() -> None:
    challenge = AltchaV2().parse(document())

    solution = solving.solve(AltchaV2(), challenge, limit=timedelta(seconds=20), rate=RATE)

    assert solution.answer["derivedKey"].startswith("00")
    assert solution.answer == AltchaV2().solve(challenge, limit=timedelta(seconds=20)).answer


def test_solving_beside_is_called_off_within_a_fifth_of_a_second() -> None:
    challenge = AltchaV2().parse(document(keyPrefix="f" * 8))
    began = time.monotonic()

    with pytest.raises(SolveAborted, match="calledOff"):
        solving.solve(
            AltchaV2(),
            challenge,
            limit=timedelta(seconds=20),
            rate=RATE,
            cancelled=lambda: time.monotonic() - began > 0.3,
        )

    assert time.monotonic() - began < 0.8


def test_solving_beside_keeps_its_limit() -> None:
    challenge = AltchaV2().parse(document(keyPrefix="f" * 8))

    with pytest.raises(SolveAborted, match="solveAborted"):
        solving.solve(AltchaV2(), challenge, limit=timedelta(seconds=0.3), rate=RATE)


def test_the_widget_of_our_page_is_shown_what_it_can_solve_and_nothing_else() -> None:
    assert page_can_show(document())
    assert page_can_show(v1_document())
    assert page_can_show(document(algorithm="PBKDF2/SHA-512"))
    assert not page_can_show(document(algorithm="SCRYPT"))
    assert not page_can_show({**document(), "codeChallenge": {"image": "x"}})
    assert not page_can_show({**document(), "his": {"url": "/x"}})
    assert not page_can_show({"puzzle": "ab.cd"})


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
