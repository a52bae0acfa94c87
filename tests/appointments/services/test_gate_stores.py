"""One gate, two places to keep its ledger: both behave alike, and many processes together never exceed the budget."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
import redis
from django.db import connections

from appointments import limits
from appointments.limits import Ledger
from appointments.models import Call, GateState
from appointments.services.gate import CityGate
from appointments.services.gate_redis import RedisLedger
from appointments.services.gate_stores import (
    DatabaseLedger,
    LedgerStore,
    LedgerUnreachable,
    as_json,
    from_json,
)
from appointments.upstream.errors import GateClosed
from appointments.upstream.types import CallKind
from tests.appointments.services.test_gate import NEAR, call
from tests.conftest import MONDAY

pytestmark = pytest.mark.django_db(transaction=True)
URL = "redis://127.0.0.1:6379/9"
Stores = Callable[[], LedgerStore]


@pytest.fixture(params=["database", pytest.param("redis", marks=pytest.mark.redis)])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """Makes stores of one ledger, as each process would make its own."""
    if request.param == "database":
        yield lambda: DatabaseLedger("test")
        return
    server = redis.Redis.from_url(URL, socket_connect_timeout=1)
    try:
        server.ping()
    except redis.RedisError:
        pytest.skip("no Redis server answers at 127.0.0.1:6379")
    egress = f"test-{uuid.uuid4().hex}"
    yield lambda: RedisLedger(egress, URL)
    server.delete(f"termin:gate:{egress}")


def gate_on(store: LedgerStore, clock: Callable[[], datetime] = lambda: MONDAY) -> CityGate:
    return CityGate(store, clock, rules=NEAR, sleep=lambda _seconds: None)


def start_with(store: LedgerStore, **values: object) -> None:
    before, version = store.read()
    assert store.swap(before, version, replace(before, **values))  # type: ignore[arg-type]


def hammer(store: LedgerStore, kind: CallKind) -> int:
    """How many calls were admitted until the round was over. Who finds the line taken comes again, bookings push."""
    gate = CityGate(store, lambda: datetime.now(UTC), rules=NEAR, sleep=lambda _seconds: None)
    admitted = 0
    for _call in range(5000):
        try:
            call(gate, kind)
        except GateClosed as closed:
            if closed.retry_at > datetime.now(UTC) + timedelta(seconds=2):
                break
        else:
            admitted += 1
    return admitted


# Alike


def test_a_round_a_quiet_gap_and_the_reserve(stores: Stores) -> None:
    now = [MONDAY]
    gate = gate_on(stores(), lambda: now[0])

    def all_that_pass(kind: CallKind) -> int:
        passed = 0
        while True:
            try:
                call(gate, kind)
            except GateClosed:
                return passed
            passed += 1

    first, reserve = all_that_pass(CallKind.SWEEP), all_that_pass(CallKind.BOOKING)
    now[0] += timedelta(seconds=60)
    early = all_that_pass(CallKind.SWEEP)
    now[0] += timedelta(seconds=1)
    second = all_that_pass(CallKind.SWEEP)

    assert (first, reserve, early, second) == (40, 19, 0, 40)
    assert gate.read().rounds == 2


def test_what_one_process_learns_the_others_know(stores: Stores) -> None:
    one, other = gate_on(stores()), gate_on(stores())
    with one.admit(CallKind.SWEEP) as admitted:
        admitted.answered(200, {"X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "100"}, 1)
        admitted.understood("ok")
    learned = other.read()
    call(one, status=429, code="rateLimitExceeded")

    assert (learned.limit, learned.used) == (120, 19)
    with pytest.raises(GateClosed) as closed:
        call(other, CallKind.BOOKING)
    assert closed.value.retry_at == MONDAY + limits.QUIET_GAP
    assert other.read().round_cap == 20


def test_nobody_writes_over_somebody_elses_change(stores: Stores) -> None:
    one, other = stores(), stores()
    before, version = one.read()
    first = one.swap(before, version, replace(before, used=1))

    second = other.swap(before, version, replace(before, used=7))

    assert (first, second) == (True, False)
    assert other.read() == (replace(before, used=1), version + 1)


def test_staff_and_people_read_the_ledger_in_the_database(stores: Stores) -> None:
    gate = gate_on(stores())

    for _call in range(3):
        call(gate)

    row = GateState.objects.get()
    assert (row.used, row.rounds, row.line) == (3, 1, "")
    assert row.ledger == gate.read()
    assert Call.objects.filter(round=1).count() == 3


def test_one_request_at_a_time(stores: Stores) -> None:
    one, other = gate_on(stores()), gate_on(stores())

    with one.admit(CallKind.SWEEP), pytest.raises(GateClosed):
        call(other)
    call(other)

    assert other.read().used == 2


# Together


@pytest.mark.parametrize(("kind", "budget"), [(CallKind.SWEEP, 40), (CallKind.BOOKING, 59)])
def test_four_threads_together_admit_exactly_the_budget(stores: Stores, kind: CallKind, budget: int) -> None:
    start_with(stores(), used=1, last_call_at=datetime.now(UTC))
    counts: list[int] = []

    def work() -> None:
        try:
            counts.append(hammer(stores(), kind))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(counts) == 4
    assert sum(counts) == budget - 1
    assert stores().read()[0].used == budget


def test_four_processes_together_admit_exactly_the_budget(stores: Stores) -> None:
    start_with(stores(), used=1, last_call_at=datetime.now(UTC))
    connections.close_all()
    context = multiprocessing.get_context("fork")
    counts = context.Queue()

    def work() -> None:
        connections.close_all()
        counts.put(hammer(stores(), CallKind.BOOKING))
        connections.close_all()

    processes = [context.Process(target=work) for _number in range(4)]
    for process in processes:
        process.start()
    found = [counts.get(timeout=60) for _process in processes]
    for process in processes:
        process.join(timeout=10)

    assert sum(found) == 58
    assert stores().read()[0].used == 59
    assert Call.objects.count() == 58


def test_admitting_costs_little(stores: Stores) -> None:
    """Generous bounds against an accident such as a scan; `script/bench --only gate` measures."""
    gate = gate_on(stores(), lambda: datetime.now(UTC))
    start_with(gate.store, limit=10**6, round_cap=10**6)
    took = []
    for _call in range(100):
        began = time.perf_counter()
        with gate.admit(CallKind.BOOKING) as admitted:
            took.append(time.perf_counter() - began)
            admitted.answered(200, {}, 1)
            admitted.understood("ok")

    assert median(took) < 0.02


# Redis alone


@pytest.mark.parametrize("stores", [pytest.param("redis", marks=pytest.mark.redis)], indirect=True)
def test_a_redis_that_forgot_starts_from_what_the_database_shows(stores: Stores) -> None:
    store = stores()
    assert isinstance(store, RedisLedger)
    gate = gate_on(store)
    for _call in range(5):
        call(gate)
    redis.Redis.from_url(URL).delete(store.key)

    assert gate.read().used == 5
    call(gate)
    assert gate.read().used == 6


def test_a_redis_that_does_not_answer_closes_the_gate_and_loses_no_record() -> None:
    store = RedisLedger("test", "redis://127.0.0.1:1/0")
    gate = gate_on(store)

    with pytest.raises(LedgerUnreachable):
        store.read()
    with pytest.raises(GateClosed) as closed:
        call(gate, CallKind.BOOKING)

    assert closed.value.code == "gateUnreachable"


def test_a_ledger_survives_json_and_fields_of_another_release() -> None:
    book = Ledger(used=3, last_call_at=MONDAY, buckets={"sweep": [1.5, 2.0]})  # type: ignore[dict-item]

    assert from_json(as_json(book)) == book
    assert from_json({**as_json(book), "of_tomorrow": 1}) == book
    assert from_json({"used": 3}) == Ledger(used=3)
