"""What is going on now, for staff: one bounded handful of queries, whatever the size of the tables."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Min, Q, Value
from django.utils import timezone
from django_q.models import OrmQ

from appointments.models import (
    Booking,
    BookingEvent,
    Call,
    CircuitBreaker,
    Heartbeat,
    OutboxMessage,
    Sighting,
    Slot,
    StaffAlert,
    Watch,
)
from appointments.models.outbox import OVERTAKEN
from appointments.selectors import health
from appointments.selectors import traffic as city_traffic
from appointments.states import LIVE, BookingState
from appointments.upstream.errors import ERROR_BY_CODE, NOTHING_FREE_CODES, SlotTaken

HOURS_SHOWN = 24
RECENT_SHOWN = 14
# What changes slowly or costs a walk over many rows is read this seldom per web process.
SLOW_PART_SECONDS = 10
# What the city says when somebody else was faster, and our word for a loss without one.
LOST_RACES = frozenset(
    {"taken", *NOTHING_FREE_CODES, *(c for c, error in ERROR_BY_CODE.items() if error is SlotTaken)}
)


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
    days: tuple[city_traffic.Day, ...]
    told: int
    given_up: int
    watches: Watches


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the dashboard shows at `now`."""

    now: datetime
    components: list[health.Component]
    sight: health.CitySight
    budget: city_traffic.Budget
    breakers: list[CircuitBreaker]
    queues: list[Queue]
    watches: Watches
    slots_open: int
    bookings: list[tuple[BookingState, int]]
    funnel: Funnel
    recent: list[Happening]
    traffic: city_traffic.Traffic
    days: tuple[city_traffic.Day, ...]
    alerts: list[StaffAlert]
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
    gate = city_traffic.gate_state()
    by_name = {breaker.name: breaker for breaker in breakers}
    today = timezone.make_aware(datetime.combine(timezone.localdate(now), time.min))
    token = health.captcha_token()
    slow = _slow_part(now, today)
    return Overview(
        now=now,
        components=health.components_from(beats, by_name, token, now),
        sight=health.sight_from(beats, by_name, token, gate, now),
        budget=city_traffic.budget(gate, now),
        breakers=breakers,
        queues=queues(now),
        watches=slow.watches,
        slots_open=Slot.objects.filter(gone_at=None, starts_at__gt=now).count(),
        bookings=live_bookings(),
        funnel=_funnel(today, slow.told),
        recent=_recent(),
        traffic=city_traffic.traffic(now),
        days=slow.days,
        alerts=city_traffic.alerts(),
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


def _funnel(today: datetime, told: int) -> Funnel:
    seen = Sighting.objects.filter(at__gte=today).exclude(kind=Sighting.Kind.GONE).count()
    events = BookingEvent.objects.filter(at__gte=today).order_by()
    counts = events.values("state").annotate(
        n=Count("booking", distinct=True),
        lost=Count("booking", distinct=True, filter=Q(reason__in=sorted(LOST_RACES))),
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


def _slow_part(now: datetime, today: datetime) -> SlowPart:
    """Read at most every `SLOW_PART_SECONDS` by one process."""
    key = f"dashboard:slow:{today:%Y%m%d}"
    kept: SlowPart | None = cache.get(key)
    if kept is None:
        messages = OutboxMessage.objects.aggregate(
            told=Count("pk", filter=Q(kind="slots_opened", sent_at__gte=today)),
            given_up=Count("pk", filter=Q(failed_at__gte=today) & ~Q(last_error=OVERTAKEN)),
        )
        kept = SlowPart(
            _hours(now), city_traffic.days(now), messages["told"], messages["given_up"], watches()
        )
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
