"""The gate and its traffic for staff: what is left, why it is slow, how long answers take, and since when."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from django.conf import settings

from appointments import durations, limits
from appointments.limits import QUIET_GAP, Rules
from appointments.models import Call, CallCount, GateState, StaffAlert, UnreadAnswer
from appointments.upstream.types import CallKind

TOO_MANY_REQUESTS = 429
MINUTES_SHOWN = 60
DAYS_SHOWN = 14
ALERTS_SHOWN = 5
WATCHING, BOOKING = "watching", "booking"
# Two words for seven kinds: what is asked for everybody, and what for one person.
_GROUP_OF: dict[str, str] = {
    CallKind.SWEEP: WATCHING,
    CallKind.DETAIL: WATCHING,
    CallKind.PROBE: WATCHING,
    CallKind.CATALOGUE: WATCHING,
    CallKind.CAPTCHA: WATCHING,
    CallKind.FOLLOW: BOOKING,
    CallKind.BOOKING: BOOKING,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the city's limit is used. `used` counts as the city counts: until its quiet gap is over.

    `why` are the reasons for which watching does not ask faster, as codes of `limits.why_slow`.
    """

    used: int
    round_cap: int
    limit: int
    rounds: int
    state: str  # "ready", "calling", "resting" or "paused"
    until: datetime | None
    reason: str
    used_today: int
    daily_quota: int
    why: tuple[str, ...]
    recent_ms: int | None
    usual_ms: int | None

    @property
    def share(self) -> int:
        """Used share of the city's limit in percent, at most 100."""
        return min(100, round(100 * self.used / self.limit)) if self.limit else 0

    @property
    def cap_share(self) -> int:
        """Where the part that only bookings may use begins, in percent."""
        return min(100, round(100 * self.round_cap / self.limit)) if self.limit else 0

    @property
    def reserve_share(self) -> int:
        """The part that only bookings may use, in percent."""
        return 100 - self.cap_share

    @property
    def left_for_watching(self) -> int:
        """Requests watching may still make in this round."""
        return 0 if self.state == "paused" else max(0, self.round_cap - self.used)

    @property
    def left_for_bookings(self) -> int:
        """Requests bookings may still make in this round."""
        return 0 if self.state == "paused" else max(0, limits.booking_bound(self.limit) - self.used)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often an outcome came in the last hour."""

    code: str
    calls: int
    percent: float
    bad: bool


@dataclass(frozen=True, slots=True)
class Minute:
    """Calls of one minute: for everybody's watches, and for single bookings."""

    starts_at: datetime
    watching: int
    booking: int


@dataclass(frozen=True, slots=True)
class KindOfCall:
    """Calls of one kind in the last hour, and how long half and nearly all of them took at most."""

    kind: str
    calls: int
    p50: int | None
    p95: int | None
    bad: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of the last hour. Response times in milliseconds; None without any call."""

    calls: int
    last_minute: int
    rounds: int
    p50: int | None
    p95: int | None
    bad_percent: float
    outcomes: tuple[Outcome, ...]
    kinds: tuple[KindOfCall, ...]
    minutes: tuple[Minute, ...]
    # Forms of answers we could not read in the last day, however often they came.
    unread: int


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of traffic, from the counts. Response times within 12 %."""

    starts_at: datetime
    calls: int
    megabytes: float
    p50: int | None
    p95: int | None
    bad_percent: float


def city_rules() -> Rules:
    """What the operator set about asking the city."""
    return Rules(daily_quota=settings.CITY_DAILY_QUOTA)


def gate_state() -> GateState | None:
    """The gate of this installation's address."""
    return GateState.objects.filter(egress=settings.EGRESS_NAME).first()


def budget(gate: GateState | None, now: datetime) -> Budget:
    """What is left of this round and this day at `now` (aware)."""
    gate = gate or GateState(egress=settings.EGRESS_NAME)
    book, rules = gate.ledger, city_rules()
    used = 0 if limits.has_rested(book, now) else gate.used
    state, until = "ready", None
    if gate.paused_until and gate.paused_until > now:
        state, until = "paused", gate.paused_until
    elif used >= gate.round_cap and gate.last_call_at:
        state, until = "resting", gate.last_call_at + QUIET_GAP
    elif used:
        state = "calling"
    return Budget(
        used=used,
        round_cap=gate.round_cap,
        limit=gate.limit,
        rounds=gate.rounds,
        state=state,
        until=until,
        reason=gate.pause_reason,
        used_today=gate.used_today if gate.day == limits.local_day(now) else 0,
        daily_quota=rules.daily_quota,
        why=limits.why_slow(book, now, rules),
        recent_ms=None if gate.recent_ms is None else round(gate.recent_ms),
        usual_ms=None if gate.usual_ms is None else round(gate.usual_ms),
    )


