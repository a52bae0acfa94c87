"""The whole journey against the real processes: supervisor, web, bot, queues and simulators, over HTTP only."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest
import requests

from bench.processes import Installation, wait_until
from tests.processes.person import City, Person, in_days

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

REGISTER = 1063475
RUPPERT, PASING, ORLEANS, LEONROD, GUARDED = 10489, 54261, 102522, 102523, 1063278
HOLD_SECONDS = 14


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    """Everything that `script/server` starts, on free ports and in a folder of its own; the city keeps still."""
    with Installation(
        HOLD_SECONDS=str(HOLD_SECONDS), STAFF_PASSWORD="only-for-tests", SANDBOX_CITY_LIFE="0"
    ) as installation:
        installation.run("manage.py", "migrate", "--verbosity", "0")
        installation.run("manage.py", "setup_schedules")
        installation.run("manage.py", "ensure_staff")
        installation.start("-m", "termin_project.supervision", log="supervisor-start.log")

        def ready() -> bool:
            try:
                return requests.get(f"{installation.web}/readyz", timeout=2).status_code == 200
            except requests.RequestException:
                return False

        try:
            wait_until(ready, 90, "ready", every=0.2)
        except TimeoutError as error:
            raise AssertionError(installation.logs()) from error
        yield installation


@pytest.fixture
def city(running: Installation) -> City:
    return City(running.web)


def person(running: Installation, chat: int, **about: str) -> Person:
    newcomer = Person(running.web, chat, **about)
    newcomer.agree()
    return newcomer


def test_a_guarded_office_is_watched_and_held(running: Installation, city: City) -> None:
    zoe = person(running, 14, first_name="Zoe")
    zoe.say("taxi")
    service = next(
        b
        for m in reversed(zoe.messages())
        for row in m["buttons"] or []
        for b in row
        if b.get("data", "").count("~s:")
    )
    number = int(service["data"].rsplit(":", 1)[-1])
    city.open(GUARDED, number, in_days(6, 9))
    zoe.press(f"^{re.escape(service['text'])}$")
    if "persons" in zoe.last() or "How many" in zoe.last():
        zoe.press("^1$")
    if "Where" in zoe.last():
        zoe.press("All$")
    for label in ("Next 10 days", "Any time", "Hold it", "Start watching"):
        zoe.press(label)

    zoe.wait_for("Held for you")

    asked = city.state()["requests"]["by_path"]
    assert asked["/captcha-verify/"] == 1
    assert [entry["office"] for entry in city.state()["reservations"]] == [GUARDED]


def test_notify_hold_keep_data_mail_confirmed_cancel(running: Installation, city: City) -> None:
    ada = person(running, 11)
    ada.start_watching("anmeldung", "Wohnsitzanmeldung", "Ruppertstraße$", "Tell me")
    ada.press("Start watching")
    ada.wait_for("nothing free")

    city.open(RUPPERT, REGISTER, in_days(3, 9, 20))
    offered = ada.wait_for("🔔")
    assert "practice" in offered["text"].lower()
    ada.press("09:20")
    ada.wait_for("Held for you")
    assert RUPPERT in [entry["office"] for entry in city.state()["reservations"]]

    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada.eleven@example.org")
    for _optional in range(3):
        if "Please check" in ada.last():
            break
        ada.press("None")
    ada.press("Send to the city")
    ada.wait_for("One step left")
    assert not re.search("Confirmed", ada.transcript())

    ada.open_mailed_link("ada.eleven@example.org")
    ada.press("I opened it")
    ada.wait_for("Confirmed by the city")
    wait_until(lambda: any(m["venue"] for m in ada.messages()), 20, "the map point")
    assert any(m["document"] == "appointment.ics" for m in ada.messages())

    ada.press("Cancel the appointment")
    ada.press("Yes")
    ada.wait_for("cancelled")
    assert [entry["status"] for entry in city.state()["appointments"]] == ["deleted"]


def test_a_hold_that_nobody_answers_is_given_back(running: Installation, city: City) -> None:
    bob = person(running, 12, first_name="Bob")
    city.open(PASING, REGISTER, in_days(4, 10))
    bob.start_watching("anmeldung", "Wohnsitzanmeldung", "Pasing", "Hold it")
    bob.press("Start watching")
    bob.wait_for("Held for you")

    bob.wait_for("back, because there was no answer", HOLD_SECONDS + 30)

    assert [
        r for r in city.state()["reservations"] if r["office"] == PASING and r["status"] == "reserved"
    ] == []


def test_auto_books_without_asking(running: Installation, city: City) -> None:
    eve = person(running, 13, first_name="Eve")
    city.open(ORLEANS, REGISTER, in_days(5, 11))
    eve.start_watching("anmeldung", "Wohnsitzanmeldung", "Orleansplatz", "Book it")
    eve.say("Eve Example")
    eve.say("eve@example.org")
    for _optional in range(3):
        if any(
            "Start watching" in b["text"] for m in eve.messages() for row in m["buttons"] or [] for b in row
        ):
            break
        eve.press("None|Skip")
    eve.press("Start watching")

    eve.wait_for("One step left")
    eve.open_mailed_link("eve@example.org")
    eve.wait_for("Confirmed by the city")


def test_a_lost_race_moves_on_to_the_next_time(running: Installation, city: City) -> None:
    max_ = person(running, 15, first_name="Max")
    city.open(LEONROD, REGISTER, in_days(7, 9))
    city.open(LEONROD, REGISTER, in_days(7, 14))
    city.handle("POST", "faults", kind="lost_race", count=1, paths=["/reserve-appointment/"])
    max_.start_watching("anmeldung", "Wohnsitzanmeldung", "Leonrodstraße", "Hold it")
    max_.press("Start watching")

    max_.wait_for("went to someone else")
    held = max_.wait_for("Held for you")

    assert "14:00" in held["text"]


def test_bad_input_gets_a_clear_answer_and_changes_nothing(running: Installation, city: City) -> None:
    kim = person(running, 16, first_name="Kim")
    kim.say("x" * 4000)
    kim.say(photo=True)
    assert "text and buttons" in kim.last()
    kim.start_watching("anmeldung", "Wohnsitzanmeldung", "Scheidplatz", "Tell me")
    message, data = kim.button("Start watching")

    for _tap in range(10):
        kim.press_at(message["id"], data, force=True)
    kim.say("/watches")

    kim.wait_for("Your searches")
    listed = [b["text"] for row in kim.messages()[-1]["buttons"] for b in row]
    assert len([text for text in listed if "Wohnsitzanmeldung" in text]) == 1


def test_staff_see_it_in_the_dashboard(running: Installation, city: City) -> None:
    staff = requests.Session()
    assert "/admin/login" in staff.get(f"{running.web}/dashboard/", timeout=10).url
    page = staff.get(f"{running.web}/admin/login/?next=/dashboard/", timeout=10)
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    answer = staff.post(
        f"{running.web}/admin/login/?next=/dashboard/",
        data={
            "username": "staff",
            "password": "only-for-tests",
            "csrfmiddlewaretoken": token[1],
            "next": "/dashboard/",
        },
        headers={"Referer": page.url},
        timeout=10,
    )

    assert answer.url.endswith("/dashboard/")
    assert "Bookings" in answer.text


def test_the_city_was_never_asked_too_often(running: Installation, city: City) -> None:
    assert city.state()["refusals"].get("rateLimitExceeded", 0) == 0


def test_a_restart_keeps_chats_watches_and_bookings(running: Installation, city: City) -> None:
    before = len(Person(running.web, 11).messages())
    for process in running.processes("run_bot"):
        os.kill(process.pid, signal.SIGKILL)
    ada = Person(running.web, 11)

    ada.say("/bookings")

    assert len(ada.messages()) > before
