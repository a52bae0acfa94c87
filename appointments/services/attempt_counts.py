"""Rolling attempts up per hour, search and office: how many, what became of them, why, and how long each step took."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Min, Q
from django.utils.dateparse import parse_datetime

from appointments.models import AttemptCount, Booking
from appointments.selectors.bookings import GONE, LOST_RACES
from appointments.states import ENDED, BookingState

S = BookingState
Outcome = AttemptCount.Outcome
# Attempts are counted anew while they may still change: until long after the mailed link has run out.
LOOK_BACK = timedelta(hours=26)
KEEP = timedelta(days=730)


def count_attempts(*, now: datetime) -> int:
    """Bring the counts of the last hours up to date; running twice, or two at once, gives the same.

    Returns how many rows were written.
    """
    since = _hour_of(now - LOOK_BACK)
    counts: dict[tuple[datetime, int, int, str, str], AttemptCount] = {}
    rows = Booking.objects.filter(created_at__gte=since, imported=False).annotate(
        asked_at=Min("events__at", filter=Q(events__state=S.RESERVING)),
        held_at=Min("events__at", filter=Q(events__state=S.RESERVED)),
    )
    for booking in rows.defer("auth_key", "family_name", "email", "telephone").order_by("pk").iterator():
        outcome = outcome_of(booking)
        ended_badly = outcome in (Outcome.LOST, Outcome.FAILED, Outcome.LET_GO, Outcome.UNCLEAR)
        reason = booking.reason if ended_badly else ""
        key = (_hour_of(booking.created_at), booking.search_id, booking.office_id, outcome, reason)
        if key not in counts:
            counts[key] = AttemptCount(
                hour=key[0], search_id=key[1], office_id=key[2], outcome=key[3], reason=key[4]
            )
        _add(counts[key], booking, booking.asked_at, booking.held_at)
    with transaction.atomic():
        # Anew and in one transaction: an attempt that moved on must not be counted where it was before.
        AttemptCount.objects.filter(hour__gte=since).delete()
        AttemptCount.objects.bulk_create(counts.values(), ignore_conflicts=True, batch_size=200)
        AttemptCount.objects.filter(hour__lt=now - KEEP).delete()
    return len(counts)


def outcome_of(booking: Booking) -> str:
    """What became of an attempt, in a word."""
    if booking.confirmed_at is not None:
        return Outcome.CONFIRMED
    if booking.state == S.UNCERTAIN or (booking.state == S.LAPSED and booking.reserved_at is None):
        return Outcome.UNCLEAR
    if booking.reserved_at is not None:
        return Outcome.LET_GO if booking.state in ENDED or booking.state == S.CANCELLING else Outcome.KEPT
    if booking.state == S.FAILED:
        return Outcome.LOST if booking.reason in LOST_RACES or booking.reason == GONE else Outcome.FAILED
    return Outcome.DROPPED if booking.state == S.CANCELLED else Outcome.RUNNING


def _add(count: AttemptCount, booking: Booking, asked_at: datetime | None, held_at: datetime | None) -> None:
    count.attempts += 1
    seen_at = parse_datetime(str(booking.turn.get("seen", ""))) if booking.turn else None
    # A slot that was free for long before somebody began to wait says nothing about our speed.
    if seen_at is not None and asked_at is not None and booking.created_at - seen_at < timedelta(minutes=1):
        count.leaving_ms += _milliseconds(asked_at - seen_at)
        count.leaving += 1
    if asked_at is not None and held_at is not None:
        count.holding_ms += _milliseconds(held_at - asked_at)
        count.holding += 1
    if held_at is not None and booking.confirmed_at is not None:
        count.confirming_ms += _milliseconds(booking.confirmed_at - held_at)
        count.confirming += 1


def _milliseconds(span: timedelta) -> int:
    return max(0, round(span.total_seconds() * 1000))


def _hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
