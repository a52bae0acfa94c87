"""Telegram's library around the conversation: updates in, calls out, each chat's calls in order.

python-telegram-bot speaks the protocol and its rate limiter keeps the overall limit. Its own polling is not used: it
confirms updates to Telegram while they still wait in memory, so a crash would lose them. Here an update is confirmed
only after it has been handled and its answer is written down.
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from telegram import BotCommand, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError
from telegram.ext import (
    AIORateLimiter,
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    ContextTypes,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

from bot import chats, conversation
from bot.effects import Effect, Incoming

# Pauses as timedelta, which a later release of the library will give anyway; without it every pause warns.
os.environ.setdefault("PTB_TIMEDELTA", "1")
log = logging.getLogger(__name__)
# It writes a traceback for every pause Telegram asks for; we keep the pause and go on.
logging.getLogger("telegram.ext.AIORateLimiter").setLevel(logging.CRITICAL)

# The sender of news uses the rest of Telegram's 30 a second.
REPLIES_PER_SECOND = 25
ATTEMPTS = 6
# Of one chat so many answers may wait; a flood beyond is answered by its last ones.
WAITING = 20
COMMANDS = (
    "start",
    "new",
    "watches",
    "bookings",
    "profile",
    "status",
    "settings",
    "privacy",
    "delete",
    "help",
    "cancel",
)
ALLOWED_UPDATES = ["message", "callback_query"]


P = ParamSpec("P")
R = TypeVar("R")


async def in_database(act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `act`, which uses the database, in the one thread that does so."""

    def run() -> R:
        close_old_connections()
        return act(*args, **kwargs)

    return await sync_to_async(run, thread_sensitive=True)()


def seconds_of(pause: RetryAfter) -> float:
    """How long Telegram asks us to wait."""
    asked = pause.retry_after
    return asked.total_seconds() if isinstance(asked, timedelta) else float(asked)


class Replies:
    """The answers on their way. One worker per chat: each chat reads them in order, and none waits for another."""

    def __init__(self, bot: Any) -> None:
        self._bot = bot
        self._waiting: dict[int, deque[tuple[str, list[Effect]]]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}
        # (message, what it shows): an edit that changes nothing is not sent.
        self._shown: dict[int, tuple[int | None, str]] = {}
        # Whether an answer is kept with its chat because Telegram could not take it.
        self.left_over = False

    def put(self, chat_id: int, key: str, effects: list[Effect]) -> None:
        """Have the answer to the update `key` sent, after what this chat is still waiting for."""
        if not effects:
            return
        waiting = self._waiting.setdefault(chat_id, deque(maxlen=WAITING))
        waiting.append((key, effects))
        if chat_id not in self._workers:
            self._workers[chat_id] = asyncio.create_task(self._work(chat_id))

    async def put_unanswered(self) -> None:
        """Send what a process before us (or a break of the line) left unsent."""
        self.left_over = False
        for chat_id, key, effects in await in_database(chats.unanswered):
            if chat_id not in self._workers:
                self.put(chat_id, key, [effect for effect in effects if effect.do != "toast"] or effects)

    async def finish(self, seconds: float) -> None:
        """Wait for the workers, `seconds` at most; what is left is sent after the next start."""
        if self._workers:
            await asyncio.wait(list(self._workers.values()), timeout=seconds)
        for worker in list(self._workers.values()):
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)

    async def _work(self, chat_id: int) -> None:
        waiting = self._waiting[chat_id]
        try:
            while waiting:
                key, effects = waiting.popleft()
                await self._answer(chat_id, key, effects)
        except Forbidden:
            waiting.clear()
            await in_database(chats.mark_blocked, chat_id, now=timezone.now())
        except TelegramError as error:
            # Kept with the chat; tried again with the next sign of life.
            self.left_over = True
            log.warning("an answer is not sent yet", extra={"error": type(error).__name__})
        except DatabaseError as error:
            self.left_over = True
            log.error("what was sent is not written down", extra={"error": type(error).__name__})
        finally:
            del self._workers[chat_id]
            # What still waits is older than the answer kept with the chat, or is that answer.
            self._waiting.pop(chat_id, None)

    async def _answer(self, chat_id: int, key: str, effects: list[Effect]) -> None:
        menu: tuple[int, int] | None = None
        shown: list[int] = []
        for effect in effects:
            if effect.do == "edit" and self._overtaken(chat_id, effect):
                continue
            try:
                message_id = await self._patiently(partial(self._perform, chat_id, effect))
            except BadRequest as error:
                # It would be refused again: the rest of the answer matters more.
                log.error("Telegram refused a message", extra={"do": effect.do, "why": str(error)[:80]})
                continue
            if message_id is not None:
                shown.append(message_id)
            if effect.menu is not None and message_id is not None:
                menu = (effect.menu, message_id)
        await in_database(chats.answer_taken, chat_id, key, menu, shown)

    def _overtaken(self, chat_id: int, effect: Effect) -> bool:
        """Whether a later answer edits the same message anyway."""
        return any(
            later.do == "edit" and later.message_id == effect.message_id
            for _key, effects in self._waiting.get(chat_id, ())
            for later in effects
        )

    async def _patiently(self, call: Callable[[], Awaitable[int | None]]) -> int | None:
        """Telegram's result; asked to wait, this chat waits. A lost answer is asked for again: twice beats never."""
        for attempt in range(ATTEMPTS):
            try:
                return await call()
            except RetryAfter as pause:
                await asyncio.sleep(0.1 + seconds_of(pause))
            except BadRequest:
                raise
            except NetworkError:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(min(8.0, 0.5 * 2**attempt))
        raise NetworkError("asked to wait too often")

    async def _perform(self, chat_id: int, effect: Effect) -> int | None:
        """One call; the id of the message that now shows it, if it shows anything."""
        if effect.do == "toast":
            with contextlib.suppress(BadRequest):  # too old to be answered
                await self._bot.answer_callback_query(
                    effect.query_id, text=effect.html or None, show_alert=effect.alert
                )
            return None
        if effect.do == "strip":
            with contextlib.suppress(BadRequest):  # gone, or without buttons already
                await self._bot.edit_message_reply_markup(chat_id=chat_id, message_id=effect.message_id)
            return None
        if effect.do == "delete":
            try:
                await self._bot.delete_message(chat_id=chat_id, message_id=effect.message_id)
            except BadRequest as error:
                if "not found" not in str(error).lower():
                    await self._bot.send_message(chat_id, text=effect.html, parse_mode=ParseMode.HTML)
            return None
        if effect.do == "document":
            file = InputFile(effect.document.encode(), filename=effect.file_name)
            sent = await self._bot.send_document(chat_id, document=file)
            return int(sent.message_id)
        if effect.do == "venue":
            sent = await self._bot.send_venue(
                chat_id, effect.latitude, effect.longitude, title=effect.title, address=effect.address
            )
            return int(sent.message_id)
        return await self._show(chat_id, effect)

    async def _show(self, chat_id: int, effect: Effect) -> int:
        markup = InlineKeyboardMarkup.de_json({"inline_keyboard": effect.keyboard}, None)
        content: dict[str, Any] = {
            "text": effect.html,
            "parse_mode": ParseMode.HTML,
            "reply_markup": markup,
            "link_preview_options": LinkPreviewOptions(is_disabled=True),
        }
        shows = f"{effect.html}\n{effect.keyboard}"
        if effect.do == "edit" and effect.message_id is not None:
            if self._shown.get(chat_id) == (effect.message_id, shows):
                return effect.message_id
            try:
                await self._bot.edit_message_text(chat_id=chat_id, message_id=effect.message_id, **content)
            except BadRequest as error:
                if "not modified" in str(error).lower():
                    return effect.message_id
                if "can't parse" in str(error).lower():
                    raise
                # Too old or deleted: a new message shows the same.
            else:
                self._shown[chat_id] = (effect.message_id, shows)
                return effect.message_id
        sent = await self._bot.send_message(chat_id, **content)
        return int(sent.message_id)


