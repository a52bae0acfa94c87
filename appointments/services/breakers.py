"""Circuit breakers: when asking keeps failing, stop asking for a while, then try once.

One per kind of operation, shared by all processes. "booking" has a temper of its own: it opens later and only when
nobody is there, and never for longer than a minute, because a person waits and a hold runs out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from appointments.limits import FIRST_PAUSE, LONGEST_PAUSE, pause_after
from appointments.models import CircuitBreaker

NAMES = ("catalogue", "watching", "captcha", "following", "booking")
# While staff keep it open without naming an end.
BY_HAND = timedelta(days=365)
# A probe that nobody reports on (its process died) frees the way for the next one after so long.
PROBE_LEASE = timedelta(minutes=1)
MAINTENANCE_PAUSE = timedelta(minutes=5)
State = CircuitBreaker.State


@dataclass(frozen=True, slots=True)
class Temper:
    """After how many failures in a row a breaker opens, and for how long: the first pause doubles up to the longest."""

    failures: int = 3
    first_pause: timedelta = FIRST_PAUSE
    longest_pause: timedelta = LONGEST_PAUSE
    # Whether it opens at once when the city itself says that it is under maintenance.
    heeds_maintenance: bool = True


USUAL = Temper()
TEMPERS = {
    "booking": Temper(
        failures=5,
        first_pause=timedelta(seconds=15),
        longest_pause=timedelta(minutes=1),
        heeds_maintenance=False,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Whether a call may pass: `until` is when it may if it may not now. `probing`: it is the one probe."""

    until: datetime | None = None
    probing: bool = False


def make_breakers() -> None:
    """Have a row for each breaker, so that staff can open one that has never opened by itself."""
    for name in NAMES:
        CircuitBreaker.objects.get_or_create(name=name)


def enter(name: str, *, now: datetime) -> Entry:
    """Ask to pass. After the pause one call, of all processes', passes as the probe; its outcome decides."""
    breaker = CircuitBreaker.objects.filter(name=name).exclude(state=State.CLOSED).first()
    if breaker is None:
        return Entry()
    if breaker.open_until is not None and breaker.open_until > now:
        return Entry(until=breaker.open_until)
    mine = CircuitBreaker.objects.filter(
        pk=breaker.pk, state=breaker.state, open_until=breaker.open_until
    ).update(state=State.HALF_OPEN, open_until=now + PROBE_LEASE, by_hand=False)
    return Entry(probing=True) if mine else Entry(until=now + timedelta(seconds=1))


def give_back_probe(name: str, *, now: datetime) -> None:
    """The probe taken at `now` was not sent after all: the next call may be it."""
    CircuitBreaker.objects.filter(name=name, state=State.HALF_OPEN, open_until=now + PROBE_LEASE).update(
        state=State.OPEN, open_until=now
    )


def record_success(name: str, *, now: datetime) -> None:
    """A call went well: close, and forget the failures. An open breaker waits for its probe, or for staff."""
    CircuitBreaker.objects.filter(name=name).exclude(state=State.CLOSED, failures=0).exclude(
        state=State.OPEN
    ).update(**_CLOSED)


def record_failure(name: str, reason: str, *, now: datetime, maintenance: bool = False) -> None:
    """A call failed. Opens after some failures in a row, or at once when the city itself says maintenance."""
    temper = TEMPERS.get(name, USUAL)
    CircuitBreaker.objects.get_or_create(name=name)
    rows = CircuitBreaker.objects.filter(name=name).exclude(state=State.OPEN, by_hand=True)
    if not rows.update(failures=F("failures") + 1, reason=reason[:100]):
        return
    breaker = CircuitBreaker.objects.get(name=name)
    openings = breaker.failures - temper.failures + 1
    if maintenance and temper.heeds_maintenance:
        pause = MAINTENANCE_PAUSE if breaker.failures > 1 else temper.first_pause
    elif openings >= 1:
        pause = pause_after(openings, first=temper.first_pause, longest=temper.longest_pause)
    else:
        return
    rows.update(
        state=State.OPEN,
        opened_at=breaker.opened_at or now,
        open_until=now + min(pause, temper.longest_pause),
    )


def open_breaker(name: str, reason: str, *, now: datetime, until: datetime | None = None) -> None:
    """Staff stop a kind of calls: until a moment (aware), or until they close the breaker again."""
    values = {
        "state": State.OPEN,
        "opened_at": now,
        "open_until": until or now + BY_HAND,
        "reason": reason[:100],
        "by_hand": True,
    }
    CircuitBreaker.objects.update_or_create(name=name, defaults=values)


def close_breaker(name: str, *, now: datetime) -> None:
    """Staff let a kind of calls pass again."""
    CircuitBreaker.objects.filter(name=name).update(**_CLOSED)


_CLOSED = {
    "state": State.CLOSED,
    "failures": 0,
    "opened_at": None,
    "open_until": None,
    "reason": "",
    "by_hand": False,
}
