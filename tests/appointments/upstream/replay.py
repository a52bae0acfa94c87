"""Recorded exchanges of the real software, answered from files: each becomes one verdict of our client.

The recordings are not part of this project. They lie beside the checkout or where MUNICH_TRANSCRIPTS says.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from appointments.upstream.answers import Answer, body_of
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect, OwnMemory
from appointments.upstream.errors import GateClosed, UpstreamError
from appointments.upstream.types import AppointmentKey, Contact, ServiceCount, Slot
from captcha.client import CaptchaApi
from captcha.errors import CaptchaError
from tests.appointments.upstream.wire import (
    BASE_URL,
    CONTACT,
    END,
    KEY,
    SERVICES,
    SLOT,
    START,
    Recorder,
    Wire,
    answer,
    api_on,
)

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "munich-transcripts"
FOLDER = Path(os.environ.get("MUNICH_TRANSCRIPTS") or BESIDE)


def cases() -> dict[str, Path]:
    """Every recorded exchange by name; those of the older software are named with their folder."""
    return {str(path.relative_to(FOLDER).with_suffix("")): path for path in sorted(FOLDER.rglob("*.json"))}


def verdict(path: Path) -> str:
    """What our client makes of one recorded exchange: a word for success, or the name of the error raised."""
    exchange = json.loads(path.read_text())
    return verdict_on(exchange["request"], exchange["response"])


def verdict_on(asked: dict[str, Any], stored: dict[str, Any]) -> str:
    """The same for an exchange at hand: `asked` has method, url and body, `stored` status, headers and body."""
    url = urlsplit(asked["url"])
    route = url.path.rstrip("/").rpartition("/")[2]
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    body = asked["body"] if isinstance(asked["body"], dict) else {}
    wire = Wire(lambda request: stored_answer(stored))
    read = READERS.get((asked["method"], route))
    try:
        return read(wire, query, body) if read else by_form(asked["method"], stored)
    except (UpstreamError, CaptchaError) as error:
        return type(error).__name__


def stored_answer(stored: dict[str, Any]) -> requests.Response:
    """The recorded answer as `requests` would give it."""
    headers = {name: value for name, value in stored["headers"] if name != "Transfer-Encoding"}
    body = json.dumps(stored["body"]) if stored["body_is_json"] else str(stored["body"] or "")
    return answer(stored["status"], body, headers)


def by_form(method: str, stored: dict[str, Any]) -> str:
    """The verdict on a route our client never calls: an error by name, or the form of a success."""
    response = stored_answer(stored)
    seen = Answer(response.status_code, response.headers, response.content, changes=method == "POST")
    found = body_of(seen)
    if isinstance(found, list):
        return "list"
    assert isinstance(found, dict)
    return "object with " + min(found)


def _calendar(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
    api = api_on(wire)
    try:
        numbers = [int(each) for each in query["serviceIds"].split(",")]
        counts = [int(each) for each in query["serviceCounts"].split(",")][: len(numbers)]
        services = [ServiceCount(number, count) for number, count in zip(numbers, counts, strict=True)]
        offices = [int(each) for each in query["officeIds"].split(",")]
        start, end = (date.fromisoformat(query[name]) for name in ("startDate", "endDate"))
        window = {query.get("slotsStartDate", ""), query.get("slotsEndDate", "")}
        day = date.fromisoformat(window.pop()) if len(window) == 1 and window != {""} else None
        token = query.get("captchaToken", "")
        found = api.calendar(services, offices, start, end, day=day, captcha_token=token)
    except (ValueError, KeyError):  # nothing our client would ever send: only the answer counts
        found = api.calendar(SERVICES, [1], START, END)
    return "nothing free" if found.nothing_free else "success"


class OneGoodAnswer(Recorder):
    """A gate that closes once a question was answered well: a recorded exchange is one request."""

    @contextmanager
    def admit(self, kind: Any) -> Iterator[Recorder]:
        if "ok" in self.codes:
            raise GateClosed(datetime(2026, 11, 23, tzinfo=UTC))
        with super().admit(kind) as call:
            yield call


def _older(dialect: Dialect, *, times: bool) -> Callable[..., str]:
    """A reader for a route of an older dialect, by that dialect's own adapter."""

    def read(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
        memory = OwnMemory()
        memory.remember(dialect, timedelta(days=1))
        api = api_on(wire, OneGoodAnswer(), dialect=memory)
        try:
            services = [ServiceCount(int(query["serviceId"]), int(query["serviceCount"]))]
            offices = [int(each) for each in query["officeId"].split(",")]
            start = date.fromisoformat(query["date" if times else "startDate"])
            end = date.fromisoformat(query["date" if times else "endDate"])
            token = query.get("captchaToken", "")
            found = api.calendar(
                services, offices, start, end, day=start if times else None, captcha_token=token
            )
        except (ValueError, KeyError):  # nothing our client would ever send: only the answer counts
            found = api.calendar(SERVICES, [1], START, END)
        return "nothing free" if found.nothing_free else "times" if found.slots else "days"

    return read


def _reserve(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
    slot, services = SLOT, list(SERVICES)
    try:
        slot = Slot(int(body["officeId"]), datetime.fromtimestamp(int(body["timestamp"]), UTC))
        services = [ServiceCount(int(number)) for number in dict.fromkeys(body["serviceId"])]
    except (KeyError, TypeError, ValueError):
        recorded = json.loads(stored_text(wire))
        if "processId" in recorded:  # sent in a form our client does not use, and accepted all the same
            slot = Slot(recorded["officeId"], datetime.fromtimestamp(int(recorded["timestamp"]), UTC))
    return _word(api_on(wire).reserve(slot, services, captcha_token=str(body.get("captchaToken", ""))).status)


def stored_text(wire: Wire) -> str:
    return wire.respond(requests.Request("GET", BASE_URL).prepare()).text


def _with_key(act: Callable[[CitizenApi, AppointmentKey], Any]) -> Callable[..., str]:
    def read(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
        given = {**query, **body}
        try:
            key = AppointmentKey(int(given["processId"]), str(given["authKey"]))
        except (KeyError, ValueError):
            key = KEY
        return _word(act(api_on(wire), key).status)

    return read


def _update(api: CitizenApi, key: AppointmentKey) -> Any:
    return api.update(key, Contact(CONTACT.family_name, CONTACT.email))


def _word(status: str) -> str:
    return f"success: {status}"


def _catalogue(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
    found = api_on(wire).catalogue(if_modified_since="Mon, 23 Nov 2026 21:18:40 GMT")
    return "unchanged" if found is None else "success"


def _captcha(act: Callable[[CaptchaApi], Any]) -> Callable[..., str]:
    def read(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
        session = requests.Session()
        session.mount("http://", wire)
        act(CaptchaApi(session, BASE_URL, gate=Recorder()))
        return "success"

    return read


def _probe(wire: Wire, query: dict[str, str], body: dict[str, Any]) -> str:
    api_on(wire).probe()
    return "success"


READERS: dict[tuple[str, str], Callable[..., str]] = {
    ("GET", "offices-and-services"): _catalogue,
    ("GET", "available-calendar"): _calendar,
    ("GET", "available-days"): _older(Dialect.D1, times=False),
    ("GET", "available-days-by-office"): _older(Dialect.D2, times=False),
    ("GET", "available-appointments"): _older(Dialect.D1_MUC19, times=True),
    ("GET", "available-appointments-by-office"): _older(Dialect.D2, times=True),
    ("GET", "appointment"): _with_key(lambda api, key: api.appointment(key)),
    ("GET", "captcha-details"): _probe,
    ("GET", "captcha-challenge"): _captcha(lambda api: api.challenge()),
    ("POST", "captcha-verify"): _captcha(lambda api: api.verify("cGF5bG9hZA==")),
    ("POST", "reserve-appointment"): _reserve,
    ("POST", "update-appointment"): _with_key(_update),
    ("POST", "preconfirm-appointment"): _with_key(lambda api, key: api.preconfirm(key)),
    ("POST", "confirm-appointment"): _with_key(lambda api, key: api.confirm(key)),
    ("POST", "cancel-appointment"): _with_key(lambda api, key: api.cancel(key)),
}