def build_application(replies: dict[str, Replies]) -> Application:
    """The application with every handler. `replies` receives the `Replies` under "to" as soon as the bot exists."""
    request = HTTPXRequest(
        connection_pool_size=64, httpx_kwargs={"trust_env": not settings.SIMULATED_TELEGRAM}
    )
    updates_request = HTTPXRequest(httpx_kwargs={"trust_env": not settings.SIMULATED_TELEGRAM})
    application = (
        ApplicationBuilder()
        .token(settings.TELEGRAM_BOT_TOKEN)
        .base_url(settings.TELEGRAM_API_URL)
        .request(request)
        .get_updates_request(updates_request)
        # It does not retry by itself: its pause stops every chat, ours only the one that Telegram named.
        .rate_limiter(
            AIORateLimiter(overall_max_rate=REPLIES_PER_SECOND, overall_time_period=1, max_retries=0)
        )
        .updater(None)
        .build()
    )
    replies["to"] = Replies(application.bot)
    application.bot_data.update(replies)
    application.add_handler(CallbackQueryHandler(handle))
    application.add_handler(MessageHandler(filters.ChatType.PRIVATE, handle))
    return application


async def handle(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """One update: handled in the database, its answer put on the way."""
    incoming = incoming_of(update)
    if incoming is None:
        return
    now = timezone.now()
    try:
        effects = await in_database(conversation.respond, incoming, now=now)
    except Exception:
        # The last line of defence: the person gets a sentence, staff the traceback, the update is not tried for ever.
        log.exception("an update could not be handled", extra={"update": incoming.update_id})
        try:
            effects = await in_database(conversation.apologise, incoming, now=now)
        except DatabaseError:
            # Nothing can be written down, so the update must not count as handled: Telegram keeps it for us.
            context.bot_data["unhandled"] = True
            return
    context.bot_data["to"].put(incoming.chat_id, incoming.key, effects)


def incoming_of(update: Update) -> Incoming | None:
    """The update as the conversation takes it; None for what does not come from a private chat."""
    user, query, message = update.effective_user, update.callback_query, update.message
    if user is None or user.is_bot:
        return None
    who = {"first_name": user.first_name or "", "language_code": user.language_code or ""}
    if query is not None:
        shown = query.message
        if shown is not None and shown.chat.type != "private":
            return None
        return Incoming(
            chat_id=shown.chat.id if shown is not None else user.id,
            update_id=update.update_id,
            key=f"{update.update_id}:q{query.id}",
            data=query.data or "",
            message_id=shown.message_id if shown is not None else None,
            query_id=query.id,
            **who,
        )
    if message is None:
        return None
    return Incoming(
        chat_id=message.chat.id,
        update_id=update.update_id,
        key=f"{update.update_id}:m{message.message_id}:{int(message.date.timestamp())}",
        text=message.text,
        message_id=message.message_id,
        **who,
    )


def commands(language: str) -> list[BotCommand]:
    """The commands of the menu beside the input field, in `language`."""
    with translation.override(language):
        described = {
            "start": _("Begin"),
            "new": _("New search"),
            "watches": _("My searches"),
            "bookings": _("My appointments"),
            "profile": _("My name and e-mail"),
            "status": _("Do I see the calendar?"),
            "settings": _("Language and test message"),
            "privacy": _("What I store"),
            "delete": _("Erase everything"),
            "help": _("Help"),
            "cancel": _("Leave what we are doing"),
        }
        return [BotCommand(name, described[name]) for name in COMMANDS]
