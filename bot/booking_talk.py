"""What buttons about a booking share: whose it is, where it stands, and the answer when its step has passed."""

from collections.abc import Callable, Mapping

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import NotAllowed
from appointments.models import Booking
from appointments.selectors.bookings import booking_of
from bot.booking_screens import booking_screen
from bot.effects import Screen
from bot.flow import present
from bot.talk import Talk

Act = Callable[[Talk, Booking], None]


def own_booking(talk: Talk, pk: object) -> Booking | None:
    """The person's booking of this number; None for anything else that a button or the memory may hold."""
    return booking_of(talk.person, pk) if isinstance(pk, int) else None


def act_on(talk: Talk, pk: int, name: str, acts: Mapping[str, Act]) -> None:
    """Do the act of this name (show the booking for an unknown one); where its step has passed, show the truth."""
    found = own_booking(talk, pk)
    if found is None:
        talk.toast(_("This appointment is no longer known here."), alert=True)
        return
    try:
        acts.get(name, show)(talk, found)
    except NotAllowed:
        found.refresh_from_db()
        talk.toast(_("Here is where it stands."))
        bring_up_to_date(talk, found)


def show(talk: Talk, found: Booking) -> None:
    """The booking's own page."""
    talk.begin("booking", booking=found.pk)
    present(talk)


def bring_up_to_date(talk: Talk, found: Booking, note: str = "") -> None:
    """Show the booking as it stands now, in the message whose button was pressed."""
    if talk.on_menu:
        if note:
            talk.notice = note
        if talk.step != "mail_missing" or not note:
            talk.begin("booking", booking=found.pk)
        present(talk)
        return
    screen = booking_screen(found, talk.now)
    html = f"{screen.html}\n\n{format_html('<i>{}</i>', note)}" if note else screen.html
    talk.rewrite(Screen(html, screen.rows))
