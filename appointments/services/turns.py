"""Who is next, and how many may try at once.

Places go to people one after the other: by how long they have waited, where a step of priority counts like a day.
How many places a listed time has the city does not say. So one person tries first; the others follow as long as that
goes well, and stop at the first refusal. Only a few attempts are on their way at a time: whoever loses a race is then
still ahead of those who come later, and no more is asked than the gate lets pass.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.conf import settings
from django.db.models import Q

from appointments.errors import AlreadyBooked, AlreadyHolding
from appointments.limits import QUIET_GAP, booking_bound
from appointments.models import Booking, GateState, Search, Slot, Watch, WatchOffice
from appointments.selectors.bookings import LOST_RACES, given_back_starts, unkept_holds
from appointments.services.bookings import start_booking
from appointments.states import BookingState
from captcha.errors import CityPageNeeded

S = BookingState
# A step of priority is worth so much waiting: who has waited longer than that passes.
STEP_OF_PRIORITY = timedelta(days=1)
# Who let a hold go so recently stands behind everybody who did not.
UNKEPT_COUNTS_FOR = timedelta(days=1)
# Attempts and answers so close to each other belong to one release.
BURST = timedelta(seconds=90)
# One person tries so many slots of one burst; afterwards the watch goes on.
MOST_CANDIDATES = 5
# So many attempts may fail at one time, without its being taken, before it is left alone for a while.
MOST_FAILURES, LEFT_ALONE = 3, timedelta(minutes=10)
# Holds older than this have ended long ago.
LONGEST_HOLD = timedelta(days=1)
# Calls kept for what is held already: its data are sent, or it is given back.
KEPT_FOR_HOLDS = 2
# Read at a time while walking along the turn.
CHUNK = 50
# Why an attempt ended that no worker took up; its person tries the same time again.
NEVER_BEGUN = "neverBegun"
ON_THE_WAY = (S.REQUESTED, S.RESERVING)
Place = tuple[int, datetime]


def turn_key(watch: Watch, unkept: int = 0) -> tuple[int, datetime, int]:
    """Sorts people into their turn, the first one smallest. The one formula; nothing else decides.

    Fewer holds let go lately first; then as if everybody had begun to wait a day earlier for each step of priority.
    The order of two people never changes while they wait, so a loser keeps the place.
    """
    return unkept, watch.waiting_since - STEP_OF_PRIORITY * watch.subscriber.priority, watch.pk


@dataclass
class Tried:
    """What became of our attempts at one place since it appeared."""

    on_the_way: int = 0
    held: int = 0
    last_held_at: datetime | None = None
    given_back_at: datetime | None = None
    failures: int = 0
    people: set[int] = field(default_factory=set)


class Chance(Enum):
    """How sure a place is for one more person."""

    NONE = "none"
    KNOWN = "known"
    HOPED = "hoped"


class Ledger:
    """Our attempts at a search's slots, read once: what is on its way, what worked, what the office has taught."""

    def __init__(self, search: Search, slots: Sequence[Slot], *, now: datetime) -> None:
        self._appeared = {(slot.office_id, slot.starts_at): slot.appeared_at for slot in slots}
        self._tried: dict[Place, Tried] = defaultdict(Tried)
        self._lost_by: Counter[int] = Counter()
        # Offices whose captcha only the city's page can show: the person was told so of this burst, once is enough.
        self._page_only: set[tuple[int, int]] = set()
        self.on_the_way = 0
        burst: dict[Place, list[bool]] = defaultdict(list)
        starts = {slot.starts_at for slot in slots}
        rows = Booking.objects.filter(
            Q(starts_at__in=starts) | Q(created_at__gt=now - BURST) | Q(state__in=ON_THE_WAY), search=search
        )
        for office, at, state, reason, person, created_at, held_at, ended_at, retry_at in rows.values_list(
            "office_id",
            "starts_at",
            "state",
            "reason",
            "subscriber_id",
            "created_at",
            "reserved_at",
            "ended_at",
            "retry_at",
        ):
            place = office, at
            if state in ON_THE_WAY and (retry_at is None or retry_at <= now):
                self.on_the_way += 1
            if (
                state == S.FAILED
                and reason != NEVER_BEGUN
                and ended_at is not None
                and ended_at > now - BURST
            ):
                self._lost_by[person] += 1
                if reason == CityPageNeeded.code:
                    self._page_only.add((person, office))
                if reason in LOST_RACES:
                    burst[place].append(False)
            if held_at is not None and held_at > now - BURST:
                burst[place].append(True)
            if place in self._appeared and reason != NEVER_BEGUN:
                self._note(place, state, person, created_at, held_at, ended_at, now=now)
        self._learn(burst)

    def _note(
        self,
        place: Place,
        state: str,
        person: int,
        created_at: datetime,
        held_at: datetime | None,
        ended_at: datetime | None,
        *,
        now: datetime,
    ) -> None:
        tried = self._tried[place]
        if state in ON_THE_WAY:
            tried.on_the_way += 1
        if held_at is not None and ended_at is not None:
            # Whoever let it go: it is not free before the calendar shows it again.
            tried.given_back_at = max(ended_at, tried.given_back_at or ended_at)
        if created_at < self._appeared[place]:
            return
        if held_at is not None:
            tried.held += 1
            tried.last_held_at = max(held_at, tried.last_held_at or held_at)
        if state in (S.FAILED, S.CANCELLED):
            tried.people.add(person)
        if state == S.FAILED:
            tried.failures += ended_at is not None and ended_at > now - LEFT_ALONE

    def _learn(self, burst: Mapping[Place, Sequence[bool]]) -> None:
        """Places per time as this burst has shown them, by office: the most held, and where a refusal ended it."""
        self._most: dict[int, int] = {}
        self._full: dict[int, int] = {}
        for (office, _at), outcomes in burst.items():
            held = sum(outcomes)
            self._most[office] = max(held, self._most.get(office, 0))
            if held and not all(outcomes):
                self._full[office] = max(held, self._full.get(office, 0))

    def start(self, slot: Slot, person: int) -> None:
        """An attempt begins."""
        tried = self._tried[slot.office_id, slot.starts_at]
        tried.on_the_way += 1
        tried.people.add(person)
        self.on_the_way += 1

    def chance(self, slot: Slot, person: int) -> Chance:
        """Whether one more person may try for `slot` now, this person at that, and how sure the place is."""
        tried = self._tried[slot.office_id, slot.starts_at]
        if person in tried.people or self._lost_by[person] >= MOST_CANDIDATES:
            return Chance.NONE
        if tried.failures >= MOST_FAILURES or (person, slot.office_id) in self._page_only:
            return Chance.NONE
        if tried.given_back_at is not None and slot.seen_at <= tried.given_back_at:
            return Chance.NONE
        if self.is_listed(slot):
            return Chance.KNOWN
        if not tried.held:
            return Chance.NONE  # somebody is at it, and nobody knows of a second place
        taken = tried.held + tried.on_the_way
        if slot.office_id in self._full:
            return Chance.KNOWN if taken < self._full[slot.office_id] else Chance.NONE
        most = self._most.get(slot.office_id, 0)
        if taken < most:
            return Chance.KNOWN
        return Chance.HOPED if taken == most and not self._probes(slot.office_id) else Chance.NONE

    def is_listed(self, slot: Slot) -> bool:
        """Whether the calendar has shown this time since we last got it, and nobody is at it."""
        tried = self._tried[slot.office_id, slot.starts_at]
        seen_since = tried.last_held_at is None or slot.seen_at > tried.last_held_at
        return seen_since and not tried.on_the_way

    def _probes(self, office: int) -> bool:
        """Whether somebody finds out already if this office has one more place per time than was seen."""
        most = self._most.get(office, 0)
        return any(
            place[0] == office and tried.on_the_way and tried.held and tried.held + tried.on_the_way > most
            for place, tried in self._tried.items()
        )


