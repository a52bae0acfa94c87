"""Budgets and pauses as arithmetic: no database, no clock, no Django.

The city counts requests per address. Its 60 s window restarts with every accepted request, so calls less than
60 s apart add up, however slow the stream, until one is refused. We therefore call in *rounds*: a bounded number
of calls, then more than 60 s of quiet. Source: contract of the city's API, "Limits", confirmed by recorded answers.

`Ledger` is what we know about one address; `admit` and `after_call` are the only places where it changes. Whoever
keeps it (the database, Redis) stores what they return, and refuses to store over somebody else's change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from appointments.upstream.types import CallKind

MUNICH = ZoneInfo("Europe/Berlin")
# A second more than the city's window: it starts counting when our request arrives there, not when it leaves here.
QUIET_GAP = timedelta(seconds=61)
# Calls of a round that only bookings may use.
BOOKING_RESERVE = 8
# What a booking still needs once it has its captcha token: reserve, update, pre-confirm.
AFTER_THE_TOKEN = 3
USUAL_ROUND = 40
SMALLEST_ROUND = 4
FIRST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=15)
# Rounds do not grow so soon after something told us to slow down.
CALM = timedelta(minutes=5)
BLACKLIST_PAUSE = timedelta(days=1)
# How long one request keeps the line; longer than an answer takes, so that only a dead process's line runs out.
LINE = timedelta(seconds=20)

# The bucket of each kind: its share of a round. It fills again within a minute. Bookings have the round itself.
BUCKETS: Mapping[CallKind, float] = {
    CallKind.SWEEP: 1.0,
    CallKind.DETAIL: 0.75,
    CallKind.FOLLOW: 0.3,
    CallKind.CAPTCHA: 0.25,
    CallKind.CATALOGUE: 0.1,
    CallKind.PROBE: 0.1,
}
SMALLEST_BUCKET = 3
BUCKET_FILLS_IN = timedelta(seconds=60)

# An answer is slow when it takes twice the usual, and noticeably so.
SLOW_FACTOR, SLOW_BY_MS = 2.0, 250.0
JUDGED_AFTER = 20
# The weight of one answer: in what is recent, in what is usual, and in what is usual while answers are slow.
RECENT, USUAL, USUAL_WHILE_SLOW = 0.2, 0.02, 0.005
COSTLY_FACTOR = 2.0
# So much dearer, the city means us: rounds halve, as after a refusal.
FORBIDDING_FACTOR = 10.0
_MEASURED = (CallKind.SWEEP, CallKind.DETAIL)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decides. Distances are between two calls of watching, hours are Munich's.

    `daily_quota`: calls of one local day after which watching stops; 0 for none. Bookings never stop at it.
    """

    distance: timedelta = timedelta(milliseconds=500)
    night_distance: timedelta = timedelta(seconds=4)
    night: tuple[int, int] = (23, 6)
    daily_quota: int = 40_000


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one address has used of the city's limit, counted as the city counts, and how the city has been."""

    limit: int = 60
    round_cap: int = USUAL_ROUND
    used: int = 0
    rounds: int = 0
    last_call_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str = ""
    refused_at: datetime | None = None
    refusals: int = 0
    # Bucket of each kind: calls left, and when that was (Unix seconds).
    buckets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    # Who is sending, and until when nobody else should.
    line: str = ""
    line_until: datetime | None = None
    watched_at: datetime | None = None
    day: str = ""
    used_today: int = 0
    recent_ms: float | None = None
    usual_ms: float | None = None
    measured: int = 0
    captcha_cost: int | None = None
    usual_captcha_cost: int | None = None
    slowed_at: datetime | None = None
    slowed_round: int = 0
    slow_reason: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """No call now. `why` is the code of the reason, see `why_slow`; `line` means that another call is under way."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call went, as far as the budget is concerned. `limit` and `remaining` are the city's headers."""

    kind: CallKind
    line: str
    took: timedelta
    refused: bool = False
    blacklisted: bool = False
    limit: int | None = None
    remaining: int | None = None


