"""The people of a chaos run: each has a chat, wants one thing, and does it by pressing buttons or at the counter."""

from __future__ import annotations

import heapq
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments.errors import DomainError
from appointments.models import (
    Booking,
    ImportRequest,
    Office,
    OutboxMessage,
    PollTarget,
    Search,
    Slot,
    Subscriber,
    Watch,
)
from appointments.services.bookings import keep_booking, release_booking, request_booking, swap_booking
from appointments.services.outbox import enqueue
from appointments.services.subscribers import give_consent, register_subscriber, save_contact
from appointments.services.watches import WatchWish, create_watch, pause_watch
from appointments.states import BookingState
from appointments.upstream.types import ServiceCount
from bench.chaos.movers import Movers
from bench.chaos.worlds import Worlds
from bot import callback_data as cd
from bot.models import Chat
from termin_project.sandbox.city.mail import read_link_token
from termin_project.sandbox.telegram import control
from termin_project.sandbox.telegram.records import Message

MUNICH = ZoneInfo("Europe/Berlin")
# What people are like -> how many of them there are. The first part says how their booking begins.
KINDS = {
    "press keep open": 14,
    "press keep open cancel": 8,
    "press keep ignore": 4,
    "press release": 9,
    "press silence": 5,
    "press both": 6,
    "press twice keep open": 6,
    "press other": 5,
    "counter keep open": 10,
    "counter keep open cancel": 5,
    "counter release": 8,
    "counter auto open": 8,
    "counter swap": 4,
    "press keep open move": 7,
    "press keep open move cancel": 2,
    "import": 3,
    "import cancel": 2,
    "import move": 3,
    "watch hold keep open": 3,
    "watch hold keep open improve": 4,
    "watch hold release": 3,
    "watch auto open": 3,
}


@dataclass
class Person:
    """Somebody with a chat. `done` are the acts already planned, so that each is done once."""

    chat: int
    subscriber: int
    email: str
    kind: str
    done: set[str] = field(default_factory=set)
    seen: int = 0

    def is_like(self, word: str) -> bool:
        return word in self.kind.split()


