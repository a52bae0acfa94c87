"""A crowd waits for few places: are all of them used, in fair order, and how long does it take beside the city?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bench.report import Line, milliseconds, percentile
from bench.server import Exchange
from bench.stage import Stage

PEOPLE, PLACES = 100, 30
# What the city takes for a reservation, in seconds; on loopback it would take no time, which it does not in earnest.
CITY_TAKES = 0.3


@dataclass(frozen=True)
class Release:
    """`times` start times of `places` places each, opened in one moment."""

    times: int
    places: int

    def __str__(self) -> str:
        return f"{self.times} times x {self.places}"


RELEASES = (Release(30, 1), Release(3, 10))


def measure(stage: Stage, number: int, release: Release) -> list[Line]:
    """`PEOPLE` people want a hold at the `number`-th service; one release of `PLACES` places."""
    service, offices = stage.service(number)
    office = offices[0]
    watches = _gather(stage, service, office.pk)
    stage.simulators.delay("reserve-appointment", CITY_TAKES)
    day = stage.next_day()
    starts = [day + timedelta(minutes=10 * index) for index in range(release.times)]
    since = len(stage.simulators.exchanges)
    for starts_at in starts:
        stage.simulators.city.add_places(office.upstream_id, [service], starts_at, release.places)
    stage.ask_now(service)
    answer = stage.answer_with(starts[-1], since)
    held = stage.simulators.wait_for(_is_held, since, 60, count=PLACES)
    took = held[-1].answered_at - answer.answered_at
    stage.rest_of_attempts()
    stage.simulators.delay("reserve-appointment", 0)
    asked = [e for e in stage.simulators.exchanges[since:] if "reserve-appointment" in e.path]
    positions = _served(watches)
    spent = sum(exchange.answered_at - exchange.arrived_at for exchange in asked)
    workers = _workers()
    return [
        Line(
            f"{release}: places used",
            f"{len(positions)} of {PLACES}",
            str(PLACES),
            len(positions) == PLACES,
        ),
        Line(
            "  served in order of turn",
            _order(positions),
            "the first 30",
            positions == list(range(PLACES)),
        ),
        Line("  all held after", f"{took:.2f} s"),
        Line(
            "  the city's own answer times",
            f"{spent:.2f} s for {len(asked)} requests by {workers} workers: {spent / workers:.2f} s at least",
        ),
        Line(
            "  first reservation leaves after",
            milliseconds(min(exchange.arrived_at for exchange in asked) - answer.answered_at),
        ),
        Line("  typical pause of a worker between two", milliseconds(_pause(asked, workers))),
    ]


def _gather(stage: Stage, service: int, office: int) -> list[int]:
    """The people's watches, in order of turn."""
    from django.utils import timezone

    from appointments.models import Watch

    watches = []
    for position in range(PEOPLE):
        stage.person(service, (office,), "hold")
        watch = Watch.objects.latest("pk")
        waiting = timezone.now() - timedelta(minutes=PEOPLE - position)
        Watch.objects.filter(pk=watch.pk).update(waiting_since=waiting)
        watches.append(watch.pk)
    return watches


def _is_held(exchange: Exchange) -> bool:
    if "reserve-appointment" not in exchange.path:
        return False
    answer: dict[str, Any] = json.loads(exchange.answer or b"{}")
    return "processId" in answer


def _served(watches: list[int]) -> list[int]:
    from appointments.models import Booking

    held = set(Booking.objects.filter(reserved_at__isnull=False).values_list("watch_id", flat=True))
    return [position for position, watch in enumerate(watches) if watch in held]


def _order(positions: list[int]) -> str:
    """In words, how far the turn was kept."""
    strangers = [position for position in positions if position >= PLACES]
    if not strangers:
        return f"the first {len(positions)}"
    others = ", ".join(str(position + 1) for position in strangers)
    return f"{len(positions) - len(strangers)} of the first {PLACES}, and number {others}"


def _workers() -> int:
    from django.conf import settings

    return int(settings.BOOKING_WORKERS)


def _pause(asked: list[Exchange], workers: int) -> float:
    """Typical time from a worker's answer to its next request: the n-th answer frees it for the n+workers-th."""
    answers = sorted(exchange.answered_at for exchange in asked)
    requests = sorted(exchange.arrived_at for exchange in asked)
    pauses = [later - earlier for earlier, later in zip(answers, requests[workers:], strict=False)]
    return percentile(pauses, 0.5) if pauses else 0.0
