"""Slot in the answer -> Telegram request leaves: to one person, and to the last of many."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.bare import PER_SECOND
from bench.processes import ROOT
from bench.report import Line, milliseconds, percentile
from bench.server import Exchange
from bench.stage import Stage

WORST, SHARE = 0.400, 1.05


def measure_one(stage: Stage, samples: int) -> list[Line]:
    """One slot at a time that one person waits for."""
    service, offices = stage.service(1)
    offices = offices[:6]
    chats = {office.upstream_id: stage.person(service, (office.pk,), "notify") for office in offices}
    taken = []
    for number in range(samples):
        office = offices[number % len(offices)].upstream_id
        starts_at = stage.next_start()
        since = stage.open_slot(service, office, starts_at)
        answer = stage.answer_with(starts_at, since)
        message = _first_after(stage, answer, chats[office], since)
        taken.append(message.arrived_at - answer.answered_at)
        stage.simulators.city.remove_places(office, [service], starts_at)
        stage.end_bursts()
    stage.rest()
    worst = percentile(taken, 0.99)
    return [
        Line(f"typical (p50 of {samples})", milliseconds(percentile(taken, 0.5))),
        Line("worst (p99)", milliseconds(worst), milliseconds(WORST), worst <= WORST),
        Line("least, most", f"{milliseconds(min(taken))}, {milliseconds(max(taken))}"),
    ]


def measure_many(stage: Stage, people: int, number: int) -> list[Line]:
    """One slot that `people` people wait for; until the last of them is written to."""
    service, offices = stage.service(number)
    choice = tuple(office.pk for office in offices[:4])
    chats = {stage.person(service, choice, "notify") for _ in range(people)}
    bare = _bare_sender(stage, sorted(chats))
    stage.rest()
    office = offices[0].upstream_id
    starts_at = stage.next_start()
    refused_before = stage.simulators.telegram.refusals["429"]
    since = stage.open_slot(service, office, starts_at)
    answer = stage.answer_with(starts_at, since)
    sent = stage.simulators.wait_for(
        lambda exchange: exchange.path.endswith("/sendMessage"), since, people / PER_SECOND * 2 + 10, people
    )
    told = {json.loads(exchange.request)["chat_id"] for exchange in sent}
    assert told == chats, f"{len(chats - told)} people were not told"
    taken = sent[-1].arrived_at - answer.answered_at
    refused = stage.simulators.telegram.refusals["429"] - refused_before
    share = taken * PER_SECOND / people
    return [
        Line(
            f"last of {people} people",
            f"{taken:.2f} s, {share:.3f} of {people}/{PER_SECOND} s",
            f"{SHARE:.2f}",
            share <= SHARE and not refused,
        ),
        Line("bare loop that only sends", f"{bare:.2f} s, ratio {taken / bare:.3f}"),
        Line("refused by Telegram (429)", str(refused)),
    ]


def _first_after(stage: Stage, answer: Exchange, chat: int, since: int) -> Exchange:
    """The first message to `chat` after the city's answer; what was on its way before is about something else."""

    def is_it(exchange: Exchange) -> bool:
        sent = exchange.path.endswith("/sendMessage") and exchange.arrived_at >= answer.answered_at
        return sent and json.loads(exchange.request)["chat_id"] == chat

    return stage.simulators.wait_for(is_it, since, 20)[0]


def _bare_sender(stage: Stage, chats: list[int]) -> float:
    from django.conf import settings

    url = f"{settings.TELEGRAM_API_URL}{settings.TELEGRAM_BOT_TOKEN}/sendMessage"
    command = [sys.executable, "-m", "bench.bare", "send", url, ",".join(map(str, chats))]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603 - our own
    return float(json.loads(printed))
