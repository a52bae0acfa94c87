"""Handles for people and tests: open slots, break things, move the clock, read the mail, look inside.

They answer JSON, bad input with 400 and `{"error": "..."}`. They are not counted by the city's limiter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

from termin_project.sandbox.city.answers import Answer, plain_json
from termin_project.sandbox.city.appointments import Process
from termin_project.sandbox.city.clock import BERLIN
from termin_project.sandbox.city.errors import CityError
from termin_project.sandbox.city.mail import german_time, read_link_token
from termin_project.sandbox.city.releases import Release
from termin_project.sandbox.city.world import CityWorld

LONGEST_BODY = 100_000


class BadInput(ValueError):
    """What was sent makes no sense; the text says why."""


def control_answer(world: CityWorld, environ: dict[str, Any], path: str) -> Answer:
    """The answer to a request below `/control`."""
    method = environ.get("REQUEST_METHOD", "GET")
    name = path.strip("/")
    if name.startswith("confirm/"):
        if method != "POST":
            return plain_json(405, {"error": "Use POST."})
        return follow_link(world, unquote(name.removeprefix("confirm/")))
    handlers = HANDLERS.get(name)
    if handlers is None:
        return plain_json(404, {"error": f"There is no handle {name}. There are: {', '.join(HANDLERS)}."})
    handler = handlers.get(method)
    if handler is None:
        return plain_json(405, {"error": f"Use {' or '.join(handlers)}."})
    query = {key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    try:
        fields = _fields(environ) if method in ("POST", "DELETE") else {}
        world.tick()
        return plain_json(200, handler(world, fields, query))
    except ValueError as error:
        return plain_json(400, {"error": str(error)})


def _fields(environ: dict[str, Any]) -> dict[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        raise BadInput("The body is too long.")
    body = environ["wsgi.input"].read(length) if length else b""
    if not body.strip():
        return {}
    try:
        fields = json.loads(body)
    except ValueError:
        raise BadInput("The body has to be JSON.") from None
    if not isinstance(fields, dict):
        raise BadInput("The body has to be a JSON object.")
    return fields


# slots


def _slot_fields(fields: dict[str, Any]) -> tuple[int, list[int], datetime]:
    office = _whole(fields, "office")
    services = fields.get("services", fields.get("service"))
    services = services if isinstance(services, list) else [services]
    if not all(isinstance(item, int | str) and str(item).isdigit() for item in services):
        raise BadInput("services has to be a list of service ids.")
    return office, [int(item) for item in services], _instant(fields.get("starts_at"))


def _instant(value: object) -> datetime:
    """ISO 8601 (without a zone: the wall clock of Munich) or Unix seconds."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadInput("starts_at is no point in time.") from None
    raise BadInput("starts_at has to be an ISO time or Unix seconds.")


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
        raise BadInput(f"{name} has to be a whole number.")
    return int(value)


