"""A person's watches: seen, paused, changed, silenced, ended."""

from dataclasses import replace

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import NotAllowed
from appointments.models import Service, Watch
from appointments.selectors.catalogue import judge, withdrawn_among
from appointments.selectors.near_misses import NearMiss, near_misses
from appointments.selectors.watches import days_without_slots, known_slots, watches_of
from appointments.services.watches import (
    delete_watch,
    pause_watch,
    resume_watch,
    snooze_watch,
    tomorrow_morning,
    wish_of,
)
from bot import callback_data as cd
from bot import dates
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.handlers.new_watch import ask_next
from bot.handlers.veto import veto_button
from bot.keyboards import back_home, shortened
from bot.messages import improving_view, miss_text, render, watch_name, watch_view
from bot.news.watches import instead_rows
from bot.selection_words import problem_text
from bot.slot_buttons import OFFERED, move_buttons, slot_buttons
from bot.talk import Talk


def watches(talk: Talk) -> Screen:
    """All of them, one button each."""
    standing = watches_of(talk.person)
    if not standing:
        html = format_html("{}", _("You have no search yet."))
        return Screen(html, [[Button(_("New search"), cd.Go("home"))]])
    rows = []
    for watch in standing:
        sign = "⚠️ " if withdrawn_among(watch.search.services) else ""
        sign += "⏸ " if watch.state == Watch.State.PAUSED else "💤 " if _snoozed(watch, talk) else ""
        rows.append([Button(shortened(f"{sign}{watch_name(watch)}"), cd.WatchAct("open", watch.pk))])
    return Screen(
        format_html("<b>{}</b>", _("Your searches")), [*rows, [Button(_("New search"), cd.Go("home"))]]
    )


def watch(talk: Talk) -> Screen | None:
    """One of them, with what can be done about it."""
    found = _watch(talk, talk.memory.get("watch"))
    if found is None or found.ended_at is not None:
        return None
    paused = found.state == Watch.State.PAUSED
    snoozed = _snoozed(found, talk)
    known = known_slots(found, now=talk.now, limit=OFFERED)
    slots = () if paused else known.slots
    view = watch_view(found)
    quiet = not (paused or snoozed or slots or view.withdrawn)
    near = near_misses(found, now=talk.now) if quiet else []
    html = render(
        "watch",
        w=view,
        withdrawn=", ".join(view.withdrawn),
        impossible="" if view.withdrawn else _impossible(found),
        improves=improving_view(found, talk.now),
        paused=paused,
        snoozed=dates.show_moment(found.snoozed_until) if snoozed and found.snoozed_until else "",
        open="; ".join(f"{dates.show_moment(s.starts_at)}, {s.office.shown_name}" for s in slots[:3]),
        as_of=dates.show_since(known.as_of, talk.now) if known.is_old and known.as_of else "",
        near=[_near_miss(each) for each in near],
        days_waiting=days_without_slots(found, now=talk.now) if quiet else 0,
    )
    rows = instead_rows(found) if view.withdrawn else []
    if not rows and found.improves is not None:
        rows = move_buttons(slots[:3], found.improves_id or 0)
        rows.append([Button(_("Gain and changes …"), cd.MoveAct("earlier", found.improves.pk))])
    elif not rows and found.mode == Watch.Mode.NOTIFY:
        rows = slot_buttons(slots[:3], found.pk)
    if near:
        rows = slot_buttons([each.slot for each in near], found.pk)
    if paused:
        first = Button(_("Watch again"), cd.WatchAct("resume", found.pk))
    else:
        first = Button(_("Pause"), cd.WatchAct("pause", found.pk))
    rows.append([first, Button(_("Change …"), cd.WatchAct("edit", found.pk))])
    if found.mode == Watch.Mode.AUTO:
        rows.append([veto_button(found)])
    if snoozed:
        rows.append([Button(_("Wake up"), cd.WatchAct("wake", found.pk))])
    elif not paused:
        rows.append([Button(_("Snooze until tomorrow"), cd.WatchAct("snooze", found.pk))])
    rows.append([Button(_("My searches"), cd.Go("watches")), back_home()])
    rows.append([Button(_("Delete"), cd.WatchAct("delete", found.pk))])
    return Screen(html, rows)


def _near_miss(near: NearMiss) -> str:
    """A time just outside the search, and what does not fit."""
    where = f"{dates.show_moment(near.slot.starts_at)}, {near.slot.office.shown_name}"
    return f"{where} ({miss_text(near.miss)})"


def _impossible(found: Watch) -> str:
    """Why nothing can be looked for any more, though the services are still there; "" while it can."""
    problem = judge(found.search.services).problem
    return problem_text(problem, found.search.services) if problem is not None else ""


