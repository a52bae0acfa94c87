"""The one place all calls to the city pass: counted as the city counts, shared by all processes and hosts.

What may be called is arithmetic (`limits`); this file asks it, keeps the answer where everybody sees it, and writes
down how each call went.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic

from django.db import transaction

from appointments import limits
from appointments.limits import Ledger, Rules, Wait
from appointments.models import Call
from appointments.services import breakers
from appointments.services.gate_stores import DatabaseLedger, LedgerStore, LedgerUnreachable, change
from appointments.services.health import beat
from appointments.upstream.errors import DOUBTFUL_CODES, GateClosed
from appointments.upstream.types import CallKind

logger = logging.getLogger(__name__)

# One breaker per kind of operation, so that what works goes on when something else fails.
BREAKER_OF = {
    CallKind.CATALOGUE: "catalogue",
    CallKind.SWEEP: "watching",
    CallKind.DETAIL: "watching",
    CallKind.PROBE: "watching",
    CallKind.CAPTCHA: "captcha",
    CallKind.FOLLOW: "following",
    CallKind.BOOKING: "booking",
}
_DOWN_CODES = frozenset(
    {"connectionFailed", "timeout", "serviceUnavailable", "zmsClientCommunicationError", "gatewayError"}
)
_BROKEN_CODES = (
    DOUBTFUL_CODES
    | _DOWN_CODES
    | {"notUnderstood", "interrupted", "serverError", "frameworkError", "rateLimitExceeded"}
)
MAINTENANCE_CODE = "serviceUnavailable"
REFUSED_CODES = frozenset({"IP_BLACKLISTED", "ipBlacklisted"})
HTTP_TOO_MANY_REQUESTS = 429
# One request at a time, a little apart: how long others wait before they are told to come again, and how long a
# booking does before it goes all the same, because somebody else is after the same slot.
PATIENCE, NAP = timedelta(seconds=1), timedelta(milliseconds=50)
BOOKING_PATIENCE, BOOKING_NAP = timedelta(milliseconds=100), timedelta(milliseconds=10)
COME_AGAIN = timedelta(milliseconds=200)
UNREACHABLE_PAUSE = timedelta(seconds=5)


@dataclass
class RecordedCall:
    """What the client reports about one call while it happens."""

    kind: CallKind
    sent_at: datetime
    line: str = ""
    round: int = 0
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

    @property
    def counts_as_failure(self) -> bool:
        """Whether the breaker of its kind should hear of it.

        A refused rate is our own fault. Losing a race or sending odd data also ends in errors without a name, so of
        a booking only counts what says that nobody is there.
        """
        if self.went_well or self.status == HTTP_TOO_MANY_REQUESTS:
            return False
        return self.kind != CallKind.BOOKING or self.code in _DOWN_CODES


class CityGate:
    """`Gate` on one ledger per egress address.

    `sleep` is used while another call of ours is under way: a tenth of a second at most for a booking.
    """

    def __init__(
        self,
        store: LedgerStore,
        clock: Callable[[], datetime],
        *,
        rules: Rules | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.clock = clock
        self.rules = rules or Rules()
        self._sleep = sleep

    @contextmanager
    def admit(self, kind: CallKind, *, for_booking: bool = False) -> Iterator[RecordedCall]:
        """Admit one call and record how it went. Raises `GateClosed` when it has to wait.

        `for_booking`: a captcha that a booking waits for. It may use what is reserved for bookings.
        """
        call = self._enter(CallKind(kind), for_booking)
        try:
            yield call
        finally:
            self._record(call)

    @property
    def for_bookings(self) -> "GateForBookings":
        """This gate as bookings use it to get a captcha token."""
        return GateForBookings(self)

    def read(self) -> Ledger:
        """The ledger as it is now. Raises `LedgerUnreachable`."""
        return self.store.read()[0]

    def opens_at(self, now: datetime, kind: CallKind = CallKind.SWEEP) -> datetime:
        """When the next call of this kind may pass: `now` if it may now."""
        verdict = limits.admit(self.read(), kind, now, self.rules, line="")
        return verdict.until if isinstance(verdict, Wait) else now

    def note_captcha_cost(self, cost: int | None) -> None:
        """Hear what the last captcha cost: one that became much dearer is a sign to ask less."""
        now = self.clock()
        if cost:
            self._change(lambda book: limits.note_captcha_cost(book, cost, now))

    def lift_pause(self) -> None:
        """Staff know better than the last refusal: calls pass again at once, in small rounds."""
        self._change(lambda book: replace(book, paused_until=None, pause_reason="", refusals=0))

    # Before the call

    def _enter(self, kind: CallKind, for_booking: bool) -> RecordedCall:
        now = self.clock()
        breaker = BREAKER_OF[kind]
        entry = breakers.enter(breaker, now=now)
        if entry.until is not None:
            raise GateClosed(entry.until, "breakerOpen")
        try:
            return self._count(kind, for_booking)
        except GateClosed:
            if entry.probing:
                # Nothing was asked, so nothing was learned: the next call is the probe.
                breakers.give_back_probe(breaker, now=now)
            raise

    def _count(self, kind: CallKind, for_booking: bool) -> RecordedCall:
        """Take one call out of this round's budget, or raise `GateClosed`. Waits a little for those before it."""
        hurries = for_booking or kind == CallKind.BOOKING
        patience, nap = (BOOKING_PATIENCE, BOOKING_NAP) if hurries else (PATIENCE, NAP)
        line, waited = secrets.token_hex(8), timedelta()
        while True:
            now = self.clock()
            verdict = self._admit(kind, now, line, for_booking, push=hurries and waited >= patience)
            if isinstance(verdict, Ledger):
                return RecordedCall(kind=kind, sent_at=now, line=line, round=verdict.rounds)
            if verdict.why == "distance":
                nap = verdict.until - now
            elif verdict.why != "line":
                raise GateClosed(verdict.until)
            if waited >= patience:
                raise GateClosed(now + COME_AGAIN)
            self._sleep(nap.total_seconds())
            waited += nap

    def _admit(
        self, kind: CallKind, now: datetime, line: str, for_booking: bool, *, push: bool
    ) -> Ledger | Wait:
        verdict: Ledger | Wait = Wait(now, "line")

        def step(book: Ledger) -> Ledger | None:
            nonlocal verdict
            verdict = limits.admit(book, kind, now, self.rules, line=line, for_booking=for_booking, push=push)
            return verdict if isinstance(verdict, Ledger) else None

        try:
            change(self.store, step, pause=_pause)
        except LedgerUnreachable:
            # Nobody knows what others have used: not asking is the cautious side.
            logger.error("Gate: ledger unreachable")
            raise GateClosed(now + UNREACHABLE_PAUSE, "gateUnreachable") from None
        return verdict

    # After it

    def _change(self, step: Callable[[Ledger], Ledger]) -> tuple[Ledger, int] | None:
        try:
            changed = change(self.store, step, pause=_pause)
        except LedgerUnreachable:
            logger.error("Gate: ledger unreachable")
            return None
        if changed is not None:
            self.store.mirror(*changed)
        return changed

    def _record(self, call: RecordedCall) -> None:
        now = self.clock()
        code = call.code or "interrupted"
        took = call.answered_after if call.answered_after is not None else monotonic() - call.started
        outcome = limits.Outcome(
            kind=call.kind,
            line=call.line,
            took=timedelta(seconds=took),
            refused=call.status == HTTP_TOO_MANY_REQUESTS,
            blacklisted=code in REFUSED_CODES,
            limit=call.limit,
            remaining=call.remaining,
        )
        self._change(lambda book: limits.after_call(book, outcome, now))
        with transaction.atomic():
            Call.objects.create(
                at=call.sent_at,
                kind=call.kind,
                round=call.round,
                status=call.status,
                code=code[:60],
                milliseconds=round(took * 1000),
                size=call.size,
            )
            beat("city" if call.went_well else "city:trouble", now=now, detail=code)
            if call.went_well:
                breakers.record_success(BREAKER_OF[call.kind], now=now)
            elif call.counts_as_failure:
                breakers.record_failure(
                    BREAKER_OF[call.kind], code, now=now, maintenance=code == MAINTENANCE_CODE
                )


class DatabaseGate(CityGate):
    """The gate on the database: one conditional UPDATE admits a call."""

    def __init__(
        self,
        egress: str,
        clock: Callable[[], datetime],
        *,
        rules: Rules | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(DatabaseLedger(egress), clock, rules=rules, sleep=sleep)


class GateForBookings:
    """The gate for captchas that bookings wait for."""

    def __init__(self, gate: CityGate) -> None:
        self._gate = gate

    @contextmanager
    def admit(self, kind: CallKind) -> Iterator[RecordedCall]:
        """As `CityGate.admit`, with the bookings' reserve."""
        with self._gate.admit(kind, for_booking=True) as call:
            yield call


def _pause(turn: int) -> None:
    """Let others finish: at once at first, then after moments of random length, so that equals part ways."""
    if turn > 2:
        time.sleep(random.uniform(0, 0.001 * min(turn, 10)))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
