"""The city's captcha routes: a challenge in, a solved challenge out, a token back.

Errors come with HTTP 200 here (`meta.success` is false), so the body decides and a status alone says nothing.
The gate is any object with `admit(kind)` as a context manager; what it raises with a `retry_at` means "not now".
"""

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

import requests

from captcha.errors import NotAdmitted, SolutionRefused, TransportFailed, VerifyUnknown

KIND = "captcha"
LARGEST_ANSWER = 64 * 1024
PAUSE = timedelta(seconds=60)


class Call(Protocol):
    def answered(self, status: int, headers: Mapping[str, str], size: int) -> None: ...
    def understood(self, code: str) -> None: ...


class Gate(Protocol):
    def admit(self, kind: Any) -> AbstractContextManager[Call]: ...


class CaptchaApi:
    """The three captcha routes of one city. Session, address, gate and time limits are handed in."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        *,
        gate: Gate,
        time_limit: tuple[float, float] = (5.0, 20.0),
    ) -> None:
        self.single_use = False
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._gate = gate
        self._time_limit = time_limit

    def details(self) -> dict[str, Any]:
        """Site key, whether the captcha is switched on, and which one it is (`friendly_client.variant_of`).

        Source: GET /captcha-details/
        """
        body = self._call("GET", "/captcha-details/")
        if not {"siteKey", "captchaEnabled"} & set(body):
            raise TransportFailed("notUnderstood")
        return body

    def challenge(self) -> dict[str, Any]:
        """A challenge, as it came. Source: GET /captcha-challenge/

        Raises `TransportFailed`, with HTTP 200 too when the city's captcha service is down.
        """
        body = self._call("GET", "/captcha-challenge/")
        if "meta" in body or not body:
            raise TransportFailed("serviceDown")
        return body

    def verify(self, payload: str) -> str:
        """The token for a solved challenge. Source: POST /captcha-verify/

        Raises `SolutionRefused`, and `VerifyUnknown` when no clear answer came: a payload is good for one try.
        """
        body = self._call("POST", "/captcha-verify/", {"payload": payload})
        meta, data, token = body.get("meta"), body.get("data"), body.get("token")
        if not isinstance(meta, dict):
            raise VerifyUnknown("notUnderstood")
        valid = data.get("valid") if isinstance(data, dict) else None
        if meta.get("success") is True and valid is True:
            if isinstance(token, str) and 0 < len(token) <= 4096:
                return token
            raise VerifyUnknown("notUnderstood")
        if valid is False:
            raise SolutionRefused("solutionRefused")
        raise VerifyUnknown("serviceDown")

    def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            with self._gate.admit(KIND) as call:
                return self._answer(call, method, path, body)
        except TransportFailed:
            raise
        except Exception as error:
            # The gate's own refusal belongs to another app; it is known by the moment it names.
            retry_at = getattr(error, "retry_at", None)
            if retry_at is None:
                raise
        raise NotAdmitted(retry_at)

    def _answer(self, call: Call, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        """The decoded object, or the failure; raised outside the except block, so that no address comes along."""
        lost = VerifyUnknown if method == "POST" else TransportFailed
        failure: TransportFailed
        try:
            with self._session.request(
                method,
                self._base_url + path,
                json=body,
                headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                timeout=self._time_limit,
                allow_redirects=False,
            ) as response:
                status, headers, raw = response.status_code, response.headers, response.content
        except (OSError, ValueError) as error:
            failure = lost("timeout" if isinstance(error, requests.Timeout) else "connectionFailed")
        else:
            call.answered(status, headers, len(raw))
            read = _read(status, headers, raw, lost)
            if isinstance(read, dict):
                call.understood("ok")
                return read
            failure = read
        call.understood(failure.reason)
        raise failure


def _read(
    status: int, headers: Mapping[str, str], raw: bytes, lost: type[TransportFailed]
) -> dict[str, Any] | TransportFailed:
    if status == 429:
        asked = headers.get("Retry-After", "")
        seconds = int(asked) if re.fullmatch(r"[0-9]{1,4}", asked) else 0
        return TransportFailed("rateLimitExceeded", retry_after=max(PAUSE, timedelta(seconds=seconds)))
    body = _decode(raw)
    if isinstance(body, dict) and isinstance(body.get("errors"), list):
        first = body["errors"][0] if body["errors"] else None
        code = first.get("errorCode") if isinstance(first, dict) else None
        if isinstance(code, str) and re.fullmatch(r"[A-Za-z_]{1,60}", code):
            return lost(code)
    if status != 200 or not isinstance(body, dict) or "errors" in body or "error" in body:
        return lost("serverError" if status >= 500 else "notUnderstood")
    return body


def _decode(raw: bytes) -> Any:
    if len(raw) > LARGEST_ANSWER:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
