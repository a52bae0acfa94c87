"""Real answers to bend: our own, taken from the simulated city in every dialect, and the recorded ones if at hand.

A sample is one exchange: what was asked, and status and decoded body of what came. Long lists are cut to a few
entries, so that bending them stays quick; their form is untouched.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import AppointmentKey, Contact, ServiceCount, Slot
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.appointments.upstream.replay import FOLDER
from tests.appointments.upstream.wire import Recorder

MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
RUPPERT, PASING, GUARDED = 10489, 54261, 1063278
SERVICES = (ServiceCount(1063475),)
START, END = date(2026, 11, 24), date(2026, 12, 20)
FIRST, LATER = datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)
PERSON = Contact("Erika Mustermann", "erika@example.org", "", "Anliegen", "")
TAGS = (47, 45, 28, 25, 19)
LONGEST_LIST = 4


@dataclass(frozen=True)
class Sample:
    """One exchange. `route` is the endpoint's name, `asked` the fields of query or body."""

    method: str
    route: str
    status: int
    body: Any
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> AppointmentKey:
        """The appointment the request was about."""
        return AppointmentKey(int(self.asked["processId"]), str(self.asked["authKey"]))


@cache
def samples() -> tuple[Sample, ...]:
    """All of them, each different."""
    found = [*_own(), *_recorded(), *_composed()]
    return tuple({json.dumps([s.method, s.route, s.status, s.body, s.asked]): s for s in found}.values())


def samples_of(*routes: str) -> list[Sample]:
    """The samples of these routes."""
    return [sample for sample in samples() if sample.route in routes]


def _own() -> Iterator[Sample]:
    for tag in TAGS:
        taken: list[Sample] = []

        def keep(response: requests.Response, *_: Any, taken: list[Sample] = taken, **__: Any) -> None:
            request = response.request
            url = urlsplit(str(request.url))
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            asked |= json.loads(request.body) if request.body else {}
            route = url.path.rstrip("/").rpartition("/")[2]
            body = json.loads(response.content) if response.content else None
            taken.append(Sample(str(request.method), route, response.status_code, _cut(body), asked))

        world = CityWorld(Clock(MONDAY), limit=10_000, tag=tag, captcha_cost=1)
        session = requests.Session()
        session.mount("http://city.test/", WsgiAdapter(city_app(world)))
        session.hooks["response"].append(keep)
        _drive(world, session)
        yield from taken


def _drive(world: CityWorld, session: requests.Session) -> None:
    """Ask and change everything once, so that every kind of answer comes by."""
    base = "http://city.test/city/api/citizen"
    api = CitizenApi(session, base, gate=Recorder())

    def trying(act: Any) -> Any:
        try:
            return act()
        except errors.UpstreamError:
            return None

    offices = (RUPPERT, PASING)
    trying(lambda: api.calendar(SERVICES, offices, START, END))
    world.add_places(RUPPERT, [1063475], FIRST, 3)
    world.add_places(PASING, [1063475], LATER)
    trying(lambda: api.calendar(SERVICES, offices, START, END))
    trying(lambda: api.calendar(SERVICES, offices, START, END, day=LATER.date()))
    trying(lambda: api.calendar(SERVICES, offices, LATER.date(), LATER.date(), day=LATER.date()))
    trying(lambda: api.calendar([ServiceCount(10300793)], [GUARDED], START, END))
    trying(lambda: api.calendar([ServiceCount(10295182)], [RUPPERT], START, END))
    trying(api.catalogue)
    trying(api.probe)
    for finish in (api.cancel, api.confirm):
        held = api.reserve(Slot(RUPPERT, FIRST), SERVICES)
        trying(lambda held=held: api.update(held.key, Contact("", "nobody")))
        api.update(held.key, PERSON)
        api.appointment(held.key)
        api.preconfirm(held.key)
        trying(lambda held=held: api.preconfirm(held.key))
        finish(held.key)
        trying(lambda held=held: api.appointment(held.key))
        trying(lambda held=held: api.confirm(held.key))
        trying(lambda held=held: api.cancel(held.key))
    held = api.reserve(Slot(RUPPERT, FIRST), SERVICES)
    api.cancel(held.key)
    trying(lambda: api.reserve(Slot(RUPPERT, FIRST + timedelta(days=1)), SERVICES))
    for kind in (
        "maintenance",
        "backend_down",
        "rate_limited",
        "gateway_400",
        "framework",
        "spring",
        "no_errors",
    ):
        world.faults.add(kind)
        trying(lambda: api.calendar(SERVICES, offices, START, END))
        world.faults.add(kind)
        trying(lambda: api.preconfirm(AppointmentKey(101002, "beef")))


def _recorded() -> Iterator[Sample]:
    for path in sorted(FOLDER.rglob("*.json")) if FOLDER.is_dir() else ():
        exchange = json.loads(path.read_text())
        asked, given = exchange["request"], exchange["response"]
        if given["body_is_json"] and isinstance(asked["body"], dict | None):
            yield _sample(asked["method"], asked["url"], asked["body"], given["status"], given["body"])


def _composed() -> Iterator[Sample]:
    folder = FOLDER.parent / "munich-fixtures"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        content = json.loads(path.read_text())
        for exchange in [content] if "request" in content else content.values():
            if isinstance(exchange, dict) and "json" in exchange.get("response", {}):
                asked, given = exchange["request"], exchange["response"]
                fields = {**asked.get("query", {}), **asked.get("json", {})}
                yield _sample(asked["method"], asked["path"], fields, given["status"], given["json"])


def _sample(method: str, url: str, fields: dict[str, Any] | None, status: int, body: Any) -> Sample:
    parts = urlsplit(url)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()} | (fields or {})
    return Sample(method, parts.path.rstrip("/").rpartition("/")[2], status, _cut(body), asked)


def _cut(value: Any) -> Any:
    """The same with lists of a few entries and texts of a bearable length."""
    if isinstance(value, dict):
        return {name: _cut(each) for name, each in list(value.items())[:40]}
    if isinstance(value, list):
        return [_cut(each) for each in value[:LONGEST_LIST]]
    return value[:200] if isinstance(value, str) else value
