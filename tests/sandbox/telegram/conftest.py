"""A simulated Telegram to talk to, in the same process or over real HTTP on loopback."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from termin_project.sandbox.telegram import SANDBOX_TOKEN, TelegramWorld, telegram_app
from termin_project.sandbox.telegram.app import WsgiApp


class Now:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)


class Api:
    """Calls the application without a socket; the status of the last answer stands in `status`."""

    def __init__(self, app: WsgiApp, token: str = SANDBOX_TOKEN) -> None:
        self.app = app
        self.token = token
        self.status = 0
        self.headers: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "", query: str = ""
    ) -> bytes:
        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            self.status = int(status.split()[0])
            self.headers = dict(headers)

        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        return b"".join(self.app(environ, start_response))

    def raw(self, method: str, **params: Any) -> dict[str, Any]:
        """A Bot API call with a JSON body; the whole answer."""
        body = json.dumps(params).encode()
        answer: dict[str, Any] = json.loads(
            self.request("POST", f"/bot{self.token}/{method}", body, "application/json")
        )
        return answer

    def ok(self, method: str, **params: Any) -> Any:
        """The result of a Bot API call that has to succeed."""
        answer = self.raw(method, **params)
        assert answer["ok"], answer
        return answer["result"]

    def refused(self, method: str, **params: Any) -> str:
        """The description of a Bot API call that has to fail."""
        answer = self.raw(method, **params)
        assert not answer["ok"], answer
        assert answer["error_code"] == self.status
        return str(answer["description"])

    def control(self, what: str, **params: Any) -> Any:
        """A POST to the person's side."""
        return json.loads(
            self.request("POST", f"/telegram/control/{what}", json.dumps(params).encode(), "application/json")
        )

    def look(self, what: str, query: str = "") -> Any:
        """A GET to the person's side."""
        return json.loads(self.request("GET", f"/telegram/control/{what}", query=query))


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def world(now: Now) -> TelegramWorld:
    return TelegramWorld(now=now, burst=100, overall=1000)


@pytest.fixture
def api(world: TelegramWorld) -> Api:
    return Api(telegram_app(world))


@pytest.fixture
def ada(api: Api) -> int:
    """The chat of somebody who has started the bot."""
    api.control("say", chat=1, text="/start", first_name="Ada", language_code="en")
    return 1


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test says what went wrong."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def serve() -> Iterator[Any]:
    """Puts an application on a free port of loopback and gives its base URL."""
    running: list[tuple[WSGIServer, threading.Thread]] = []

    def start(app: WsgiApp) -> str:
        server = make_server("127.0.0.1", 0, app, server_class=_Threaded, handler_class=_Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(5)