class People:
    """Everybody, and what they are about to do. One thread drives them all."""

    def __init__(
        self, worlds: Worlds, chance: random.Random, services: list[tuple[int, list[Office]]]
    ) -> None:
        """`services`: upstream id and offices of the one people press for, and of the one that is watched."""
        self.worlds = worlds
        self.chance = chance
        self.everybody: list[Person] = []
        (self.service, self.offices), (self.watched, self.watched_offices) = services
        self._starts = _start_times()
        self._plans: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0
        self._by_chat: dict[int, Person] = {}
        self._searches: dict[int, Search] = {}
        self._read = 0
        self.movers = Movers(self)

    # arriving

    def arrive(self) -> Person:
        """A new person of some kind, whose story begins now."""
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        number = 1000 + len(self.everybody)
        now = timezone.now()
        control.say(self.worlds.telegram, {"chat": number, "text": "/help", "first_name": f"Person {number}"})
        who = register_subscriber(f"Person {number}", "en", now=now)
        give_consent(who, now=now)
        email = f"person{number}@example.org"
        save_contact(who, family_name="Alex Example", email=email, now=now)
        Chat.objects.get_or_create(
            chat_id=number, defaults={"language": "en", "created_at": now, "last_update_at": now}
        )
        Chat.objects.filter(chat_id=number).update(subscriber=who, language="en")
        person = Person(number, who.pk, email, kind)
        self.everybody.append(person)
        self._by_chat[number] = person
        self._begin(person, who)
        return person

    def _begin(self, person: Person, who: Subscriber) -> None:
        now = timezone.now()
        if person.is_like("import"):
            self.movers.book_at_the_city(person)
            return
        watches = person.is_like("watch")
        service, offices = (self.watched, self.watched_offices) if watches else (self.service, self.offices)
        # Who watches gets their place from the watching; all others choose one themselves.
        mode = ("auto" if person.is_like("auto") else "hold") if watches else "notify"
        # Nobody but who asks for other times hears of those that are opened for somebody else.
        hours = () if watches or person.is_like("other") else ((127, 0, 30),)
        wish = WatchWish(
            (ServiceCount(service, 1),), tuple(office.pk for office in offices), hours=hours, mode=mode
        )
        watch = create_watch(who, wish, now=now)
        self._searches[service] = watch.search
        if watches:
            self.open_place(service, offices)
            sweeps = PollTarget.objects.filter(search=watch.search, kind=PollTarget.Kind.SWEEP)
            sweeps.update(next_due_at=now)
            return
        pause_watch(watch, now=now)
        slots = [
            self.open_slot(watch.search, offices) for _number in range(2 if self._wants_two(person) else 1)
        ]
        if person.is_like("press"):
            enqueue(
                who,
                "slots_opened",
                now=now,
                watch=watch,
                payload={"slots": [slot.pk for slot in slots]},
                dedup_key=f"slots_opened:chaos:{watch.pk}",
            )
            return
        booking = request_booking(
            who, slots[0], mode="auto" if person.is_like("auto") else "hold", watch=watch, now=now
        )
        if person.is_like("swap"):
            self.later(lambda: self._at_the_counter(swap_booking, booking.pk, slots[1]))
        if person.is_like("keep"):
            self.later(lambda: self._at_the_counter(keep_booking, booking.pk))
        if person.is_like("release"):
            self.later(lambda: self._at_the_counter(release_booking, booking.pk))

    @staticmethod
    def _wants_two(person: Person) -> bool:
        return any(person.is_like(word) for word in ("swap", "twice", "other"))

    def open_slot(self, search: Search, offices: list[Office]) -> Slot:
        """A new place at one of these offices that we know of already."""
        office, starts_at = self.open_place(search.main_service.upstream_id, offices)
        now = timezone.now()
        return Slot.objects.create(
            search=search, office=office, starts_at=starts_at, appeared_at=now, seen_at=now
        )

    def offices_of(self, search: Search) -> list[Office]:
        """Those at which the people of this run look for what `search` is about."""
        return self.watched_offices if search.main_service.upstream_id == self.watched else self.offices

    def open_place(self, service: int, offices: list[Office]) -> tuple[Office, datetime]:
        """A new place at one of these offices, at a time of its own."""
        office, starts_at = self.chance.choice(offices), next(self._starts)
        self.worlds.city.add_places(office.upstream_id, [service], starts_at, 1)
        return office, starts_at

    # acting

    def act(self) -> None:
        """Read what is new in the chats, and do what was planned for by now."""
        with self.worlds.telegram.lock:
            fresh = [
                m for m in self.worlds.telegram.messages.values() if m.version > self._read and m.from_bot
            ]
            self._read = self.worlds.telegram.version
        for message in fresh:
            if person := self._by_chat.get(message.chat):
                self._react(person, message)
        while self._plans and self._plans[0][0] <= time.monotonic():
            heapq.heappop(self._plans)[2]()

    def later(self, act: Callable[[], object], most: float = 5.0) -> None:
        """Do this within `most` seconds."""
        self._order += 1
        heapq.heappush(self._plans, (time.monotonic() + self.chance.uniform(0.2, most), self._order, act))

    def _react(self, person: Person, message: Message) -> None:
        for text in message.callback_data():
            decoded = cd.decode(text)
            if decoded is None:
                continue
            data, _menu = decoded
            if isinstance(data, cd.BookSlot):
                self.press_once(person, message, text, "book" if not person.is_like("twice") else text)
            elif isinstance(data, cd.SwapSlot) and person.is_like("other"):
                self.press_once(person, message, text, "swap")
            elif isinstance(data, cd.MoveTo):
                self.movers.press_time(person, message, text, data)
            elif isinstance(data, cd.BookingAct):
                self._booking_button(person, message, text, data)

    def _booking_button(self, person: Person, message: Message, text: str, data: cd.BookingAct) -> None:
        wants = {
            "keep": person.is_like("keep") or person.is_like("both"),
            "release": person.is_like("release") or person.is_like("both"),
            "other": person.is_like("other"),
            "release_yes": person.is_like("cancel"),
        }
        if data.act in wants and wants[data.act] and not person.is_like("counter"):
            self.press_once(person, message, text, f"{data.act} {data.booking}")
        gives_back = data.act == "release" and person.is_like("watch") and person.is_like("release")
        if gives_back and "stop" not in person.done:
            # Whoever gives a time back that was found for them has had enough, and does not take the next one.
            person.done.add("stop")
            self.later(lambda: self._stop_watching(person))
        if data.act == "opened" and (person.is_like("open") or person.is_like("both")):
            mark = f"mail {data.booking}"
            if mark not in person.done:
                person.done.add(mark)
                self.later(lambda: self._open_mail(person, message, text))
        if data.act == "files":
            self.movers.has_appointment(person, message, data.booking)
        if data.act == "files" and person.is_like("cancel"):
            # Confirmed: the button beside it cancels.
            for other in message.callback_data():
                decoded = cd.decode(other)
                if decoded and isinstance(decoded[0], cd.BookingAct) and decoded[0].act == "release":
                    self.press_once(person, message, other, f"cancel {data.booking}")
        if data.act == "release_yes" and person.is_like("cancel"):
            self.press_once(person, message, text, f"yes {data.booking}")

    def _stop_watching(self, person: Person) -> None:
        for watch in Watch.objects.filter(subscriber=person.subscriber, state=Watch.State.ACTIVE):
            pause_watch(watch, now=timezone.now())

    def press_once(self, person: Person, message: Message, text: str, mark: str) -> None:
        """Press this button a little later, unless that was done or planned before."""
        if mark in person.done:
            return
        person.done.add(mark)
        self.later(lambda: self.press(person, message, text))

    def press(self, person: Person, message: Message, text: str) -> None:
        """Press a button now."""
        telegram = self.worlds.telegram
        with telegram.lock:
            telegram.press(telegram.people[person.chat], message, text)

    def _open_mail(self, person: Person, message: Message, text: str) -> None:
        links = [link for mail in self.worlds.city.mails if mail.to == person.email for link in mail.links]
        if not links:
            if "waited" not in person.done:
                person.done.add("waited")
                self.later(lambda: self._open_mail(person, message, text))
            return
        ids = read_link_token(links[-1].rsplit("/", 1)[-1])
        assert ids is not None
        city = self.worlds.city
        with city.lock:
            process = city.desk.processes.get(ids[0])
            if (
                process is not None
                and process.key == ids[1]
                and process.status in ("preconfirmed", "reserved")
            ):
                city.desk.confirm(*ids, city.now())
        if self.chance.random() < 0.5:
            self.press(person, message, text)

    def _at_the_counter(self, act: Callable[..., Booking], booking: int, *more: Any) -> None:
        """The same services that the bot calls, called by the driver."""
        found = Booking.objects.select_related("subscriber", "watch", "office", "swap_to").get(pk=booking)
        try:
            act(found, *more, now=timezone.now())
        except DomainError:
            return

    # for the verdict

    def in_hand(self) -> int:
        """Bookings that somebody or something still works on."""
        resting = (
            BookingState.CANCELLED,
            BookingState.LAPSED,
            BookingState.FAILED,
            BookingState.CONFIRMED,
            BookingState.UNCERTAIN,
            BookingState.PRECONFIRMED,
        )
        going = Booking.objects.filter(state=BookingState.CONFIRMED, wish=Booking.Wish.RELEASE, ended_at=None)
        return Booking.objects.exclude(state__in=resting).count() + going.count()

    def is_quiet(self) -> bool:
        """Whether nobody plans anything, nothing waits in Telegram, and every message has left."""
        unsent = OutboxMessage.objects.filter(sent_at=None, failed_at=None).exists()
        asking = ImportRequest.objects.filter(done_at=None).exists()
        return not self._plans and not self.worlds.telegram.waiting and not unsent and not asking


def unguarded_services() -> list[tuple[int, list[Office]]]:
    """Services that several offices offer without a captcha: upstream id and offices."""
    from appointments.models import Service
    from appointments.selectors.catalogue import offices_for

    found = []
    for service in Service.objects.order_by("pk"):
        offices = offices_for((ServiceCount(service.upstream_id, 1),))
        offices = [office for office in offices if office.bookable and not office.captcha_required]
        if len(offices) >= 4:
            found.append((service.upstream_id, offices[:4]))
    return found


def _start_times() -> Iterator[datetime]:
    """Start times that are used once each, whatever the office."""
    today = datetime.now(UTC).astimezone(MUNICH)
    for minutes in range(8 * 60, 18 * 60, 25):
        for day in range(3, 150):
            date = today + timedelta(days=day)
            if date.weekday() < 5:
                yield date.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0)


def serials(buttons: str) -> bool:
    """Whether a keyboard belongs to the conversation's menu and not to news."""
    rows = json.loads(buttons).get("inline_keyboard") or []
    return any("~" in button.get("callback_data", "") for row in rows for button in row)


__all__ = ["People", "Person", "Watch", "serials", "unguarded_services"]
