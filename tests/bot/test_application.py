"""The real bot process' loop against the simulated Telegram over HTTP: python-telegram-bot in between."""

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.db import OperationalError
from django.utils import timezone

from appointments.models import Heartbeat, ImportRequest, Subscriber
from bot import chats, conversation
from bot.effects import Incoming
from bot.management.commands import run_bot
from bot.models import Chat
from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from termin_project.sandbox.telegram import control as persons_side
from termin_project.sandbox.telegram import methods as bot_side
from termin_project.sandbox.telegram.records import Fault, Message

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 15.0


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test says what went wrong."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def world() -> TelegramWorld:
    return TelegramWorld(burst=1000, overall=10_000)


@pytest.fixture
def telegram(world: TelegramWorld, settings) -> Iterator[str]:
    """The simulated Telegram on a free port of loopback."""
    server = make_server("127.0.0.1", 0, telegram_app(world), server_class=_Threaded, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    settings.TELEGRAM_API_URL = f"http://127.0.0.1:{server.server_port}/bot"
    settings.TELEGRAM_BOT_TOKEN = world.token
    yield settings.TELEGRAM_API_URL
    server.shutdown()
    server.server_close()
    thread.join(5)


class Running:
    """The bot's loop in this process; the person's side is driven from a thread."""

    def __init__(self, world: TelegramWorld) -> None:
        self.world = world

    def during(self, act: Callable[[], None]) -> None:
        """Run the bot while `act` runs, then stop it as SIGTERM does."""

        async def both() -> None:
            stop = asyncio.Event()
            bot = asyncio.create_task(run_bot.run(stop))
            try:
                await asyncio.to_thread(act)
            finally:
                stop.set()
                await asyncio.wait_for(bot, PATIENCE)

        asyncio.run(both())

    def say(self, text: str = "", **more: Any) -> None:
        persons_side.say(
            self.world, {"chat": 7, "text": text, "first_name": "Ada", "language_code": "en", **more}
        )

    def press(self, label: str) -> None:
        message, data = self.button(label)
        persons_side.press(self.world, {"chat": 7, "message": message.id, "data": data})

    def button(self, label: str) -> tuple[Message, str]:
        for message in reversed(self.from_bot()):
            for row in (message.keyboard or {}).get("inline_keyboard", ()):
                for button in row:
                    if label in button["text"]:
                        return message, button["callback_data"]
        raise AssertionError(f"no button {label}: {[m.text for m in self.from_bot()]}")

    def from_bot(self) -> list[Message]:
        with self.world.lock:
            return [message for message in self.world.messages.values() if message.from_bot]

    def wait_for(self, words: str) -> Message:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for message in reversed(self.from_bot()):
                if words in message.text:
                    return message
            time.sleep(0.02)
        raise AssertionError(f"{words!r} never came: {[m.text for m in self.from_bot()]}")


@pytest.fixture
def running(world: TelegramWorld, telegram: str) -> Running:
    return Running(world)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short, so that a test of trouble is."""
    monkeypatch.setattr(run_bot, "PAUSES", (0.05,))
    monkeypatch.setattr(run_bot, "POLL_SECONDS", 1)


def test_a_person_talks_with_the_bot(running: Running, town) -> None:
    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")
        running.press("Continue")
        running.wait_for("What do you need?")
        running.say("Reisepass")
        running.wait_for("I found")
        running.press("Reisepass")
        running.wait_for("When?")
        running.say(photo=True)
        running.wait_for("I only understand text and buttons")

    running.during(talk)

    assert Subscriber.objects.get().first_name == "Ada"
    assert chats.unanswered() == []


def test_commands_are_registered_in_both_languages_and_life_is_shown(running: Running, world) -> None:
    running.during(lambda: _until(lambda: Heartbeat.objects.filter(name="bot").exists()))

    assert Heartbeat.objects.get(name="bot").at <= timezone.now()
    assert world.requests["setMyCommands"] + world.requests["setmycommands"] == 2


def test_telegram_being_away_at_the_start_only_delays(running: Running, world, caplog) -> None:
    world.faults.append(Fault(kind="502", methods=["getme"], count=2))

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")

    running.during(talk)

    assert "Telegram is not there yet" in caplog.text
    assert world.token not in caplog.text


def test_no_life_is_shown_while_updates_do_not_come(running: Running, world) -> None:
    world.faults.append(Fault(kind="500", methods=["getupdates"], count=1000))

    running.during(lambda: _until(lambda: world.requests["getupdates"] + world.requests["getUpdates"] > 3))

    assert not Heartbeat.objects.filter(name="bot").exists()


def test_an_answer_lost_on_the_way_is_sent_again(running: Running, world) -> None:
    world.faults.append(Fault(kind="lost_before", methods=["sendmessage"], count=1))

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")

    running.during(talk)


def test_being_asked_to_wait_delays_one_answer_and_loses_none(running: Running, world) -> None:
    world.faults.append(Fault(kind="429", methods=["sendmessage"], count=1, retry_after=1))

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")

    running.during(talk)


def test_an_answer_left_by_a_process_that_died_is_sent_by_the_next(running: Running, world) -> None:
    persons_side.say(world, {"chat": 7, "text": "hello", "first_name": "Ada", "language_code": "en"})
    world.waiting.clear()  # Telegram was told that this one is handled
    conversation.respond(Incoming(7, 1, "1:m1:1", text="/start", first_name="Ada"), now=timezone.now())

    running.during(lambda: running.wait_for("Hello Ada") and None)

    assert chats.unanswered() == []
    assert Chat.objects.get().menu_message_id is not None


def test_updates_are_confirmed_only_after_they_are_handled(running: Running, world, monkeypatch) -> None:
    waiting: list[int] = []
    respond = conversation.respond

    def look(incoming: Incoming, **more: Any) -> Any:
        waiting.append(len(world.waiting))
        return respond(incoming, **more)

    monkeypatch.setattr(conversation, "respond", look)

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")
        _until(lambda: not world.waiting)

    running.during(talk)

    assert waiting == [1]


def test_a_broken_step_says_sorry_and_the_next_one_works(running: Running, monkeypatch, caplog) -> None:
    respond = conversation.respond

    def breaks_once(incoming: Incoming, **more: Any) -> Any:
        if incoming.text == "/help":
            raise RuntimeError("a mistake of ours")
        return respond(incoming, **more)

    monkeypatch.setattr(conversation, "respond", breaks_once)

    def talk() -> None:
        running.say("/help")
        running.wait_for("Something went wrong")
        running.say("/start")
        running.wait_for("Hello Ada")

    running.during(talk)

    assert "an update could not be handled" in caplog.text


def test_an_update_waits_at_telegram_while_the_database_is_away(
    running: Running, world, monkeypatch, caplog
) -> None:
    away = iter(range(4))

    def fails_at_first(act: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(incoming: Incoming, **more: Any) -> Any:
            if next(away, None) is not None:
                raise OperationalError("the database is away")
            return act(incoming, **more)

        return maybe

    monkeypatch.setattr(run_bot, "DATABASE_PAUSE", 0.05)
    monkeypatch.setattr(conversation, "respond", fails_at_first(conversation.respond))
    monkeypatch.setattr(conversation, "apologise", fails_at_first(conversation.apologise))

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")

    running.during(talk)

    assert len(running.from_bot()) == 1


def test_somebody_who_blocks_the_bot_meanwhile_is_noted(running: Running, world, monkeypatch) -> None:
    respond = conversation.respond

    def blocked_meanwhile(incoming: Incoming, **more: Any) -> Any:
        effects = respond(incoming, **more)
        if incoming.text == "/help":
            world.people[7].blocked = True
        return effects

    monkeypatch.setattr(conversation, "respond", blocked_meanwhile)

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")
        running.press("Continue")
        running.wait_for("What do you need?")
        running.say("/help")
        _until(lambda: Chat.objects.filter(blocked_at__isnull=False).exists())

    running.during(talk)

    assert Subscriber.objects.get().pause_reason == "blocked"
    assert chats.unanswered() == []


def _until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def linked() -> str:
    token = base64.b64encode(b'{"id":123456,"authKey":"abcd"}').decode()
    return f"https://stadt.muenchen.de/termin.html#/appointment/{token}"


def of_persons(world: TelegramWorld) -> list[Message]:
    with world.lock:
        return [m for m in world.messages.values() if not m.from_bot and "appointment" in m.text]


def test_a_link_that_opens_an_appointment_does_not_stay_in_the_chat(running: Running, world, town) -> None:
    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")
        running.press("Continue")
        running.wait_for("What do you need?")
        running.say(linked())
        running.wait_for("I am asking the city about this appointment")

    running.during(talk)

    assert of_persons(world) == []
    assert ImportRequest.objects.get().process_id == 123456


def test_where_telegram_keeps_the_link_the_person_is_advised_to_delete_it(
    running: Running, world, town, monkeypatch
) -> None:
    monkeypatch.setattr(bot_side, "DELETABLE", timedelta(seconds=-1))

    def talk() -> None:
        running.say("/start")
        running.wait_for("Hello Ada")
        running.press("Continue")
        running.wait_for("What do you need?")
        running.say(linked())
        running.wait_for("Please delete your message with the link.")
        running.wait_for("I am asking the city about this appointment")

    running.during(talk)

    assert len(of_persons(world)) == 1
