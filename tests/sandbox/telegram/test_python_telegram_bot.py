"""python-telegram-bot itself, a client that checks what it reads, against the simulated Telegram."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
import requests
from telegram import (
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    MenuButtonCommands,
    ReplyKeyboardMarkup,
    Update,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

from termin_project.sandbox.telegram import SANDBOX_TOKEN, TelegramWorld, telegram_app

Context = ContextTypes.DEFAULT_TYPE


def application(url: str, token: str = SANDBOX_TOKEN) -> Application:
    return (
        ApplicationBuilder()
        .token(token)
        .base_url(f"{url}/bot")
        .base_file_url(f"{url}/file/bot")
        .get_updates_read_timeout(20)
        .build()
    )


async def echo(update: Update, context: Context) -> None:
    assert update.message
    await update.message.reply_text(f"You said: {update.message.text}")


async def start(update: Update, context: Context) -> None:
    assert update.message
    assert update.effective_user
    button = InlineKeyboardButton("Press me", callback_data="go:1")
    await update.message.reply_text(
        f"Hello <b>{update.effective_user.first_name}</b> 👋",
        parse_mode=ParseMode.HTML,
        reply_markup=InlineKeyboardMarkup([[button]]),
    )


async def pressed(update: Update, context: Context) -> None:
    query = update.callback_query
    assert query
    await query.answer("Got it", show_alert=True)
    await query.edit_message_text("Thank you.")


async def not_text(update: Update, context: Context) -> None:
    assert update.message
    await update.message.reply_text("I only understand text and buttons.")


class Person:
    """The person's side over HTTP, as a page uses it."""

    def __init__(self, url: str, chat: int = 1) -> None:
        self.base = f"{url}/telegram/control"
        self.chat = chat

    def say(self, text: str = "", **more: Any) -> dict[str, Any]:
        return requests.post(
            f"{self.base}/say", json={"chat": self.chat, "text": text, **more}, timeout=5
        ).json()

    def press(self, message: int, data: str) -> dict[str, Any]:
        return requests.post(
            f"{self.base}/press", json={"chat": self.chat, "message": message, "data": data}, timeout=15
        ).json()

    def from_bot(self, count: int, timeout: float = 10) -> list[dict[str, Any]]:
        """The bot's messages, once there are `count` of them."""
        until = time.monotonic() + timeout
        while True:
            answer = requests.get(f"{self.base}/messages", params={"chat": self.chat}, timeout=5).json()
            found = [m for m in answer if m["from"] == "bot"]
            if len(found) >= count or time.monotonic() > until:
                return found
            time.sleep(0.05)


def test_an_application_of_python_telegram_bot_talks_with_a_person(serve) -> None:
    url = serve(telegram_app(TelegramWorld()))
    person = Person(url)

    async def run() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        app = application(url)
        app.add_handler(CommandHandler("start", start))
        app.add_handler(CallbackQueryHandler(pressed))
        app.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, echo))
        app.add_handler(MessageHandler(filters.PHOTO | filters.LOCATION | filters.Sticker.ALL, not_text))
        async with app:
            await app.start()
            assert app.updater
            await app.updater.start_polling(timeout=5, allowed_updates=Update.ALL_TYPES)
            await asyncio.to_thread(person.say, "/start", first_name="Ada", language_code="de")
            greeting = (await asyncio.to_thread(person.from_bot, 1))[0]
            answer = await asyncio.to_thread(person.press, greeting["id"], "go:1")
            await asyncio.to_thread(person.say, "register adress")
            await asyncio.to_thread(person.say, photo=True)
            messages = await asyncio.to_thread(person.from_bot, 3)
            await app.updater.stop()
            await app.stop()
        return messages, answer

    messages, answer = asyncio.run(run())

    assert answer["answered"]
    assert answer["text"] == "Got it"
    assert answer["show_alert"]
    assert messages[0]["text"] == "Thank you."
    assert messages[0]["edited"]
    assert messages[0]["buttons"] == []
    assert messages[1]["text"] == "You said: register adress"
    assert messages[2]["text"] == "I only understand text and buttons."


