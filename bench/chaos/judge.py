"""The verdict of a chaos run: what must be zero, counted from what people and the city saw."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from itertools import combinations

from appointments.models import Booking, BookingEvent, ImportRequest, OutboxMessage
from appointments.models.outbox import OVERTAKEN
from appointments.selectors.bookings import ends_quietly
from appointments.selectors.moving import REPLACED
from appointments.states import ENDED, BookingState
from bench.chaos.people import People, serials
from bench.chaos.worlds import LIVE, Occupied, Worlds
from bench.report import Line

S = BookingState
TELLS_THE_END = (
    "hold_released",
    "appointment_cancelled",
    "appointment_gone",
    "hold_lapsed",
    "activation_lapsed",
    "booking_settled",
    "slot_taken",
    "booking_failed",
)
TELLS_THAT_IT_STANDS = ("appointment_confirmed", "appointment_moved", "appointment_imported")
_WHEN = re.compile(r"[A-Z][a-z]{2,8},? \d{1,2} [A-Z][a-z]{2,8}.{0,8}?\d\d:\d\d")


class Verdict:
    """Looks once everything is quiet. `people_of` and the rest are read from the installation's database."""

    def __init__(self, worlds: Worlds, people: People) -> None:
        self.worlds = worlds
        self.details: list[str] = []
        self.everybody = people.everybody
        self.chat_of = {person.subscriber: person.chat for person in people.everybody}
        self.person_of = {person.chat: person.subscriber for person in people.everybody}
        self.bookings = list(Booking.objects.select_related("office").order_by("pk"))
        self.once_uncertain = set(
            BookingEvent.objects.filter(state=S.UNCERTAIN).values_list("booking", flat=True)
        )

    def lines(self) -> list[Line]:
        """One line for each promise."""
        promises = {
            "lost messages": self.lost_messages(),
            "messages shown twice": self.shown_twice(),
            "double bookings": self.double_bookings(),
            "appointments lost by a move": self.lost_by_a_move(),
            "holds nobody wants left behind": self.left_behind(),
            '"confirmed" said without the city\'s word': self.false_words(),
            "stuck bookings": self.stuck(),
        }
        return [Line(what, str(number), "0", number == 0) for what, number in promises.items()]

    def _note(self, text: str) -> None:
        self.details.append(text)

    def lost_messages(self) -> int:
        """Written and not sent; said to be sent and not in the chat; an end that nobody was told."""
        lost = 0
        for message in OutboxMessage.objects.filter(sent_at=None).exclude(last_error=OVERTAKEN):
            lost += 1
            self._note(f"message {message.pk} {message.kind} not sent: {message.last_error}")
        shown = self.worlds.telegram.messages
        for message in OutboxMessage.objects.exclude(sent_at=None):
            found = shown.get(int(message.receipt)) if message.receipt.isdigit() else None
            if found is None or found.chat != self.chat_of.get(message.subscriber_id):
                lost += 1
                self._note(f"message {message.pk} {message.kind} is not in the chat")
        for request in ImportRequest.objects.filter(done_at=None):
            lost += 1
            self._note(f"link {request.pk} was sent, and nobody has said what became of it")
        told = Counter(
            OutboxMessage.objects.exclude(sent_at=None)
            .filter(kind__in=(*TELLS_THE_END, *TELLS_THAT_IT_STANDS))
            .values_list("booking", flat=True)
        )
        # What went for another one is told in the message about that one.
        given_back = OutboxMessage.objects.filter(kind="old_given_back").exclude(sent_at=None)
        replaced = {int(key.rpartition(":")[2]) for key in given_back.values_list("dedup_key", flat=True)}
        for booking in self.bookings:
            over = booking.state in ENDED or booking.state == S.CONFIRMED
            if over and not ends_quietly(booking) and not told[booking.pk] and booking.pk not in replaced:
                lost += 1
                self._note(f"booking {booking.pk} {booking.state} {booking.reason}: nobody was told")
        return lost

    def shown_twice(self) -> int:
        """The same news as a second new message in one chat; an edit is none, an answer to a button neither.

        Two attempts at one time are two facts with the same words; each has its own receipt. What counts is a message
        that looks like another one and that nobody has a receipt of.
        """
        receipts = set(OutboxMessage.objects.exclude(receipt="").values_list("receipt", flat=True))
        seen: dict[tuple[int, str, str], list[int]] = {}
        for message in self.worlds.shown:
            if message.chat not in self.person_of or serials(message.buttons):
                continue
            title = re.sub(r"\d+", "#", message.text.strip().split("\n")[0])
            when = _WHEN.search(message.text)
            about = when[0] if when else message.text[:400]
            seen.setdefault((message.chat, title, about), []).append(message.number)
        repeats = 0
        for (chat, title, about), numbers in seen.items():
            unknown = [number for number in numbers if str(number) not in receipts]
            if len(numbers) > 1 and unknown:
                repeats += len(unknown)
                self._note(f"chat {chat} was shown {len(numbers)} times: {title[:60]} {about[:60]!r}")
        ends = Counter(
            OutboxMessage.objects.filter(kind__in=TELLS_THE_END)
            .exclude(sent_at=None)
            .exclude(dedup_key__startswith="cancel_refused")
            .values_list("booking", flat=True)
        )
        for booking, count in ends.items():
            if count > 1:
                self._note(f"the end of booking {booking} was told {count} times")
        return repeats + sum(count - 1 for count in ends.values())

    def double_bookings(self) -> int:
        """One person with two places at the city at the same moment, unless one was to take the other's place."""
        places: dict[int, list[tuple[Occupied, Booking]]] = {}
        for place in self.worlds.occupied.values():
            if (booking := self._booking_of(place)) is not None:
                places.setdefault(booking.subscriber_id, []).append((place, booking))
        doubles = 0
        for owner, own in places.items():
            own.sort(key=lambda found: found[0].since)
            for (earlier, old), (later, new) in combinations(own, 2):
                # Looked at five times a second: what touches for one look was given back in between.
                together = later.since < earlier.until - 0.5
                if together and new.moved_from_id != old.pk:
                    doubles += 1
                    self._note(
                        f"person {owner} occupied {earlier.number} (booking {old.pk}) from {earlier.since:.1f} to "
                        f"{earlier.until:.1f} and {later.number} (booking {new.pk}) from {later.since:.1f}"
                    )
        return doubles

    def _booking_of(self, place: Occupied) -> Booking | None:
        for booking in self.bookings:
            if booking.process_id == place.number:
                return booking
        # A reservation whose answer was lost: whoever asked for this time last before it was made, and never heard.
        # Others asked for the same time a moment later and were told that it is taken; it is not theirs.
        asked = [
            booking
            for booking in self.bookings
            if booking.office.upstream_id == place.office
            and int(booking.starts_at.timestamp()) == place.starts_at
            and booking.created_at.timestamp() <= place.since + 1
        ]
        unheard = [b for b in asked if b.process_id is None and b.pk in self.once_uncertain]
        owners = unheard or asked
        return owners[-1] if owners else None

    def lost_by_a_move(self) -> int:
        """An appointment given back for another one that the city had not confirmed by then."""
        lost = 0
        until = {place.number: place.until for place in self.worlds.occupied.values()}
        for old in self.bookings:
            tries = [new.process_id for new in self.bookings if new.moved_from_id == old.pk]
            if not tries or old.state != S.CANCELLED or old.reason != REPLACED or old.process_id not in until:
                continue
            confirmed = [self.worlds.confirmed[number] for number in tries if number in self.worlds.confirmed]
            if not confirmed or min(confirmed) > until[old.process_id] + 0.5:
                lost += 1
                self._note(f"booking {old.pk} was given back before another one was confirmed")
        return lost

    def changes(self) -> str:
        """How many appointments took another's place, and how many were brought along."""
        improving = {person.subscriber for person in self.everybody if person.is_like("improve")}
        replaced = [b.subscriber_id for b in self.bookings if b.state == S.CANCELLED and b.reason == REPLACED]
        improved = sum(owner in improving for owner in replaced)
        imported = sum(booking.imported for booking in self.bookings)
        tried = sum(booking.moved_from_id is not None for booking in self.bookings)
        return (
            f"{len(replaced) - improved}, {improved}, {imported}; {tried} times tried to take another's place"
        )

    def left_behind(self) -> int:
        """What is still occupied at the city although no booking of ours wants it."""
        wanted = {
            booking.process_id
            for booking in self.bookings
            if booking.state not in ENDED and booking.wish != Booking.Wish.RELEASE
        }
        with self.worlds.city.lock:
            standing = [p for p in self.worlds.city.desk.processes.values() if p.status in LIVE]
        left = [process for process in standing if process.number not in wanted]
        for process in left:
            self._note(f"{process.number} is {process.status} at the city, and nobody wants it")
        return len(left)

    def false_words(self) -> int:
        """ "Confirmed" in a chat whose person had no confirmed appointment by then."""
        wrong = 0
        numbers: dict[int, set[int]] = {}
        for booking in self.bookings:
            if booking.process_id is not None:
                numbers.setdefault(booking.subscriber_id, set()).add(booking.process_id)
        for at, chat in self.worlds.said_confirmed:
            own = numbers.get(self.person_of.get(chat, 0), set())
            if not any(self.worlds.confirmed.get(number, at + 1) <= at for number in own):
                wrong += 1
                self._note(f'chat {chat} read "confirmed" too early')
        for booking in self.bookings:
            if booking.confirmed_at is not None and booking.process_id not in self.worlds.confirmed:
                wrong += 1
                self._note(f"booking {booking.pk} is confirmed here and not at the city")
        return wrong

    def stuck(self) -> int:
        """Bookings that neither ended nor stand confirmed."""
        stuck = [b for b in self.bookings if b.state not in ENDED and b.state != S.CONFIRMED]
        stuck += [b for b in self.bookings if b.state == S.CONFIRMED and b.wish == Booking.Wish.RELEASE]
        for booking in stuck:
            self._note(f"booking {booking.pk} is {booking.state}, {booking.wish}, {booking.reason!r}")
        return len(stuck)


def ends(bookings: list[Booking]) -> str:
    """How the bookings ended, in a line."""
    counted = Counter(booking.state for booking in bookings)
    return ", ".join(f"{state} {count}" for state, count in counted.most_common())


def longest_life(bookings: list[Booking]) -> timedelta:
    """How long the slowest booking took until it ended."""
    lives = [b.ended_at - b.created_at for b in bookings if b.ended_at is not None]
    return max(lives, default=timedelta())
