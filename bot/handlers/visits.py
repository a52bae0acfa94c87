"""After the visit: erase what is no longer needed, or search again."""

from dataclasses import replace

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import Booking
from appointments.selectors.bookings import booking_of
from appointments.services.profiles import delete_profile
from appointments.services.subscribers import forget_contact
from appointments.services.watches import wish_of
from bot import callback_data as cd
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.handlers.new_watch import ask_next
from bot.talk import Talk


def visit_done(talk: Talk) -> Screen | None:
    """What shall be erased?"""
    found = booking_of(talk.person, talk.memory.get("booking") or 0)
    if found is None:
        return None
    if found.profile is not None:
        only = _("Only the data of %(name)s") % {"name": found.profile.label}
    else:
        only = _("Only my name and address")
    html = format_html(
        "<b>{}</b>\n{}",
        _("What shall I erase?"),
        _("Your appointments and searches stay if you erase only the data."),
    )
    return Screen(
        html,
        [
            [Button(_("Nothing"), cd.Go("home"))],
            [Button(only, cd.BookingAct("forget", found.pk))],
            [Button(_("Everything about me"), cd.Go("delete"))],
        ],
    )


def done(talk: Talk, found: Booking) -> None:
    """[Done, erase my data]: asked once more, because it cannot be undone."""
    talk.begin("visit_done", booking=found.pk)
    present(talk)


def forget(talk: Talk, found: Booking) -> None:
    """The data go: of the person it was for, in this and all other bookings that are over."""
    if talk.step == "visit_done" and talk.memory.get("booking") == found.pk:
        if found.profile is not None:
            delete_profile(found.profile, now=talk.now)
        else:
            forget_contact(talk.person)
        talk.notice = _("Erased.")
        talk.begin("home")
    present(talk)


def another(talk: Talk, found: Booking) -> None:
    """[I need another one]: the same wish, for other days; or from the beginning."""
    if found.watch is None:
        talk.begin("home")
        present(talk)
        return
    draft = Draft.of_wish(wish_of(found.watch), None)
    talk.begin("days")
    ask_next(talk, replace(draft, days=None))


SCREENS = {"visit_done": visit_done}