def open_slots(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    office, services, starts_at = _slot_fields(fields)
    places = _whole(fields, "places") if "places" in fields else 1
    if starts_at <= world.clock.now():
        raise BadInput("starts_at lies in the past.")
    world.add_places(office, services, starts_at, places)
    free = world.free_places(office, services, starts_at)
    return {"opened": places, "free": free, "starts_at": int(starts_at.timestamp())}


def close_slots(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    office, services, starts_at = _slot_fields(fields)
    places = _whole(fields, "places") if "places" in fields else None
    closed = world.remove_places(office, services, starts_at, places)
    free = world.free_places(office, services, starts_at)
    return {"closed": closed, "free": free, "starts_at": int(starts_at.timestamp())}


# faults, clock, life


def add_fault(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    paths = fields.get("paths")
    if isinstance(paths, str):
        paths = [paths]
    if paths is not None and not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
        raise BadInput("paths has to be a list of endpoint names.")
    count = None if "count" in fields and fields["count"] is None else _whole({"count": 1, **fields}, "count")
    seconds = fields.get("seconds", 5.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise BadInput("seconds has to be a number.")
    with world.lock:
        world.faults.add(
            str(fields.get("kind", "")),
            count,
            paths,
            seconds=float(seconds),
            code=str(fields.get("code") or ""),
            status=None if fields.get("status") is None else _whole(fields, "status"),
            after=fields.get("after") is True,
        )
        return {"faults": world.faults.as_json()}


def clear_faults(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    with world.lock:
        world.faults.clear()
    return {"faults": []}


def show_faults(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    with world.lock:
        return {"faults": world.faults.as_json()}


def move_clock(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    seconds = fields.get("advance_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 400 * 86_400:
        raise BadInput("advance_seconds has to be a number from 0 to 400 days.")
    with world.lock:
        world.clock.advance(timedelta(seconds=seconds))
        world.changes += 1
        world.tick()
    return show_clock(world, fields, query)


def show_clock(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    now = world.clock.now()
    return {"now": now.isoformat(timespec="seconds"), "unix": int(now.timestamp())}


def switch_dialect(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    """The city changes its software: to the release of a `dialect`, of a `tag`, or of both."""
    if fields.get("dialect") is None and fields.get("tag") is None:
        raise BadInput("dialect (D0 to D3) or tag (such as 45) is needed.")
    tag = None if fields.get("tag") is None else _whole(fields, "tag")
    dialect = None if fields.get("dialect") is None else str(fields["dialect"])
    with world.lock:
        world.release = Release.of(dialect, tag)
        world.changes += 1
    return show_dialect(world, fields, query)


def show_dialect(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    release = world.release
    return {"dialect": release.dialect, "tag": release.tag, "captcha": release.captcha}


def switch_life(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    on = fields.get("on", fields.get("life"))
    if not isinstance(on, bool):
        raise BadInput("on has to be true or false.")
    with world.lock:
        if on:
            world.generate()
        else:
            world.life.on = False
            world.changes += 1
    return {"on": on}


# looking in


def show_state(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    """Reservations, appointments, requests by path and minute, refusals by code. Keys are not shown."""
    with world.lock:
        minutes = Counter((entry.path, int(entry.at // 60) * 60) for entry in world.requests)
        by_minute: dict[str, dict[str, int]] = {}
        for (path, minute), count in sorted(minutes.items()):
            by_minute.setdefault(path, {})[_iso(minute)] = count
        refusals = Counter(entry.code for entry in world.requests if entry.code != "ok")
        return {
            "now": _iso(world.now()),
            "life": world.life.on,
            "dialect": world.release.dialect,
            "tag": world.release.tag,
            "reservations": [_shown(world, process) for process in world.reservations],
            "appointments": [_shown(world, process) for process in world.appointments],
            "requests": {
                "total": len(world.requests),
                "by_path": dict(Counter(entry.path for entry in world.requests)),
                "by_minute": by_minute,
            },
            "refusals": dict(refusals),
            "faults": world.faults.as_json(),
            "mails": len(world.mails),
        }


def _shown(world: CityWorld, process: Process) -> dict[str, object]:
    return {
        "process_id": process.number,
        "status": process.status,
        "office": process.office_id,
        "services": [{"service": service, "count": count} for service, count in process.wanted],
        "starts_at": process.starts_at,
        "starts_at_iso": _iso(process.starts_at),
        "reserved_at": _iso(process.reserved_at),
        "family_name": process.family_name,
        "email": process.email,
        "slots": process.slots,
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def show_mail(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    to = query.get("to", "").strip().lower()
    return [mail.as_json() for mail in world.mails if not to or mail.to.lower() == to]


def show_addresses(world: CityWorld, fields: dict[str, Any], query: dict[str, str]) -> object:
    counts = Counter(mail.to for mail in world.mails)
    return [{"address": address, "count": count} for address, count in sorted(counts.items())]


# following the link of a mail


def follow_link(world: CityWorld, token: str) -> Answer:
    """Do what the city's page does when the link of an activation mail is opened.

    200 with outcome confirmed or already_confirmed, 404 with expired, 400 with broken_link.
    """
    ids = read_link_token(token)
    if ids is None:
        return plain_json(
            400,
            {
                "outcome": "broken_link",
                "title": "Dieser Link ist unvollständig",
                "text": "Bitte öffnen Sie den Link aus der E-Mail noch einmal.",
            },
        )
    world.tick()
    now = world.now()
    with world.lock:
        world.changes += 1
        try:
            process = world.desk.confirm(*ids, now)
            return plain_json(200, _outcome(world, process, "confirmed", "Ihr Termin ist bestätigt"))
        except CityError as error:
            codes = error.codes
        if "processNotPreconfirmedAnymore" in codes:
            try:
                process = world.desk.find(*ids)
                return plain_json(
                    200, _outcome(world, process, "already_confirmed", "Dieser Termin ist schon aktiviert")
                )
            except CityError as error:
                codes = error.codes
    return plain_json(
        404,
        {
            "outcome": "expired",
            "code": codes[0],
            "title": "Die Zeit zum Aktivieren ist abgelaufen",
            "text": "Der Termin wurde wieder freigegeben. Bitte buchen Sie einen neuen.",
        },
    )


def _outcome(world: CityWorld, process: Process, outcome: str, title: str) -> dict[str, object]:
    office = world.catalogue.offices[process.office_id]
    place = office.place
    return {
        "outcome": outcome,
        "status": process.status,
        "title": title,
        "text": f"{world.desk.service_names(process)}, {german_time(process.starts_at)}, {office.name}",
        "process_id": process.number,
        "display_number": str(process.number),
        "services": world.desk.service_names(process),
        "office": office.name,
        "address": f"{place.street} {place.house_number}, {place.postal_code} {place.city}",
        "when": german_time(process.starts_at),
        "starts_at": process.starts_at,
    }


Handler = Callable[[CityWorld, dict[str, Any], dict[str, str]], object]

HANDLERS: dict[str, dict[str, Handler]] = {
    "slots": {"POST": open_slots, "DELETE": close_slots},
    "faults": {"POST": add_fault, "DELETE": clear_faults, "GET": show_faults},
    "clock": {"POST": move_clock, "GET": show_clock},
    "life": {"POST": switch_life},
    "dialect": {"POST": switch_dialect, "GET": show_dialect},
    "state": {"GET": show_state},
    "mail": {"GET": show_mail},
    "mail/addresses": {"GET": show_addresses},
}
