"""The one place all calls to the city pass: counted as the city counts, shared by all processes and hosts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from django.db import transaction
from django.db.models import BigIntegerField, Case, F, Q, Value, When

from appointments import limits
from appointments.models import Call, GateState
from appointments.services import breakers
from appointments.services.health import beat
from appointments.upstream.errors import DOUBTFUL_CODES, GateClosed
from appointments.upstream.types import CallKind

# One breaker per kind of operation. Bookings have none: a person waits, and each call decides for itself.
BREAKER_OF = {
    CallKind.CATALOGUE: "catalogue",
    CallKind.SWEEP: "watching",
    CallKind.DETAIL: "watching",
    CallKind.PROBE: "watching",
    CallKind.CAPTCHA: "captcha",
}
_BROKEN_CODES = DOUBTFUL_CODES | {
    "notUnderstood",
    "connectionFailed",
    "timeout",
    "interrupted",
    "serverError",
    "frameworkError",
    "gatewayError",
    "serviceUnavailable",
    "rateLimitExceeded",
}
MAINTENANCE_CODE = "serviceUnavailable"
REFUSED_CODES = frozenset({"IP_BLACKLISTED", "ipBlacklisted"})
HTTP_TOO_MANY_REQUESTS = 429
_COUNT = BigIntegerField()


@dataclass
class RecordedCall:
    """What the client reports about one call while it happens."""

    kind: CallKind
    sent_at: datetime
    started: float = field(default_factory=monotonic)
    status: int | None = None
    code: str = ""
    size: int = 0
    limit: int | None = None
    remaining: int | None = None
    answered_after: float | None = None

    def answered(self, status: int, headers: Mapping[str, str], size: int) -> None:
        """An answer arrived."""
        self.status, self.size = status, size
        self.answered_after = monotonic() - self.started
        self.limit = _number(headers.get("X-RateLimit-Limit"))
        self.remaining = _number(headers.get("X-RateLimit-Remaining"))

    def understood(self, code: str) -> None:
        """What it meant."""
        self.code = code

    @property
    def went_well(self) -> bool:
        """Whether the city answered as a working service does, whatever it said."""
        return (
            self.status is not None
            and self.status < 500
            and bool(self.code)
            and self.code not in _BROKEN_CODES
        )


class DatabaseGate:
    """`Gate` on one row per egress address; one conditional UPDATE admits a call."""

    def __init__(self, egress: str, clock: Callable[[], datetime]) -> None:
        self.egress = egress
        self.clock = clock

    @contextmanager
    def admit(self, kind: CallKind) -> Iterator[RecordedCall]:
        """Admit one call and record how it went. Raises `GateClosed` when it has to wait."""
        now = self.clock()
        breaker = BREAKER_OF.get(kind)
        if breaker and (until := breakers.blocked_until(breaker, now=now)):
            raise GateClosed(until, "breakerOpen")
        self._count(kind, now)
        call = RecordedCall(kind=kind, sent_at=now)
        try:
            yield call
        finally:
            self._record(call)

    def _count(self, kind: CallKind, now: datetime) -> None:
        """Take one call out of this round's budget, or raise `GateClosed`."""
        quiet = Q(last_call_at=None) | Q(last_call_at__lte=now - limits.QUIET_GAP)
        if kind == CallKind.BOOKING:
            affordable = Q(used__lt=F("limit") - 1)
        elif kind == CallKind.CAPTCHA:
            affordable = Q(used__lt=F("limit") - 3)  # often the first step of a booking, never its last
        else:
            affordable = Q(used__lt=F("round_cap"))
        for _attempt in range(2):
            admitted = GateState.objects.filter(
                Q(paused_until=None) | Q(paused_until__lte=now), quiet | affordable, egress=self.egress
            ).update(
                used=Case(When(quiet, then=Value(1)), default=F("used") + 1, output_field=_COUNT),
                rounds=Case(When(quiet, then=F("rounds") + 1), default=F("rounds"), output_field=_COUNT),
                round_cap=Case(
                    When(quiet, then=self._grown_cap(now)), default=F("round_cap"), output_field=_COUNT
                ),
                last_call_at=now,
            )
            if admitted:
                return
            _state, created = GateState.objects.get_or_create(egress=self.egress)
            if not created:
                break
        raise GateClosed(self.opens_at(now))

    @staticmethod
    def _grown_cap(now: datetime) -> Case:
        """A new round after one without a refusal may be one call larger, up to two thirds of the limit."""
        calm = Q(refused_at=None) | Q(refused_at__lte=now - timedelta(minutes=5))
        return Case(
            When(
                calm
                & Q(round_cap__lt=F("limit") * 2 / 3)
                & Q(round_cap__lt=F("limit") - limits.BOOKING_RESERVE),
                then=F("round_cap") + 1,
            ),
            default=F("round_cap"),
            output_field=_COUNT,
        )

    def opens_at(self, now: datetime) -> datetime:
        """When the next call of watching may pass; for callers that were refused."""
        state = GateState.objects.get(egress=self.egress)
        if state.paused_until and state.paused_until > now:
            return state.paused_until
        return (state.last_call_at or now) + limits.QUIET_GAP

    def _record(self, call: RecordedCall) -> None:
        now = self.clock()
        code = call.code or "interrupted"
        took = call.answered_after if call.answered_after is not None else monotonic() - call.started
        with transaction.atomic():
            state = GateState.objects.get(egress=self.egress)
            changes = self._learn(state, call, now)
            GateState.objects.filter(pk=state.pk).update(**changes)
            Call.objects.create(
                at=call.sent_at,
                kind=call.kind,
                round=state.rounds,
                status=call.status,
                code=code[:60],
                milliseconds=round(took * 1000),
                size=call.size,
            )
            breaker = BREAKER_OF.get(call.kind)
            if call.went_well:
                beat("city", now=now, detail=code)
                if breaker:
                    breakers.record_success(breaker, now=now)
            else:
                beat("city:trouble", now=now, detail=code)
                if breaker and call.status != HTTP_TOO_MANY_REQUESTS:
                    breakers.record_failure(breaker, code, now=now, maintenance=code == MAINTENANCE_CODE)

    @staticmethod
    def _learn(state: GateState, call: RecordedCall, now: datetime) -> dict[str, object]:
        """What this call taught about the city's count."""
        # The city's window restarted when it took the request, which may be as late as the answer.
        later = Q(last_call_at=None) | Q(last_call_at__lt=now)
        changes: dict[str, object] = {
            "last_call_at": Case(When(later, then=Value(now)), default=F("last_call_at"))
        }
        if call.status == HTTP_TOO_MANY_REQUESTS:
            changes |= {
                "paused_until": now + limits.QUIET_GAP,
                "pause_reason": "slow_down",
                "refused_at": now,
                "round_cap": limits.shrink_round(state.round_cap),
            }
        elif call.code in REFUSED_CODES:
            changes |= {"paused_until": now + timedelta(days=1), "pause_reason": "refused", "refused_at": now}
        if call.limit:
            changes["limit"] = call.limit
            if call.limit != state.limit:
                # A limit just learned sets the size of rounds anew; growing and shrinking go on from there.
                changes["round_cap"] = min(limits.largest_round(call.limit), max(state.round_cap, 40))
            if call.remaining is not None:
                # Never less than our own count: several replicas of the city may each keep their own.
                changes["used"] = Case(
                    When(
                        used__lt=limits.used_from_headers(call.limit, call.remaining),
                        then=Value(limits.used_from_headers(call.limit, call.remaining)),
                    ),
                    default=F("used"),
                    output_field=_COUNT,
                )
        return changes


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
