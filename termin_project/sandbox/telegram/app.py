"""The simulated Telegram over HTTP: `/bot<token>/...`, `/file/bot<token>/...`, `/telegram/control/...`."""

import errno
import json
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote

from termin_project.sandbox.telegram import control
from termin_project.sandbox.telegram.bodies import Environ, read_body, read_params
from termin_project.sandbox.telegram.errors import ApiError, ControlError
from termin_project.sandbox.telegram.profile import call
from termin_project.sandbox.telegram.records import Fault
from termin_project.sandbox.telegram.world import TelegramWorld

StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_BOT = re.compile(r"/bot(?P<token>[^/]+)/(?P<method>[^/]*)")
_FILE = re.compile(r"/file/bot(?P<token>[^/]+)/(?P<path>.+)")
_CONTROL = "/telegram/control/"


class Answer:
    """One HTTP answer: JSON unless `body` is given as bytes."""

    def __init__(
        self, status: int, body: object, content_type: str = "application/json", **headers: str
    ) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.headers = [("Content-Type", content_type), ("Content-Length", str(len(self.body)))]
        self.headers += [(name.replace("_", "-"), value) for name, value in headers.items()]

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Hand it to the server."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        start_response(f"{self.status} {phrase}", self.headers)
        return [self.body]


def telegram_app(world: TelegramWorld) -> WsgiApp:
    """A WSGI application for one simulated Telegram; any number of threads may call it at once."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if match := _BOT.fullmatch(path):
            return _bot(world, environ, **match.groupdict()).send(start_response)
        if match := _FILE.fullmatch(path):
            return _file(world, **match.groupdict()).send(start_response)
        if path.startswith(_CONTROL):
            return _control(world, environ, path.removeprefix(_CONTROL)).send(start_response)
        return Answer(404, ApiError(404, "Not Found").as_json()).send(start_response)

    return app


# --- the bot's side ------------------------------------------------------------------------------------------


def _bot(world: TelegramWorld, environ: Environ, token: str, method: str) -> Answer:
    try:
        if token != world.token:
            raise ApiError(401, "Unauthorized")
        params = read_params(environ)
        with world.lock:
            world.requests[method] += 1
        fault = world.next_fault(method.lower(), params.values.get("chat_id", ""))
        if fault and (answer := _trouble_before(fault)):
            with world.lock:
                world.refusals[f"{answer.status}"] += 1
            return answer
        result = call(world, method, params)
        if fault and fault.kind == "lost_after":
            hang_up()
        return Answer(200, {"ok": True, "result": result})
    except ApiError as error:
        with world.lock:
            world.refusals[f"{error.code}"] += 1
        headers = {"Retry_After": str(error.retry_after)} if error.retry_after is not None else {}
        return Answer(error.code, error.as_json(), **headers)


def _trouble_before(fault: Fault) -> Answer | None:
    """The answer of a fault that keeps the request from having any effect; `None` when it goes on."""
    if fault.kind == "429":
        raise ApiError(
            429, f"Too Many Requests: retry after {fault.retry_after}", retry_after=fault.retry_after
        )
    if fault.kind == "500":
        raise ApiError(500, "Internal Server Error")
    if fault.kind == "502":
        page = (
            b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        )
        return Answer(502, page, "text/html")
    if fault.kind == "slow":
        time.sleep(fault.seconds)
    if fault.kind == "lost_before":
        hang_up()
    return None


def hang_up() -> NoReturn:
    """Break the connection, so that the caller gets no answer at all.

    gunicorn and the server of the tests close the connection without a word on this error, and a mounted
    application hands it to the caller.
    """
    raise ConnectionResetError(errno.ECONNRESET, "the simulated Telegram hung up")


def _file(world: TelegramWorld, token: str, path: str) -> Answer:
    if token != world.token:
        return Answer(401, ApiError(401, "Unauthorized").as_json())
    stored = next((f for f in world.files.values() if f.path == path), None)
    if stored is None:
        return Answer(404, ApiError(404, "Not Found").as_json())
    return Answer(200, world.content(stored), stored.mime_type)


# --- the person's side -----------------------------------------------------------------------------------------

_ACTIONS: dict[str, Callable[[TelegramWorld, dict[str, Any]], dict[str, Any]]] = {
    "say": control.say,
    "meet": control.meet,
    "press": control.press,
    "read": control.read,
    "block": control.block,
    "faults": control.faults,
}


def _control(world: TelegramWorld, environ: Environ, what: str) -> Answer:
    try:
        if what == "faults" and environ["REQUEST_METHOD"] in ("GET", "DELETE"):
            return Answer(200, control.waiting_faults(world, clear=environ["REQUEST_METHOD"] == "DELETE"))
        if what in _ACTIONS:
            if environ["REQUEST_METHOD"] != "POST":
                return Answer(405, {"error": "Send this with POST and a JSON body."}, Allow="POST")
            return Answer(200, _ACTIONS[what](world, _json_body(environ)))
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Answer(405, {"error": "Ask for this with GET."}, Allow="GET")
        if what == "messages":
            return Answer(200, _messages(world, environ))
        if what == "chats":
            return Answer(200, control.chats(world))
        if what == "state":
            return Answer(200, control.state(world))
        if what.startswith("file/"):
            return _attachment(world, what.removeprefix("file/"))
    except (ControlError, ApiError) as error:
        return Answer(400, {"error": str(error)})
    known = ", ".join([*_ACTIONS, "messages", "chats", "state", "file/ID"])
    return Answer(404, {"error": f"There is no such handle. There are: {known}."})


def _json_body(environ: Environ) -> dict[str, Any]:
    try:
        given = json.loads(read_body(environ) or b"{}")
    except ValueError as error:
        raise ControlError("The body must be JSON.") from error
    if not isinstance(given, dict):
        raise ControlError('The body must be a JSON object, such as {"chat": 1, "text": "/start"}.')
    return given


def _messages(world: TelegramWorld, environ: Environ) -> list[dict[str, Any]]:
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    numbers = {}
    for name in ("chat", "after", "since_version"):
        try:
            numbers[name] = int(query[name]) if name in query else None
        except ValueError as error:
            raise ControlError(f'"{name}" must be a whole number.') from error
    if numbers["chat"] is None:
        raise ControlError('"chat" is missing: messages?chat=1')
    return control.messages(
        world, numbers["chat"], after=numbers["after"] or 0, since_version=numbers["since_version"]
    )


def _attachment(world: TelegramWorld, file_id: str) -> Answer:
    stored = world.files.get(file_id)
    if stored is None:
        return Answer(404, {"error": "There is no such file."})
    disposition = f"attachment; filename*=UTF-8''{quote(stored.name)}"
    return Answer(200, world.content(stored), stored.mime_type, Content_Disposition=disposition)
