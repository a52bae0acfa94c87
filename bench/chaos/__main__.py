"""`python -m bench.chaos`: bookings, faults and kill -9, then a verdict. Exit code 1 if a promise was broken."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from types import FrameType

from bench.processes import Installation
from bench.report import conditions, say

HOLD_SECONDS = 30


def main() -> int:
    """Run what was asked for and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="script/chaos",
        description="Runs the real processes against a simulated city in a bad mood, kills them with SIGKILL at random "
        "moments, and counts what must be zero: lost, repeated or false messages, double bookings, holds left "
        "behind, stuck bookings. Exit code 1 if one is not.",
    )
    parser.add_argument("--quick", action="store_true", help="about a minute: 30 bookings, 30 kills")
    parser.add_argument("--bookings", type=int, help="how many (1000; quick: 30)")
    parser.add_argument("--kills", type=int, help="how many (as many as bookings)")
    parser.add_argument("--seed", type=int, help="repeats the luck of another run (printed by each)")
    parser.add_argument(
        "--database", default="", help="URL of an empty database; without it SQLite in a folder"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    try:
        return _run(options)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


def _run(options: argparse.Namespace) -> int:
    bookings = options.bookings or (30 if options.quick else 1000)
    seed = options.seed if options.seed is not None else int(time.time())
    extra = {"DATABASE_URL": options.database} if options.database else {}
    # Short patience with silent people, so that their part of the story fits in, too.
    with Installation(HOLD_SECONDS=str(HOLD_SECONDS), **extra) as installation:
        os.environ.update(installation.environment)
        import django

        installation.run("manage.py", "migrate", "--verbosity", "0")
        installation.run("manage.py", "setup_schedules")
        django.setup()
        from bench.chaos.run import Plan, Run
        from bench.chaos.worlds import Worlds

        plan = Plan(
            bookings=bookings,
            kills=options.kills if options.kills is not None else bookings,
            seed=seed,
            pace=1.0 if options.quick else 1.35,
            hold=1,
            activation=2,
        )
        chance = random.Random(seed)
        port = int(installation.environment["SANDBOX_PORT"])
        say(f"Conditions: {conditions()}; everything on loopback, simulated city and Telegram.")
        with Worlds(port, chance, hold=plan.hold, activation=plan.activation) as worlds:
            kept = Run(plan, installation, worlds, chance).go()
            if not kept:
                say(installation.logs()[-8000:])
            installation.end()
    say("\nAll promises kept." if kept else f"\nA promise was broken. Again with: --seed {seed}")
    return 0 if kept else 1


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
