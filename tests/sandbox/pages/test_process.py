"""The sandbox process as it really runs: gunicorn, one worker, many threads."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from termin_project.sandbox import wsgi

pytestmark = pytest.mark.processes


class Process:
    """The sandbox process on a free port, with its state in a folder."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.environment = environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "32", "--keep-alive", "75",
                "--no-control-socket", "-b", f"127.0.0.1:{self.port}",
                "termin_project.sandbox.wsgi:application",
            ],
            env={**os.environ, "SANDBOX_STATE_DIR": str(self.directory), **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                requests.get(f"{self.url}/healthz", timeout=1)
                return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.1)
        self.end(signal.SIGKILL)
        raise AssertionError("the sandbox process did not come up")

    def end(self, how: signal.Signals = signal.SIGTERM) -> float:
        started = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(40)
        return time.monotonic() - started

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = requests.post(f"{self.url}/{path}", json=body, timeout=20).json()
        return answer

    def get(self, path: str) -> Any:
        return requests.get(f"{self.url}/{path}", timeout=5).json()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path, SANDBOX_CITY_LIFE="0")
    yield running
    if running.process.poll() is None:
        running.end()


def test_both_halves_are_served_and_live_through_a_restart(process: Process) -> None:
    process.post("telegram/control/say", chat=1, text="/start", first_name="Ada")
    process.post("bot1:sandbox/sendMessage", chat_id=1, text="Hello")
    slot = {"office": 10489, "services": [1063475], "starts_at": "2036-12-01T09:00:00+00:00"}
    process.post("city/control/slots", **slot)
    assert process.get("healthz")["simulated"] == ["city", "telegram"]

    process.end()
    process.start()

    assert [m["text"] for m in process.get("telegram/control/messages?chat=1")] == ["/start", "Hello"]
    assert process.post("bot1:sandbox/getUpdates")["result"][0]["message"]["text"] == "/start"
    assert process.post("city/control/slots", **slot)["free"] == 2


def test_a_long_poll_does_not_hold_up_the_end(process: Process) -> None:
    poll = threading.Thread(target=lambda: process.post("bot1:sandbox/getUpdates", timeout=15), daemon=True)
    poll.start()
    time.sleep(0.5)

    assert process.end() < 8
    poll.join(5)
    assert not poll.is_alive()


def test_a_lost_answer_is_a_closed_connection(process: Process) -> None:
    process.post("telegram/control/say", chat=1, text="/start")
    process.post("telegram/control/faults", kind="lost_after")

    with pytest.raises(requests.ConnectionError):
        process.post("bot1:sandbox/sendMessage", chat_id=1, text="Hello")

    assert process.get("telegram/control/messages?chat=1&after=1")[0]["text"] == "Hello"


def test_a_kill_loses_nothing_that_is_a_second_old(process: Process) -> None:
    process.post("telegram/control/say", chat=1, text="/start")
    time.sleep(1)
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()

    for child in children:
        os.kill(int(child), signal.SIGKILL)
    process.end(signal.SIGKILL)
    process.start()

    assert process.get("telegram/control/messages?chat=1")[0]["text"] == "/start"


def test_only_what_is_asked_for_is_simulated(tmp_path: Path) -> None:
    sandbox = wsgi.build({"SIMULATE": "telegram", "SANDBOX_STATE_DIR": str(tmp_path)})
    statuses: list[str] = []

    body = b"".join(
        sandbox({"PATH_INFO": "/city/control/state"}, lambda status, headers: statuses.append(status))
    )

    assert statuses == ["404 Not Found"]
    assert "telegram" in json.loads(body)["error"]


def test_a_name_that_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="not mars"):
        wsgi.build({"SIMULATE": "telegram,mars"})


def test_a_city_file_that_cannot_be_read_is_put_aside(tmp_path: Path, caplog) -> None:
    (tmp_path / "city.json").write_text("{")

    sandbox = wsgi.build({"SIMULATE": "city", "SANDBOX_STATE_DIR": str(tmp_path), "SANDBOX_CITY_LIFE": "0"})

    assert [part.name for part in sandbox.parts] == ["city"]
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["city.unreadable"]
    assert "put aside" in caplog.text
