"""A small quiet city whose clock stands still, and somebody to talk to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter

RUPPERT, TRAINING, PASING, TRADE, TAXI, PICK_UP, QUICK = 10489, 10503, 54261, 10546, 1063278, 10492, 10500
REGISTER, PASSPORT, TRADE_LICENCE, PAPERS, FETCH, RECORD, PROOF = (
    1063475,
    1063453,
    1063423,
    10300793,
    10295182,
    1063565,
    1063576,
)

MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
"""Where the clock stands: 11:00:30 in Munich, half a minute after the minute jobs ran."""
THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


class Citizen:
    """Talks to the city over the mounted application, from one address."""

    base = "http://city.test/city/api/citizen"
    handles = "http://city.test/city/control"

    def __init__(self, world: CityWorld, address: str = "127.0.0.1") -> None:
        self.world = world
        self.session = requests.Session()
        self.session.mount("http://city.test/", WsgiAdapter(city_app(world), address))

    def get(self, path: str, **query: object) -> requests.Response:
        return self.session.get(f"{self.base}/{path}/", params=query)

    def post(self, path: str, **fields: object) -> requests.Response:
        return self.session.post(f"{self.base}/{path}/", json=fields)

    def handle(self, method: str, path: str, **fields: object) -> requests.Response:
        return self.session.request(method, f"{self.handles}/{path}", json=fields or None)

    def calendar(self, start: str, end: str, **more: object) -> requests.Response:
        query: dict[str, object] = {
            "startDate": start,
            "endDate": end,
            "officeIds": RUPPERT,
            "serviceIds": REGISTER,
            "serviceCounts": 1,
        }
        return self.get("available-calendar", **query | more)

    def reserve(
        self,
        starts_at: datetime = THURSDAY_9,
        office: int = RUPPERT,
        service: int = REGISTER,
        **more: object,
    ) -> requests.Response:
        fields: dict[str, object] = {
            "timestamp": int(starts_at.timestamp()),
            "officeId": office,
            "serviceId": [service],
            "serviceCount": [1],
        }
        return self.post("reserve-appointment", **fields | more)

    def reserved(self, **more: Any) -> dict[str, Any]:
        """Open a place, reserve it, return the appointment object."""
        starts_at = more.setdefault("starts_at", THURSDAY_9)
        office, service = more.setdefault("office", RUPPERT), more.setdefault("service", REGISTER)
        self.world.add_places(office, [service], starts_at)
        answer = self.reserve(**more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def update(self, held: dict[str, Any], **more: object) -> requests.Response:
        fields: dict[str, object] = {
            "familyName": "Erika Muster",
            "email": "erika@example.org",
            "telephone": "",
            "customTextfield": "Anliegen",
            "customTextfield2": "",
        }
        return self.post("update-appointment", **ids(held), **fields | more)

    def preconfirmed(self, **more: Any) -> dict[str, Any]:
        held = self.reserved(**more)
        assert self.update(held).status_code == 200
        assert self.post("preconfirm-appointment", **ids(held)).status_code == 200
        return held

    def confirmed(self, **more: Any) -> dict[str, Any]:
        held = self.preconfirmed(**more)
        assert self.post("confirm-appointment", **ids(held)).status_code == 200
        return held

    def read(self, held: dict[str, Any]) -> requests.Response:
        return self.get("appointment", **ids(held))


def ids(held: dict[str, Any]) -> dict[str, Any]:
    return {"processId": held["processId"], "authKey": held["authKey"]}


def codes(answer: requests.Response) -> list[str]:
    return [error["errorCode"] for error in answer.json()["errors"]]


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def make_world(clock: Clock) -> Callable[..., CityWorld]:
    def make(**settings: Any) -> CityWorld:
        return CityWorld(**{"clock": clock, "limit": 1000, "captcha_cost": 2, **settings})

    return make


@pytest.fixture
def world(make_world: Callable[..., CityWorld]) -> CityWorld:
    return make_world()


@pytest.fixture
def citizen(world: CityWorld) -> Citizen:
    return Citizen(world)


@pytest.fixture
def next_minute(clock: Clock) -> Callable[[], None]:
    """Let the minute pass, so that the jobs run before the next request is answered."""

    def wait() -> None:
        clock.advance(timedelta(minutes=1))

    return wait
