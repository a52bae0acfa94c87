"""After booking: looking on for an earlier appointment, with a gain worth a change, a ceiling, and quiet in between."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from django.db import transaction

from appointments.errors import InvalidValue, NotAllowed, WatchLimitReached
from appointments.models import Booking, Office, Watch
from appointments.selectors.moving import (
    changes_left,
    improving_watch_of,
    quiet_after_change,
    stands,
)
from appointments.selectors.watches import MOST_WATCHES, MUNICH, chosen_offices
from appointments.services.bookings import release_booking
from appointments.services.targets import refresh_targets
from appointments.services.watch_states import end_watch
from appointments.services.watches import WatchWish, apply_wish, check_wish, spread_watch, wish_of

GAINS = (1, 3, 7, 14)
CHANGES = (1, 2, 3)


def start_improving(
    booking: Booking, *, gain_days: int, more_changes: int, mode: str, now: datetime
) -> Watch:
    """Look for an appointment at least `gain_days` earlier than `booking`, and change it `more_changes` times at most.

    The search that found it goes on in its own days and hours, a new one at its office if there was none. Asked again,
    the same watch gets the new settings. Raises `NotAllowed` (the appointment does not stand, or is too near for any
    gain), `InvalidValue` (a number nobody offered, or nothing to search for any more), `WatchLimitReached`.
    """
    if gain_days not in GAINS or more_changes not in CHANGES or mode not in Watch.Mode.values:
        raise InvalidValue("improve", "numbers")
    with transaction.atomic():
        booking.refresh_from_db()
        if not stands(booking) or _day_of(booking) - timedelta(days=gain_days) < _today(now):
            raise NotAllowed(booking.state)
        watch = improving_watch_of(booking)
        if watch is None:
            if Watch.objects.filter(subscriber=booking.subscriber, ended_at=None).count() >= MOST_WATCHES:
                raise WatchLimitReached(str(MOST_WATCHES))
            watch = Watch(subscriber=booking.subscriber, created_at=now, waiting_since=now)
        watch.profile, watch.improve, watch.improves = booking.profile, True, booking
        watch.improve_gain_days = gain_days
        watch.improve_most_changes = booking.changes + more_changes
        wish, offices = _wish_after(booking, mode, now=now)
        apply_wish(watch, wish, offices, now=now)
        first, last = watch.window(_today(now))
        if last < first:
            raise NotAllowed("too near")
    return watch


def _wish_after(booking: Booking, mode: str, *, now: datetime) -> tuple[WatchWish, list[Office]]:
    """What the person once searched for, as far as it can still be searched for."""
    if booking.watch is not None and booking.watch.search_id == booking.search_id:
        wish = replace(wish_of(booking.watch), mode=mode)
        try:
            return wish, check_wish(wish, now=now)
        except InvalidValue:
            pass  # its days are over, or its offices: the appointment itself says enough
    wish = WatchWish(services=booking.search.services, office_ids=(booking.office_id,), mode=mode)
    return wish, check_wish(wish, now=now)


def improve_from_now_on(watch: Watch, booking: Booking, *, now: datetime) -> bool:
    """Turn a watch that was told so from the start to improving what it has found. False: it was not, or it cannot."""
    if not watch.improve or watch.ended_at is not None:
        return False
    watch.improves = booking
    watch.improve_most_changes = booking.changes + max(1, watch.improve_most_changes)
    first, last = watch.window(_today(now))
    if last < first:
        return False
    watch.save(update_fields=["improves", "improve_most_changes"])
    _look_on(watch, now=now)
    return True


def carry_on(old: Booking, new: Booking, *, now: datetime) -> bool:
    """`new` has taken the place of `old`: what improved the old one improves the new one, after a quiet time.

    At the ceiling, or when nothing earlier is left, it ends. Returns whether it ended.
    """
    stopped = False
    for watch in Watch.objects.filter(improves=old.pk, ended_at=None).select_related("search", "subscriber"):
        watch.improves = new
        watch.save(update_fields=["improves"])
        first, last = watch.window(_today(now))
        if changes_left(watch) <= 0 or last < first:
            stopped |= end_watch(watch, Watch.State.FULFILLED, now=now)
            continue
        watch.snoozed_until = quiet_after_change(watch)
        watch.save(update_fields=["snoozed_until"])
        _look_on(watch, now=now)
    return stopped


def _look_on(watch: Watch, *, now: datetime) -> None:
    spread_watch(watch, chosen_offices(watch), now=now)
    refresh_targets(watch.search, now=now)


def end_improving(booking: Booking, *, now: datetime) -> None:
    """The appointment is no more: there is nothing to improve."""
    for watch in Watch.objects.filter(improves=booking.pk, ended_at=None).select_related("search"):
        end_watch(watch, Watch.State.DELETED, now=now)


def stop_improving(watch: Watch, *, now: datetime) -> None:
    """The person wants no earlier time any more; the appointment stays as it is."""
    end_watch(watch, Watch.State.DELETED, now=now)


def ask_for_more(watch: Watch, gain_days: int, *, now: datetime) -> None:
    """Only what is so much earlier counts from now on; a smaller gain that is held goes back. Raises `NotAllowed`."""
    with transaction.atomic():
        if watch.ended_at is not None or watch.improves is None:
            raise NotAllowed("this search has ended")
        watch.improve_gain_days = max(watch.improve_gain_days, gain_days)
        watch.save(update_fields=["improve_gain_days"])
        latest = watch.window(_today(now))[1]
        for held in Booking.objects.filter(watch=watch, replaces=watch.improves, ended_at=None):
            if _day_of(held) > latest and held.wish == Booking.Wish.ASK:
                release_booking(held, now=now, reason="small_gain")
        _look_on(watch, now=now)


def search_instead(booking: Booking, *, now: datetime) -> Watch | None:
    """The appointment is gone and its successor was not to be had: look for the same again, and hold what comes.

    The watch that improved goes on as an ordinary one. None where nothing can be searched for any more.
    """
    watch = booking.watch
    if watch is not None and watch.ended_at is None:
        watch.improve, watch.improves, watch.snoozed_until = False, None, None
        watch.state = Watch.State.ACTIVE
    else:
        watch = Watch(
            subscriber=booking.subscriber, profile=booking.profile, created_at=now, waiting_since=now
        )
    old = booking.replaces or booking
    mode = Watch.Mode.AUTO if watch.mode == Watch.Mode.AUTO else Watch.Mode.HOLD
    try:
        wish, offices = _wish_after(old, mode, now=now)
    except InvalidValue:
        return None
    apply_wish(watch, wish, offices, now=now)
    return watch


def _day_of(booking: Booking) -> date:
    return booking.starts_at.astimezone(MUNICH).date()


def _today(now: datetime) -> date:
    return now.astimezone(MUNICH).date()
