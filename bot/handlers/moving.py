"""Moving an appointment, and looking for an earlier one: what will happen is said before anything does."""

from django.utils.translation import gettext as _

from appointments.errors import (
    AlreadyBooked,
    AlreadyHolding,
    InvalidValue,
    NotAllowed,
    SlotGone,
    WatchLimitReached,
)
from appointments.models import Booking, Slot, Watch
from appointments.selectors.bookings import live_bookings_of
from appointments.selectors.moving import (
    improving_watch_of,
    one_per_mail,
    replacement_of,
    stands,
    times_to_move_to,
)
from appointments.selectors.watches import MOST_WATCHES
from appointments.services.bookings import release_booking
from appointments.services.improving import CHANGES, GAINS, ask_for_more, start_improving, stop_improving
from appointments.services.looking import ask_for_look
from appointments.services.moving import cancel_old_first, move_appointment
from bot import callback_data as cd
from bot import dates
from bot.booking_screens import LARGER_GAIN, booking_screen
from bot.booking_talk import act_on, bring_up_to_date, own_booking, show
from bot.effects import Button, Rows, Screen
from bot.flow import present
from bot.keyboards import back_home
from bot.messages import BookingView, changes, days, render
from bot.slot_buttons import move_buttons
from bot.talk import Talk

TIMES_PER_PAGE = 8
MODES = (Watch.Mode.NOTIFY, Watch.Mode.HOLD, Watch.Mode.AUTO)


# --- Screens ---------------------------------------------------------------------------------------------


