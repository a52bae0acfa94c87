"""The gate: counted as the city counts, shared by everybody, and nothing personal written down."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from appointments import limits
from appointments.models import Call, CircuitBreaker, GateState, PollTarget
from appointments.policy import FairPolicy
from appointments.services import breakers
from appointments.services.gate import DatabaseGate
from appointments.services.watches import WatchWish, create_watch
from appointments.upstream.client import CitizenApi
from appointments.upstream.errors import GateClosed, RateLimited, UpstreamError
from appointments.upstream.types import CallKind, ServiceCount
from termin_project.sandbox.city import CityWorld, Clock
from tests.appointments.services.counter import preconfirmed
from tests.conftest import BASE, MONDAY, RUPPERT, Office, mounted
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db


class Line:
    """A city with a limit, a client behind a gate, one clock for both."""

    def __init__(self, limit: int) -> None:
        self.clock = Clock(at=MONDAY)
        self.world = CityWorld(self.clock, limit=limit, captcha_cost=1)
        self.gate = DatabaseGate("test", self.clock.now)
        self.api = CitizenApi(mounted(self.world), BASE, gate=self.gate, time_limit=(1, 1))

    def refused(self) -> int:
        return sum(request.status == 429 for request in self.world.requests)

    def ask(self) -> bool:
        """Whether one more call of watching passed the gate."""
        try:
            self.api.probe()
        except GateClosed:
            return False
        return True

    def state(self) -> GateState:
        return GateState.objects.get(egress="test")


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


def test_without_the_gate_the_same_stream_is_refused() -> None:
    line = Line(5)
    session = mounted(line.world)
    answers = []

    for _call in range(8):
        answers.append(session.get(f"{BASE}/captcha-details/").status_code)
        line.clock.advance(timedelta(seconds=8))

    assert answers[:6] == [200] * 5 + [429]


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


def test_a_token_never_takes_the_last_calls_of_a_booking() -> None:
    gate = DatabaseGate("test", fixed().now)
    GateState.objects.create(egress="test", limit=60, round_cap=40, used=57, last_call_at=MONDAY)

    with pytest.raises(GateClosed):
        call(gate, CallKind.CAPTCHA)
    call(gate, CallKind.BOOKING)


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
    small = Line(20)
    small.gate.egress = "small"
    small.ask()
    assert GateState.objects.get(egress="small").round_cap == limits.largest_round(20) == 12


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


# Breakers


def test_three_failures_in_a_row_open_and_a_success_closes() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now)
    for _failure in range(3):
        call(gate, status=502, code="gatewayError")
    with pytest.raises(GateClosed) as closed:
        call(gate)
    clock.advance(timedelta(seconds=60))
    call(gate)

    assert closed.value.retry_at == MONDAY + timedelta(seconds=60)
    assert CircuitBreaker.objects.get(name="watching").state == "closed"


def test_two_failures_and_a_success_do_not_open() -> None:
    gate = DatabaseGate("test", fixed().now)
    for code in ("gatewayError", "gatewayError", "ok", "gatewayError", "gatewayError"):
        call(gate, status=200 if code == "ok" else 502, code=code)

    assert breakers.blocked_until("watching", now=MONDAY) is None


def test_a_half_open_breaker_lets_one_probe_through() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now)
    for _failure in range(3):
        call(gate, status=502, code="gatewayError")
    clock.advance(timedelta(seconds=60))

    with gate.admit(CallKind.SWEEP) as probe:
        with pytest.raises(GateClosed):
            call(gate)
        probe.answered(502, {}, 1)
        probe.understood("gatewayError")

    breaker = CircuitBreaker.objects.get()
    assert (breaker.state, breaker.failures) == ("open", 4)
    assert breaker.open_until == clock.now() + timedelta(minutes=2)


def test_maintenance_opens_at_once() -> None:
    gate = DatabaseGate("test", fixed().now)

    call(gate, status=503, code="serviceUnavailable")

    assert breakers.blocked_until("watching", now=MONDAY) == MONDAY + timedelta(minutes=1)


def test_bookings_pass_an_open_breaker() -> None:
    gate = DatabaseGate("test", fixed().now)
    for _failure in range(3):
        call(gate, status=502, code="gatewayError")

    call(gate, CallKind.BOOKING)
    with pytest.raises(GateClosed):
        call(gate, CallKind.DETAIL)
    call(gate, CallKind.CATALOGUE)


def test_a_refused_rate_is_no_failure_of_the_city() -> None:
    gate = DatabaseGate("test", fixed().now)

    call(gate, status=429, code="rateLimitExceeded")

    assert not CircuitBreaker.objects.exists()


def test_a_breaker_staff_opened_stays_open_whatever_the_calls_under_way_say() -> None:
    gate = DatabaseGate("test", fixed().now)

    with gate.admit(CallKind.SWEEP) as under_way:
        breakers.open_breaker("watching", "staff", now=MONDAY)
        under_way.answered(200, {}, 1)
        under_way.understood("ok")

    assert breakers.blocked_until("watching", now=MONDAY + timedelta(days=30)) is not None
    breakers.close_breaker("watching", now=MONDAY)
    assert breakers.blocked_until("watching", now=MONDAY) is None


# Together


@pytest.mark.django_db(transaction=True)
def test_threads_together_admit_exactly_the_budget() -> None:
    GateState.objects.create(egress="test", limit=60, round_cap=40, used=1, last_call_at=datetime.now(UTC))
    admitted: list[bool] = []

    def hammer() -> None:
        gate = DatabaseGate("test", lambda: datetime.now(UTC))
        try:
            for _call in range(20):
                try:
                    call(gate)
                except GateClosed:
                    admitted.append(False)
                else:
                    admitted.append(True)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=hammer) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(admitted), sum(admitted)) == (80, 39)
    assert GateState.objects.get().used == 40


def test_twenty_minutes_of_watching_ten_searches_are_never_refused(office: Office) -> None:
    line = Line(60)
    office.watcher.api = line.api
    office.watcher.clock = line.clock.now
    office.watcher.sleep = lambda seconds: line.clock.advance(timedelta(seconds=seconds)) and None
    GateState.objects.all().delete()
    services = [
        service
        for service in line.world.catalogue.services
        if line.world.catalogue.offers(RUPPERT, [service])
    ][:10]
    for service in services:
        wish = WatchWish(services=(ServiceCount(service, 1),))
        person = SubscriberFactory(now=line.clock.now())
        create_watch(person, wish, now=line.clock.now())

    end = line.clock.now() + timedelta(minutes=20)
    while line.clock.now() < end:
        before = line.world.limiter.counters.copy()
        office.watcher.step()
        # While the gate keeps quiet, the naps of half a second are taken ten at a time.
        quiet = line.world.limiter.counters == before
        line.clock.advance(timedelta(seconds=5 if quiet else 1))

    asked = [request for request in line.world.requests if "available-calendar" in request.path]
    assert len(services) == 10
    assert line.refused() == 0
    # Rounds of forty, a second apart, then a minute of quiet: at least half of what is possible is used.
    assert len(asked) >= 1200 / 101 * 40 / 2
    oldest = min(PollTarget.objects.values_list("answered_at", flat=True))
    assert line.clock.now() - oldest < timedelta(minutes=3)


def test_the_policy_asks_who_waits_longest(office: Office) -> None:
    first = office.watch()
    second = office.watch(services=(ServiceCount(1063475, 2),))
    policy = FairPolicy()
    now = office.now()
    PollTarget.objects.filter(search=first.search).update(next_due_at=now - timedelta(seconds=5))
    PollTarget.objects.filter(search=second.search).update(next_due_at=now - timedelta(seconds=50))

    target = policy.next_target(now=now)

    assert target is not None
    assert target.search == second.search
    assert timedelta(seconds=12) <= policy.asked(target, well=True, now=now) - now <= timedelta(seconds=18)
    assert policy.asked(target, well=False, now=now) - now >= timedelta(seconds=16)
    PollTarget.objects.update(next_due_at=now + timedelta(seconds=1))
    assert policy.next_target(now=now) is None
