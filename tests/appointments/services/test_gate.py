"""The gate: counted as the city counts, shared by everybody, and nothing personal written down."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from appointments import limits
from appointments.models import Call, GateState
from appointments.services.gate import DatabaseGate
from appointments.services.gate_stores import LedgerUnreachable
from appointments.upstream.client import CitizenApi
from appointments.upstream.errors import GateClosed, RateLimited, UpstreamError
from appointments.upstream.types import CallKind, ServiceCount
from termin_project.sandbox.city import CityWorld, Clock
from tests.appointments.services.counter import preconfirmed
from tests.conftest import BASE, MONDAY, REGISTER, RUPPERT, Office, mounted

pytestmark = pytest.mark.django_db
# For tests about something else than distances, on a clock that stands.
NEAR = limits.Rules(distance=timedelta(0), night_distance=timedelta(0))


class Line:
    """A city with a limit, a client behind a gate, one clock for both."""

    def __init__(self, limit: int, egress: str = "test", *, window: float = 60) -> None:
        self.egress = egress
        self.clock = Clock(at=MONDAY)
        self.world = CityWorld(self.clock, limit=limit, window=window, captcha_cost=1)
        self.gate = DatabaseGate(egress, self.clock.now, sleep=self.sleep)
        self.api = CitizenApi(mounted(self.world), BASE, gate=self.gate, time_limit=(1, 1))

    def refused(self) -> int:
        return sum(request.status == 429 for request in self.world.requests)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def ask(self, kind: CallKind = CallKind.SWEEP) -> bool:
        """Whether one more call of watching passed the gate."""
        today = self.clock.now().date()
        try:
            self.api.calendar([ServiceCount(REGISTER)], [RUPPERT], today, today, kind=kind)
        except GateClosed:
            return False
        return True

    def state(self) -> GateState:
        return GateState.objects.get(egress=self.egress)


def call(gate: DatabaseGate, kind: CallKind = CallKind.SWEEP, *, status: int = 200, code: str = "ok") -> None:
    with gate.admit(kind) as admitted:
        admitted.answered(status, {}, 10)
        admitted.understood(code)


def fixed(at: datetime = MONDAY) -> Clock:
    return Clock(at=at)


@pytest.mark.parametrize("limit", [5, 20, 60])
@pytest.mark.parametrize("rhythm", [1, 8, 25, 59])
def test_a_steady_stream_is_never_refused(limit: int, rhythm: int) -> None:
    """The trap that was measured: calls closer than the window add up, however slow the stream."""
    line = Line(limit)
    passed = 0

    for _call in range(80):
        passed += line.ask()
        line.clock.advance(timedelta(seconds=rhythm))

    assert line.refused() == 0
    assert passed >= 4


def test_the_measured_trap_without_the_gate() -> None:
    """One call every 8 s against "5 per 20 s" is refused at the 6th, as the city's own software does."""
    line = Line(5, window=20)
    session = mounted(line.world)
    answers = []

    for _call in range(8):
        answers.append(session.get(f"{BASE}/captcha-details/").status_code)
        line.clock.advance(timedelta(seconds=8))

    assert answers[:6] == [200] * 5 + [429]


def test_the_measured_trap_with_the_gate() -> None:
    line = Line(5, window=20)
    passed = 0

    for _call in range(200):
        passed += line.ask()
        line.clock.advance(timedelta(seconds=8))

    assert line.refused() == 0
    assert passed >= 40


def test_a_reserve_stays_for_bookings_whatever_else_is_asked() -> None:
    line = Line(60)
    session = mounted(line.world)
    others = [kind for kind in CallKind if kind != CallKind.BOOKING]

    for second in range(300):
        for kind in others:
            with suppress(GateClosed), line.gate.admit(kind) as admitted:
                answer = session.get(f"{BASE}/captcha-details/")
                admitted.answered(answer.status_code, answer.headers, 1)
                admitted.understood("ok")
        state = line.state()
        assert state.used <= state.limit - 1 - limits.BOOKING_RESERVE, second
        line.clock.advance(timedelta(seconds=1))

    assert line.refused() == 0


def test_watching_keeps_quiet_after_its_round_and_goes_on_after_the_gap() -> None:
    line = Line(60)
    while line.ask():
        line.clock.advance(timedelta(seconds=1))
    used = line.state().used

    line.clock.advance(timedelta(seconds=59))
    early = line.ask()
    line.clock.advance(timedelta(seconds=1))

    assert used == limits.largest_round(60) == 40
    assert not early
    assert line.ask()
    assert line.state().used == 1


