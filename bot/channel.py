"""The Telegram channel: an outbox message in, Telegram's answer turned into a receipt or a `DeliveryError`.

A plain kept `requests.Session`: measured at 1,100 messages a second and 0.6 ms of CPU each, where an event loop and a
fresh client per call reach 17.
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import requests
from django.conf import settings
from django.utils import timezone, translation

from appointments.channels import DeliveryError
from appointments.models import Booking, OutboxMessage
from bot import chats
from bot.calendar_file import FILE_NAME, calendar_file
from bot.effects import Screen, keyboard_of
from bot.messages import BookingView, render
from bot.models import Chat
from bot.news import News, NothingToTell, render_news

log = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0
# A message that goes with another one waits for Telegram so long at most, because others wait behind it.
LONGEST_WAIT = 3
FILE_ATTEMPTS = 3
# Telegram numbers a bot's messages in order over all its chats; between two messages of the sender lie only those of
# the conversations. So many numbers after the last known one are looked at for a message whose sending was cut off.
LOOKED_AT = 40
# Messages that are true and whose buttons serve for one moment of a booking; the next message about it retires them.
_PROMPTS = (
    "captcha_wanted",
    "appointment_reserved",
    "hold_ending",
    "details_needed",
    "contact_refused",
    "mail_limit",
    "check_mail",
    "activation_ending",
    "move_mail_limit",
    "old_gone_meanwhile",
)
# Telegram refuses to edit; a new message shows the same.
_CANNOT_EDIT = (
    "message can't be edited",
    "message to edit not found",
    "message_id_invalid",
    "there is no text in the message to edit",
)


class TelegramChannel:
    """Delivers to the person's Telegram chat. One per process; the session is kept."""

    def __init__(self) -> None:
        self._session = requests.Session()
        # A proxy in the environment is for the real Telegram; the simulated one is on this computer.
        self._session.trust_env = not settings.SIMULATED_TELEGRAM

    def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
        """Send `message`, or edit the message that `edit_receipt` names. Returns the id of what now shows it.

        Raises `DeliveryError`; without an answer of Telegram it is `unclear`, and `recall` looks before the next try.
        """
        chat = self._chat_of(message)
        with translation.override(chat.speaks), self._noting_who_blocked(chat):
            news = _news(message)
            receipt = self._show(chat, news.screen, edit_receipt, quiet=news.quiet)
        if chat.blocked_at is not None:
            Chat.objects.filter(pk=chat.pk).update(blocked_at=None)
        return receipt

    def recall(self, message: OutboxMessage) -> str:
        """The id under which a message is shown whose sending was cut off, "" if it is not.

        Telegram tells no bot what stands in a chat. But it numbers messages in order, and to edit one that is not there
        fails without a trace: so the message is edited, to its present text, under the numbers it can have.
        """
        chat = self._chat_of(message)
        last = chats.last_known_message(before=message.attempted_at)
        known = chats.own_messages(chat)
        with translation.override(chat.speaks), self._noting_who_blocked(chat):
            content = _content(chat, _news(message).screen)
            for number in range(last + 1, last + 1 + LOOKED_AT):
                if number not in known and self._edits(content, number):
                    return str(number)
        return ""

    def accompany(self, message: OutboxMessage, receipt: str) -> None:
        """What goes with a message: the calendar file and the map point, and earlier questions that are over."""
        chat = Chat.objects.filter(subscriber=message.subscriber_id).first()
        if chat is None:
            return
        with translation.override(chat.speaks):
            try:
                files_of = render_news(message, timezone.now()).files_of
            except NothingToTell:
                files_of = None
            if files_of is not None:
                self.send_files(chat.chat_id, files_of)
            self._retire_prompts(chat, message, receipt)

    def _chat_of(self, message: OutboxMessage) -> Chat:
        chat = Chat.objects.filter(subscriber=message.subscriber_id).first()
        if chat is None:
            raise DeliveryError("no chat", permanent=True)
        return chat

    @contextlib.contextmanager
    def _noting_who_blocked(self, chat: Chat) -> Iterator[None]:
        try:
            yield
        except DeliveryError as error:
            if error.blocked:
                Chat.objects.filter(pk=chat.pk).update(blocked_at=timezone.now())
            raise

    def send_files(self, chat_id: int, booking: Booking) -> None:
        """The calendar file and the map point of a confirmed appointment.

        They follow a message that is already there. To fail with them would send that message again, so what cannot
        be sent is left out; a button under the message fetches both at any time.
        """
        office = booking.office
        file = (FILE_NAME, calendar_file(booking, timezone.now()), "text/calendar")
        self._follow_up("sendDocument", {"chat_id": chat_id}, files={"document": file})
        if office.latitude is not None and office.longitude is not None:
            venue = {
                "chat_id": chat_id,
                "latitude": office.latitude,
                "longitude": office.longitude,
                "title": office.name,
                "address": office.address or office.name,
            }
            self._follow_up("sendVenue", venue)

    def _show(self, chat: Chat, screen: Screen, edit_receipt: str, *, quiet: bool = False) -> str:
        content = _content(chat, screen)
        if edit_receipt.isdigit() and self._edits(content, int(edit_receipt)):
            return edit_receipt
        if quiet:
            content["disable_notification"] = True
        return str(self._call("sendMessage", content)["message_id"])

    def _edits(self, content: dict[str, Any], number: int) -> bool:
        """Whether the message `number` of that chat now shows `content`."""
        try:
            self._call("editMessageText", {**content, "message_id": number})
        except DeliveryError as error:
            if "message is not modified" in error.reason:
                return True
            if any(words in error.reason for words in _CANNOT_EDIT):
                return False
            raise
        return True

    def _retire_prompts(self, chat: Chat, message: OutboxMessage, receipt: str) -> None:
        """Let earlier messages about the booking neither ask nor promise any more: what they said is over.

        Their buttons answer kindly anyway, so one try is enough.
        """
        if message.booking is None:
            return
        earlier = OutboxMessage.objects.filter(
            booking=message.booking_id, kind__in=_PROMPTS, sent_at__isnull=False, pk__lt=message.pk
        )
        over = set(earlier.exclude(receipt__in=("", receipt)).values_list("receipt", flat=True))
        if not over:
            return
        content = _content(chat, Screen(render("went_on", b=BookingView(message.booking, timezone.now()))))
        for old in over:
            with contextlib.suppress(DeliveryError):
                self._edits(content, int(old))

    def _follow_up(self, method: str, params: dict[str, Any], files: dict[str, Any] | None = None) -> None:
        for attempt in range(FILE_ATTEMPTS):
            try:
                self._call(method, params, files)
            except DeliveryError as error:
                pause = error.retry_after.total_seconds() if error.retry_after else 0.5
                if error.permanent or error.blocked or pause > LONGEST_WAIT or attempt == FILE_ATTEMPTS - 1:
                    log.warning("left out what goes with a confirmed appointment", extra={"method": method})
                    return
                time.sleep(pause)
            else:
                return

    def _call(
        self, method: str, params: dict[str, Any], files: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"{settings.TELEGRAM_API_URL}{settings.TELEGRAM_BOT_TOKEN}/{method}"
        body: dict[str, Any] = {"data": params, "files": files} if files else {"json": params}
        try:
            response = self._session.post(url, timeout=(CONNECT_SECONDS, READ_SECONDS), **body)
            answer = json.loads(response.content)
        except requests.RequestException as error:
            # Its text holds the address, and with it the token: only the kind is passed on.
            raise DeliveryError(type(error).__name__, unclear=True) from None
        except ValueError:
            raise DeliveryError(f"no JSON, status {response.status_code}", unclear=True) from None
        if isinstance(answer, dict) and answer.get("ok") and isinstance(answer.get("result"), dict | bool):
            result = answer["result"]
            return result if isinstance(result, dict) else {}
        raise _refusal(response.status_code, answer if isinstance(answer, dict) else {})


def _news(message: OutboxMessage) -> News:
    """What the message tells by now, in the active language. Raises `DeliveryError` when that is nothing."""
    try:
        return render_news(message, timezone.now())
    except NothingToTell as nothing:
        raise DeliveryError(f"nothing to tell: {nothing}", overtaken=True) from None


def _content(chat: Chat, screen: Screen) -> dict[str, Any]:
    return {
        "chat_id": chat.chat_id,
        "text": screen.html,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": keyboard_of(screen.rows)},
    }


def _refusal(status: int, answer: dict[str, Any]) -> DeliveryError:
    reason = str(answer.get("description", f"status {status}"))[:100].lower()
    parameters = answer.get("parameters") or {}
    if status == 429:
        seconds = parameters.get("retry_after", 1)
        pause = timedelta(seconds=seconds if isinstance(seconds, int) else 1)
        return DeliveryError(reason, retry_after=pause)
    if status == 403 or "chat not found" in reason:
        return DeliveryError(reason, permanent=True, blocked=True)
    # A wrong token is no fault of the message: it goes out once the setting is right.
    permanent = status in (400, 413)
    return DeliveryError(reason, permanent=permanent)
