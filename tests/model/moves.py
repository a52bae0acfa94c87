"""What people do who have an appointment: move it, have it improved, bring one from the city's page."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from appointments.models import Booking
from appointments.selectors.moving import asks_for_other_order, improving_watch_of
from appointments.services.bookings import release_booking
from appointments.services.importing import request_import
from appointments.services.improving import ask_for_more, start_improving, stop_improving
from appointments.services.matching import match_slots
from appointments.services.moving import cancel_old_first, move_appointment
from appointments.states import LIVE
from appointments.upstream.types import AppointmentKey
from tests.model.wishes import NUMBERS, QUICKLY, WHO
from tests.model.world import NEEDS, World

ON_THE_PAGE = ("reserved", "preconfirmed", "confirmed", "cancelled")
DATA = {"familyName": "Ada Lovelace", "telephone": "0891234567"}


def has_appointment(world: World) -> bool:
    """Whether anybody has one."""
    return world.is_there("confirmed")


class Moves(World):
    """From one appointment to another, and from the city's page to us."""

    @rule(number=NUMBERS, other=NUMBERS, quickly=QUICKLY)
    @precondition(has_appointment)
    def somebody_moves(self, number: int, other: int, quickly: bool) -> None:
        if (old := self.appointment(number)) and (slot := self.slot(self.who_has(old), other)):
            self.attempt(lambda: move_appointment(old, slot, now=self.office.now()))
            self.work(quickly)

    @rule(
        number=NUMBERS,
        mode=st.sampled_from(("auto", "auto", "hold", "notify")),
        gain=st.sampled_from((1, 3)),
        more=st.sampled_from((1, 2)),
    )
    @precondition(has_appointment)
    def somebody_wants_it_earlier(self, number: int, mode: str, gain: int, more: int) -> None:
        if old := self.appointment(number):
            now = self.office.now()
            self.attempt(lambda: start_improving(old, gain_days=gain, more_changes=more, mode=mode, now=now))

    @rule(number=NUMBERS, days=st.sampled_from((-1, -2, -3, -5, 0, 1)), quickly=QUICKLY)
    @precondition(lambda self: has_appointment(self) and self.opened < 24)
    def a_time_opens_near_an_appointment(self, number: int, days: int, quickly: bool) -> None:
        if old := self.appointment(number, improving=True):
            slot = self.open(self.who_has(old), old.starts_at + timedelta(days=days))
            match_slots(slot.search, [slot], now=self.office.now())
            self.work(quickly)

    @rule(number=NUMBERS, at_all=st.booleans())
    @precondition(has_appointment)
    def somebody_wants_it_much_earlier_or_no_earlier_at_all(self, number: int, at_all: bool) -> None:
        if (old := self.appointment(number)) and (watch := improving_watch_of(old)):
            if at_all:
                self.attempt(lambda: ask_for_more(watch, 7, now=self.office.now()))
            else:
                stop_improving(watch, now=self.office.now())

    @rule(yes=st.sampled_from((True, True, False)), quickly=QUICKLY)
    @precondition(lambda self: has_appointment(self) and self.is_there("reserved"))
    def somebody_answers_what_may_go_first(self, yes: bool, quickly: bool) -> None:
        for new in Booking.objects.exclude(replaces=None).select_related("subscriber"):
            if not asks_for_other_order(new):
                continue
            if not yes:
                self.attempt(lambda new=new: release_booking(new, now=self.office.now(), reason="kept_old"))
                self.given_back.add(new.pk)
            elif self.attempt(lambda new=new: cancel_old_first(new, now=self.office.now())):
                self.may_go_first.add(new.replaces_id)
            self.work(quickly)
            return

    @rule(who=WHO, state=st.sampled_from(ON_THE_PAGE), quickly=QUICKLY)
    @precondition(lambda self: len(self.made_there) < 4)
    def somebody_books_on_the_citys_page_and_sends_the_link(
        self, who: int, state: str, quickly: bool
    ) -> None:
        who = self._somebody_free(who)
        service = NEEDS[who][0]
        slot = self.open(who)
        at, start = slot.office.upstream_id, int(slot.starts_at.timestamp())
        slot.delete()
        process = self.on_the_page(lambda desk, now: desk.reserve(at, [(service, 1)], start, now))
        self.owner_of[process.number] = self.people[who].pk
        self.made_there.add(process.number)
        key = AppointmentKey(process.number, process.key)
        if state != "reserved":
            self._finish(process.number, process.key)
        if state in ("confirmed", "cancelled"):
            self.on_the_page(lambda desk, now: desk.confirm(process.number, process.key, now))
        self.attempt(lambda: request_import(self.people[who], key, now=self.office.now()))
        if state == "cancelled":
            self.on_the_page(lambda desk, now: desk.cancel(process.number, process.key, now))
        self.work(quickly)

    def _somebody_free(self, who: int) -> int:
        """This person, or if they have something already, somebody who has nothing, if there is anybody."""
        live = Booking.objects.filter(state__in=sorted(LIVE), ended_at=None)
        busy = set(live.values_list("subscriber_id", flat=True))
        free = [number for number, person in enumerate(self.people) if person.pk not in busy]
        return who if who in free or not free else free[0]

    def _finish(self, number: int, key: str) -> None:
        data = DATA | {"email": f"page{number}@example.org"}
        self.on_the_page(lambda desk, _now: desk.update(number, key, data))
        self.on_the_page(lambda desk, now: desk.preconfirm(number, key, now))

    @rule(number=NUMBERS)
    @precondition(lambda self: bool(self.made_there) and self.is_there("reserved"))
    def somebody_goes_on_on_the_citys_page(self, number: int) -> None:
        process = self.at_the_city(number, "reserved")
        if process and process.number in self.made_there:
            self._finish(process.number, process.key)

    @rule(number=NUMBERS, quickly=QUICKLY)
    @precondition(lambda self: bool(self.made_there))
    def somebody_sends_the_link_again(self, number: int, quickly: bool) -> None:
        made = sorted(self.made_there)
        process = self.office.munich.desk.processes.get(made[number % len(made)])
        if process is not None:
            owner = next(who for who in self.people if who.pk == self.owner_of[process.number])
            key = AppointmentKey(process.number, process.key)
            self.attempt(lambda: request_import(owner, key, now=self.office.now()))
            self.work(quickly)
