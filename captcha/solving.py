"""Solving beside the process that asks: in a child of its own, at lowered priority, to be called off at any time.

Short tasks are solved in place, because a child takes as long to start (about 60 ms) as they take to solve. A pool of
`multiprocessing` is not possible here: the queue's workers are daemons, which may have no children of that kind. The
child runs without Django, gets no secret from the environment, and ends when the process that wanted it has died.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from captcha.errors import SolveAborted
from captcha.providers import named
from captcha.types import Challenge, Provider, Solution

ROOT = Path(__file__).resolve().parent.parent
IN_PLACE = timedelta(milliseconds=60)
"""What is solved within this, 99 times of 100, is not worth a process."""

NICENESS = 10
LOOK_EVERY = 0.1
START_AND_END = 5.0
"""Seconds a child may need on top of its limit before it is ended."""


def solve(
    provider: Provider,
    challenge: Challenge,
    *,
    limit: timedelta,
    rate: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> Solution:
    """The solution of `challenge`. Raises `SolveAborted` after `limit`, when called off, or when the child dies.

    `rate`: hashes per second on this machine, which tells short tasks from long ones.
    """
    p99 = provider.work(challenge).p99
    if p99 is not None and timedelta(seconds=min(p99 / rate, 1e6)) <= IN_PLACE:
        return provider.solve(challenge, limit=limit)
    task = {"provider": provider.name, "document": challenge.document, "seconds": limit.total_seconds()}
    with subprocess.Popen(
        [sys.executable, "-m", "captcha.solving"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONSAFEPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            written = _wait(child, json.dumps(task), limit.total_seconds() + START_AND_END, cancelled)
        finally:
            # Also when we are interrupted: nobody waits for it any more.
            with contextlib.suppress(ProcessLookupError):
                child.kill()
    return _read(written)


def _wait(child: subprocess.Popen[str], task: str, seconds: float, cancelled: Callable[[], bool]) -> str:
    """What the child writes until it ends."""
    waited = 0.0
    given: str | None = task
    while True:
        try:
            return child.communicate(given, timeout=LOOK_EVERY)[0]
        except subprocess.TimeoutExpired:
            given = None
            waited += LOOK_EVERY
            if cancelled():
                raise SolveAborted("calledOff") from None
            if waited >= seconds:
                raise SolveAborted("solveAborted") from None


def _read(written: str) -> Solution:
    try:
        answer = json.loads(written)
        if "aborted" in answer:
            raise SolveAborted(str(answer["aborted"]))
        return Solution(answer["answer"], answer["attempts"], timedelta(seconds=answer["seconds"]))
    except (ValueError, KeyError, TypeError):
        raise SolveAborted("solverDied") from None


def main() -> None:
    """The child: a task from standard input, its solution on standard output."""
    parent = os.getppid()
    os.nice(NICENESS)
    task: dict[str, Any] = json.load(sys.stdin)
    provider = named(task["provider"])
    answer: dict[str, Any]
    try:
        solution = provider.solve(
            provider.parse(task["document"]),
            limit=timedelta(seconds=task["seconds"]),
            cancelled=lambda: os.getppid() != parent,
        )
    except SolveAborted as aborted:
        answer = {"aborted": aborted.reason}
    else:
        answer = {
            "answer": dict(solution.answer),
            "attempts": solution.attempts,
            "seconds": solution.took.total_seconds(),
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
