"""Bookings as the person acts on them: hold, keep, send, other times, release, opened the mail, cancel."""

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import (
    AlreadyBooked,
    AlreadyHolding,
    ContactMissing,
    HoldsPaused,
    MailLimitReached,
    NotAllowed,
    SlotGone,
)
from appointments.models import Booking, Office, Slot, Watch
from appointments.selectors.bookings import held_booking_of, live_bookings_of
from appointments.selectors.profiles import profiles_of, whom_was_chosen
from appointments.selectors.watches import accepts, open_slots_for
from appointments.services.bookings import (
    keep_booking,
    look_again,
    release_booking,
    request_booking,
    swap_booking,
)
from appointments.services.contact import data_of, missing_contact
from appointments.states import HOLDING, BookingState
from bot import callback_data as cd
from bot import dates
from bot.booking_screens import booking_screen, field_name
from bot.booking_talk import act_on, bring_up_to_date, own_booking, show
from bot.calendar_file import FILE_NAME, calendar_file
from bot.effects import Button, Effect, Screen
from bot.flow import present
from bot.handlers import mail, moving, profile, visits
from bot.keyboards import back_home, in_rows, shortened
from bot.messages import BookingView, render
from bot.slot_buttons import OFFERED, slot_label
from bot.talk import Talk

S = BookingState


# --- Screens ---------------------------------------------------------------------------------------------


def bookings(talk: Talk) -> Screen:
    """Everything live, one button each."""
    live = live_bookings_of(talk.person)
    bring = [Button(_("I booked one on the city's page"), cd.Go("import"))]
    if not live:
        html = format_html("{}", _("You have no appointment here yet."))
        rows = [[Button(_("New search"), cd.Go("home"))], [Button(_("My searches"), cd.Go("watches"))]]
        return Screen(html, [*rows, bring])
    rows = []
    for booking in live:
        label = f"{state_name(booking)}: {dates.show_moment(booking.starts_at)}, {booking.office.name}"
        rows.append([Button(shortened(label), cd.BookingAct("show", booking.pk))])
    return Screen(format_html("<b>{}</b>", _("Your appointments")), [*rows, bring, [back_home()]])


def state_name(booking: Booking) -> str:
    """The state in a word. Only the city's confirmation is called so."""
    if booking.wish == Booking.Wish.RELEASE:
        return _("Being given back")
    if booking.state == S.CONFIRMED:
        return _("Confirmed")
    if booking.state == S.PRECONFIRMED:
        return _("Open the mail")
    if booking.state in (S.RESERVED, S.PRECONFIRMING):
        return _("Held")
    if booking.state == S.CONFIRMING:
        return _("Being confirmed")
    if booking.state == S.CANCELLING:
        return _("Being given back")
    if booking.state == S.UNCERTAIN:
        return _("Unclear")
    return _("Asked for")


def booking(talk: Talk) -> Screen | None:
    """One booking, as it stands."""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None:
        return None
    screen = booking_screen(found, talk.now)
    return Screen(screen.html, [*screen.rows, [Button(_("My appointments"), cd.Go("bookings")), back_home()]])


def check(talk: Talk) -> Screen | None:
    """The data, for a last look before they are sent."""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None or found.state not in (S.REQUESTED, S.RESERVING, S.RESERVED, S.UNCERTAIN):
        return _booking_instead(talk, found)
    html = render("booking_check", b=BookingView(found, talk.now), data=data_of(found, anew=True))
    rows = [
        [Button(_("Send to the city"), cd.BookingAct("send", found.pk))],
        [
            Button(_("Change"), cd.BookingAct("fix", found.pk)),
            Button(_("Release"), cd.BookingAct("release", found.pk)),
        ],
    ]
    return Screen(html, rows)


