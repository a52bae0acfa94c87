"""`manage.py run_bot`: talks with people until it is told to stop."""

import asyncio
import logging
import signal
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone
from telegram import Update
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import Application

from appointments.services.health import beat
from bot.application import ALLOWED_UPDATES, Replies, build_application, commands, in_database, seconds_of

log = logging.getLogger(__name__)

# A long poll ends after so long, so that a sign of life is written as often.
POLL_SECONDS = 10
BEAT_EVERY = timedelta(seconds=10)
PAUSES = (1, 2, 5, 10, 15)
FINISH_SECONDS = 5.0
DATABASE_PAUSE = 2.0
Telegram = Application[Any, Any, Any, Any, Any, Any]


class Command(BaseCommand):
    """Long polling until SIGTERM or SIGINT; Telegram being away only makes it wait."""

    help = "Talk with people in Telegram (long polling)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop. Raises `CommandError` when Telegram does not know the token."""
        asyncio.run(run())


async def run(stop: asyncio.Event | None = None) -> None:
    """Talk until `stop` is set (SIGTERM and SIGINT set it)."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    holder: dict[str, Replies] = {}
    application: Telegram = build_application(holder)
    replies = holder["to"]
    try:
        if not await _connected(application, stop):
            return
        await replies.put_unanswered()
        await _poll(application, replies, stop)
    finally:
        await replies.finish(FINISH_SECONDS)
        await application.shutdown()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _connected(application: Telegram, stop: asyncio.Event) -> bool:
    """Introduce ourselves, however long Telegram takes to be there. False when told to stop before."""
    attempt = 0
    while not stop.is_set():
        try:
            await application.initialize()
            await application.bot.delete_webhook()
            await application.bot.set_my_commands(commands("en"))
            await application.bot.set_my_commands(commands("de"), language_code="de")
        except InvalidToken:
            raise CommandError(
                "Telegram does not accept TELEGRAM_BOT_TOKEN. Ask @BotFather for the right one."
            ) from None
        except TelegramError as error:
            log.warning("Telegram is not there yet, trying again", extra={"error": type(error).__name__})
            await _wait(stop, _pause(attempt, error))
            attempt += 1
        else:
            log.info("talking with people", extra={"simulated": settings.SIMULATED_TELEGRAM})
            return True
    return False


async def _poll(application: Telegram, replies: Replies, stop: asyncio.Event) -> None:
    offset: int | None = None
    failures = 0
    beaten = 0.0
    while not stop.is_set():
        try:
            # The first poll does not wait, so that the first sign of life comes at once.
            updates = await _next_updates(application, offset, stop, POLL_SECONDS if beaten else 0)
        except TelegramError as error:
            if failures == 0 or isinstance(error, Conflict):
                log.warning("no updates from Telegram", extra={"error": type(error).__name__})
            await _wait(stop, _pause(failures, error))
            failures += 1
            continue
        try:
            if failures:
                failures = 0
                log.info("Telegram is back")
                await replies.put_unanswered()
            if time.monotonic() - beaten >= BEAT_EVERY.total_seconds() - 1:
                await in_database(beat, "bot", now=timezone.now())
                beaten = time.monotonic()
                if replies.left_over:
                    await replies.put_unanswered()
        except DatabaseError as error:
            log.error("the database does not answer", extra={"error": type(error).__name__})
        for update in updates:
            await application.process_update(update)
            if application.bot_data.pop("unhandled", False):
                # Asked for again with the same offset, once the database is there.
                await _wait(stop, DATABASE_PAUSE)
                break
            # Confirmed with the next poll: by then it is handled and its answer is written down.
            offset = update.update_id + 1


async def _next_updates(
    application: Telegram, offset: int | None, stop: asyncio.Event, seconds: int
) -> tuple[Update, ...]:
    """The next updates; none when told to stop while waiting."""
    polling = asyncio.ensure_future(
        application.bot.get_updates(
            offset=offset,
            timeout=seconds,
            read_timeout=seconds + 5,
            allowed_updates=ALLOWED_UPDATES,
        )
    )
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not polling.done():
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        return ()
    return polling.result()


def _pause(attempt: int, error: TelegramError) -> float:
    if isinstance(error, RetryAfter):
        return seconds_of(error)
    if isinstance(error, NetworkError | Conflict):
        return PAUSES[min(attempt, len(PAUSES) - 1)]
    return PAUSES[-1]


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
