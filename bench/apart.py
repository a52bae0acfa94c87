"""Figures that need Django set up on a database of their own: each runs in a process apart and hands over numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.processes import ROOT, Installation


def measured_apart(module: str, *arguments: str, seconds: float, **environment: str) -> dict[str, Any]:
    """What `python -m <module> ...` prints as JSON on a migrated, empty installation; its errors are shown."""
    with Installation(**environment) as installation:
        installation.run("manage.py", "migrate", "--verbosity", "0")
        done = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=installation.environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=seconds,
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
