"""Mounting a WSGI application into a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import requests

from termin_project.sandbox.mount import WsgiAdapter


def session_for(app: Any) -> requests.Session:
    session = requests.Session()
    session.mount("http://app.test/", WsgiAdapter(app))
    return session


def test_the_application_sees_the_request_as_over_a_socket() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("201 Created", [("Content-Type", "text/plain; charset=utf-8"), ("X-Word", "yes")])
        return [b"Gr\xc3\xbc\xc3\x9fe ", b"aus M."]

    answer = session_for(app).post(
        "http://app.test/a%C3%BC/b?x=1&y=%2C",
        data="body",
        headers={"X-Other": "here", "Content-Type": "text/x"},
    )
    assert (answer.status_code, answer.reason, answer.text) == (201, "Created", "Grüße aus M.")
    assert answer.headers["x-word"] == "yes"
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/aü/b"
    assert (seen["QUERY_STRING"], seen["REQUEST_METHOD"], seen["body"]) == ("x=1&y=%2C", "POST", b"body")
    assert (seen["HTTP_X_OTHER"], seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"]) == ("here", "text/x", "4")
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


def test_a_cut_connection_is_the_sessions_connection_error() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ConnectionResetError("gone")

    with pytest.raises(requests.exceptions.ConnectionError):
        session_for(app).get("http://app.test/")


def test_the_answers_iterable_is_closed_even_when_it_breaks() -> None:
    class Body:
        closed = False

        def __iter__(self) -> Iterable[bytes]:
            yield b"half"
            raise BrokenPipeError

        def close(self) -> None:
            self.closed = True

    body = Body()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return body

    with pytest.raises(requests.exceptions.ConnectionError):
        session_for(app).get("http://app.test/")
    assert body.closed
