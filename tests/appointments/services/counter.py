"""At the city's counter: bookings brought to a state through the real services, and what the city thinks of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.adapters import BaseAdapter

from appointments.models import Booking, Search, Slot, Subscriber, Watch
from appointments.models import Office as OfficeRow
from appointments.services.bookings import keep_booking, request_booking
from appointments.services.watches import search_for
from appointments.states import BookingState as S
from appointments.upstream.types import ServiceCount
from termin_project.sandbox.city import city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.conftest import REGISTER, RUPPERT, Office
from tests.factories import SlotFactory, SubscriberFactory

THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def known_slot(
    office: Office, starts_at: datetime = THURSDAY_9, *, at: int = RUPPERT, service: int = REGISTER
) -> Slot:
    """A slot we have seen and that the city has one place for."""
    office.open(starts_at, office=at, service=service)
    search: Search = search_for((ServiceCount(service, 1),), now=office.now())
    row = OfficeRow.objects.get(upstream_id=at)
    return SlotFactory(search=search, office=row, starts_at=starts_at, now=office.now())


def person(office: Office, **traits: Any) -> Subscriber:
    """Somebody whose contact data we know, unless told otherwise."""
    return SubscriberFactory(**({"known": True, "now": office.now()} | traits))


def requested(office: Office, *, mode: str = "hold", who: Subscriber | None = None, **slot: Any) -> Booking:
    """A booking just wanted; nothing has been asked of the city yet."""
    found = known_slot(office, **slot)
    return request_booking(who or person(office), found, mode=mode, watch=None, now=office.now())


def reserved(office: Office, **how: Any) -> Booking:
    booking = requested(office, **how)
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.RESERVED
    return booking


def preconfirmed(office: Office, **how: Any) -> Booking:
    booking = reserved(office, **how)
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED
    return booking


def confirmed(office: Office, **how: Any) -> Booking:
    booking = preconfirmed(office, **how)
    office.open_mailed_link()
    office.advance(seconds=12)
    office.sweep()
    booking.refresh_from_db()
    assert booking.state == S.CONFIRMED
    return booking


AT: dict[S, Callable[..., Booking]] = {
    S.REQUESTED: requested,
    S.RESERVED: reserved,
    S.PRECONFIRMED: preconfirmed,
    S.CONFIRMED: confirmed,
}


def settle(office: Office, booking: Booking, *, minutes: float, step: float = 20) -> Booking:
    """Let time pass with sweeps, as the running system would."""
    end = office.now() + timedelta(minutes=minutes)
    while office.now() < end:
        office.advance(seconds=step)
        office.sweep()
    booking.refresh_from_db()
    return booking


def look(office: Office, seconds: int) -> None:
    """Watch for so many seconds, a step a second, and tell what is to be told."""
    for _second in range(seconds):
        office.watcher.step()
        office.advance(seconds=1)
    office.work()


def states(booking: Booking) -> list[str]:
    """The history of a booking, as written down."""
    return list(booking.events.values_list("state", flat=True))


def at_the_city(office: Office) -> list[str]:
    """The states of everything that occupies a place at the city."""
    return sorted(p.status for p in office.munich.desk.processes.values() if p.status != "blocked")


def calls_of(office: Office, endpoint: str) -> int:
    """How many requests the city got at `endpoint`."""
    return sum(request.path.strip("/") == endpoint for request in office.munich.requests)


class Spoilt(BaseAdapter):
    """The city behind a connection that times out: `before` it hears the request, or after it has acted."""

    def __init__(self, world: Any, endpoint: str, *, before: bool) -> None:
        super().__init__()
        self.inner = WsgiAdapter(city_app(world))
        self.endpoint = endpoint
        self.before = before
        self.left = 1

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        spoil = self.left and self.endpoint in (request.url or "")
        if spoil:
            self.left -= 1
            if self.before:
                raise requests.ReadTimeout("no answer in time", request=request)
        answer = self.inner.send(request, **options)
        if spoil:
            raise requests.ReadTimeout("no answer in time", request=request)
        return answer

    def close(self) -> None:
        """Nothing is kept open."""


def time_out(office: Office, endpoint: str, *, before: bool) -> None:
    """The next request to `endpoint` gets no answer in time."""
    office.desk.api._session.mount("http://city.test/", Spoilt(office.munich, endpoint, before=before))


def watch_of(booking: Booking) -> Watch:
    assert booking.watch is not None
    return booking.watch
