"""Captcha: our solvers against loops that do nothing but hash."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.report import Line
from captcha.friendly_puzzle import bare_puzzle_rate, puzzle_rate
from captcha.number_search import bare_number_rate, number_rate
from captcha.proof_of_work import bare_hash_rate, hash_rate

SHARE = 0.9
Rate = Callable[[], float]
SCHEMES: tuple[tuple[str, Rate, Rate], ...] = (
    ("ALTCHA v2", hash_rate, bare_hash_rate),
    ("ALTCHA v1", number_rate, bare_number_rate),
    ("Friendly v1", puzzle_rate, bare_puzzle_rate),
)


def measure(rounds: int) -> list[Line]:
    """Both loops by turns, so that a busy moment of the machine meets both."""
    lines = []
    for name, ours_of, bare_of in SCHEMES:
        pairs = [(ours_of(), bare_of()) for _ in range(rounds)]
        share = median(ours / bare for ours, bare in pairs)
        ours, bare = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
        lines += [
            Line(f"{name}: share of a bare hashlib loop", f"{share:.2f}", f"{SHARE}", share >= SHARE),
            Line(f"{name}: hashes a second", f"{ours:,.0f} against {bare:,.0f} bare"),
        ]
    return lines
