"""What must hold: some of it after every request to the city, some after every rule, the rest once all is quiet."""

import sys
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import combinations

from hypothesis.stateful import invariant

from appointments.models import Booking, BookingEvent, ImportRequest, OutboxMessage
from appointments.selectors.bookings import ends_quietly
from appointments.selectors.moving import REPLACED, REPLACED_FIRST
from appointments.selectors.watches import MUNICH
from appointments.services.replaced import STILL_TRUE
from appointments.states import CALLING, ENDED, BookingState, step_between
from tests.model.world import CALLS, OCCUPIES, World

S = BookingState
SAYS_CONFIRMED = ("appointment_confirmed", "appointment_moved")
TELLS_THE_END = (
    "released:", "lapsed:", "booking_settled:", "appointment_gone:", "slot_taken:", "booking_failed:",
)  # fmt: skip
QUIET = timedelta(hours=24)


class Invariants(World):
    """Nobody is harmed, nobody is told what is not so, and everything ends."""

    def at_every_moment(self) -> None:
        """What must hold after every request to the city."""
        self._one_place_each()
        self._confirmed_is_the_citys_word()
        self._improving_only_improves()

    @invariant()
    def nothing_was_broken_on_the_way(self) -> None:
        assert not self.broken, self.broken
        self.at_every_moment()

    def _one_place_each(self) -> None:
        """One place of a person, or two where one is to take the other's place; never two that only hold."""
        places = defaultdict(list)
        for process in self.occupied():
            places[self.owner_of[process.number]].append(process)
        for owner, own in places.items():
            assert len(own) < 3, f"person {owner} occupies {len(own)} places"
            for one, other in combinations(own, 2):
                numbers = one.number, other.number
                assert "confirmed" in (one.status, other.status), f"{owner} holds both of {numbers}"
                pair = {self.booking_of[number] for number in numbers}
                related = Booking.objects.filter(pk__in=pair, moved_from__in=pair)
                assert related.exists(), f"{owner} occupies both of {numbers}"

    def _confirmed_is_the_citys_word(self) -> None:
        ours = set(Booking.objects.filter(state=S.CONFIRMED).values_list("process_id", flat=True))
        told = OutboxMessage.objects.filter(kind__in=SAYS_CONFIRMED)
        ours |= set(told.values_list("booking__process_id", flat=True))
        assert ours <= self.confirmed

    def wrongly_cancelled(self, number: int) -> str:
        """An appointment goes by our hand only if its person said so, or while another one stands in its place."""
        old = Booking.objects.get(process_id=number)
        if old.pk in self.given_back:
            return ""
        processes, now = self.office.munich.desk.processes, self.office.now()
        for new in Booking.objects.filter(moved_from=old).exclude(process_id=None):
            process = processes.get(new.process_id)
            status = process.status if process else "gone"
            if new.pk in self.given_back:
                # Known before the call began, it must not have been made.
                if self.is_late:
                    return ""
                continue
            if status == "confirmed" or (old.pk in self.may_go_first and status == "reserved"):
                return ""
            lately = new.confirmed_at is not None and new.confirmed_at > now - STILL_TRUE
            if new.process_id in self.cancelled_there and (lately or self.is_late):
                return ""
        return f"booking {old.pk} ({old.reason}) was cancelled, and nothing stands in its place"

    def _improving_only_improves(self) -> None:
        """Looked at once, as soon as it is seen: what a search began by itself is earlier, and not too often."""
        begun = Booking.objects.filter(pk__gt=self.seen_until).select_related("watch", "moved_from")
        for new in begun.order_by("pk"):
            self.seen_until = new.pk
            old, watch = new.moved_from, new.watch
            if old is None or not new.turn:
                continue
            assert watch is not None
            assert _day(new.starts_at) <= _day(old.starts_at) - timedelta(days=watch.improve_gain_days)
            assert new.changes == old.changes + 1 <= watch.improve_most_changes
            assert new.created_at < old.starts_at - QUIET
            assert not old.changes or new.created_at >= (old.confirmed_at or new.created_at) + QUIET

    @invariant()
    def no_message_contradicts_the_city(self) -> None:
        for message in OutboxMessage.objects.select_related("booking").exclude(booking=None):
            kind, _colon, about = message.dedup_key.partition(":")
            number = message.booking.process_id
            if kind == "released" or kind == "appointment_gone":
                assert self._is_over(message.booking), f"{message.kind}, but it stands"
            if kind == "old_given_back":
                assert self._is_over(Booking.objects.get(pk=about)), f"{message.kind}, but it stands"
            if kind == "check_mail":
                assert number in self.preconfirmed | self.confirmed

    def _is_over(self, booking: Booking) -> bool:
        process = self.office.munich.desk.processes.get(booking.process_id or 0)
        overdue = booking.held_until is not None and booking.held_until <= self.office.now()
        return process is None or process.status not in OCCUPIES or overdue

    @invariant()
    def every_end_is_told_once(self) -> None:
        for booking in Booking.objects.filter(state__in=ENDED):
            told = self._told_ends(booking)
            expected = {0, 1} if booking.reason == REPLACED_FIRST else {0 if ends_quietly(booking) else 1}
            assert len(told) in expected, f"{booking.state} {booking.reason}: {told}"

    def _told_ends(self, booking: Booking) -> list[str]:
        told = [m.kind for m in booking.messages.all() if m.dedup_key.startswith(TELLS_THE_END)]
        # What went for another one is told in the message about that one.
        went = OutboxMessage.objects.filter(dedup_key=f"old_given_back:{booking.pk}")
        return told + [message.kind for message in went]

    @invariant()
    def every_step_is_in_the_machine_and_tells_what_it_says(self) -> None:
        for event in BookingEvent.objects.exclude(source="").select_related("booking"):
            step = step_between(S(event.source), S(event.state))
            assert step is not None, f"{event.source} -> {event.state}"
            if step.target in ENDED and step.tells:
                booking = event.booking
                kinds = {m.kind for m in booking.messages.all()} | set(self._told_ends(booking))
                quiet = step.source == S.REQUESTED and step.target == S.CANCELLED
                quiet |= ends_quietly(booking) or booking.reason == REPLACED_FIRST
                assert quiet or kinds & set(step.tells), f"{event.source} -> {event.state} told {kinds}"

    def teardown(self) -> None:
        """All trouble ends, time passes: everything has to come to rest."""
        try:
            # What has failed already is not hidden behind what follows from it.
            if sys.exc_info()[0] is None:
                self._come_to_rest()
        finally:
            self.patches.undo()
            self.end()

    def _come_to_rest(self) -> None:
        self.office.munich.faults.clear()
        self.late = None
        for call in CALLS:
            vars(self.office.desk.api).pop(call, None)
        self.office.mailman.errors.clear()
        for minutes in (1, 1, 1, 2, 5, 10, 10, 10, 10, 10, 60, 60 * 25, 1, 1):
            self.pass_time(minutes=minutes)
            self.sweep()
        left = Booking.objects.exclude(state__in=[*ENDED, S.CONFIRMED])
        assert not left.exists(), [(b.state, b.wish, b.reason) for b in left]
        assert not Booking.objects.filter(state__in=sorted(CALLING)).exists()
        assert not ImportRequest.objects.filter(done_at=None).exists()
        self._what_stands_is_wanted()
        self._every_move_is_told()
        unsent = OutboxMessage.objects.filter(sent_at=None, failed_at=None)
        assert not unsent.exists()
        self.nothing_was_broken_on_the_way()
        self.no_message_contradicts_the_city()
        self.every_end_is_told_once()

    def _what_stands_is_wanted(self) -> None:
        ours = Booking.objects.filter(state=S.CONFIRMED).exclude(wish=Booking.Wish.RELEASE)
        standing = {process.number for process in self.occupied()}
        assert standing == set(ours.values_list("process_id", flat=True))
        owners = [self.owner_of[number] for number in standing]
        assert len(owners) == len(set(owners)), "somebody has two appointments in the end"
        assert not ours.exclude(replaces=None).exists()
        kept = self.given_back & {self.booking_of.get(number) for number in standing}
        assert not kept, f"given back by their person, and they stand: {kept}"

    def _every_move_is_told(self) -> None:
        for new in Booking.objects.exclude(moved_from=None).select_related("moved_from"):
            old, told = new.moved_from, list(new.messages.order_by("pk").values_list("kind", flat=True))
            assert old is not None
            if new.state == S.CONFIRMED:
                assert set(told) & set(SAYS_CONFIRMED), told
            if old.state == S.CANCELLED and old.reason == REPLACED_FIRST and old.pk in self.may_go_first:
                news = OutboxMessage.objects.filter(booking__moved_from=old)
                assert news.filter(kind__in=("appointment_moved", "nothing_left")).exists()
            if "old_given_back" in told:
                assert told.index("appointment_moved") < told.index("old_given_back")
                assert (old.state, old.reason) == (S.CANCELLED, REPLACED)


def _day(at: datetime) -> date:
    return at.astimezone(MUNICH).date()
