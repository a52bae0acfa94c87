"""A booking as a message: the text and the buttons that fit the state it is in now."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from appointments.models import Booking, Office, Watch
from appointments.selectors.catalogue import city_page
from appointments.selectors.moving import asks_for_other_order
from appointments.states import BookingState
from bot import callback_data as cd
from bot.effects import Button, Rows, Screen
from bot.messages import BookingView, minutes, render
from captcha.errors import CityPageNeeded

S = BookingState
# "Only if so many days earlier": what is worth a change to most people.
LARGER_GAIN = 7


def booking_screen(booking: Booking, now: datetime) -> Screen:
    """Where the booking stands, in one message with what can be done about it."""
    wish = booking.wish
    if booking.is_live and wish == Booking.Wish.RELEASE:
        return Screen(render("booking_releasing", b=BookingView(booking, now)))
    show = {
        S.REQUESTED: _requested,
        S.RESERVING: _requested,
        S.RESERVED: reserved,
        S.PRECONFIRMING: _sending,
        S.PRECONFIRMED: check_mail,
        S.CONFIRMING: moving,
        S.CONFIRMED: confirmed,
        S.UNCERTAIN: uncertain,
        S.CANCELLED: _cancelled,
        S.LAPSED: _lapsed,
        S.FAILED: failed,
    }.get(BookingState(booking.state), _releasing)
    return show(booking, now)


def reserved(booking: Booking, now: datetime, minutes_left: int | None = None) -> Screen:
    """Held: keep, look for another time, or give back."""
    if booking.wish == Booking.Wish.BOOK and booking.veto_until is not None and booking.veto_until > now:
        return veto(booking, now)
    if booking.replaces is not None:
        return _held_instead(booking, now)
    view = BookingView(booking, now)
    sending = booking.wish == Booking.Wish.BOOK
    left = minutes(view.held_minutes if minutes_left is None else minutes_left)
    html = render("appointment_reserved", b=view, sending=sending, left=left)
    return Screen(html, [[release(booking)]] if sending else held_rows(booking))


def held_rows(booking: Booking) -> Rows:
    """What one can do with a hold. Giving back asks nothing again: somebody else is glad of it."""
    rows = [[Button(_("✅ Keep"), cd.BookingAct("keep", booking.pk))]]
    second = [release(booking)]
    if booking.watch_id is not None:
        second.insert(0, Button(_("Other times"), cd.BookingAct("other", booking.pk)))
    return [*rows, second]


def _held_instead(booking: Booking, now: datetime) -> Screen:
    """Held to take the place of an appointment: the person is asked, or it is confirmed just now."""
    view = BookingView(booking, now)
    if asks_for_other_order(booking):
        return Screen(
            render("move_mail_limit", b=view),
            [
                [Button(_("No, keep the old one"), cd.MoveAct("keep_old", booking.pk))],
                [Button(_("Yes, cancel the old one first"), cd.MoveAct("first", booking.pk))],
            ],
        )
    if booking.wish == Booking.Wish.BOOK:
        return moving(booking, now)
    rows = [
        [Button(_("✅ Yes, swap"), cd.BookingAct("keep", booking.pk))],
        [Button(_("No"), cd.MoveAct("keep_old", booking.pk))],
    ]
    if booking.watch is not None and booking.watch.improve and booking.watch.improve_gain_days < LARGER_GAIN:
        rows[-1].append(
            Button(
                _("Only if %(days)d+ days earlier") % {"days": LARGER_GAIN}, cd.MoveAct("seven", booking.pk)
            )
        )
    return Screen(render("earlier_held", b=view, left=minutes(view.held_minutes)), rows)


def moving(booking: Booking, now: datetime) -> Screen:
    """The new time is being confirmed (or waits until the old one is cancelled, where the person said so)."""
    return Screen(render("booking_moving", b=BookingView(booking, now)), [[release(booking)]])


def moved(booking: Booking, now: datetime, *, stopped: bool = False) -> Screen:
    """The new appointment stands; what has become of the old one is read from the rows."""
    html = render("appointment_moved", b=BookingView(booking, now), stopped=stopped)
    return Screen(html, appointment_rows(booking))


def veto(booking: Booking, now: datetime) -> Screen:
    """Booked by itself in a moment, unless the person objects."""
    left = booking.veto_until - now if booking.veto_until else timedelta()
    html = render("veto", b=BookingView(booking, now), left=max(1, round(left.total_seconds())))
    rows = [
        [Button(_("✅ Book it now"), cd.BookingAct("keep", booking.pk))],
        [Button(_("✋ Stop, only hold it"), cd.StopVeto(booking.pk)), release(booking)],
    ]
    return Screen(html, rows)


def check_mail(booking: Booking, now: datetime) -> Screen:
    """The city's mail has to be opened."""
    view = BookingView(booking, now)
    return Screen(render("check_mail", b=view, left=minutes(view.activate_minutes)), mail_rows(booking))


def mail_rows(booking: Booking) -> Rows:
    """What one can do while the city waits for the link to be opened."""
    return [
        [Button(_("I opened it"), cd.BookingAct("opened", booking.pk))],
        [Button(_("Mail did not come"), cd.BookingAct("nomail", booking.pk)), release(booking)],
    ]


def confirmed(booking: Booking, now: datetime) -> Screen:
    """The appointment stands."""
    if booking.replaces is not None:
        return moved(booking, now)
    return Screen(render("appointment_confirmed", b=BookingView(booking, now)), appointment_rows(booking))