def fix(talk: Talk) -> Screen | None:
    """Which of the data shall change?"""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None or found.state not in HOLDING:
        return _booking_instead(talk, found)
    office = found.office
    # The name stands once it was kept, unless the city refused it. An appointment moves with the data it was made with.
    fields = ["email"] if found.family_name else ["family_name", "email"]
    fields = fields if found.replaces_id is None else []
    fields += ["telephone"] if office.telephone_activated else []
    fields += ["custom_text"] if office.custom_text_activated and office.custom_text_label else []
    fields += ["custom_text_2"] if office.custom_text_2_activated and office.custom_text_2_label else []
    rows = [[Button(shortened(field_name(field, office)), cd.Ask(field))] for field in fields]
    rows.append([Button(_("Back"), cd.BookingAct("check", found.pk))])
    return Screen(format_html("<b>{}</b>", _("What do you want to change?")), rows)


def other(talk: Talk) -> Screen | None:
    """Other free times for the same watch."""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None or found.state != S.RESERVED or found.watch is None:
        return _booking_instead(talk, found)
    view = BookingView(found, talk.now)
    slots = open_slots_for(
        found.watch, now=talk.now, limit=OFFERED, without=[(found.office_id, found.starts_at)]
    )
    back = [Button(_("Back to %(time)s") % {"time": view.time}, cd.BookingAct("show", found.pk))]
    if not slots:
        return Screen(format_html("{}", _("Nothing else is free right now.")), [back])
    lines = [f"{dates.show_moment(slot.starts_at)}, {slot.office.name}" for slot in slots]
    html = format_html(
        "<b>{}</b>\n{}\n\n{}",
        _("Other free times:"),
        "\n".join(lines),
        _("I can hold only one. If you choose another, I first give %(time)s back.") % {"time": view.time},
    )
    several = any(slot.office_id != found.office_id for slot in slots)
    buttons = [Button(slot_label(slot, several), cd.SwapSlot(found.pk, slot.pk)) for slot in slots]
    return Screen(html, [back, *in_rows(buttons, 1 if several else 2)])


def release(talk: Talk) -> Screen | None:
    """Really give back what the city has the data for already?"""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None or not found.is_live:
        return _booking_instead(talk, found)
    return Screen(
        render("release_check", b=BookingView(found, talk.now), confirmed=found.state == S.CONFIRMED),
        [
            [Button(_("No, keep it"), cd.BookingAct("show", found.pk))],
            [Button(_("Yes, give it back"), cd.BookingAct("release_yes", found.pk))],
        ],
    )


def _booking_instead(talk: Talk, found: Booking | None) -> Screen | None:
    """The step has passed: show where the booking stands now."""
    if found is None:
        return None
    talk.begin("booking", booking=found.pk)
    return booking(talk)


# --- Acts ------------------------------------------------------------------------------------------------


def book_slot(talk: Talk, data: cd.BookSlot) -> None:
    """A free time was pressed: have the city hold it."""
    slot = Slot.objects.select_related("search", "office").filter(pk=data.slot).first()
    watch = Watch.objects.filter(pk=data.watch, subscriber=talk.person).first()
    if slot is None or (watch is not None and watch.search_id != slot.search_id):
        talk.toast(_("This time is gone."), alert=True)
        return
    mode = Watch.Mode.HOLD
    # A time outside the search is held and asked about, even if the search books by itself.
    if watch is not None and watch.mode == Watch.Mode.AUTO:
        mode = Watch.Mode.AUTO if accepts(watch, slot.office_id, slot.starts_at, now=talk.now) else mode
    try:
        request_booking(talk.person, slot, mode=mode, watch=watch, now=talk.now)
    except SlotGone:
        talk.toast(_("This time is gone."), alert=True)
    except MailLimitReached as limit:
        mail.show_limit(talk, limit.booking_id)
    except AlreadyBooked:
        if profiles_of(talk.person):
            talk.notice = _("You have an appointment for this already.")
            talk.begin("whom", slot=slot.pk, watch=watch.pk if watch else None)
            present(talk)
        elif not moving.offer(talk, slot):
            _show_other_booking(talk, slot)
    except HoldsPaused as paused:
        talk.toast(
            _("I hold nothing for you until %(until)s.") % {"until": dates.show_moment(paused.until)},
            alert=True,
        )
    except AlreadyHolding:
        _show_other_booking(talk, slot)
    else:
        talk.toast(_("I am reserving %(time)s for you.") % {"time": dates.show_time(slot.starts_at)})


