"""The city over HTTP: one WSGI application for the citizen API and the control handles."""

from __future__ import annotations

import errno
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs

from termin_project.sandbox.city import friendly
from termin_project.sandbox.city.answers import Answer, answer, gateway_refusal, html_page, plain_json
from termin_project.sandbox.city.api import ENDPOINTS, Call, Endpoint
from termin_project.sandbox.city.availability import OLDER_ENDPOINTS
from termin_project.sandbox.city.control import control_answer
from termin_project.sandbox.city.errors import CityError, Crash, LostConnection, Style
from termin_project.sandbox.city.faults import PUZZLE, ActiveFault
from termin_project.sandbox.city.limiter import Counted
from termin_project.sandbox.city.params import ValueTooLong, body_values, query_values
from termin_project.sandbox.city.world import CityWorld

logger = logging.getLogger(__name__)

# What is no refusal in the city's own envelope, by kind of fault: HTTP status and body.
_ODD_SHAPES: dict[str, tuple[int, object]] = {
    "no_errors": (200, {"errors": []}),
    "no_code": (400, {"errors": [{"errorMessage": "Something is wrong.", "statusCode": 400}]}),
    "framework": (500, {"error": {"message": "An internal error has occurred.", "code": 0}}),
    "spring": (
        404,
        {"timestamp": "2026-11-23T10:00:30.000+00:00", "path": "/", "status": 404, "error": "Not Found"},
    ),
}

StartResponse = Callable[[str, list[tuple[str, str]]], object]
API, CONTROL = "/api/citizen", "/control"
FRIENDLY = "/friendly"
PUZZLE_PATH = f"{FRIENDLY}/api/v1/puzzle"
ROUTES: dict[tuple[str, str], Endpoint] = {**ENDPOINTS, **OLDER_ENDPOINTS}


@dataclass(slots=True)
class Request:
    """What the city sees of a request. `path` is what follows the API's base address."""

    method: str
    path: str
    query: dict[str, str]
    repeated: bool
    address: str
    content_type: str
    body: bytes
    bearer: str | None
    if_modified_since: str | None
    host: str

    @property
    def endpoint(self) -> str:
        """The endpoint's name; "" for the root and for paths that are not of the form `/name/`."""
        return self.path[1:].removesuffix("/") if self.path.startswith("/") else ""


def city_app(world: CityWorld) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The WSGI application for this city.

    It answers below `/api/citizen/` (any prefix before it) and below `/control/` (bare or after `/city`). Beside the
    API, below `/friendly/`, is the service that older releases have their captcha from.
    A lost answer is a `LostConnection` out of the application: servers close the connection on it.
    """

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        if API in path:
            reply = _api(world, environ, path.partition(API)[2])
        elif path.removeprefix("/city").startswith(CONTROL + "/"):
            reply = control_answer(world, environ, path.removeprefix("/city")[len(CONTROL) :])
        elif path.endswith(PUZZLE_PATH):
            reply = _puzzle(world, environ)
        else:
            reply = answer(404, {"error": {"message": "Not found.", "code": 404}}, Style.EARLY, None, 0)
        body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else reply.body
        length = [] if reply.status == 304 else [("Content-Length", str(len(body)))]
        start_response(reply.status_line, [*reply.headers, *length])
        return [body]

    return application


def _api(world: CityWorld, environ: dict[str, Any], path: str) -> Answer:
    world.tick()
    address = _address(environ)
    method = environ.get("REQUEST_METHOD", "GET")
    try:
        reply = _answer(world, environ, path, address)
    except LostConnection:
        world.log(method, path, address, 0, "lost")
        raise
    if world.gateway and reply.status >= 500 and reply.status != 503:
        reply = gateway_refusal()
    world.log(method, path, address, reply.status, reply.code)
    return reply


def _answer(world: CityWorld, environ: dict[str, Any], path: str, address: str) -> Answer:
    if address in world.blacklist:
        return _refusal(world, "IP_BLACKLISTED")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > world.max_body:
        return _refusal(world, "requestEntityTooLarge")
    try:
        query, repeated = query_values(environ.get("QUERY_STRING", ""))
    except ValueTooLong:
        return Answer(500, [("Content-Type", "text/html; charset=UTF-8")], b"", "crash")
    body = environ["wsgi.input"].read(length) if length else b""
    request = Request(
        environ.get("REQUEST_METHOD", "GET"),
        path,
        query,
        repeated,
        address,
        environ.get("CONTENT_TYPE", ""),
        body,
        environ.get("HTTP_AUTHORIZATION"),
        environ.get("HTTP_IF_MODIFIED_SINCE"),
        _host(environ),
    )
    if world.gateway and request.repeated:
        return gateway_refusal()
    with world.lock:
        fault = world.faults.take(request.endpoint, checks_solutions=world.release.checks_solutions)
    if fault is not None:
        spoilt = _spoilt_before(world, fault)
        if spoilt is not None:
            return spoilt
    with world.lock:
        counted = world.limiter.accept(address, world.now())
    if counted is None:
        return _refusal(world, "rateLimitExceeded")
    reply = _counted_answer(world, request, counted, fault)
    if fault is None:
        return reply
    return _spoilt_after(world, fault, counted, reply)


def _puzzle(world: CityWorld, environ: dict[str, Any]) -> Answer:
    """A puzzle for whoever names the city's site key. The city does not count it: it goes to another service."""
    with world.lock:
        fault = world.faults.take(PUZZLE)
        if fault is not None:
            spoilt = _spoilt_before(world, fault)
            return spoilt or plain_json(503, {"success": False, "errors": ["service_unavailable"]})
        if parse_qs(environ.get("QUERY_STRING", "")).get("sitekey") != [friendly.SITE_KEY]:
            return plain_json(400, {"success": False, "errors": ["sitekey_invalid"]})
        return plain_json(200, {"data": {"puzzle": world.puzzles.puzzle(world.now())}})


