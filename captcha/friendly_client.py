"""The older variant of the city's captcha: a puzzle from Friendly Captcha, its answer in the reservation itself.

There is no route to hand a solution in: the city checks it when it comes as `captchaSolution` with a reservation, and
only reservations are guarded. So what `verify` returns is the solution, good once: use `captcha.solutions`. Puzzles
come from a service of its own, so these calls are none of the city's and pass no gate; the budgets of `flights` hold
for them.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from captcha.client import LARGEST_ANSWER
from captcha.errors import TransportFailed

ALTCHA, FRIENDLY, NONE = "altcha", "friendly", ""


def variant_of(details: Mapping[str, Any]) -> str:
    """Which captcha the city speaks, by the names in its answer. Source: GET /captcha-details/

    "altcha" (challenge and verify routes, calendar and reservation guarded), "friendly" (a puzzle, reservation alone
    guarded), or "" where the answer names neither.
    """
    if details.get("captchaChallenge"):
        return ALTCHA
    return FRIENDLY if details.get("puzzle") else NONE


class FriendlyApi:
    """A transport for Friendly Captcha v1, made from what /captcha-details/ of the API at `base_url` said.

    `session` is handed in. Raises `ValueError` for details that name no puzzle, or one that is reached neither by https
    nor at the API's own host.
    """

    def __init__(
        self,
        session: requests.Session,
        details: Mapping[str, Any],
        *,
        base_url: str,
        time_limit: tuple[float, float] = (5.0, 20.0),
    ) -> None:
        address, key = details.get("puzzle"), details.get("siteKey")
        if not (isinstance(address, str) and address and isinstance(key, str) and key):
            raise ValueError("details without a puzzle")
        if urlsplit(address).scheme != "https" and urljoin(address, "/") != urljoin(base_url, "/"):
            raise ValueError("a puzzle is fetched by https alone, or where the API is")
        self.single_use = True
        self._session, self._address, self._key, self._time_limit = session, address, key, time_limit

    def challenge(self) -> Mapping[str, Any]:
        """`{"puzzle": text}`. Source: GET <puzzle>?sitekey=... -> data.puzzle. Raises `TransportFailed`."""
        failure = "connectionFailed"
        try:
            with self._session.get(
                self._address,
                params={"sitekey": self._key},
                headers={"Accept": "application/json"},
                timeout=self._time_limit,
                allow_redirects=False,
            ) as response:
                raw = response.content
                body = response.json() if response.status_code == 200 and len(raw) <= LARGEST_ANSWER else {}
        except requests.JSONDecodeError:
            failure, body = "notUnderstood", {}
        except OSError:
            body = None
        if body is not None:
            failure = "notUnderstood"
            data = body.get("data") if isinstance(body, dict) else None
            puzzle = data.get("puzzle") if isinstance(data, dict) else None
            if isinstance(puzzle, str) and puzzle:
                return {"puzzle": puzzle}
        raise TransportFailed(failure)

    def verify(self, payload: str) -> str:
        """The solution itself: the city sees it first when it comes with a reservation."""
        return payload