def room_for_attempts(ledger: Ledger, *, now: datetime) -> tuple[int, datetime | None]:
    """How many attempts may begin now, and when to look again if the gate is what forbids more.

    As many are on their way as keep the workers busy, and no more than the gate lets pass.
    """
    room = 2 * settings.BOOKING_WORKERS - ledger.on_the_way
    gate = GateState.objects.filter(egress=settings.EGRESS_NAME).first()
    if gate is None or room <= 0:
        return max(0, room), None
    if gate.paused_until is not None and gate.paused_until > now:
        return 0, gate.paused_until
    resting_until = gate.last_call_at + QUIET_GAP if gate.last_call_at else now
    used = gate.used if resting_until > now else 0
    waiting = Booking.objects.filter(state__in=ON_THE_WAY).filter(Q(retry_at=None) | Q(retry_at__lte=now))
    passes = booking_bound(gate.limit) - used - KEPT_FOR_HOLDS - waiting.count()
    return max(0, min(room, passes)), (resting_until if passes < room else None)


def hand_out(
    search: Search,
    takers: Sequence[tuple[Watch, list[Slot]]],
    *,
    now: datetime,
    after: Booking | None = None,
) -> dict[int, Booking]:
    """Start attempts for the people whose turn it is: each gets the place they like best of those that may be tried.

    `takers`: watches of `search` with the slots they accept. `after`: the attempt its person has just lost. Runs in the
    caller's transaction, one at a time per search. Returns person -> attempt; what could not begin for want of
    room is noted as owed.
    """
    # The row is the lock: of two workers the second sees what the first has started. SQLite has one writer anyway.
    Search.objects.select_for_update(no_key=True).filter(pk=search.pk).first()
    slots = list({slot.pk: slot for _watch, fitting in takers for slot in fitting}.values())
    ledger = Ledger(search, slots, now=now)
    room, retry_at = room_for_attempts(ledger, now=now)
    unkept = unkept_holds(since=now - UNKEPT_COUNTS_FOR)
    ordered = sorted(takers, key=lambda taker: turn_key(taker[0], unkept.get(taker[0].subscriber_id, 0)))
    turn = Turn(ledger, ordered, unkept, now, after)
    for start in range(0, len(ordered), CHUNK):
        if not turn.walk(search, start, room):
            break
    Search.objects.filter(pk=search.pk).update(serve_at=(retry_at or now) if turn.out_of_room else None)
    return turn.started


