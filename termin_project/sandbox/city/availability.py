"""The availability and list routes of older releases (D0 to D2); the newest one answered them all with one calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from termin_project.sandbox.city.api import Call
from termin_project.sandbox.city.calendar import CalendarQuery, free_times
from termin_project.sandbox.city.errors import CityError, Style
from termin_project.sandbox.city.params import MAX_SPAN_DAYS, as_day, as_int


def available_days(call: Call) -> object:
    """Bookable days, of all offices asked together."""
    return {"availableDays": [day.isoformat() for day in sorted(_days(call))]}


def available_days_by_office(call: Call) -> object:
    """Bookable days, each with its offices; `time` is a date."""
    found = _days(call)
    return {
        "availableDays": [
            {"time": day.isoformat(), "providerIDs": ",".join(str(office) for office in found[day])}
            for day in sorted(found)
        ]
    }


def available_appointments(call: Call) -> object:
    """Start times of one day, of all offices asked together."""
    times = sorted({start for starts in _times(call).values() for start in starts})
    if not times:
        raise CityError("appointmentNotAvailable", style=Style.THROWN)
    return {"appointmentTimestamps": times}


def available_appointments_by_office(call: Call) -> object:
    """Start times of one day by office; an empty list when there are none."""
    return {
        "offices": [{"officeId": office, "appointments": starts} for office, starts in _times(call).items()]
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    office_ids: tuple[int, ...]
    wanted: tuple[tuple[int, int], ...]
    start: date
    end: date


def _days(call: Call) -> dict[date, list[int]]:
    asked = _asked(call, ("startDate", "invalidStartDate"), ("endDate", "invalidEndDate"))
    found: dict[date, list[int]] = {}
    for office_id, days in _free(call, asked).items():
        for day in days:
            found.setdefault(day, []).append(office_id)
    if not found:
        raise CityError(call.world.release.no_days_code, style=Style.THROWN)
    return found


def _times(call: Call) -> dict[int, list[int]]:
    asked = _asked(call, ("date", "invalidDate"), ("date", ""))
    return {office_id: days[asked.start] for office_id, days in _free(call, asked).items() if days}


def _free(call: Call, asked: _Asked) -> dict[int, dict[date, list[int]]]:
    world = call.world
    query = CalendarQuery(asked.office_ids, asked.wanted, asked.start, asked.end)
    with world.lock:
        return free_times(world.catalogue, world.capacities, query, call.now)


def _asked(call: Call, first: tuple[str, str], last: tuple[str, str]) -> _Asked:
    """The checked request; `first` and `last` name a parameter and the code for it. Raises `CityError`."""
    world, query = call.world, call.query
    problems: list[str] = []
    start, end = (as_day(query.get(name)) for name, _code in (first, last))
    problems += [code for day, (_name, code) in ((start, first), (end, last)) if day is None and code]
    if start and end and (start > end or (end - start).days > MAX_SPAN_DAYS):
        problems.append("unknownError")  # refers to codes that are not defined, as the newest release does
    office_ids, service_ids, counts = (
        _numbers(query, name, least)
        for name, least in (("officeId", 1), ("serviceId", 1), ("serviceCount", 0))
    )
    problems += [] if office_ids else ["invalidOfficeId"]
    problems += [] if service_ids else ["invalidServiceId"]
    problems += [] if counts else ["invalidServiceCount"]
    scopes = [world.catalogue.scope(office_id) for office_id in office_ids]
    if world.release.guards_availability and any(scope is not None and scope.captcha for scope in scopes):
        problem = world.captcha.token_problem(query.get("captchaToken"), call.address, call.now)
        problems += [problem] if problem else []
    if problems or start is None or end is None:
        raise CityError(*problems)
    if not all(world.catalogue.offers(office_id, service_ids) for office_id in office_ids):
        raise CityError("invalidLocationAndServiceCombination")
    if all(scope is None for scope in scopes):
        raise CityError("noAppointmentForThisScope", style=Style.THROWN)
    padded = [*counts, *[1] * len(service_ids)]
    # A count of 0 was accepted, and took the place of one.
    wanted = tuple((service, max(1, count)) for service, count in zip(service_ids, padded, strict=False))
    return _Asked(tuple(office_ids), wanted, start, end)


def _numbers(query: Mapping[str, str], name: str, least: int) -> list[int]:
    """The numbers of a CSV value; an empty list when one of them is none."""
    found = [as_int(item.strip(), least=least) for item in query.get(name, "").split(",")]
    return [number for number in found if number is not None] if None not in found else []


# Lists, each a part of the catalogue. Clients have no use for them: one request brings all of it.


def services(call: Call) -> object:
    """All services, without what they combine with."""
    return {"services": [_bare(each) for each in _catalogue(call)["services"]]}


def offices(call: Call) -> object:
    """All offices."""
    return {"offices": [_without_groups(each) for each in _catalogue(call)["offices"]]}


def scopes(call: Call) -> object:
    """The scopes of all offices that have one."""
    return {"scopes": [each["scope"] for each in _catalogue(call)["offices"] if each["scope"]]}


def scope_by_id(call: Call) -> object:
    """One scope, bare."""
    number = as_int(call.query.get("scopeId"), least=1)
    if number is None:
        raise CityError("invalidScopeId")
    for office in _catalogue(call)["offices"]:
        if office["scope"] and office["scope"]["id"] == number:
            return office["scope"]
    raise CityError("scopesNotFound", style=Style.THROWN)


def services_by_office(call: Call) -> object:
    """What one office does."""
    number = as_int(call.query.get("officeId"), least=1)
    if number is None:
        raise CityError("invalidOfficeId")
    catalogue = _catalogue(call)
    done = {each["serviceId"] for each in catalogue["relations"] if each["officeId"] == number}
    return {"services": [_bare(each) for each in catalogue["services"] if each["id"] in done]}


def offices_by_service(call: Call) -> object:
    """Where one service is done; these come without address."""
    number = as_int(call.query.get("serviceId"), least=1)
    if number is None:
        raise CityError("invalidServiceId")
    catalogue = _catalogue(call)
    doing = {each["officeId"] for each in catalogue["relations"] if each["serviceId"] == number}
    return {
        "offices": [
            _without_groups(each) | {"address": None, "geo": None}
            for each in catalogue["offices"]
            if each["id"] in doing
        ]
    }


def _catalogue(call: Call) -> Any:
    with call.world.lock:
        document = call.world.catalogue.document
    return call.world.release.aged("offices-and-services", document, call.now)


def _bare(service: dict[str, Any]) -> dict[str, Any]:
    return (
        service | {"combinable": None} | ({"showOnStartPage": None} if "showOnStartPage" in service else {})
    )


def _without_groups(office: dict[str, Any]) -> dict[str, Any]:
    """The lists named the groups of services an office belongs to, but left them empty."""
    empty: dict[str, Any] = {"disabledByServices": [], "allowDisabledServicesMix": None}
    return office | {name: value for name, value in empty.items() if name in office}


OLDER_ENDPOINTS = {
    ("GET", "available-days"): available_days,
    ("GET", "available-days-by-office"): available_days_by_office,
    ("GET", "available-appointments"): available_appointments,
    ("GET", "available-appointments-by-office"): available_appointments_by_office,
    ("GET", "services"): services,
    ("GET", "offices"): offices,
    ("GET", "scopes"): scopes,
    ("GET", "scope-by-id"): scope_by_id,
    ("GET", "services-by-office"): services_by_office,
    ("GET", "offices-by-service"): offices_by_service,
}
