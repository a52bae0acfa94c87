"""Outbox messages as Telegram shows them: rendered when they are sent, from what the database says then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import Booking, CatalogueChange, OutboxMessage, Slot, Watch
from appointments.selectors.catalogue import judge, successors, withdrawn_among
from appointments.selectors.moving import asks_for_other_order, stands, times_to_move_to
from appointments.selectors.watches import open_slots_for
from appointments.states import BookingState
from bot import booking_screens as screens
from bot import callback_data as cd
from bot import captcha_talk, dates
from bot.effects import Button, Rows, Screen
from bot.keyboards import in_rows, shortened
from bot.messages import BookingView, minutes, part_name, render, sight_reason, watch_name, watch_view
from bot.selection_words import problem_text

S = BookingState
OFFERED = 8  # times offered as buttons at once


@dataclass(frozen=True)
class News:
    """A message to send; `files_of` is the booking whose calendar file and map point go with it. `quiet`: no sound."""

    screen: Screen
    files_of: Booking | None = None
    quiet: bool = False


class NothingToTell(Exception):
    """What the message is about is gone; sending it would only confuse."""


def render_news(message: OutboxMessage, now: datetime) -> News:
    """`message` in the active language, as things stand at `now` (aware). Raises `NothingToTell`."""
    about = _ABOUT.get(message.kind)
    if about is not None:
        return about(message, now)
    if message.booking is not None:
        return News(screens.booking_screen(message.booking, now))
    raise NothingToTell(message.kind)


def slot_label(slot: Slot, several_offices: bool) -> str:
    """A free time on a button: "Tue 24 Nov 15:20", and where, if there is more than one place."""
    label = f"{dates.show_day(dates.local(slot.starts_at).date())} {dates.show_time(slot.starts_at)}"
    return (
        shortened(f"{label} · {slot.office.shown_name.removeprefix('Bürgerbüro ')}")
        if several_offices
        else label
    )


def slot_buttons(slots: Sequence[Slot], watch_id: int) -> Rows:
    """Free times to press."""
    several = len({slot.office.shown_name for slot in slots}) > 1
    buttons = [Button(slot_label(slot, several), cd.BookSlot(slot.pk, watch_id)) for slot in slots]
    return in_rows(buttons, 1 if several else 2)


def move_buttons(slots: Sequence[Slot], booking_id: int) -> Rows:
    """Free times to press, to move an appointment to."""
    several = len({slot.office_id for slot in slots}) > 1
    buttons = [Button(slot_label(slot, several), cd.MoveTo(booking_id, slot.pk)) for slot in slots]
    return in_rows(buttons, 1 if several else 2)


# --- Slots and watches -------------------------------------------------------------------------------------


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


# --- Bookings ----------------------------------------------------------------------------------------------


def _booking(message: OutboxMessage) -> Booking:
    if message.booking is None:
        raise NothingToTell("booking")
    return message.booking


def _while(*states: BookingState) -> Callable[[OutboxMessage, datetime], News]:
    """A message about a state that may have passed: then the next message tells more, and this one is left out."""

    def about(message: OutboxMessage, now: datetime) -> News:
        booking = _booking(message)
        if booking.state not in states or booking.wish == Booking.Wish.RELEASE:
            raise NothingToTell(booking.state)
        return News(screens.booking_screen(booking, now))

    return about


def _not_confirmed_yet(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.PRECONFIRMED:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("The city does not show it as confirmed yet. I look again in a few seconds.")
    return News(Screen(f"{screen.html}\n\n{format_html('<i>{}</i>', note)}", screen.rows))


def _hold_ending(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.RESERVED or booking.wish != Booking.Wish.ASK:
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now))


def _hold_released(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    why = str(message.payload.get("why", ""))
    instead = _successor(message, booking)
    html = render(
        "hold_released",
        b=BookingView(booking, now),
        why=why,
        next=BookingView(instead, now) if instead is not None else None,
    )
    rows = screens.watch_rows(booking.watch)
    if instead is not None:
        return News(Screen(html))
    if why == "superseded" and booking.watch is not None and booking.watch.ended_at is None:
        rows = other_times(booking, now) + rows
    return News(Screen(html, rows))


def _successor(message: OutboxMessage, booking: Booking) -> Booking | None:
    """The attempt that follows this one, if the message names it."""
    following = message.payload.get("next")
    if not following:
        return None
    mine = Booking.objects.filter(pk=following, subscriber=booking.subscriber_id)
    return mine.select_related("office", "main_service", "search").first()


def other_times(booking: Booking, now: datetime) -> Rows:
    """Free times for the same watch, as buttons."""
    watch = booking.watch
    if watch is None:
        return []
    without = [(booking.office_id, booking.starts_at)]
    slots = open_slots_for(watch, now=now, limit=OFFERED, without=without)
    return slot_buttons(slots, watch.pk)


def _lapsed(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = _booking(message)
        return News(screens.lapsed(booking, now, kind))

    return about


def _details_needed(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.RESERVED:
        raise NothingToTell(booking.state)
    names = [screens.field_name(str(field), booking.office) for field in message.payload.get("fields", ())]
    html = render("details_needed", b=BookingView(booking, now), fields=", ".join(names))
    enter = [Button(_("Enter my data"), cd.BookingAct("keep", booking.pk))]
    return News(Screen(html, [enter, [screens.release(booking)]]))


def _refused(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = _booking(message)
        if booking.state != S.RESERVED:
            raise NothingToTell(booking.state)
        field = str(message.payload.get("field") or "")
        field = {"familyName": "family_name", "customTextfield": "custom_text"}.get(field, field)
        named = screens.field_name(field, booking.office) if field else ""
        html = render(kind, b=BookingView(booking, now), field=named)
        change = [Button(_("Change my data"), cd.BookingAct("fix", booking.pk))]
        return News(Screen(html, [change, [screens.release(booking)]]))

    return about


def _activation_ending(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.PRECONFIRMED or booking.wish == Booking.Wish.RELEASE:
        raise NothingToTell(booking.state)
    view = BookingView(booking, now)
    html = render("activation_ending", b=view, left=minutes(view.activate_minutes))
    return News(Screen(html, screens.mail_rows(booking)))


def _confirmed(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now), files_of=booking)


def _over(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = _booking(message)
        watch = booking.watch
        rows = [[Button(_("New search"), cd.Go("home"))]]
        if watch is not None and watch.ended_at is None:
            rows = screens.watch_rows(watch)
        elif watch is not None:
            rows.insert(0, [Button(_("Search again"), cd.WatchAct("again", watch.pk))])
        return News(Screen(render(kind, b=BookingView(booking, now)), rows))

    return about


def _slot_taken(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    successor = _successor(message, booking)
    html = render(
        "slot_taken",
        b=BookingView(booking, now),
        next=BookingView(successor, now) if successor is not None else None,
    )
    rows = [] if successor is not None else other_times(booking, now) + screens.watch_rows(booking.watch)
    return News(Screen(html, rows))


def _booking_failed(message: OutboxMessage, now: datetime) -> News:
    return News(screens.failed(_booking(message), now, str(message.payload.get("why", ""))))


def _booking_settled(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.is_live:
        return News(screens.booking_screen(booking, now))
    html = render("booking_settled", b=BookingView(booking, now))
    return News(Screen(html, other_times(booking, now) + screens.watch_rows(booking.watch)))


def _reminder(kind: str) -> Callable[[OutboxMessage, datetime], News]:
    def about(message: OutboxMessage, now: datetime) -> News:
        booking = _booking(message)
        if booking.state != S.CONFIRMED:
            raise NothingToTell("no appointment any more")
        rows = [
            [Button(_("Map"), cd.ShowMap(booking.office_id))],
            [Button(shortened(_("I can't come: give it back")), cd.BookingAct("release", booking.pk))],
        ]
        return News(Screen(render(kind, b=BookingView(booking, now)), rows))

    return about


def _visit_over(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell("no appointment any more")
    rows = [
        [Button(_("Done, erase my data"), cd.BookingAct("visit_done", booking.pk))],
        [Button(_("I need another one"), cd.BookingAct("another", booking.pk))],
    ]
    return News(Screen(render("visit_over", b=BookingView(booking, now)), rows), quiet=True)


def _mail_limit_ahead(message: OutboxMessage, now: datetime) -> News:
    own = _booking(message)
    if not own.is_live:
        raise NothingToTell(own.state)
    return News(screens.mail_limit_ahead(own, now))


# --- Moving, improving, importing --------------------------------------------------------------------------


def _moved(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    stopped = bool(message.payload.get("stopped"))
    return News(screens.moved(booking, now, stopped=stopped), files_of=booking)


def _old_given_back(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.CONFIRMED:
        raise NothingToTell(booking.state)
    first = booking.messages.filter(kind="appointment_moved").first()
    stopped = bool(first and first.payload.get("stopped"))
    return News(screens.moved(booking, now, stopped=stopped))


def _two_stand(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.CONFIRMED or booking.replaces is None:
        raise NothingToTell("one appointment again")
    rows = [[Button(_("My appointments"), cd.Go("bookings"))]]
    return News(Screen(render("two_stand", b=BookingView(booking, now)), rows))


def _mail_limit_of_move(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if not asks_for_other_order(booking):
        raise NothingToTell(booking.state)
    return News(screens.booking_screen(booking, now))


def _old_gone_meanwhile(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.state != S.RESERVED or booking.wish != Booking.Wish.ASK:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("Your old appointment has been cancelled meanwhile. So I ask you again:")
    return News(Screen(f"{format_html('⚠️ {}', note)}\n\n{screen.html}", screen.rows))


def _nothing_left(message: OutboxMessage, now: datetime) -> News:
    html = render("nothing_left", b=BookingView(_booking(message), now), watching=message.watch is not None)
    return News(Screen(html, screens.watch_rows(message.watch)))


def _move_times(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if not stands(booking):
        raise NothingToTell(booking.state)
    slots = times_to_move_to(booking, now=now)[:OFFERED]
    why = sight_reason(str(message.payload["why"])) if message.payload.get("why") and not slots else ""
    html = render("move_found", b=BookingView(booking, now), count=len(slots), why=why)
    rows = move_buttons(slots, booking.pk)
    if slots:
        rows.append([Button(_("All times"), cd.MoveAct("times", booking.pk))])
    else:
        rows.append([Button(_("Look again"), cd.MoveAct("look", booking.pk))])
    rows.append([Button(_("Find me an earlier one"), cd.MoveAct("earlier", booking.pk))])
    return News(Screen(html, rows))


def _imported(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if not booking.is_live:
        raise NothingToTell(booking.state)
    screen = screens.booking_screen(booking, now)
    note = _("I look after this appointment now. I found it at the city:")
    html = f"{format_html('<b>{}</b>', note)}\n\n{screen.html}"
    return News(Screen(html, screen.rows), files_of=booking if booking.state == S.CONFIRMED else None)


def _import_failed(message: OutboxMessage, now: datetime) -> News:
    booking = message.booking
    rows = [[Button(_("My appointments"), cd.Go("bookings"))]]
    if booking is not None:
        rows.insert(0, [Button(_("Show it"), cd.BookingAct("show", booking.pk))])
    html = render(
        "import_failed",
        why=str(message.payload.get("why", "")),
        b=BookingView(booking, now) if booking is not None else None,
    )
    return News(Screen(html, rows))


def _veto(message: OutboxMessage, now: datetime) -> News:
    booking = _booking(message)
    if booking.wish == Booking.Wish.RELEASE or not booking.is_live:
        raise NothingToTell(booking.state)
    if booking.state in (S.RESERVED, S.PRECONFIRMING):
        return News(screens.booking_screen(booking, now))
    return News(Screen(render("veto_over", b=BookingView(booking, now))))


def _holds_paused(message: OutboxMessage, now: datetime) -> News:
    until = parse_datetime(str(message.payload.get("until", "")))
    if until is None or until < now:
        raise NothingToTell("over")
    html = render("holds_paused", unkept=message.payload.get("unkept", 0), until=dates.show_moment(until))
    return News(Screen(html, [[Button(_("My searches"), cd.Go("watches"))]]))


_ABOUT: dict[str, Callable[[OutboxMessage, datetime], News]] = {
    "slots_opened": _slots_opened,
    "watch_blind": _watch_blind,
    "watch_sees": _watch_sees,
    "watch_expired": _watch_expired,
    "catalogue_change": _catalogue_change,
    "test_message": _test,
    "captcha_offer": _captcha(captcha_talk.render_offer),
    "captcha_wanted": _captcha(captcha_talk.render_wanted),
    "staff_alert": _staff_alert,
    "appointment_reserved": _while(S.RESERVED, S.PRECONFIRMING, S.CONFIRMING),
    "hold_ending": _hold_ending,
    "hold_released": _hold_released,
    "hold_lapsed": _lapsed("hold_lapsed"),
    "activation_lapsed": _lapsed("activation_lapsed"),
    "details_needed": _details_needed,
    "contact_refused": _refused("contact_refused"),
    "mail_limit": _refused("mail_limit"),
    "check_mail": _while(S.PRECONFIRMED),
    "not_confirmed_yet": _not_confirmed_yet,
    "activation_ending": _activation_ending,
    "appointment_confirmed": _confirmed,
    "appointment_cancelled": _over("appointment_cancelled"),
    "appointment_gone": _over("appointment_gone"),
    "slot_taken": _slot_taken,
    "booking_failed": _booking_failed,
    "booking_uncertain": _while(S.UNCERTAIN),
    "booking_settled": _booking_settled,
    "reminder_day": _reminder("reminder_day"),
    "reminder_hours": _reminder("reminder_hours"),
    "visit_over": _visit_over,
    "mail_limit_ahead": _mail_limit_ahead,
    "appointment_moved": _moved,
    "old_given_back": _old_given_back,
    "two_stand": _two_stand,
    "move_mail_limit": _mail_limit_of_move,
    "old_gone_meanwhile": _old_gone_meanwhile,
    "nothing_left": _nothing_left,
    "move_times": _move_times,
    "appointment_imported": _imported,
    "import_failed": _import_failed,
    "veto": _veto,
    "holds_paused": _holds_paused,
}
KINDS = frozenset(_ABOUT)