def test_every_method_the_bot_uses_is_read_by_the_library(serve) -> None:
    url = serve(telegram_app(TelegramWorld(burst=20)))
    Person(url).say("/start", first_name="Ada")

    async def run() -> None:
        async with application(url).bot as bot:
            assert (await bot.get_me()).is_bot
            assert (await bot.get_chat(1)).first_name == "Ada"
            await bot.set_my_commands([BotCommand("watches", "My watches")], language_code="de")
            assert [c.command for c in await bot.get_my_commands(language_code="de")] == ["watches"]
            await bot.set_my_description("I look for appointments.")
            await bot.set_my_short_description("Appointments")
            await bot.set_chat_menu_button(menu_button=MenuButtonCommands())
            assert (await bot.get_chat_menu_button()).type == "commands"
            await bot.send_chat_action(1, ChatAction.TYPING)
            sent = await bot.send_document(
                1, b"BEGIN:VCALENDAR\r\n\r\x00\xff\n", filename="Köln & café.ics", caption="<b>Yours</b>",
                parse_mode=ParseMode.HTML,
            )  # fmt: skip
            assert sent.document
            assert sent.caption == "Yours"
            assert sent.document.file_name == "Köln & café.ics"
            stored = await bot.get_file(sent.document.file_id)
            assert bytes(await stored.download_as_bytearray()) == b"BEGIN:VCALENDAR\r\n\r\x00\xff\n"
            again = await bot.send_document(1, sent.document.file_id)
            assert again.document
            assert again.document.file_id == sent.document.file_id
            place = await bot.send_venue(1, 48.13, 11.57, "Office", "Street 1")
            assert place.venue
            assert place.venue.location.latitude == 48.13
            point = await bot.send_location(1, 48.13, 11.57)
            assert point.location
            assert (await bot.send_photo(1, b"\x89PNG")).photo
            keyboard = ReplyKeyboardMarkup([[KeyboardButton("Near me", request_location=True)]])
            asked = await bot.send_message(1, "Where?", reply_markup=keyboard)
            assert await bot.delete_message(1, asked.message_id)
            buttons = InlineKeyboardMarkup([[InlineKeyboardButton("Map", url="https://example.org/map")]])
            text = await bot.send_message(1, "Look", reply_markup=buttons)
            text = await bot.edit_message_reply_markup(1, text.message_id)  # type: ignore[assignment]
            assert text.reply_markup is None
            assert (await bot.get_webhook_info()).url == ""

    asyncio.run(run())


def test_the_library_raises_the_error_that_telegram_means(serve, monkeypatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    url = serve(telegram_app(TelegramWorld(burst=1)))
    person = Person(url)
    person.say("/start")
    control = f"{url}/telegram/control"

    async def run() -> None:
        async with application(url).bot as bot:
            with pytest.raises(BadRequest, match="Can't parse entities: unsupported start tag"):
                await bot.send_message(1, "a < b", parse_mode=ParseMode.HTML)
            with pytest.raises(BadRequest, match="Chat not found"):
                await bot.send_message(99, "hello")
            with pytest.raises(BadRequest, match="Button_data_invalid"):
                await bot.send_message(
                    1, "x", reply_markup=InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="ü" * 33)]])
                )  # fmt: skip
            sent = await bot.send_message(1, "first")
            with pytest.raises(BadRequest, match="Message is not modified"):
                await bot.edit_message_text("first", 1, sent.message_id)
            with pytest.raises(RetryAfter) as slow:
                await bot.send_message(1, "second")
            assert slow.value.retry_after == timedelta(seconds=1)
            requests.post(f"{control}/block", json={"chat": 1, "blocked": True}, timeout=5)
            with pytest.raises(Forbidden, match="bot was blocked by the user"):
                await bot.send_message(1, "third")

    asyncio.run(run())


def test_a_wrong_token_is_an_invalid_token(serve) -> None:
    url = serve(telegram_app(TelegramWorld()))

    async def run() -> None:
        with pytest.raises(InvalidToken):
            await application(url, token="2:other").initialize()

    asyncio.run(run())


def test_of_two_bots_that_poll_the_one_that_waits_longer_meets_a_conflict(serve) -> None:
    url = serve(telegram_app(TelegramWorld()))

    async def run() -> None:
        async with application(url).bot as first, application(url).bot as second:
            waiting = asyncio.create_task(first.get_updates(timeout=10))
            await asyncio.sleep(0.3)
            await second.get_updates(timeout=0)
            with pytest.raises(Conflict, match="terminated by other getUpdates request"):
                await waiting

    asyncio.run(run())


def test_a_lost_answer_is_a_network_error_although_the_message_arrived(serve) -> None:
    url = serve(telegram_app(TelegramWorld()))
    person = Person(url)
    person.say("/start")
    requests.post(f"{url}/telegram/control/faults", json={"kind": "lost_after"}, timeout=5)

    async def run() -> None:
        app = ApplicationBuilder().token(SANDBOX_TOKEN).base_url(f"{url}/bot").request(HTTPXRequest()).build()
        async with app.bot as bot:
            with pytest.raises(NetworkError):
                await bot.send_message(1, "Did you get this?")

    asyncio.run(run())

    assert [m["text"] for m in person.from_bot(1)] == ["Did you get this?"]
