"""The channel against the simulated Telegram: sent, edited, refused, paused, blocked, lost."""

import json
from datetime import timedelta

import pytest
import requests

from appointments.channels import DeliveryError
from appointments.models import OutboxMessage
from bot.channel import TelegramChannel
from bot.models import Chat
from termin_project.sandbox.mount import WsgiAdapter
from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from termin_project.sandbox.telegram.control import say
from tests.factories import (
    BookingFactory,
    ChatFactory,
    OfficeFactory,
    OutboxMessageFactory,
    SlotFactory,
    SubscriberFactory,
    WatchFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> TelegramWorld:
    world = TelegramWorld(burst=1000, overall=10_000)
    say(world, {"chat": 7, "text": "/start", "first_name": "Ada"})
    return world


@pytest.fixture
def channel(world: TelegramWorld, settings) -> TelegramChannel:
    settings.TELEGRAM_API_URL = "http://telegram.test/bot"
    settings.TELEGRAM_BOT_TOKEN = world.token
    channel = TelegramChannel()
    channel._session.mount("http://telegram.test/", WsgiAdapter(telegram_app(world)))
    return channel


@pytest.fixture
def chat() -> Chat:
    return ChatFactory(chat_id=7, subscriber=SubscriberFactory(known=True))


def shown(world: TelegramWorld) -> list:
    return [message for message in world.messages.values() if message.from_bot]


def tell(channel: TelegramChannel, message: OutboxMessage) -> str:
    """Show it and add what goes with it, as the sender does."""
    receipt = channel.deliver(message, "")
    channel.accompany(message, receipt)
    return receipt


def test_a_message_arrives_and_its_receipt_is_the_messages_number(channel, world, chat) -> None:
    receipt = channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")

    [message] = shown(world)
    assert receipt == str(message.id)
    assert "This is a test." in message.text


def test_the_chats_language_is_spoken(channel, world, chat) -> None:
    chat.subscriber.language = "de"
    chat.subscriber.save()

    channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")

    assert "Das ist ein Test." in shown(world)[0].text


def test_a_receipt_is_edited_in_place(channel, world, chat) -> None:
    slot = SlotFactory()
    watch = WatchFactory(subscriber=chat.subscriber, search=slot.search)
    message = OutboxMessageFactory(
        subscriber=chat.subscriber, kind="slots_opened", watch=watch, payload={"slots": [slot.pk]}
    )
    receipt = channel.deliver(message, "")
    slot.gone_at = slot.appeared_at + timedelta(minutes=2)
    slot.save()

    assert channel.deliver(message, receipt) == receipt
    [only] = shown(world)
    assert "All gone" in only.text


def test_an_edit_that_changes_nothing_is_a_success(channel, world, chat) -> None:
    message = OutboxMessageFactory(subscriber=chat.subscriber)
    receipt = channel.deliver(message, "")

    assert channel.deliver(message, receipt) == receipt


def test_what_cannot_be_edited_is_sent_anew(channel, world, chat) -> None:
    receipt = channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "999")

    assert receipt == str(shown(world)[0].id)


def test_a_confirmed_appointment_comes_with_file_and_map_point(channel, world, chat) -> None:
    booking = BookingFactory(subscriber=chat.subscriber, confirmed=True)

    tell(
        channel,
        OutboxMessageFactory(subscriber=chat.subscriber, kind="appointment_confirmed", booking=booking),
    )

    text, document, venue = shown(world)
    assert "Confirmed by the city!" in text.text
    assert document.content["document"]["file_name"] == "appointment.ics"
    assert venue.content["venue"]["title"] == booking.office.name


def test_an_office_without_a_point_sends_no_map(channel, world, chat) -> None:
    booking = BookingFactory(subscriber=chat.subscriber, confirmed=True, office=OfficeFactory(latitude=None))

    tell(
        channel,
        OutboxMessageFactory(subscriber=chat.subscriber, kind="appointment_confirmed", booking=booking),
    )

    assert len(shown(world)) == 2


