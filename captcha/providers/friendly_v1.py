"""Friendly Captcha v1: what guarded reservations before ALTCHA came. Off unless the operator allows it.

Its widget refuses headless browsers, which tells that its vendor did not want automation: hence the default.
"""

import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import sqrt
from typing import Any

from captcha import friendly_puzzle
from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers.reading import base64_bytes, instant
from captcha.types import Challenge, Solution, Work

SHORTEST, LONGEST = 32, 64
VERSION = 1
EXPIRY_STEP = timedelta(seconds=300)
SOLVER_UNSPECIFIED = 0
"""What the answer says about its solver: neither JavaScript nor WebAssembly, which is the truth."""


@dataclass(frozen=True, slots=True)
class FriendlyChallenge(Challenge):
    """`cost` is the number of hashes to be expected; `limit` is the bound below which a hash has to be."""

    signature: str = field(repr=False)
    buffer: bytes = field(repr=False)
    solutions: int
    limit: int


class FriendlyV1:
    """A puzzle `signature.buffer` with `n` solutions to find.

    Source: the protocol of Friendly Captcha v1 (npm `friendly-pow`, PHP lite server)
    """

    name = "friendly-v1"

    def match(self, document: object) -> bool:
        return (
            isinstance(document, dict)
            and set(document) == {"puzzle"}
            and isinstance(document["puzzle"], str)
            and document["puzzle"].count(".") == 1
            and not document["puzzle"].startswith(".")  # the widget's own words, such as ".UNSTARTED"
        )

    def parse(self, document: Mapping[str, Any]) -> FriendlyChallenge:
        signature, packed = document["puzzle"].split(".")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", signature):
            raise HumanNeeded("signature")
        buffer = base64_bytes(packed, "puzzle")
        if not SHORTEST <= len(buffer) <= LONGEST:
            raise HumanNeeded("puzzle")
        version, expiry, solutions, difficulty = buffer[12], buffer[13], buffer[14], buffer[15]
        if version != VERSION:
            raise HumanNeeded("version")
        if not solutions:
            raise HumanNeeded("solutions")
        limit = friendly_puzzle.threshold(difficulty)
        issued_at = instant(int.from_bytes(buffer[:4], "big"), "timestamp")
        return FriendlyChallenge(
            document=document,
            cost=solutions * 2**32 // limit,
            signature=signature,
            buffer=buffer,
            solutions=solutions,
            limit=limit,
            expires_at=issued_at + expiry * EXPIRY_STEP if expiry else None,
        )

    def work(self, challenge: Challenge) -> Work:
        assert isinstance(challenge, FriendlyChallenge)
        # A sum of n geometric numbers; Wilson and Hilferty's formula for its 99th percentile.
        n = challenge.solutions
        factor = (1 - 1 / (9 * n) + 2.326 / (3 * sqrt(n))) ** 3
        return Work(challenge.cost, round(challenge.cost * factor))

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        assert isinstance(challenge, FriendlyChallenge)
        began = time.monotonic()
        deadline = began + limit.total_seconds()
        parts, attempts = [], 0
        for index in range(challenge.solutions):
            found = friendly_puzzle.find_counter(
                challenge.buffer, index, challenge.limit, deadline=deadline, cancelled=cancelled
            )
            if found is None:
                raise SolveAborted("solveAborted")
            parts.append(found[0])
            attempts += found[1]
        solutions = base64.b64encode(b"".join(parts)).decode()
        return Solution({"solutions": solutions}, attempts, timedelta(seconds=time.monotonic() - began))

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        """What the field `captchaSolution` (`frc-captcha-solution` in the widget's form) carries."""
        seconds = min(int(solution.took.total_seconds()), 0xFFFF)
        diagnostics = bytes([SOLVER_UNSPECIFIED]) + seconds.to_bytes(2, "big")
        signed = challenge.document["puzzle"]
        return f"{signed}.{solution.answer['solutions']}.{base64.b64encode(diagnostics).decode()}"