def search_instead(talk: Talk, data: cd.Instead) -> None:
    """Another service instead of one that is not offered any more; everything else stays where it fits."""
    found = _watch(talk, data.watch)
    chosen = Service.objects.filter(upstream_id=data.upstream_id, withdrawn_at=None).first()
    if found is None or found.ended_at is not None or chosen is None:
        talk.notice = _("This search has ended.")
        talk.begin("watches")
        present(talk)
        return
    draft = Draft.of_wish(wish_of(found), found)
    main, *more = found.search.services
    gone = {service.upstream_id for service in withdrawn_among(found.search.services)}
    draft = replace(draft, more=tuple((m.service_id, m.count) for m in more if m.service_id not in gone))
    talk.begin("change", draft=draft.as_json())
    if main.service_id in gone:
        ask_next(talk, draft.with_service(chosen))
    else:
        ask_next(talk, draft.with_more(chosen.upstream_id, 1))


def watch_delete(talk: Talk) -> Screen | None:
    """Really delete?"""
    found = _watch(talk, talk.memory.get("watch"))
    if found is None or found.ended_at is not None:
        return None
    html = format_html("<b>{}</b>\n{}", _("Delete this search?"), watch_name(found))
    return Screen(
        html,
        [
            [Button(_("No, keep watching"), cd.WatchAct("open", found.pk))],
            [Button(_("Yes, delete"), cd.WatchAct("delete_yes", found.pk))],
        ],
    )


def act(talk: Talk, data: cd.WatchAct) -> None:
    """A button about a watch."""
    found = _watch(talk, data.watch)
    if found is None or (found.ended_at is not None and data.act != "again"):
        talk.toast(_("This search has ended."))
        if talk.on_menu:
            talk.begin("watches")
            present(talk)
        elif data.act == "open":
            talk.notice = _("This search has ended.")
            talk.begin("watches")
            present(talk)
        return
    try:
        _ACTS.get(data.act, _open)(talk, found)
    except NotAllowed:
        talk.notice = _("This search has ended.")
        talk.begin("watches")
        present(talk)


def _open(talk: Talk, found: Watch) -> None:
    talk.begin("watch", watch=found.pk)
    present(talk)


def _why(talk: Talk, found: Watch) -> None:
    talk.notice = _("You get these times because of this search:")
    _open(talk, found)


def _pause(talk: Talk, found: Watch) -> None:
    pause_watch(found, now=talk.now)
    _open(talk, found)


def _resume(talk: Talk, found: Watch) -> None:
    if found.state == Watch.State.PAUSED:
        resume_watch(found, now=talk.now)
    _open(talk, found)


def _snooze(talk: Talk, found: Watch) -> None:
    until = tomorrow_morning(talk.now)
    snooze_watch(found, until, now=talk.now)
    talk.toast(_("I stay silent until %(until)s.") % {"until": dates.show_moment(until)})
    if talk.on_menu:
        _open(talk, found)


def _wake(talk: Talk, found: Watch) -> None:
    if _snoozed(found, talk):
        resume_watch(found, now=talk.now)
    _open(talk, found)


def _edit(talk: Talk, found: Watch) -> None:
    talk.begin("change", draft=Draft.of_wish(wish_of(found), found).as_json())
    present(talk)


def _again(talk: Talk, found: Watch) -> None:
    draft = Draft.of_wish(wish_of(found), None)
    talk.begin("days")
    ask_next(talk, replace(draft, days=None))


def _delete(talk: Talk, found: Watch) -> None:
    talk.begin("watch_delete", watch=found.pk)
    present(talk)


def _delete_yes(talk: Talk, found: Watch) -> None:
    if talk.step == "watch_delete" and talk.memory.get("watch") == found.pk:
        delete_watch(found, now=talk.now)
        talk.notice = _("Deleted. I no longer look for this.")
        talk.begin("watches")
    present(talk)


def _snoozed(found: Watch, talk: Talk) -> bool:
    return found.snoozed_until is not None and found.snoozed_until > talk.now


def _watch(talk: Talk, pk: object) -> Watch | None:
    if not isinstance(pk, int):
        return None
    return (
        Watch.objects.filter(pk=pk, subscriber=talk.person)
        .select_related("search__main_service", "subscriber", "profile", "improves__office")
        .first()
    )


_ACTS = {
    "open": _open,
    "why": _why,
    "pause": _pause,
    "resume": _resume,
    "snooze": _snooze,
    "wake": _wake,
    "edit": _edit,
    "again": _again,
    "delete": _delete,
    "delete_yes": _delete_yes,
}
SCREENS = {"watches": watches, "watch": watch, "watch_delete": watch_delete}
