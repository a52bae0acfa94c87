"""The person's side: what is said, pressed and seen, and the trouble that can be ordered."""

import io
import threading
import time

import pytest
import requests

from termin_project.sandbox.mount import WsgiAdapter
from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from tests.sandbox.telegram.conftest import Api, Now

BUTTONS = {
    "inline_keyboard": [
        [{"text": "Keep", "callback_data": "keep:1"}, {"text": "Map", "url": "https://a.example/"}]
    ]
}


@pytest.fixture
def asked(api: Api, ada: int) -> int:
    """The id of a message with buttons."""
    sent = api.ok(
        "sendMessage", chat_id=ada, text="<b>Held</b> & yours", parse_mode="HTML", reply_markup=BUTTONS
    )
    return int(sent["message_id"])


def test_a_message_is_shown_as_text_as_html_and_with_its_buttons(api: Api, asked: int) -> None:
    shown = api.look("messages", "chat=1&after=1")

    assert len(shown) == 1
    assert shown[0]["id"] == asked
    assert shown[0]["from"] == "bot"
    assert shown[0]["text"] == "Held & yours"
    assert shown[0]["html"] == "<b>Held</b> &amp; yours"
    assert shown[0]["buttons"] == [
        [{"text": "Keep", "data": "keep:1"}, {"text": "Map", "url": "https://a.example/"}]
    ]
    assert shown[0]["edited"] is False
    assert shown[0]["document"] is None
    assert shown[0]["venue"] is None
    assert shown[0]["sent_at"] == "2026-11-23T09:00:00+00:00"


def test_an_edit_is_marked_and_found_by_its_version(api: Api, asked: int) -> None:
    version = api.look("messages", "chat=1")[-1]["version"]
    assert api.look("messages", f"chat=1&since_version={version}") == []

    api.ok("editMessageText", chat_id=1, message_id=asked, text="Kept")

    (changed,) = api.look("messages", f"chat=1&since_version={version}")
    assert (changed["id"], changed["text"], changed["edited"]) == (asked, "Kept", True)
    assert changed["version"] > version


def test_a_deleted_message_is_told_only_to_who_asks_for_changes(api: Api, asked: int) -> None:
    version = api.look("chats")["version"]
    api.ok("deleteMessage", chat_id=1, message_id=asked)

    assert [m["id"] for m in api.look("messages", "chat=1")] == [1]
    assert api.look("messages", f"chat=1&since_version={version}")[0]["deleted"] is True


def test_a_document_and_a_venue_are_shown_with_name_and_place(
    api: Api, ada: int, world: TelegramWorld
) -> None:
    stored = world.keep_file("documents", "Köln.ics", "text/calendar", b"BEGIN:VCALENDAR")
    api.ok("sendDocument", chat_id=ada, document=stored.id)
    api.ok("sendVenue", chat_id=ada, latitude=48.1, longitude=11.5, title="Office", address="Street 1")

    document, venue = api.look("messages", "chat=1&after=1")

    assert document["document"] == "Köln.ics"
    assert document["document_url"] == f"/sandbox/telegram/file/{stored.id}"
    assert venue["venue"] == {"title": "Office", "address": "Street 1", "latitude": 48.1, "longitude": 11.5}
    assert api.request("GET", f"/telegram/control/file/{stored.id}") == b"BEGIN:VCALENDAR"
    assert api.headers["Content-Disposition"] == "attachment; filename*=UTF-8''K%C3%B6ln.ics"


def test_a_press_waits_for_the_bots_answer(api: Api, asked: int, world: TelegramWorld) -> None:
    def answer() -> None:
        bot = Api(telegram_app(world))
        (update,) = [u for u in bot.ok("getUpdates", offset=2, timeout=5) if "callback_query" in u]
        bot.ok(
            "answerCallbackQuery",
            callback_query_id=update["callback_query"]["id"],
            text="Kept",
            show_alert=True,
        )

    bot = threading.Thread(target=answer, daemon=True)
    bot.start()
    answered = api.control("press", chat=1, message=asked, data="keep:1")
    bot.join(5)

    assert answered == {
        "query": answered["query"],
        "answered": True,
        "text": "Kept",
        "show_alert": True,
        "url": "",
    }


