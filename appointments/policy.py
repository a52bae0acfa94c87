"""Where to spend the next request. The interface, and a simple fair policy behind it.

A cleverer policy (learned release times, siblings of one office) replaces `FairPolicy` without touching its callers.
"""

import random
from datetime import datetime, time, timedelta
from typing import Protocol

from appointments.models import Booking, PollTarget
from appointments.selectors.watches import MUNICH
from appointments.states import BookingState

Kind = PollTarget.Kind
# Never more often than this for one and the same request, however much budget is left.
SWEEP_EVERY = timedelta(seconds=15)
DETAIL_EVERY = timedelta(seconds=60)
# While somebody decides about a hold, the other times they could have are kept fresh.
WARM_EVERY = timedelta(seconds=20)
AFTER_FAILURE = timedelta(seconds=20)
JITTER = 0.2
# Emergency services: slots for today and tomorrow, added in the morning, at midday and in the afternoon, so the city.
EMERGENCY_EVERY = timedelta(seconds=8)
EMERGENCY_HOURS = ((time(6, 45), time(9, 30)), (time(11, 30), time(13, 30)), (time(14, 30), time(16, 30)))
SUNDAY = 6


class Policy(Protocol):
    """Chooses the next request of watching."""

    def next_target(self, *, now: datetime) -> PollTarget | None:
        """The request most worth asking now, or None when none is due."""

    def asked(self, target: PollTarget, *, well: bool, now: datetime) -> datetime:
        """Note that `target` was asked; returns when it is due again."""


def are_emergency_hours(now: datetime) -> bool:
    """Whether the city adds emergency slots at about this time of Munich's day."""
    local = now.astimezone(MUNICH)
    return local.weekday() != SUNDAY and any(first <= local.time() < last for first, last in EMERGENCY_HOURS)


class FairPolicy:
    """Whoever waits longest for its turn goes first; every request has the same rhythm, a little blurred.

    Emergencies have a quicker rhythm at the hours when the city adds their slots, and then go first; but never twice
    in a row, so that at least every other request is everybody else's.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._last_was_emergency = False

    def next_target(self, *, now: datetime) -> PollTarget | None:
        """The due request that has waited longest."""
        due = (
            PollTarget.objects.filter(active=True, next_due_at__lte=now)
            .select_related("search")
            .order_by("next_due_at", "pk")
        )
        target = None
        if are_emergency_hours(now) and not self._last_was_emergency:
            target = due.filter(kind=Kind.SWEEP, search__short_notice=True).first()
        self._last_was_emergency = target is not None
        return target or due.first()

    def asked(self, target: PollTarget, *, well: bool, now: datetime) -> datetime:
        """One rhythm for sweeps, a slower one for details; a failure comes again sooner than a detail would."""
        if not well:
            rhythm = AFTER_FAILURE
        elif target.kind == Kind.SWEEP:
            quick = target.search.short_notice and are_emergency_hours(now)
            rhythm = EMERGENCY_EVERY if quick else SWEEP_EVERY
        else:
            rhythm = WARM_EVERY if _somebody_decides(target) else DETAIL_EVERY
        return now + rhythm * self._rng.uniform(1 - JITTER, 1 + JITTER)


def _somebody_decides(target: PollTarget) -> bool:
    """Whether a hold of this search waits for its person's answer."""
    held = Booking.objects.filter(
        search=target.search_id, state=BookingState.RESERVED, wish=Booking.Wish.ASK, ended_at=None
    )
    return held.exists()
