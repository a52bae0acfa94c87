"""Values of the captcha app: challenges and solutions as they are, and what people may know about the state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

Clock = Callable[[], datetime]
"""Tells the present moment: aware, UTC."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A task as it came. `cost` is the number that grows with its difficulty; what it counts depends on the scheme."""

    document: Mapping[str, Any] = field(repr=False)
    cost: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Work:
    """How much work a challenge is, in hashes. None: cannot be told in advance, only capped."""

    expected: int | None
    p99: int | None


@dataclass(frozen=True, slots=True)
class Solution:
    """What solves a challenge (plain JSON values), how many tries it took, and the time that really passed."""

    answer: Mapping[str, Any] = field(repr=False)
    attempts: int
    took: timedelta


class Provider(Protocol):
    """One scheme of challenges. Pure: no network, no database."""

    name: str

    def match(self, document: object) -> bool:
        """Whether this is exactly such a challenge; an unknown member makes it another scheme."""

    def parse(self, document: Mapping[str, Any]) -> Challenge:
        """The challenge, within bounds. Raises `HumanNeeded` outside them."""

    def work(self, challenge: Challenge) -> Work:
        """The work it takes."""

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        """The solution. Raises `SolveAborted` after `limit`, or soon after `cancelled()` says so."""

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        """What is sent to the city."""


class Transport(Protocol):
    """The city's captcha routes. Raises `TransportFailed`, `SolutionRefused`.

    `single_use`: what `verify` returns serves once, and whether it is any good shows only then.
    """

    single_use: bool

    def challenge(self) -> Mapping[str, Any]:
        """A fresh challenge, as it came."""

    def verify(self, payload: str) -> str:
        """The token for a solved challenge."""


@dataclass(frozen=True, slots=True)
class VerificationStatus:
    """What staff and people may know: everything but the token.

    `state` is one of absent, fetching, solving, submitting, valid, stale, expired, needs_human, cooldown, blocked.
    `remaining` is how long the present token still serves; None without one. `variant` is "altcha" or "friendly", ""
    as long as nobody has asked the city.
    """

    state: str
    since: datetime | None
    remaining: timedelta | None
    provider: str
    source: str
    cost: int | None
    solve_time: timedelta | None
    challenges_last_half_hour: int
    challenges_last_day: int
    last_error: str
    retry_at: datetime | None
    variant: str = ""
