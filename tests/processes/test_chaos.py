"""`script/chaos`, the small run: bookings, faults and kill -9 on the real processes, and not one promise broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bench.processes import ROOT
from tests.processes.test_bench import environment, left_in

LINES = (
    "lost messages",
    "messages shown twice",
    "double bookings",
    "holds nobody wants left behind",
    "stuck bookings",
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--quick", "--seed", "3", *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def judge(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    for line in LINES:
        assert any(
            text.split() == [*line.split(), "0", "target", "0", "met"] for text in done.stdout.splitlines()
        )
    assert "All promises kept." in done.stdout
    assert list(folder.glob("termin-*")) == []
    assert left_in(folder) == []


@pytest.mark.processes
@pytest.mark.timeout(420)
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux'")
def test_thirty_bookings_and_thirty_kills_harm_nobody(tmp_path: Path) -> None:
    judge(run(tmp_path), tmp_path)


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.timeout(420)
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux'")
def test_thirty_bookings_and_thirty_kills_harm_nobody_on_postgresql(tmp_path: Path) -> None:
    from tests.test_postgresql import server

    here = server()
    name = f"termin_chaos_{tmp_path.parent.name.replace('-', '_')[-20:]}"
    with psycopg.connect(f"{here}/postgres", autocommit=True) as there:
        there.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        try:
            judge(run(tmp_path, "--database", f"{here}/{name}"), tmp_path)
        finally:
            there.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


def test_the_help_says_what_is_counted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--help"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert "SIGKILL" in done.stdout
    assert "--seed" in done.stdout
