"""The schemes we can answer, in the order they are tried. What none of them knows is for a person.

Bounds come before hashing: a challenge is somebody else's number, and an unbounded one would eat the machine.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from captcha import proof_of_work
from captcha.errors import HumanNeeded, SolveAborted
from captcha.types import Challenge, Provider, Solution, Work

LARGEST_DOCUMENT = 16 * 1024
MOST_EXPECTED_HASHES = 200_000_000
LONGEST_SOLVE = timedelta(seconds=60)
SPARE_TIME = timedelta(seconds=30)
MOST_ATTEMPTS = 1_000_000
"""Counters tried where the work cannot be told in advance (a long prefix means the server knows the answer)."""

P99_OF_MEAN = 4.605
"""The number of tries is geometric: 99 of 100 need less than ln(100) times the mean."""


class AltchaV2:
    """ALTCHA proof of work v2 with iterated SHA-256: what the city's captcha service issues since June 2026.

    Source: ALTCHA documentation, "Proof-of-Work Captcha v2"; GET /captcha-challenge/
    """

    name = "altcha-v2"

    _MEMBERS = frozenset({"parameters", "signature"})
    _PARAMETERS = frozenset(
        {
            "algorithm",
            "nonce",
            "salt",
            "cost",
            "memoryCost",
            "parallelism",
            "keyLength",
            "keyPrefix",
            "keySignature",
            "expiresAt",
            "data",
        }
    )

    def match(self, document: object) -> bool:
        if not isinstance(document, dict) or set(document) != self._MEMBERS:
            return False
        parameters = document["parameters"]
        return (
            isinstance(document["signature"], str)
            and isinstance(parameters, dict)
            and set(parameters) <= self._PARAMETERS
            and parameters.get("algorithm") == "SHA-256"
            and parameters.get("memoryCost") is None
            and parameters.get("parallelism") is None
        )

    def parse(self, document: Mapping[str, Any]) -> Challenge:
        if len(json.dumps(document)) > LARGEST_DOCUMENT:
            raise HumanNeeded("tooLarge")
        parameters = document["parameters"]
        length, expires = parameters.get("keyLength"), parameters.get("expiresAt")
        prefix = parameters.get("keyPrefix")
        key_length = _whole(32 if length is None else length, 1, 64, "keyLength")
        if not isinstance(prefix, str) or not re.fullmatch(r"[0-9a-fA-F]{1,128}", prefix):
            raise HumanNeeded("keyPrefix")
        if len(prefix) > 2 * min(key_length, 32):
            raise HumanNeeded("keyPrefix")
        return Challenge(
            document=document,
            nonce=_hex(parameters.get("nonce"), "nonce"),
            salt=_hex(parameters.get("salt"), "salt"),
            cost=_whole(parameters.get("cost"), 1, MOST_EXPECTED_HASHES, "cost"),
            key_length=key_length,
            key_prefix=prefix,
            expires_at=None if expires is None else _instant(expires),
        )

    def work(self, challenge: Challenge) -> Work:
        if len(challenge.key_prefix) > 8:
            return Work(None, None)
        mean = 16 ** len(challenge.key_prefix) * challenge.cost
        return Work(mean, round(mean * P99_OF_MEAN))

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        began = time.monotonic()
        found = proof_of_work.find_key(
            challenge.nonce,
            challenge.salt,
            challenge.cost,
            challenge.key_length,
            challenge.key_prefix,
            attempts=MOST_ATTEMPTS if len(challenge.key_prefix) > 8 else proof_of_work.LAST_COUNTER + 1,
            deadline=began + limit.total_seconds(),
            cancelled=cancelled,
        )
        if found is None:
            raise SolveAborted("solveAborted")
        return Solution(found.counter, found.key.hex(), timedelta(seconds=time.monotonic() - began))

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        took = round(solution.took / timedelta(milliseconds=1))
        answer = {
            "challenge": challenge.document,  # as it came, nulls included: the signature was made without knowing us
            "solution": {"counter": solution.counter, "derivedKey": solution.derived_key, "time": took},
        }
        return base64.b64encode(json.dumps(answer, separators=(",", ":")).encode()).decode()


PROVIDERS: tuple[Provider, ...] = (AltchaV2(),)


def provider_for(document: object, providers: Sequence[Provider] = PROVIDERS) -> Provider:
    """The first provider that knows this challenge. Raises `HumanNeeded` with the shape of an unknown one."""
    for provider in providers:
        if provider.match(document):
            return provider
    raise HumanNeeded("unknownScheme", shape=shape_of(document))


def check_bounds(challenge: Challenge, work: Work, *, now: datetime, rate: float) -> timedelta:
    """How long solving may take at `rate` hashes per second. Raises `HumanNeeded` for what is too much for us."""
    predicted = LONGEST_SOLVE
    if work.expected is not None and work.p99 is not None:
        predicted = timedelta(seconds=min(work.p99 / rate, 1e6))
        if work.expected > MOST_EXPECTED_HASHES or predicted > LONGEST_SOLVE:
            raise HumanNeeded("tooMuchWork")
    if challenge.expires_at is not None and challenge.expires_at - now < predicted + SPARE_TIME:
        raise HumanNeeded("tooLittleTime")
    return LONGEST_SOLVE


def shape_of(document: object) -> str:
    """The names of the fields of a challenge, two levels deep, without values."""
    if not isinstance(document, dict):
        return type(document).__name__
    names = []
    for name, value in list(document.items())[:20]:
        if re.fullmatch(r"[A-Za-z]{1,30}", str(name)):
            inner = sorted(str(each)[:30] for each in value)[:20] if isinstance(value, dict) else []
            names.append(f"{name}({' '.join(inner)})" if inner else str(name))
    return " ".join(names)[:300]


def _whole(value: object, least: int, most: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise HumanNeeded(name)
    return value


def _hex(value: object, name: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,256}", value):
        raise HumanNeeded(name)
    return bytes.fromhex(value)


def _instant(value: object) -> datetime:
    return datetime.fromtimestamp(_whole(value, 1_420_070_400, 4_102_444_800, "expiresAt"), UTC)
