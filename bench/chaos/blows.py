"""kill -9 at random moments, at random members, and how long it took until the truth was told again."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from appointments.models import Booking, BookingEvent, OutboxMessage
from appointments.states import CALLING, ENDED, BookingState
from bench.chaos.worlds import Worlds
from bench.processes import Installation, Process

S = BookingState
# Who is hit how often. A cluster ends as a whole when one of its members was killed.
TARGETS = {"booking": 5.0, "polling": 2.0, "notify": 2.0, "bot": 2.0}
WHOLE_GROUP = 0.12
# So many members of a part die in the same moment.
TOGETHER = (1, 1, 2, 3, 5)


@dataclass
class Blow:
    """What was killed, when, and what was in hand at that moment."""

    at: datetime
    struck: str
    kills: int
    bookings: dict[int, str] = field(default_factory=dict)
    messages: set[int] = field(default_factory=set)
    updates: set[int] = field(default_factory=set)


class Blows:
    """Deals them out and keeps the list."""

    def __init__(
        self, installation: Installation, worlds: Worlds, chance: random.Random, queues: tuple[str, ...]
    ) -> None:
        self.installation = installation
        self.worlds = worlds
        self.chance = chance
        self.dealt: list[Blow] = []
        self.by_role: dict[str, int] = {}
        self.weights = {name: weight for name, weight in TARGETS.items() if name == "bot" or name in queues}

    @property
    def kills(self) -> int:
        """How many processes were killed so far."""
        return sum(blow.kills for blow in self.dealt)

    def deal(self, most: int) -> None:
        """Kill one to five processes of one part, or its whole group; nothing if it is not running just now."""
        part = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
        words = ("run_bot",) if part == "bot" else ("run_cluster", part)
        found = [process for process in self.installation.processes(*words) if "python" in process.command]
        if not found:
            return
        roles = _roles(found)
        if self.chance.random() < WHOLE_GROUP:
            victims = found[:most]
        else:
            victims = self.chance.sample(found, min(len(found), most, self.chance.choice(TOGETHER)))
        blow = self._look(part)
        for process in victims:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except OSError:
                continue
            blow.kills += 1
            name = part if part == "bot" else f"{part} {roles.get(process.pid, 'member')}"
            self.by_role[name] = self.by_role.get(name, 0) + 1
        if blow.kills:
            self.dealt.append(blow)

    def _look(self, part: str) -> Blow:
        """What the part had in hand: bookings whose next step it owes, messages, what people wrote."""
        blow = Blow(timezone.now(), part, 0)
        if part == "booking":
            owed = Q(state__in=sorted(CALLING)) | Q(state=S.REQUESTED) | Q(state=S.RESERVED, wish="book")
            owed |= Q(state__in=(S.RESERVED, S.PRECONFIRMED, S.CONFIRMED), wish="release", ended_at=None)
            owed |= Q(state=S.UNCERTAIN, process_id__isnull=False)
            blow.bookings = dict(Booking.objects.filter(owed).values_list("pk", "wish"))
        if part in ("booking", "notify"):
            unsent = OutboxMessage.objects.filter(sent_at=None, failed_at=None)
            blow.messages = set(unsent.values_list("pk", flat=True))
        if part == "bot":
            with self.worlds.telegram.lock:
                blow.updates = {update["update_id"] for update in self.worlds.telegram.waiting}
        return blow


def _roles(found: list[Process]) -> dict[int, str]:
    """What each process of a cluster is, by its number; django-q2 starts workers, then monitor, then pusher."""
    mains = [process for process in found if process.pid == process.group]
    if not mains:
        return {}
    roles = {mains[0].pid: "main"}
    sentinels = [process for process in found if process.parent == mains[0].pid]
    for sentinel in sentinels:
        roles[sentinel.pid] = "sentinel"
        children = [process for process in found if process.parent == sentinel.pid]
        for process in children:
            roles[process.pid] = "worker"
        for process, name in zip(children[-2:], ("monitor", "pusher"), strict=False):
            roles[process.pid] = name
    return roles


@dataclass(frozen=True)
class Recovery:
    """Seconds from a kill until what it interrupted was told or given back.

    `first`: from the first kill that hit it, `last`: from the last one before it was over.
    """

    first: float
    last: float


def recoveries(blows: list[Blow]) -> list[Recovery]:
    """One for each booking or message that was in hand when a kill came."""
    hits: dict[tuple[str, int], list[datetime]] = {}
    for blow in blows:
        for pk in blow.bookings:
            hits.setdefault(("booking", pk), []).append(blow.at)
        for pk in blow.messages:
            hits.setdefault(("message", pk), []).append(blow.at)
    sent = dict(OutboxMessage.objects.values_list("pk", "sent_at"))
    given_up = dict(OutboxMessage.objects.values_list("pk", "failed_at"))
    events: dict[int, list[tuple[datetime, str]]] = {}
    for pk, at, state in BookingEvent.objects.order_by("pk").values_list("booking", "at", "state"):
        events.setdefault(pk, []).append((at, state))
    found = []
    for (what, pk), moments in hits.items():
        for group in _groups(moments, [at for at, _state in events.get(pk, [])] if what == "booking" else []):
            if what == "message":
                over = sent.get(pk) or given_up.get(pk)
            else:
                over = _settled_at(events.get(pk, []), group[0])
            if over is None:
                continue
            before = [moment for moment in group if moment <= over]
            if before:
                found.append(Recovery(_seconds(before[0], over), _seconds(before[-1], over)))
    return found


def _groups(moments: list[datetime], steps: list[datetime]) -> list[list[datetime]]:
    """Kills that hit the same stay: between two of them the booking took no step that settled anything."""
    groups: list[list[datetime]] = []
    for moment in moments:
        if groups and not any(groups[-1][-1] < step <= moment for step in steps):
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return groups


def _settled_at(events: list[tuple[datetime, str]], since: datetime) -> datetime | None:
    told = {S.RESERVED, S.PRECONFIRMED, S.CONFIRMED, S.UNCERTAIN} | ENDED
    return next((at for at, state in events if at > since and state in told), None)


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()


def still_owed() -> int:
    """Processes aside: bookings that only a worker brings to rest."""
    open_ = Booking.objects.exclude(state__in=[*ENDED, S.CONFIRMED]).count()
    return open_ + Booking.objects.filter(state=S.CONFIRMED, wish="release", ended_at=None).count()


def taken_up(blows: list[Blow]) -> int:
    """How many updates of people waited when the bot was killed."""
    return sum(len(blow.updates) for blow in blows)
