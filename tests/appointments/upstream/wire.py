"""The client under test on a wire made of plain functions: a request goes in, an answer or a failure comes out."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import requests
from requests.adapters import BaseAdapter

from appointments.upstream.client import CitizenApi
from appointments.upstream.types import AppointmentKey, Contact, ServiceCount, Slot

BASE_URL = "http://city.test/api/citizen"
SECRET = "5ec2e7" + "0" * 58
KEY = AppointmentKey(101002, SECRET)
CONTACT = Contact("Erika Mustermann", "erika@example.org", "+4989123456")
SLOT = Slot(102522, datetime(2026, 12, 9, 10, 50, tzinfo=UTC))
SERVICES = (ServiceCount(1063475, 1),)
START, END = date(2026, 12, 1), date(2027, 5, 30)


class Recorder:
    """A gate that admits everything and keeps what it is told."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.answers: list[tuple[int, int]] = []
        self.codes: list[str] = []

    @contextmanager
    def admit(self, kind: Any) -> Iterator["Recorder"]:
        self.kinds.append(str(kind))
        yield self

    def answered(self, status: int, headers: Any, size: int) -> None:
        self.answers.append((status, size))

    def understood(self, code: str) -> None:
        self.codes.append(code)


class Wire(BaseAdapter):
    """Answers every request by `respond`, which may raise."""

    def __init__(self, respond: Callable[[requests.PreparedRequest], requests.Response]) -> None:
        super().__init__()
        self.respond = respond
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        response = self.respond(request)
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        """Nothing to close: there is no socket."""


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    """An answer: text and bytes as they are, everything else as JSON."""
    response = requests.Response()
    response.status_code = status
    if isinstance(body, str):
        body = body.encode()
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response._content_consumed = True  # type: ignore[attr-defined]
    response.headers.update(headers or {"Content-Type": "application/json"})
    return response


def api_on(wire: Wire, gate: Recorder | None = None, **more: Any) -> CitizenApi:
    """The client under test, talking to `wire`."""
    session = requests.Session()
    session.mount("http://", wire)
    return CitizenApi(session, BASE_URL, gate=gate or Recorder(), time_limit=(1, 2), **more)


def api_answering(status: int, body: Any, headers: dict[str, str] | None = None, **more: Any) -> CitizenApi:
    """A client whose every request gets this answer."""
    return api_on(Wire(lambda request: answer(status, body, headers)), **more)


def error_body(*codes: str) -> dict[str, Any]:
    """The city's error envelope."""
    return {"errors": [{"errorCode": code, "errorMessage": "x", "statusCode": 400} for code in codes]}


def appointment_body(**changes: Any) -> dict[str, Any]:
    """An appointment as the city sends it."""
    body = {
        "processId": KEY.process_id,
        "timestamp": str(int(SLOT.starts_at.timestamp())),
        "authKey": SECRET,
        "familyName": "Erika Mustermann",
        "customTextfield": "",
        "customTextfield2": "",
        "email": "erika@example.org",
        "telephone": "",
        "officeName": "Bürgerbüro Orleansplatz",
        "officeId": SLOT.office_id,
        "scope": {
            "id": 64,
            "provider": {"id": 102522, "displayName": "Bürgerbüro Orleansplatz"},
            "emailRequired": True,
            "telephoneActivated": None,
            "reservationDuration": 15,
            "activationDuration": 0,
            "appointmentsPerMail": "2",
            "slotsPerAppointment": None,
            "whitelistedMails": "boss@example.org",
            "hint": None,
        },
        "subRequestCounts": [{"id": 1063576, "name": "Meldebescheinigung", "count": 2}],
        "serviceId": 1063475,
        "serviceName": "Wohnsitz anmelden",
        "serviceCount": 1,
        "status": "reserved",
        "captchaToken": "",
        "slotCount": 1,
        "displayNumber": "101002",
        "icsContent": "BEGIN:VCALENDAR",
    }
    return {**body, **changes}


def calendar_body(**changes: Any) -> dict[str, Any]:
    """A calendar for START..END: two bookable days, times for the first."""
    body = {
        "startDate": START.isoformat(),
        "endDate": END.isoformat(),
        "slotsStartDate": "2026-12-09",
        "slotsEndDate": "2026-12-09",
        "prevBookableDate": None,
        "nextBookableDate": None,
        "availableDays": [
            {
                "date": "2026-12-09",
                "providerIDs": "102522,10489",
                "offices": [
                    {"officeId": "102522", "appointments": [1796813400, 1796814000]},
                    {"officeId": "10489", "appointments": [1796813400]},
                ],
            },
            {"date": "2026-12-10", "providerIDs": "10489", "offices": []},
        ],
    }
    return {**body, **changes}


EMPTY_CALENDAR = calendar_body(
    availableDays=[], slotsStartDate=START.isoformat(), slotsEndDate=END.isoformat()
)
