"""Outbox messages as Telegram shows them: rendered when they are sent, from what the database says then."""

from datetime import datetime

from appointments.models import OutboxMessage
from bot import booking_screens as screens
from bot.news import bookings, moves, watches
from bot.news.base import News, NothingToTell

__all__ = ["KINDS", "News", "NothingToTell", "render_news"]

_ABOUT = {**watches.ABOUT, **bookings.ABOUT, **moves.ABOUT}
KINDS = frozenset(_ABOUT)


def render_news(message: OutboxMessage, now: datetime) -> News:
    """`message` in the active language, as things stand at `now` (aware). Raises `NothingToTell`."""
    about = _ABOUT.get(message.kind)
    if about is not None:
        return about(message, now)
    if message.booking is not None:
        return News(screens.booking_screen(message.booking, now))
    raise NothingToTell(message.kind)
