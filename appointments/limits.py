"""Budgets and pauses as arithmetic: no database, no clock, no Django.

The city counts requests per address. Its 60 s window restarts with every accepted request, so calls less than
60 s apart add up, however slow the stream, until one is refused. We therefore call in *rounds*: a bounded number
of calls, then more than 60 s of quiet. Source: contract of the city's API, "Limits", confirmed by recorded answers.
"""

from datetime import timedelta

# A second more than the city's window: it starts counting when our request arrives there, not when it leaves here.
QUIET_GAP = timedelta(seconds=61)
# Calls of a round that only bookings may use.
BOOKING_RESERVE = 8
SMALLEST_ROUND = 4
FIRST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=15)


def largest_round(limit: int) -> int:
    """How many calls watching may use of one round, given the city's limit: two thirds, bookings' reserve kept."""
    return max(SMALLEST_ROUND, min(limit * 2 // 3, limit - BOOKING_RESERVE))


def shrink_round(cap: int) -> int:
    """The size of rounds after the city asked us to slow down: half."""
    return max(SMALLEST_ROUND, cap // 2)


def grow_round(cap: int, limit: int) -> int:
    """The size of rounds after one went by without a refusal: one more, up to the largest."""
    return min(cap + 1, largest_round(limit))


def booking_bound(limit: int) -> int:
    """How many calls of a round there may be in all; the last one of the city's limit stays unused."""
    return max(1, limit - 1)


def used_from_headers(limit: int, remaining: int) -> int:
    """Calls of this round as the city counted them. Its `Remaining` is one lower than the truth."""
    return max(0, limit - remaining - 1)


def pause_after(openings: int) -> timedelta:
    """How long a breaker stays open at its n-th opening in a row (1, 2, ...): a minute, doubling, up to 15."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, min(openings, 10) - 1))
