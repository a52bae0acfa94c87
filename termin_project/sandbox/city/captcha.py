"""The city's captcha: genuine ALTCHA challenges out, tokens for solutions in.

Source: the public captchaservice of the city (proof of work version 2, SHA-256, every member of the
parameters named, absent ones as null, signed without them; until May 2026 version 1). What came before is in
`friendly`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import altcha
import jwt

from termin_project.sandbox.city.errors import Crash

CHALLENGE_LIFE = 1200
"""Seconds a challenge may be answered in."""
VISIT_WINDOW = 1800
"""Seconds in which an address's challenges are counted for the difficulty."""

_NULLABLE = ("keySignature", "memoryCost", "parallelism", "data")


class _ByTheCitysClock(altcha.ChallengeParameters):
    """Parameters whose expiry the library leaves alone: the city's clock decides, not the computer's."""

    _city_expires_at: int | None = None

    @classmethod
    def reading(cls, document: dict[str, Any]) -> _ByTheCitysClock:
        rest = {key: value for key, value in document.items() if key != "expiresAt"}
        parameters = cls.from_dict(rest)
        assert isinstance(parameters, cls)
        parameters._city_expires_at = document.get("expiresAt")
        return parameters

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "expiresAt": self._city_expires_at}


@dataclass
class CaptchaDesk:
    """Issues challenges and tokens. Instants in Unix seconds, `token_life` in seconds.

    version: 2, or 1 as an older city has it (there the ladder's numbers are the largest number to be tried); None: as
    `usual_version` says, which knows the city's release.
    algorithm: of the challenges. final_ampersand: whether a salt of version 1 ends with one, as its libraries do
    since December 2025. extra: members no client knows, put into every challenge.
    """

    token_life: int = 300
    ladder: Sequence[tuple[int, int]] = ((1, 1000), (10, 5000), (20, 10000))
    key: str = field(default_factory=lambda: secrets.token_hex(32))
    token_key: str = field(default_factory=lambda: secrets.token_hex(32))
    visits: dict[str, list[float]] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    version: int | None = None
    usual_version: Callable[[], int] = lambda: 2
    algorithm: str = "SHA-256"
    final_ampersand: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    def challenge(self, address: str, now: float) -> dict[str, Any]:
        """A new challenge; the more an address asked for lately, the dearer."""
        visits = [at for at in self.visits.get(address, ()) if at > now - VISIT_WINDOW]
        visits.append(now)
        self.visits[address] = visits
        cost = next((cost for visit, cost in reversed(self.ladder) if len(visits) >= visit), 1_000_000)
        if self._version == 1:
            return self._old_challenge(cost, now) | self.extra
        issued = altcha.create_challenge(
            self.algorithm, cost, expires_at=int(now) + CHALLENGE_LIFE, hmac_secret=self.key
        ).to_dict()
        given = issued["parameters"]
        order = ("algorithm", "nonce", "salt", "cost", "keyLength", "keyPrefix")
        parameters = {name: given[name] for name in order}
        parameters |= dict.fromkeys(_NULLABLE[:3])
        parameters |= {"expiresAt": given["expiresAt"], "data": None}
        return {"parameters": parameters, "signature": issued["signature"]} | self.extra

    @property
    def _version(self) -> int:
        return self.usual_version() if self.version is None else self.version

    def _old_challenge(self, most: int, now: float) -> dict[str, Any]:
        salt = f"{secrets.token_hex(12)}?expires={int(now) + CHALLENGE_LIFE}{'&' * self.final_ampersand}"
        challenge = self._hash(f"{salt}{secrets.randbelow(most + 1)}")
        return {
            "algorithm": self.algorithm,
            "challenge": challenge,
            "maxnumber": most,
            "salt": salt,
            "signature": self._old_signature(challenge),
        }

    def _hash(self, text: str) -> str:
        return hashlib.new(self.algorithm.replace("-", "").lower(), text.encode()).hexdigest()

    def _old_signature(self, challenge: str) -> str:
        return hmac.new(
            self.key.encode(), challenge.encode(), self.algorithm.replace("-", "").lower()
        ).hexdigest()

    def verify(self, payload: object, address: str, now: float) -> dict[str, Any]:
        """The answer to a solution: with a token, or saying why not. Raises `Crash` on a non-text payload."""
        if payload is None or payload == "":
            return _refused("No payload provided")
        if not isinstance(payload, str):
            raise Crash
        text = payload.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return _refused("Payload could not be decoded")
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            return _refused("Invalid JSON in payload")
        if not self._solved(document, now):
            return {
                "meta": {"success": False, "error": "Captcha verification failed"},
                "data": {"valid": False},
            }
        return {"meta": {"success": True}, "data": {"valid": True}, "token": self.token(address, now)}

    def _solved_old(self, document: object, now: float) -> bool:
        """By hand: the libraries refuse salts without the final "&" that older ones issued."""
        try:
            salt, challenge = document["salt"], document["challenge"]  # type: ignore[index]
            signature, number = document["signature"], document["number"]  # type: ignore[index]
            expires = re.search(r"[?&]expires=(\d+)", salt)
            fingerprint = hashlib.sha256(signature.encode()).hexdigest()
            genuine = hmac.compare_digest(signature, self._old_signature(challenge))
            in_time = expires is not None and int(expires[1]) >= now and fingerprint not in self.used
            right = type(number) is int and self._hash(f"{salt}{number}") == challenge
        except (KeyError, TypeError, ValueError, AttributeError):
            return False
        if genuine and in_time and right and expires is not None:
            self.used[fingerprint] = float(expires[1])
        return genuine and in_time and right

    def _solved(self, document: object, now: float) -> bool:
        if self._version == 1:
            return self._solved_old(document, now)
        try:
            challenge = document["challenge"]  # type: ignore[index]
            signature, given = challenge["signature"], challenge["parameters"]
            parameters = {name: value for name, value in given.items() if value is not None}
            expires_at = parameters["expiresAt"]
            fingerprint = hashlib.sha256(signature.encode()).hexdigest()
            if expires_at < now or fingerprint in self.used:
                return False
            solved = altcha.Payload(
                altcha.Challenge(_ByTheCitysClock.reading(parameters), signature),
                altcha.Solution.from_dict(document["solution"]),  # type: ignore[index]
            )
            verified = altcha.verify_solution(solved, self.key).verified
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return False
        if verified:
            self.used[fingerprint] = float(expires_at)
        return bool(verified)

    def token(self, address: str, now: float) -> str:
        """A token for this address, good for `token_life` seconds."""
        claims = {"ip": address, "iat": int(now), "exp": int(now) + self.token_life}
        return jwt.encode(claims, self.token_key, algorithm="HS256")

    def token_problem(self, token: object, address: str, now: float) -> str | None:
        """None for a good token, else captchaMissing, captchaInvalid or captchaExpired."""
        if not token:
            return "captchaMissing"
        try:
            # The city's clock judges the expiry, so the library must not.
            claims = jwt.decode(
                str(token),
                self.token_key,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return "captchaInvalid"
        if claims.get("exp", 0) <= now:
            return "captchaExpired"
        return None if claims.get("ip") == address else "captchaInvalid"

    def forget_old(self, now: float) -> None:
        """Drop what no longer matters: visits outside the window, used challenges past their time."""
        self.used = {key: until for key, until in self.used.items() if until > now}
        recent = {ip: [at for at in seen if at > now - VISIT_WINDOW] for ip, seen in self.visits.items()}
        self.visits = {ip: seen for ip, seen in recent.items() if seen}


def details(base_url: str) -> dict[str, object]:
    """The body of `GET /captcha-details/`. The two URLs are the city's own, not for callers."""
    return {
        "siteKey": "sandbox",
        "captchaChallenge": f"{base_url}/api/v1/captcha/challenge",
        "captchaVerify": f"{base_url}/api/v1/captcha/verify",
        "captchaEnabled": True,
    }


def service_down() -> dict[str, Any]:
    """What challenge and verify answer, with HTTP 200, while the captcha service is away."""
    return _refused("cURL error 7: Failed to connect to the captcha service: Could not connect to server")


def _refused(reason: str) -> dict[str, Any]:
    return {"meta": {"success": False, "error": reason}, "data": None}
