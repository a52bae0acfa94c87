"""Success rates of attempts, from what was counted: by search and office, and by hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Sum

from appointments.models import AttemptCount
from appointments.selectors.dashboard import SLOW_PART_SECONDS

Outcome = AttemptCount.Outcome
SHOWN_DAYS, SHOWN_HOURS, SHOWN_PLACES = 7, 24, 12
CACHE_KEY = "dashboard:attempts"
# Once it was held, whatever became of it.
HELD = frozenset({Outcome.CONFIRMED, Outcome.KEPT, Outcome.LET_GO})
# These say nothing about success (yet).
UNDECIDED = frozenset({Outcome.RUNNING, Outcome.DROPPED})


@dataclass(frozen=True, slots=True)
class PlaceAttempts:
    """What became of the attempts for one service at one office. Times are means in milliseconds; None without any."""

    service: str
    office: str
    attempts: int
    held: int
    confirmed: int
    lost: int
    reasons: tuple[tuple[str, int], ...]
    held_percent: int | None
    leaving_ms: int | None
    holding_ms: int | None
    confirming_ms: int | None


@dataclass(frozen=True, slots=True)
class HourAttempts:
    """Attempts of one hour, and how many of them were held."""

    starts_at: datetime
    attempts: int
    held: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What the dashboard shows of attempts."""

    places: list[PlaceAttempts]
    hours: list[HourAttempts]


def attempts_shown(*, now: datetime) -> Shown:
    """Read at most every `SLOW_PART_SECONDS` by one process: it walks over the counts of a week."""
    kept: Shown | None = cache.get(CACHE_KEY)
    if kept is None:
        kept = Shown(attempts_by_place(now=now), attempts_by_hour(now=now))
        cache.set(CACHE_KEY, kept, SLOW_PART_SECONDS)
    return kept


def attempts_by_place(*, now: datetime) -> list[PlaceAttempts]:
    """The searches and offices with the most attempts of the last days, most first."""
    rows = (
        AttemptCount.objects.filter(hour__gte=now - timedelta(days=SHOWN_DAYS))
        .values("search__main_service__name", "search__key", "office__name", "outcome", "reason")
        .annotate(
            n=Sum("attempts"),
            leaving_sum=Sum("leaving_ms"),
            leaving_n=Sum("leaving"),
            holding_sum=Sum("holding_ms"),
            holding_n=Sum("holding"),
            confirming_sum=Sum("confirming_ms"),
            confirming_n=Sum("confirming"),
        )
        .order_by()
    )
    by_place: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        place = row["search__main_service__name"], row["search__key"], row["office__name"]
        by_place.setdefault(place, []).append(row)
    places = [_place(service, office, of_place) for (service, _key, office), of_place in by_place.items()]
    places.sort(key=lambda place: (-place.attempts, place.service, place.office))
    return places[:SHOWN_PLACES]


def _place(service: str, office: str, rows: Sequence[Mapping[str, Any]]) -> PlaceAttempts:
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for row in rows:
        number = row["n"]
        outcomes[row["outcome"]] += number
        if row["reason"] and row["outcome"] in (Outcome.LOST, Outcome.FAILED, Outcome.UNCLEAR):
            reasons[row["reason"]] += number
        for step in ("leaving", "holding", "confirming"):
            sums[f"{step}_sum"] += row[f"{step}_sum"]
            sums[f"{step}_n"] += row[f"{step}_n"]
    total = outcomes.total()
    held = sum(outcomes[outcome] for outcome in HELD)
    decided = total - sum(outcomes[outcome] for outcome in UNDECIDED)

    def mean(step: str) -> int | None:
        return round(sums[f"{step}_sum"] / sums[f"{step}_n"]) if sums[f"{step}_n"] else None

    return PlaceAttempts(
        service=service,
        office=office,
        attempts=total,
        held=held,
        confirmed=outcomes[Outcome.CONFIRMED],
        lost=outcomes[Outcome.LOST],
        reasons=tuple(reasons.most_common(3)),
        held_percent=round(100 * held / decided) if decided else None,
        leaving_ms=mean("leaving"),
        holding_ms=mean("holding"),
        confirming_ms=mean("confirming"),
    )


def attempts_by_hour(*, now: datetime) -> list[HourAttempts]:
    """The last hours, oldest first, empty ones too."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=SHOWN_HOURS - 1)
    rows = AttemptCount.objects.filter(hour__gte=first).values("hour", "outcome").annotate(n=Sum("attempts"))
    attempts: Counter[datetime] = Counter()
    held: Counter[datetime] = Counter()
    for row in rows.order_by():
        attempts[row["hour"]] += row["n"]
        held[row["hour"]] += row["n"] if row["outcome"] in HELD else 0
    hours = [first + timedelta(hours=number) for number in range(SHOWN_HOURS)]
    return [HourAttempts(hour, attempts[hour], held[hour]) for hour in hours]
