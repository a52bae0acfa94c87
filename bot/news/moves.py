"""News of appointments that move, are improved, or were made on the city's page."""

from collections.abc import Callable
from datetime import datetime

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import Booking, OutboxMessage
from appointments.selectors.moving import asks_for_other_order, stands, times_to_move_to
from appointments.states import BookingState
from bot import booking_screens as screens
from bot import callback_data as cd
from bot.effects import Button, Screen
from bot.messages import BookingView, render, sight_reason
from bot.news.base import News, NothingToTell, booking_of
from bot.slot_buttons import OFFERED, move_buttons

S = BookingState


def _moved(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    stopped = bool(message.payload.get("stopped"))
    return News(screens.moved(booking, now, stopped=stopped), files_of=booking)


def _old_given_back(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    first = booking.messages.filter(kind="appointment_moved").first()
    stopped = bool(first and first.payload.get("stopped"))
    return News(screens.moved(booking, now, stopped=stopped))


def _two_stand(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.CONFIRMED or booking.replaces is None:
        raise NothingToTell("one appointment again")
    rows = [[Button(_("My appointments"), cd.Go("bookings"))]]
    return News(Screen(render("two_stand", b=BookingView(booking, now)), rows))


def _mail_limit_of_move(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if not asks_for_other_order(booking):
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now))


def _old_gone_meanwhile(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.RESERVED or booking.wish != Booking.Wish.ASK:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("Your old appointment has been cancelled meanwhile. So I ask you again:")
    return News(Screen(f"{format_html('⚠️ {}', note)}\n\n{screen.html}", screen.rows))


def _nothing_left(message: OutboxMessage, now: datetime) -> News:
    html = render("nothing_left", b=BookingView(booking_of(message), now), watching=message.watch is not None)
    return News(Screen(html, screens.watch_rows(message.watch)))


def _move_times(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if not stands(booking):
        raise NothingToTell(booking.state)
    slots = times_to_move_to(booking, now=now)[:OFFERED]
    why = sight_reason(str(message.payload["why"])) if message.payload.get("why") and not slots else ""
    html = render("move_found", b=BookingView(booking, now), count=len(slots), why=why)
    rows = move_buttons(slots, booking.pk)
    if slots:
        rows.append([Button(_("All times"), cd.MoveAct("times", booking.pk))])
    else:
        rows.append([Button(_("Look again"), cd.MoveAct("look", booking.pk))])
    rows.append([Button(_("Find me an earlier one"), cd.MoveAct("earlier", booking.pk))])
    return News(Screen(html, rows))


def _imported(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if not booking.is_live:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("I look after this appointment now. I found it at the city:")
    html = f"{format_html('<b>{}</b>', note)}\n\n{screen.html}"
    return News(Screen(html, screen.rows), files_of=booking if booking.state == S.CONFIRMED else None)


def _import_failed(message: OutboxMessage, now: datetime) -> News:
    booking = message.booking
    rows = [[Button(_("My appointments"), cd.Go("bookings"))]]
    if booking is not None:
        rows.insert(0, [Button(_("Show it"), cd.BookingAct("show", booking.pk))])
    html = render(
        "import_failed",
        why=str(message.payload.get("why", "")),
        b=BookingView(booking, now) if booking is not None else None,
    )
    return News(Screen(html, rows))


ABOUT: dict[str, Callable[[OutboxMessage, datetime], News]] = {
    "appointment_moved": _moved,
    "old_given_back": _old_given_back,
    "two_stand": _two_stand,
    "move_mail_limit": _mail_limit_of_move,
    "old_gone_meanwhile": _old_gone_meanwhile,
    "nothing_left": _nothing_left,
    "move_times": _move_times,
    "appointment_imported": _imported,
    "import_failed": _import_failed,
}
