"""The city's mails, and what opening their link does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from termin_project.sandbox.city import CityWorld, Clock
from termin_project.sandbox.city.mail import link_token, read_link_token

from .conftest import MONDAY, Citizen, ids

ERIKA = "erika@example.org"


def inbox(citizen: Citizen, to: str = ERIKA) -> list[dict]:
    answer = citizen.session.get(f"{citizen.handles}/mail", params={"to": to})
    assert answer.status_code == 200
    return answer.json()


def open_link(citizen: Citizen, link: str) -> tuple[int, dict]:
    answer = citizen.session.post(f"{citizen.handles}/confirm/{link.rsplit('/', 1)[-1]}")
    return answer.status_code, answer.json()


def test_the_activation_mail_leaves_a_moment_after_pre_confirming(citizen: Citizen, clock: Clock) -> None:
    held = citizen.preconfirmed()
    assert inbox(citizen) == []
    clock.advance(timedelta(seconds=1))
    (mail,) = inbox(citizen)
    assert mail["to"] == ERIKA
    assert mail["subject"] == "Bitte aktivieren Sie Ihren Termin"
    assert datetime.fromisoformat(mail["sent_at"]) == MONDAY + timedelta(seconds=1)
    (link,) = mail["links"]
    assert link in mail["text"]
    assert link.startswith("http://127.0.0.1:8000/sandbox/mailbox/confirm/")
    assert read_link_token(link.rsplit("/", 1)[-1]) == (held["processId"], held["authKey"])
    for fact in (
        "Guten Tag Erika Muster",
        "Donnerstag, 26. November 2026, 09:00 Uhr",
        "1x Wohnsitzanmeldung",
    ):
        assert fact in mail["text"]
    assert "English:" in mail["text"]


def test_confirming_and_cancelling_send_a_mail_each(citizen: Citizen, clock: Clock) -> None:
    held = citizen.confirmed()
    answer = citizen.post("cancel-appointment", **ids(held)).json()
    citizen.post("cancel-appointment", **ids(answer))
    clock.advance(timedelta(seconds=2))
    assert [mail["kind"] for mail in inbox(citizen)] == ["activation", "confirmation", "cancellation"]


def test_cancelling_a_reservation_sends_nothing(citizen: Citizen, clock: Clock) -> None:
    held = citizen.reserved()
    citizen.update(held)
    citizen.post("cancel-appointment", **ids(held))
    clock.advance(timedelta(seconds=2))
    assert inbox(citizen) == []


def test_everybody_has_an_inbox_of_their_own(citizen: Citizen, clock: Clock) -> None:
    citizen.preconfirmed()
    clock.advance(timedelta(seconds=2))
    assert inbox(citizen, "other@example.org") == []
    assert len(inbox(citizen, "ERIKA@example.org")) == 1
    assert len(inbox(citizen, "")) == 1
    addresses = citizen.session.get(f"{citizen.handles}/mail/addresses").json()
    assert addresses == [{"address": ERIKA, "count": 1}]


def test_opening_the_link_confirms(citizen: Citizen, clock: Clock) -> None:
    held = citizen.preconfirmed()
    clock.advance(timedelta(seconds=2))
    status, page = open_link(citizen, inbox(citizen)[0]["links"][0])
    assert (status, page["outcome"], page["status"]) == (200, "confirmed", "confirmed")
    assert page["office"] == "Bürgerbüro Ruppertstraße"
    assert page["title"]
    assert citizen.read(held).json()["status"] == "confirmed"


def test_opening_the_link_again_says_it_is_active_already(citizen: Citizen) -> None:
    held = citizen.preconfirmed()
    token = link_token(held["processId"], held["authKey"])
    open_link(citizen, token)
    status, page = open_link(citizen, token)
    assert (status, page["outcome"], page["status"]) == (200, "already_confirmed", "confirmed")


def test_opening_the_link_too_late_says_so(citizen: Citizen, clock: Clock) -> None:
    held = citizen.preconfirmed()
    clock.advance(timedelta(minutes=32))
    status, page = open_link(citizen, link_token(held["processId"], held["authKey"]))
    assert (status, page["outcome"]) == (404, "expired")


def test_the_link_of_a_cancelled_appointment_is_dead(citizen: Citizen) -> None:
    held = citizen.preconfirmed()
    citizen.post("cancel-appointment", **ids(held))
    status, page = open_link(citizen, link_token(held["processId"], held["authKey"]))
    assert (status, page["outcome"], page["code"]) == (404, "expired", "authKeyMismatch")


def test_a_link_may_have_lost_its_padding(citizen: Citizen) -> None:
    held = citizen.preconfirmed()
    status, _ = open_link(citizen, link_token(held["processId"], held["authKey"]).rstrip("="))
    assert status == 200


@pytest.mark.parametrize("link", ["rubbish", "%%%", "e30", "eyJpZCI6InkifQ==", "W10="])
def test_a_damaged_link_is_called_so(citizen: Citizen, link: str) -> None:
    status, page = open_link(citizen, link)
    assert (status, page["outcome"]) == (400, "broken_link")


def test_links_lead_where_the_sandbox_is(make_world: Callable[..., CityWorld], clock: Clock) -> None:
    citizen = Citizen(make_world(public_url="http://192.0.2.7:9000/", mail_delay=0))
    citizen.preconfirmed()
    (mail,) = inbox(citizen)
    assert mail["links"][0].startswith("http://192.0.2.7:9000/sandbox/mailbox/confirm/")


def test_following_links_is_not_counted_by_the_limit(make_world: Callable[..., CityWorld]) -> None:
    citizen = Citizen(make_world(limit=4))
    held = citizen.preconfirmed()
    for _ in range(5):
        status, _ = open_link(citizen, link_token(held["processId"], held["authKey"]))
        assert status == 200