def test_a_file_that_cannot_be_sent_does_not_repeat_the_message(channel, world, chat) -> None:
    from termin_project.sandbox.telegram.records import Fault

    world.faults.append(Fault(kind="500", methods=["senddocument"], count=9))
    booking = BookingFactory(subscriber=chat.subscriber, confirmed=True)

    receipt = tell(
        channel,
        OutboxMessageFactory(subscriber=chat.subscriber, kind="appointment_confirmed", booking=booking),
    )

    assert receipt == str(shown(world)[0].id)


def test_the_next_message_about_a_booking_lets_the_old_one_ask_and_promise_no_more(
    channel, world, chat, now
) -> None:
    booking = BookingFactory(subscriber=chat.subscriber, reserved=True)
    held = OutboxMessageFactory(subscriber=chat.subscriber, kind="appointment_reserved", booking=booking)
    held.receipt, held.sent_at = tell(channel, held), now
    held.save()
    booking.state, booking.activate_until = "preconfirmed", booking.held_until
    booking.save()

    tell(channel, OutboxMessageFactory(subscriber=chat.subscriber, kind="check_mail", booking=booking))

    first, second = shown(world)
    assert not first.keyboard
    assert "Do you want it?" not in first.text
    assert booking.office.name in first.text
    assert "further below" in first.text
    assert second.keyboard


def test_a_person_who_blocked_the_bot_is_noted_until_they_come_back(channel, world, chat) -> None:
    world.people[7].blocked = True

    with pytest.raises(DeliveryError) as refused:
        channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")
    assert (refused.value.blocked, refused.value.permanent) == (True, True)
    chat.refresh_from_db()
    assert chat.blocked_at is not None

    world.people[7].blocked = False
    channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")
    chat.refresh_from_db()
    assert chat.blocked_at is None


def test_being_asked_to_wait_names_the_pause(world, chat, settings) -> None:
    strict = TelegramWorld(burst=1)
    say(strict, {"chat": 7, "text": "/start"})
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = "http://telegram.test/bot", strict.token
    channel = TelegramChannel()
    channel._session.mount("http://telegram.test/", WsgiAdapter(telegram_app(strict)))
    channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")

    with pytest.raises(DeliveryError) as pause:
        channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")

    assert pause.value.retry_after == timedelta(seconds=1)
    assert not pause.value.permanent


@pytest.mark.parametrize("kind", ["500", "502", "lost_before", "lost_after"])
def test_trouble_on_the_way_is_tried_again(kind: str, channel, world, chat) -> None:
    from termin_project.sandbox.telegram.records import Fault

    world.faults.append(Fault(kind=kind, methods=["sendmessage"], count=1))

    with pytest.raises(DeliveryError) as trouble:
        channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")
    assert not trouble.value.permanent
    assert not trouble.value.blocked
    assert channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")


def test_an_unreachable_telegram_never_shows_the_token(chat, settings) -> None:
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = "http://127.0.0.1:9/bot", "12345:very-secret"

    with pytest.raises(DeliveryError) as trouble:
        TelegramChannel().deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")

    assert "secret" not in repr(trouble.value)
    assert trouble.value.__cause__ is None


def test_a_person_without_a_chat_cannot_be_reached(channel) -> None:
    with pytest.raises(DeliveryError) as refused:
        channel.deliver(OutboxMessageFactory(), "")

    assert refused.value.permanent


def test_news_that_time_has_overtaken_are_given_up_without_a_call(channel, world, chat) -> None:
    booking = BookingFactory(subscriber=chat.subscriber, cancelled=True)

    with pytest.raises(DeliveryError) as refused:
        channel.deliver(
            OutboxMessageFactory(subscriber=chat.subscriber, kind="check_mail", booking=booking), ""
        )

    assert refused.value.permanent
    assert shown(world) == []


def test_an_answer_that_is_no_json_object_is_trouble(channel, chat) -> None:
    class Odd(requests.adapters.BaseAdapter):
        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code = 200
            response._content = json.dumps([1]).encode()
            return response

        def close(self) -> None:
            """Nothing is kept."""

    channel._session.mount("http://telegram.test/", Odd())

    with pytest.raises(DeliveryError):
        channel.deliver(OutboxMessageFactory(subscriber=chat.subscriber), "")
