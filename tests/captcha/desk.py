"""A small captcha desk behind a `requests` adapter: genuine challenges, strict verification, faults on demand."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import jwt
import requests
from requests.adapters import BaseAdapter

from captcha.client import CaptchaApi

SITE = "http://city.test/api/citizen default"
NULLS = {"keySignature": None, "memoryCost": None, "parallelism": None, "data": None}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class OpenGate:
    """Lets everything pass and remembers what was reported."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.codes: list[str] = []

    @contextmanager
    def admit(self, kind: str) -> Iterator["OpenGate"]:
        self.kinds.append(kind)
        yield self

    def answered(self, status: int, headers: Any, size: int) -> None:
        assert size >= 0

    def understood(self, code: str) -> None:
        self.codes.append(code)


class Desk(BaseAdapter):
    """The captcha routes of a city. `faults` holds, per path, what to do instead of the next answers."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.clock = clock
        self.key = "desk"
        self.cost = 5
        self.life = 300
        self.address = "203.0.113.7"
        self.pause = 0.0
        self.expires_in = 1200
        self.challenges = 0
        self.payloads: list[dict[str, Any]] = []
        self.used: set[str] = set()
        self.faults: dict[str, list[Any]] = {"challenge": [], "verify": []}
        self.before: Callable[[str], None] = lambda path: None
        self._lock = threading.Lock()

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        path = str(request.path_url).strip("/").rsplit("/", maxsplit=1)[-1].removeprefix("captcha-")
        self.before(path)
        time.sleep(self.pause)
        with self._lock:
            if path == "challenge":
                self.challenges += 1
            fault = self.faults[path].pop(0) if self.faults.get(path) else None
            if isinstance(fault, Exception):
                raise fault
            if fault is not None:
                return answer(*fault)
            if path == "challenge":
                return answer(200, self.challenge())
            if path == "verify":
                return answer(200, self.verify(json.loads(request.body or b"")["payload"]))
            return answer(200, {"siteKey": "desk", "captchaEnabled": True})

    def close(self) -> None:
        """Nothing to close: there is no socket."""

    def challenge(self) -> dict[str, Any]:
        expires = int(time.time()) + 10**7  # the library compares with the computer's own clock
        issued = altcha.create_challenge(
            "SHA-256", self.cost, expires_at=expires, hmac_secret=self.key
        ).to_dict()
        # As the city's service does it: every member is named, and signed without those that are null.
        issued["parameters"] = {**NULLS, **issued["parameters"]}
        if self.expires_in != 1200:
            issued["parameters"]["expiresAt"] = int(self.clock().timestamp()) + self.expires_in
        return issued

    def verify(self, payload: str) -> dict[str, Any]:
        document = json.loads(base64.b64decode(payload))
        self.payloads.append(json.loads(base64.b64decode(payload)))
        given = document["challenge"]["parameters"]
        document["challenge"]["parameters"] = {
            name: value for name, value in given.items() if value is not None
        }
        checked = base64.b64encode(json.dumps(document).encode()).decode()
        signature = document["challenge"]["signature"]
        if signature in self.used or not altcha.verify_solution(checked, self.key).verified:
            return {
                "meta": {"success": False, "error": "Captcha verification failed"},
                "data": {"valid": False},
            }
        self.used.add(signature)
        return {"meta": {"success": True}, "data": {"valid": True}, "token": self.token()}

    def token(self, life: int | None = None) -> str:
        now = int(self.clock().timestamp())
        claims = {"ip": self.address, "iat": now, "exp": now + (life or self.life), "n": self.challenges}
        return jwt.encode(claims, "a key that only this desk knows and uses", algorithm="HS256")


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    """A `requests` answer: a dict or list as JSON, text as it is."""
    response = requests.Response()
    response.status_code = status
    response._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response.headers.update({"Content-Type": "application/json", **(headers or {})})
    return response


def api_for(desk: Desk, gate: Any = None) -> CaptchaApi:
    """The client under test, talking to `desk`."""
    session = requests.Session()
    session.mount("http://", desk)
    return CaptchaApi(session, "http://city.test/api/citizen", gate=gate or OpenGate())
