"""The queue's bell: it makes a task start at once, and nothing depends on it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django_q.conf import Conf

from appointments.broker import Bell, BellBroker


@pytest.fixture
def bell(tmp_path: Path) -> Bell:
    return Bell(tmp_path / "queue.bell")


def test_ringing_ends_the_wait(bell: Bell) -> None:
    bell.wait(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bell.wait, 30)
        time.sleep(0.05)
        began = time.monotonic()
        Bell(bell.path).ring()
        waiting.result(timeout=5)
    assert time.monotonic() - began < 1


def test_a_bell_that_rang_before_the_wait_is_heard_once(bell: Bell) -> None:
    bell.wait(0)
    for _ in range(3):
        bell.ring()
    began = time.monotonic()
    bell.wait(30)
    assert time.monotonic() - began < 1
    bell.wait(0.2)
    assert time.monotonic() - began >= 0.2


def test_ringing_where_nobody_listens_changes_nothing(bell: Bell) -> None:
    bell.ring()
    assert not bell.path.exists()


def test_without_named_pipes_the_wait_is_a_pause(tmp_path: Path) -> None:
    began = time.monotonic()
    Bell(tmp_path / "missing folder" / "queue.bell").wait(0.1)
    assert time.monotonic() - began >= 0.1


@pytest.mark.django_db
def test_tasks_come_in_the_order_they_were_put_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "POLL", 0.01)
    broker = BellBroker("booking")
    numbers = [broker.enqueue(f"task {number}") for number in range(3)]
    time.sleep(0.001)
    found = [task for _ in range(4) for task in broker.dequeue() or []]
    assert found == [(number, f"task {index}") for index, number in enumerate(numbers)]


@pytest.mark.django_db
def test_a_task_of_another_queue_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "POLL", 0.01)
    BellBroker("polling").enqueue("a slice")
    time.sleep(0.001)
    assert BellBroker("booking").dequeue() is None
