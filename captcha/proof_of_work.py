"""ALTCHA v2: find the counter whose derived key starts with the wanted digits.

The standard library is enough. Of the packages on PyPI, `altcha-solver` answers wrongly for iterated SHA (it
leaves out salt and cost), and the official `altcha` solves rightly but about three times slower, holding no deadline
and not to be called off; it serves as the reference in the tests.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

try:  # the interpreter's own implementation saves OpenSSL's set-up per call: up to a third faster on 32 bytes
    from _sha2 import sha256, sha384, sha512  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
        from _sha512 import sha384, sha512  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from hashlib import sha256, sha384, sha512

HASHES: dict[str, Callable[[bytes], Any]] = {"SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512}
"""The hashes of both versions of ALTCHA, by the names they have there (version 1 knows SHA-1, too)."""

ROUNDS_BETWEEN_LOOKS = 20_000
"""Hashes between two looks at the clock: about ten milliseconds."""

LAST_COUNTER = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Found:
    """A counter and the key it yields; `attempts` is how many counters were tried."""

    counter: int
    key: bytes
    attempts: int


def find_key(
    nonce: bytes,
    salt: bytes,
    cost: int,
    key_length: int,
    prefix: str,
    *,
    start: int = 0,
    stride: int = 1,
    attempts: int = LAST_COUNTER + 1,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    hash_of: Callable[[bytes], Any] = sha256,
) -> Found | None:
    """The first counter from `start` in steps of `stride` whose key starts with the hex digits `prefix`.

    None after `attempts` counters, after `deadline` (`time.monotonic()` seconds) or when `cancelled()` says so.
    """
    prefix = prefix.lower()
    whole, odd = _whole_and_odd(prefix)
    watched = deadline is not None or cancelled is not None
    head = salt + nonce
    since_look = 0
    counters = range(start, min(LAST_COUNTER + 1, start + attempts * stride), stride)
    for tried, counter in enumerate(counters, start=1):
        digest = hash_of(head + counter.to_bytes(4, "big")).digest()
        left = cost - 1
        while left > 0:
            rounds = min(left, ROUNDS_BETWEEN_LOOKS)
            for _ in repeat(None, rounds):
                digest = hash_of(digest).digest()
            left -= rounds
            if left and watched and should_stop(deadline, cancelled):
                return None
        key = digest[:key_length]
        if key.startswith(whole) and (not odd or key.hex().startswith(prefix)):
            return Found(counter, key, tried)
        since_look += cost
        if watched and since_look >= ROUNDS_BETWEEN_LOOKS:
            since_look = 0
            if should_stop(deadline, cancelled):
                return None
    return None


def find_derived_key(
    derive: Callable[[bytes], bytes],
    nonce: bytes,
    prefix: str,
    *,
    attempts: int = LAST_COUNTER + 1,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Found | None:
    """As `find_key`, for a `derive` that takes nonce and counter and is looked after between two keys only.

    It is for PBKDF2 and scrypt, whose key takes milliseconds in one call into C.
    """
    prefix = prefix.lower()
    whole, odd = _whole_and_odd(prefix)
    for counter in range(min(LAST_COUNTER + 1, attempts)):
        key = derive(nonce + counter.to_bytes(4, "big"))
        if key.startswith(whole) and (not odd or key.hex().startswith(prefix)):
            return Found(counter, key, counter + 1)
        if should_stop(deadline, cancelled):
            return None
    return None


def pbkdf2(name: str, salt: bytes, cost: int, key_length: int) -> Callable[[bytes], bytes]:
    """PBKDF2 with the HMAC of `name` (such as "SHA-256") and `cost` iterations, as a function of the password."""
    hash_name = name.replace("-", "").lower()
    return lambda password: hashlib.pbkdf2_hmac(hash_name, password, salt, cost, key_length)


def scrypt(salt: bytes, cost: int, block: int, lanes: int, key_length: int) -> Callable[[bytes], bytes]:
    """Scrypt with N `cost`, r `block` and p `lanes`, as a function of the password."""
    # OpenSSL counts a little more than the 128 * N * r of the definition.
    most = 128 * block * (cost + lanes + 2) + 1024 * 1024
    return lambda password: hashlib.scrypt(
        password, salt=salt, n=cost, r=block, p=lanes, dklen=key_length, maxmem=most
    )


def _whole_and_odd(prefix: str) -> tuple[bytes, str]:
    """The whole bytes of a prefix in hex digits, and its last digit if their number is odd."""
    return bytes.fromhex(prefix[: len(prefix) // 2 * 2]), prefix[-1] if len(prefix) % 2 else ""


def should_stop(deadline: float | None, cancelled: Callable[[], bool] | None) -> bool:
    """Whether a search has to end without a result."""
    return (deadline is not None and time.monotonic() >= deadline) or (cancelled is not None and cancelled())


def hash_rate(hashes: int = 200_000, *, cost: int = 1000) -> float:
    """Hashes per second of `find_key` here and now, over about `hashes` hashes."""
    attempts = max(1, hashes // cost)
    began = time.perf_counter()
    # 64 digits never come up, so the loop runs to its end.
    find_key(b"nonce" * 3, b"salt" * 4, cost, 32, "f" * 64, attempts=attempts)
    return attempts * cost / (time.perf_counter() - began)


def bare_hash_rate(hashes: int = 200_000) -> float:
    """Hashes per second of a loop that does nothing but `hashlib.sha256`: what `hash_rate` is measured against."""
    from hashlib import sha256 as plain

    digest = b"\0" * 32
    began = time.perf_counter()
    for _ in repeat(None, hashes):
        digest = plain(digest).digest()
    return hashes / (time.perf_counter() - began)


@lru_cache(maxsize=1)
def local_hash_rate() -> float:
    """Hashes per second of this machine, measured once per process (a few hundredths of a second)."""
    return hash_rate(50_000)
