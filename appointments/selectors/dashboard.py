"""What is going on now, for staff: one bounded handful of queries, whatever the size of the tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from statistics import quantiles

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Min, Q, Value
from django.utils import timezone
from django_q.models import OrmQ

from appointments.limits import QUIET_GAP
from appointments.models import (
    Booking,
    BookingEvent,
    Call,
    CircuitBreaker,
    GateState,
    Heartbeat,
    OutboxMessage,
    Sighting,
    Slot,
    Watch,
)
from appointments.models.outbox import OVERTAKEN
from appointments.selectors import health
from appointments.selectors.bookings import GONE, LOST_RACES
from appointments.states import LIVE, BookingState

HOURS_SHOWN = 24
RECENT_SHOWN = 14
# What changes slowly or costs a walk over many rows is read this seldom per web process.
SLOW_PART_SECONDS = 10
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the city's limit is used. `used` counts as the city counts: until its quiet gap is over."""

    used: int
    round_cap: int
    limit: int
    rounds: int
    state: str  # "ready", "calling", "resting" or "paused"
    until: datetime | None
    reason: str

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


@dataclass(frozen=True, slots=True)
class Queue:
    """Tasks of one queue: waiting, in hand, and how long the oldest has been waiting."""

    name: str
    waiting: int
    in_hand: int
    oldest: timedelta | None


@dataclass(frozen=True, slots=True)
class Watches:
    """Watches that are watching, by what they do when a slot opens."""

    notify: int
    hold: int
    auto: int
    paused: int
    blind: int

    @property
    def active(self) -> int:
        """All that are watching."""
        return self.notify + self.hold + self.auto


@dataclass(frozen=True, slots=True)
class Funnel:
    """Today, from a slot seen to a confirmed appointment. "Today" is the local day."""

    seen: int
    told: int
    held: int
    sent: int
    confirmed: int
    released: int
    lapsed: int
    lost_races: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the list of recent events; ids and places only."""

    at: datetime
    kind: str  # "booking" or "slot"
    number: int
    what: str
    detail: str
    tone: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often an outcome came in the last hour."""

    code: str
    calls: int
    percent: float
    bad: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of the last hour. Response times in milliseconds; None without any call."""

    calls: int
    last_minute: int
    p50: int | None
    p95: int | None
    bad_percent: float
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Outbox:
    """Messages that are due and not sent, and how long the oldest has been waiting."""

    due: int
    oldest: timedelta | None


@dataclass(frozen=True, slots=True)
class Hour:
    """Calls sent and slots opened in one hour."""

    starts_at: datetime
    calls: int
    slots: int


@dataclass(frozen=True, slots=True)
class SlowPart:
    """What costs a walk over many rows."""

    hours: tuple[Hour, ...]
    told: int
    given_up: int
    watches: Watches


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the dashboard shows at `now`."""

    now: datetime
    components: list[health.Component]
    sight: health.CitySight
    budget: Budget
    breakers: list[CircuitBreaker]
    queues: list[Queue]
    watches: Watches
    slots_open: int
    bookings: list[tuple[BookingState, int]]
    funnel: Funnel
    recent: list[Happening]
    traffic: Traffic
    outbox: Outbox
    given_up: int
    hours: tuple[Hour, ...]

    @property
    def missing(self) -> list[str]:
        """Parts without which nothing works."""
        return health.missing(self.components)


def overview(now: datetime) -> Overview:
    """Read it all. `now` is aware."""
    beats = {beat.name: beat for beat in Heartbeat.objects.all()}
    breakers = list(CircuitBreaker.objects.order_by("name"))
    gate = GateState.objects.filter(egress=settings.EGRESS_NAME).first()
    by_name = {breaker.name: breaker for breaker in breakers}
    today = timezone.make_aware(datetime.combine(timezone.localdate(now), time.min))
    token = health.captcha_token()
    slow = _slow_part(now, today)
    return Overview(
        now=now,
        components=health.components_from(beats, by_name, token, now),
        sight=health.sight_from(beats, by_name, token, gate, now),
        budget=_budget(gate, now),
        breakers=breakers,
        queues=queues(now),
        watches=slow.watches,
        slots_open=Slot.objects.filter(gone_at=None, starts_at__gt=now).count(),
        bookings=live_bookings(),
        funnel=_funnel(today, slow.told),
        recent=_recent(),
        traffic=_traffic(now),
        outbox=outbox(now),
        given_up=slow.given_up,
        hours=slow.hours,
    )


