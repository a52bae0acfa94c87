"""The city behind a real server: requests over sockets, connections that are cut."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[3]
APP = """
from termin_project.sandbox.city import CityWorld, city_app

application = city_app(CityWorld(limit=1000))
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "served_city.py").write_text(APP)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "8"]
    command += ["--keep-alive", "75", "--no-control-socket", "-b", f"127.0.0.1:{port}"]
    command += ["--pythonpath", f"{ROOT},{folder}", "served_city:application"]
    server = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "HOME": str(folder)}, stderr=subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}/city"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                requests.get(f"{url}/control/clock", timeout=5)
                break
            except requests.exceptions.ConnectionError:
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.communicate(timeout=20)


@pytest.mark.parametrize(("kind", "logged"), [("lost_before", 0), ("lost_after", 1)])
def test_a_lost_answer_closes_the_connection_without_a_byte(address: str, kind: str, logged: int) -> None:
    starts_at = int(time.time()) + 86_400 + logged * 3600
    slot = {"office": 10489, "services": [1063475], "starts_at": starts_at}
    requests.post(f"{address}/control/slots", json=slot, timeout=5)
    requests.post(f"{address}/control/faults", json={"kind": kind}, timeout=5)
    body = {"timestamp": starts_at, "officeId": 10489, "serviceId": [1063475], "serviceCount": [1]}
    with pytest.raises(requests.exceptions.ConnectionError, match=r"closed|reset|aborted"):
        requests.post(f"{address}/api/citizen/reserve-appointment/", json=body, timeout=5)
    state = requests.get(f"{address}/control/state", timeout=5).json()
    assert len(state["reservations"]) == logged


def test_one_connection_serves_many_requests(address: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            answer = session.get(f"{address}/api/citizen/captcha-details/", timeout=5)
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "keep-alive"
        head = session.head(f"{address}/api/citizen/offices-and-services/", timeout=5)
        assert head.status_code == 400


def test_a_slow_answer_does_not_hold_up_the_others(address: str) -> None:
    fault = {"kind": "slow", "seconds": 1.5, "paths": ["captcha-challenge"]}
    requests.post(f"{address}/control/faults", json=fault, timeout=5)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.get, f"{address}/api/citizen/captcha-challenge/", timeout=5)
        time.sleep(0.2)
        began = time.monotonic()
        assert requests.get(f"{address}/api/citizen/captcha-details/", timeout=5).status_code == 200
        assert time.monotonic() - began < 1
        assert slow.result().status_code == 200
