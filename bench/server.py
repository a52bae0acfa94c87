"""The simulated city and Telegram in this process, with a stopwatch on every exchange.

A server of our own and not a proxy: nothing stands between the simulators and who is measured, and request and answer
are timed by one clock. Keep-alive and answers in one piece, as a real server has them.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from termin_project.sandbox.city import CityWorld, city_app
from termin_project.sandbox.telegram import TelegramWorld, telegram_app

# Not to be reached: sixty samples at the city's sixty calls in a row would take an hour.
CITY_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. Times are `time.perf_counter()`.

    `arrived_at`: its first line was read; `answered_at`: the last byte of the answer was handed to the kernel.
    """

    path: str
    request: bytes
    answer: bytes
    arrived_at: float
    answered_at: float


class Simulators:
    """Both simulators behind one port of loopback; a context manager."""

    def __init__(self, port: int, city: CityWorld | None = None) -> None:
        self.city = city or CityWorld(limit=CITY_LIMIT, captcha_cost=1)
        self.telegram = TelegramWorld()
        self.exchanges: list[Exchange] = []
        self._news = threading.Condition()
        apps = {"/city/": city_app(self.city), "/bot": telegram_app(self.telegram)}
        self._delays: dict[str, float] = {}
        handler = type("Handler", (_Handler,), {"apps": apps, "keep": self._keep, "delays": self._delays})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1})

    @property
    def port(self) -> int:
        """Where they answer; port 0 asks for any free one."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Simulators:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.telegram.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def delay(self, endpoint: str, seconds: float) -> None:
        """Answer requests to `endpoint` so much later from now on, as a city with a lot to do."""
        self._delays[endpoint] = seconds

    def _keep(self, exchange: Exchange) -> None:
        with self._news:
            self.exchanges.append(exchange)
            self._news.notify_all()

    def wait_for(
        self, wanted: Callable[[Exchange], bool], since: int, seconds: float, count: int = 1
    ) -> list[Exchange]:
        """The first `count` exchanges from number `since` that are `wanted`. Raises `TimeoutError`."""
        found: list[Exchange] = []
        looked_at = since
        end = time.monotonic() + seconds
        with self._news:
            while True:
                found += [exchange for exchange in self.exchanges[looked_at:] if wanted(exchange)]
                looked_at = len(self.exchanges)
                if len(found) >= count:
                    return found[:count]
                if not self._news.wait(timeout=max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"{len(found)} of {count} exchanges within {seconds:g} s")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that were killed break their connections; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    apps: dict[str, Callable[..., Any]]
    keep: Callable[[Exchange], None]
    delays: dict[str, float]
    arrived_at: float

    def parse_request(self) -> bool:
        self.arrived_at = time.perf_counter()
        return super().parse_request()

    def _exchange(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.input": io.BytesIO(body),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }
        app = next(app for prefix, app in self.apps.items() if path.startswith(prefix))
        time.sleep(sum(seconds for endpoint, seconds in self.delays.items() if endpoint in path))
        answer = b"".join(app(environ, self._start))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()
        answered_at = time.perf_counter()
        type(self).keep(Exchange(path, body, answer, self.arrived_at, answered_at))

    do_GET = do_POST = _exchange  # noqa: N815 - the base class' names

    def _start(self, status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        number, _, phrase = status.partition(" ")
        self.send_response_only(int(number), phrase)
        for name, value in headers:
            self.send_header(name, value)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
