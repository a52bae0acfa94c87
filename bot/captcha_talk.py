"""Captchas in the chat: keep guarded offices watched, have a place reserved, and how things stand.

The button opens our page as a Mini App where Telegram allows it (https), else as a link for this one person.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from appointments.models import Booking, OutboxMessage, Subscriber
from appointments.selectors.bookings import booking_of
from appointments.services.verification import people_waiting
from appointments.states import BookingState
from appointments.wiring import captcha_site
from bot import callback_data as cd
from bot import dates
from bot.booking_screens import release
from bot.effects import Button, Screen
from bot.messages import BookingView, render
from bot.models import Chat
from bot.talk import Talk
from captcha.human import issue_ticket, page_address
from captcha.modes import current_mode
from captcha.services import verification_status
from captcha.variants import FRIENDLY, solves_friendly

# With less left than this, somebody may renew: before, the city would be asked for nothing.
RENEW_BELOW = timedelta(seconds=60)


def solve_button(chat: Chat, text: str, now: datetime) -> Button:
    """A button that opens the page with a ticket of this chat's own, good for ten minutes."""
    as_app = settings.PUBLIC_URL.startswith("https://")
    ticket = issue_ticket(
        captcha_site(),
        f"telegram:{chat.chat_id}",  # a private chat has its person's number
        language=chat.speaks,
        now=now,
        needs_proof=as_app,
    )
    address = page_address(ticket)
    return Button(text, app=address) if as_app else Button(text, url=address)


def offer_screen(
    chat: Chat, now: datetime, *, until: datetime | None = None, since: datetime | None = None
) -> Screen:
    """Guarded offices are watched until then, or need somebody."""
    html = render(
        "captcha_offer",
        until=dates.show_time(until) if until else "",
        since=dates.show_time(since) if since else "",
    )
    if until is not None and until - now > RENEW_BELOW:
        return Screen(html, [[Button(_("Keep watching"), cd.Solve())]])
    return Screen(
        html, [[solve_button(chat, _("Keep watching"), now)], [Button(_("The link is too old"), cd.Solve())]]
    )


def wanted_screen(chat: Chat, booking: Booking, now: datetime) -> Screen:
    """The office asks for a captcha before it holds this time."""
    return Screen(
        render("captcha_wanted", b=BookingView(booking, now)),
        [
            [solve_button(chat, _("Solve and reserve"), now)],
            [Button(_("The link is too old"), cd.Solve(booking.pk)), release(booking)],
        ],
    )


def render_offer(message: OutboxMessage, now: datetime) -> Screen | None:
    """The news `captcha_offer`, as things stand now; None when there is nothing to do or to know any more."""
    chat = _chat_of(message.subscriber)
    status = verification_status(captcha_site(), now)
    if chat is None or current_mode() == "off" or status.variant == FRIENDLY:
        return None
    remaining = status.remaining
    since = parse_datetime(str(message.payload.get("since") or ""))
    return offer_screen(chat, now, until=now + remaining if remaining else None, since=since)


def render_wanted(message: OutboxMessage, now: datetime) -> Screen | None:
    """The news `captcha_wanted`; None when the booking waits for nothing any more."""
    booking, chat = message.booking, _chat_of(message.subscriber)
    if booking is None or chat is None or booking.state != BookingState.REQUESTED:
        return None
    return wanted_screen(chat, booking, now)


def again(talk: Talk, data: cd.Solve) -> None:
    """A fresh link in place of the old one; or the truth, if nothing is to be solved."""
    if current_mode() == "off":
        talk.toast(_("Captchas are switched off here at the moment."), alert=True)
        return
    status = verification_status(captcha_site(), talk.now)
    if status.variant == FRIENDLY:
        talk.toast(_("Only the city's own page can show its captcha now. Please book there."), alert=True)
        return
    if data.booking:
        booking = booking_of(talk.person, data.booking)
        if booking is None or booking.state != BookingState.REQUESTED:
            talk.toast(_("Nothing is to be solved for this any more."), alert=True)
            return
        talk.rewrite(wanted_screen(talk.chat, booking, talk.now))
        talk.toast(_("The new link is good for 10 minutes."))
        return
    until = talk.now + status.remaining if status.remaining else None
    talk.rewrite(offer_screen(talk.chat, talk.now, until=until))
    if until is not None and until - talk.now > RENEW_BELOW:
        talk.toast(_("These offices are watched until %(time)s.") % {"time": dates.show_time(until)})
    else:
        talk.toast(_("The new link is good for 10 minutes."))


def standing(person: Subscriber | None, now: datetime) -> str:
    """A sentence for /status; "" for people without a watch at a guarded office."""
    if person is None or not people_waiting(now).filter(pk=person.pk).exists():
        return ""
    mode, status = current_mode(), verification_status(captcha_site(), now)
    if mode == "off":
        return _("Offices that ask for a captcha: not watched here.")
    if status.variant == FRIENDLY:
        if solves_friendly(mode):
            return _("Offices that ask for a captcha: watched as needed.")
        return _(
            "Offices that ask for a captcha: watched. Book there on the city's own page: mine cannot show it."
        )
    if status.remaining is not None:
        return _("Offices that ask for a captcha: watched until %(time)s.") % {
            "time": dates.show_time(now + status.remaining)
        }
    if status.state == "blocked":
        return _("Offices that ask for a captcha: not watched at the moment.")
    if needs_person(mode, status.state):
        return _("Offices that ask for a captcha: need you. Press the button.")
    if status.retry_at is not None:
        return _("Offices that ask for a captcha: I try again at %(time)s.") % {
            "time": dates.show_time(status.retry_at)
        }
    return _("Offices that ask for a captcha: watched as needed.")


def status_rows(talk: Talk) -> list[list[Button]]:
    """A button for whoever can help by solving."""
    person = talk.chat.subscriber
    if person is None or not people_waiting(talk.now).filter(pk=person.pk).exists():
        return []
    status = verification_status(captcha_site(), talk.now)
    if status.variant == FRIENDLY or status.remaining is not None:
        return []
    if not needs_person(current_mode(), status.state):
        return []
    return [[solve_button(talk.chat, _("Keep watching"), talk.now)]]


def needs_person(mode: str, state: str) -> bool:
    """Whether only a person can go on."""
    return state != "blocked" and (mode == "human" or (mode == "auto" and state == "needs_human"))


def _chat_of(person: Subscriber) -> Chat | None:
    return Chat.objects.filter(subscriber=person).first()
