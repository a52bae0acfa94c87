"""Captchas in the chat: the button, a fresh link, how things stand in /status."""

from typing import Any

import pytest

from appointments.wiring import captcha_site
from bot.captcha_talk import offer_screen, solve_button, standing
from bot.effects import keyboard_of
from captcha import services as captcha
from captcha.models import HumanTicket
from captcha.modes import choose_mode
from tests.factories import ChatFactory, OfficeFactory, SubscriberFactory, WatchFactory, WatchOfficeFactory

pytestmark = pytest.mark.django_db


def person_at_a_guarded_office(now: Any) -> Any:
    person = SubscriberFactory(known=True, now=now)
    watch = WatchFactory(subscriber=person, now=now)
    WatchOfficeFactory(watch=watch, office=OfficeFactory(captcha_required=True))
    return person


def test_with_https_the_button_opens_a_mini_app_and_its_holder_is_checked(settings: Any, now: Any) -> None:
    settings.PUBLIC_URL = "https://termin.example.org"
    chat = ChatFactory(subscriber=SubscriberFactory(known=True, now=now))

    [[button]] = keyboard_of([[solve_button(chat, "Go", now)]])

    assert button["web_app"]["url"].startswith("https://termin.example.org/captcha/")
    ticket = HumanTicket.objects.get()
    assert (ticket.owner, ticket.needs_proof) == (f"telegram:{chat.chat_id}", True)


def test_without_https_it_is_a_link_for_this_person(settings: Any, now: Any) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    chat = ChatFactory(subscriber=SubscriberFactory(known=True, now=now))

    [[button]] = keyboard_of([[solve_button(chat, "Go", now)]])

    assert button["url"].startswith("http://127.0.0.1:8000/captcha/")
    assert HumanTicket.objects.get().needs_proof is False


def test_the_status_says_how_guarded_offices_stand(now: Any) -> None:
    person = person_at_a_guarded_office(now)
    choose_mode("human", now)
    needs = standing(person, now)
    captcha.offer_token(captcha_site(), "not-a-jwt", now, source="human")
    watched = standing(person, now)
    choose_mode("off", now)

    assert "need you" in needs
    assert "watched until" in watched
    assert "not watched here" in standing(person, now)
    assert standing(SubscriberFactory(known=True, now=now), now) == ""


def test_the_offer_has_a_page_only_while_it_makes_sense(now: Any) -> None:
    from datetime import timedelta

    chat = ChatFactory(subscriber=SubscriberFactory(known=True, now=now))

    fresh = offer_screen(chat, now, until=now + timedelta(minutes=4))
    ending = offer_screen(chat, now, until=now + timedelta(seconds=30))

    assert [button.data is None for row in fresh.rows for button in row] == [False]
    assert any(button.data is None for row in ending.rows for button in row)
