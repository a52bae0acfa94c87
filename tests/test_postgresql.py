"""The same domain on PostgreSQL: journeys, races, gate and outbox in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent
HERE = "127.0.0.1:5432"
SUITES = (
    "tests/journeys",
    "tests/races",
    "tests/appointments/services/test_gate.py",
    "tests/appointments/services/test_gate_stores.py",
    "tests/appointments/services/test_breakers.py",
    "tests/appointments/services/test_counting.py",
    "tests/appointments/services/test_outbox.py",
    "tests/appointments/services/test_matching.py",
    "tests/appointments/services/test_turns.py",
    "tests/appointments/services/test_attempt_counts.py",
)


def server() -> str:
    """A server that lets `root` in on loopback, as a URL without a database; skips where there is none."""
    for database in ("postgres", "test"):
        try:
            with psycopg.connect(
                f"postgresql://root@{HERE}/{database}", connect_timeout=2, autocommit=True
            ) as there:
                may = there.execute(
                    "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                )
                row = may.fetchone()
        except psycopg.OperationalError:
            continue
        if row and row[0]:
            return f"postgresql://root@{HERE}"
        pytest.skip("the PostgreSQL server on loopback does not let root create databases")
    pytest.skip(f"no PostgreSQL server answers root at {HERE}")


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_the_domain_works_the_same_on_postgresql() -> None:
    name = f"termin_{uuid.uuid4().hex[:8]}"
    environment = {**os.environ, "TEST_DATABASE_URL": f"{server()}/{name}"}
    # The outer run's coverage, workers and options are its own business.
    for inherited in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        environment.pop(inherited, None)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", "-p", "no:cacheprovider", *SUITES],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.postgres
def test_the_migrations_are_complete_on_postgresql() -> None:
    environment = {**os.environ, "DATABASE_URL": f"{server()}/postgres", "SANDBOX": "1"}

    done = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
