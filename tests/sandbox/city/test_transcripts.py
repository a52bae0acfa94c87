"""Recorded answers of the real software, where they are at hand: ours have the same shape.

Each recorded exchange is compared with what the simulated city answers in the same situation: status,
error codes with their kinds, the keys of the body and their types. Expectations of the situations are in
the other tests; this one only says that no key is missing, added or of another type.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from termin_project.sandbox.city import CityWorld, Clock
from termin_project.sandbox.city.errors import FAULTS

from .conftest import REGISTER, RUPPERT, THURSDAY_9, Citizen, ids

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "munich-transcripts"
FOLDER = Path(os.environ.get("MUNICH_TRANSCRIPTS") or BESIDE)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the recorded answers are not beside the checkout"
)


def exchanges() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def endpoint(exchange: dict[str, Any]) -> str:
    return urlsplit(exchange["request"]["url"]).path.partition("/api/citizen")[2].strip("/")


def type_name(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    return {int: "number", float: "number", str: "text", list: "list", dict: "object"}.get(
        type(value), "null"
    )


def shape(value: object, prefix: str = "") -> set[tuple[str, str]]:
    """(path of keys, type) of everything inside; lists count by the union of their items."""
    found: set[tuple[str, str]] = set()
    if isinstance(value, dict):
        for key, item in value.items():
            path = f"{prefix}.{key}"
            found.add((path, type_name(item)))
            found |= shape(item, path)
    elif isinstance(value, list):
        for item in value:
            found.add((f"{prefix}[]", type_name(item)))
            found |= shape(item, f"{prefix}[]")
    return found


def keys(found: set[tuple[str, str]]) -> set[str]:
    # Keys that are numbers (positions and ids in `combinable`) are data, not shape.
    return {re.sub(r"\.\d+", ".#", path) for path, _ in found}


def recorded(wanted: str, appointment_status: str | None = None) -> list[Any]:
    """Bodies of the recorded successes of an endpoint, of appointments in this status only."""
    return [
        exchange["response"]["body"]
        for exchange in exchanges()
        if endpoint(exchange) == wanted
        and exchange["response"]["status"] == 200
        and isinstance(exchange["response"]["body"], dict)
        and appointment_status in (None, exchange["response"]["body"].get("status"))
    ]


def union(documents: list[Any]) -> set[tuple[str, str]]:
    assert documents, "nothing of this kind was recorded"
    found: set[tuple[str, str]] = set()
    for document in documents:
        found |= shape(document)
    return found


def assert_same_shape(ours: list[Any], theirs: list[Any]) -> None:
    mine, real = union(ours), union(theirs)
    assert keys(mine) == keys(real)
    known = {path: {kind for other, kind in real if other == path} for path, _ in real}
    odd = {
        (path, kind)
        for path, kind in mine
        if path in known and kind not in known[path] | {"null"} and not re.search(r"\.\d+", path)
    }
    assert odd == set()


def test_the_catalogue_has_the_recorded_shape(citizen: Citizen) -> None:
    assert_same_shape([citizen.get("offices-and-services").json()], recorded("offices-and-services"))


def test_calendars_have_the_recorded_shape(citizen: Citizen, world: CityWorld) -> None:
    empty = citizen.calendar("2026-11-24", "2026-12-13").json()
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    full = citizen.calendar("2026-11-24", "2026-12-13").json()
    later = citizen.calendar("2026-11-24", "2027-01-13", slotsStartDate="2026-12-02").json()
    assert_same_shape([empty, full, later], recorded("available-calendar"))


def reserved(citizen: Citizen) -> Any:
    return citizen.reserved()


def updated(citizen: Citizen) -> Any:
    return citizen.update(citizen.reserved()).json()


def read(citizen: Citizen) -> Any:
    return citizen.read(citizen.reserved()).json()


def preconfirmed(citizen: Citizen) -> Any:
    return citizen.post("preconfirm-appointment", **ids(citizen.reserved())).json()


def confirmed(citizen: Citizen) -> Any:
    return citizen.post("confirm-appointment", **ids(citizen.reserved())).json()


def cancelled_reservation(citizen: Citizen) -> Any:
    return citizen.post("cancel-appointment", **ids(citizen.reserved())).json()


def cancelled_appointment(citizen: Citizen) -> Any:
    return citizen.post("cancel-appointment", **ids(citizen.confirmed())).json()


@pytest.mark.parametrize(
    ("make", "path", "status"),
    [
        (reserved, "reserve-appointment", "reserved"),
        (updated, "update-appointment", "reserved"),
        (read, "appointment", "reserved"),
        (preconfirmed, "preconfirm-appointment", "preconfirmed"),
        (confirmed, "confirm-appointment", "confirmed"),
        (cancelled_reservation, "cancel-appointment", "reserved"),
        (cancelled_appointment, "cancel-appointment", "deleted"),
    ],
)
def test_appointment_objects_have_the_recorded_shape(
    citizen: Citizen, make: Callable[[Citizen], Any], path: str, status: str
) -> None:
    ours, theirs = make(citizen), recorded(path, status)
    assert ours["status"] == status
    without_services = {path for path in keys(union(theirs)) if path.startswith(".subRequestCounts[]")}
    assert keys(shape(ours)) == keys(union(theirs)) - without_services
    assert list(ours) in [list(document) for document in theirs] or set(ours) == set(theirs[0])


def test_captcha_answers_have_the_recorded_shape(citizen: Citizen) -> None:
    assert_same_shape([citizen.get("captcha-details").json()], recorded("captcha-details"))
    challenges = [body for body in recorded("captcha-challenge") if "parameters" in body]
    assert_same_shape([citizen.get("captcha-challenge").json()], challenges)


def test_every_recorded_error_code_is_known_with_its_status_kind_and_text() -> None:
    seen = set()
    for exchange in exchanges():
        body = exchange["response"]["body"]
        for error in body.get("errors", ()) if isinstance(body, dict) else ():
            seen.add(error["errorCode"])
            assert FAULTS[error["errorCode"]].as_json() == error
    assert len(seen) > 20


def is_about_the_request_alone(exchange: dict[str, Any]) -> bool:
    """Whether the recorded refusal depends on nothing but the request: our city has to refuse it alike."""
    body, request = exchange["response"]["body"], exchange["request"]
    path = endpoint(exchange)
    if ":18210/" not in request["url"] or not isinstance(body, dict) or "errors" not in body:
        return False
    if isinstance(request["body"], str) and len(request["body"]) > 10_000_000:
        return False
    known = {error["errorCode"] for error in body["errors"]}
    about_process = {"appointmentNotFound", "authKeyMismatch", "unknownError", "appointmentCanNotBeCanceled"}
    about_process |= {"processNotReservedAnymore", "processNotPreconfirmedAnymore", "captchaExpired"}
    about_process |= {"tooManyAppointmentsWithSameMail"}
    if path == "available-calendar":
        return True
    if path == "update-appointment":
        return known <= {"invalidProcessId", "invalidAuthKey"}
    if known & {"invalidLocationAndServiceCombination"} and request["body"]["officeId"] not in (
        RUPPERT,
        99999999,
    ):
        return False
    return not known & about_process


REFUSALS = [exchange for exchange in exchanges() if is_about_the_request_alone(exchange)]


@pytest.mark.parametrize("exchange", REFUSALS, ids=[exchange["case"] for exchange in REFUSALS])
def test_a_recorded_refusal_is_refused_alike(
    make_world: Callable[..., CityWorld], clock: Clock, exchange: dict[str, Any]
) -> None:
    clock.freeze(datetime.fromisoformat(exchange["recorded_at"]))
    citizen = Citizen(make_world())
    request, response = exchange["request"], exchange["response"]
    body = request["body"]
    if isinstance(body, dict | list):
        body = json.dumps(body)
    rest = request["url"].partition("/api/citizen")[2]
    answer = citizen.session.request(
        request["method"], citizen.base + rest, data=body, headers=request["headers"]
    )
    assert answer.status_code == response["status"]
    assert answer.json() == response["body"]
    assert header_names(list(answer.headers.items())) == header_names(response["headers"])


def header_names(headers: Iterable[Sequence[str]]) -> set[str]:
    of_the_server = {"date", "server", "transfer-encoding", "connection", "content-length", "x-zms-env"}
    return {name.lower() for name, _ in headers} - of_the_server


@pytest.mark.parametrize("path", ["captcha-details", "offices-and-services"])
def test_a_success_carries_the_recorded_headers(citizen: Citizen, path: str) -> None:
    ours = header_names(list(citizen.get(path).headers.items()))
    theirs = [
        header_names(exchange["response"]["headers"])
        for exchange in exchanges()
        if endpoint(exchange) == path and exchange["response"]["status"] == 200
    ]
    assert ours in theirs
