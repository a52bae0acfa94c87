"""Rolling calls up by minute, hour and day, so that a year stays small."""

from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncDay, TruncHour, TruncMinute

from appointments.models import Call, CallCount

Span = CallCount.Span
_TRUNC = {Span.MINUTE: TruncMinute, Span.HOUR: TruncHour, Span.DAY: TruncDay}
# Spans are counted anew while they may still grow; afterwards they stay.
_LOOK_BACK = {
    Span.MINUTE: timedelta(minutes=10),
    Span.HOUR: timedelta(hours=2),
    Span.DAY: timedelta(hours=26),
}
_KEEP = {Span.MINUTE: timedelta(days=2), Span.HOUR: timedelta(days=60), Span.DAY: timedelta(days=3650)}


def count_calls(*, now: datetime) -> int:
    """Bring the counts up to date; running twice gives the same. Returns how many rows were written."""
    written = 0
    for span, trunc in _TRUNC.items():
        since = _start_of(span, now - _LOOK_BACK[span])
        rows = (
            Call.objects.filter(at__gte=since)
            .annotate(starts=trunc("at"))
            .values("starts", "kind", "code")
            .annotate(calls=Count("pk"), total=Sum("milliseconds"), slowest=Max("milliseconds"))
        )
        counts = [
            CallCount(
                span=span,
                starts_at=row["starts"],
                kind=row["kind"],
                code=row["code"],
                calls=row["calls"],
                milliseconds=row["total"],
                slowest=row["slowest"],
            )
            for row in rows
        ]
        CallCount.objects.bulk_create(
            counts,
            update_conflicts=True,
            unique_fields=["span", "starts_at", "kind", "code"],
            update_fields=["calls", "milliseconds", "slowest"],
        )
        CallCount.objects.filter(span=span, starts_at__lt=now - _KEEP[span]).delete()
        written += len(counts)
    return written


def _start_of(span: str, at: datetime) -> datetime:
    from appointments.selectors.watches import MUNICH

    local = at.astimezone(MUNICH).replace(second=0, microsecond=0)
    if span != Span.MINUTE:
        local = local.replace(minute=0)
    return local.replace(hour=0) if span == Span.DAY else local
