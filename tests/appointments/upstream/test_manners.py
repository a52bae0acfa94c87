"""How we behave on the wire, with the session of the wiring and real sockets: like one honest, patient client."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests
from urllib3.util import connection as wire

from appointments import wiring
from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from captcha.client import CaptchaApi
from tests.appointments.upstream.sockets import receive, server
from tests.appointments.upstream.wire import (
    CONTACT,
    END,
    KEY,
    SERVICES,
    SLOT,
    START,
    Recorder,
    appointment_body,
    calendar_body,
    error_body,
)

DETAILS = {"siteKey": "x", "captchaEnabled": True}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """The session every process of ours uses, made anew."""
    wiring.city_session.cache_clear()
    yield wiring.city_session()
    wiring.city_session().close()
    wiring.city_session.cache_clear()


def response(body: object, status: int = 200, **headers: str) -> bytes:
    raw = json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(raw)}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class KeepAlive:
    """A server that keeps connections open, answers from a list, and remembers what it was told."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.received: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        with suppress(OSError, IndexError):
            while True:
                request = receive(connection)
                if not request:
                    return
                head, _, body = request.partition(b"\r\n\r\n")
                length = next(
                    (int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0
                )
                while len(body) < length:
                    body += connection.recv(4096)
                self.received.append(head + b"\r\n\r\n" + body)
                connection.sendall(self.answers.pop(0))


def api_at(base_url: str, session: requests.Session) -> CitizenApi:
    return CitizenApi(session, base_url, gate=Recorder(), time_limit=(1, 2))


# One connection


def test_one_connection_serves_every_kind_of_call_and_of_answer(session: requests.Session) -> None:
    city = KeepAlive(
        response(DETAILS),
        response(calendar_body()),
        response(error_body("appointmentNotFound"), 404),
        response(appointment_body()),
        response(error_body("unknownError"), 500),
        response(error_body("rateLimitExceeded"), 429),
        response({"meta": {"success": False}, "data": {"valid": False}}),
        b"HTTP/1.1 302 Moved\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n",
        response(DETAILS),
    )
    with server(city) as base_url:
        api, captcha = api_at(base_url, session), CaptchaApi(session, base_url, gate=Recorder())
        acts: list[Callable[[], object]] = [
            api.probe,
            lambda: api.calendar(SERVICES, [1], START, END),
            lambda: api.appointment(KEY),
            lambda: api.reserve(SLOT, SERVICES),
            lambda: api.update(KEY, CONTACT),
            api.probe,
            lambda: captcha.verify("cGF5bG9hZA=="),
            lambda: api.cancel(KEY),
            api.probe,
        ]
        for act in acts:
            with suppress(Exception):
                act()

    assert (len(city.received), city.connections) == (9, 1)


def test_many_calls_use_one_connection(session: requests.Session) -> None:
    city = KeepAlive(*[response(DETAILS)] * 50)

    with server(city) as base_url:
        api = api_at(base_url, session)
        for _ in range(50):
            api.probe()

    assert (len(city.received), city.connections) == (50, 1)


def test_a_connection_the_city_closed_is_opened_again_without_repeating_anything(
    session: requests.Session,
) -> None:
    city = KeepAlive(response(DETAILS), response(appointment_body(status="preconfirmed")))

    def one_each(connection: socket.socket) -> None:
        city.connections += 1
        city.received.append(receive(connection))
        connection.sendall(city.answers.pop(0))

    with server(one_each) as base_url:
        api = api_at(base_url, session)
        api.probe()
        time.sleep(0.05)
        assert api.preconfirm(KEY).status == "preconfirmed"

    assert [each.split(b" ")[0] for each in city.received] == [b"GET", b"POST"]
    assert city.connections == 2


def test_a_change_on_a_connection_that_dies_is_not_sent_again(session: requests.Session) -> None:
    """The worst moment: kept open until the request is read, then closed without a byte."""
    city = KeepAlive(response(DETAILS))

    with server(city) as base_url:
        api = api_at(base_url, session)
        api.probe()
        with pytest.raises(errors.OutcomeUnknown):
            api.preconfirm(KEY)
        time.sleep(0.1)

    assert [each.split(b" ")[0] for each in city.received] == [b"GET", b"POST"]


def test_threads_of_a_process_ask_one_after_the_other(session: requests.Session) -> None:
    at_once, most = 0, 0
    lock = threading.Lock()

    def count(connection: socket.socket) -> None:
        nonlocal at_once, most
        with connection, suppress(OSError):
            while receive(connection):
                with lock:
                    at_once += 1
                    most = max(most, at_once)
                time.sleep(0.03)
                connection.sendall(response(DETAILS)[:-5])
                time.sleep(0.03)  # a request is over only when its whole answer is here
                with lock:
                    at_once -= 1
                connection.sendall(response(DETAILS)[-5:])

    def in_thread(connection: socket.socket) -> None:
        kept = connection.dup()
        kept.settimeout(5)
        threading.Thread(target=count, args=(kept,), daemon=True).start()

    with server(in_thread) as base_url, ThreadPoolExecutor(4) as pool:
        api = api_at(base_url, session)
        for done in [pool.submit(api.probe) for _ in range(8)]:
            done.result()

    assert most == 1


def test_a_plain_session_would_let_threads_ask_at_once() -> None:
    """The opposite case: what the pool of the wiring prevents does happen without it."""
    waiting = threading.Barrier(2, timeout=5)

    def both(connection: socket.socket) -> None:
        kept = connection.dup()
        kept.settimeout(5)

        def talk() -> None:
            with kept:
                receive(kept)
                waiting.wait()
                kept.sendall(response(DETAILS))

        threading.Thread(target=talk, daemon=True).start()

    with server(both) as base_url, requests.Session() as plain, ThreadPoolExecutor(2) as pool:
        api = api_at(base_url, plain)
        for done in [pool.submit(api.probe) for _ in range(2)]:
            done.result()

    assert not waiting.broken


# What is said


def test_every_request_is_honest_and_asks_for_little(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest
) -> None:
    settings.CITY_USER_AGENT = "MunichTerminAutomator/1.0 (+mailto:help@example.org)"  # type: ignore[attr-defined]
    wiring.city_session.cache_clear()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    city = KeepAlive(response(DETAILS, **{"Set-Cookie": "a=b; Path=/"}), response(DETAILS))

    with server(city) as base_url:
        api = api_at(base_url, wiring.city_session())
        api.probe()
        api.probe()

    for request in city.received:
        head = request.lower().decode()
        assert "user-agent: munichterminautomator/1.0 (+mailto:help@example.org)\r\n" in head
        assert "accept: application/json\r\n" in head
        assert "accept-encoding: gzip\r\n" in head
        assert "cache-control: no-cache\r\n" in head
        assert "cookie" not in head
        assert "x-forwarded-for" not in head
        assert "referer" not in head


def test_what_may_be_cached_is_asked_again_all_the_same(session: requests.Session) -> None:
    kept = {"Cache-Control": "public, max-age=300", "ETag": '"1"'}
    gone = response(error_body("appointmentNotFound"), 404, **kept)
    city = KeepAlive(gone, response(appointment_body(), 200, **kept))

    with server(city) as base_url:
        api = api_at(base_url, session)
        with pytest.raises(errors.AppointmentNotFound):
            api.appointment(KEY)
        assert api.appointment(KEY).key == KEY

    assert len(city.received) == 2
    assert b"if-none-match" not in city.received[1].lower()


def test_a_packed_answer_is_unpacked(session: requests.Session) -> None:
    packed = gzip.compress(json.dumps(calendar_body()).encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    city = KeepAlive(head.encode() + packed)

    with server(city) as base_url:
        found = api_at(base_url, session).calendar(SERVICES, [10489, 102522], START, END)

    assert len(found.days) == 2


def test_a_bomb_in_a_packed_answer_is_cut_off(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appointments.upstream.client.LARGEST_ANSWER", 100_000)
    packed = gzip.compress(b" " * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"

    with server(KeepAlive(head.encode() + packed)) as base_url, pytest.raises(errors.NotUnderstood):
        api_at(base_url, session).probe()


def test_a_redirect_is_an_answer_and_not_an_order(session: requests.Session) -> None:
    city = KeepAlive(*[b"HTTP/1.1 307 X\r\nLocation: /elsewhere/\r\nContent-Length: 0\r\n\r\n"] * 2)

    with server(city) as base_url:
        api = api_at(base_url, session)
        with pytest.raises(errors.NotUnderstood):
            api.probe()
        with pytest.raises(errors.OutcomeUnknown):
            api.cancel(KEY)

    assert len(city.received) == 2


# From where


def test_all_calls_leave_from_one_address_family(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "allowed_gai_family", wire.allowed_gai_family)
    asked: list[int] = []
    resolve = socket.getaddrinfo

    def watched(host: str, port: int, family: int = 0, *more: object, **named: object) -> object:
        asked.append(family)
        return resolve("127.0.0.1", port, family, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    wiring.pin_address_family()

    with server(KeepAlive(response(DETAILS))) as base_url:
        api_at(base_url.replace("127.0.0.1", "city.test"), session).probe()

    assert asked == [socket.AF_INET]


def test_the_citys_client_is_made_with_its_family_pinned(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "allowed_gai_family", lambda: socket.AF_UNSPEC)
    wiring.city.cache_clear()

    wiring.city()

    assert wire.allowed_gai_family() == socket.AF_INET
    wiring.city.cache_clear()