def test_bookings_have_a_reserve_when_watching_has_used_its_round() -> None:
    line = Line(60)
    while line.ask():
        line.clock.advance(timedelta(seconds=1))

    bookings = 0
    while True:
        try:
            call(line.gate, CallKind.BOOKING)
        except GateClosed:
            break
        bookings += 1

    assert bookings == 59 - 40
    assert bookings >= limits.BOOKING_RESERVE


def test_a_token_for_a_booking_is_booking_traffic_but_never_takes_its_last_calls() -> None:
    gate = DatabaseGate("test", fixed().now)
    state = GateState.objects.create(egress="test", limit=60, round_cap=40, used=55, last_call_at=MONDAY)

    with gate.for_bookings.admit(CallKind.CAPTCHA) as admitted:
        admitted.answered(200, {}, 10)
        admitted.understood("ok")
    with pytest.raises(GateClosed), gate.for_bookings.admit(CallKind.CAPTCHA):
        pass
    for _step in range(limits.AFTER_THE_TOKEN):
        call(gate, CallKind.BOOKING)

    state.refresh_from_db()
    assert state.used == 59


def test_a_token_for_watching_leaves_the_reserve_alone() -> None:
    gate = DatabaseGate("test", fixed().now)
    GateState.objects.create(egress="test", limit=60, round_cap=40, used=40, last_call_at=MONDAY)

    with pytest.raises(GateClosed):
        call(gate, CallKind.CAPTCHA)


def test_watching_waits_for_the_request_under_way_and_a_booking_only_a_moment() -> None:
    naps: list[float] = []
    gate = DatabaseGate("test", fixed().now, rules=NEAR, sleep=naps.append)

    with gate.admit(CallKind.SWEEP):
        with pytest.raises(GateClosed) as closed:
            call(gate)
        for_others = sum(naps)
        naps.clear()
        call(gate, CallKind.BOOKING)
    call(gate)

    assert closed.value.retry_at - MONDAY == timedelta(milliseconds=200)
    assert for_others == pytest.approx(1.0)
    assert 0 < sum(naps) <= 0.1 + 1e-9


def test_a_request_whose_process_died_keeps_the_line_for_seconds_only() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, sleep=lambda _seconds: None)
    GateState.objects.create(egress="test", line="dead", line_until=MONDAY + limits.LINE)

    with pytest.raises(GateClosed):
        call(gate)
    clock.advance(limits.LINE)
    call(gate)


def test_watching_keeps_its_distance_and_bookings_need_not() -> None:
    line = Line(60)
    for _look in range(5):
        line.ask()
    watching = line.clock.now() - MONDAY
    for _step in range(3):
        call(line.gate, CallKind.BOOKING)

    assert watching == 4 * line.gate.rules.distance
    assert line.clock.now() - MONDAY == watching


def test_details_never_use_up_the_round_of_the_sweeps() -> None:
    line = Line(60)

    details = 0
    while line.ask(CallKind.DETAIL):
        details += 1
    sweeps = 0
    while line.ask(CallKind.SWEEP):
        sweeps += 1

    # Its bucket holds three quarters of a round and fills again meanwhile.
    assert 30 <= details < 40
    assert sweeps > 0


def test_at_the_daily_quota_watching_rests_until_midnight_and_bookings_go_on() -> None:
    line = Line(600)
    line.gate.rules = replace(line.gate.rules, daily_quota=5)
    asked = [line.ask() for _look in range(7)]

    with pytest.raises(GateClosed) as closed:
        call(line.gate)
    call(line.gate, CallKind.BOOKING)
    line.clock.advance(closed.value.retry_at - line.clock.now())
    next_day = line.ask()

    assert asked == [True] * 5 + [False] * 2
    assert closed.value.retry_at == datetime(2026, 11, 23, 23, 0, tzinfo=MONDAY.tzinfo)
    assert next_day
    assert line.state().used_today == 1


def test_a_second_refusal_soon_after_the_first_doubles_the_pause() -> None:
    line = Line(60)
    pauses = []
    for _refusal in range(3):
        line.world.faults.add("rate_limited", 1)
        with pytest.raises(RateLimited):
            line.ask()
        until = line.state().paused_until
        assert until is not None
        pauses.append(until - line.clock.now())
        line.clock.advance(pauses[-1])

    assert pauses == [limits.QUIET_GAP, 2 * limits.QUIET_GAP, 4 * limits.QUIET_GAP]