def appointment_rows(booking: Booking) -> Rows:
    """What one can do with an appointment."""
    return [
        [Button(_("Calendar file and map"), cd.BookingAct("files", booking.pk))],
        [
            Button(_("Find me an earlier one"), cd.MoveAct("earlier", booking.pk)),
            Button(_("Move"), cd.MoveAct("times", booking.pk)),
        ],
        [Button(_("Cancel the appointment"), cd.BookingAct("release", booking.pk))],
    ]


def uncertain(booking: Booking, now: datetime) -> Screen:
    """Nobody knows yet. It can be given back all the same: as soon as it turns out to be held."""
    return Screen(render("booking_uncertain", b=BookingView(booking, now)), [[release(booking)]])


def failed(booking: Booking, now: datetime, code: str | None = None) -> Screen:
    """It could not be had (or not be cancelled)."""
    return Screen(
        render(
            "booking_failed",
            b=BookingView(booking, now),
            reason=failure(booking.reason if code is None else code),
            refused_cancel=booking.state == S.CONFIRMED,
        ),
        [*_on_the_citys_page(booking, code), *watch_rows(booking.watch)],
    )


def _on_the_citys_page(booking: Booking, code: str | None) -> Rows:
    """Where a captcha stopped us the person can still book: the city's page opens at this service and office."""
    if "captcha" not in (booking.reason if code is None else code).lower():
        return []
    page = city_page(booking.main_service.upstream_id, booking.office.upstream_id)
    return [[Button(_("Open the city's page"), url=page)]]


def release(booking: Booking) -> Button:
    """Give the hold back."""
    return Button(_("Release"), cd.BookingAct("release", booking.pk))


def watch_rows(watch: Watch | None) -> Rows:
    """The way to the watch behind a message, if it still stands."""
    if watch is None or watch.ended_at is not None:
        return [[Button(_("New search"), cd.Go("home"))]]
    return [
        [
            Button(_("My search"), cd.WatchAct("open", watch.pk)),
            Button(_("Stop watching"), cd.WatchAct("delete", watch.pk)),
        ]
    ]


def field_name(field: str, office: Office | None = None) -> str:
    """What a field of the contact data is called; an office's own questions bear its words."""
    if office is not None and field == "custom_text" and office.custom_text_label:
        return office.custom_text_label
    if office is not None and field == "custom_text_2" and office.custom_text_2_label:
        return office.custom_text_2_label
    return {
        "family_name": _("full name"),
        "email": _("e-mail address"),
        "telephone": _("telephone number"),
    }.get(field, _("an answer to the office's question"))


def failure(code: str) -> str:
    """Why it did not work, in a plain sentence; codes nobody can use say only that."""
    lowered = code.lower()
    if code == CityPageNeeded.code:
        return _(
            "This office asks for a captcha that only the city's own page can show. Nothing is held: book it there, "
            "soon. Other free times of this office are there, too."
        )
    if "captcha" in lowered:
        return _("The city asked for a captcha that I could not solve.")
    if lowered in ("slottaken", "taken", "slot_taken", "appointmentnotavailable", "gone"):
        return _("Someone else was faster.")
    if "rate" in lowered or "gate" in lowered or "blacklist" in lowered:
        return _("The city asked us to slow down.")
    if lowered in ("notasked", "neverbegun"):
        return _("I could not ask the city in time. Nothing was reserved.")
    if lowered in ("serviceunavailable", "unavailable", "timeout", "connectionfailed"):
        return _("The city did not answer.")
    return _("The city did not accept the request.")


def _requested(booking: Booking, now: datetime) -> Screen:
    return Screen(render("booking_requested", b=BookingView(booking, now)), [[release(booking)]])


def _sending(booking: Booking, now: datetime) -> Screen:
    return Screen(render("booking_sending", b=BookingView(booking, now)), [[release(booking)]])


def _releasing(booking: Booking, now: datetime) -> Screen:
    return Screen(render("booking_releasing", b=BookingView(booking, now)))


def _cancelled(booking: Booking, now: datetime) -> Screen:
    view = BookingView(booking, now)
    if booking.reason == "elsewhere":
        return Screen(render("appointment_gone", b=view), watch_rows(booking.watch))
    if booking.confirmed_at is not None:
        return Screen(render("appointment_cancelled", b=view), watch_rows(booking.watch))
    return Screen(render("hold_released", b=view, why=booking.reason), watch_rows(booking.watch))


def _lapsed(booking: Booking, now: datetime) -> Screen:
    # Its data were sent: then it was the mailed link that nobody opened.
    mailed = booking.events.filter(state=S.PRECONFIRMED).exists() or bool(booking.email)
    return lapsed(booking, now, "activation_lapsed" if mailed else "hold_lapsed")


def lapsed(booking: Booking, now: datetime, kind: str) -> Screen:
    """The city has dropped it. A search that waits for the person's word has a button to go on."""
    view = BookingView(booking, now)
    if booking.watch is not None and view.paused:
        rows = [[Button(_("Search on"), cd.WatchAct("resume", booking.watch.pk))]]
    else:
        rows = watch_rows(booking.watch)
    return Screen(render(kind, b=view), rows)


def mail_limit_ahead(own: Booking, now: datetime) -> Screen:
    """Why nothing more is held at this office for this address: `own` is the appointment that counts."""
    html = render("mail_limit_ahead", b=BookingView(own, now), limit=own.office.appointments_per_mail or 1)
    show = [Button(_("Show this appointment"), cd.BookingAct("show", own.pk))]
    return Screen(html, [show, [Button(_("Use another address"), cd.Go("profile"))]])
