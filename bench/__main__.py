"""`python -m bench`: measures, prints a table, stops by itself."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType

from bench import admitting, finding, holding, solving, starting, telling, whole_day, year
from bench.report import Line, conditions, print_table, say
from bench.stage import Stage

HOLDING, TELLING, CAPTCHA, START, FINDING = "reserve", "telegram", "captcha", "start", "search"
GATE, YEAR, DAY = "gate", "year", "day"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    samples: int
    told: int
    crowds: tuple[int, ...]
    rounds: int
    rest: float
    admitted: int
    looks: int
    hours: float


QUICK = Size(samples=60, told=20, crowds=(100,), rounds=3, rest=5, admitted=500, looks=20, hours=1)
NORMAL = Size(samples=100, told=60, crowds=(200,), rounds=5, rest=10, admitted=1000, looks=40, hours=24)
FULL = Size(samples=300, told=200, crowds=(200, 1000), rounds=9, rest=30, admitted=3000, looks=100, hours=24)


def main() -> int:
    """Measure what was asked for. Returns the exit code: 1 if `--strict` and a target was missed."""
    parser = argparse.ArgumentParser(
        prog="script/bench", description="Measures this project on this machine."
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_const", dest="size", const=QUICK, help="about a minute and a half"
    )
    size.add_argument("--full", action="store_const", dest="size", const=FULL, help="several minutes")
    parser.add_argument(
        "--only",
        action="append",
        choices=[HOLDING, TELLING, CAPTCHA, START, FINDING, GATE, YEAR, DAY],
        help="this alone; 'day' (a simulated day of full load, some ten minutes) runs only when named",
    )
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a target is missed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    try:
        usual = [CAPTCHA, GATE, YEAR, START, FINDING, HOLDING, TELLING]
        lines = run(options.size or NORMAL, options.only or usual)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    missed = [line for line in lines if line.met is False]
    say(f"\n{len(missed)} of {sum(line.met is not None for line in lines)} targets missed.")
    return 1 if missed and options.strict else 0


def run(size: Size, names: list[str]) -> list[Line]:
    """Measure the figures called `names` and print each as soon as it is known."""
    say(f"Conditions: {conditions()}; everything on loopback, simulated city and Telegram.")
    lines: list[Line] = []
    began = time.monotonic()

    def show(title: str, measure: Callable[[], list[Line]]) -> None:
        found = measure()
        print_table(title, found)
        lines.extend(found)

    if CAPTCHA in names:
        show("Captcha: speed of the proof of work", lambda: solving.measure(size.rounds))
    if GATE in names:
        show("Gate: what passing it costs", lambda: admitting.measure(size.admitted))
    if YEAR in names:
        show("A year of 30 million calls, rolled up", lambda: year.measure(size.looks))
    if DAY in names:
        show("A day at full load against the city's limit of 60", lambda: whole_day.measure(size.hours))
    if START in names:
        show("Start and memory", lambda: starting.measure(size.rest))
    if FINDING in names:
        show("What people type -> the service they mean", finding.measure)
    with ExitStack() as stack:
        if HOLDING in names or TELLING in names:
            stage = stack.enter_context(Stage())
        if HOLDING in names:
            show("Slot in the answer -> reserve request leaves", lambda: holding.measure(stage, size.samples))
        if TELLING in names:
            arrow = "Slot in the answer -> Telegram request leaves"
            show(f"{arrow}: one person", lambda: telling.measure_one(stage, size.told))
            for number, people in enumerate(size.crowds, start=2):
                show(
                    f"{arrow}: everybody",
                    lambda people=people, number=number: telling.measure_many(stage, people, number),  # type: ignore[misc]
                )
    say(f"\nMeasured for {time.monotonic() - began:.0f} s.")
    return lines


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
