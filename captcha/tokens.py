"""What a token tells about itself: how long it lives and, as a digest, for which address it was made.

It is read without checking its signature, which only the city can; nothing but our own timing depends on it.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

ASSUMED_LIFE = timedelta(seconds=240)
"""For a token that cannot be read: less than the city's default of 300 s."""

RENEW_BEFORE_END = timedelta(seconds=45)
STOP_BEFORE_END = timedelta(seconds=10)
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Life:
    """Durations from the moment of receipt, so that the city's clock need not agree with ours.

    `fresh`: until renewal is due; `usable`: until it should no longer be sent. `address_digest` is "" if unknown.
    """

    fresh: timedelta
    usable: timedelta
    address_digest: str


def life_of(token: str) -> Life:
    """The life of a token by its own claims `iat` and `exp`, or an assumed one."""
    claims = _claims(token)
    issued, expires, address = claims.get("iat"), claims.get("exp"), claims.get("ip")
    life = ASSUMED_LIFE
    if isinstance(issued, int) and isinstance(expires, int):
        claimed = expires - issued
        if SHORTEST.total_seconds() <= claimed <= LONGEST.total_seconds():
            life = timedelta(seconds=claimed)
    digest = hashlib.sha256(address.encode()).hexdigest()[:16] if isinstance(address, str) else ""
    return Life(max(life - RENEW_BEFORE_END, life / 2), life - STOP_BEFORE_END, digest)


def _claims(token: str) -> dict[str, object]:
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