# Rounds


def largest_round(limit: int) -> int:
    """How many calls watching may use of one round, given the city's limit: two thirds, bookings' reserve kept.

    Never none, however small the limit: without any call we would not learn that it has grown again.
    """
    return max(1, min(SMALLEST_ROUND, limit - 1), min(limit * 2 // 3, booking_bound(limit) - BOOKING_RESERVE))


def shrink_round(cap: int) -> int:
    """The size of rounds after the city asked us to slow down: half."""
    return max(SMALLEST_ROUND, cap // 2)


def ease_round(cap: int) -> int:
    """The size of rounds after a sign that we ask too much, but no refusal: three quarters."""
    return max(SMALLEST_ROUND, cap * 3 // 4)


def grow_round(cap: int, limit: int) -> int:
    """The size of rounds after one went by without a refusal: one more, up to the largest."""
    return min(cap + 1, largest_round(limit))


def booking_bound(limit: int) -> int:
    """How many calls of a round there may be in all; the last one of the city's limit stays unused."""
    return max(1, limit - 1)


def used_from_headers(limit: int, remaining: int) -> int:
    """Calls of this round as the city counted them. Its `Remaining` is one lower than the truth."""
    return max(0, limit - remaining - 1)


def has_rested(book: Ledger, now: datetime) -> bool:
    """Whether the city's count has started again: a quiet gap has passed."""
    return book.last_call_at is None or book.last_call_at <= now - QUIET_GAP


def is_calm(book: Ledger, now: datetime) -> bool:
    """Whether nothing has asked us lately to slow down."""
    signs = [sign for sign in (book.refused_at, book.slowed_at) if sign is not None]
    return all(sign <= now - CALM for sign in signs)


def bound_for(book: Ledger, kind: CallKind, cap: int, *, for_booking: bool) -> int:
    """How many calls of a round there may be before one of this kind has to wait."""
    everything = booking_bound(book.limit)
    if kind == CallKind.BOOKING:
        return everything
    if for_booking:
        # A token is worth nothing to a booking that has no calls left to use it.
        return max(cap, everything - AFTER_THE_TOKEN)
    return min(cap, everything)


# Buckets, distances, days


def bucket_size(kind: CallKind, cap: int) -> int:
    """Calls of this kind that may follow each other at once."""
    return max(SMALLEST_BUCKET, round(cap * BUCKETS[kind]))


def bucket_level(book: Ledger, kind: CallKind, cap: int, now: datetime) -> float:
    """Calls of this kind that are left now."""
    size = bucket_size(kind, cap)
    left, since = book.buckets.get(kind.value, (float(size), now.timestamp()))
    passed = max(0.0, now.timestamp() - since)
    return min(float(size), left + size * passed / BUCKET_FILLS_IN.total_seconds())


def is_night(now: datetime, rules: Rules) -> bool:
    """Whether the city sleeps. Around midnight it does not: on many calendars new days open at 00:00."""
    local = now.astimezone(MUNICH)
    begins, ends = rules.night
    at_night = local.hour >= begins or local.hour < ends if begins > ends else begins <= local.hour < ends
    minute = local.hour * 60 + local.minute
    return at_night and 20 <= minute < 24 * 60 - 5


def watch_distance(now: datetime, rules: Rules) -> timedelta:
    """The smallest distance between two calls of watching."""
    return rules.night_distance if is_night(now, rules) else rules.distance


def is_quota_used_up(book: Ledger, now: datetime, rules: Rules) -> bool:
    """Whether watching rests until midnight because of the requests of this day."""
    return bool(rules.daily_quota) and book.day == local_day(now) and book.used_today >= rules.daily_quota


def local_day(now: datetime) -> str:
    """The day in Munich, as `2026-11-23`."""
    return now.astimezone(MUNICH).date().isoformat()


def next_midnight(now: datetime) -> datetime:
    """When the next day begins in Munich, in UTC; 23, 24 or 25 hours after the present one began."""
    day = now.astimezone(MUNICH).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=MUNICH).astimezone(now.tzinfo)


# The gate


def admit(
    book: Ledger,
    kind: CallKind,
    now: datetime,
    rules: Rules,
    *,
    line: str,
    for_booking: bool = False,
    push: bool = False,
) -> Ledger | Wait:
    """The ledger with one more call of this kind in it, or why and until when it has to wait.

    `line` names the call while it is under way. `for_booking`: a captcha that a booking waits for. `push`: the caller
    has waited long enough for the line and goes all the same; for bookings.
    """
    if book.paused_until is not None and book.paused_until > now:
        return Wait(book.paused_until, book.pause_reason or "slow_down")
    hurries = kind == CallKind.BOOKING or for_booking
    rested = has_rested(book, now)
    used = 0 if rested else book.used
    cap = min(book.round_cap, largest_round(book.limit))
    if rested and is_calm(book, now):
        cap = grow_round(cap, book.limit)
    if used >= bound_for(book, kind, cap, for_booking=for_booking):
        return Wait((book.last_call_at or now) + QUIET_GAP, "resting")
    day = local_day(now)
    used_today = book.used_today if book.day == day else 0
    buckets = dict(book.buckets)
    if not hurries:
        if is_quota_used_up(book, now, rules):
            return Wait(next_midnight(now), "quota")
        distance = watch_distance(now, rules)
        if kind in _MEASURED and book.watched_at is not None and now - book.watched_at < distance:
            return Wait(book.watched_at + distance, "night" if is_night(now, rules) else "distance")
        level = bucket_level(book, kind, cap, now)
        if level < 1:
            missing = (1 - level) / bucket_size(kind, cap)
            return Wait(now + missing * BUCKET_FILLS_IN, "bucket")
        buckets[kind.value] = (round(level - 1, 3), now.timestamp())
    if book.line_until is not None and book.line_until > now and not push:
        return Wait(book.line_until, "line")
    return replace(
        book,
        used=used + 1,
        rounds=book.rounds + rested,
        round_cap=cap,
        last_call_at=now,
        watched_at=now if kind in _MEASURED else book.watched_at,
        buckets=buckets,
        day=day,
        used_today=used_today + 1,
        line=line,
        line_until=now + LINE,
    )


def after_call(book: Ledger, went: Outcome, now: datetime) -> Ledger:
    """The ledger with what a call has taught."""
    # The city's window restarted when it took the request, which may be as late as the answer.
    last = now if book.last_call_at is None else max(book.last_call_at, now)
    book = replace(book, last_call_at=last)
    if book.line == went.line:
        book = replace(book, line="", line_until=None)
    if went.refused:
        return _after_refusal(book, now)
    if went.blacklisted:
        return replace(book, paused_until=now + BLACKLIST_PAUSE, pause_reason="refused", refused_at=now)
    book = _learn_limit(book, went, now)
    return _learn_latency(book, went, now) if went.kind in _MEASURED else book


def _after_refusal(book: Ledger, now: datetime) -> Ledger:
    """A 429 says neither why nor until when: a window's pause, twice as long each time it comes again soon."""
    again = book.refused_at is not None and book.refused_at > now - 2 * LONGEST_PAUSE
    refusals = book.refusals + 1 if again else 1
    return replace(
        book,
        paused_until=now + min(LONGEST_PAUSE, QUIET_GAP * 2 ** min(refusals - 1, 10)),
        pause_reason="slow_down",
        refused_at=now,
        refusals=refusals,
        round_cap=shrink_round(book.round_cap),
    )


def _learn_limit(book: Ledger, went: Outcome, now: datetime) -> Ledger:
    if not went.limit:
        return book
    cap = book.round_cap
    if went.limit != book.limit:
        # A limit just learned sets the size of rounds anew; growing and shrinking go on from there.
        cap = min(largest_round(went.limit), max(cap, USUAL_ROUND) if is_calm(book, now) else cap)
    used = book.used
    if went.remaining is not None:
        # Never less than our own count: several replicas of the city may each keep their own.
        used = max(used, used_from_headers(went.limit, went.remaining))
    return replace(book, limit=went.limit, round_cap=cap, used=used)


def _learn_latency(book: Ledger, went: Outcome, now: datetime) -> Ledger:
    took = went.took / timedelta(milliseconds=1)
    recent = took if book.recent_ms is None else book.recent_ms + RECENT * (took - book.recent_ms)
    usual = took if book.usual_ms is None else book.usual_ms
    # The first answers are averaged; afterwards what is usual moves slowly, and more slowly while answers are slow.
    weight = max(1 / (book.measured + 1), USUAL_WHILE_SLOW if is_slow(book) else USUAL)
    book = replace(
        book, recent_ms=recent, usual_ms=usual + weight * (took - usual), measured=book.measured + 1
    )
    return _ease(book, "latency", now) if is_slow(book) else book


def note_captcha_cost(book: Ledger, cost: int, now: datetime) -> Ledger:
    """The ledger after a captcha of this cost. One that became much dearer is a sign to ask less."""
    usual = book.usual_captcha_cost
    if usual is not None and cost >= usual * COSTLY_FACTOR:
        # The dearer step is the usual one from here on, so that one step slows us down once.
        shrink = shrink_round if cost >= usual * FORBIDDING_FACTOR else ease_round
        eased = _ease(book, "captcha_cost", now, shrink)
        return replace(eased, captcha_cost=cost, usual_captcha_cost=cost)
    return replace(book, captcha_cost=cost, usual_captcha_cost=cost if usual is None else min(usual, cost))


def _ease(book: Ledger, reason: str, now: datetime, shrink: Callable[[int], int] = ease_round) -> Ledger:
    """Smaller rounds, of three quarters unless told otherwise, once for each round."""
    if book.slowed_at is not None and book.slowed_round == book.rounds:
        return book
    return replace(
        book,
        round_cap=shrink(book.round_cap),
        slowed_at=now,
        slowed_round=book.rounds,
        slow_reason=reason,
    )


def is_slow(book: Ledger) -> bool:
    """Whether the city's answers take clearly longer than they usually do."""
    if book.recent_ms is None or book.usual_ms is None or book.measured < JUDGED_AFTER:
        return False
    return book.recent_ms > book.usual_ms * SLOW_FACTOR and book.recent_ms - book.usual_ms > SLOW_BY_MS


def why_slow(book: Ledger, now: datetime, rules: Rules) -> tuple[str, ...]:
    """What keeps watching from asking faster at present, the weightiest reason first; empty at full pace.

    Codes: "refused" and "slow_down" (the city said so), "quota", "resting", "night", "latency", "captcha_cost",
    "after_refusal".
    """
    reasons = []
    if book.paused_until is not None and book.paused_until > now:
        reasons.append(book.pause_reason or "slow_down")
    if is_quota_used_up(book, now, rules):
        reasons.append("quota")
    if not has_rested(book, now) and book.used >= min(book.round_cap, booking_bound(book.limit)):
        reasons.append("resting")
    if is_night(now, rules):
        reasons.append("night")
    if book.round_cap < largest_round(book.limit):
        if book.slow_reason and (book.refused_at is None or (book.slowed_at or now) > book.refused_at):
            reasons.append(book.slow_reason)
        elif book.refused_at is not None:
            reasons.append("after_refusal")
    return tuple(reasons)


# Breakers


def pause_after(
    openings: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE
) -> timedelta:
    """How long a breaker stays open at its n-th opening in a row (1, 2, ...): the first pause, doubling."""
    return min(longest, first * 2 ** max(0, min(openings, 10) - 1))
