"""The wire itself, over real sockets: what was never sent, what was lost on the way, and what nobody may read."""

import logging
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import CallKind
from tests.appointments.upstream.sockets import receive, saying, server
from tests.appointments.upstream.wire import (
    CONTACT,
    KEY,
    SECRET,
    SERVICES,
    SLOT,
    Recorder,
    Wire,
    answer,
    api_answering,
    api_on,
    appointment_body,
    calendar_body,
    error_body,
)


def silent(connection: socket.socket) -> None:
    receive(connection)
    with suppress(OSError):
        connection.recv(1)  # until the client gives up


LOST: dict[str, Callable[[socket.socket], None]] = {
    "closed after the request": saying(),
    "closed in mid-header": saying(b"HTTP/1.1 200 OK\r\nContent-"),
    "closed in mid-body": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    "broken chunks": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "broken gzip": saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "no HTTP": saying(b"220 mail.example.org ESMTP\r\n\r\n"),
    "no answer in time": silent,
}


def api_at(base_url: str, session: requests.Session, gate: Recorder | None = None) -> CitizenApi:
    return CitizenApi(session, base_url, gate=gate or Recorder(), time_limit=(1, 0.3))


@pytest.mark.parametrize("talk", LOST.values(), ids=LOST)
def test_a_lost_answer_to_a_question_changes_nothing(talk: Callable[[socket.socket], None]) -> None:
    with server(talk) as base_url, requests.Session() as session, pytest.raises(errors.Unavailable) as caught:
        api_at(base_url, session).appointment(KEY)

    assert caught.value.code in ("connectionFailed", "timeout", "notUnderstood")


@pytest.mark.parametrize("talk", LOST.values(), ids=LOST)
def test_a_lost_answer_to_a_change_leaves_its_outcome_unknown(talk: Callable[[socket.socket], None]) -> None:
    gate = Recorder()
    with server(talk) as base_url, requests.Session() as session, pytest.raises(errors.OutcomeUnknown):
        api_at(base_url, session, gate).update(KEY, CONTACT)

    assert gate.codes in (["connectionFailed"], ["timeout"], ["notUnderstood"])


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}/api/citizen"

    with requests.Session() as session, pytest.raises(errors.Unavailable) as caught:
        api_at(base_url, session).reserve(SLOT, SERVICES)

    assert caught.value.code == "connectionFailed"


def test_an_unknown_host_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with requests.Session() as session, pytest.raises(errors.Unavailable):
        api_at("http://nowhere.invalid", session).cancel(KEY)


def test_a_connection_that_takes_too_long_means_that_nothing_was_sent() -> None:
    def slow(request: requests.PreparedRequest) -> requests.Response:
        raise requests.ConnectTimeout("too long")

    with pytest.raises(errors.Unavailable) as caught:
        api_on(Wire(slow)).confirm(KEY)

    assert caught.value.code == "timeout"


def test_an_answer_that_trickles_is_not_waited_for_forever() -> None:
    def trickle(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(40):
                connection.sendall(b"1\r\n \r\n")
                threading.Event().wait(0.1)

    began = datetime.now(UTC)
    with server(trickle) as base_url, requests.Session() as session, pytest.raises(errors.OutcomeUnknown):
        api_at(base_url, session).preconfirm(KEY)

    assert (datetime.now(UTC) - began).total_seconds() < 3


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.upstream.client.LARGEST_ANSWER", 1000)

    with pytest.raises(errors.NotUnderstood):
        api_answering(200, calendar_body(padding="x" * 50_000)).probe()


def test_one_connection_serves_one_call_after_the_other_and_keeps_no_cookies() -> None:
    seen: list[bytes] = []
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(1)
        with suppress(OSError, IndexError):
            while True:
                seen.append(receive(connection))
                if not seen[-1]:
                    return
                body = b'{"siteKey": "x", "captchaEnabled": true}'
                head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: %d\r\n\r\n" % len(body)
                connection.sendall(head + body)

    with server(talk) as base_url, requests.Session() as session:
        api = api_at(base_url, session)
        api.probe()
        api.probe()

    requests_seen = [each for each in seen if each]
    assert len(connections) == 1
    assert len(requests_seen) == 2
    assert b"GET /api/citizen/captcha-details/ HTTP/1.1" in requests_seen[0]
    assert b"Accept-Encoding: gzip\r\n" in requests_seen[0]
    assert b"Accept: application/json\r\n" in requests_seen[0]
    assert b"Cookie" not in requests_seen[1]


def test_a_redirect_is_never_followed() -> None:
    wire = Wire(lambda request: answer(307, "", {"Location": "http://elsewhere.test/"}))

    with pytest.raises(errors.OutcomeUnknown):
        api_on(wire).reserve(SLOT, SERVICES)
    with pytest.raises(errors.NotUnderstood):
        api_on(wire).appointment(KEY)

    assert {str(request.url).split("/api")[0] for request in wire.requests} == {"http://city.test"}


def test_a_closed_gate_lets_nothing_out() -> None:
    class Closed(Recorder):
        def admit(self, kind: Any) -> Any:
            raise errors.GateClosed(datetime(2026, 11, 23, 10, tzinfo=UTC))

    wire = Wire(lambda request: answer(200, appointment_body()))
    with pytest.raises(errors.GateClosed) as caught:
        api_on(wire, Closed()).reserve(SLOT, SERVICES)

    assert caught.value.retry_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert wire.requests == []


def test_the_gate_hears_what_every_call_was() -> None:
    gate = Recorder()
    bodies: list[Any] = [error_body("appointmentNotFound"), {"strange": 1}, appointment_body()]
    api = api_on(Wire(lambda request: answer(200, bodies.pop(0))), gate)

    for kind in (CallKind.FOLLOW, CallKind.BOOKING, CallKind.FOLLOW):
        with suppress(errors.UpstreamError):
            api.appointment(KEY, kind=kind)

    assert gate.kinds == ["follow", "booking", "follow"]
    assert gate.codes == ["appointmentNotFound", "notUnderstood", "ok"]
    assert [status for status, _ in gate.answers] == [200, 200, 200]


@pytest.mark.parametrize(
    "talk",
    [
        LOST["closed in mid-body"],
        LOST["closed in mid-header"],
        saying(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_no_key_token_or_address_shows_in_logs_reprs_or_tracebacks(
    talk: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = ""
    with server(talk) as base_url, requests.Session() as session:
        api = api_at(base_url, session)
        acts: list[Callable[[], Any]] = [
            lambda: api.appointment(KEY),
            lambda: api.update(KEY, CONTACT),
            lambda: api.calendar(
                SERVICES, [1], SLOT.starts_at.date(), SLOT.starts_at.date(), captcha_token="t0ken"
            ),
        ]
        for act in acts:
            try:
                act()
            except errors.UpstreamError as error:
                told += "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)

    told += repr(KEY) + repr(CONTACT) + repr(api_answering(200, appointment_body()).appointment(KEY))
    for secret in (SECRET, "t0ken", "erika@example.org", "Mustermann", "+4989123456"):
        assert secret not in told
        assert secret not in caplog.text
