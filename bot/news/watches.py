"""News of free times, of watches, of the catalogue, and for staff."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from appointments.models import CatalogueChange, OutboxMessage, Slot, Watch
from appointments.selectors.catalogue import judge, successors, withdrawn_among
from appointments.states import BookingState
from bot import booking_screens as screens
from bot import callback_data as cd
from bot import captcha_talk, dates
from bot.effects import Button, Rows, Screen
from bot.keyboards import shortened
from bot.messages import BookingView, minutes, part_name, render, sight_reason, watch_name, watch_view
from bot.news.base import News, NothingToTell
from bot.selection_words import problem_text
from bot.slot_buttons import OFFERED, move_buttons, slot_buttons

S = BookingState


def _slots_opened(message: OutboxMessage, now: datetime) -> News:
    watch = message.watch
    if watch is None:
        raise NothingToTell("watch")
    slots = list(
        Slot.objects.filter(pk__in=message.payload.get("slots", ()))
        .select_related("office")
        .order_by("starts_at")
    )
    if not slots:
        raise NothingToTell("slots")
    open_slots = [slot for slot in slots if slot.gone_at is None and slot.starts_at > now]
    groups = []
    ordered = sorted(
        slots, key=lambda slot: (dates.local(slot.starts_at).date(), slot.office.shown_name, slot.starts_at)
    )
    for (day, place), of_group in groupby(
        ordered, key=lambda slot: (dates.local(slot.starts_at).date(), slot.office.shown_name)
    ):
        members = list(of_group)
        groups.append(
            {
                "day": dates.show_day(day),
                "office": place,
                "slots": [
                    {"time": dates.show_time(s.starts_at), "gone": s not in open_slots} for s in members
                ],
                "gone_after": _gone_after(members) if open_slots else "",
            }
        )
    improves = BookingView(watch.improves, now) if watch.improves is not None else None
    html = render(
        "slots_opened",
        name=watch_name(watch),
        improves=improves,
        groups=groups,
        open_count=len(open_slots),
        more=message.payload.get("more", 0) if open_slots else 0,
        seen_at=dates.show_time(max(slot.seen_at for slot in open_slots)) if open_slots else "",
    )
    if not open_slots:
        return News(Screen(html, [[Button(_("My search"), cd.WatchAct("open", watch.pk))]]))
    if improves is not None:
        return News(Screen(html, _earlier_rows(watch, open_slots)))
    rows = slot_buttons(open_slots[:OFFERED], watch.pk)
    maps = [Button(_("Map"), cd.ShowMap(open_slots[0].office_id))]
    rows.append([*maps, Button(_("Why these?"), cd.WatchAct("why", watch.pk))])
    rows.append([Button(_("Snooze until tomorrow"), cd.WatchAct("snooze", watch.pk))])
    return News(Screen(html, rows))


def _earlier_rows(watch: Watch, slots: Sequence[Slot]) -> Rows:
    """Each time leads to a question: nothing about the appointment changes by one press."""
    booking_id = watch.improves_id or 0
    rows = move_buttons(slots[:OFFERED], booking_id)
    if watch.improve_gain_days < screens.LARGER_GAIN:
        label = _("Only if %(days)d+ days earlier") % {"days": screens.LARGER_GAIN}
        rows.append([Button(label, cd.MoveAct("seven", booking_id))])
    rows.append([Button(_("Look for no other time"), cd.MoveAct("stop", booking_id))])
    return rows


def _gone_after(slots: list[Slot]) -> str:
    lives = [slot.gone_at - slot.appeared_at for slot in slots if slot.gone_at is not None]
    if not lives:
        return ""
    longest = max(lives)
    if longest < timedelta(minutes=1):
        return _("gone within a minute")
    return _("gone after %(time)s") % {"time": minutes(int(longest.total_seconds() // 60))}


def _watch_blind(message: OutboxMessage, now: datetime) -> News:
    if message.watch is None or message.watch.ended_at is not None:
        raise NothingToTell("watch")
    html = render(
        "watch_blind",
        name=watch_name(message.watch),
        since=_moment(message.payload.get("since"), now),
        reason=sight_reason(str(message.payload.get("reason", ""))),
    )
    return News(Screen(html, screens.watch_rows(message.watch)))


def _watch_sees(message: OutboxMessage, now: datetime) -> News:
    if message.watch is None or message.watch.ended_at is not None:
        raise NothingToTell("watch")
    since = _moment(message.payload.get("since"), now)
    return News(Screen(render("watch_sees", name=watch_name(message.watch), since=since)))


def _watch_expired(message: OutboxMessage, now: datetime) -> News:
    name = watch_name(message.watch) if message.watch else ""
    improved = message.watch.improves if message.watch is not None else None
    if improved is not None:
        show = [Button(_("My appointment"), cd.BookingAct("show", improved.pk))]
        return News(Screen(render("improving_over", b=BookingView(improved, now)), [show]))
    rows = [[Button(_("New search"), cd.Go("home"))]]
    if message.watch is not None:
        rows.insert(0, [Button(_("Search on with other days"), cd.WatchAct("again", message.watch.pk))])
    view = watch_view(message.watch) if message.watch else None
    return News(Screen(render("watch_expired", name=name, w=view), rows))


def _catalogue_change(message: OutboxMessage, now: datetime) -> News:
    """The city renamed, withdrew, brought back or moved something this person waits for or goes to."""
    watch, booking = message.watch, message.booking
    if (watch is None or watch.ended_at is not None) and booking is None:
        raise NothingToTell("watch")
    changes = CatalogueChange.objects.filter(pk__in=message.payload.get("changes", ())).select_related(
        "service", "office"
    )
    lines = list(dict.fromkeys(filter(None, (change_text(change) for change in changes.order_by("pk")))))
    problem = ""
    if watch is not None and message.payload.get("impossible"):
        found = judge(watch.search.services).problem
        withdrawn = any(change.kind == CatalogueChange.Kind.WITHDRAWN for change in changes)
        problem = problem_text(found, watch.search.services) if found is not None and not withdrawn else ""
    if not lines and not problem:
        raise NothingToTell("change")
    gone = bool(watch is not None and withdrawn_among(watch.search.services))
    html = render(
        "catalogue_change",
        name=watch_name(watch) if watch is not None else "",
        b=BookingView(booking, now) if booking is not None else None,
        lines=lines,
        problem=problem,
        gone=gone,
    )
    if booking is not None:
        return News(Screen(html, [[Button(_("My appointment"), cd.BookingAct("show", booking.pk))]]))
    if watch is None:
        return News(Screen(html))
    rows = instead_rows(watch) if gone else []
    rows.append(
        [
            Button(_("My search"), cd.WatchAct("open", watch.pk)),
            Button(_("Change …"), cd.WatchAct("edit", watch.pk)),
        ]
    )
    return News(Screen(html, rows))


def change_text(change: CatalogueChange) -> str:
    """One change in a sentence; "" for those that are nobody's news."""
    kinds, office = CatalogueChange.Kind, change.office
    words = {
        "before": change.before.get("name") or change.before.get("address") or "",
        "after": change.after.get("name") or change.after.get("address") or "",
        "name": office.shown_name if office is not None else change.service.name if change.service else "",
    }
    if office is None:
        return {
            kinds.RENAMED: _("The city now calls “%(before)s” “%(after)s”."),
            kinds.WITHDRAWN: _("The city no longer offers “%(name)s” online."),
            kinds.RETURNED: _("The city offers “%(name)s” online again."),
        }.get(kinds(change.kind), "") % words
    return {
        kinds.RENAMED: _("%(before)s is now called %(after)s."),
        kinds.WITHDRAWN: _("%(name)s no longer takes appointments online."),
        kinds.RETURNED: _("%(name)s takes appointments online again."),
        kinds.MOVED: _("%(name)s has moved from %(before)s to %(after)s."),
    }.get(kinds(change.kind), "") % words


