"""The handles of the web process pass requests on and answers back."""

import pytest
import requests
from django.test import Client

from termin_project.sandbox import views
from tests.sandbox.pages.conftest import Sandbox


def post(web: Client, path: str, body: object, **headers: str):
    return web.post(f"/sandbox/{path}", body, content_type="application/json", headers=headers)


def test_what_is_said_can_be_read(sandbox: Sandbox, web: Client) -> None:
    said = post(web, "telegram/say", {"chat": 1, "text": "/start", "first_name": "Ada"})
    read = web.get("/sandbox/telegram/messages", {"chat": 1, "after": 0})

    assert said.json()["message"] == 1
    assert [(m["from"], m["text"]) for m in read.json()] == [("user", "/start")]
    assert read["Content-Type"] == "application/json"
    assert "no-store" in read["Cache-Control"]


def test_a_refusal_keeps_its_status_and_its_words(sandbox: Sandbox, web: Client) -> None:
    answer = post(web, "telegram/press", {"chat": 1, "message": 5, "data": "x"})

    assert answer.status_code == 400
    assert "Nobody with that number" in answer.json()["error"]


def test_a_file_comes_with_its_name(sandbox: Sandbox, web: Client) -> None:
    stored = sandbox.telegram.keep_file("documents", "a.ics", "text/calendar", b"BEGIN")

    answer = web.get(f"/sandbox/telegram/file/{stored.id}")

    assert answer.content == b"BEGIN"
    assert answer["Content-Type"] == "text/calendar"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''a.ics"


def test_slots_are_opened_and_withdrawn_at_the_city(sandbox: Sandbox, web: Client) -> None:
    slot = {"office": 10489, "services": [1063475], "starts_at": "2036-12-01T09:00:00+00:00", "places": 2}

    opened = post(web, "city/slots", slot)
    closed = web.delete("/sandbox/city/slots", slot, content_type="application/json")

    assert opened.json()["free"] == 2
    assert closed.json()["free"] == 0
    assert web.get("/sandbox/city/state").json()["reservations"] == []
    assert post(web, "city/clock", {"advance_seconds": 60}).status_code == 200
    assert post(web, "city/faults", {"kind": "nonsense"}).status_code == 400


def test_mail_is_asked_for_by_address(sandbox: Sandbox, web: Client) -> None:
    assert web.get("/sandbox/mail", {"to": "ada@example.org"}).json() == []
    assert web.get("/sandbox/mail/addresses").json() == []


@pytest.mark.parametrize("path", ["telegram/getUpdates", "city/api", "city/mail"])
def test_an_unknown_handle_is_not_found(sandbox: Sandbox, web: Client, path: str) -> None:
    answer = web.get(f"/sandbox/{path}")

    assert answer.status_code == 404
    assert "There are:" in answer.json()["error"]


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("SIMULATED_TELEGRAM", "telegram/chats"),
        ("SIMULATED_TELEGRAM", "telegram/file/x"),
        ("SIMULATED_TELEGRAM", "chat/"),
        ("SIMULATED_CITY", "city/state"),
        ("SIMULATED_CITY", "mail"),
        ("SIMULATED_CITY", "mail/addresses"),
        ("SIMULATED_CITY", "mailbox/"),
        ("SIMULATED_CITY", "mailbox/confirm/x"),
    ],
)
def test_the_half_that_is_real_has_no_handles(
    sandbox: Sandbox, web: Client, settings, setting: str, path: str
) -> None:
    setattr(settings, setting, False)

    assert web.get(f"/sandbox/{path}").status_code == 404


def test_without_the_sandbox_process_the_answer_is_502(sandbox: Sandbox, web: Client, monkeypatch) -> None:
    def gone(*args: object, **kwargs: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(views.http(), "request", gone)

    answer = web.get("/sandbox/telegram/chats")

    assert answer.status_code == 502
    assert answer.json() == {"error": "The sandbox process does not answer. Is it running?"}


def test_another_sites_page_cannot_speak_for_somebody(sandbox: Sandbox, web: Client) -> None:
    body = {"chat": 1, "text": "/start"}

    foreign = post(web, "telegram/say", body, Origin="https://evil.example")
    own = post(web, "telegram/say", body, Origin="http://testserver")

    assert foreign.status_code == 403
    assert own.status_code == 200
