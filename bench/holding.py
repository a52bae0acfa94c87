"""Slot in the answer -> reserve request leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from bench.processes import ROOT
from bench.report import Line, milliseconds, percentile
from bench.stage import Stage

TYPICAL, WORST = 0.060, 0.300
# People who wait for the same slot.
CROWD = 20


def measure(stage: Stage, samples: int) -> list[Line]:
    """One slot at a time that twenty people want held; who gets it makes room for a new one."""
    service, offices = stage.service(0)
    offices = offices[:8]
    choice = tuple(office.pk for office in offices)
    for _ in range(CROWD):
        stage.person(service, choice, "hold")
    bare = bare_round_trips(stage)
    taken = []
    for number in range(samples):
        office = offices[number % len(offices)].upstream_id
        starts_at = stage.next_start()
        moment = str(int(starts_at.timestamp())).encode()
        since = stage.open_slot(service, office, starts_at)
        answer = stage.answer_with(starts_at, since)
        request = stage.simulators.wait_for(
            lambda exchange, moment=moment: "reserve" in exchange.path and moment in exchange.request,  # type: ignore[misc]
            since,
            20,
        )[0]
        taken.append(request.arrived_at - answer.answered_at)
        # Whoever holds it waits no more, and whoever probed for a second place must have learned that there is none.
        stage.person(service, choice, "hold")
        stage.rest_of_attempts()
    typical, worst = percentile(taken, 0.5), percentile(taken, 0.99)
    round_trip, hop = percentile(bare, 0.5), percentile(queue_hops(stage), 0.5)
    return [
        Line(
            f"typical (p50 of {samples}), {CROWD} people waiting",
            milliseconds(typical),
            milliseconds(TYPICAL),
            typical <= TYPICAL,
        ),
        Line("worst (p99)", milliseconds(worst), milliseconds(WORST), worst <= WORST),
        Line("least, most", f"{milliseconds(min(taken))}, {milliseconds(max(taken))}"),
        Line(
            "bare request on loopback (p50)",
            f"{milliseconds(round_trip)}, {typical / round_trip:.0f} of them",
        ),
        Line("bare task of the queue (p50)", f"{milliseconds(hop)}, {typical / hop:.1f} of them"),
    ]


def queue_hops(stage: Stage, count: int = 20) -> list[float]:
    """Seconds from queueing a task that only sends a request until the request arrives."""
    from django_q.tasks import async_task

    taken = []
    for number in range(count):
        since = len(stage.simulators.exchanges)
        url = f"{stage.simulators_url}/bot{number}/bare"
        began = time.perf_counter()
        async_task("bench.bare.knock", url, q_options={"cluster": "booking"})
        request = stage.simulators.wait_for(lambda exchange, url=url: exchange.path in url, since, 5)[0]  # type: ignore[misc]
        taken.append(request.arrived_at - began)
    return taken


def bare_round_trips(stage: Stage, count: int = 100) -> list[float]:
    """Seconds of bare requests to the same server, from another process."""
    url = f"{stage.simulators_url}/city/api/citizen/captcha-details/"
    command = [sys.executable, "-m", "bench.bare", "round-trips", url, str(count)]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603 - our own
    return list(json.loads(printed))
