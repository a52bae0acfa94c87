"""The city's mail: opened, missing, sent to a wrong address; and what the city's limit per address means."""

from datetime import datetime

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from appointments.errors import AlreadyBooked, AlreadyHolding, MailLimitReached, NotAllowed, SlotGone
from appointments.models import Booking, Slot
from appointments.selectors.bookings import booking_of
from appointments.selectors.watches import KNOWN_FOR, open_slots_for
from appointments.services.bookings import take_anew
from appointments.services.contact import stored_data
from appointments.services.watches import set_resuming
from appointments.states import BookingState
from bot import callback_data as cd
from bot.booking_screens import mail_limit_ahead
from bot.effects import Button, Rows, Screen
from bot.flow import SCREENS as FLOW
from bot.flow import present
from bot.handlers import profile
from bot.keyboards import back_home, in_rows
from bot.messages import BookingView, render
from bot.slot_buttons import slot_label
from bot.talk import Talk

S = BookingState
OTHERS = 4


def held_line(booking: Booking, now: datetime) -> SafeString:
    """Until when a place is held, as the last line of a question about it."""
    view = BookingView(booking, now)
    if booking.state != S.RESERVED or not view.held_until:
        return format_html("{}", "")
    held = _("%(time)s is held until %(until)s.") % {"time": view.time, "until": view.held_until}
    return format_html("<i>{}</i>", held)


# --- The mail did not come -----------------------------------------------------------------------------------


def mail_missing(talk: Talk) -> Screen | None:
    """What to do when the city's mail does not come."""
    found = _waiting(talk)
    if found is None:
        return _where_it_stands(talk)
    watch = found.watch if found.watch is not None and found.watch.ended_at is None else None
    rows: Rows = [[Button(_("I opened it"), cd.BookingAct("opened", found.pk))]]
    if settings.SIMULATED_CITY:
        rows.append([Button(_("Open the mailbox"), url=f"{settings.PUBLIC_URL}/sandbox/mailbox/")])
    rows.append([Button(_("The address is wrong"), cd.BookingAct("wrong_mail", found.pk))])
    if watch is not None and watch.resumes:
        rows.append([Button(_("Then stop searching"), cd.BookingAct("stop_then", found.pk))])
    elif watch is not None:
        rows.append([Button(_("Then search on"), cd.BookingAct("go_on_then", found.pk))])
    rows.append([Button(_("Release"), cd.BookingAct("release", found.pk)), back_home()])
    return Screen(render("mail_missing", b=BookingView(found, talk.now), watch=watch), rows)


def no_mail(talk: Talk, found: Booking) -> None:
    """[Mail did not come]."""
    if found.state != S.PRECONFIRMED:
        raise NotAllowed(found.state)
    if talk.step == "mail_missing" and talk.memory.get("booking") == found.pk and not talk.on_menu:
        talk.toast(_("Look in the spam folder, too."))
        return
    talk.begin("mail_missing", booking=found.pk)
    present(talk)


def stop_then(talk: Talk, found: Booking) -> None:
    """When the link runs out, the search shall not go on."""
    _resume(talk, found, False)


def go_on_then(talk: Talk, found: Booking) -> None:
    """When the link runs out, the search shall go on."""
    _resume(talk, found, True)


def _resume(talk: Talk, found: Booking, wanted: bool) -> None:
    if found.watch is not None:
        set_resuming(found.watch, wanted)
    present(talk)


# --- The address was wrong -----------------------------------------------------------------------------------


def wrong_mail(talk: Talk, found: Booking) -> None:
    """[The address is wrong]: ask for the right one, then say what can be done."""
    if found.state != S.PRECONFIRMED or found.wish != Booking.Wish.BOOK:
        raise NotAllowed(found.state)
    if talk.step != "mail_missing" or talk.memory.get("booking") != found.pk:
        present(talk)
        return
    profile.ask(talk, ["email"], then="anew", booking=found)


