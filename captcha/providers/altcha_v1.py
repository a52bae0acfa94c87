"""ALTCHA proof of work v1: what the city issued from May 2025 to May 2026, and older installations still do."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from captcha import number_search
from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers.reading import EARLIEST, LATEST, hex_bytes, instant, whole
from captcha.types import Challenge, Solution, Work

DEFAULT_ALGORITHM = "SHA-256"
DEFAULT_MOST = 1_000_000
LARGEST_MOST = 20_000_000
LONGEST_SALT = 1024


@dataclass(frozen=True, slots=True)
class V1Challenge(Challenge):
    """`cost` is the largest number that may be the one; `wanted` is its hash together with the salt."""

    algorithm: str
    salt: bytes = field(repr=False)
    wanted: bytes = field(repr=False)


class AltchaV1:
    """One hash for each number. The salt is used as it came, its `?expires=...` with or without a final `&`.

    Source: ALTCHA documentation, "Proof-of-Work"; GET /captcha-challenge/ of captchaservice 1.0 to 1.4
    """

    name = "altcha-v1"

    _NEEDED = frozenset({"challenge", "salt", "signature"})
    _MEMBERS = _NEEDED | {"algorithm", "maxnumber", "maxNumber"}

    def match(self, document: object) -> bool:
        if not isinstance(document, dict) or not self._NEEDED <= set(document) <= self._MEMBERS:
            return False
        algorithm = _algorithm(document)
        return (
            all(isinstance(document[name], str) for name in self._NEEDED)
            and isinstance(algorithm, str)
            and algorithm in number_search.HASHES_V1
            and not (document.get("maxnumber") is not None and document.get("maxNumber") is not None)
        )

    def parse(self, document: Mapping[str, Any]) -> V1Challenge:
        algorithm, salt = _algorithm(document), document["salt"]
        most = document.get("maxnumber")
        most = document.get("maxNumber") if most is None else most
        if not 1 <= len(salt) <= LONGEST_SALT:
            raise HumanNeeded("salt")
        wanted = hex_bytes(document["challenge"], "challenge", 64)
        if len(wanted) != number_search.HASHES_V1[algorithm](b"").digest_size:
            raise HumanNeeded("challenge")
        try:
            salt_bytes = salt.encode()
        except UnicodeEncodeError:
            raise HumanNeeded("salt") from None
        return V1Challenge(
            document=document,
            algorithm=algorithm,
            salt=salt_bytes,
            wanted=wanted,
            cost=whole(DEFAULT_MOST if most is None else most, 1, LARGEST_MOST, "maxnumber"),
            expires_at=_expiry(salt),
        )

    def work(self, challenge: Challenge) -> Work:
        # Every number is as likely as any other, and there is a last one.
        return Work(challenge.cost // 2 + 1, challenge.cost + 1)

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        assert isinstance(challenge, V1Challenge)
        began = time.monotonic()
        deadline = began + limit.total_seconds()
        number = number_search.find_number(
            challenge.salt,
            challenge.wanted,
            challenge.cost,
            hash_of=number_search.HASHES_V1[challenge.algorithm],
            deadline=deadline,
            cancelled=cancelled,
        )
        if number is None:
            over = time.monotonic() >= deadline or (cancelled is not None and cancelled())
            raise SolveAborted("solveAborted" if over else "noSolution")
        return Solution({"number": number}, number + 1, timedelta(seconds=time.monotonic() - began))

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        document = challenge.document
        answer = {
            "algorithm": _algorithm(document),
            "challenge": document["challenge"],
            "number": solution.answer["number"],
            "salt": document["salt"],
            "signature": document["signature"],
            "took": round(solution.took / timedelta(milliseconds=1)),
        }
        return base64.b64encode(json.dumps(answer, separators=(",", ":")).encode()).decode()


def _algorithm(document: Mapping[str, Any]) -> Any:
    given = document.get("algorithm")
    return DEFAULT_ALGORITHM if given is None else given


def _expiry(salt: str) -> datetime | None:
    """The moment in the salt's query, if it names one."""
    query = parse_qs(salt.partition("?")[2])
    for name in ("expires", "expire"):
        for value in query.get(name, ()):
            if not re.fullmatch(r"[0-9]{9,11}", value) or not EARLIEST <= int(value) <= LATEST:
                raise HumanNeeded("expires")
            return instant(int(value))
    return None
