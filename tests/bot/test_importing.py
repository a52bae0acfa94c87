"""A link from the city's page, typed anywhere: taken in, out of the chat, never shown."""

import base64
import json

import pytest

from appointments.models import ImportRequest
from tests.bot.conftest import Person

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef" * 4
TOKEN = base64.b64encode(json.dumps({"id": 123456, "authKey": KEY}).encode()).decode()
LINK = f"https://stadt.muenchen.de/buergerservice/terminvereinbarung.html#/appointment/{TOKEN}"


def wiped(person: Person) -> list[int | None]:
    return [effect.message_id for effect in person.effects if effect.do == "delete"]


def test_the_link_is_asked_for_taken_and_taken_out_of_the_chat(ada: Person, tasks) -> None:
    ada.begin()
    ada.say("/bookings")
    assert "delete your message" in ada.press("I booked one on the city's page").html

    shown = ada.say(LINK)

    request = ImportRequest.objects.get()
    assert (request.process_id, request.auth_key, request.subscriber) == (123456, KEY, ada.chat.subscriber)
    assert ("import_appointment", (request.pk,)) in tasks
    assert len(wiped(ada)) == 1
    assert "I am asking the city about this appointment" in shown.html
    assert all(KEY not in m.html and TOKEN not in m.html for m in ada.messages.values())


def test_nothing_of_the_key_stays_with_the_chat(ada: Person) -> None:
    ada.begin()
    ada.say(LINK)

    chat = ada.chat
    kept = f"{chat.dialogue} {chat.unanswered} {chat.recent_updates}"
    assert KEY not in kept
    assert TOKEN not in kept


def test_a_link_in_the_middle_of_something_else_is_understood_as_one(ada: Person) -> None:
    ada.begin()
    ada.say("passport")

    ada.say(LINK)

    assert ImportRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LINK.replace("stadt.muenchen.de", "evil.example"), "does not lead to the city of Munich"),
        (LINK[:-40], "incomplete"),
        ("no idea", "I see no link"),
        ("x" * 700, "too long"),
    ],
)
def test_nonsense_is_refused_kindly_and_asked_again(ada: Person, text: str, said: str) -> None:
    ada.begin()
    ada.say("/bookings")
    ada.press("I booked one on the city's page")

    shown = ada.say(text)

    assert said in shown.html
    assert "Send me the link" in shown.html
    assert not ImportRequest.objects.exists()


def test_a_damaged_link_is_taken_out_of_the_chat_as_well(ada: Person) -> None:
    ada.begin()

    ada.say(LINK[:-10])

    assert len(wiped(ada)) == 1


def test_a_key_with_a_mistyped_number_is_taken_out_of_the_chat_but_ordinary_words_stay(ada: Person) -> None:
    ada.begin()
    ada.say("/bookings")
    ada.press("I booked one on the city's page")

    ada.say(f"number? {KEY}0")
    first = len(wiped(ada))
    ada.say("where do I find that")

    assert (first, len(wiped(ada))) == (1, 0)


def test_before_consent_nothing_is_taken_in(ada: Person) -> None:
    ada.say(LINK)

    assert not ImportRequest.objects.exists()


def test_the_sixth_within_an_hour_is_refused(ada: Person) -> None:
    ada.begin()
    for _number in range(6):
        ada.say(LINK)

    assert ImportRequest.objects.count() == 5
    assert "several within an hour" in ada.newest.html
