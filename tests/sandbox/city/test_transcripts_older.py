"""Recorded answers of muc45, the last version with the old routes: the city put back to it answers alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import REGISTER, RUPPERT, THURSDAY_9, Citizen, ids
from .test_transcripts import FOLDER, assert_same_shape, endpoint, header_names, keys, shape, union

OLDER = FOLDER / "muc45"
pytestmark = pytest.mark.skipif(not OLDER.is_dir(), reason="the recorded answers are not beside the checkout")


def recording(number: str) -> dict[str, Any]:
    return json.loads(next(OLDER.glob(f"m{number}-*.json")).read_text(encoding="utf-8"))


def recorded(number: str) -> Any:
    return recording(number)["response"]["body"]


@pytest.fixture
def citizen(make_world: Callable[..., CityWorld]) -> Citizen:
    return Citizen(make_world(tag=45))


@pytest.mark.parametrize("number", ["10", "11", "12", "13", "15", "16"])
def test_the_catalogue_and_its_parts_have_the_recorded_shape(citizen: Citizen, number: str) -> None:
    query = {"15": {"officeId": RUPPERT}, "16": {"serviceId": REGISTER}}.get(number, {})

    ours = citizen.get(endpoint(recording(number)), **query).json()

    assert keys(union([ours])) - {".services[].combinable.#", ".services[].combinable.#.#"} <= keys(
        union([recorded(number)])
    )
    missing = keys(union([recorded(number)])) - keys(union([ours]))
    # What our small city has none of, and the fields an office without an address lacks.
    assert {
        path for path in missing if "#" not in path and ".address." not in path and ".geo." not in path
    } == set()


def test_one_scope_has_the_recorded_shape(citizen: Citizen) -> None:
    assert_same_shape([citizen.get("scope-by-id", scopeId=160).json()], [recorded("14")])


@pytest.mark.parametrize("number", ["20", "21", "22", "23"])
def test_days_and_times_have_the_recorded_shape(citizen: Citizen, number: str) -> None:
    citizen.world.add_places(RUPPERT, [REGISTER], THURSDAY_9)

    assert_same_shape([ask_again(citizen, recording(number)).json()], [recorded(number)])


def test_the_way_of_an_appointment_has_the_recorded_shape(citizen: Citizen) -> None:
    held = citizen.reserved()
    answers = {
        "30": held,
        "31": citizen.update(held).json(),
        "32": citizen.post("preconfirm-appointment", **ids(held)).json(),
        "33": citizen.post("confirm-appointment", **ids(held)).json(),
        "34": citizen.read(held).json(),
        "35": citizen.post("cancel-appointment", **ids(held)).json(),
    }

    for number, ours in answers.items():
        assert (number, keys(shape(ours))) == (number, keys(shape(recorded(number))))
        assert ours["status"] == recorded(number)["status"]
        assert len(ours["authKey"]) == len(recorded(number)["authKey"])


@pytest.mark.parametrize("number", ["24", "25", "26", "27", "28", "29", "2a", "2b", "37"])
def test_a_recorded_refusal_is_refused_alike(
    make_world: Callable[..., CityWorld], clock: Clock, number: str
) -> None:
    theirs = recording(number)
    clock.freeze(datetime.fromisoformat(theirs["recorded_at"]))

    ours = ask_again(Citizen(make_world(tag=45)), theirs)

    assert ours.status_code == theirs["response"]["status"]
    assert ours.json() == theirs["response"]["body"]
    assert header_names(list(ours.headers.items())) == header_names(theirs["response"]["headers"])


def ask_again(citizen: Citizen, exchange: dict[str, Any]) -> Any:
    """The recorded request, put to our city."""
    asked = exchange["request"]
    body = json.dumps(asked["body"]) if isinstance(asked["body"], dict) else asked["body"]
    rest = asked["url"].partition("/api/citizen")[2]
    return citizen.session.request(asked["method"], citizen.base + rest, data=body, headers=asked["headers"])
