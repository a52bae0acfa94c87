"""The world of the booking model: a fresh city, three people, and a memory of what the city did for whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from appointments.errors import DomainError
from appointments.models import Booking, Slot, Subscriber, Watch
from appointments.services import reserving
from appointments.services.sweeps import sweep_bookings
from appointments.states import LIVE, BookingState
from termin_project.sandbox.city import CityWorld, Clock
from tests import conftest
from tests.appointments.services.counter import known_slot
from tests.conftest import MONDAY, PASING, REGISTER, RUPPERT, Office, Queue

S = BookingState
OCCUPIES = ("reserved", "preconfirmed", "confirmed")
FIRST_DAY = datetime(2026, 12, 10, 8, 0, tzinfo=UTC)
# The office that takes one appointment per mail address, and what it is for.
STRICT, LEAVING = 10295168, 1063731
PEOPLE = 3
# What each of them needs, at which offices, and what their search does with a free time.
NEEDS = (
    (REGISTER, (RUPPERT, PASING), "hold"),
    (REGISTER, (RUPPERT, PASING), "auto"),
    (LEAVING, (STRICT,), "auto"),
)
# Calls that can be spoilt on our side: the worker dies, is slow, or its request is late.
CALLS = ("reserve", "update", "preconfirm", "confirm", "cancel", "appointment")


class Killed(BaseException):
    """What a worker does not survive."""


class World(RuleBasedStateMachine):
    """One example. Rules and invariants are mixed in; here is what they share."""

    if TYPE_CHECKING:
        # What must hold is in `Invariants`, which every model has.
        def at_every_moment(self) -> None: ...
        def wrongly_cancelled(self, number: int) -> str: ...

    catalogue_is_known = False

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.office = self._office()
        self.people: list[Subscriber] = []
        self.watches: list[Watch] = []
        self.opened = 0
        self.days = 0
        self.late: Callable[[], object] | None = None
        self.is_late = False
        # Number at the city -> whose it is, and which booking asked for it.
        self.owner_of: dict[int, int] = {}
        self.booking_of: dict[int, int] = {}
        # What was made, and what was cancelled, on the city's own page.
        self.made_there: set[int] = set()
        self.cancelled_there: set[int] = set()
        self.confirmed: set[int] = set()
        self.preconfirmed: set[int] = set()
        # Bookings that their person gave back, and appointments that may go first by their person's yes.
        self.given_back: set[int] = set()
        self.may_go_first: set[int] = set()
        self.seen_until = 0
        # What did not hold, noted where an exception might be swallowed.
        self.broken: list[str] = []
        self._reserving: Booking | None = None
        self._on_the_page = False
        self._listen()

    def _office(self) -> Office:
        munich = CityWorld(Clock(at=MONDAY), limit=100_000, captcha_cost=1)
        queue = Queue()
        conftest.queue.__wrapped__(self.patches)  # type: ignore[attr-defined]
        for module in (conftest.queueing, conftest.tasks):
            self.patches.setattr(module, "async_task", queue.put)
        if World.catalogue_is_known:
            self.patches.setattr(conftest, "sync_catalogue", lambda *_a, **_k: None)
        built: Office = conftest.office.__wrapped__(None, munich, queue, self.patches)  # type: ignore[attr-defined]
        return built

    # what the city does

    def _listen(self) -> None:
        """Note what the city does for whom, and look at everything after every single request."""
        desk, api = self.office.munich.desk, self.office.desk.api
        asked, send = reserving._reserve, api._send
        reserve, preconfirm, confirm, cancel = desk.reserve, desk.preconfirm, desk.confirm, desk.cancel

        def asking(booking: Booking, counter: Any) -> Any:
            before, self._reserving = self._reserving, booking
            try:
                return asked(booking, counter)
            finally:
                self._reserving = before

        def reserved(*args: Any) -> Any:
            process = reserve(*args)
            if process is not None and not self._on_the_page:
                assert self._reserving is not None
                self.owner_of[process.number] = self._reserving.subscriber_id
                self.booking_of[process.number] = self._reserving.pk
            return process

        def preconfirmed(number: int, *args: Any) -> Any:
            process = preconfirm(number, *args)
            self.preconfirmed.add(number)
            return process

        def confirmed(number: int, *args: Any) -> Any:
            process = confirm(number, *args)
            self.confirmed.add(number)
            return process

        def cancelled(number: int, *args: Any) -> Any:
            process = desk.processes.get(number)
            stood = process is not None and process.status == "confirmed"
            answer = cancel(number, *args)
            if self._on_the_page:
                self.cancelled_there.add(number)
            elif stood and (why := self.wrongly_cancelled(number)):
                self.broken.append(why)
            return answer

        def heard(*args: Any) -> Any:
            answer = send(*args)
            try:
                self.at_every_moment()
            except AssertionError as failed:
                self.broken.append(str(failed))
            assert not self.broken, self.broken
            return answer

        self.patches.setattr(reserving, "_reserve", asking)
        desk.reserve, desk.preconfirm = reserved, preconfirmed  # type: ignore[method-assign]
        desk.confirm, desk.cancel = confirmed, cancelled  # type: ignore[method-assign]
        api._send = heard  # type: ignore[method-assign]

    def on_the_page(self, act: Callable[[Any, float], Any]) -> Any:
        """Somebody does something on the city's own page: `act` gets its desk and its time."""
        self._on_the_page = True
        try:
            return act(self.office.munich.desk, self.office.munich.now())
        finally:
            self._on_the_page = False

    def at_the_city(self, number: int, *states: str) -> Any:
        """One of what stands at the city in these states, or None."""
        standing = list(self.office.munich.desk.in_states(*states))
        return standing[number % len(standing)] if standing else None

    def occupied(self) -> list[Any]:
        """Everything that occupies a place at the city and that we know of, or should."""
        standing = list(self.office.munich.desk.in_states(*OCCUPIES))
        there = [process.number for process in standing if process.number in self.made_there]
        taken_in = Booking.objects.filter(process_id__in=there) if there else Booking.objects.none()
        known = dict(taken_in.values_list("process_id", "pk"))
        self.booking_of |= {number: pk for number, pk in known.items() if number is not None}
        return [p for p in standing if p.number not in self.made_there or p.number in known]

    def is_there(self, *states: str) -> bool:
        """Whether anything stands at the city in one of these states."""
        return any(True for _process in self.office.munich.desk.in_states(*states))

    # what the rules need

    def open(self, who: int, starts_at: datetime | None = None) -> Slot:
        """A place opens where this person looks, on another day and at another hour than the others; it is seen."""
        self.opened += 1
        service, offices, _mode = NEEDS[who]
        day = FIRST_DAY + timedelta(days=self.opened * 3 % 7)
        at = (starts_at or day).replace(hour=6, minute=0) + timedelta(minutes=10 * self.opened + 5)
        return known_slot(self.office, at, at=offices[self.opened % len(offices)], service=service)

    def slot(self, who: int, number: int) -> Slot | None:
        """One of the times that this person may have seen: free as far as we know, which may be wrong."""
        seen = Slot.objects.filter(search__main_service__upstream_id=NEEDS[who][0], gone_at=None)
        slots = list(seen.select_related("office", "search__main_service").order_by("-pk")[:5])
        return slots[number % len(slots)] if slots else None

    def who_has(self, booking: Booking) -> int:
        """Which of the people this booking belongs to."""
        return next(n for n, person in enumerate(self.people) if person.pk == booking.subscriber_id)

    def booking(self, number: int) -> Booking | None:
        """One of what is live, or if nothing is, of the latest bookings."""
        known = Booking.objects.select_related("office", "subscriber", "swap_to", "replaces").order_by("-pk")
        found = list(known.filter(state__in=sorted(LIVE), ended_at=None)[:5]) or list(known[:PEOPLE])
        return found[number % len(found)] if found else None

    def appointment(self, number: int, *, improving: bool = False) -> Booking | None:
        """One of the confirmed appointments; `improving`: one that somebody looks for an earlier one for, if any."""
        standing = Booking.objects.filter(state=S.CONFIRMED, ended_at=None).order_by("-pk")
        watched = standing.filter(improving_watches__ended_at=None, improving_watches__isnull=False)
        if improving and watched.exists():
            standing = watched.distinct()
        found = list(standing.select_related("subscriber", "search__main_service", "watch", "office"))
        return found[number % len(found)] if found else None

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do what a person wants; whether it was possible."""
        try:
            act()
        except DomainError:
            return False
        return True

    def work(self, really: bool = True) -> None:
        """The workers do all there is, whoever of them dies on the way."""
        for _death in range(20 if really else 0):
            try:
                self.office.work()
            except Killed:
                continue
            return

    def sweep(self) -> None:
        sweep_bookings(now=self.office.now())
        self.work()

    def pass_time(self, **parts: float) -> None:
        """Nothing that is on its way arrives later than a lease lasts."""
        if timedelta(**parts) > timedelta(seconds=45):
            self.arrive()
        self.office.advance(**parts)

    def arrive(self) -> None:
        """The request arrives at the city that we have given up waiting for."""
        late, self.late = self.late, None
        if late is not None:
            self.is_late = True
            late()
            self.is_late = False

    def end(self) -> None:
        """Nothing of this example is left."""
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)
