"""Circuit breakers: when asking keeps failing, stop asking for a while, then try once."""

from datetime import datetime, timedelta

from django.db.models import F

from appointments.limits import LONGEST_PAUSE, pause_after
from appointments.models import CircuitBreaker

FAILURES_TO_OPEN = 3
# While staff keep it open by hand.
BY_HAND = timedelta(days=365)
State = CircuitBreaker.State


def blocked_until(name: str, *, now: datetime) -> datetime | None:
    """When calls may pass again, or None if they may now. The first call after the pause is the probe.

    A probe that nobody reports on (its process died) frees the way for the next one after a minute.
    """
    breaker = CircuitBreaker.objects.filter(name=name).first()
    if breaker is None or breaker.state == State.CLOSED:
        return None
    if breaker.open_until is not None and breaker.open_until > now:
        return breaker.open_until
    probing = CircuitBreaker.objects.filter(pk=breaker.pk, open_until=breaker.open_until).update(
        state=State.HALF_OPEN, open_until=now + timedelta(minutes=1)
    )
    return None if probing else now + timedelta(seconds=1)


def record_success(name: str, *, now: datetime) -> None:
    """A call went well: close, and forget the failures. What staff opened by hand stays open."""
    CircuitBreaker.objects.filter(name=name).exclude(state=State.CLOSED, failures=0).exclude(
        open_until__gt=now + LONGEST_PAUSE
    ).update(state=State.CLOSED, failures=0, opened_at=None, open_until=None, reason="")


def record_failure(name: str, reason: str, *, now: datetime, maintenance: bool = False) -> None:
    """A call failed. Opens after some failures in a row, or at once when the city itself says maintenance."""
    CircuitBreaker.objects.get_or_create(name=name)
    CircuitBreaker.objects.filter(name=name).update(failures=F("failures") + 1, reason=reason[:100])
    breaker = CircuitBreaker.objects.get(name=name)
    if maintenance and breaker.failures > 1:
        pause = timedelta(minutes=5)
    elif maintenance or breaker.failures >= FAILURES_TO_OPEN:
        pause = pause_after(breaker.failures - FAILURES_TO_OPEN + 1)
    else:
        return
    CircuitBreaker.objects.filter(pk=breaker.pk).exclude(open_until__gt=now + LONGEST_PAUSE).update(
        state=State.OPEN, opened_at=breaker.opened_at or now, open_until=now + pause
    )


def open_breaker(name: str, reason: str, *, now: datetime) -> None:
    """Staff stop a kind of calls until they close the breaker again."""
    CircuitBreaker.objects.update_or_create(
        name=name,
        defaults={"state": State.OPEN, "opened_at": now, "open_until": now + BY_HAND, "reason": reason[:100]},
    )


def close_breaker(name: str, *, now: datetime) -> None:
    """Staff let a kind of calls pass again."""
    CircuitBreaker.objects.filter(name=name).update(
        state=State.CLOSED, failures=0, opened_at=None, open_until=None, reason=""
    )
