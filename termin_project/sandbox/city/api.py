"""The citizen API: one function per endpoint, from a request's fields to the answer's body."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from termin_project.sandbox.city import captcha, friendly
from termin_project.sandbox.city.calendar import WITHDRAWN_BEFORE, calendar_document
from termin_project.sandbox.city.errors import CityError, Style
from termin_project.sandbox.city.params import calendar_request, process_ids, reserve_request
from termin_project.sandbox.city.world import CityWorld


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an endpoint. `now` in Unix seconds, `captcha_down` while that service is away.

    `host`: the address of the service that older releases have their captcha from.
    """

    world: CityWorld
    address: str
    now: float
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    bearer: str | None = None
    host: str = ""
    captcha_down: bool = False
    lost_race: bool = False


def offices_and_services(call: Call) -> object:
    with call.world.lock:
        return call.world.catalogue.document


def available_calendar(call: Call) -> object:
    world = call.world
    request = calendar_request(call.query)
    problems = list(request.problems)
    scopes = [world.catalogue.scope(office_id) for office_id in request.office_ids]
    if any(scope is not None and scope.captcha for scope in scopes):
        problem = world.captcha.token_problem(call.query.get("captchaToken"), call.address, call.now)
        if problem:
            problems.append(problem)
    if problems or request.query is None:
        raise CityError(*problems)
    query = request.query
    services = [service_id for service_id, _ in query.wanted]
    if not all(world.catalogue.offers(office_id, services) for office_id in query.office_ids):
        raise CityError("invalidLocationAndServiceCombination")
    if all(scope is None for scope in scopes):
        raise CityError("noAppointmentForThisScope")
    with world.lock:
        return calendar_document(world.catalogue, world.capacities, query, call.now)


def captcha_details(call: Call) -> object:
    if not call.world.release.guards_availability:
        return friendly.details(call.host)
    return captcha.details(call.world.public_url)


def captcha_challenge(call: Call) -> object:
    if call.captcha_down:
        return captcha.service_down()
    with call.world.lock:
        return call.world.captcha.challenge(call.address, call.now)


def captcha_verify(call: Call) -> object:
    if call.captcha_down:
        return captcha.service_down()
    with call.world.lock:
        return call.world.captcha.verify(call.body.get("payload"), call.address, call.now)


def reserve_appointment(call: Call) -> object:
    """Hold a place. The look whether it is free and the taking are two steps, so races can be lost."""
    world = call.world
    request = reserve_request(call.body, call.now, _captcha_problem(call))
    if not world.catalogue.offers(request.office_id, [service_id for service_id, _ in request.wanted]):
        raise CityError("invalidLocationAndServiceCombination")
    if world.catalogue.scope(request.office_id) is None:
        raise CityError("noAppointmentForThisScope")
    wanted = list(request.wanted)
    with world.lock:
        listed = request.starts_at > call.now + WITHDRAWN_BEFORE
        if not listed or not world.desk.places(request.office_id, wanted, request.starts_at):
            raise CityError("appointmentNotAvailable")
    if world.reserve_pause:
        time.sleep(world.reserve_pause)
    if call.lost_race:
        raise CityError("unknownError", status=404, style=Style.THROWN)
    with world.lock:
        process = world.desk.reserve(request.office_id, wanted, request.starts_at, call.now)
        if process is None:
            raise CityError("unknownError", status=404, style=Style.THROWN)
        return world.desk.as_json(process, call.now)


def _captcha_problem(call: Call) -> str | None:
    """What is wrong with the token, or at older releases the solved puzzle, of a reservation; None for nothing."""
    world, office_id = call.world, call.body.get("officeId")
    if not (isinstance(office_id, int | str) and str(office_id).isdigit()):
        return None
    scope = world.catalogue.scope(int(office_id))
    if scope is None or not scope.captcha:
        return None
    if world.release.guards_availability:
        return world.captcha.token_problem(call.body.get("captchaToken"), call.address, call.now)
    if not world.release.checks_solutions:
        return None
    if call.captcha_down:
        return "captchaVerificationError"
    with world.lock:
        accepted = world.puzzles.accepts(call.body.get("captchaSolution"), call.now)
    return None if accepted else "captchaVerificationFailed"


def update_appointment(call: Call) -> object:
    number, key = process_ids(call.body)
    with call.world.lock:
        return call.world.desk.as_json(call.world.desk.update(number, key, call.body), call.now)


def preconfirm_appointment(call: Call) -> object:
    number, key = process_ids(call.body)
    with call.world.lock:
        return call.world.desk.as_json(call.world.desk.preconfirm(number, key, call.now), call.now)


def confirm_appointment(call: Call) -> object:
    number, key = process_ids(call.body)
    with call.world.lock:
        process = call.world.desk.confirm(number, key, call.now)
        return call.world.desk.as_json(process, call.now, _fresh_token(call))


def appointment(call: Call) -> object:
    number, key = process_ids(call.query)
    with call.world.lock:
        process = call.world.desk.find(number, key)
        return call.world.desk.as_json(process, call.now, _fresh_token(call))


def cancel_appointment(call: Call) -> object:
    number, key = process_ids(call.body)
    with call.world.lock:
        return call.world.desk.cancel(number, key, call.now)


def my_appointments(call: Call) -> object:
    """Nobody can log in here, so nobody has appointments of their own."""
    style = Style.HANDLED if call.bearer is None else Style.THROWN
    raise CityError("authKeyMismatch", status=401, style=style)


def _fresh_token(call: Call) -> str:
    if not call.world.release.guards_availability:
        return ""
    return call.world.captcha.token(call.address, call.now)


Endpoint = Callable[[Call], object]

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "offices-and-services"): offices_and_services,
    ("GET", "available-calendar"): available_calendar,
    ("GET", "captcha-details"): captcha_details,
    ("GET", "captcha-challenge"): captcha_challenge,
    ("POST", "captcha-verify"): captcha_verify,
    ("POST", "reserve-appointment"): reserve_appointment,
    ("POST", "update-appointment"): update_appointment,
    ("POST", "preconfirm-appointment"): preconfirm_appointment,
    ("POST", "confirm-appointment"): confirm_appointment,
    ("GET", "appointment"): appointment,
    ("POST", "cancel-appointment"): cancel_appointment,
    ("GET", "my-appointments"): my_appointments,
}