def queues(now: datetime) -> list[Queue]:
    """Every queue of this installation with its tasks in the database."""
    waiting = Q(lock__lte=now)
    rows = OrmQ.objects.values("key").annotate(
        waiting=Count("pk", filter=waiting),
        in_hand=Count("pk", filter=~waiting),
        oldest=Min("lock", filter=waiting),
    )
    found = {row["key"]: row for row in rows}
    result = []
    for name in settings.QUEUES:
        row = found.get(name) or {"waiting": 0, "in_hand": 0, "oldest": None}
        oldest = now - row["oldest"] if row["oldest"] else None
        result.append(Queue(name, row["waiting"], row["in_hand"], oldest))
    return result


def watches() -> Watches:
    """Watches by mode; blind are those whose owner was told that we cannot see."""
    alive = Watch.objects.filter(state__in=(Watch.State.ACTIVE, Watch.State.PAUSED))
    counts: Counter[str] = Counter()
    blind = 0
    for row in alive.values("state", "mode").annotate(n=Count("pk"), blind=Count("blind_since")):
        if row["state"] == Watch.State.PAUSED:
            counts["paused"] += row["n"]
        else:
            counts[row["mode"]] += row["n"]
            blind += row["blind"]
    return Watches(
        notify=counts[Watch.Mode.NOTIFY],
        hold=counts[Watch.Mode.HOLD],
        auto=counts[Watch.Mode.AUTO],
        paused=counts["paused"],
        blind=blind,
    )


def live_bookings() -> list[tuple[BookingState, int]]:
    """How many bookings stand in each live state, in the order of the machine; states without any stay in."""
    rows = (
        Booking.objects.filter(state__in=sorted(LIVE), ended_at=None)
        .order_by()
        .values("state")
        .annotate(n=Count("pk"))
    )
    counts = {row["state"]: row["n"] for row in rows}
    return [(state, counts.get(state, 0)) for state in BookingState if state in LIVE]


def outbox(now: datetime) -> Outbox:
    """Messages waiting to be sent."""
    due = OutboxMessage.objects.filter(sent_at=None, failed_at=None, available_at__lte=now)
    row = due.aggregate(n=Count("pk"), oldest=Min("created_at"))
    return Outbox(row["n"], now - row["oldest"] if row["oldest"] else None)


def _budget(gate: GateState | None, now: datetime) -> Budget:
    gate = gate or GateState(egress=settings.EGRESS_NAME)
    rested = gate.last_call_at is None or gate.last_call_at <= now - QUIET_GAP
    used = 0 if rested else gate.used
    state, until = "ready", None
    if gate.paused_until and gate.paused_until > now:
        state, until = "paused", gate.paused_until
    elif used >= gate.round_cap and gate.last_call_at:
        state, until = "resting", gate.last_call_at + QUIET_GAP
    elif used:
        state = "calling"
    return Budget(used, gate.round_cap, gate.limit, gate.rounds, state, until, gate.pause_reason)


def _funnel(today: datetime, told: int) -> Funnel:
    seen = Sighting.objects.filter(at__gte=today).exclude(kind=Sighting.Kind.GONE).count()
    events = BookingEvent.objects.filter(at__gte=today).order_by()
    counts = events.values("state").annotate(
        n=Count("booking", distinct=True),
        lost=Count("booking", distinct=True, filter=Q(reason__in=sorted({*LOST_RACES, GONE}))),
    )
    by_state = {row["state"]: row for row in counts}

    def reached(state: BookingState) -> int:
        return by_state[state]["n"] if state in by_state else 0

    return Funnel(
        seen=seen,
        told=told,
        held=reached(BookingState.RESERVED),
        sent=reached(BookingState.PRECONFIRMED),
        confirmed=reached(BookingState.CONFIRMED),
        released=reached(BookingState.CANCELLED),
        lapsed=reached(BookingState.LAPSED),
        lost_races=by_state[BookingState.FAILED]["lost"] if BookingState.FAILED in by_state else 0,
    )


