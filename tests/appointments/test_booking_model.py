"""The booking machine against chance: people, city, faults and deaths in any order, invariants after every step.

`pytest tests/appointments/test_booking_model.py --hypothesis-profile=large` searches much longer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appointments.channels import DeliveryError
from appointments.errors import DomainError
from appointments.models import Booking, BookingEvent, OutboxMessage, Slot, Subscriber, Watch
from appointments.selectors.bookings import ends_quietly
from appointments.services import reserving
from appointments.services.bookings import (
    keep_booking,
    look_again,
    release_booking,
    request_booking,
    swap_booking,
)
from appointments.states import CALLING, ENDED, step_between
from appointments.states import BookingState as S
from termin_project.sandbox.city import CityWorld, Clock
from tests import conftest
from tests.appointments.services.counter import known_slot, person
from tests.conftest import MONDAY, PASING, RUPPERT, Office, Queue

LIVE = ("reserved", "preconfirmed", "confirmed")
FIRST_DAY = datetime(2026, 12, 10, 8, 0, tzinfo=UTC)
FAULTS = (
    "lost_before", "lost_after", "truncated_json", "empty_body", "gateway_400",
    "html_502", "maintenance", "rate_limited", "lost_race",
)  # fmt: skip
ENDPOINTS = (
    "reserve-appointment", "update-appointment", "preconfirm-appointment", "cancel-appointment", "appointment",
)  # fmt: skip
CALLS = ("reserve", "update", "preconfirm", "cancel", "appointment")
PEOPLE = 3
# Most often the workers are quick, and things get further than to the first step.
QUICKLY = st.sampled_from((True, True, True, False))


class Killed(BaseException):
    """What a worker does not survive."""


class Bookings(RuleBasedStateMachine):
    """One example: a fresh city, three people, and everything that can happen to them."""

    catalogue_is_known = False

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.office = self._office()
        self.owner_of: dict[int, int] = {}
        self.confirmed: set[int] = set()
        self.preconfirmed: set[int] = set()
        self.now_reserving: Booking | None = None
        self._listen()
        self.people: list[Subscriber] = []
        self.watches: list[Watch] = []
        for number in range(PEOPLE):
            who = person(self.office)
            self.people.append(who)
            offices = (self.office.office_pk(RUPPERT), self.office.office_pk(PASING))
            mode = ("notify", "hold", "auto")[number]
            self.watches.append(self.office.watch(subscriber=who, mode=mode, office_ids=offices))
        self.opened = 0
        for _number in range(2):
            self._open()

    def _office(self) -> Office:
        munich = CityWorld(Clock(at=MONDAY), limit=100_000, captcha_cost=1)
        queue = Queue()
        conftest.queue.__wrapped__(self.patches)  # type: ignore[attr-defined]
        for module in (conftest.queueing, conftest.tasks):
            self.patches.setattr(module, "async_task", queue.put)
        if Bookings.catalogue_is_known:
            self.patches.setattr(conftest, "sync_catalogue", lambda *_a, **_k: None)
        built: Office = conftest.office.__wrapped__(None, munich, queue, self.patches)  # type: ignore[attr-defined]
        return built

    def _listen(self) -> None:
        """Note what the city did for whom."""
        desk = self.office.munich.desk
        asked, reserve, confirm, preconfirm = reserving._reserve, desk.reserve, desk.confirm, desk.preconfirm

        def asking(booking: Booking, counter: Any) -> Any:
            self.now_reserving = booking
            return asked(booking, counter)

        def reserved(*args: Any) -> Any:
            process = reserve(*args)
            if process is not None:
                assert self.now_reserving is not None
                self.owner_of[process.number] = self.now_reserving.subscriber_id
            return process

        def confirmed(number: int, *args: Any) -> Any:
            process = confirm(number, *args)
            self.confirmed.add(number)
            return process

        def preconfirmed(number: int, *args: Any) -> Any:
            process = preconfirm(number, *args)
            self.preconfirmed.add(number)
            return process

        self.patches.setattr(reserving, "_reserve", asking)
        desk.reserve, desk.confirm = reserved, confirmed  # type: ignore[method-assign]
        desk.preconfirm = preconfirmed  # type: ignore[method-assign]

    # what people do

    def _open(self) -> None:
        self.opened += 1
        office = (RUPPERT, PASING)[self.opened % 2]
        known_slot(self.office, FIRST_DAY + timedelta(hours=self.opened), at=office)

    @rule()
    @precondition(lambda self: self.opened < 8)
    def a_slot_opens(self) -> None:
        self._open()

    @rule(number=st.integers(0, 7))
    def a_slot_goes(self, number: int) -> None:
        if slot := self._slot(number):
            service = slot.search.main_service.upstream_id
            self.office.munich.remove_places(slot.office.upstream_id, [service], slot.starts_at)

    def _slot(self, number: int) -> Slot | None:
        slots = list(Slot.objects.select_related("office", "search__main_service").order_by("pk"))
        return slots[number % len(slots)] if slots else None

    @rule(
        who=st.integers(0, PEOPLE - 1),
        number=st.integers(0, 7),
        mode=st.sampled_from(("hold", "auto")),
        quickly=QUICKLY,
    )
    def somebody_wants_a_slot(self, who: int, number: int, mode: str, quickly: bool) -> None:
        if slot := self._slot(number):
            self._try(
                lambda: request_booking(
                    self.people[who], slot, mode=mode, watch=self.watches[who], now=self.office.now()
                )
            )
            self._work(quickly)

    def _booking(self, number: int) -> Booking | None:
        """One of the latest bookings, so that chance meets the living."""
        latest = list(
            Booking.objects.select_related("office", "subscriber", "swap_to").order_by("-pk")[:PEOPLE]
        )
        return latest[number % len(latest)] if latest else None

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except DomainError:
            return

    @rule(number=st.integers(0, PEOPLE - 1), quickly=QUICKLY)
    def somebody_keeps(self, number: int, quickly: bool) -> None:
        if booking := self._booking(number):
            self._try(lambda: keep_booking(booking, now=self.office.now()))
            self._work(quickly)

    @rule(number=st.integers(0, PEOPLE - 1), quickly=QUICKLY)
    def somebody_gives_back(self, number: int, quickly: bool) -> None:
        if booking := self._booking(number):
            self._try(lambda: release_booking(booking, now=self.office.now()))
            self._work(quickly)

    @rule(number=st.integers(0, PEOPLE - 1), other=st.integers(0, 7))
    def somebody_wants_another_time(self, number: int, other: int) -> None:
        booking, slot = self._booking(number), self._slot(other)
        if booking and slot:
            self._try(lambda: swap_booking(booking, slot, now=self.office.now()))

    @rule(number=st.integers(0, PEOPLE - 1), quickly=QUICKLY)
    def somebody_says_it_is_opened(self, number: int, quickly: bool) -> None:
        if booking := self._booking(number):
            self._try(lambda: look_again(booking, now=self.office.now()))
            self._work(quickly)

    @rule(number=st.integers(0, PEOPLE - 1))
    def somebody_opens_the_mail(self, number: int) -> None:
        process = self._at_the_city(number, "preconfirmed")
        if process is not None:
            self.office.munich.desk.confirm(process.number, process.key, self.office.munich.now())

    @rule(number=st.integers(0, PEOPLE - 1), state=st.sampled_from(("preconfirmed", "confirmed")))
    def somebody_cancels_on_the_citys_page(self, number: int, state: str) -> None:
        process = self._at_the_city(number, state)
        if process is not None:
            self.office.munich.desk.cancel(process.number, process.key, self.office.munich.now())

    def _at_the_city(self, number: int, state: str) -> Any:
        standing = [p for p in self.office.munich.desk.processes.values() if p.status == state]
        return standing[number % len(standing)] if standing else None

    # what goes wrong

    @rule(kind=st.sampled_from(FAULTS), endpoint=st.sampled_from(ENDPOINTS))
    def the_next_call_goes_wrong(self, kind: str, endpoint: str) -> None:
        if len(self.office.munich.faults.active) < 3:
            self.office.munich.faults.add(kind, 1, [endpoint])

    @rule(call=st.sampled_from(CALLS), after=st.booleans())
    def a_worker_will_die(self, call: str, after: bool) -> None:
        api = self.office.desk.api
        if call in vars(api):
            return
        real = getattr(api, call)

        def dying(*args: Any, **options: Any) -> Any:
            delattr(api, call)
            if after:
                real(*args, **options)
            raise Killed

        setattr(api, call, dying)

    @rule()
    def a_task_is_lost(self) -> None:
        if self.office.queue.waiting:
            self.office.queue.waiting.pop(0)

    @rule()
    def a_task_comes_twice(self) -> None:
        if self.office.queue.waiting:
            self.office.queue.waiting.append(self.office.queue.waiting[0])

    @rule()
    def telegram_fails_once(self) -> None:
        if not self.office.mailman.errors:
            self.office.mailman.errors.append(DeliveryError("trouble"))

    # what goes on

    @rule()
    def a_worker_takes_a_task(self) -> None:
        if self.office.queue.waiting:
            first, rest = self.office.queue.waiting[0], self.office.queue.waiting[1:]
            self.office.queue.waiting = [first]
            with contextlib.suppress(Killed):
                self.office.queue.run()
            self.office.queue.waiting += rest

    @rule()
    def everybody_works(self) -> None:
        self._work()

    def _work(self, really: bool = True) -> None:
        if not really:
            return
        for _death in range(20):
            try:
                self.office.work()
            except Killed:
                continue
            return

    @rule(seconds=st.sampled_from((1, 5, 20, 46, 120, 400)))
    def time_passes(self, seconds: int) -> None:
        self.office.advance(seconds=seconds)

    @rule(number=st.integers(0, PEOPLE - 1))
    def time_passes_and_the_sweep_runs(self, number: int) -> None:
        self.office.advance(seconds=(11, 31, 61)[number])
        self._sweep()

    @rule()
    def the_sweep_runs(self) -> None:
        self._sweep()

    def _sweep(self) -> None:
        from appointments.services.sweeps import sweep_bookings

        sweep_bookings(now=self.office.now())
        self._work()

    # what must hold

    @invariant()
    def nobody_occupies_two_places(self) -> None:
        owners = [
            self.owner_of[p.number] for p in self.office.munich.desk.processes.values() if p.status in LIVE
        ]
        assert len(owners) == len(set(owners))

    @invariant()
    def confirmed_is_the_citys_word(self) -> None:
        ours = set(Booking.objects.filter(state=S.CONFIRMED).values_list("process_id", flat=True))
        said = set(
            OutboxMessage.objects.filter(kind="appointment_confirmed").values_list(
                "booking__process_id", flat=True
            )
        )
        assert ours | said <= self.confirmed

    @invariant()
    def no_message_contradicts_the_city(self) -> None:
        processes = self.office.munich.desk.processes
        for message in OutboxMessage.objects.select_related("booking").exclude(booking=None):
            number = message.booking.process_id
            if message.dedup_key.startswith("released:") and number in processes:
                assert self._is_over(message.booking), f"{message.kind}, but it stands"
            if message.kind == "check_mail":
                assert number in self.preconfirmed | self.confirmed

    def _is_over(self, booking: Booking) -> bool:
        process = self.office.munich.desk.processes[booking.process_id]
        overdue = booking.held_until is not None and booking.held_until <= self.office.now()
        return process.status not in LIVE or overdue

    @invariant()
    def every_end_is_told_once(self) -> None:
        ends = (
            "released:",
            "lapsed:",
            "booking_settled:",
            "appointment_gone:",
            "slot_taken:",
            "booking_failed:",
        )
        for booking in Booking.objects.filter(state__in=ENDED):
            told = [m.kind for m in booking.messages.all() if m.dedup_key.startswith(ends)]
            assert len(told) == (0 if ends_quietly(booking) else 1), (
                f"{booking.state} {booking.reason}: {told}"
            )

    @invariant()
    def every_step_is_in_the_machine_and_tells_what_it_says(self) -> None:
        for event in BookingEvent.objects.exclude(source="").select_related("booking"):
            step = step_between(S(event.source), S(event.state))
            assert step is not None, f"{event.source} -> {event.state}"
            if step.target in ENDED and step.tells:
                kinds = set(event.booking.messages.values_list("kind", flat=True))
                quiet = step.source == S.REQUESTED and step.target == S.CANCELLED
                quiet |= ends_quietly(event.booking)
                assert quiet or kinds & set(step.tells), f"{event.source} -> {event.state} told {kinds}"

    def teardown(self) -> None:
        """All trouble ends, time passes: everything has to come to rest."""
        try:
            self._come_to_rest()
        finally:
            self.patches.undo()
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def _come_to_rest(self) -> None:
        self.office.munich.faults.clear()
        for call in CALLS:
            vars(self.office.desk.api).pop(call, None)
        self.office.mailman.errors.clear()
        for minutes in (1, 1, 1, 2, 5, 10, 10, 10, 10, 10, 60, 60 * 25, 1, 1):
            self.office.advance(minutes=minutes)
            self._sweep()
        left = Booking.objects.exclude(state__in=[*ENDED, S.CONFIRMED])
        assert not left.exists(), [(b.state, b.wish, b.reason) for b in left]
        assert not Booking.objects.filter(state__in=sorted(CALLING)).exists()
        wanted = set(
            Booking.objects.filter(state=S.CONFIRMED)
            .exclude(wish="release")
            .values_list("process_id", flat=True)
        )
        standing = {p.number for p in self.office.munich.desk.processes.values() if p.status in LIVE}
        assert standing == wanted
        unsent = OutboxMessage.objects.filter(sent_at=None, failed_at=None)
        assert not unsent.exists()
        self.every_end_is_told_once()
        self.confirmed_is_the_citys_word()


@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_nobody_is_harmed(db: None) -> None:
    large = settings.get_current_profile_name() == "large"
    Bookings.catalogue_is_known = False
    savepoint = transaction.atomic()
    with savepoint:
        patches = pytest.MonkeyPatch()
        munich = CityWorld(Clock(at=MONDAY), limit=100_000, captcha_cost=1)
        conftest.office.__wrapped__(None, munich, Queue(), patches)  # type: ignore[attr-defined]
        patches.undo()
        Bookings.catalogue_is_known = True
        run_state_machine_as_test(
            Bookings,
            settings=settings(
                max_examples=300 if large else 12,
                stateful_step_count=60 if large else 30,
                deadline=None,
                derandomize=not large,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
