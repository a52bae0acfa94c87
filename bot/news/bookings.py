"""News of bookings, from held to the visit."""

from collections.abc import Callable
from datetime import datetime

from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import Booking, OutboxMessage
from appointments.selectors.watches import open_slots_for
from appointments.states import BookingState
from bot import booking_screens as screens
from bot import callback_data as cd
from bot import dates
from bot.effects import Button, Rows, Screen
from bot.keyboards import shortened
from bot.messages import BookingView, minutes, render
from bot.news.base import News, NothingToTell, booking_of
from bot.slot_buttons import OFFERED, slot_buttons

S = BookingState


def _while(*states: BookingState) -> Callable[[OutboxMessage, datetime], News]:
    """A message about a state that may have passed: then the next message tells more, and this one is left out."""

    def about(message: OutboxMessage, now: datetime) -> News:
        booking = booking_of(message)
        if booking.state not in states or booking.wish == Booking.Wish.RELEASE:
            raise NothingToTell(booking.state)
        return News(screens.booking_screen(booking, now))

    return about


def _not_confirmed_yet(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.PRECONFIRMED:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("The city does not show it as confirmed yet. I look again in a few seconds.")
    return News(Screen(f"{screen.html}\n\n{format_html('<i>{}</i>', note)}", screen.rows))


def _hold_ending(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.RESERVED or booking.wish != Booking.Wish.ASK:
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now))


