"""A day of the service against the simulated city, in virtual time: the real watcher, bookings and captchas.

One clock for both sides moves from one thing to do to the next. Used by the tests for a busy stretch of a day, and by
the bench for all of it.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import requests

from termin_project.sandbox.city import CityWorld

GUARDED_OFFICES = 3
MAIL_READ_AFTER = timedelta(minutes=2)
RELEASE_EVERY = timedelta(seconds=90)
# Whoever came for an appointment waits this much longer for it.
OVERTIME = timedelta(minutes=15)


class Town(Protocol):
    """The domain at work against the simulated city, on one clock that moves when told."""

    munich: CityWorld
    watcher: Any
    queue: Any

    @property
    def session(self) -> requests.Session:
        """Reaches the city without sockets."""

    def now(self) -> datetime:
        """The one clock."""

    def advance(self, **parts: float) -> None:
        """Move it."""

    def sweep(self) -> None:
        """Find what was left behind, run what is queued, deliver what is due."""


@dataclass
class DayResult:
    """What the city saw of us. `by_kind` are our own records, `requests` the city's."""

    requests: int
    refused: int
    by_kind: dict[str, int]
    searches: int
    booked: int
    rounds: int
    largest_count: int
    simulated: timedelta
    seconds: float


@dataclass
class CityDay:
    """`searches` searches, `bookings` people who get an appointment, three guarded offices, over `length`."""

    town: Town
    searches: int = 40
    bookings: int = 30
    length: timedelta = timedelta(days=1)
    seed: int = 1
    events: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    largest_count: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.plans = self._plans()
        self.city_log: deque[Any] = deque()
        self.town.munich.requests = self.city_log
        self._opened: set[str] = set()
        self._number = 0

    def at(self, moment: datetime, act: Callable[[], object]) -> None:
        """Have something happen at `moment`."""
        self._number += 1
        self.events.append((moment, self._number, act))

    def run(self) -> DayResult:
        """Let the whole stretch pass."""
        from appointments.models import Booking, Call, GateState
        from appointments.services.blindness import tell_blindness
        from appointments.services.counting import count_calls

        began, start = time.monotonic(), self.town.now()
        end = start + self.length
        self._people_arrive(start)
        self._schedule(start, end)
        sweep_at = count_at = start
        live = False
        while (now := self.town.now()) < end or (now < end + OVERTIME and self._somebody_waits()):
            self._let_happen(now)
            if now >= sweep_at:
                self._people_answer(now)
                self.town.sweep()
                tell_blindness(now=self.town.now())
                live = Booking.objects.filter(ended_at=None).exclude(state="confirmed").exists()
                # The real sweep runs every five seconds; what it finds is the same.
                sweep_at = self.town.now() + timedelta(seconds=10 if live else 60)
            if now >= count_at:
                count_calls(now=now)
                count_at = now + timedelta(hours=1)
            self._step(sweep_at)
        count_calls(now=self.town.now())
        by_kind = Counter(Call.objects.values_list("kind", flat=True))
        return DayResult(
            requests=len(self.city_log),
            refused=sum(request.status == 429 for request in self.city_log),
            by_kind=dict(sorted(by_kind.items())),
            searches=len(self.plans),
            booked=Booking.objects.filter(confirmed_at__isnull=False).count(),
            rounds=GateState.objects.get().rounds,
            largest_count=self.largest_count,
            simulated=self.town.now() - start,
            seconds=time.monotonic() - began,
        )

    def _somebody_waits(self) -> bool:
        """Whether one of those who came for an appointment has none yet."""
        from appointments.models import Booking

        return Booking.objects.filter(confirmed_at__isnull=False).count() < self.bookings

    def _step(self, sweep_at: datetime) -> None:
        asked = len(self.city_log)
        pause = self.town.watcher.step()
        queue = self.town.queue
        # Messages leave at the sweeps: they cost time here and no request to the city.
        queue.waiting = [task for task in queue.waiting if task[0] != "deliver_messages"]
        queue.run()
        self.largest_count = max(
            self.largest_count, *(count for count, _until in self.town.munich.limiter.counters.values()), 0
        )
        if len(self.city_log) > asked:
            self.town.advance(seconds=max(pause.total_seconds(), 0.001))
            return
        # Nothing was asked: on to the next moment at which something may be.
        now = self.town.now()
        opens = self.town.watcher.api._gate.opens_at(now)
        nexts = [sweep_at, *(moment for moment, _number, _act in self.events)]
        until = min([*nexts, max(opens, now + timedelta(seconds=0.5))])
        self.town.advance(seconds=max((until - now).total_seconds(), 0.001))

    def _let_happen(self, now: datetime) -> None:
        due = sorted(event for event in self.events if event[0] <= now)
        self.events = [event for event in self.events if event[0] > now]
        for _moment, _number, act in due:
            act()

    # What happens

    def _plans(self) -> list[tuple[int, int, int]]:
        """(service, how many, one of its offices' number) of each search, the guarded offices' first."""
        from appointments.models import Service
        from appointments.selectors.catalogue import largest_count, offices_for
        from appointments.upstream.types import ServiceCount

        guarded: dict[int, tuple[int, int, int]] = {}
        plans: list[tuple[int, int, int]] = []
        services = list(Service.objects.order_by("pk"))
        for count in range(1, 6):
            for service in services:
                if count > largest_count((), service.upstream_id):
                    continue
                wanted = service.upstream_id, count
                offices = [o for o in offices_for((ServiceCount(*wanted),)) if o.bookable]
                asking = [o.upstream_id for o in offices if o.captcha_required]
                free = [o.upstream_id for o in offices if not o.captcha_required]
                new = next((number for number in asking if number not in guarded), None)
                if count == 1 and new is not None and len(guarded) < GUARDED_OFFICES:
                    guarded[new] = (*wanted, new)
                elif free:
                    plans.append((*wanted, free[0]))
        return [*guarded.values(), *plans][: self.searches]

    def _people_arrive(self, start: datetime) -> None:
        for number, (service, count, office) in enumerate(self.plans):
            self._watch(f"watcher{number}", service, count, office, "notify")

    def _schedule(self, start: datetime, end: datetime) -> None:
        single = [plan for plan in self.plans if plan[1] == 1]
        for number in range(self.bookings):
            moment = start + (number + 0.5) * self.length / (self.bookings + 3)
            self.at(moment, lambda number=number: self._books(number, *single[number % len(single)]))  # type: ignore[misc]
        moment = start + RELEASE_EVERY
        while moment < end:
            self.at(moment, self._release)
            moment += RELEASE_EVERY

    def _books(self, number: int, service: int, _count: int, office: int) -> None:
        """Somebody comes who wants an appointment, and a minute later there is one."""
        self._watch(f"booker{number}", service, 1, office, "auto")
        starts_at = self._free_time(20 + number)
        self.at(
            self.town.now() + timedelta(minutes=1),
            lambda: self.town.munich.add_places(office, [service], starts_at, 1),
        )

    def _release(self) -> None:
        """A time opens somewhere and goes again after a while."""
        service, count, office = self.random.choice(self.plans)
        starts_at = self._free_time(self.random.randint(60, 150))
        world = self.town.munich
        world.add_places(office, [service], starts_at, count)
        stays = timedelta(minutes=self.random.uniform(5, 40))
        self.at(self.town.now() + stays, lambda: world.remove_places(office, [service], starts_at, None))

    def _free_time(self, days: int) -> datetime:
        day = (self.town.now() + timedelta(days=days)).replace(second=0, microsecond=0)
        while day.weekday() > 4:
            day += timedelta(days=1)
        return day.replace(hour=self.random.randint(8, 14), minute=self.random.choice((0, 15, 30, 45)))

    def _watch(self, name: str, service: int, count: int, office: int, mode: str) -> None:
        from appointments.models import Office, Subscriber
        from appointments.services.watches import WatchWish, create_watch
        from appointments.upstream.types import ServiceCount

        now = self.town.now()
        person = Subscriber.objects.create(
            first_name="Ada",
            language="en",
            created_at=now,
            last_seen_at=now,
            consented_at=now,
            erase_after=(now + timedelta(days=365)).date(),
            family_name="Ada Lovelace",
            email=f"{name}@example.org",
            contact_consented_at=now,
        )
        offices = (Office.objects.get(upstream_id=office).pk,)
        wish = WatchWish(services=(ServiceCount(service, count),), office_ids=offices, mode=mode)
        create_watch(person, wish, now=now)

    def _people_answer(self, now: datetime) -> None:
        """What offices ask is answered; the link in the city's mail is opened a little later."""
        from appointments.models import Booking
        from appointments.services.bookings import answer_question, keep_booking
        from appointments.services.contact import missing_contact

        for booking in Booking.objects.filter(state="reserved", ended_at=None):
            if missing_contact(booking):
                answer_question(booking, custom_text="Practice", custom_text_2="Practice", now=now)
                keep_booking(booking, now=now)
        for mail in self.town.munich.mails:
            for link in mail.links:
                if link not in self._opened:
                    self._opened.add(link)
                    self.at(now + MAIL_READ_AFTER, lambda link=link: self._open(link))  # type: ignore[misc]

    def _open(self, link: str) -> None:
        token = link.rsplit("/", 1)[-1]
        self.town.session.post(f"http://city.test/city/control/confirm/{token}")