def move_times(talk: Talk) -> Screen | None:
    """Where the appointment could go: times known to be free, liked offices first."""
    found = _standing(talk)
    if found is None:
        return _instead(talk)
    slots = times_to_move_to(found, now=talk.now)
    pages = max(1, -(-len(slots) // TIMES_PER_PAGE))
    page = min(max(0, int(talk.memory.get("page", 0))), pages - 1)
    shown = slots[page * TIMES_PER_PAGE : (page + 1) * TIMES_PER_PAGE]
    rows = move_buttons(shown, found.pk)
    if pages > 1:
        turn = [Button("‹", cd.MovePage(found.pk, page - 1))] if page else []
        turn.append(Button(f"{page + 1}/{pages}", cd.Nothing()))
        if page < pages - 1:
            turn.append(Button("›", cd.MovePage(found.pk, page + 1)))
        rows.append(turn)
    rows.append(
        [
            Button(_("Look again"), cd.MoveAct("look", found.pk)),
            Button(_("Find me an earlier one"), cd.MoveAct("earlier", found.pk)),
        ]
    )
    rows.append([Button(_("Back to my appointment"), cd.BookingAct("show", found.pk))])
    lines = [f"{dates.show_moment(slot.starts_at)}, {slot.office.name}" for slot in shown]
    html = render(
        "move_times",
        b=BookingView(found, talk.now),
        lines=lines,
        looking=bool(talk.memory.get("looking")),
    )
    return Screen(html, rows)


def move_check(talk: Talk) -> Screen | None:
    """What will happen to the present appointment, and whether that is wanted."""
    found, slot = _standing(talk), _slot(talk.memory.get("slot"))
    if found is None or slot is None:
        return _instead(talk)
    html = render(
        "move_check",
        b=BookingView(found, talk.now),
        when=dates.show_moment(slot.starts_at),
        office=slot.office.name,
        later=slot.starts_at > found.starts_at,
        one_per_mail=one_per_mail(found, slot.office_id),
    )
    return Screen(
        html,
        [
            [Button(_("✅ Yes, move"), cd.MoveTo(found.pk, slot.pk, 1))],
            [
                Button(_("No"), cd.BookingAct("show", found.pk)),
                Button(_("Other times"), cd.MoveAct("times", found.pk)),
            ],
        ],
    )


def earlier(talk: Talk) -> Screen | None:
    """Look on for something earlier: how much it must gain, how often, and who decides."""
    found = _standing(talk)
    if found is None:
        return _instead(talk)
    gain, most, mode = _settings(talk, found)
    watch = improving_watch_of(found)
    html = render(
        "earlier",
        b=BookingView(found, talk.now),
        gain=days(gain),
        most=changes(most),
        mode=MODES[mode],
        one_per_mail=one_per_mail(found, found.office_id),
        running=watch is not None,
        quiet_hours=Watch._meta.get_field("improve_quiet_hours").default,
    )
    labels = [_("🔔 Tell me"), _("✋ Hold it, then ask me"), _("⚡ Swap it for me")]
    rows: Rows = [
        [Button(_marked(days(n), n == gain), cd.Improve("gain", n)) for n in GAINS],
        [Button(_marked(changes(n), n == most), cd.Improve("changes", n)) for n in CHANGES],
        *([Button(_marked(label, n == mode), cd.Improve("mode", n))] for n, label in enumerate(labels)),
        [Button(_("Save") if watch is not None else _("Start looking"), cd.Improve("start", 1))],
    ]
    if watch is not None:
        rows.append([Button(_("Look for no other time"), cd.MoveAct("stop", found.pk))])
    rows.append([Button(_("Back to my appointment"), cd.BookingAct("show", found.pk)), back_home()])
    return Screen(html, rows)


def _marked(label: str, chosen: bool) -> str:
    return f"✓ {label}" if chosen else label


def _settings(talk: Talk, found: Booking) -> tuple[int, int, int]:
    """Gain, changes and mode as they are set on the screen; at first as the running watch has them."""
    watch = improving_watch_of(found)
    gain, most, mode = 1, 2, 1
    if watch is not None:
        gain, mode = watch.improve_gain_days, MODES.index(Watch.Mode(watch.mode))
        most = min(max(CHANGES), max(1, watch.improve_most_changes - found.changes))
    return (
        int(talk.memory.get("gain", gain)),
        int(talk.memory.get("changes", most)),
        int(talk.memory.get("mode", mode)),
    )


def _instead(talk: Talk) -> Screen | None:
    """It cannot be moved (any more): where the booking stands now."""
    found = own_booking(talk, talk.memory.get("booking"))
    if found is None:
        return None
    talk.begin("booking", booking=found.pk)
    screen = booking_screen(found, talk.now)
    return Screen(screen.html, [*screen.rows, [Button(_("My appointments"), cd.Go("bookings")), back_home()]])


# --- Acts ------------------------------------------------------------------------------------------------


def act(talk: Talk, data: cd.MoveAct) -> None:
    """A button about moving."""
    act_on(talk, data.booking, data.act, _ACTS)


def _times(talk: Talk, found: Booking) -> None:
    """The list; where nothing is known, somebody looks first."""
    if _told_of_running_move(talk, found):
        return
    looking = not times_to_move_to(found, now=talk.now) and ask_for_look(found, now=talk.now)
    talk.begin("move_times", booking=found.pk, looking=looking)
    present(talk)


def _look(talk: Talk, found: Booking) -> None:
    if _told_of_running_move(talk, found):
        return
    if ask_for_look(found, now=talk.now):
        talk.toast(_("I am looking. What I find comes as a message."))
    else:
        talk.toast(_("I looked less than a minute ago."))
        return
    if talk.on_menu:
        talk.begin("move_times", booking=found.pk, looking=True)
        present(talk)


def turn_page(talk: Talk, data: cd.MovePage) -> None:
    """Another page of times."""
    if talk.step == "move_times" and talk.memory.get("booking") == data.booking:
        talk.go("move_times", page=max(0, data.page))
    present(talk)


def move_to(talk: Talk, data: cd.MoveTo) -> None:
    """A time was pressed: ask first; only the yes on that very question moves."""
    found = own_booking(talk, data.booking)
    if found is None:
        talk.toast(_("This appointment is no longer known here."), alert=True)
        return
    if _told_of_running_move(talk, found):
        return
    slot = _slot(data.slot)
    if slot is None or slot.gone_at is not None or slot.starts_at <= talk.now:
        talk.toast(_("This time is gone."), alert=True)
        if talk.on_menu:
            _times(talk, found)
        return
    asked = talk.step == "move_check" and talk.memory == {"booking": found.pk, "slot": slot.pk}
    if not data.sure or not asked:
        talk.begin("move_check", booking=found.pk, slot=slot.pk)
        present(talk)
        return
    try:
        new = move_appointment(found, slot, now=talk.now)
    except SlotGone:
        talk.toast(_("This time is gone."), alert=True)
        _times(talk, found)
    except (AlreadyHolding, AlreadyBooked):
        talk.notice = _("I can hold only one time for you. Please give the other one back first.")
        talk.begin("bookings")
        present(talk)
    except NotAllowed:
        found.refresh_from_db()
        show(talk, found)
    else:
        talk.toast(_("I book the new time first."))
        show(talk, new)


def offer(talk: Talk, slot: Slot) -> bool:
    """A free time was pressed by somebody who has this appointment already: offer to move it. False: it cannot."""
    live = live_bookings_of(talk.person)
    same = [b for b in live if stands(b) and b.search_id == slot.search_id and b.profile_id is None]
    if not same or replacement_of(same[0]) is not None or same[0].starts_at == slot.starts_at:
        return False
    talk.notice = _("You already have an appointment for this:")
    talk.toast(talk.notice)
    talk.begin("move_check", booking=same[0].pk, slot=slot.pk)
    present(talk)
    return True


def _earlier(talk: Talk, found: Booking) -> None:
    if not stands(found):
        raise NotAllowed(found.state)
    talk.begin("earlier", booking=found.pk)
    present(talk)


def improve(talk: Talk, data: cd.Improve) -> None:
    """A setting of the search for something earlier, or its start."""
    found = _standing(talk)
    if talk.step != "earlier" or found is None:
        present(talk)
        return
    allowed = {"gain": GAINS, "changes": CHANGES, "mode": (0, 1, 2)}
    if data.point in allowed:
        if data.value in allowed[data.point]:
            talk.go("earlier", **{data.point: data.value})
        present(talk)
        return
    gain, most, mode = _settings(talk, found)
    try:
        start_improving(found, gain_days=gain, more_changes=most, mode=MODES[mode], now=talk.now)
    except NotAllowed:
        talk.notice = _("Your appointment is too near. Nothing earlier would gain so much.")
        present(talk)
        return
    except InvalidValue:
        talk.notice = _("The city no longer offers this service online. I cannot look for it.")
        present(talk)
        return
    except WatchLimitReached:
        talk.notice = _("You have %(most)d searches already. Please delete one first.") % {
            "most": MOST_WATCHES
        }
        talk.begin("watches")
        present(talk)
        return
    watch = improving_watch_of(found)
    talk.notice = _("I am looking for something earlier. Your appointment stays until then.")
    talk.begin("watch", watch=watch.pk if watch else None)
    present(talk)


def _stop(talk: Talk, found: Booking) -> None:
    watch = improving_watch_of(found)
    if watch is not None:
        stop_improving(watch, now=talk.now)
    talk.toast(_("I look for nothing earlier any more."))
    if talk.on_menu:
        show(talk, found)


def _seven(talk: Talk, found: Booking) -> None:
    """Only a larger gain counts from now on. The button stands under what is held, or under the appointment."""
    appointment = found.replaces if found.replaces is not None else found
    watch = improving_watch_of(appointment)
    if watch is None:
        talk.toast(_("This search has ended."))
        return
    ask_for_more(watch, LARGER_GAIN, now=talk.now)
    talk.toast(_("Only %(days)s or more from now on.") % {"days": days(LARGER_GAIN)}, alert=True)
    if found.replaces is not None:
        found.refresh_from_db()
        bring_up_to_date(talk, found)


def _first(talk: Talk, found: Booking) -> None:
    """The explicit yes to cancelling the old appointment first."""
    found = cancel_old_first(found, now=talk.now)
    talk.toast(_("I am cancelling the old one. Then I book the new one."))
    bring_up_to_date(talk, found)


def _keep_old(talk: Talk, found: Booking) -> None:
    found = release_booking(found, now=talk.now, reason="kept_old")
    talk.toast(_("Your appointment stays as it is."))
    bring_up_to_date(talk, found)


def _told_of_running_move(talk: Talk, found: Booking) -> bool:
    """Whether the appointment cannot be moved now; then where it stands is shown: one move at a time."""
    new = replacement_of(found)
    if new is not None and new.ended_at is None:
        talk.toast(_("I am already at it."))
        show(talk, new)
        return True
    if not stands(found) or found.starts_at <= talk.now:
        talk.toast(_("Here is where it stands."))
        bring_up_to_date(talk, found)
        return True
    return False


def _standing(talk: Talk) -> Booking | None:
    found = own_booking(talk, talk.memory.get("booking"))
    return found if found is not None and stands(found) and found.starts_at > talk.now else None


def _slot(pk: object) -> Slot | None:
    if not isinstance(pk, int):
        return None
    return Slot.objects.select_related("search", "office").filter(pk=pk).first()


_ACTS = {
    "show": show,
    "times": _times,
    "look": _look,
    "earlier": _earlier,
    "stop": _stop,
    "seven": _seven,
    "first": _first,
    "keep_old": _keep_old,
}
SCREENS = {"move_times": move_times, "move_check": move_check, "earlier": earlier}