def _hold_released(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    why = str(message.payload.get("why", ""))
    instead = _successor(message, booking)
    html = render(
        "hold_released",
        b=BookingView(booking, now),
        why=why,
        next=BookingView(instead, now) if instead is not None else None,
    )
    rows = screens.watch_rows(booking.watch)
    if instead is not None:
        return News(Screen(html))
    if why == "superseded" and booking.watch is not None and booking.watch.ended_at is None:
        rows = other_times(booking, now) + rows
    return News(Screen(html, rows))


def _successor(message: OutboxMessage, booking: Booking) -> Booking | None:
    """The attempt that follows this one, if the message names it."""
    following = message.payload.get("next")
    if not following:
        return None
    mine = Booking.objects.filter(pk=following, subscriber=booking.subscriber_id)
    return mine.select_related("office", "main_service", "search").first()


def other_times(booking: Booking, now: datetime) -> Rows:
    """Free times for the same watch, as buttons."""
    watch = booking.watch
    if watch is None:
        return []
    without = [(booking.office_id, booking.starts_at)]
    slots = open_slots_for(watch, now=now, limit=OFFERED, without=without)
    return slot_buttons(slots, watch.pk)


def _lapsed(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = booking_of(message)
        return News(screens.lapsed(booking, now, kind))

    return about


def _details_needed(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.RESERVED:
        raise NothingToTell(booking.state)
    names = [screens.field_name(str(field), booking.office) for field in message.payload.get("fields", ())]
    html = render("details_needed", b=BookingView(booking, now), fields=", ".join(names))
    enter = [Button(_("Enter my data"), cd.BookingAct("keep", booking.pk))]
    return News(Screen(html, [enter, [screens.release(booking)]]))


def _refused(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = booking_of(message)
        if booking.state != S.RESERVED:
            raise NothingToTell(booking.state)
        field = str(message.payload.get("field") or "")
        field = {"familyName": "family_name", "customTextfield": "custom_text"}.get(field, field)
        named = screens.field_name(field, booking.office) if field else ""
        html = render(kind, b=BookingView(booking, now), field=named)
        change = [Button(_("Change my data"), cd.BookingAct("fix", booking.pk))]
        return News(Screen(html, [change, [screens.release(booking)]]))

    return about


def _activation_ending(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.PRECONFIRMED or booking.wish == Booking.Wish.RELEASE:
        raise NothingToTell(booking.state)
    view = BookingView(booking, now)
    html = render("activation_ending", b=view, left=minutes(view.activate_minutes))
    return News(Screen(html, screens.mail_rows(booking)))


def _confirmed(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now), files_of=booking)


def _over(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = booking_of(message)
        watch = booking.watch
        rows = [[Button(_("New search"), cd.Go("home"))]]
        if watch is not None and watch.ended_at is None:
            rows = screens.watch_rows(watch)
        elif watch is not None:
            rows.insert(0, [Button(_("Search again"), cd.WatchAct("again", watch.pk))])
        return News(Screen(render(kind, b=BookingView(booking, now)), rows))

    return about


def _slot_taken(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    successor = _successor(message, booking)
    html = render(
        "slot_taken",
        b=BookingView(booking, now),
        next=BookingView(successor, now) if successor is not None else None,
    )
    rows = [] if successor is not None else other_times(booking, now) + screens.watch_rows(booking.watch)
    return News(Screen(html, rows))


def _booking_failed(message: OutboxMessage, now: datetime) -> News:
    return News(screens.failed(booking_of(message), now, str(message.payload.get("why", ""))))


def _booking_settled(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.is_live:
        return News(screens.booking_screen(booking, now))
    html = render("booking_settled", b=BookingView(booking, now))
    return News(Screen(html, other_times(booking, now) + screens.watch_rows(booking.watch)))


def _reminder(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = booking_of(message)
        if booking.state != S.CONFIRMED:
            raise NothingToTell("no appointment any more")
        rows = [
            [Button(_("Map"), cd.ShowMap(booking.office_id))],
            [Button(shortened(_("I can't come: give it back")), cd.BookingAct("release", booking.pk))],
        ]
        return News(Screen(render(kind, b=BookingView(booking, now)), rows))

    return about


def _visit_over(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell("no appointment any more")
    rows = [
        [Button(_("Done, erase my data"), cd.BookingAct("visit_done", booking.pk))],
        [Button(_("I need another one"), cd.BookingAct("another", booking.pk))],
    ]
    return News(Screen(render("visit_over", b=BookingView(booking, now)), rows), quiet=True)


def _mail_limit_ahead(message: OutboxMessage, now: datetime) -> News:
    own = booking_of(message)
    if not own.is_live:
        raise NothingToTell(own.state)
    return News(screens.mail_limit_ahead(own, now))


def _veto(message: OutboxMessage, now: datetime) -> News:
    booking = booking_of(message)
    if booking.wish == Booking.Wish.RELEASE or not booking.is_live:
        raise NothingToTell(booking.state)
    if booking.state in (S.RESERVED, S.PRECONFIRMING):
        return News(screens.booking_screen(booking, now))
    return News(Screen(render("veto_over", b=BookingView(booking, now))))


def _holds_paused(message: OutboxMessage, now: datetime) -> News:
    until = parse_datetime(str(message.payload.get("until", "")))
    if until is None or until < now:
        raise NothingToTell("over")
    html = render("holds_paused", unkept=message.payload.get("unkept", 0), until=dates.show_moment(until))
    return News(Screen(html, [[Button(_("My searches"), cd.Go("watches"))]]))


ABOUT: dict[str, Callable[[OutboxMessage, datetime], News]] = {
    "appointment_reserved": _while(S.RESERVED, S.PRECONFIRMING, S.CONFIRMING),
    "hold_ending": _hold_ending,
    "hold_released": _hold_released,
    "hold_lapsed": _lapsed("hold_lapsed"),
    "activation_lapsed": _lapsed("activation_lapsed"),
    "details_needed": _details_needed,
    "contact_refused": _refused("contact_refused"),
    "mail_limit": _refused("mail_limit"),
    "check_mail": _while(S.PRECONFIRMED),
    "not_confirmed_yet": _not_confirmed_yet,
    "activation_ending": _activation_ending,
    "appointment_confirmed": _confirmed,
    "appointment_cancelled": _over("appointment_cancelled"),
    "appointment_gone": _over("appointment_gone"),
    "slot_taken": _slot_taken,
    "booking_failed": _booking_failed,
    "booking_uncertain": _while(S.UNCERTAIN),
    "booking_settled": _booking_settled,
    "reminder_day": _reminder("reminder_day"),
    "reminder_hours": _reminder("reminder_hours"),
    "visit_over": _visit_over,
    "mail_limit_ahead": _mail_limit_ahead,
    "veto": _veto,
    "holds_paused": _holds_paused,
}
