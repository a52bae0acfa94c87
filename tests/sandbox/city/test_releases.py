"""Older versions of the city's software: their routes, names, secrets and ways to say no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from termin_project.sandbox.city import CityWorld
from termin_project.sandbox.city.releases import TAGS, Release

from .conftest import PAPERS, PASING, REGISTER, RUPPERT, TAXI, THURSDAY_9, Citizen, codes, ids

MakeWorld = Callable[..., CityWorld]
RANGE = {"startDate": "2026-11-24", "endDate": "2026-12-13"}
ONE = {"officeId": RUPPERT, "serviceId": REGISTER, "serviceCount": 1}
OLD_ROUTES = {
    "D0": {"available-days", "available-appointments"},
    "D1": {"available-days", "available-appointments", "available-appointments-by-office"},
    "D2": {
        "available-days",
        "available-days-by-office",
        "available-appointments",
        "available-appointments-by-office",
    },
    "D3": {"available-calendar"},
}
LISTS = ("services", "offices", "scopes", "scope-by-id", "services-by-office", "offices-by-service")


def citizen_of(make_world: MakeWorld, **release: Any) -> Citizen:
    return Citizen(make_world(**release))


def is_known(citizen: Citizen, route: str) -> bool:
    answer = citizen.get(route)
    body = answer.json()
    return "notFound" not in (codes(answer) if "errors" in body else [body.get("errorCode")])


@pytest.mark.parametrize("dialect", TAGS)
def test_each_dialect_knows_its_own_availability_routes_alone(make_world: MakeWorld, dialect: str) -> None:
    citizen = citizen_of(make_world, dialect=dialect)

    every = set().union(*OLD_ROUTES.values())
    assert {route for route in every if is_known(citizen, route)} == OLD_ROUTES[dialect]


@pytest.mark.parametrize(("dialect", "known"), [("D1", True), ("D2", True), ("D3", False)])
def test_the_list_routes_went_with_the_newest_dialect(
    make_world: MakeWorld, dialect: str, known: bool
) -> None:
    citizen = citizen_of(make_world, dialect=dialect)

    assert {is_known(citizen, route) for route in LISTS} == {known}


@pytest.mark.parametrize(
    ("tag", "route", "known"),
    [
        (19, "available-appointments-by-office", False),
        (20, "available-appointments-by-office", True),
        (25, "available-days-by-office", False),
        (26, "available-days-by-office", True),
        (32, "my-appointments", False),
        (33, "my-appointments", True),
        (23, "captcha-challenge", False),
        (24, "captcha-challenge", True),
        (45, "available-calendar", False),
        (46, "available-calendar", True),
    ],
)
def test_a_route_appears_with_its_tag(make_world: MakeWorld, tag: int, route: str, known: bool) -> None:
    assert is_known(citizen_of(make_world, tag=tag), route) is known


def test_a_day_and_its_times_are_told_in_four_ways(make_world: MakeWorld) -> None:
    citizen = citizen_of(make_world, dialect="D2")
    citizen.world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    citizen.world.add_places(PASING, [REGISTER], THURSDAY_9 + timedelta(minutes=30))
    start, later = int(THURSDAY_9.timestamp()), int(THURSDAY_9.timestamp()) + 1800
    asked = {**ONE, "officeId": f"{RUPPERT}, {PASING}"}

    assert citizen.get("available-days", **RANGE, **asked).json() == {"availableDays": ["2026-11-26"]}
    assert citizen.get("available-days-by-office", **RANGE, **asked).json() == {
        "availableDays": [{"time": "2026-11-26", "providerIDs": f"{RUPPERT},{PASING}"}]
    }
    assert citizen.get("available-appointments", date="2026-11-26", **asked).json() == {
        "appointmentTimestamps": [start, later]
    }
    assert citizen.get("available-appointments-by-office", date="2026-11-26", **asked).json() == {
        "offices": [
            {"officeId": RUPPERT, "appointments": [start]},
            {"officeId": PASING, "appointments": [later]},
        ]
    }


@pytest.mark.parametrize(
    ("tag", "status", "code", "typed"),
    [
        (19, 404, "noAppointmentForThisDay", False),
        (22, 404, "noAppointmentForThisDay", False),
        (23, 200, "noAppointmentForThisDay", False),
        (29, 200, "noAppointmentForThisDay", False),
        (30, 404, "noAppointmentForThisDay", True),
        (45, 404, "noAppointmentForThisScope", True),
    ],
)
def test_nothing_free_is_said_as_the_tag_says_it(
    make_world: MakeWorld, tag: int, status: int, code: str, typed: bool
) -> None:
    answer = citizen_of(make_world, tag=tag).get("available-days", **RANGE, **ONE)

    error = answer.json()["errors"][0]
    assert (answer.status_code, error["statusCode"], error["errorCode"]) == (status, status, code)
    assert ("errorType" in error) is typed


def test_a_day_without_times_is_an_error_when_merged_and_an_empty_list_by_office(
    make_world: MakeWorld,
) -> None:
    citizen = citizen_of(make_world, tag=28)

    merged = citizen.get("available-appointments", date="2026-11-26", **ONE)
    by_office = citizen.get("available-appointments-by-office", date="2026-11-26", **ONE)

    assert (merged.status_code, codes(merged)) == (200, ["appointmentNotAvailable"])
    assert (by_office.status_code, by_office.json()) == (200, {"offices": []})


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"startDate": "x"}, "invalidStartDate"),
        ({"endDate": ""}, "invalidEndDate"),
        ({"endDate": "2027-12-29"}, "unknownError"),
        ({"officeId": "abc"}, "invalidOfficeId"),
        ({"serviceId": ""}, "invalidServiceId"),
        ({"serviceCount": "-1"}, "invalidServiceCount"),
        ({"officeId": 99999999}, "invalidLocationAndServiceCombination"),
        ({"officeId": TAXI, "serviceId": PAPERS}, "captchaMissing"),
    ],
)
def test_the_older_routes_refuse_what_the_newest_refuses(
    make_world: MakeWorld, more: dict[str, Any], code: str
) -> None:
    citizen = citizen_of(make_world, dialect="D2")

    assert codes(citizen.get("available-days-by-office", **RANGE | ONE | more)) == [code]


@pytest.mark.parametrize("count", [0, 26])
def test_counts_had_no_bounds_once(make_world: MakeWorld, count: int) -> None:
    citizen = citizen_of(make_world, dialect="D2")
    citizen.world.add_places(RUPPERT, [REGISTER] * 30, THURSDAY_9)

    answer = citizen.get("available-days", **RANGE, officeId=RUPPERT, serviceId=REGISTER, serviceCount=count)

    assert answer.json() == {"availableDays": ["2026-11-26"]}


@pytest.mark.parametrize(("tag", "digits"), [(39, 4), (40, 64), (47, 64)])
def test_the_secret_has_the_length_of_its_time(make_world: MakeWorld, tag: int, digits: int) -> None:
    citizen = citizen_of(make_world, tag=tag)

    held = citizen.confirmed()
    cancelled = citizen.post("cancel-appointment", **ids(held)).json()

    assert (len(held["authKey"]), len(cancelled["authKey"])) == (digits, digits)
    assert cancelled["authKey"] != held["authKey"]


def test_an_appointment_survives_a_change_of_software(make_world: MakeWorld) -> None:
    citizen = citizen_of(make_world, tag=30)
    held = citizen.reserved()

    citizen.world.release = Release.of("D3")

    assert citizen.read(held).json()["status"] == "reserved"


@pytest.mark.parametrize(
    ("tag", "has", "lacks"),
    [
        (47, {"sharedBookingOfficeIds", "slotsPerAppointment"}, {"maxSlotsPerAppointment"}),
        (46, {"allowDisabledServicesMix"}, {"sharedBookingOfficeIds"}),
        (35, {"maxSlotsPerAppointment", "parentId"}, {"slotsPerAppointment", "allowDisabledServicesMix"}),
        (24, {"maxSlotsPerAppointment", "disabledByServices"}, {"slotsPerAppointment", "priority"}),
        (22, {"slotTimeInMinutes"}, {"maxSlotsPerAppointment", "slotsPerAppointment", "disabledByServices"}),
        (19, {"id", "name", "address", "geo", "scope"}, {"slotTimeInMinutes", "organization"}),
    ],
)
def test_an_office_has_the_fields_of_its_tag(
    make_world: MakeWorld, tag: int, has: set[str], lacks: set[str]
) -> None:
    office = citizen_of(make_world, tag=tag).get("offices-and-services").json()["offices"][0]

    assert has <= set(office)
    assert lacks.isdisjoint(office)


@pytest.mark.parametrize(
    ("tag", "has", "lacks"),
    [
        (30, {"infoForAppointment", "reservationDuration", "hint"}, {"displayInfo"}),
        (29, {"displayInfo", "appointmentsPerMail"}, {"infoForAppointment", "reservationDuration"}),
        (24, {"displayInfo", "slotsPerAppointment"}, {"customTextfield2Activated", "whitelistedMails"}),
    ],
)
def test_a_scope_has_the_fields_of_its_tag_everywhere(
    make_world: MakeWorld, tag: int, has: set[str], lacks: set[str]
) -> None:
    citizen = citizen_of(make_world, tag=tag)
    offices = citizen.get("offices-and-services").json()["offices"]
    shown = [next(office["scope"] for office in offices if office["scope"]), citizen.reserved()["scope"]]

    for scope in shown:
        assert has <= set(scope)
        assert lacks.isdisjoint(scope)


def test_combinations_were_flat_before_they_had_positions(make_world: MakeWorld) -> None:
    def combinable(tag: int) -> dict[str, Any]:
        services = citizen_of(make_world, tag=tag).get("offices-and-services").json()["services"]
        return next(service["combinable"] for service in services if service["combinable"])

    flat, ordered = combinable(24), combinable(25)

    assert next(iter(ordered)) == "1"
    assert flat == {other: offices for place in ordered.values() for other, offices in place.items()}


def test_the_retired_back_end_answers_flat_and_dated(make_world: MakeWorld) -> None:
    citizen = citizen_of(make_world, dialect="D0")

    nothing = citizen.get("available-days", **RANGE, **ONE)
    citizen.world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    days = citizen.get("available-days", **RANGE, **ONE)
    unknown = citizen.get("available-calendar")

    moment = int(citizen.world.now() * 1000)
    assert nothing.status_code == 200
    assert nothing.json() == {
        "errorCode": "noAppointmentForThisDay",
        "errorMessage": "Keine verfügbaren Termine für dieses Datum.",
        "lastModified": moment,
    }
    assert days.json() == {"availableDays": ["2026-11-26"], "lastModified": moment}
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "notFound")


def test_the_software_is_changed_by_a_handle_and_kept(make_world: MakeWorld, tmp_path: Any) -> None:
    citizen = Citizen(make_world())

    assert citizen.handle("GET", "dialect").json() == {
        "dialect": "D3",
        "tag": 47,
        "captcha": "altcha-v2",
    }
    assert citizen.handle("POST", "dialect", dialect="D2").json()["tag"] == 45
    assert citizen.handle("POST", "dialect", tag=22).json() == {
        "dialect": "D1",
        "tag": 22,
        "captcha": "friendly",
    }

    citizen.world.save(tmp_path / "city.json")
    assert CityWorld.load(tmp_path / "city.json").release == Release("D1", 22)


@pytest.mark.parametrize(
    "fields", [{}, {"dialect": "D4"}, {"tag": 18}, {"tag": "new"}, {"dialect": "D2", "tag": 47}]
)
def test_a_software_that_never_was_is_refused(make_world: MakeWorld, fields: dict[str, Any]) -> None:
    citizen = Citizen(make_world())

    assert citizen.handle("POST", "dialect", **fields).status_code == 400
    assert citizen.world.release == Release("D3", 47)
