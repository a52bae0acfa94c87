"""Chat, mailbox and what stands behind an activation link."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from termin_project.sandbox import views
from tests.sandbox.pages.conftest import Sandbox

API = "http://sandbox.test/city/api/citizen"
OFFICE, SERVICE = 10489, 1063475


@pytest.fixture
def link(sandbox: Sandbox) -> str:
    """The activation link of a mail that the city has just sent to ada@example.org."""
    starts_at = (sandbox.city.clock.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    sandbox.city.add_places(OFFICE, [SERVICE], starts_at)
    http = views.http()
    held = http.post(
        f"{API}/reserve-appointment/",
        json={
            "timestamp": int(starts_at.timestamp()), "officeId": OFFICE,
            "serviceId": [SERVICE], "serviceCount": [1],
        },
    ).json()  # fmt: skip
    ids = {"processId": held["processId"], "authKey": held["authKey"]}
    person = {
        "familyName": "Ada Lovelace", "email": "ada@example.org", "telephone": "",
        "customTextfield": "x", "customTextfield2": "",
    }  # fmt: skip
    http.post(f"{API}/update-appointment/", json=ids | person)
    http.post(f"{API}/preconfirm-appointment/", json=ids)
    (mail,) = http.get("http://sandbox.test/city/control/mail", params={"to": "ada@example.org"}).json()
    return str(mail["links"][0])


@pytest.mark.parametrize("name", ["sandbox:chat", "sandbox:mailbox"])
def test_a_page_keeps_to_the_strict_content_policy(sandbox: Sandbox, web: Client, name: str) -> None:
    answer = web.get(reverse(name))
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for path in re.findall(r'(?:src|href)="/static/([^"]+)"', page):
        assert finders.find(path), path


def test_every_module_a_page_loads_is_there() -> None:
    folder = Path(str(finders.find("sandbox/js/chat.js"))).parent

    imported = {
        name for file in folder.glob("*.js") for name in re.findall(r'from "\./(\S+?)"', file.read_text())
    }

    assert imported <= {file.name for file in folder.glob("*.js")}


def test_every_text_the_scripts_use_is_given_to_them(sandbox: Sandbox, web: Client) -> None:
    folder = Path(str(finders.find("sandbox/js/chat.js"))).parent
    used = {
        name
        for file in folder.glob("*.js")
        if file.name != "mailbox.js"
        for name in re.findall(r"\btexts\.(\w+)", file.read_text())
    }
    given = re.search(r'data-texts="([^"]*)"', web.get("/sandbox/chat/").content.decode())
    assert given
    texts = json.loads(given.group(1).replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&"))

    assert used <= set(texts)


def test_the_chat_page_says_that_nothing_is_real(sandbox: Sandbox, web: Client, settings) -> None:
    practice = web.get("/sandbox/chat/").content.decode()
    settings.SIMULATED_CITY = False
    real = web.get("/sandbox/chat/").content.decode()

    assert "Practice city: nothing here is real." in practice
    assert "/sandbox/mailbox/" in practice
    assert "what you book here is a real appointment" in real
    assert "/sandbox/mailbox/" not in real


def test_the_link_of_a_mail_leads_to_this_page_and_confirms(sandbox: Sandbox, web: Client, link: str) -> None:
    assert link.startswith("http://testserver/sandbox/mailbox/confirm/")

    answer = web.get(link.removeprefix("http://testserver"))

    assert answer.status_code == 200
    assert "Ihr Termin ist bestätigt" in answer.content.decode()
    assert "Bürgerbüro Ruppertstraße" in answer.content.decode()
    assert [process.status for process in sandbox.city.appointments] == ["confirmed"]


def test_a_link_opened_twice_says_that_it_is_done(sandbox: Sandbox, web: Client, link: str) -> None:
    web.get(link.removeprefix("http://testserver"))

    answer = web.get(link.removeprefix("http://testserver"))

    assert answer.status_code == 200
    assert "schon aktiviert" in answer.content.decode()


def test_a_link_opened_too_late_says_that_the_time_is_over(sandbox: Sandbox, web: Client, link: str) -> None:
    sandbox.city.clock.advance(timedelta(hours=3))

    answer = web.get(link.removeprefix("http://testserver"))

    assert answer.status_code == 404
    assert "abgelaufen" in answer.content.decode()
    assert sandbox.city.appointments == []


def test_a_broken_link_is_called_incomplete(sandbox: Sandbox, web: Client) -> None:
    answer = web.get("/sandbox/mailbox/confirm/abc/def==")

    assert answer.status_code == 400
    assert "unvollständig" in answer.content.decode()


def test_a_link_that_cannot_be_checked_asks_to_come_back(sandbox: Sandbox, web: Client, monkeypatch) -> None:
    def gone(*args: object, **kwargs: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(views.http(), "request", gone)

    answer = web.get("/sandbox/mailbox/confirm/abc")

    assert answer.status_code == 502
    assert "does not answer" in answer.content.decode()
