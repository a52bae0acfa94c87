"""The conversation: one update in, calls to Telegram out, everything in between in one short transaction.

It knows nothing of Telegram's library and never waits for the network, so tests drive it without either. What an
update changed, where the dialogue stands afterwards, and the answer itself are committed together: a process that dies
before the commit has done nothing, one that dies after it leaves the answer to its successor.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from appointments.errors import DomainError
from appointments.services.importing import looks_like_link
from appointments.services.subscribers import note_visit
from bot import callback_data as cd
from bot import captcha_talk
from bot.callback_data import Data
from bot.chats import chat_for_update, handled_before, keep_answer
from bot.effects import Effect, Incoming, keyboard_of
from bot.flow import SCREENS, present
from bot.handlers import (
    bookings,
    days_and_hours,
    errors,
    importing,
    mail,
    misc,
    more_services,
    moving,
    new_watch,
    profile,
    profiles,
    start,
    summary,
    veto,
    visits,
    watches,
)
from bot.models import Chat
from bot.talk import Talk

log = logging.getLogger(__name__)

for _module in (
    start,
    new_watch,
    more_services,
    days_and_hours,
    summary,
    watches,
    bookings,
    moving,
    importing,
    mail,
    visits,
    profile,
    profiles,
    veto,
    misc,
):
    SCREENS.update(_module.SCREENS)

COMMANDS: dict[str, Callable[[Talk], None]] = {**start.COMMANDS, **new_watch.COMMANDS, **misc.COMMANDS}
TEXTS: dict[str, Callable[[Talk], None]] = {
    **new_watch.TEXTS,
    **more_services.TEXTS,
    **days_and_hours.TEXTS,
    **profile.TEXTS,
    **profiles.TEXTS,
    **importing.TEXTS,
}
# Here a decision is asked for, which only a button can give. Elsewhere words are a search.
DECISIONS = (
    "mode",
    "summary",
    "change",
    "weekdays",
    "check",
    "fix",
    "other",
    "release",
    "watch_delete",
    "veto",
    "erase_contact",
    "delete",
    "whom",
    "anew",
    "person_add",
    "person_delete",
    "visit_done",
    "move_times",
    "move_check",
    "earlier",
)
TEXTS |= dict.fromkeys(DECISIONS, errors.only_buttons)
TAPS: dict[type[Data], Callable[[Talk, Any], None]] = {
    cd.Go: misc.go,
    cd.Agree: start.agree,
    cd.Speak: start.speak,
    cd.Nothing: new_watch.nothing,
    cd.Topic: new_watch.choose_topic,
    cd.PickService: more_services.pick_service,
    cd.Persons: more_services.set_count,
    cd.More: more_services.act,
    cd.Instead: watches.search_instead,
    cd.PickOffice: new_watch.pick_office,
    cd.OfficePage: new_watch.turn_offices,
    cd.Done: days_and_hours.done,
    cd.Days: days_and_hours.choose_days,
    cd.Month: days_and_hours.turn_month,
    cd.Day: days_and_hours.press_day,
    cd.Hours: days_and_hours.choose_hours,
    cd.Weekday: days_and_hours.open_weekday,
    cd.WeekdayHours: days_and_hours.set_weekday,
    cd.PickMode: summary.pick_mode,
    cd.Change: summary.choose_point,
    cd.StartWatching: summary.start_watching,
    cd.WatchAct: watches.act,
    cd.BookSlot: bookings.book_slot,
    cd.BookingAct: bookings.act,
    cd.SwapSlot: bookings.swap,
    cd.MoveAct: moving.act,
    cd.MovePage: moving.turn_page,
    cd.MoveTo: moving.move_to,
    cd.Improve: moving.improve,
    cd.ShowMap: bookings.show_map,
    cd.StopVeto: veto.stop,
    cd.VetoTime: veto.choose,
    cd.Ask: profile.ask_field,
    cd.Skip: profile.skip,
    cd.Erase: misc.erase,
    cd.TestMessage: misc.send_test,
    cd.PersonAct: profiles.act,
    cd.Whom: profiles.choose,
    cd.Meant: profile.meant,
    cd.TakeAnew: mail.take,
    cd.Solve: captcha_talk.again,
}
# Buttons under news stand for themselves; all others belong to the menu they were shown with.
UNDER_NEWS = (
    cd.Go,
    cd.WatchAct,
    cd.Instead,
    cd.BookSlot,
    cd.BookingAct,
    cd.ShowMap,
    cd.MoveAct,
    cd.MoveTo,
    cd.StopVeto,
    cd.Solve,
)
# Calls that put something new below; pressing the same button again must not repeat it.
BELOW = ("send", "document", "venue")
BEFORE_CONSENT = (cd.Agree, cd.Speak)
# A person whom staff has paused may still see what there is, give it back, and go.
WHILE_PAUSED = (cd.BookingAct, cd.ShowMap, cd.Erase, cd.Speak, cd.Nothing)
PLACES_WHILE_PAUSED = frozenset({"bookings", "help", "privacy", "status", "delete", "settings", "about"})
ACTS_WHILE_PAUSED = frozenset({"show", "release", "release_yes", "opened", "nomail", "files"})


def respond(incoming: Incoming, *, now: datetime) -> list[Effect]:
    """What Telegram is to be told about `incoming`; an update that comes again changes nothing and says nothing.

    `now` is aware, UTC. Raises whatever breaks; then nothing has changed, and `apologise` finds words.
    """
    with transaction.atomic():
        chat = chat_for_update(incoming, now=now)
        if handled_before(chat, incoming):
            return []
        chat.last_update_at, chat.blocked_at = now, None
        if chat.subscriber is not None:
            note_visit(chat.subscriber, now=now)
        with translation.override(chat.speaks):
            talk = Talk(chat, incoming, now)
            _route(talk)
            talk.toast("")  # every press is answered, or its button keeps turning
        if talk.forgotten:
            Chat.objects.filter(pk=chat.pk).delete()
        else:
            keep_answer(chat, incoming, talk.effects)
            chat.save()
        return talk.effects


def apologise(incoming: Incoming, *, now: datetime) -> list[Effect]:
    """The answer when `respond` broke: nothing was changed, and the update is not tried again."""
    with transaction.atomic():
        chat = chat_for_update(incoming, now=now)
        if handled_before(chat, incoming):
            return []
        with translation.override(chat.speaks):
            screen = errors.apology()
        effects = [Effect("send", screen.html, keyboard_of(screen.rows))]
        if incoming.is_tap:
            effects.insert(0, Effect("toast", query_id=incoming.query_id))
        keep_answer(chat, incoming, effects)
        chat.save()
        return effects


def _route(talk: Talk) -> None:
    try:
        if talk.incoming.is_tap:
            _tap(talk)
        elif talk.incoming.text is None:
            errors.not_text(talk)
        else:
            _text(talk)
    except DomainError as refused:
        # Named after its kind only: its text may hold what the person typed.
        log.info("the domain refused a step", extra={"step": talk.step, "refused": type(refused).__name__})
        present(talk)


def _text(talk: Talk) -> None:
    if talk.text.startswith("/"):
        name = talk.text.split()[0][1:].partition("@")[0].lower()
        if not start.has_agreed(talk) and name not in misc.OPEN_PLACES:
            start.start(talk)
        elif _is_paused(talk) and name not in PLACES_WHILE_PAUSED:
            errors.paused(talk)
        else:
            COMMANDS.get(name, errors.unknown_command)(talk)
    elif not start.has_agreed(talk):
        start.start(talk)
    elif _is_paused(talk):
        errors.paused(talk)
    elif looks_like_link(talk.text):
        # It opens an appointment, so it is taken as that wherever the dialogue stands.
        importing.import_typed(talk)
    else:
        TEXTS.get(talk.step, new_watch.search)(talk)


def _tap(talk: Talk) -> None:
    decoded = cd.decode(talk.incoming.data)
    if decoded is None:
        errors.old_button(talk)
        return
    data, serial = decoded
    talk.data = data
    if serial is None:
        if not isinstance(data, UNDER_NEWS):
            errors.old_button(talk)
            return
    elif serial != talk.chat.menu_serial:
        errors.old_button(talk)
        return
    else:
        talk.on_menu = True
        # The message that really carries the menu, also if its number had not been written down yet.
        talk.chat.menu_message_id = talk.incoming.message_id
    press = f"{talk.incoming.message_id} {talk.incoming.data}"
    if talk.chat.dialogue.get("opened_by") == press:
        # Pressed again while what it brought is still the newest: it stands below.
        talk.toast(_("It stands below."))
        return
    if not start.has_agreed(talk) and not _open_to_everybody(data):
        start.start(talk)
    elif _is_paused(talk) and not _open_while_paused(data):
        errors.paused(talk)
    else:
        TAPS[type(data)](talk, data)
        if any(effect.do in BELOW for effect in talk.effects):
            talk.chat.dialogue["opened_by"] = press


def _open_to_everybody(data: Data) -> bool:
    return isinstance(data, BEFORE_CONSENT) or (isinstance(data, cd.Go) and data.place in misc.OPEN_PLACES)


def _open_while_paused(data: Data) -> bool:
    if isinstance(data, cd.Go):
        return data.place in PLACES_WHILE_PAUSED
    if isinstance(data, cd.BookingAct):
        return data.act in ACTS_WHILE_PAUSED
    return isinstance(data, WHILE_PAUSED)


def _is_paused(talk: Talk) -> bool:
    person = talk.chat.subscriber
    return person is not None and person.paused_at is not None
