"""Help, status, privacy, settings, erasing everything, leaving a dialogue."""

from collections.abc import Callable

from django.conf import settings as config
from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import GateState, PollTarget, Watch
from appointments.selectors.health import city_sight, components, missing
from appointments.services.outbox import enqueue
from appointments.services.subscribers import erase_subscriber
from bot import callback_data as cd
from bot import captcha_talk, dates
from bot.effects import Button, Effect, Screen
from bot.flow import present
from bot.handlers import profile
from bot.handlers.start import other_language
from bot.keyboards import back_home
from bot.messages import render, sight_reason
from bot.talk import Talk

# Places that tell nothing about a person, open before consent.
OPEN_PLACES = frozenset({"start", "about", "help", "privacy", "status"})
PLACES = OPEN_PLACES | {
    "home",
    "service",
    "watches",
    "bookings",
    "profile",
    "erase_contact",
    "settings",
    "delete",
    "import",
}


def go(talk: Talk, data: cd.Go) -> None:
    """A button that opens a place of the menu."""
    if data.place == "cancel":
        cancel(talk)
        return
    if data.place == "service" and talk.memory.get("draft"):
        talk.go("service")
    elif data.place in ("home", "service"):
        talk.begin("home")
    elif data.place in PLACES:
        talk.begin(data.place)
    present(talk)


def cancel(talk: Talk) -> None:
    """`/cancel`: leave what we were doing; nothing of it is kept."""
    if talk.memory.get("draft") or talk.step in ("ask", "check", "fix"):
        talk.notice = _("Left. Nothing was changed.")
    talk.end()
    if not talk.step:
        talk.begin("home")
    present(talk)


def help_(talk: Talk) -> Screen:
    """What can be typed."""
    return Screen(render("help", contact=config.OPERATOR_CONTACT), [[back_home()]])


def privacy(talk: Talk) -> Screen:
    """What is stored."""
    html = render("privacy", operator=config.OPERATOR_NAME, contact=config.OPERATOR_CONTACT)
    return Screen(html, [[back_home()]])


def status(talk: Talk) -> Screen:
    """Does the watch see, since when, and what is not working."""
    sight = city_sight(talk.now)
    looked_at = (
        PollTarget.objects.filter(answered_at__isnull=False)
        .order_by("-answered_at")
        .values_list("answered_at", flat=True)
    ).first()
    gate = GateState.objects.filter(egress=config.EGRESS_NAME).first()
    person = talk.chat.subscriber
    html = render(
        "status",
        sight=sight,
        since=dates.show_since(sight.since, talk.now),
        reason=sight_reason(sight.reason),
        looked_at=dates.show_since(looked_at, talk.now) if looked_at else "",
        round_cap=gate.round_cap if gate else 0,
        used=gate.used if gate else 0,
        captcha=captcha_talk.standing(person, talk.now),
        watching=Watch.objects.filter(subscriber=person, state=Watch.State.ACTIVE).count() if person else 0,
        silent=", ".join(
            sorted({_part_name(name) for name in missing(components(talk.now)) if name != "city"})
        ),
    )
    again = [Button(_("Look again"), cd.Go("status")), back_home()]
    return Screen(html, [*captcha_talk.status_rows(talk), again])


def _part_name(name: str) -> str:
    if name == "queue:polling":
        return _("looking")
    if name.startswith("queue:"):
        return _("booking and messages")
    return {"bot": _("the chat"), "captcha": _("captcha"), "database": _("the database")}.get(name, name)


def settings(talk: Talk) -> Screen:
    """Language, test message, my data."""
    return Screen(
        format_html("<b>{}</b>", _("Settings")),
        [
            [other_language(talk, "settings"), Button(_("Send a test message"), cd.TestMessage())],
            [Button(_("My name and e-mail"), cd.Go("profile")), Button(_("What I store"), cd.Go("privacy"))],
            [back_home(), Button(_("Erase everything"), cd.Go("delete"))],
        ],
    )


def send_test(talk: Talk, data: cd.TestMessage) -> None:
    """A message through the same way as news; one a minute at most."""
    enqueue(
        talk.person,
        "test_message",
        now=talk.now,
        dedup_key=f"test_message:{talk.person.pk}:{talk.now:%Y%m%d%H%M}",
    )
    talk.toast(_("A test message is on its way."))


def delete(talk: Talk) -> Screen:
    """Really erase everything?"""
    html = format_html(
        "<b>{}</b>\n{}\n{}\n{}",
        _("Erase everything about you?"),
        _("Your searches end, and times that I hold are given back."),
        _("Appointments that the city has confirmed stay. Its mail tells how to cancel them."),
        _("This cannot be undone."),
    )
    return Screen(
        html,
        [
            [Button(_("No, keep it"), cd.Go("home"))],
            [Button(_("Yes, erase everything"), cd.Erase("everything"))],
        ],
    )


def erase(talk: Talk, data: cd.Erase) -> None:
    """Second thought given."""
    if data.what == "contact":
        profile.erase_now(talk)
        return
    if talk.step != "delete":
        present(talk)
        return
    erase_subscriber(talk.person, now=talk.now)
    talk.forgotten = True
    html = format_html("<b>{}</b>\n{}", _("Everything is erased."), _("If you need me again, type /start."))
    if talk.on_menu and talk.chat.menu_message_id:
        talk.effects.append(Effect("edit", html, message_id=talk.chat.menu_message_id))
    else:
        talk.say(Screen(html))


def place(step: str) -> Callable[[Talk], None]:
    """A command that opens a place."""

    def command(talk: Talk) -> None:
        talk.begin(step)
        present(talk)

    return command


SCREENS = {"help": help_, "privacy": privacy, "status": status, "settings": settings, "delete": delete}
COMMANDS = {
    **{
        name: place(name)
        for name in ("help", "privacy", "status", "settings", "delete", "watches", "bookings", "profile")
    },
    "cancel": cancel,
}
