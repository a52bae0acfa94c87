"""Fifty who wait, in two processes with one database file: one challenge; and a killed owner hands over."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bench.server import Simulators
from tests.captcha.waiters import SITE

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]
ROOT = Path(__file__).resolve().parents[2]


class Two:
    """A database file, a city on a port, and processes that want a token of it."""

    def __init__(self, folder: Path, simulators: Simulators) -> None:
        self.file = folder / "db.sqlite3"
        self.simulators = simulators
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "DJANGO_SETTINGS_MODULE": "termin_project.settings",
            "VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{self.file}",
            "DJANGO_SECRET_KEY": "only for this test",
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "SANDBOX": "1",
        }
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=self.environment,
            check=True,
        )

    def start(self, count: int) -> subprocess.Popen[str]:
        url = f"http://127.0.0.1:{self.simulators.port}/city/api/citizen"
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.captcha.waiters", url, str(count)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    @staticmethod
    def go(child: subprocess.Popen[str]) -> None:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()

    def challenges(self) -> int:
        return sum(
            request.path.strip("/").endswith("captcha-challenge") for request in self.simulators.city.requests
        )

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.file, timeout=20)) as database, database:
            return database.execute(statement, values).fetchall()

    def wait_for_state(self, state: str) -> None:
        deadline = time.monotonic() + 30
        while self.execute("SELECT state FROM captcha_captchatoken WHERE site = ?", SITE) != [(state,)]:
            assert time.monotonic() < deadline, f"never {state}"
            time.sleep(0.02)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with Simulators(0) as simulators:
        yield Two(tmp_path, simulators)


def test_fifty_waiters_in_two_processes_cause_one_challenge(two: Two) -> None:
    two.simulators.city.captcha.ladder = ((1, 1000),)
    children = [two.start(25), two.start(25)]

    for child in children:
        two.go(child)
    got = [digest for child in children for digest in json.loads(child.communicate(timeout=120)[0])]

    assert len(got) == 50
    assert len(set(got)) == 1
    assert not got[0].startswith("error")
    assert two.challenges() == 1


def test_a_killed_owner_hands_over_when_its_lease_ends(two: Two) -> None:
    # Dear enough to be killed in the middle of it; the next one is cheap.
    two.simulators.city.captcha.ladder = ((1, 40_000), (2, 100))
    owner = two.start(1)
    two.go(owner)
    two.wait_for_state("solving")
    owner.send_signal(signal.SIGKILL)
    owner.communicate(timeout=20)
    heir = two.start(5)
    two.go(heir)
    time.sleep(1)
    before = two.challenges()

    # The lease is made to end now, which would take a minute and a half.
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    two.execute("UPDATE captcha_captchatoken SET lease_until = ? WHERE site = ?", past, SITE)
    got = json.loads(heir.communicate(timeout=120)[0])

    assert before == 1
    assert len(set(got)) == 1
    assert not got[0].startswith("error")
    assert two.challenges() == 2
