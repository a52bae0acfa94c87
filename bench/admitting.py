"""What passing the gate costs, on SQLite and on Redis, against a bare UPDATE and a bare round trip."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench.apart import measured_apart
from bench.report import Line, milliseconds, percentile

REDIS_URL = "redis://127.0.0.1:6379/9"
# A booking passes the gate between a slot in the answer and its request; the whole way may take 60 ms.
P99_SECONDS = 0.010


def measure(samples: int) -> list[Line]:
    """Admission alone (what a call waits for), and with the record written after the answer."""
    found = measured_apart("bench.admitting", str(samples), seconds=300)
    lines = []
    for store, bare in (("SQLite", "bare UPDATE"), ("Redis", "bare EVALSHA")):
        if store not in found:
            lines.append(Line(store, "no server answers at 127.0.0.1:6379"))
            continue
        of = {name: [float(value) for value in values] for name, values in found[store].items()}
        admit, base = median(of["admit"]), median(of["bare"])
        p99 = percentile(of["admit"], 0.99)
        lines += [
            Line(
                f"{store}: admission, median and p99",
                f"{milliseconds(admit)}, {milliseconds(p99)}",
                f"{P99_SECONDS * 1000:.0f} ms at p99",
                p99 <= P99_SECONDS,
            ),
            Line(f"{store}: ratio to a {bare}", f"{admit / base:.1f} ({milliseconds(base)})"),
            Line(f"{store}: with the record after the answer", milliseconds(median(of["whole"]))),
        ]
    return lines


def _numbers(samples: int) -> dict[str, dict[str, list[float]]]:
    import redis

    from appointments.services.gate import CityGate
    from appointments.services.gate_redis import RedisLedger
    from appointments.services.gate_stores import DatabaseLedger

    result = {"SQLite": _of(CityGate(DatabaseLedger("bench"), _now), _bare_update(), samples)}
    server = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1)
    try:
        server.ping()
    except redis.RedisError:
        return result
    store = RedisLedger("bench-gate", REDIS_URL)
    script = server.register_script("return redis.call('HINCRBY', KEYS[1], 'n', 1)")
    try:
        result["Redis"] = _of(CityGate(store, _now), lambda: script(keys=["termin:bench"]), samples)
    finally:
        server.delete(store.key, "termin:bench")
    return result


def _now() -> datetime:
    return datetime.now(UTC)


def _bare_update() -> Callable[[], Any]:
    from django.db.models import F

    from appointments.models import GateState

    GateState.objects.create(egress="bare")
    return lambda: GateState.objects.filter(egress="bare", used__gte=0).update(used=F("used") + 1)


def _of(gate: Any, bare: Callable[[], Any], samples: int) -> dict[str, list[float]]:
    from dataclasses import replace

    from appointments.upstream.types import CallKind

    before, version = gate.store.read()
    gate.store.swap(before, version, replace(before, limit=10**9, round_cap=10**9))
    took: dict[str, list[float]] = {"bare": [], "admit": [], "whole": []}
    for sample in range(samples + 20):
        began = time.perf_counter()
        bare()
        took["bare"].append(time.perf_counter() - began)
        began = time.perf_counter()
        with gate.admit(CallKind.BOOKING) as call:
            took["admit"].append(time.perf_counter() - began)
            call.answered(200, {"X-RateLimit-Limit": "1000000000"}, 500)
            call.understood("ok")
        took["whole"].append(time.perf_counter() - began)
        if sample == 20:  # the first ones open connections and fill caches
            for values in took.values():
                values.clear()
    return took


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(json.dumps(_numbers(int(sys.argv[1]))) + "\n")