def _show_other_booking(talk: Talk, slot: Slot) -> None:
    """Why `slot` cannot be had: the person holds another time, or has the appointment already."""
    live = live_bookings_of(talk.person)
    same = [b for b in live if (b.office_id, b.starts_at) == (slot.office_id, slot.starts_at)]
    if same and same[0].wish != Booking.Wish.RELEASE:
        talk.toast(_("I am already at it."))
        return
    held = held_booking_of(talk.person)
    if held is not None and held.wish == Booking.Wish.RELEASE:
        talk.toast(_("I am still giving the other time back. Please try again in a few seconds."), alert=True)
        return
    found = held or next((b for b in live if b.main_service_id == slot.search.main_service_id), None)
    if found is None:
        talk.toast(_("This does not work right now."), alert=True)
        return
    if held is not None:
        talk.notice = _("I can hold only one time for you. This is the one:")
    else:
        talk.notice = _("You already have an appointment for this:")
    talk.toast(talk.notice)
    talk.begin("booking", booking=found.pk)
    present(talk)


def act(talk: Talk, data: cd.BookingAct) -> None:
    """A button about a booking."""
    act_on(talk, data.booking, data.act, _ACTS)


def _keep(talk: Talk, found: Booking) -> None:
    """The person wants it. What the office needs and we do not know is asked first."""
    if found.wish == Booking.Wish.RELEASE or found.state not in HOLDING or found.state == S.PRECONFIRMED:
        raise NotAllowed(found.state)
    if talk.step in ("ask", "check", "fix") and talk.memory.get("booking") == found.pk and not talk.on_menu:
        # The questions stand below already.
        talk.toast(_("Please answer the question below."))
        return
    unsaid = found.profile_id is None and not found.family_name and not whom_was_chosen(found.watch)
    if unsaid and profiles_of(talk.person):
        if talk.step == "whom" and talk.memory.get("booking") == found.pk:
            talk.toast(_("Please answer the question below."))
            return
        talk.interrupt("whom", booking=found.pk)
        present(talk)
        return
    keep_now(talk, found)


def keep_now(talk: Talk, found: Booking) -> None:
    """It is known for whom: keep it, after asking for what is missing. Raises `NotAllowed`."""
    try:
        found = keep_booking(found, now=talk.now)
    except ContactMissing as missing:
        talk.toast(_("The city needs your data first."))
        profile.ask(
            talk,
            [*missing.fields, *profile.optional_questions(found, missing.fields)],
            then="booking",
            booking=found,
        )
        return
    if found.replaces_id is not None:
        talk.toast(_("I book the new time first."))
    else:
        talk.toast(_("I am sending your data to the city."))
    bring_up_to_date(talk, found)


def _send(talk: Talk, found: Booking) -> None:
    """Checked: send it."""
    if talk.step != "check" or talk.memory.get("booking") != found.pk:
        present(talk)
        return
    if missing := missing_contact(found):
        profile.ask(talk, list(missing), then="booking", booking=found)
        return
    below = talk.chat.dialogue.get("below")
    try:
        found = keep_booking(found, now=talk.now)
    except NotAllowed:
        found.refresh_from_db()
    talk.begin("booking", booking=found.pk)
    if below:
        talk.chat.dialogue["below"] = below
    present(talk)


def _check(talk: Talk, found: Booking) -> None:
    if talk.step == "fix":
        talk.go("check", booking=found.pk)
    present(talk)


def _fix(talk: Talk, found: Booking) -> None:
    """Change the data before they are sent (again)."""
    if found.state not in HOLDING or found.wish == Booking.Wish.RELEASE:
        raise NotAllowed(found.state)
    if talk.step == "check":
        talk.go("fix", booking=found.pk)
    elif talk.step not in ("fix", "ask") or talk.memory.get("booking") != found.pk:
        talk.interrupt("fix", booking=found.pk)
    else:
        talk.toast(_("Please answer the question below."))
        return
    present(talk)


