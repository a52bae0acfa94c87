"""People of a chaos run who have an appointment and want another time, or bring one from the city's page."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from appointments.errors import DomainError
from appointments.models import Booking, Office, PollTarget, Watch
from appointments.services.improving import start_improving
from bot import callback_data as cd
from termin_project.sandbox.telegram import control
from termin_project.sandbox.telegram.records import Message

if TYPE_CHECKING:
    from bench.chaos.people import People, Person

LINK = "https://stadt.muenchen.de/buergerservice/terminvereinbarung.html#/appointment/{token}"


class Movers:
    """What they do."""

    def __init__(self, people: People) -> None:
        self.people = people
        self._wanted: dict[int, int] = {}
        self._earlier = 0

    def has_appointment(self, person: Person, message: Message, booking: int) -> None:
        """The city has confirmed: whoever wants another time asks for one now."""
        if person.is_like("move") and "move" not in person.done:
            person.done.add("move")
            self.people.later(lambda: self._ask_for_times(person, message, booking))
        if person.is_like("improve") and "improve" not in person.done:
            person.done.add("improve")
            self.people.later(lambda: self._look_for_earlier(booking))

    def _ask_for_times(self, person: Person, message: Message, booking: int) -> None:
        """A time opens somewhere, and "Move" is pressed."""
        found = Booking.objects.select_related("search__main_service").get(pk=booking)
        slot = self.people.open_slot(found.search, self.people.offices_of(found.search))
        self._wanted[person.chat] = slot.pk
        self.people.press(person, message, cd.MoveAct("times", booking).encode())

    def press_time(self, person: Person, message: Message, text: str, data: cd.MoveTo) -> None:
        """Turn the pages to the time that opened (or press the first offered, sometimes), then say yes.

        A menu that was lost in a crash is not asked for again.
        """
        if not person.is_like("move"):
            return
        if not data.sure and person.chat % 4:
            text = cd.MoveTo(data.booking, self._wanted.get(person.chat, data.slot)).encode()
        self.people.press_once(person, message, text, f"move to, sure {data.sure}")

    def _look_for_earlier(self, booking: int) -> None:
        """The search goes on for an earlier time, which opens at once and is taken without a question."""
        now = timezone.now()
        found = Booking.objects.select_related("search__main_service", "watch").get(pk=booking)
        try:
            watch = start_improving(found, gain_days=1, more_changes=1, mode=Watch.Mode.AUTO, now=now)
        except DomainError:
            return
        self._open_earlier(found.starts_at, found.search.main_service.upstream_id, found.office)
        PollTarget.objects.filter(search=watch.search, kind=PollTarget.Kind.SWEEP).update(next_due_at=now)

    def _open_earlier(self, than: datetime, service: int, office: Office) -> None:
        """A place some days before, at an hour that nobody else's has."""
        self._earlier += 1
        day = than - timedelta(days=1)
        while day.weekday() > 4:
            day -= timedelta(days=1)
        at = day.replace(hour=5, minute=0) + timedelta(minutes=5 * (self._earlier % 20))
        self.people.worlds.city.add_places(office.upstream_id, [service], at, 1)

    def book_at_the_city(self, person: Person) -> None:
        """Somebody makes an appointment on the city's own page and sends us its link."""
        people = self.people
        office, starts_at = people.open_place(people.service, people.offices)
        city = people.worlds.city
        with city.lock:
            wanted = [(people.service, 1)]
            process = city.desk.reserve(office.upstream_id, wanted, int(starts_at.timestamp()), city.now())
            assert process is not None
            city.desk.update(
                process.number, process.key, {"familyName": "Alex Example", "email": person.email}
            )
            city.desk.confirm(process.number, process.key, city.now())
        key = json.dumps({"id": process.number, "authKey": process.key})
        link = LINK.format(token=base64.b64encode(key.encode()).decode())
        people.later(lambda: control.say(people.worlds.telegram, {"chat": person.chat, "text": link}))
