"""Races need real threads, each with its own connection, and real commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from termin_project.sandbox.city import CityWorld
from tests.conftest import Office, Queue


@pytest.fixture
def office(
    transactional_db: None, munich: CityWorld, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> Office:
    """The domain against the simulated city, in a database that commits."""
    from tests import conftest

    build: Callable[..., Office] = conftest.office.__wrapped__  # type: ignore[attr-defined]
    return build(None, munich, queue, monkeypatch)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all `works` in threads that start together; results in order, an exception is its own result."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=10)
            results[index] = work()
        except Exception as error:  # noqa: BLE001 what came out is what the test looks at
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, work)) for index, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results
