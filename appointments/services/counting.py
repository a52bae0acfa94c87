"""Rolling calls up by minute, hour and day, so that a year stays small.

Minutes are counted from the calls, hours are added up from minutes and days from hours. A year of 30 million calls is
about 115,000 rows of hours and 5,000 of days; minutes are kept for a week, single calls for two days.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import Max

from appointments import durations
from appointments.models import Call, CallCount
from appointments.selectors.watches import MUNICH

Span = CallCount.Span
KEEP_CALLS = timedelta(days=2)
KEEP = {Span.MINUTE: timedelta(days=8), Span.HOUR: timedelta(days=400), Span.DAY: timedelta(days=3650)}
# Spans are counted anew while they may still grow: a call is written down when it ends.
_LATE = timedelta(minutes=10)
_FINER = {Span.HOUR: Span.MINUTE, Span.DAY: Span.HOUR}
Key = tuple[datetime, str, str]


def count_calls(*, now: datetime) -> int:
    """Bring the counts up to date; running twice gives the same. Returns how many rows were written.

    After a stand-still everything that is still there is counted, not only the last minutes.
    """
    counted_until = CallCount.objects.filter(span=Span.MINUTE).aggregate(at=Max("starts_at"))["at"]
    oldest = now - KEEP_CALLS
    since = max(oldest, min(now, counted_until or oldest) - _LATE)
    written = _write(Span.MINUTE, _minutes(start_of(Span.MINUTE, since)))
    for span, finer in _FINER.items():
        written += _write(span, _added_up(span, finer, start_of(span, since)))
        CallCount.objects.filter(span=finer, starts_at__lt=now - KEEP[finer]).delete()
    CallCount.objects.filter(span=Span.DAY, starts_at__lt=now - KEEP[Span.DAY]).delete()
    return written


def start_of(span: str, at: datetime) -> datetime:
    """When the minute, hour or local day of `at` began, in UTC. A day in Munich has 23, 24 or 25 hours."""
    local = at.astimezone(MUNICH).replace(second=0, microsecond=0)
    if span != Span.MINUTE:
        local = local.replace(minute=0)
    local = local.replace(hour=0, fold=0) if span == Span.DAY else local
    return local.astimezone(UTC)


def _minutes(since: datetime) -> Iterable[CallCount]:
    found: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    rows = Call.objects.filter(at__gte=since).values_list("at", "kind", "code", "milliseconds", "size")
    for at, kind, code, milliseconds, size in rows.iterator():
        found[start_of(Span.MINUTE, at), kind, code].append((milliseconds, size))
    for (starts_at, kind, code), calls in found.items():
        took = [milliseconds for milliseconds, _size in calls]
        yield CallCount(
            span=Span.MINUTE,
            starts_at=starts_at,
            kind=kind,
            code=code,
            calls=len(calls),
            milliseconds=sum(took),
            slowest=max(took),
            size=sum(size for _milliseconds, size in calls),
            histogram=durations.histogram(took),
        )


def _added_up(span: str, finer: str, since: datetime) -> Iterable[CallCount]:
    found: dict[Key, list[CallCount]] = defaultdict(list)
    for count in CallCount.objects.filter(span=finer, starts_at__gte=since).iterator():
        found[start_of(span, count.starts_at), count.kind, count.code].append(count)
    for (starts_at, kind, code), counts in found.items():
        yield CallCount(
            span=span,
            starts_at=starts_at,
            kind=kind,
            code=code,
            calls=sum(count.calls for count in counts),
            milliseconds=sum(count.milliseconds for count in counts),
            slowest=max(count.slowest for count in counts),
            size=sum(count.size for count in counts),
            histogram=durations.added(count.histogram for count in counts),
        )


def _write(span: str, counts: Iterable[CallCount]) -> int:
    rows = list(counts)
    CallCount.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["span", "starts_at", "kind", "code"],
        update_fields=["calls", "milliseconds", "slowest", "size", "histogram"],
        batch_size=500,
    )
    return len(rows)