def are_seen_again(slots: Sequence[Slot], *, now: datetime) -> bool:
    """Whether the calendar shows times again that somebody here has held, or given back, since it was read before.

    `slots` of one search, with `seen_at` of the look before. What was held and is still listed has more places; what
    was given back and is listed is free again: in both cases somebody is next.
    """
    before = {(slot.office_id, slot.starts_at): slot.seen_at for slot in slots}
    held = Booking.objects.filter(
        search=slots[0].search_id,
        starts_at__in={slot.starts_at for slot in slots},
        reserved_at__gt=now - LONGEST_HOLD,
    )
    return any(
        (office, at) in before and max(held_at, ended_at or held_at) >= before[office, at]
        for office, at, held_at, ended_at in held.values_list(
            "office_id", "starts_at", "reserved_at", "ended_at"
        )
        if held_at is not None
    )


@dataclass
class Turn:
    """One walk along the people who wait."""

    ledger: Ledger
    ordered: Sequence[tuple[Watch, list[Slot]]]
    unkept: Mapping[int, int]
    now: datetime
    after: Booking | None
    started: dict[int, Booking] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    out_of_room: bool = False

    def walk(self, search: Search, start: int, room: int) -> bool:
        """The people from position `start` on, a chunk of them. False when there is no room for more."""
        chunk = self.ordered[start : start + CHUNK]
        unwanted = given_back_starts({watch.subscriber_id for watch, _slots in chunk}, search.pk)
        liked = _liked(chunk)
        for position, (watch, slots) in enumerate(chunk, start=start + 1):
            person = watch.subscriber_id
            if person in self.started:
                continue
            wanted = sorted(slots, key=lambda s: (s.starts_at, liked.get((watch.pk, s.office_id), 0)))
            choice = self._choice(person, wanted, unwanted)
            if choice is None:
                self.passed["nothing"] += 1
            elif len(self.started) >= room:
                self.out_of_room = True
                return False
            else:
                self._start(watch, choice, position)
        return True

    def _choice(
        self, person: int, wanted: Sequence[Slot], unwanted: set[tuple[int, int, datetime]]
    ) -> Slot | None:
        """What this person likes best of the places known to be there, else of those one may hope for."""
        hoped = None
        for slot in wanted:
            if (person, slot.office_id, slot.starts_at) in unwanted:
                continue
            chance = self.ledger.chance(slot, person)
            if chance == Chance.KNOWN:
                return slot
            if chance == Chance.HOPED and hoped is None:
                hoped = slot
        return hoped

    def _start(self, watch: Watch, slot: Slot, position: int) -> None:
        person = watch.subscriber_id
        lost = self.after if self.after is not None and self.after.subscriber_id == person else None
        try:
            booking = start_booking(
                watch.subscriber,
                slot,
                mode=lost.mode if lost is not None else watch.mode,
                watch=watch,
                now=self.now,
                previous=lost,
                replaces=watch.improves,
                turn=self._reason(watch, slot, position, lost),
            )
        except (AlreadyHolding, AlreadyBooked):
            self.passed["busy"] += 1
            return
        self.started[person] = booking
        self.ledger.start(slot, person)

    def _reason(self, watch: Watch, slot: Slot, position: int, lost: Booking | None) -> dict[str, Any]:
        """Why this person got this slot, for staff. Seconds, counts and codes only."""
        return {
            "rank": position,
            "of": len(self.ordered),
            "priority": watch.subscriber.priority,
            "waited": int((self.now - watch.waiting_since).total_seconds()),
            "unkept": self.unkept.get(watch.subscriber_id, 0),
            "before": {"served": len(self.started), **self.passed},
            "lost": lost.pk if lost is not None else None,
            # Nobody was told of a place here: it may be one more at a time of which some are held already.
            "probe": not self.ledger.is_listed(slot),
            "seen": slot.appeared_at.isoformat(),
        }


def _liked(takers: Sequence[tuple[Watch, list[Slot]]]) -> dict[tuple[int, int], int]:
    """(watch, office) -> place in the person's order of preference."""
    positions: dict[tuple[int, int], int] = {}
    rows = WatchOffice.objects.filter(watch__in=[watch.pk for watch, _slots in takers])
    for watch_id, office_id, position in rows.values_list("watch_id", "office_id", "position"):
        positions[watch_id, office_id] = min(position, positions.get((watch_id, office_id), position))
    return positions
