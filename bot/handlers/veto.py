"""Time to object: how long before a search books by itself, and stopping it in that time."""

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.errors import InvalidValue, NotAllowed
from appointments.models import Watch
from appointments.selectors.bookings import booking_of
from appointments.services.vetoes import CHOICES, set_veto, stop_booking
from bot import callback_data as cd
from bot.booking_screens import booking_screen
from bot.effects import Button, Screen
from bot.flow import present
from bot.keyboards import back_home, in_rows
from bot.talk import Talk


def veto_button(watch: Watch) -> Button:
    """What is set now, under a search that books by itself."""
    return Button(
        _("Time to object: %(time)s") % {"time": _span(watch.veto_seconds)}, cd.VetoTime(watch.pk, -1)
    )


def veto(talk: Talk) -> Screen | None:
    """How long?"""
    watch = _watch(talk, talk.memory.get("watch"))
    if watch is None:
        return None
    html = format_html(
        "<b>{}</b>\n{}\n{}",
        _("How long may you object before I book?"),
        _("I hold the time first. Then I tell you and wait so long."),
        _("If you do nothing, I book it."),
    )
    choices = [
        Button(
            f"{'✓ ' if seconds == watch.veto_seconds else ''}{_span(seconds)}", cd.VetoTime(watch.pk, seconds)
        )
        for seconds in CHOICES
    ]
    return Screen(html, [*in_rows(choices), [Button(_("Back"), cd.WatchAct("open", watch.pk)), back_home()]])


def choose(talk: Talk, data: cd.VetoTime) -> None:
    """Show the choices, or take one."""
    watch = _watch(talk, data.watch)
    if watch is None:
        talk.notice = _("This search has ended.")
        talk.begin("watches")
    elif data.seconds < 0:
        talk.begin("veto", watch=watch.pk)
    else:
        try:
            set_veto(watch, data.seconds, now=talk.now)
            talk.notice = _("Saved.")
        except (InvalidValue, NotAllowed):
            talk.notice = _("This does not work right now.")
        talk.begin("watch", watch=watch.pk)
    present(talk)


def stop(talk: Talk, data: cd.StopVeto) -> None:
    """The person objects: the time stays held, and they are asked."""
    found = booking_of(talk.person, data.booking)
    if found is None:
        talk.toast(_("This appointment is no longer known here."), alert=True)
        return
    try:
        found = stop_booking(found, now=talk.now)
        talk.toast(_("Stopped. It stays held for you."))
    except NotAllowed:
        found.refresh_from_db()
        talk.toast(_("Here is where it stands."))
    if talk.on_menu:
        talk.begin("booking", booking=found.pk)
        present(talk)
    else:
        talk.rewrite(booking_screen(found, talk.now))


def _span(seconds: int) -> str:
    if not seconds:
        return _("none")
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}


def _watch(talk: Talk, pk: object) -> Watch | None:
    if not isinstance(pk, int):
        return None
    return Watch.objects.filter(pk=pk, subscriber=talk.person, ended_at=None).first()


SCREENS = {"veto": veto}
