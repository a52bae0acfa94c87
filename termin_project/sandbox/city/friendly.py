"""The captcha of the city's older releases: genuine puzzles of Friendly Captcha v1, and the check of their solutions.

Source: the protocol of Friendly Captcha's open lite server. Solutions are checked by hand, without the solver's code:
one that both had wrong would pass otherwise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

SITE_KEY = "FCMSANDBOX"
ACCOUNT, APP, VERSION = 1, 1, 1
EXPIRY_STEP = 300
"""Seconds; the puzzle counts its life in these."""
INPUT_LENGTH, SOLUTION_LENGTH = 128, 8
HEADER_LENGTH = 32


@dataclass
class PuzzleDesk:
    """Stands for the two services of Friendly Captcha: one hands out puzzles, one tells whether a solution is good.

    solutions: how many counters a puzzle asks for. difficulty: 0 to 255, about 2 ** (difficulty / 8) hashes for each of
    them. life: of a puzzle, in steps of 300 s. Instants in Unix seconds.
    """

    solutions: int = 4
    difficulty: int = 40
    life: int = 12
    key: str = field(default_factory=lambda: secrets.token_hex(32))
    used: dict[str, float] = field(default_factory=dict)
    issued: int = 0

    def puzzle(self, now: float) -> str:
        """A new puzzle, signed: `signature.buffer`."""
        self.issued += 1
        buffer = (
            int(now).to_bytes(4, "big")
            + ACCOUNT.to_bytes(4, "big")
            + APP.to_bytes(4, "big")
            + bytes([VERSION, self.life, self.solutions, self.difficulty])
            + bytes(8)
            + secrets.token_bytes(8)
        )
        return f"{self._signature(buffer)}.{base64.b64encode(buffer).decode()}"

    def accepts(self, solution: object, now: float) -> bool:
        """Whether `solution` solves a puzzle of ours, in time and for the first time. It is used up by this."""
        if not isinstance(solution, str) or solution.count(".") != 3:
            return False
        signature, packed, answer, _diagnostics = solution.split(".")
        try:
            buffer = base64.b64decode(packed, validate=True)
            counters = base64.b64decode(answer, validate=True)
        except (binascii.Error, ValueError):
            return False
        if len(buffer) < HEADER_LENGTH or not hmac.compare_digest(
            signature.encode(), self._signature(buffer).encode()
        ):
            return False
        until = int.from_bytes(buffer[:4], "big") + buffer[13] * EXPIRY_STEP
        if now > until or signature in self.used or not _solved(buffer, counters):
            return False
        self.used[signature] = float(until)
        return True

    def forget_old(self, now: float) -> None:
        """Drop solutions whose puzzle is too old to be handed in again."""
        self.used = {signature: until for signature, until in self.used.items() if until >= now}

    def _signature(self, buffer: bytes) -> str:
        return hmac.new(self.key.encode(), buffer, hashlib.sha256).hexdigest()


def _solved(buffer: bytes, counters: bytes) -> bool:
    wanted, difficulty = buffer[14], buffer[15]
    parts = [counters[start : start + SOLUTION_LENGTH] for start in range(0, len(counters), SOLUTION_LENGTH)]
    if len(counters) != wanted * SOLUTION_LENGTH or len(set(parts)) != wanted:
        return False
    limit = int(2 ** ((255.999 - difficulty) / 8))
    padded = buffer + bytes(INPUT_LENGTH - SOLUTION_LENGTH - len(buffer))
    digests = (hashlib.blake2b(padded + part, digest_size=32).digest() for part in parts)
    return all(int.from_bytes(digest[:4], "little") < limit for digest in digests)


def details(host: str) -> dict[str, object]:
    """The body of `GET /captcha-details/` at releases with this captcha; `host` is where `puzzle` is served."""
    return {
        "siteKey": SITE_KEY,
        "captchaEndpoint": f"{host}/api/v1/siteverify",
        "puzzle": f"{host}/api/v1/puzzle",
        "captchaEnabled": True,
    }