def test_staff_can_lift_a_pause() -> None:
    line = Line(60)
    line.world.faults.add("rate_limited", 1)
    with pytest.raises(RateLimited):
        line.ask()

    line.gate.lift_pause()
    line.clock.advance(timedelta(seconds=61))

    assert line.ask()
    assert line.state().paused_until is None


def test_a_dearer_captcha_makes_rounds_smaller_once() -> None:
    line = Line(60)
    line.ask()

    caps = []
    for cost in (1000, 1000, 5000, 5000, 5000):
        line.gate.note_captcha_cost(cost)
        caps.append(line.state().round_cap)

    assert caps == [40, 40, 30, 30, 30]
    assert line.state().slow_reason == "captcha_cost"


def test_a_ledger_that_cannot_be_reached_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = DatabaseGate("test", fixed().now)

    def unreachable() -> None:
        raise LedgerUnreachable("down")

    monkeypatch.setattr(gate.store, "read", unreachable)

    with pytest.raises(GateClosed) as closed:
        call(gate, CallKind.BOOKING)
    assert closed.value.code == "gateUnreachable"


def test_a_closed_gate_says_when_it_opens() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now)
    GateState.objects.create(
        egress="test", limit=60, round_cap=40, used=40, last_call_at=MONDAY - timedelta(seconds=10)
    )

    with pytest.raises(GateClosed) as closed:
        call(gate)

    assert closed.value.retry_at == MONDAY + timedelta(seconds=51)


def test_the_limit_is_learned_from_the_headers() -> None:
    line = Line(120)

    line.ask()

    assert (line.state().limit, line.state().round_cap) == (120, 40)
    small = Line(20, "small")
    small.ask()
    assert small.state().round_cap == limits.largest_round(20) == 11


def test_calls_we_did_not_count_are_seen_in_the_headers() -> None:
    """Somebody else behind our address uses the same limit."""
    line = Line(60)
    stranger = mounted(line.world)
    for _call in range(30):
        stranger.get(f"{BASE}/captcha-details/")

    line.ask()

    assert line.state().used == 31


def test_a_refusal_pauses_everything_and_halves_the_round() -> None:
    line = Line(60)
    line.ask()
    line.world.faults.add("rate_limited", 1)

    with pytest.raises(RateLimited):
        line.api.probe()

    state = line.state()
    assert state.paused_until == line.clock.now() + limits.QUIET_GAP
    assert (state.pause_reason, state.round_cap) == ("slow_down", 20)
    for kind in CallKind:
        with pytest.raises(GateClosed):
            call(line.gate, kind)
    assert line.refused() == 1


def test_rounds_grow_again_one_by_one_after_five_calm_minutes() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now)
    GateState.objects.create(egress="test", limit=60, round_cap=20, refused_at=MONDAY, last_call_at=MONDAY)

    caps = []
    for _round in range(30):
        clock.advance(timedelta(seconds=62))
        call(gate)
        caps.append(GateState.objects.get().round_cap)

    assert caps[:4] == [20, 20, 20, 20]
    assert caps[5] == 22
    assert max(caps) == caps[-1] == 40


def test_an_address_on_the_citys_list_stops_for_a_day() -> None:
    clock = Clock(at=MONDAY)
    world = CityWorld(clock, blacklist=["127.0.0.1"])
    gate = DatabaseGate("test", clock.now)
    api = CitizenApi(mounted(world), BASE, gate=gate, time_limit=(1, 1))

    with pytest.raises(UpstreamError):
        api.probe()

    state = GateState.objects.get()
    assert (state.pause_reason, state.paused_until) == ("refused", MONDAY + timedelta(days=1))


def test_what_happens_in_the_block_is_recorded_even_when_it_breaks() -> None:
    gate = DatabaseGate("test", fixed().now)

    with pytest.raises(RuntimeError), gate.admit(CallKind.SWEEP):
        raise RuntimeError("died")

    assert Call.objects.get().code == "interrupted"


def test_a_slow_answer_prolongs_the_quiet(db: None) -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now)
    with gate.admit(CallKind.SWEEP) as admitted:
        clock.advance(timedelta(seconds=30))
        admitted.answered(200, {}, 1)
        admitted.understood("ok")

    assert GateState.objects.get().last_call_at == MONDAY + timedelta(seconds=30)


def test_traffic_is_written_down_without_anything_personal(office: Office) -> None:
    booking = preconfirmed(office)

    told = " ".join(str(value) for row in Call.objects.values() for value in row.values())

    for secret in (booking.auth_key, booking.email, booking.family_name, str(booking.process_id)):
        assert secret
        assert secret not in told
    assert set(Call.objects.values_list("code", flat=True)) == {"ok"}