def test_a_press_gives_up_waiting_and_says_so(api: Api, asked: int) -> None:
    started = time.monotonic()

    answered = api.control("press", chat=1, message=asked, data="keep:1", wait=0.2)

    assert answered["answered"] is False
    assert time.monotonic() - started < 1.5


def test_a_button_that_is_not_there_can_only_be_pressed_by_force(api: Api, asked: int) -> None:
    refused = api.control("press", chat=1, message=asked, data="old:1")
    assert api.status == 400
    assert "It has: keep:1" in refused["error"]

    api.control("press", chat=1, message=asked, data="old:1", force=True, wait=0)

    assert api.ok("getUpdates", offset=-1)[0]["callback_query"]["data"] == "old:1"


@pytest.mark.parametrize(("what", "field"), [("photo", "photo"), ("sticker", "sticker"), ("voice", "voice")])
def test_a_person_can_send_something_that_is_no_text(api: Api, ada: int, what: str, field: str) -> None:
    api.control("say", chat=ada, **{what: True})

    assert field in api.ok("getUpdates", offset=-1)[0]["message"]
    assert api.look("messages", "chat=1")[-1]["attachment"] == what


def test_a_person_can_share_a_location(api: Api, ada: int) -> None:
    api.control("say", chat=ada, location={"latitude": 48.14, "longitude": 11.58})

    assert api.ok("getUpdates", offset=-1)[0]["message"]["location"] == {
        "latitude": 48.14,
        "longitude": 11.58,
    }


def test_a_text_of_5000_characters_arrives_in_two_messages(api: Api, ada: int) -> None:
    said = api.control("say", chat=ada, text="x" * 5000)

    assert len(said["messages"]) == 2
    assert [len(m["text"]) for m in api.look("messages", "chat=1&after=1")] == [4096, 904]


@pytest.mark.parametrize(
    ("handle", "body", "hint"),
    [
        ("say", {}, '"chat"'),
        ("say", {"chat": "x", "text": "a"}, '"chat" must be a whole number'),
        ("say", {"chat": -5, "text": "a"}, "positive"),
        ("say", {"chat": 1}, '"text" is missing'),
        ("say", {"chat": 1, "text": 5}, '"text" must be a string'),
        ("say", {"chat": 1, "text": "a", "first_name": 5}, '"first_name" must be a string'),
        ("say", {"chat": 1, "location": {"latitude": "north"}}, '"location"'),
        ("press", {"chat": 9, "message": 1, "data": "x"}, "Nobody with that number"),
        ("press", {"chat": 1, "message": 77, "data": "x"}, "no message 77"),
        ("press", {"chat": 1, "message": 1}, '"data"'),
        ("press", {"chat": 1, "message": 1, "data": "x" * 65}, "1 to 64 bytes"),
        ("block", {"chat": 1, "blocked": "yes"}, '"blocked"'),
        ("faults", {"kind": "rain"}, "must be one of: 429"),
        ("faults", {"kind": "500", "count": 0}, "1 or more"),
        ("faults", {"kind": "500", "methods": "sendMessage"}, '"methods"'),
    ],
)
def test_bad_input_is_answered_with_what_to_send_instead(
    api: Api, ada: int, handle: str, body: dict, hint: str
) -> None:
    answer = api.control(handle, **body)

    assert api.status == 400
    assert hint in answer["error"]


def test_bad_questions_are_answered_with_what_to_ask_instead(api: Api) -> None:
    assert '"chat" is missing' in api.look("messages")["error"]
    assert '"after"' in api.look("messages", "chat=1&after=x")["error"]
    assert "say, meet, press" in api.look("nothing")["error"]
    assert api.status == 404
    assert "POST" in api.look("say")["error"]
    assert api.status == 405
    assert b"must be JSON" in api.request("POST", "/telegram/control/say", b"chat=1")
    assert api.look("messages", "chat=1") == []


def test_unread_messages_are_counted_until_they_are_read(api: Api, asked: int) -> None:
    def unread() -> int:
        return int(api.look("chats")["people"][0]["unread"])

    before = unread()
    api.control("read", chat=1)

    assert (before, unread()) == (1, 0)
    api.ok("sendMessage", chat_id=1, text="more")
    assert unread() == 1


def test_a_person_can_be_met_before_anything_is_said(api: Api, ada: int) -> None:
    met = api.control("meet", first_name="Gül", language_code="tr")

    assert met["chat"] == 2
    assert {p["first_name"] for p in api.look("chats")["people"]} == {"Ada", "Gül"}


