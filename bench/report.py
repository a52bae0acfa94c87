"""What a figure hands over, and how a stranger reads it."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `met` is None where there is nothing to reach."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 to 1) of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, with a decimal where it matters."""
    return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"


def conditions() -> str:
    """What the figures depend on: processors, interpreter, database, kernel, and what else runs."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else platform.machine()
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} CPUs ({model}), Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.release()}, load {load} at the start"
    )


def say(text: str = "") -> None:
    """A line for the person who looks on, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_table(title: str, lines: Sequence[Line]) -> None:
    """The lines in columns."""
    say(f"\n{title}")
    widths = [
        max(len(cell) for cell in column) for column in zip(*(_cells(line) for line in lines), strict=True)
    ]
    for line in lines:
        cells = _cells(line)
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _cells(line: Line) -> tuple[str, str, str, str]:
    verdict = {True: "met", False: "MISSED", None: ""}[line.met]
    return line.what, line.measured, line.target and f"target {line.target}", verdict