def _host(environ: dict[str, Any]) -> str:
    """Where the service of the puzzles is, as the caller of the API reaches it."""
    port = str(environ.get("SERVER_PORT", "80"))
    named = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "") + (f":{port}" if port != "80" else "")
    before = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).partition(API)[0]
    return f"{environ.get('wsgi.url_scheme', 'http')}://{named}{before}{FRIENDLY}"


def _spoilt_before(world: CityWorld, fault: ActiveFault) -> Answer | None:
    """Faults that keep a request from being handled at all; None when it goes on."""
    if fault.kind == "rate_limited":
        return _refusal(world, "rateLimitExceeded")
    if fault.kind == "gateway_400":
        return gateway_refusal()
    if fault.kind == "html_502":
        return html_page(502, "502 Bad Gateway")
    if fault.kind == "html_200":
        return html_page(200, "Wartungsarbeiten")
    if fault.kind == "lost_before":
        raise LostConnection(errno.ECONNRESET, "the simulated city closed the connection")
    if fault.kind == "slow":
        time.sleep(fault.seconds)
    return None


def _spoilt_after(world: CityWorld, fault: ActiveFault, counted: Counted, reply: Answer) -> Answer:
    """Faults that spoil the answer of a request that was handled."""
    if fault.kind == "error" and fault.after:
        error = CityError(fault.code, status=fault.status, style=Style.THROWN)
        return _refused(world, error, counted, world.now())
    if fault.kind == "truncated_json":
        reply.body = reply.body[: len(reply.body) // 2]
    elif fault.kind == "empty_body":
        reply.body = b""
    elif fault.kind == "lost_after":
        raise LostConnection(errno.ECONNRESET, "the simulated city closed the connection")
    return reply


def _counted_answer(
    world: CityWorld, request: Request, counted: Counted, fault: ActiveFault | None
) -> Answer:
    now = world.now()
    kind = fault.kind if fault else None
    try:
        if kind == "maintenance":
            raise CityError("serviceUnavailable", style=Style.MAINTENANCE)
        if kind == "backend_down":
            raise CityError("zmsClientCommunicationError")
        if fault is not None and kind == "error" and not fault.after:
            raise CityError(fault.code, status=fault.status, style=Style.THROWN)
        if kind is not None and kind in _ODD_SHAPES:
            return answer(*_ODD_SHAPES[kind], Style.CRASHED, counted, now, kind)
        return _handled(world, request, counted, now, kind)
    except CityError as error:
        return _refused(world, error, counted, now)
    except Crash:
        crashed = {"error": {"message": "An internal error has occurred.", "code": 0}}
        return answer(500, crashed, Style.CRASHED, counted, now, "crash")


def _refused(world: CityWorld, error: CityError, counted: Counted, now: float) -> Answer:
    """A refusal in the words of the city's present release."""
    status = error.status if error.overruled else world.release.status_of(error.codes, error.status)
    document = world.release.refusal(error.codes, now)
    return answer(status, document, error.style, counted, now, error.codes[0])


def _handled(world: CityWorld, request: Request, counted: Counted, now: float, kind: str | None) -> Answer:
    if request.path in ("", "/"):
        nowhere = {"error": {"message": "Not found.", "code": 404}}
        return answer(404, nowhere, Style.CRASHED, counted, now, "notFound")
    known = world.release.has(request.endpoint)
    if request.method == "HEAD" and known and ("GET", request.endpoint) in ROUTES:
        raise CityError("invalidRequest")
    endpoint = ROUTES.get((request.method, request.endpoint))
    if endpoint is None or not known:
        raise CityError("notFound", style=Style.ROUTED)
    fields = body_values(request.content_type, request.body) if request.method == "POST" else {}
    document = endpoint(
        Call(
            world,
            request.address,
            now,
            request.query,
            fields,
            request.bearer,
            host=request.host,
            captcha_down=kind == "captcha_down",
            lost_race=kind == "lost_race",
        )
    )
    if request.endpoint == "offices-and-services" and _not_modified(request.if_modified_since, now):
        return answer(304, None, Style.HANDLED, counted, now)
    document = world.release.aged(request.endpoint, document, now)
    return answer(200, document, Style.HANDLED, counted, now)


def _not_modified(since: str | None, now: float) -> bool:
    """The city's documents are always of this very second, so only a date not yet past matches."""
    if not since:
        return False
    try:
        return parsedate_to_datetime(since).timestamp() >= int(now)
    except ValueError:
        return False


def _refusal(world: CityWorld, code: str) -> Answer:
    refused = world.release.refusal([code], world.now())
    return answer(CityError(code).status, refused, Style.EARLY, None, 0, code)


def _address(environ: dict[str, Any]) -> str:
    """The caller's address: the first valid one of `X-Forwarded-For`, else that of the connection."""
    for candidate in environ.get("HTTP_X_FORWARDED_FOR", "").split(","):
        try:
            return str(ipaddress.ip_address(candidate.strip()))
        except ValueError:
            continue
    return str(environ.get("REMOTE_ADDR") or "127.0.0.1")
