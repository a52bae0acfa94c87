"""A year of history: 30 million calls rolled up. How large is it, and how long does the dashboard take over it?"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench.apart import measured_apart
from bench.report import Line, milliseconds, percentile

CALLS = 30_000_000
P95_SECONDS, MEGABYTES = 0.150, 1000
SHARES = {
    "sweep": 0.5,
    "detail": 0.4,
    "follow": 0.04,
    "booking": 0.03,
    "captcha": 0.02,
    "probe": 0.007,
    "catalogue": 0.003,
}
OUTCOMES = {"ok": 0.97, "timeout": 0.02, "gatewayError": 0.01}


def measure(looks: int) -> list[Line]:
    """The dashboard is read from cold: what it keeps for ten seconds is forgotten before each look."""
    found = measured_apart("bench.year", str(looks), seconds=900)
    took = [float(value) for value in found["seconds"]]
    p95, size = percentile(took, 0.95), found["bytes"] / 1e6
    return [
        Line(
            "dashboard, half and 95 %",
            f"{milliseconds(median(took))}, {milliseconds(p95)}",
            f"{P95_SECONDS * 1000:.0f} ms at 95 %",
            p95 <= P95_SECONDS,
        ),
        Line("database", f"{size:.0f} MB", f"{MEGABYTES} MB", size <= MEGABYTES),
        Line("rows", f"{found['counts']:,} counts, {found['calls']:,} calls of two days"),
        Line("counting the last minutes", milliseconds(found["counting"])),
    ]


def _fill(now: datetime) -> None:
    from appointments import durations
    from appointments.models import Call, CallCount
    from appointments.services.counting import KEEP, KEEP_CALLS, Span, start_of

    rng = random.Random(1)
    lengths = {Span.MINUTE: timedelta(minutes=1), Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}

    def counts(span: Any) -> Iterator[CallCount]:
        length = lengths[span]
        at = start_of(span, now - min(KEEP[span], timedelta(days=365)))
        while at < now - timedelta(minutes=15):
            for kind, kind_share in SHARES.items():
                for code, share in OUTCOMES.items():
                    calls = CALLS * kind_share * share * (length / timedelta(days=365))
                    whole = int(calls) + (rng.random() < calls % 1)
                    if whole:
                        took = [round(rng.lognormvariate(5.3, 0.6)) for _sample in range(min(whole, 40))]
                        histogram = durations.histogram(took)
                        yield CallCount(
                            span=span,
                            starts_at=at,
                            kind=kind,
                            code=code,
                            calls=whole,
                            milliseconds=sum(took),
                            slowest=max(took),
                            size=whole * 900,
                            histogram=histogram,
                        )
            at = start_of(span, at + length + timedelta(hours=2 if span == Span.DAY else 0))

    for span in lengths:
        _write(CallCount, counts(span))
    kinds, codes = list(SHARES), list(OUTCOMES)
    number = int(CALLS * (KEEP_CALLS / timedelta(days=365)))
    step = KEEP_CALLS / number
    calls = (
        Call(
            at=now - KEEP_CALLS + step * index,
            kind=rng.choices(kinds, list(SHARES.values()))[0],
            code=(code := rng.choices(codes, list(OUTCOMES.values()))[0]),
            status=None if code == "timeout" else 502 if code == "gatewayError" else 200,
            milliseconds=round(rng.lognormvariate(5.3, 0.6)),
            size=900,
            round=index // 40,
        )
        for index in range(number)
    )
    _write(Call, calls)


def _write(model: Any, rows: Iterator[Any]) -> None:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == 5000:
            model.objects.bulk_create(batch)
            batch.clear()
    model.objects.bulk_create(batch)


def _numbers(looks: int) -> dict[str, Any]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    from appointments.models import Call, CallCount
    from appointments.services.counting import count_calls

    _fill(timezone.now())
    count_calls(now=timezone.now())
    began = time.perf_counter()
    count_calls(now=timezone.now())
    counting = time.perf_counter() - began
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("bench"))
    took = []
    for look in range(looks + 3):
        cache.clear()
        began = time.perf_counter()
        answer = client.get("/dashboard/live/")
        if look >= 3:
            took.append(time.perf_counter() - began)
        assert answer.status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = Path(str(settings.DATABASES["default"]["NAME"]))
    return {
        "seconds": took,
        "bytes": path.stat().st_size,
        "counts": CallCount.objects.count(),
        "calls": Call.objects.count(),
        "counting": counting,
    }


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(json.dumps(_numbers(int(sys.argv[1]))) + "\n")
