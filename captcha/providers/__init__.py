"""The schemes we know, in the order they are tried; the last one leaves it to a person.

Bounds come before hashing: a challenge is somebody else's number, and an unbounded one would eat the machine.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from captcha.errors import HumanNeeded
from captcha.providers.altcha_v1 import AltchaV1
from captcha.providers.altcha_v2 import AltchaV2
from captcha.providers.friendly_v1 import FriendlyV1
from captcha.providers.human import Human, page_can_show
from captcha.providers.shape import shape_of
from captcha.types import Challenge, Provider, Work

__all__ = [
    "LONGEST_SOLVE",
    "PROVIDERS",
    "WITH_FRIENDLY",
    "AltchaV1",
    "AltchaV2",
    "FriendlyV1",
    "Human",
    "check_bounds",
    "named",
    "page_can_show",
    "provider_for",
    "shape_of",
]

LARGEST_DOCUMENT = 16 * 1024
MOST_EXPECTED_HASHES = 200_000_000
LONGEST_SOLVE = timedelta(seconds=60)
SPARE_TIME = timedelta(seconds=30)

PROVIDERS: tuple[Provider, ...] = (AltchaV2(), AltchaV1(), Human())
WITH_FRIENDLY: tuple[Provider, ...] = (AltchaV2(), AltchaV1(), FriendlyV1(), Human())
"""For an operator who allows Friendly Captcha to be solved by us."""


def provider_for(document: object, providers: Sequence[Provider] = PROVIDERS) -> Provider:
    """The first provider that knows this challenge. Raises `HumanNeeded` for one that is too large to look at."""
    if len(json.dumps(document)) > LARGEST_DOCUMENT:
        raise HumanNeeded("tooLarge", shape=shape_of(document))
    return next(provider for provider in providers if provider.match(document))


def named(name: str) -> Provider:
    """The provider called `name`. Raises `LookupError`."""
    for provider in WITH_FRIENDLY:
        if provider.name == name:
            return provider
    raise LookupError(name)


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
