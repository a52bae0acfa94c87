"""What people do: want a time, keep it, give it back, open the mail, cancel on the city's page."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from appointments.models import Watch
from appointments.services.bookings import (
    keep_booking,
    look_again,
    release_booking,
    request_booking,
    swap_booking,
)
from appointments.services.improving import start_improving
from appointments.upstream.types import ServiceCount
from tests.appointments.services.counter import confirmed, person
from tests.model.world import FIRST_DAY, NEEDS, PEOPLE, World

NUMBERS = st.integers(0, 7)
WHO = st.integers(0, PEOPLE - 1)
# Most often the workers are quick, and things get further than to the first step.
QUICKLY = st.sampled_from((True, True, True, False))


class Wishes(World):
    """A first appointment, from the wish to the mailed link."""

    @initialize(begins_with=st.tuples(*[st.sampled_from(("appointment", "improving", "nothing"))] * PEOPLE))
    def people_come(self, begins_with: tuple[str, ...]) -> None:
        for number, (service, offices, _mode) in enumerate(NEEDS):
            who = person(self.office)
            self.people.append(who)
            if begins_with[number] == "nothing":
                continue
            at = FIRST_DAY.replace(day=14 + number)
            made = confirmed(self.office, who=who, at=offices[0], starts_at=at, service=service)
            if begins_with[number] == "improving":
                start_improving(made, gain_days=1, more_changes=2, mode="auto", now=self.office.now())
        for number, (service, offices, mode) in enumerate(NEEDS):
            self.watches.append(
                self.office.watch(
                    subscriber=self.people[number],
                    mode=mode,
                    services=(ServiceCount(service, 1),),
                    office_ids=tuple(self.office.office_pk(office) for office in offices),
                )
            )
            for _slot in range(2):
                self.open(number)
        # One of them said from the start that it may become earlier.
        Watch.objects.filter(pk=self.watches[1].pk).update(improve=True)

    @rule(who=WHO)
    @precondition(lambda self: self.opened < 16)
    def a_slot_opens(self, who: int) -> None:
        self.open(who)

    @rule(who=WHO, number=NUMBERS)
    def a_slot_goes(self, who: int, number: int) -> None:
        if slot := self.slot(who, number):
            service = slot.search.main_service.upstream_id
            self.office.munich.remove_places(slot.office.upstream_id, [service], slot.starts_at)

    @rule(who=WHO, number=NUMBERS, mode=st.sampled_from(("hold", "auto")), quickly=QUICKLY)
    def somebody_wants_a_slot(self, who: int, number: int, mode: str, quickly: bool) -> None:
        if slot := self.slot(who, number):
            watch, now = self.watches[who], self.office.now()
            self.attempt(lambda: request_booking(self.people[who], slot, mode=mode, watch=watch, now=now))
            self.work(quickly)

    @rule(number=NUMBERS, quickly=QUICKLY)
    def somebody_keeps(self, number: int, quickly: bool) -> None:
        if booking := self.booking(number):
            self.attempt(lambda: keep_booking(booking, now=self.office.now()))
            self.work(quickly)

    @rule(number=NUMBERS, quickly=QUICKLY)
    def somebody_gives_back_or_cancels(self, number: int, quickly: bool) -> None:
        if booking := self.booking(number):
            reason = "kept_old" if booking.replaces_id and booking.confirmed_at is None else "person"
            if self.attempt(lambda: release_booking(booking, now=self.office.now(), reason=reason)):
                self.given_back.add(booking.pk)
            self.work(quickly)

    @rule(number=NUMBERS, other=NUMBERS)
    @precondition(lambda self: self.is_there("reserved"))
    def somebody_wants_another_time(self, number: int, other: int) -> None:
        booking = self.booking(number)
        slot = booking and self.slot(self.who_has(booking), other)
        if slot and self.attempt(lambda: swap_booking(booking, slot, now=self.office.now())):
            self.given_back.add(booking.pk)

    @rule(number=NUMBERS, quickly=QUICKLY)
    def somebody_says_it_is_opened(self, number: int, quickly: bool) -> None:
        if booking := self.booking(number):
            self.attempt(lambda: look_again(booking, now=self.office.now()))
            self.work(quickly)

    @rule(number=NUMBERS)
    @precondition(lambda self: self.is_there("preconfirmed"))
    def somebody_opens_the_mail(self, number: int) -> None:
        if process := self.at_the_city(number, "preconfirmed"):
            self.on_the_page(lambda desk, now: desk.confirm(process.number, process.key, now))

    @rule(number=NUMBERS, state=st.sampled_from(("preconfirmed", "confirmed")))
    @precondition(lambda self: self.is_there("preconfirmed", "confirmed"))
    def somebody_cancels_on_the_citys_page(self, number: int, state: str) -> None:
        if process := self.at_the_city(number, state):
            self.on_the_page(lambda desk, now: desk.cancel(process.number, process.key, now))
