"""Whatever does not fit: old buttons, unknown words, pictures, a person who is paused, our own mistakes."""

from django.utils.html import format_html
from django.utils.translation import gettext as _

from bot import callback_data as cd
from bot.effects import Button, Effect, Screen
from bot.flow import present
from bot.handlers.start import has_agreed
from bot.keyboards import back_home
from bot.talk import Talk


def old_button(talk: Talk) -> None:
    """A button of an older message: said once per message, its buttons go, and the present state follows."""
    message = talk.incoming.message_id
    talk.toast(_("This button belongs to an older message."))
    if message is not None and message == talk.memory.get("old_message"):
        return
    if message is not None:
        talk.effects.append(Effect("strip", message_id=message))
    if not has_agreed(talk):
        talk.begin("start")
    elif not talk.step:
        talk.begin("home")
    talk.notice = _("This button belongs to an older message. Here is where things stand:")
    present(talk)
    if talk.step:
        talk.go(talk.step, old_message=message)


def not_text(talk: Talk) -> None:
    """A photo, a sticker, a place, a voice message."""
    talk.notice = _("I only understand text and buttons.")
    if not has_agreed(talk):
        talk.begin("start")
    elif not talk.step:
        talk.begin("home")
    present(talk)


def only_buttons(talk: Talk) -> None:
    """Words where a decision is asked for: nothing is guessed, the question stays."""
    talk.notice = _("Please press one of the buttons.")
    present(talk)


def unknown_command(talk: Talk) -> None:
    """A command that does not exist."""
    talk.notice = _("I do not know this command.")
    talk.begin("help")
    present(talk)


def paused(talk: Talk) -> None:
    """Staff has paused this person."""
    html = format_html(
        "{}\n{}",
        _("Your use of this service is paused."),
        _("You can still see and cancel your appointments, and erase everything."),
    )
    talk.show(
        Screen(html, [[Button(_("My appointments"), cd.Go("bookings")), Button(_("Help"), cd.Go("help"))]])
    )


def apology() -> Screen:
    """Our own mistake; nothing of what was asked has happened."""
    html = format_html(
        "{}\n{}", _("Something went wrong on my side. Nothing was changed."), _("Please try again.")
    )
    return Screen(html, [[back_home()]])
