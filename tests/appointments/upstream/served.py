"""The simulated city on a real socket of this computer, in a thread: requests and answers are genuine HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests

from appointments.upstream.client import CitizenApi
from appointments.upstream.types import Appointment, Contact, ServiceCount, Slot
from termin_project.sandbox.city import CityWorld, Clock, city_app
from tests.appointments.upstream.wire import Recorder

MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
OFFICE, SERVICES = 10489, (ServiceCount(1063475),)
SLOT = Slot(OFFICE, datetime(2026, 11, 26, 8, tzinfo=UTC))
START, END = MONDAY.date() + timedelta(days=1), MONDAY.date() + timedelta(days=27)
PERSON = Contact("Erika Muster", "erika@example.org", "", "Anliegen", "")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the city keeps its own log."""


class ServedCity:
    """A city that can be asked at `base_url`, and our client in front of it."""

    def __init__(self) -> None:
        self.base_url = ""
        self.gate = Recorder()
        self.renew()

    def renew(self, **settings: Any) -> None:
        """A fresh quiet city with two places at `SLOT`."""
        self.world = CityWorld(Clock(MONDAY), limit=100_000, **settings)
        self.world.add_places(OFFICE, [1063475], SLOT.starts_at, 2)
        self.gate = Recorder()
        self.session = requests.Session()
        self.session.trust_env = False
        self.api = CitizenApi(self.session, self.base_url, gate=self.gate, time_limit=(2, 5))

    def hold(self) -> Appointment:
        """A reservation with contact data, and the log of requests empty again."""
        held = self.api.reserve(SLOT, SERVICES)
        self.api.update(held.key, PERSON)
        self.world.requests.clear()
        return held

    def asked(self) -> list[tuple[str, str]]:
        """Method and route of every request that reached the city."""
        return [(entry.method, entry.path.strip("/")) for entry in self.world.requests]


@contextmanager
def serving() -> Iterator[ServedCity]:
    """A served city for as long as the context lasts."""
    city = ServedCity()

    def application(environ: Any, start_response: Any) -> Any:
        return city_app(city.world)(environ, start_response)

    server = make_server("127.0.0.1", 0, application, _Server, _Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    city.base_url = f"http://127.0.0.1:{server.server_port}/city/api/citizen"
    city.renew()
    try:
        yield city
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
