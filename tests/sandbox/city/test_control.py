"""The handles for people and tests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import MONDAY, PASING, REGISTER, RUPPERT, THURSDAY_9, Citizen

PLACE = {"office": RUPPERT, "services": [REGISTER]}


def times(citizen: Citizen) -> list[int]:
    days = citizen.calendar("2026-11-24", "2026-12-13").json()["availableDays"]
    return days[0]["offices"][0]["appointments"] if days else []


@pytest.mark.parametrize(
    "starts_at",
    [
        int(THURSDAY_9.timestamp()),
        str(int(THURSDAY_9.timestamp())),
        "2026-11-26T09:00",
        "2026-11-26T09:00:00+01:00",
        "2026-11-26T08:00:00Z",
    ],
)
def test_slots_are_opened_and_withdrawn_at_the_time_given(citizen: Citizen, starts_at: object) -> None:
    opened = citizen.handle("POST", "slots", **PLACE, starts_at=starts_at, places=2)
    assert (opened.status_code, opened.json()["free"]) == (200, 2)
    assert times(citizen) == [int(THURSDAY_9.timestamp())]
    closed = citizen.handle("DELETE", "slots", **PLACE, starts_at=starts_at, places=1)
    assert (closed.json()["closed"], closed.json()["free"]) == (1, 1)
    assert citizen.handle("DELETE", "slots", **PLACE, starts_at=starts_at).json()["closed"] == 1
    assert times(citizen) == []


def test_withdrawing_leaves_what_people_hold(citizen: Citizen) -> None:
    held = citizen.reserved()
    citizen.handle("POST", "slots", **PLACE, starts_at="2026-11-26T09:00")
    closed = citizen.handle("DELETE", "slots", **PLACE, starts_at="2026-11-26T09:00").json()
    assert closed["closed"] == 1
    assert citizen.read(held).json()["status"] == "reserved"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"office": "x", "services": [REGISTER], "starts_at": "2026-11-26T09:00"},
        {"office": 1, "services": [REGISTER], "starts_at": "2026-11-26T09:00"},
        {"office": RUPPERT, "services": [], "starts_at": "2026-11-26T09:00"},
        {"office": RUPPERT, "services": [1], "starts_at": "2026-11-26T09:00"},
        {"office": RUPPERT, "services": ["x"], "starts_at": "2026-11-26T09:00"},
        {**PLACE},
        {**PLACE, "starts_at": "soon"},
        {**PLACE, "starts_at": True},
        {**PLACE, "starts_at": 10**20},
        {**PLACE, "starts_at": "2020-01-01T09:00"},
        {**PLACE, "starts_at": "2026-11-26T09:00", "places": 0},
        {**PLACE, "starts_at": "2026-11-26T09:00", "places": "many"},
    ],
)
def test_slots_that_make_no_sense_are_refused_with_a_reason(citizen: Citizen, fields: dict) -> None:
    answer = citizen.handle("POST", "slots", **fields)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("body", ["{", "[]", "7", '"x"'])
def test_a_body_that_is_no_object_is_refused(citizen: Citizen, body: str) -> None:
    answer = citizen.session.post(f"{citizen.handles}/slots", data=body)
    assert (answer.status_code, "JSON" in answer.json()["error"]) == (400, True)


def test_faults_are_switched_on_shown_and_cleared(citizen: Citizen) -> None:
    added = citizen.handle("POST", "faults", kind="html_502", count=3, paths=["captcha-details"])
    assert added.json() == {
        "faults": [{"kind": "html_502", "left": 3, "paths": ["captcha-details"], "seconds": 5.0}]
    }
    assert citizen.get("captcha-details").status_code == 502
    assert citizen.handle("GET", "faults").json()["faults"][0]["left"] == 2
    assert citizen.handle("DELETE", "faults").json() == {"faults": []}
    assert citizen.get("captcha-details").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "html_502", "count": "x"},
        {"kind": "html_502", "count": 0},
        {"kind": "html_502", "paths": 7},
        {"kind": "slow", "seconds": "long"},
    ],
)
def test_faults_that_make_no_sense_are_refused(citizen: Citizen, fields: dict) -> None:
    assert citizen.handle("POST", "faults", **fields).status_code == 400


def test_the_clock_moves_ahead_and_does_what_has_become_due(
    citizen: Citizen, world: CityWorld, clock: Clock
) -> None:
    citizen.reserved()
    moved = citizen.handle("POST", "clock", advance_seconds=16 * 60).json()
    assert moved["unix"] == int((MONDAY + timedelta(minutes=16)).timestamp())
    assert clock.now() == MONDAY + timedelta(minutes=16)
    assert world.reservations == []
    assert citizen.handle("GET", "clock").json() == moved


@pytest.mark.parametrize("seconds", [-1, "x", None, True, 10**9])
def test_the_clock_moves_by_a_sensible_number_only(citizen: Citizen, clock: Clock, seconds: object) -> None:
    assert citizen.handle("POST", "clock", advance_seconds=seconds).status_code == 400
    assert clock.now() == MONDAY


def test_natural_life_is_switched_on_and_off(citizen: Citizen, world: CityWorld) -> None:
    assert citizen.handle("POST", "life", on=True).json() == {"on": True}
    assert any(capacity.openings for capacity in world.capacities.values())
    assert citizen.handle("POST", "life", on=False).json() == {"on": False}
    assert world.life.on is False
    assert citizen.handle("POST", "life", on="x").status_code == 400


def test_the_state_shows_holds_requests_and_refusals_but_no_keys(citizen: Citizen, clock: Clock) -> None:
    reserved = citizen.reserved()
    confirmed = citizen.confirmed(office=PASING)
    citizen.get("captcha-details")
    clock.advance(timedelta(minutes=1))
    citizen.get("nonsense")
    answer = citizen.handle("GET", "state")
    state = answer.json()
    (held,) = state["reservations"]
    assert (held["process_id"], held["status"], held["office"]) == (
        reserved["processId"],
        "reserved",
        RUPPERT,
    )
    assert held["services"] == [{"service": REGISTER, "count": 1}]
    assert held["starts_at"] == int(THURSDAY_9.timestamp())
    (booked,) = state["appointments"]
    assert (booked["process_id"], booked["status"]) == (confirmed["processId"], "confirmed")
    assert booked["email"] == "erika@example.org"
    assert state["requests"]["by_path"]["/reserve-appointment/"] == 2
    assert state["requests"]["by_minute"]["/captcha-details/"] == {"2026-11-23T10:00:00+00:00": 1}
    assert state["requests"]["by_minute"]["/nonsense/"] == {"2026-11-23T10:01:00+00:00": 1}
    assert state["refusals"] == {"notFound": 1}
    assert reserved["authKey"] not in answer.text


def test_unknown_handles_and_wrong_methods_are_named(citizen: Citizen) -> None:
    unknown = citizen.handle("GET", "nonsense")
    assert unknown.status_code == 404
    assert "slots" in unknown.json()["error"]
    assert citizen.handle("GET", "slots").status_code == 405
    assert citizen.handle("GET", "confirm/x").status_code == 405


def test_the_handles_are_reached_with_and_without_the_citys_prefix(citizen: Citizen) -> None:
    assert citizen.session.get("http://city.test/control/clock").status_code == 200
    assert citizen.session.get("http://city.test/city/control/clock").status_code == 200


def test_the_handles_are_not_counted_by_the_limit(citizen: Citizen, world: CityWorld) -> None:
    for _ in range(5):
        citizen.handle("GET", "state")
    assert world.limiter.counters == {}
    assert list(world.requests) == []