def anew(talk: Talk) -> Screen | None:
    """The truth about another address, and the places that can be taken with it."""
    found = _waiting(talk)
    if found is None:
        return _where_it_stands(talk)
    email = stored_data(found.subscriber, found.profile).email
    back = Button(_("Wait for the mail"), cd.BookingAct("show", found.pk))
    if email == found.email:
        html = format_html("{}", _("The city has sent its mail to exactly this address."))
        return Screen(
            html, [[back], [Button(_("The mail did not come?"), cd.BookingAct("nomail", found.pk))]]
        )
    same, others = _places(found, talk)
    rows: Rows = [[back]]
    if same is not None:
        view = BookingView(found, talk.now)
        take = _("Take %(time)s anew") % {"time": view.time}
        rows.append([Button(take, cd.TakeAnew(found.pk, same.pk))])
    several = any(slot.office_id != found.office_id for slot in others)
    rows += in_rows(
        [Button(slot_label(slot, several), cd.TakeAnew(found.pk, slot.pk)) for slot in others],
        1 if several else 2,
    )
    if same is None:
        watching = found.watch is not None and found.watch.ended_at is None
        label = _("Give back and search on") if watching else _("Give it back")
        rows.append([Button(label, cd.TakeAnew(found.pk, 0))])
    text = render(
        "mail_anew", b=BookingView(found, talk.now), email=email, same=same is not None, others=bool(others)
    )
    return Screen(text, rows)


def _places(found: Booking, talk: Talk) -> tuple[Slot | None, list[Slot]]:
    """The same time, if it has another place as far as we know, and other times the watch accepts."""
    same = Slot.objects.filter(
        search=found.search_id,
        office=found.office_id,
        starts_at=found.starts_at,
        gone_at=None,
        seen_at__gt=max(talk.now - KNOWN_FOR, found.reserved_at or talk.now),
    ).first()
    if found.watch is None:
        return same, []
    without = [(found.office_id, found.starts_at)]
    return same, open_slots_for(found.watch, now=talk.now, limit=OTHERS, without=without)


def take(talk: Talk, data: cd.TakeAnew) -> None:
    """Give the place back and take one with the right address."""
    found = booking_of(talk.person, data.booking)
    if talk.step != "anew" or found is None or talk.memory.get("booking") != found.pk:
        present(talk)
        return
    try:
        slot = Slot.objects.select_related("search", "office").get(pk=data.slot) if data.slot else None
        found = take_anew(found, slot, now=talk.now)
    except (Slot.DoesNotExist, SlotGone):
        talk.toast(_("This time is gone. Please choose another."), alert=True)
        present(talk)
        return
    except MailLimitReached as limit:
        show_limit(talk, limit.booking_id)
        return
    except (NotAllowed, AlreadyHolding, AlreadyBooked):
        found.refresh_from_db()
    talk.begin("booking", booking=found.pk)
    present(talk)


# --- The limit per address -----------------------------------------------------------------------------------


def mail_ahead(talk: Talk) -> Screen | None:
    """The limit as a place of the menu."""
    own = booking_of(talk.person, talk.memory.get("own") or 0)
    if own is None or not own.is_live:
        return None
    screen = mail_limit_ahead(own, talk.now)
    return Screen(screen.html, [*screen.rows, [back_home()]])


def show_limit(talk: Talk, booking_id: int) -> None:
    """Say why it is not held: this own appointment fills the limit."""
    talk.toast(_("The city would refuse your e-mail address there."))
    talk.begin("mail_ahead", own=booking_id)
    present(talk)


def _where_it_stands(talk: Talk) -> Screen | None:
    """The step has passed: the booking as it is now."""
    talk.begin("booking", booking=talk.memory.get("booking"))
    return FLOW["booking"](talk)


def _waiting(talk: Talk) -> Booking | None:
    """The booking this is about while it waits for its link."""
    found = booking_of(talk.person, talk.memory.get("booking") or 0)
    if found is not None and found.state == S.PRECONFIRMED and found.wish == Booking.Wish.BOOK:
        return found
    return None


SCREENS = {"mail_missing": mail_missing, "anew": anew, "mail_ahead": mail_ahead}