def test_the_menu_shows_the_commands_of_the_persons_language(api: Api, ada: int) -> None:
    api.ok("setMyCommands", commands=[{"command": "help", "description": "Help"}])
    api.ok("setMyCommands", commands=[{"command": "help", "description": "Hilfe"}], language_code="de")
    api.control("say", chat=2, text="Hallo", language_code="de")

    shown = {p["chat"]: p["commands"][0]["description"] for p in api.look("chats")["people"]}

    assert shown == {1: "Help", 2: "Hilfe"}


def test_typing_is_shown_for_five_seconds_or_until_the_message(api: Api, ada: int, now: Now) -> None:
    def typing() -> bool:
        return bool(api.look("chats")["people"][0]["typing"])

    api.ok("sendChatAction", chat_id=ada, action="typing")
    assert typing()
    now.advance(seconds=6)
    assert not typing()
    api.ok("sendChatAction", chat_id=ada, action="typing")
    api.ok("sendMessage", chat_id=ada, text="x")
    assert not typing()


def test_a_keyboard_below_the_field_stays_until_it_is_removed(api: Api, ada: int) -> None:
    keyboard = {"keyboard": [[{"text": "Near me", "request_location": True}]]}
    api.ok("sendMessage", chat_id=ada, text="Where?", reply_markup=keyboard)
    shown = api.look("chats")["people"][0]["reply_keyboard"]
    api.ok("sendMessage", chat_id=ada, text="Fine", reply_markup={"remove_keyboard": True})

    assert shown["keyboard"] == keyboard["keyboard"]
    assert api.look("chats")["people"][0]["reply_keyboard"] is None


def test_an_ordered_429_hits_once_and_names_its_pause(api: Api, ada: int) -> None:
    api.control("faults", kind="429", retry_after=7)

    assert api.raw("sendMessage", chat_id=ada, text="x")["parameters"] == {"retry_after": 7}
    assert api.ok("sendMessage", chat_id=ada, text="x")
    assert api.look("state")["refusals"] == {"429": 1}


def test_ordered_faults_can_be_counted_aimed_and_taken_back(api: Api, ada: int) -> None:
    api.control("say", chat=2, text="/start")
    api.control("faults", kind="500", count=2, methods=["sendMessage"], chat=2)

    assert api.ok("sendMessage", chat_id=1, text="x")
    assert api.raw("sendMessage", chat_id=2, text="x")["error_code"] == 500
    assert api.look("faults")["faults"][0]["count"] == 1
    assert api.control("faults", kind="none")["faults"] == []
    assert api.ok("sendMessage", chat_id=2, text="x")


def test_an_ordered_502_is_a_page_and_no_json(api: Api, ada: int) -> None:
    api.control("faults", kind="502")

    answer = api.request("POST", "/bot1:sandbox/sendMessage", b"chat_id=1&text=x")

    assert api.status == 502
    assert answer.startswith(b"<html>")


@pytest.mark.parametrize(("kind", "arrived"), [("lost_before", []), ("lost_after", ["x"])])
def test_a_lost_answer_may_or_may_not_have_taken_effect(
    api: Api, ada: int, world: TelegramWorld, kind: str, arrived: list[str]
) -> None:
    api.control("faults", kind=kind)
    session = requests.Session()
    session.mount("http://telegram.test/", WsgiAdapter(telegram_app(world)))

    with pytest.raises(requests.ConnectionError):
        session.post("http://telegram.test/bot1:sandbox/sendMessage", json={"chat_id": 1, "text": "x"})

    assert [m["text"] for m in api.look("messages", "chat=1&after=1")] == arrived


def test_requests_are_counted_by_method(api: Api, ada: int) -> None:
    api.ok("sendMessage", chat_id=ada, text="x")
    api.ok("getMe")

    assert api.look("state")["requests"] == {"sendMessage": 1, "getMe": 1}


def test_a_body_that_is_too_large_is_not_read(api: Api) -> None:
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/bot1:sandbox/sendDocument",
        "CONTENT_LENGTH": str(60 * 1024 * 1024), "wsgi.input": io.BytesIO(),
    }  # fmt: skip
    statuses: list[str] = []

    list(api.app(environ, lambda status, headers: statuses.append(status)))

    assert statuses[0].startswith("413")
