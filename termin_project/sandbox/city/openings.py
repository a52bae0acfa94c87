"""Capacity of an office: which slots are open, and how many places each start time has.

An opening is a run of slots that belong together, each with its number of free places. An appointment
takes as many consecutive slots of one opening as its services need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from termin_project.sandbox.city.clock import berlin_day


@dataclass(slots=True)
class Opening:
    """Slots from `starts_at` (Unix seconds) on, `step` seconds each, with free places per slot."""

    starts_at: int
    step: int
    free: list[int]

    def starts(self, needed: int) -> Iterator[tuple[int, int]]:
        """(start time, places) for appointments of `needed` slots."""
        for index in range(len(self.free) - needed + 1):
            places = min(self.free[index : index + needed])
            if places > 0:
                yield self.starts_at + index * self.step, places

    def places(self, starts_at: int, needed: int) -> int:
        index, rest = divmod(starts_at - self.starts_at, self.step)
        if rest or index < 0 or index + needed > len(self.free):
            return 0
        return min(self.free[index : index + needed])

    def change(self, starts_at: int, needed: int, by: int) -> None:
        index = (starts_at - self.starts_at) // self.step
        for position in range(index, min(index + needed, len(self.free))):
            self.free[position] += by

    @property
    def ends_at(self) -> int:
        return self.starts_at + len(self.free) * self.step


class OfficeCapacity:
    """All openings of one office."""

    def __init__(self, slot_minutes: int) -> None:
        self.step = slot_minutes * 60
        self.openings: dict[int, Opening] = {}
        self._next_id = 1
        self._days: dict[int, dict[date, list[int]]] = {}

    def open(self, starts_at: int, slots: int, places: int) -> int:
        """Open `slots` slots from `starts_at` on with `places` places each; returns the opening's id."""
        opening_id = self._next_id
        self._next_id += 1
        self.openings[opening_id] = Opening(starts_at, self.step, [places] * slots)
        self._days.clear()
        return opening_id

    def restore(self, opening_id: int, opening: Opening) -> None:
        self.openings[opening_id] = opening
        self._next_id = max(self._next_id, opening_id + 1)
        self._days.clear()

    def places(self, starts_at: int, needed: int) -> int:
        """Free places of an appointment of `needed` slots at exactly this time."""
        return sum(opening.places(starts_at, needed) for opening in self.openings.values())

    def take(self, starts_at: int, needed: int) -> int | None:
        """Occupy one place; the id of the opening it came from, or None when there is none."""
        fitting = [
            (len(opening.free), opening_id)
            for opening_id, opening in self.openings.items()
            if opening.places(starts_at, needed) > 0
        ]
        if not fitting:
            return None
        opening_id = min(fitting)[1]
        self.openings[opening_id].change(starts_at, needed, -1)
        self._days.clear()
        return opening_id

    def give_back(self, opening_id: int, starts_at: int, needed: int) -> None:
        """Free a place taken before. Nothing happens when the opening is gone (its time has passed)."""
        opening = self.openings.get(opening_id)
        if opening is not None:
            opening.change(starts_at, needed, 1)
            self._days.clear()

    def fill(self, opening_id: int) -> None:
        """Take one place of a whole opening, if nobody has taken any part of it."""
        opening = self.openings.get(opening_id)
        if opening is not None and min(opening.free) > 0:
            opening.change(opening.starts_at, len(opening.free), -1)
            self._days.clear()

    def close(self, starts_at: int, needed: int, places: int | None) -> int:
        """Withdraw up to `places` free places (None: all) of this start time; how many it were."""
        closed = 0
        while places is None or closed < places:
            if self.take(starts_at, needed) is None:
                break
            closed += 1
        return closed

    def days(self, needed: int) -> dict[date, list[int]]:
        """Start times by local day for appointments of `needed` slots, sorted and unique."""
        known = self._days.get(needed)
        if known is None:
            found: dict[date, set[int]] = {}
            for opening in self.openings.values():
                day = berlin_day(opening.starts_at)
                times = [start for start, _ in opening.starts(needed)]
                if times:
                    found.setdefault(day, set()).update(times)
            known = {day: sorted(found[day]) for day in sorted(found)}
            self._days[needed] = known
        return known

    def prune(self, before: int) -> None:
        """Forget openings that ended before this instant (Unix seconds)."""
        gone = [key for key, opening in self.openings.items() if opening.ends_at < before]
        for key in gone:
            del self.openings[key]
        if gone:
            self._days.clear()
