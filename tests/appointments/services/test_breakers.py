"""Circuit breakers: one for each kind of operation, shared by everybody, with one probe at a time."""

from datetime import datetime, timedelta

import pytest

from appointments.models import CircuitBreaker, GateState
from appointments.services import breakers
from appointments.services.gate import DatabaseGate
from appointments.upstream.errors import GateClosed
from appointments.upstream.types import CallKind
from tests.appointments.services.test_gate import NEAR, call, fixed
from tests.conftest import MONDAY

pytestmark = pytest.mark.django_db


def blocked_until(name: str, *, now: datetime) -> datetime | None:
    """When calls may pass again, or None if one may now; a look that changes nothing."""
    breaker = CircuitBreaker.objects.exclude(state="closed").filter(name=name, open_until__gt=now).first()
    return breaker.open_until if breaker is not None else None


def test_three_failures_in_a_row_open_and_a_success_closes() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, rules=NEAR)
    for _failure in range(3):
        call(gate, status=502, code="gatewayError")
    with pytest.raises(GateClosed) as closed:
        call(gate)
    clock.advance(timedelta(seconds=60))
    call(gate)

    assert closed.value.retry_at == MONDAY + timedelta(seconds=60)
    assert CircuitBreaker.objects.get(name="watching").state == "closed"


def test_two_failures_and_a_success_do_not_open() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)
    for code in ("gatewayError", "gatewayError", "ok", "gatewayError", "gatewayError"):
        call(gate, status=200 if code == "ok" else 502, code=code)

    assert blocked_until("watching", now=MONDAY) is None


def test_a_half_open_breaker_lets_one_probe_through() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, rules=NEAR)
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
    gate = DatabaseGate("test", fixed().now, rules=NEAR)

    call(gate, status=503, code="serviceUnavailable")

    assert blocked_until("watching", now=MONDAY) == MONDAY + timedelta(minutes=1)


def test_bookings_pass_an_open_breaker() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)
    for _failure in range(3):
        call(gate, status=502, code="gatewayError")

    call(gate, CallKind.BOOKING)
    with pytest.raises(GateClosed):
        call(gate, CallKind.DETAIL)
    call(gate, CallKind.CATALOGUE)


def test_a_refused_rate_is_no_failure_of_the_city() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)

    call(gate, status=429, code="rateLimitExceeded")

    assert not CircuitBreaker.objects.exists()


def test_a_breaker_staff_opened_stays_open_whatever_the_calls_under_way_say() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)

    with gate.admit(CallKind.SWEEP) as under_way:
        breakers.open_breaker("watching", "staff", now=MONDAY)
        under_way.answered(200, {}, 1)
        under_way.understood("ok")

    assert blocked_until("watching", now=MONDAY + timedelta(days=30)) is not None
    breakers.close_breaker("watching", now=MONDAY)
    assert blocked_until("watching", now=MONDAY) is None


def test_staff_hold_a_breaker_open_until_a_moment() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, rules=NEAR)
    breakers.open_breaker("watching", "works at the city", now=MONDAY, until=MONDAY + timedelta(hours=2))

    with pytest.raises(GateClosed) as closed:
        call(gate)
    clock.advance(timedelta(hours=2))
    call(gate)

    assert (closed.value.retry_at, closed.value.code) == (MONDAY + timedelta(hours=2), "breakerOpen")
    breaker = CircuitBreaker.objects.get()
    assert (breaker.state, breaker.by_hand) == ("closed", False)


def test_a_failure_under_way_does_not_shorten_what_staff_said() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)
    with gate.admit(CallKind.SWEEP) as under_way:
        breakers.open_breaker("watching", "staff", now=MONDAY, until=MONDAY + timedelta(hours=2))
        under_way.answered(503, {}, 1)
        under_way.understood("serviceUnavailable")

    breaker = CircuitBreaker.objects.get()
    assert (breaker.reason, breaker.open_until) == ("staff", MONDAY + timedelta(hours=2))


def test_an_open_breaker_waits_for_its_probe_not_for_an_older_call() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR, sleep=lambda _seconds: None)
    with gate.admit(CallKind.SWEEP) as older:
        breakers.record_failure("watching", "serviceUnavailable", now=MONDAY, maintenance=True)
        older.answered(200, {}, 1)
        older.understood("ok")

    assert blocked_until("watching", now=MONDAY) == MONDAY + timedelta(minutes=1)


def test_a_probe_the_gate_did_not_admit_is_given_back() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, rules=NEAR)
    breakers.record_failure("watching", "serviceUnavailable", now=MONDAY, maintenance=True)
    clock.advance(timedelta(minutes=1))
    GateState.objects.create(egress="test", used=40, last_call_at=clock.now())

    with pytest.raises(GateClosed) as resting:
        call(gate)
    GateState.objects.update(used=0)
    call(gate)

    assert resting.value.code == "gateClosed"
    assert CircuitBreaker.objects.get().state == "closed"


def test_a_probe_nobody_reports_on_frees_the_way_after_a_minute() -> None:
    breakers.record_failure("watching", "serviceUnavailable", now=MONDAY, maintenance=True)
    after_pause = MONDAY + timedelta(minutes=1)

    first = breakers.enter("watching", now=after_pause)
    second = breakers.enter("watching", now=after_pause)
    third = breakers.enter("watching", now=after_pause + breakers.PROBE_LEASE)

    assert (first.probing, second.probing, third.probing) == (True, False, True)
    assert second.until == after_pause + breakers.PROBE_LEASE


def test_bookings_have_a_breaker_that_opens_late_and_for_seconds() -> None:
    clock = fixed()
    gate = DatabaseGate("test", clock.now, rules=NEAR)

    for _failure in range(4):
        call(gate, CallKind.BOOKING, status=503, code="serviceUnavailable")
    early = blocked_until("booking", now=MONDAY)
    call(gate, CallKind.BOOKING, status=503, code="serviceUnavailable")

    assert early is None
    assert blocked_until("booking", now=MONDAY) == MONDAY + timedelta(seconds=15)
    with pytest.raises(GateClosed):
        call(gate, CallKind.BOOKING)
    call(gate, CallKind.SWEEP)


def test_lost_races_and_odd_data_do_not_open_the_breaker_of_bookings() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)

    for _attempt in range(10):
        call(gate, CallKind.BOOKING, status=404, code="unknownError")
        call(gate, CallKind.BOOKING, status=500, code="serverError")

    assert blocked_until("booking", now=MONDAY) is None


def test_following_has_a_breaker_of_its_own() -> None:
    gate = DatabaseGate("test", fixed().now, rules=NEAR)
    for _failure in range(3):
        call(gate, CallKind.FOLLOW, status=502, code="gatewayError")

    with pytest.raises(GateClosed):
        call(gate, CallKind.FOLLOW)
    call(gate, CallKind.BOOKING)
