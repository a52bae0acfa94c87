"""Captcha: our solver against a loop that does nothing but hash."""

from __future__ import annotations

from statistics import median

from bench.report import Line
from captcha.proof_of_work import bare_hash_rate, hash_rate

SHARE = 0.9


def measure(rounds: int) -> list[Line]:
    """Both loops by turns, so that a busy moment of the machine meets both."""
    pairs = [(hash_rate(), bare_hash_rate()) for _ in range(rounds)]
    share = median(ours / bare for ours, bare in pairs)
    ours, bare = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    return [
        Line("share of a bare hashlib loop", f"{share:.2f}", f"{SHARE}", share >= SHARE),
        Line("hashes a second", f"{ours:,.0f} against {bare:,.0f} bare"),
    ]
