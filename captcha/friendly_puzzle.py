"""Friendly Captcha v1: n small puzzles in one, each a counter that makes a BLAKE2b hash small enough.

Source: the protocol of Friendly Captcha's open lite server and of its first widget (npm `friendly-pow`, whose licence
forbids shipping it; it served as the oracle of the stored puzzles in the tests).
"""

import time
from collections.abc import Callable
from hashlib import blake2b

from captcha.proof_of_work import should_stop

INPUT_LENGTH, FREE = 128, 8
HASH_LENGTH = 32
ROUNDS_BETWEEN_LOOKS = 128
"""Of 256 hashes each: about ten milliseconds between two looks at the clock."""

_BYTES = [bytes([low]) for low in range(256)]


def threshold(difficulty: int) -> int:
    """Below this number the first four bytes of a hash have to be, read little-endian."""
    return int(2 ** ((255.999 - difficulty) / 8))


def find_counter(
    buffer: bytes,
    index: int,
    limit: int,
    *,
    deadline: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    most: int = 2**32,
) -> tuple[bytes, int] | None:
    """The eight bytes that solve puzzle `index` of `buffer`, and how many counters were tried.

    Byte 120 of the input is the index, bytes 124 to 127 are the counter, little-endian, from 0. None after `most`
    counters, after `deadline` (`time.monotonic()` seconds) or when `cancelled()` says so.
    """
    start = bytes([index, 0, 0, 0])
    begun = blake2b(buffer.ljust(INPUT_LENGTH - FREE, b"\0") + start, digest_size=HASH_LENGTH)
    copy, top, read = begun.copy, limit >> 24, int.from_bytes
    for high in range(-(-most // 256)):
        ending = high.to_bytes(3, "little")
        for low in _BYTES:
            trial = copy()
            trial.update(low + ending)
            digest = trial.digest()
            if digest[3] <= top and read(digest[:4], "little") < limit:
                return start + low + ending, high * 256 + low[0] + 1
        if high % ROUNDS_BETWEEN_LOOKS == 0 and should_stop(deadline, cancelled):
            return None
    return None


def puzzle_rate(hashes: int = 200_000) -> float:
    """Hashes per second of `find_counter` here and now, over about `hashes` hashes."""
    began = time.perf_counter()
    find_counter(bytes(32), 0, 0, most=hashes)  # no hash is below nothing, so the search runs to its end
    return hashes / (time.perf_counter() - began)


def bare_puzzle_rate(hashes: int = 200_000) -> float:
    """Hashes per second of a loop that does nothing but hash 128 bytes: what the search is measured against."""
    head = bytes(INPUT_LENGTH - 4)
    began = time.perf_counter()
    for counter in range(hashes):
        blake2b(head + counter.to_bytes(4, "little"), digest_size=HASH_LENGTH).digest()
    return hashes / (time.perf_counter() - began)
