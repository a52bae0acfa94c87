"""ALTCHA proof of work v2: what the city's captcha service issues since June 2026 (there with iterated SHA-256)."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from captcha import proof_of_work
from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers.reading import hex_bytes, instant, whole
from captcha.types import Challenge, Solution, Work

MOST_COST = 200_000_000
MOST_ATTEMPTS = 1_000_000
"""Counters tried where the work cannot be told in advance (a long prefix means the server knows the answer)."""

LONGEST_COUNTED_PREFIX = 8
MOST_MEMORY = 64 * 1024 * 1024
MOST_LANES = 16
P99_OF_MEAN = 4.605
"""The number of tries is geometric: 99 of 100 need less than ln(100) times the mean."""

DIGEST_LENGTH = {"SHA-256": 32, "SHA-384": 48, "SHA-512": 64}
PBKDF2 = {f"PBKDF2/{name}": name for name in DIGEST_LENGTH}
SCRYPT = "SCRYPT"


@dataclass(frozen=True, slots=True)
class V2Challenge(Challenge):
    """`cost`: rounds, iterations, or scrypt's N. `block` and `lanes` are scrypt's r and p; bytes are decoded hex."""

    algorithm: str
    nonce: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    key_length: int
    key_prefix: str
    block: int = 1
    lanes: int = 1


class AltchaV2:
    """Iterated SHA, PBKDF2 and scrypt. Argon2id is left to people: the standard library has none.

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
        if not isinstance(document["signature"], str) or not isinstance(parameters, dict):
            return False
        algorithm = parameters.get("algorithm")
        if not set(parameters) <= self._PARAMETERS or not isinstance(algorithm, str):
            return False
        if algorithm == SCRYPT:
            return True
        plain = parameters.get("memoryCost") is None and parameters.get("parallelism") is None
        return plain and (algorithm in DIGEST_LENGTH or algorithm in PBKDF2)

    def parse(self, document: Mapping[str, Any]) -> V2Challenge:
        parameters = document["parameters"]
        algorithm = parameters["algorithm"]
        length, expires = parameters.get("keyLength"), parameters.get("expiresAt")
        prefix = parameters.get("keyPrefix")
        key_length = whole(32 if length is None else length, 1, 64, "keyLength")
        if not isinstance(prefix, str) or not re.fullmatch(r"[0-9a-fA-F]{1,128}", prefix):
            raise HumanNeeded("keyPrefix")
        if len(prefix) > 2 * min(key_length, DIGEST_LENGTH.get(algorithm, 64)):
            raise HumanNeeded("keyPrefix")
        cost, block, lanes = whole(parameters.get("cost"), 1, MOST_COST, "cost"), 1, 1
        if algorithm == SCRYPT:
            block = whole(_or(parameters.get("memoryCost"), 8), 1, MOST_MEMORY, "memoryCost")
            lanes = whole(_or(parameters.get("parallelism"), 1), 1, MOST_LANES, "parallelism")
            if cost < 2 or cost & (cost - 1):
                raise HumanNeeded("cost")
            if 128 * cost * block > MOST_MEMORY:
                raise HumanNeeded("memoryCost")
        return V2Challenge(
            document=document,
            algorithm=algorithm,
            nonce=hex_bytes(parameters.get("nonce"), "nonce"),
            salt=hex_bytes(parameters.get("salt"), "salt"),
            cost=cost,
            block=block,
            lanes=lanes,
            key_length=key_length,
            key_prefix=prefix,
            expires_at=None if expires is None else instant(expires),
        )

    def work(self, challenge: Challenge) -> Work:
        assert isinstance(challenge, V2Challenge)
        if len(challenge.key_prefix) > LONGEST_COUNTED_PREFIX:
            return Work(None, None)
        # One iteration of PBKDF2, and one block of scrypt, take C about as long as one hash takes our loop.
        each = challenge.cost * challenge.block * challenge.lanes
        mean = 16 ** len(challenge.key_prefix) * each
        return Work(mean, round(mean * P99_OF_MEAN))

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        assert isinstance(challenge, V2Challenge)
        began = time.monotonic()
        found = _search(challenge)(
            attempts=MOST_ATTEMPTS
            if len(challenge.key_prefix) > LONGEST_COUNTED_PREFIX
            else proof_of_work.LAST_COUNTER + 1,
            deadline=began + limit.total_seconds(),
            cancelled=cancelled,
        )
        if found is None:
            raise SolveAborted("solveAborted")
        took = timedelta(seconds=time.monotonic() - began)
        return Solution({"counter": found.counter, "derivedKey": found.key.hex()}, found.attempts, took)

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        took = round(solution.took / timedelta(milliseconds=1))
        answer = {
            "challenge": challenge.document,  # as it came, nulls included: the signature was made without knowing us
            "solution": {**solution.answer, "time": took},
        }
        return base64.b64encode(json.dumps(answer, separators=(",", ":")).encode()).decode()


def _search(challenge: V2Challenge) -> Callable[..., proof_of_work.Found | None]:
    salt, cost, length = challenge.salt, challenge.cost, challenge.key_length
    if challenge.algorithm in DIGEST_LENGTH:
        hash_of = proof_of_work.HASHES[challenge.algorithm]
        return partial(
            proof_of_work.find_key, challenge.nonce, salt, cost, length, challenge.key_prefix, hash_of=hash_of
        )
    if challenge.algorithm == SCRYPT:
        derive = proof_of_work.scrypt(salt, cost, challenge.block, challenge.lanes, length)
    else:
        derive = proof_of_work.pbkdf2(PBKDF2[challenge.algorithm], salt, cost, length)
    return partial(proof_of_work.find_derived_key, derive, challenge.nonce, challenge.key_prefix)


def _or(value: Any, default: int) -> Any:
    return default if value is None else value
