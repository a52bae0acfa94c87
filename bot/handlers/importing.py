"""An appointment made on the city's page: its link is taken in, and does not stay in the chat."""

import re

from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import InvalidValue, NotAllowed
from appointments.services.importing import read_key, request_import
from bot import callback_data as cd
from bot.effects import Button, Effect, Screen
from bot.flow import present
from bot.keyboards import back_home
from bot.messages import render
from bot.talk import Talk

# So many hex digits or letters of base64 in a row are nobody's words.
_SECRET = re.compile(r"[0-9A-Za-z+/_-]{24}")


def ask(talk: Talk) -> Screen:
    """Which link, and what happens with it."""
    return Screen(
        render("import_ask", simulated=settings.SIMULATED_CITY),
        [[Button(_("My appointments"), cd.Go("bookings")), back_home()]],
    )


def import_typed(talk: Talk) -> None:
    """A link (or number and key) was sent: out of the chat with it, and the city is asked."""
    try:
        key = read_key(talk.incoming.text or "")
    except InvalidValue as invalid:
        if invalid.reason in ("damaged", "other_host") or _SECRET.search(talk.text):
            _wipe(talk)  # most of it may still be readable
        talk.notice = _why_not(invalid)
        talk.begin("import")
        present(talk)
        return
    _wipe(talk)
    try:
        request_import(talk.person, key, now=talk.now)
    except NotAllowed:
        talk.notice = _("You have sent several within an hour. Please try again later.")
        talk.begin("bookings")
        present(talk)
        return
    talk.notice = _("Thank you. I am asking the city about this appointment.")
    talk.begin("bookings")
    present(talk)


def _wipe(talk: Talk) -> None:
    """Take the person's message out of the chat: whoever has the link can cancel the appointment."""
    advice = _("Please delete your message with the link. Whoever has it can cancel your appointment.")
    talk.effects.append(Effect("delete", format_html("⚠️ {}", advice), message_id=talk.incoming.message_id))


def _why_not(invalid: InvalidValue) -> str:
    return {
        "empty": _("Please send the link."),
        "too_long": _("This is too long for a link. Please send only the link."),
        "other_host": _("This link does not lead to the city of Munich. I do not open it."),
        "damaged": _("This link is incomplete. Please copy all of it from the city's mail."),
    }.get(invalid.reason, _("I see no link to an appointment in this. Please copy it from the city's mail."))


SCREENS = {"import": ask}
TEXTS = {"import": import_typed}
