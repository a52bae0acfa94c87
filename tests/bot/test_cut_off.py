"""A sender that was killed, or an answer that was lost, between Telegram's showing and our noting it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from appointments.models import OutboxMessage
from appointments.services import outbox
from appointments.services.outbox import LEASE, deliver_due, enqueue
from bot import chats
from bot.channel import TelegramChannel
from bot.models import Chat
from termin_project.sandbox.mount import WsgiAdapter
from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from termin_project.sandbox.telegram.control import say
from termin_project.sandbox.telegram.records import Fault
from tests.conftest import Queue
from tests.factories import ChatFactory, OutboxMessageFactory, SubscriberFactory

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What a process does not survive."""


class Sender:
    """A process that sends, and may die as soon as Telegram has shown the next message."""

    def __init__(self, world: TelegramWorld) -> None:
        self.channel = TelegramChannel()
        self.channel._session.mount("http://telegram.test/", WsgiAdapter(telegram_app(world)))
        self.now = timezone.now()
        self.dies: str = ""

    def turn(self) -> None:
        call = self.channel._call

        def dying(method: str, *params: object) -> object:
            if self.dies == "before" and method == "sendMessage":
                raise Killed
            answer = call(method, *params)  # type: ignore[arg-type]
            if self.dies == "after" and method == "sendMessage":
                raise Killed
            return answer

        self.channel._call = dying  # type: ignore[method-assign,assignment]
        try:
            deliver_due(lambda _name: self.channel, clock=lambda: self.now, sleep=self.sleep)
        finally:
            self.channel._call = call  # type: ignore[method-assign]

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def world() -> TelegramWorld:
    world = TelegramWorld(burst=1000, overall=10_000)
    for chat in (7, 8):
        say(world, {"chat": chat, "text": "/start", "first_name": "Ada"})
    return world


@pytest.fixture
def sender(world: TelegramWorld, queue: Queue, settings) -> Sender:
    settings.TELEGRAM_API_URL = "http://telegram.test/bot"
    settings.TELEGRAM_BOT_TOKEN = world.token
    return Sender(world)


@pytest.fixture
def chat() -> Chat:
    return ChatFactory(chat_id=7, subscriber=SubscriberFactory(known=True))


def news(chat: Chat, sender: Sender, key: str = "fact") -> OutboxMessage:
    message = enqueue(chat.subscriber, "test_message", now=sender.now, dedup_key=key)
    assert message is not None
    return message


def shown(world: TelegramWorld, chat: int = 7) -> list[str]:
    return [m.text[:15] for m in world.messages.values() if m.from_bot and m.chat == chat]


def die(sender: Sender, moment: str) -> None:
    sender.dies = moment
    with pytest.raises(Killed):
        sender.turn()
    sender.dies = ""
    # The lease of the dead sender runs out.
    sender.now += LEASE


def test_a_sender_killed_after_telegram_showed_it_shows_it_once(world, sender, chat) -> None:
    message = news(chat, sender)
    die(sender, "after")

    sender.turn()

    message.refresh_from_db()
    assert len(shown(world)) == 1
    assert message.sent_at is not None
    assert world.messages[int(message.receipt)].text.startswith("🔔 This is")


def test_a_sender_killed_before_telegram_heard_of_it_loses_nothing(world, sender, chat) -> None:
    message = news(chat, sender)
    die(sender, "before")
    before = shown(world)

    sender.turn()

    message.refresh_from_db()
    assert (before, len(shown(world))) == ([], 1)
    assert message.sent_at is not None


@pytest.mark.parametrize(("kind", "first"), [("lost_after", 1), ("lost_before", 0)])
def test_a_lost_answer_of_telegram_shows_it_once(kind: str, first: int, world, sender, chat) -> None:
    news(chat, sender)
    world.faults.append(Fault(kind=kind, methods=["sendmessage"], count=1))
    sender.turn()
    before = len(shown(world))
    sender.now += LEASE

    sender.turn()

    assert (before, len(shown(world))) == (first, 1)


def test_killed_twice_it_is_still_shown_once(world, sender, chat) -> None:
    news(chat, sender)
    die(sender, "before")
    die(sender, "after")

    sender.turn()

    assert len(shown(world)) == 1


def test_messages_to_others_and_talk_in_between_do_not_hide_it(world, sender, chat) -> None:
    other = ChatFactory(chat_id=8, subscriber=SubscriberFactory(known=True))
    for number in range(3):
        news(other, sender, f"other {number}")
        sender.turn()
        sender.now += timedelta(seconds=2)
    for number in range(9):
        say(world, {"chat": 7, "text": f"hello {number}"})
    news(chat, sender)
    die(sender, "after")
    news(other, sender, "other 4")

    sender.turn()

    assert (len(shown(world, 7)), len(shown(world, 8))) == (1, 4)


def test_an_answer_of_the_conversation_is_not_taken_for_the_news(world, sender, chat) -> None:
    person = world.people[7]
    menu = world.add(person, from_bot=True, text="What do you need?")
    chats.answer_taken(7, "1", None, [menu.id])
    news(chat, sender)
    die(sender, "before")

    sender.turn()

    assert shown(world) == ["What do you nee", "🔔 This is a tes"]


def test_a_message_that_somebody_else_has_in_hand_by_now_is_left_to_them(world, sender, chat) -> None:
    message = news(chat, sender)
    [claimed] = outbox.claim_due(sender.now)
    OutboxMessage.objects.filter(pk=message.pk).update(available_at=sender.now + 2 * LEASE)

    sent = outbox._deliver(lambda _name: sender.channel, claimed, lambda: sender.now)

    assert (sent, shown(world)) == (0, [])


def test_the_last_known_number_comes_from_news_and_from_what_people_wrote(chat) -> None:
    now = timezone.now()
    OutboxMessageFactory(subscriber=chat.subscriber, sent_at=now, receipt="41")
    Chat.objects.update(last_update_at=now, recent_updates=["5:m57:1790000000", "6:q1"])

    before = chats.last_known_message(before=now - timedelta(seconds=1))
    after = chats.last_known_message(before=now + timedelta(seconds=1))

    assert (before, after) == (0, 57)