def _other(talk: Talk, found: Booking) -> None:
    if found.state != S.RESERVED or found.wish == Booking.Wish.RELEASE:
        raise NotAllowed(found.state)
    if talk.step == "other" and talk.memory.get("booking") == found.pk and not talk.on_menu:
        talk.toast(_("The other times stand below."))
        return
    talk.begin("other", booking=found.pk)
    present(talk)


def swap(talk: Talk, data: cd.SwapSlot) -> None:
    """Another time instead: the one that is held goes back first, because nobody holds two."""
    found = own_booking(talk, data.booking)
    if talk.step != "other" or found is None or talk.memory.get("booking") != found.pk:
        present(talk)
        return
    try:
        slot = Slot.objects.select_related("search").get(pk=data.slot)
        found = swap_booking(found, slot, now=talk.now)
    except (Slot.DoesNotExist, SlotGone):
        talk.toast(_("This time is gone. Please choose another."), alert=True)
    except MailLimitReached as limit:
        mail.show_limit(talk, limit.booking_id)
        return
    except NotAllowed:
        found.refresh_from_db()
    show(talk, found)


def _release(talk: Talk, found: Booking) -> None:
    """A hold goes back at once; what the city has data for is asked about again."""
    if not found.is_live:
        raise NotAllowed(found.state)
    if found.wish == Booking.Wish.RELEASE:
        talk.toast(_("I am already giving it back."))
        return
    if found.state in (S.PRECONFIRMED, S.CONFIRMED):
        if talk.step == "release" and talk.memory.get("booking") == found.pk and not talk.on_menu:
            talk.toast(_("Please answer the question below."))
            return
        talk.begin("release", booking=found.pk)
        present(talk)
        return
    _give_back(talk, found)


def _release_yes(talk: Talk, found: Booking) -> None:
    if talk.step == "release" and talk.memory.get("booking") == found.pk:
        _give_back(talk, found)
    else:
        present(talk)


def _give_back(talk: Talk, found: Booking) -> None:
    found = release_booking(found, now=talk.now)
    talk.toast(_("I am giving it back."))
    bring_up_to_date(talk, found)


def _opened(talk: Talk, found: Booking) -> None:
    """The person says that the link was opened. Only the city's word counts."""
    if found.state != S.PRECONFIRMED:
        raise NotAllowed(found.state)
    look_again(found, now=talk.now)
    # What the city says comes as news: an edit of the same message, or the confirmation.
    talk.toast(_("I am asking the city."))
    bring_up_to_date(talk, found, _("I am asking the city."))


def _files(talk: Talk, found: Booking) -> None:
    """The calendar file and the map point once more."""
    if found.state != S.CONFIRMED:
        raise NotAllowed(found.state)
    content = calendar_file(found, talk.now).decode()
    talk.effects.append(Effect("document", document=content, file_name=FILE_NAME))
    _send_venue(talk, found.office)


def show_map(talk: Talk, data: cd.ShowMap) -> None:
    """An office's place on the map; its address where the catalogue knows no point."""
    office = Office.objects.filter(pk=data.office).first()
    if office is None or not _send_venue(talk, office):
        talk.toast((office and office.address) or _("I do not know where this is."), alert=True)


def _send_venue(talk: Talk, office: Office) -> bool:
    if office.latitude is None or office.longitude is None:
        return False
    talk.effects.append(
        Effect(
            "venue",
            latitude=office.latitude,
            longitude=office.longitude,
            title=office.name,
            address=office.address or office.name,
        )
    )
    return True


_ACTS = {
    "show": show,
    "keep": _keep,
    "send": _send,
    "check": _check,
    "fix": _fix,
    "other": _other,
    "release": _release,
    "release_yes": _release_yes,
    "opened": _opened,
    "nomail": mail.no_mail,
    "wrong_mail": mail.wrong_mail,
    "stop_then": mail.stop_then,
    "go_on_then": mail.go_on_then,
    "visit_done": visits.done,
    "forget": visits.forget,
    "another": visits.another,
    "files": _files,
}
SCREENS = {
    "bookings": bookings,
    "booking": booking,
    "check": check,
    "fix": fix,
    "other": other,
    "release": release,
}
