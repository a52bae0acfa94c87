"""One chaos run from the empty database to the verdict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connections
from django.db.models import F
from django.utils import timezone

from appointments.models import (
    Booking,
    GateState,
    Heartbeat,
    ImportRequest,
    Lease,
    Office,
    OutboxMessage,
    PollTarget,
)
from bench.chaos.blows import Blows, Recovery, recoveries, still_owed
from bench.chaos.judge import Verdict, ends
from bench.chaos.people import People, unguarded_services
from bench.chaos.worlds import Worlds
from bench.processes import ROOT, Installation, wait_until
from bench.report import Line, percentile, print_table, say
from termin_project.supervision import configuration

# Our own promise: after any crash the truth is told within this.
PROMISE = 120.0
MOST_AT_ONCE = 14
# On average; the blows are spread over the whole run accordingly.
KILLS_OF_A_BLOW = 2.3
# What counts down in the database; moved together when waiting is skipped.
DEADLINES = (
    "lease_until",
    "retry_at",
    "held_until",
    "answer_until",
    "activate_until",
    "unnamed_hold_until",
    "follow_at",
    "remind_at",
    "state_since",
    "reserved_at",
)


@dataclass(frozen=True)
class Plan:
    """How much, how fast, and with which luck. `pace`: seconds for each booking; `hold`, `activation`: minutes."""

    bookings: int
    kills: int
    seed: int
    pace: float
    hold: int
    activation: int
    fault_every: float = 4.0


class Run:
    """The processes under supervisor, the people, and the blows."""

    def __init__(self, plan: Plan, installation: Installation, worlds: Worlds, chance: random.Random) -> None:
        self.plan = plan
        self.installation = installation
        self.worlds = worlds
        self.chance = chance

    def go(self) -> bool:
        """Everything; prints the verdict and returns whether all promises were kept."""
        began = time.monotonic()
        self._start()
        people = People(self.worlds, self.chance, unguarded_services()[:2])
        blows = Blows(self.installation, self.worlds, self.chance, settings.QUEUES)
        say(f"Everything runs after {time.monotonic() - began:.0f} s. Seed {self.plan.seed}.")
        storm = time.monotonic()
        self._storm(people, blows)
        say(f"The storm lasted {time.monotonic() - storm:.0f} s; now it has to recover by itself.")
        self._recover(people)
        return self._judge(people, blows, time.monotonic() - began)

    def _start(self) -> None:
        procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
        commands = {name: procfile[name] for name in (*settings.QUEUES, "bot")}
        path = self.installation.folder / "supervisord.conf"
        path.write_text(configuration(commands, folder=ROOT, logs=self.installation.folder))
        self.installation.start("-m", "supervisor.supervisord", "-n", "-c", str(path), log="supervisor.log")
        beats = ("bot", *(f"queue:{queue}" for queue in settings.QUEUES))
        wait_until(
            lambda: Heartbeat.objects.filter(name__in=beats).count() == len(beats), 60, "signs of life"
        )
        wait_until(lambda: Office.objects.exists() and GateState.objects.exists(), 60, "the city's catalogue")

    def _storm(self, people: People, blows: Blows) -> None:
        plan = self.plan
        began = time.monotonic()
        # A plan that cannot be kept ends all the same.
        end = began + max(60.0, 3 * plan.pace * plan.bookings)
        next_blow = next_fault = next_report = began
        arrived = 0
        while time.monotonic() < end:
            made = Booking.objects.count()
            if made >= plan.bookings and blows.kills >= plan.kills:
                break
            now = time.monotonic()
            on_time = made < plan.bookings and arrived < (now - began) / plan.pace * 1.15
            # Bookings and kills keep step, so that the last kill still meets somebody.
            in_step = not plan.kills or made / plan.bookings <= blows.kills / plan.kills + 0.05
            if on_time and in_step and people.in_hand() < MOST_AT_ONCE:
                people.arrive()
                arrived += 1
            if now >= next_blow and blows.kills < plan.kills:
                blows.deal(plan.kills - blows.kills)
                share = plan.pace * plan.bookings / plan.kills * KILLS_OF_A_BLOW
                next_blow = now + self.chance.uniform(0.3, 1.7) * share
            if now >= next_fault:
                self.worlds.spoil()
                next_fault = now + self.chance.uniform(0.3, 1.7) * plan.fault_every
            people.act()
            self._keep_the_gate_wide()
            if now >= next_report:
                say(
                    f"  {now - began:5.0f} s: {made} bookings, {blows.kills} kills, {people.in_hand()} in hand"
                )
                next_report = now + 30
            time.sleep(0.1)

    @staticmethod
    def _keep_the_gate_wide() -> None:
        """A refused call closes the gate for a minute and shrinks the rounds; a run has not got the day for that."""
        soon = timezone.now() + timedelta(seconds=5)
        GateState.objects.filter(paused_until__gt=soon).update(paused_until=soon)
        GateState.objects.filter(round_cap__lt=10**5).update(limit=10**6, round_cap=10**6)

    def _recover(self, people: People) -> None:
        """No more trouble: everything has to come to rest by itself; long waits are skipped, clocks together."""
        self.worlds.calm()
        self._wait(people, lambda: people.in_hand() == 0 and people.is_quiet(), PROMISE)
        for _round in range(8):
            if not still_owed() and people.is_quiet():
                break
            self._skip(2)
            self._wait(people, lambda: not still_owed() and people.is_quiet(), 8)
        self._wait(people, lambda: not still_owed() and people.is_quiet(), 30)
        time.sleep(1)
        self.worlds.look()

    def _wait(self, people: People, done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            people.act()
            self._keep_the_gate_wide()
            time.sleep(0.2)

    def _skip(self, minutes: float) -> None:
        """These minutes pass at once, for the city and for us: its clock goes on, our deadlines come nearer."""
        by = timedelta(minutes=minutes)
        self.worlds.move_on(minutes)
        for name in DEADLINES:
            Booking.objects.exclude(**{name: None}).filter(ended_at=None).update(**{name: F(name) - by})
        ImportRequest.objects.exclude(retry_at=None).update(retry_at=F("retry_at") - by)
        OutboxMessage.objects.filter(sent_at=None, failed_at=None).update(available_at=F("available_at") - by)
        Lease.objects.exclude(until=None).exclude(name="watching").update(until=F("until") - by)
        PollTarget.objects.update(next_due_at=timezone.now() + timedelta(hours=1))

    def _judge(self, people: People, blows: Blows, took: float) -> bool:
        verdict = Verdict(self.worlds, people)
        lines = verdict.lines()
        found = recoveries(blows.dealt)
        made = len(verdict.bookings)
        lines.insert(0, Line("bookings", str(made), str(self.plan.bookings), made >= self.plan.bookings))
        lines.insert(
            1, Line("kill -9", str(blows.kills), str(self.plan.kills), blows.kills >= self.plan.kills)
        )
        print_table("Promises", lines)
        print_table("Recovery", _recovery_lines(found))
        late = sum(recovery.last > PROMISE for recovery in found)
        lines.append(Line("recoveries over two minutes", str(late), "0", late == 0))
        print_table(
            "What happened",
            [
                Line("people", str(len(people.everybody))),
                Line("bookings ended as", ends(verdict.bookings)),
                Line("moved, improved, brought along", verdict.changes()),
                Line("killed", _counted(blows.by_role)),
                Line("faults", _counted(self.worlds.faults)),
                Line("messages sent", str(OutboxMessage.objects.exclude(sent_at=None).count())),
                Line("database", connections["default"].vendor),
                Line("took", f"{took:.0f} s"),
            ],
        )
        for detail in verdict.details[:40]:
            say(f"  ! {detail}")
        return all(line.met is not False for line in lines)


def _recovery_lines(found: list[Recovery]) -> list[Line]:
    if not found:
        return [Line("nothing was in hand when a kill came", "")]
    lines = [Line("bookings and messages in hand at a kill", str(len(found)))]
    for title, samples in (
        ("from the last kill that hit it until told or given back", [each.last for each in found]),
        ("from the first kill that hit it", [each.first for each in found]),
    ):
        shares = ", ".join(
            f"{name} {percentile(samples, share):.1f} s"
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        )
        lines.append(Line(title, shares))
    late = sum(recovery.last > PROMISE for recovery in found)
    lines.append(Line("over two minutes", str(late), "0", late == 0))
    return lines


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {number}" for name, number in sorted(numbers.items(), key=lambda item: -item[1])
    )
