"""The chat's row: found, locked, and told what Telegram took."""

import json
import re
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from appointments.models import OutboxMessage, Subscriber
from appointments.services.subscribers import LANGUAGES
from bot.effects import Effect, Incoming
from bot.models import Chat

# As many updates of one chat as Telegram can hand over at once again after a crash.
REMEMBERED = 100
REMEMBERED_MESSAGES = 50

# Keys of messages (`application.incoming_of`) hold the message's number.
_MESSAGE_IN_KEY = re.compile(r":m(\d+):")


def chat_for_update(incoming: Incoming, *, now: datetime) -> Chat:
    """The chat's row, locked until the transaction ends; made at the first contact, in the person's language."""
    language = incoming.language_code.lower()[:2]
    Chat.objects.get_or_create(
        chat_id=incoming.chat_id,
        defaults={
            "language": language if language in LANGUAGES else "en",
            "created_at": now,
            "last_update_at": now,
        },
    )
    chat = (
        Chat.objects.select_for_update(of=("self",))
        .select_related("subscriber")
        .get(chat_id=incoming.chat_id)
    )
    if chat.subscriber is not None and chat.subscriber.pause_reason == "erasing":
        # Whoever asked to be forgotten and comes back is somebody new; what they held is being given back.
        chat.subscriber = None
        chat.dialogue = {}
    return chat


def staff_subscriber(chat_id: int) -> Subscriber | None:
    """The person behind the staff's chat, to whom alerts are told; None until that chat has said /start and agreed."""
    chat = Chat.objects.filter(chat_id=chat_id).select_related("subscriber").first()
    return chat.subscriber if chat is not None else None


def handled_before(chat: Chat, incoming: Incoming) -> bool:
    """Whether this very update was handled already; notes it otherwise (the caller saves the chat)."""
    if incoming.key in chat.recent_updates:
        return True
    chat.recent_updates = [*chat.recent_updates[-REMEMBERED + 1 :], incoming.key]
    return False


def keep_answer(chat: Chat, incoming: Incoming, effects: list[Effect]) -> None:
    """Keep the answer with the chat until `answer_taken`; written in the same transaction as what it tells."""
    chat.unanswered = (
        json.dumps({"key": incoming.key, "effects": [effect.as_json() for effect in effects]})
        if effects
        else ""
    )


def answer_taken(chat_id: int, key: str, menu: tuple[int, int] | None, shown: Sequence[int] = ()) -> None:
    """Telegram took the answer to the update `key`. `menu` is (number of the menu, message that shows it now).

    `shown` are the messages that showed it.
    """
    with transaction.atomic():
        chat = Chat.objects.select_for_update().filter(chat_id=chat_id).first()
        if chat is None:
            return
        fields = []
        if chat.unanswered and json.loads(chat.unanswered).get("key") == key:
            chat.unanswered = ""
            fields.append("unanswered")
        if menu is not None and menu[0] == chat.menu_serial:
            chat.menu_message_id = menu[1]
            fields.append("menu_message_id")
        if shown:
            chat.own_messages = [*chat.own_messages, *shown][-REMEMBERED_MESSAGES:]
            fields.append("own_messages")
        if fields:
            chat.save(update_fields=fields)


def unanswered() -> list[tuple[int, str, list[Effect]]]:
    """(chat, update, effects) of answers that Telegram may not have got, because a process died in between."""
    found = []
    for chat in Chat.objects.exclude(unanswered=""):
        kept = json.loads(chat.unanswered)
        found.append((chat.chat_id, kept["key"], [Effect(**effect) for effect in kept["effects"]]))
    return found


def own_messages(chat: Chat) -> set[int]:
    """The messages of this chat that we know: answers of the conversation, its menu, and news that were sent."""
    news = OutboxMessage.objects.filter(subscriber=chat.subscriber_id).exclude(receipt="")
    numbers = {int(receipt) for receipt in news.values_list("receipt", flat=True) if receipt.isdigit()}
    return numbers | set(chat.own_messages) | {chat.menu_message_id or 0}


def last_known_message(*, before: datetime | None) -> int:
    """The highest number Telegram had given to a message, in any chat, as far as we knew at `before`; 0: unknown.

    Source: messages of private chats bear one ascending number for each bot.
    """
    news = OutboxMessage.objects.exclude(receipt="").filter(sent_at__isnull=False)
    talks = Chat.objects.all()
    if before is not None:
        news, talks = news.filter(sent_at__lt=before), talks.filter(last_update_at__lt=before)
    numbers = [0]
    numbers += [
        int(text)
        for text in news.order_by("-sent_at").values_list("receipt", flat=True)[:50]
        if text.isdigit()
    ]
    for chat in talks.order_by("-last_update_at").only("recent_updates")[:20]:
        numbers += [
            int(found[1]) for key in chat.recent_updates[-5:] if (found := _MESSAGE_IN_KEY.search(key))
        ]
    return max(numbers)


def mark_blocked(chat_id: int, *, now: datetime) -> None:
    """The person has blocked the bot: nothing more is tried until they write again."""
    from appointments.services.subscribers import pause_subscriber

    chat = Chat.objects.select_related("subscriber").filter(chat_id=chat_id).first()
    if chat is None:
        return
    Chat.objects.filter(pk=chat.pk).update(blocked_at=now, unanswered="")
    if chat.subscriber is not None and chat.subscriber.paused_at is None:
        pause_subscriber(chat.subscriber, "blocked", now=now)
