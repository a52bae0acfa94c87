"""The bench itself: it measures, prints a table, stops, and cleans up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.processes import ROOT, wait_until
from bench.report import Line, percentile

pytestmark = pytest.mark.processes


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"TMPDIR": str(folder)}


def test_the_captcha_figure_is_printed_with_its_conditions(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "captcha"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "SQLite" in done.stdout
    assert "share of a bare hashlib loop" in done.stdout
    assert "targets missed." in done.stdout


def test_ctrl_c_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "bench", "--quick", "--only", "reserve"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: list(tmp_path.glob("termin-*/queue-booking.bell")), 30, "queues of the bench")
        bench.send_signal(signal.SIGINT)
        assert bench.wait(timeout=30) == 130
    finally:
        bench.kill()
        bench.wait()
    assert list(tmp_path.glob("termin-*")) == []
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[int]:
    """Processes whose data live in `folder`; a process on its way out is given a moment."""
    mark = f"VAR_DIR={folder}".encode()
    end = time.monotonic() + 2
    while True:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_percentiles_are_samples_that_were_seen() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert (percentile(samples, 0.5), percentile(samples, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_strict_fails_only_for_a_missed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import __main__ as bench

    monkeypatch.setattr(bench, "run", lambda _size, _names: [Line("a figure", "9 s", "1 s", met=False)])
    monkeypatch.setattr(bench.signal, "signal", lambda *_arguments: None)
    for arguments, code in ((["bench"], 0), (["bench", "--strict"], 1)):
        monkeypatch.setattr(sys, "argv", arguments)
        assert bench.main() == code