def traffic(now: datetime) -> Traffic:
    """The last hour, in one walk over its calls (some thousands at most: the city's limit sees to it)."""
    rows = Call.objects.filter(at__gte=now - timedelta(hours=1)).values_list(
        "at", "kind", "status", "code", "milliseconds", "round"
    )
    codes: Counter[str] = Counter()
    bad_codes: Counter[str] = Counter()
    bad_kinds: Counter[str] = Counter()
    minutes: dict[str, Counter[int]] = {WATCHING: Counter(), BOOKING: Counter()}
    took: dict[str, list[int]] = defaultdict(list)
    rounds, last_minute = set(), 0
    for at, kind, status, code, milliseconds, number in rows.iterator():
        bad = status is None or status >= 500 or status == TOO_MANY_REQUESTS
        codes[code] += 1
        bad_codes[code] += bad
        bad_kinds[kind] += bad
        took[kind].append(milliseconds)
        rounds.add(number)
        last_minute += at > now - timedelta(minutes=1)
        minutes[_GROUP_OF.get(kind, WATCHING)][int(at.timestamp()) // 60] += 1
    times = [milliseconds for of_kind in took.values() for milliseconds in of_kind]
    total, this_minute = len(times), int(now.timestamp()) // 60
    return Traffic(
        calls=total,
        last_minute=last_minute,
        rounds=len(rounds),
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        bad_percent=round(100 * bad_codes.total() / total, 1) if total else 0.0,
        outcomes=tuple(
            Outcome(code, count, round(100 * count / total, 1), bad_codes[code] > 0)
            for code, count in codes.most_common(8)
        ),
        kinds=tuple(
            KindOfCall(
                kind.value,
                len(took[kind]),
                percentile(took[kind], 50),
                percentile(took[kind], 95),
                bad_kinds[kind],
            )
            for kind in CallKind
            if kind in took
        ),
        minutes=tuple(
            Minute(
                datetime.fromtimestamp(60 * minute, now.tzinfo),
                minutes[WATCHING][minute],
                minutes[BOOKING][minute],
            )
            for minute in range(this_minute - MINUTES_SHOWN + 1, this_minute + 1)
        ),
        unread=UnreadAnswer.objects.filter(last_at__gte=now - timedelta(days=1)).count(),
    )


def days(now: datetime) -> tuple[Day, ...]:
    """The last two weeks from the counts, newest first; today as far as it is counted."""
    found: dict[datetime, list[CallCount]] = defaultdict(list)
    since = now - timedelta(days=DAYS_SHOWN)
    for count in CallCount.objects.filter(span=CallCount.Span.DAY, starts_at__gt=since):
        found[count.starts_at].append(count)
    result = []
    for starts_at in sorted(found, reverse=True):
        counts = found[starts_at]
        total = sum(count.calls for count in counts)
        histogram = durations.added(count.histogram for count in counts)
        result.append(
            Day(
                starts_at=starts_at,
                calls=total,
                megabytes=round(sum(count.size for count in counts) / 1e6, 1),
                p50=durations.percentile(histogram, 50),
                p95=durations.percentile(histogram, 95),
                bad_percent=round(100 * sum(c.calls for c in counts if c.code in BAD_CODES) / total, 1),
            )
        )
    return tuple(result)


# Outcomes that count as "without a usable answer" where only the outcome is kept.
BAD_CODES = frozenset(
    {
        "timeout",
        "connectionFailed",
        "interrupted",
        "notUnderstood",
        "serverError",
        "frameworkError",
        "gatewayError",
        "unknownError",
        "internalError",
        "serviceUnavailable",
        "zmsClientCommunicationError",
        "rateLimitExceeded",
    }
)


def alerts() -> list[StaffAlert]:
    """What staff should look at now, the longest standing first."""
    return list(StaffAlert.objects.filter(over_at=None).order_by("since")[:ALERTS_SHOWN])


def percentile(values: Sequence[int], percent: int) -> int | None:
    """The `percent`-th percentile, None without values."""
    if len(values) < 2:
        return values[0] if values else None
    return round(quantiles(values, n=100, method="inclusive")[percent - 1])
