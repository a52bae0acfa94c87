"""The city's natural life: days that open, slots that come free, citizens who take them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from termin_project.sandbox.city.catalogue import Catalogue, Office
from termin_project.sandbox.city.clock import BERLIN, berlin_day, berlin_instant
from termin_project.sandbox.city.openings import OfficeCapacity

HOURS: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    # Minutes after midnight, Monday to Friday.
    "counter": (
        ((450, 720),),
        ((510, 720), (840, 1080)),
        ((450, 720),),
        ((510, 900),),
        ((450, 720),),
    ),
    "office": (
        ((480, 720),),
        ((480, 720), (780, 960)),
        ((480, 720),),
        ((480, 720), (780, 960)),
        ((480, 720),),
    ),
}

HORIZON_DAYS = {"quiet": 60, "medium": 42, "scarce": 42}
OPEN_DAYS = {"quiet": 0.75, "medium": 0.25, "scarce": 0.04}
COMMON_PAUSE = (20.0, 40.0)
OTHER_PAUSE = (25.0, 60.0)
COMMON_AT_ONCE = 3
SOONEST = 30 * 60
"""Seconds from now on in which nothing comes free any more."""
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 600.0
CATCH_UP = 30 * 60
"""Seconds of life made up for after the clock jumped; what would have come and gone before is left out."""


@dataclass
class Life:
    """Changes the openings of all offices as time passes. The same seed makes the same life."""

    catalogue: Catalogue
    capacities: dict[int, OfficeCapacity]
    random: Random
    on: bool = False
    released_until: dict[int, str] = field(default_factory=dict)
    takers: list[tuple[float, int, int]] = field(default_factory=list)
    bags: dict[tuple[str, ...], list[Office]] = field(default_factory=dict)
    next_common_at: float = 0.0
    next_other_at: float = 0.0

    def tick(self, now: float) -> None:
        """Bring the offices up to `now` (Unix seconds). Does nothing while switched off."""
        if not self.on:
            return
        self._release_days(now)
        if self.next_common_at < now - CATCH_UP:
            self.next_common_at = self.next_other_at = now - CATCH_UP
        while min(self.next_common_at, self.next_other_at) <= now:
            if self.next_common_at <= self.next_other_at:
                at, self.next_common_at = (
                    self.next_common_at,
                    self.next_common_at + self.random.uniform(*COMMON_PAUSE),
                )
                for _ in range(COMMON_AT_ONCE):
                    self._come_free(at, "scarce")
            else:
                at, self.next_other_at = (
                    self.next_other_at,
                    self.next_other_at + self.random.uniform(*OTHER_PAUSE),
                )
                self._come_free(at, "medium", "quiet")
        while self.takers and self.takers[0][0] <= now:
            _, office_id, opening_id = heapq.heappop(self.takers)
            self.capacities[office_id].fill(opening_id)

    def _release_days(self, now: float) -> None:
        """Let new days become bookable: the newest day opens when its office opens in the morning."""
        local = datetime.fromtimestamp(now, UTC).astimezone(BERLIN)
        today = local.date()
        minute = local.hour * 60 + local.minute
        for office in self.catalogue.offices.values():
            if office.scope is None:
                continue
            last_day = today + timedelta(days=HORIZON_DAYS[office.demand])
            known = self.released_until.get(office.id)
            first = date.fromisoformat(known) + timedelta(days=1) if known else today + timedelta(days=1)
            if first < today:
                first = today + timedelta(days=1)
            for ahead in range((last_day - first).days + 1):
                day = first + timedelta(days=ahead)
                hours = self._hours(office, day)
                if known and day == last_day and hours and minute < hours[0][0]:
                    break
                self._open_day(office, day)
                self.released_until[office.id] = day.isoformat()

    def _hours(self, office: Office, day: date) -> tuple[tuple[int, int], ...]:
        return HOURS[office.hours][day.weekday()] if day.weekday() < 5 else ()

    def _open_day(self, office: Office, day: date) -> None:
        """What is left of a day when it opens: much at quiet offices, next to nothing at scarce ones."""
        for begins, ends in self._hours(office, day):
            if self.random.random() > OPEN_DAYS[office.demand]:
                continue
            span = ends - begins
            length = {
                "quiet": self.random.choice((60, 90, 120, span)),
                "medium": self.random.choice((30, 45, 60)),
                "scarce": self.random.choice((20, 30)),
            }[office.demand]
            self._open(office, day, begins, ends, min(length, span), self.random.choice((1, 1, 2)))

    def _next_office(self, *demands: str) -> Office | None:
        """Offices in turn, each turn in a new order, so that none is left out for long."""
        bag = self.bags.setdefault(demands, [])
        if not bag:
            bag += [o for o in self.catalogue.offices.values() if o.scope and o.demand in demands]
            self.random.shuffle(bag)
        return bag.pop() if bag else None

    def _come_free(self, at: float, *demands: str) -> None:
        """Somebody cancels, or staff add a slot: one or two times of one day, each taken again soon."""
        office = self._next_office(*demands)
        if office is None:
            return
        earliest = at + SOONEST
        today = berlin_day(at)
        spans = [
            (day, begins, ends)
            for day in (today + timedelta(days=ahead) for ahead in range(14))
            for begins, ends in self._hours(office, day)
            if berlin_instant(day, begins).timestamp() > earliest
        ]
        # Early days first: people cancel what is near.
        day, begins, ends = spans[min(int(self.random.expovariate(1 / 5)), len(spans) - 1)]
        for _ in range(self.random.choices((1, 2), weights=(4, 1))[0]):
            opening_id = self._open(office, day, begins, ends, self.random.choice((15, 20, 35)), 1)
            lives = min(LONGEST_LIFE, max(SHORTEST_LIFE, self.random.lognormvariate(5.0, 0.8)))
            heapq.heappush(self.takers, (at + lives, office.id, opening_id))

    def _open(self, office: Office, day: date, begins: int, ends: int, minutes: int, places: int) -> int:
        grid = max(office.slot_minutes, 5)
        latest = max(0, (ends - begins - minutes) // grid)
        start = begins + self.random.randint(0, latest) * grid
        starts_at = int(berlin_instant(day, start).timestamp())
        return self.capacities[office.id].open(starts_at, _slots(office, minutes), places)


def _slots(office: Office, minutes: int) -> int:
    return max(1, -(-minutes // office.slot_minutes))