_TONES = {
    BookingState.CONFIRMED: "good",
    BookingState.RESERVED: "good",
    BookingState.PRECONFIRMED: "good",
    BookingState.UNCERTAIN: "warn",
    BookingState.FAILED: "bad",
    BookingState.LAPSED: "warn",
}


def _recent() -> list[Happening]:
    events = BookingEvent.objects.order_by("-pk")[:RECENT_SHOWN]
    sightings = Sighting.objects.select_related("slot__office").order_by("-pk")[:RECENT_SHOWN]
    happenings = [
        Happening(
            event.at,
            "booking",
            event.booking_id,
            event.get_state_display(),
            event.reason,
            _TONES.get(BookingState(event.state), "plain"),
        )
        for event in events
    ]
    happenings += [
        Happening(
            sighting.at,
            "slot",
            sighting.slot_id,
            sighting.get_kind_display(),
            sighting.slot.office.name,
            "plain",
        )
        for sighting in sightings
    ]
    return sorted(happenings, key=lambda happening: happening.at, reverse=True)[:RECENT_SHOWN]


def _traffic(now: datetime) -> Traffic:
    rows = Call.objects.filter(at__gte=now - timedelta(hours=1)).values_list(
        "at", "status", "code", "milliseconds"
    )
    codes: Counter[str] = Counter()
    bad_codes: Counter[str] = Counter()
    last_minute, times = 0, []
    for at, status, code, milliseconds in rows:
        codes[code] += 1
        bad_codes[code] += status is None or status >= 500 or status == TOO_MANY_REQUESTS
        last_minute += at > now - timedelta(minutes=1)
        times.append(milliseconds)
    total = len(times)
    return Traffic(
        calls=total,
        last_minute=last_minute,
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        bad_percent=round(100 * bad_codes.total() / total, 1) if total else 0.0,
        outcomes=tuple(
            Outcome(code, count, round(100 * count / total, 1), bad_codes[code] > 0)
            for code, count in codes.most_common(8)
        ),
    )


def percentile(values: Sequence[int], percent: int) -> int | None:
    """The `percent`-th percentile, None without values."""
    if len(values) < 2:
        return values[0] if values else None
    return round(quantiles(values, n=100, method="inclusive")[percent - 1])


def _slow_part(now: datetime, today: datetime) -> SlowPart:
    """Read at most every `SLOW_PART_SECONDS` by one process."""
    key = f"dashboard:slow:{today:%Y%m%d}"
    kept: SlowPart | None = cache.get(key)
    if kept is None:
        messages = OutboxMessage.objects.aggregate(
            told=Count("pk", filter=Q(kind="slots_opened", sent_at__gte=today)),
            given_up=Count("pk", filter=Q(failed_at__gte=today) & ~Q(last_error=OVERTAKEN)),
        )
        kept = SlowPart(_hours(now), messages["told"], messages["given_up"], watches())
        cache.set(key, kept, SLOW_PART_SECONDS)
    return kept


def _hours(now: datetime) -> tuple[Hour, ...]:
    """Counts per hour as one union of index ranges: cheap on SQLite, where truncating dates calls back into Python."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    starts = [this_hour - timedelta(hours=back) for back in reversed(range(HOURS_SHOWN))]
    calls, slots = [], []
    for index, start in enumerate(starts):
        span = Q(at__gte=start, at__lt=start + timedelta(hours=1))
        number = Value(index)
        calls.append(
            Call.objects.filter(span).order_by().annotate(hour=number).values("hour").annotate(n=Count("pk"))
        )
        opened = Sighting.objects.filter(span).exclude(kind=Sighting.Kind.GONE).order_by()
        slots.append(opened.annotate(hour=number).values("hour").annotate(n=Count("pk")))
    calls_of = {row["hour"]: row["n"] for row in calls[0].union(*calls[1:], all=True)}
    slots_of = {row["hour"]: row["n"] for row in slots[0].union(*slots[1:], all=True)}
    return tuple(
        Hour(start, calls_of.get(index, 0), slots_of.get(index, 0)) for index, start in enumerate(starts)
    )