def instead_rows(watch: Watch) -> Rows:
    """What may serve instead of services that are not offered any more, one to a row."""
    found = [other for gone in withdrawn_among(watch.search.services) for other in successors(gone)]
    return [
        [
            Button(
                shortened(_("Instead: %(name)s") % {"name": other.name}),
                cd.Instead(watch.pk, other.upstream_id),
            )
        ]
        for other in dict.fromkeys(found)
    ]


def _test(message: OutboxMessage, now: datetime) -> News:
    return News(Screen(render("test_message")))


def _captcha(
    show: Callable[[OutboxMessage, datetime], Screen | None],
) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        screen = show(message, now)
        if screen is None:
            raise NothingToTell("captcha")
        return News(screen)

    return about


def _staff_alert(message: OutboxMessage, now: datetime) -> News:
    told = message.payload
    html = render(
        "staff_alert",
        over=told.get("what") == "over",
        refused=told.get("kind") == "address_refused",
        part=part_name(str(told.get("subject", ""))),
        reason=str(told.get("reason", "")),
        since=_moment(told.get("since"), now),
    )
    return News(Screen(html))


def _moment(text: object, now: datetime) -> str:
    at = parse_datetime(str(text)) if text else None
    return dates.show_since(at, now) if at else ""


ABOUT: dict[str, Callable[[OutboxMessage, datetime], News]] = {
    "slots_opened": _slots_opened,
    "watch_blind": _watch_blind,
    "watch_sees": _watch_sees,
    "watch_expired": _watch_expired,
    "catalogue_change": _catalogue_change,
    "test_message": _test,
    "captcha_offer": _captcha(captcha_talk.render_offer),
    "captcha_wanted": _captcha(captcha_talk.render_wanted),
    "staff_alert": _staff_alert,
}
