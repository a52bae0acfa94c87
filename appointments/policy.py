"""Where to spend the next request. The interface, and a simple fair policy behind it.

A cleverer policy (learned release times, siblings of one office) replaces `FairPolicy` without touching its callers.
"""

import random
from datetime import datetime, timedelta
from typing import Protocol

from appointments.models import PollTarget

Kind = PollTarget.Kind
# Never more often than this for one and the same request, however much budget is left.
SWEEP_EVERY = timedelta(seconds=15)
DETAIL_EVERY = timedelta(seconds=60)
AFTER_FAILURE = timedelta(seconds=20)
JITTER = 0.2


class Policy(Protocol):
    """Chooses the next request of watching."""

    def next_target(self, *, now: datetime) -> PollTarget | None:
        """The request most worth asking now, or None when none is due."""

    def asked(self, target: PollTarget, *, well: bool, now: datetime) -> datetime:
        """Note that `target` was asked; returns when it is due again."""


class FairPolicy:
    """Whoever waits longest for its turn goes first; every request has the same rhythm, a little blurred."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()

    def next_target(self, *, now: datetime) -> PollTarget | None:
        """The due request that has waited longest."""
        return (
            PollTarget.objects.filter(active=True, next_due_at__lte=now)
            .select_related("search")
            .order_by("next_due_at", "pk")
            .first()
        )

    def asked(self, target: PollTarget, *, well: bool, now: datetime) -> datetime:
        """One rhythm for sweeps, a slower one for details; a failure comes again sooner than a detail would."""
        if not well:
            rhythm = AFTER_FAILURE
        else:
            rhythm = SWEEP_EVERY if target.kind == Kind.SWEEP else DETAIL_EVERY
        return now + rhythm * self._rng.uniform(1 - JITTER, 1 + JITTER)
