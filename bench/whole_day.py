"""All of a day at full load against the simulated city, in virtual time: how often are we refused?"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import requests

from bench.apart import measured_apart
from bench.report import Line
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter

BASE = "http://city.test/city/api/citizen"
# A Monday, ten at night: the night, a midnight and the whole day after it.
START = datetime(2026, 11, 23, 21, 0, 30, tzinfo=UTC)


def measure(hours: float) -> list[Line]:
    """40 searches, 30 bookings, three guarded offices, the city's limit of 60."""
    found = measured_apart(
        "bench.whole_day", str(hours), seconds=3600, CAPTCHA_MODE="auto", LOG_LEVEL="ERROR"
    )
    kinds = ", ".join(f"{kind} {count}" for kind, count in found["by_kind"].items())
    return [
        Line(f"refusals in {hours:g} hours", str(found["refused"]), "0", found["refused"] == 0),
        Line(
            f"{found['searches']} searches, confirmed bookings",
            str(found["booked"]),
            "30",
            found["booked"] == 30,
        ),
        Line("requests by kind", kinds),
        Line(
            "requests, rounds, most in a row",
            f"{found['requests']}, {found['rounds']}, {found['largest_count']}",
        ),
        Line("computed in", f"{found['seconds']:.0f} s"),
    ]


class BenchTown:
    """The domain against the simulated city without sockets, queues run by hand, messages thrown away."""

    def __init__(self) -> None:
        from appointments import tasks, wiring
        from appointments.policy import FairPolicy
        from appointments.services import queueing, watching
        from appointments.services.catalogue import sync_catalogue
        from appointments.services.desk import Desk
        from appointments.services.gate import DatabaseGate
        from appointments.services.tokens import TokenSource
        from appointments.upstream.client import CitizenApi
        from captcha.client import CaptchaApi

        self.munich = CityWorld(Clock(at=START), captcha_cost=1)
        self.queue = BenchQueue()
        clock = self.munich.clock.now
        gate = DatabaseGate("bench", clock, sleep=lambda seconds: self.advance(seconds=seconds))
        api = CitizenApi(self.session, BASE, gate=gate)
        tokens = [
            TokenSource(CaptchaApi(self.session, BASE, gate=admitting), "bench", "auto", clock)
            for admitting in (gate, gate.for_bookings)
        ]
        desk = Desk(api=api, tokens=tokens[1], clock=clock)
        self.watcher = watching.Watcher(
            api=api,
            policy=FairPolicy(),
            tokens=tokens[0],
            reachable=lambda: True,
            clock=clock,
            sleep=lambda seconds: self.advance(seconds=seconds),
        )
        for module in (queueing, tasks):
            module.async_task = self.queue.put  # type: ignore[attr-defined]
        wiring.desk = lambda: desk
        tasks.timezone = SimpleNamespace(now=clock)  # type: ignore[assignment]
        sync_catalogue(api, now=clock())
        self.advance(seconds=70)

    @property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://city.test/", WsgiAdapter(city_app(self.munich)))
        return session

    def now(self) -> datetime:
        return self.munich.clock.now()

    def advance(self, **parts: float) -> None:
        self.munich.clock.advance(timedelta(**parts))
        self.munich.tick()

    def sweep(self) -> None:
        from appointments.services.sweeps import sweep_bookings

        sweep_bookings(now=self.now())
        self.queue.run()


class BenchQueue:
    """Tasks run by hand; messages are not sent, because nobody reads them here."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, tuple[object, ...]]] = []

    def put(self, name: str, *args: object, **_options: object) -> None:
        self.waiting.append((name.rsplit(".", 1)[-1], args))

    def run(self) -> None:
        from appointments import tasks

        while self.waiting:
            name, args = self.waiting.pop(0)
            if name != "deliver_messages":
                getattr(tasks, name)(*args)


def _run(hours: float) -> dict[str, Any]:
    from appointments.models import Call
    from bench.city_day import CityDay

    town = BenchTown()
    Call.objects.all().delete()
    began = time.monotonic()
    result = CityDay(town, length=timedelta(hours=hours)).run()
    found = asdict(result)
    return found | {"simulated": hours, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(json.dumps(_run(float(sys.argv[1]))) + "\n")
