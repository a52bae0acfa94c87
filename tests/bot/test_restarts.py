"""Processes die at any moment: an update acts once, and its answer is not lost."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError

from appointments.models import Watch
from bot import chats, conversation
from bot.effects import Incoming
from bot.models import Chat
from tests.bot.conftest import Person, Town

pytestmark = pytest.mark.django_db
TO_SUMMARY = ("Moved here", "Familie", "1", "All", "As soon", "Any time", "Tell me")


def test_an_update_that_comes_again_acts_once(ada: Person) -> None:
    ada.begin()
    for label in TO_SUMMARY:
        ada.press(label)
    ada.press("Start watching")

    assert ada.again(ada.last) == []
    assert Watch.objects.count() == 1


def test_the_same_number_of_another_update_is_not_taken_for_a_repeat(ada: Person) -> None:
    ada.begin()

    effects = conversation.respond(Incoming(7, 1, "1:m999:1", text="/help"), now=ada.now)

    assert effects


def test_many_updates_later_a_repeat_is_still_known(ada: Person) -> None:
    ada.begin()
    first = replace(ada.last)
    for _number in range(50):
        ada.say("/help")

    assert ada.again(first) == []
    assert len(ada.chat.recent_updates) <= chats.REMEMBERED


def test_an_answer_stays_with_the_chat_until_telegram_has_it(ada: Person) -> None:
    ada.begin()
    incoming = Incoming(7, 77, "77:m", text="/help")

    effects = conversation.respond(incoming, now=ada.now)

    [(chat_id, key, kept)] = chats.unanswered()
    assert (chat_id, key, kept) == (7, "77:m", effects)
    chats.answer_taken(7, "77:m", None)
    assert chats.unanswered() == []


def test_an_older_answer_does_not_clear_a_newer_one(ada: Person) -> None:
    ada.begin()
    conversation.respond(Incoming(7, 77, "77:m", text="/help"), now=ada.now)
    conversation.respond(Incoming(7, 78, "78:m", text="/status"), now=ada.now)

    chats.answer_taken(7, "77:m", None)

    assert [key for _chat, key, _effects in chats.unanswered()] == ["78:m"]


def test_a_kept_answer_is_unreadable_in_the_database(ada: Person) -> None:
    ada.begin()
    ada.say("/profile")
    ada.press("Change name")
    conversation.respond(Incoming(7, 79, "79:m", text="Ada Lovelace"), now=ada.now)

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT unanswered FROM bot_chat")
        [(stored,)] = cursor.fetchall()
    assert "Lovelace" not in stored
    assert "Lovelace" in json.loads(Chat.objects.get().unanswered)["effects"][1]["html"]


def test_a_crash_before_the_commit_leaves_everything_as_it_was(ada: Person, monkeypatch) -> None:
    ada.begin()
    for label in TO_SUMMARY:
        ada.press(label)
    before = ada.chat.dialogue

    def dies(*args: object) -> None:
        raise DatabaseError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(conversation, "keep_answer", dies)
        with pytest.raises(DatabaseError):
            ada.press("Start watching")

    assert Watch.objects.count() == 0
    assert ada.chat.dialogue == before
    ada.updates -= 1  # Telegram sends it again
    ada.press("Start watching")
    assert Watch.objects.count() == 1


def test_a_menu_whose_message_was_not_written_down_is_known_by_its_number(ada: Person) -> None:
    ada.begin()
    menu = max(ada.messages)
    Chat.objects.update(menu_message_id=None)

    ada.press("Help")

    assert "Help" in ada.messages[menu].html
    assert ada.chat.menu_message_id == menu


def test_every_step_of_a_dialogue_survives_a_restart(ada: Person, town: Town) -> None:
    ada.begin()
    for label in (*TO_SUMMARY, "Start watching"):
        ada = Person(
            ada.now + timedelta(seconds=1), messages=ada.messages, updates=ada.updates, sent=ada.sent
        )
        ada.press(label)

    assert Watch.objects.count() == 1
