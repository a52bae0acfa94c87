"""The appointment that another one takes the place of: it goes last, only for a reason that still holds, and is told.

`Booking.reason` carries why it goes: `REPLACED` (the new one is confirmed) or `REPLACED_FIRST` (the person said that it
may go first, because the city's mail limit allows no other order). What is written here is checked again at every try.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from appointments.models import Booking
from appointments.selectors.moving import REPLACED, REPLACED_FIRST, replacement_of
from appointments.services.bookings import release_booking
from appointments.services.desk import Desk
from appointments.services.improving import carry_on, end_improving, search_instead
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.states import ENDED, BookingState
from appointments.upstream.errors import AppointmentNotFound, AuthKeyMismatch, UpstreamError

S = BookingState
Wish = Booking.Wish
# What the city said about the new appointment so lately is still true when the old one is cancelled.
STILL_TRUE = timedelta(minutes=1)
ASK_AGAIN = timedelta(seconds=30)
# Cancelling, sending and confirming fit into this; with less left of the hold the old one is not cancelled first.
ENOUGH_TIME = timedelta(seconds=45)
# Two appointments that stand so long are told about.
TOLD_AFTER = timedelta(minutes=2)
BATCH = 200


def take_place(booking: Booking, *, now: datetime) -> None:
    """In the transaction in which `booking` is confirmed: from now on the old one may go."""
    old = booking.replaces
    assert old is not None
    standing = Booking.objects.filter(pk=old.pk, state=S.CONFIRMED, ended_at=None).exclude(wish=Wish.RELEASE)
    if standing.update(wish=Wish.RELEASE, reason=REPLACED, retry_at=None):
        queue_task("cancel_appointment", old.pk)
    elif Booking.objects.filter(pk=old.pk, state__in=sorted(ENDED)).exists():
        Booking.objects.filter(pk=booking.pk).update(replaces=None, cancel_first=False)
        booking.replaces, booking.cancel_first = None, False
    stopped = carry_on(old, booking, now=now)
    enqueue(
        booking.subscriber,
        "appointment_moved",
        now=now,
        booking=booking,
        payload={"stopped": stopped},
        dedup_key=f"appointment_moved:{booking.pk}",
        thread=f"moved:{booking.pk}",
        priority=9,
    )


def may_go(old: Booking, desk: Desk) -> bool:
    """Whether `old` may be cancelled now; True for everything that a person gives back.

    What goes because another one takes its place goes only while that one stands (or, with the person's yes to the
    other order, is held for long enough). Otherwise it is not given back any more.
    """
    if old.reason not in (REPLACED, REPLACED_FIRST):
        return True
    now = desk.clock()
    new = replacement_of(old)
    if new is None or new.wish == Wish.RELEASE:
        keep_old(old, now=now)
        return False
    if old.reason == REPLACED_FIRST:
        waits = new.state == S.RESERVED and new.cancel_first and new.wish == Wish.BOOK
        if waits and new.held_until is not None and new.held_until > now + ENOUGH_TIME:
            return True
        keep_old(old, now=now)
        return False
    if new.state != S.CONFIRMED:
        keep_old(old, now=now)
        return False
    return new.state_since > now - STILL_TRUE or _still_confirmed(old, new, desk)


def _still_confirmed(old: Booking, new: Booking, desk: Desk) -> bool:
    """Ask the city whether the new appointment still stands: people cancel on its page, too."""
    if new.starts_at <= desk.clock():
        return True
    try:
        desk.api.appointment(new.key)
    except (AppointmentNotFound, AuthKeyMismatch):
        # The daily look writes it down; the old one stays.
        with transaction.atomic():
            keep_old(old, now=desk.clock())
            Booking.objects.filter(pk=new.pk, state=S.CONFIRMED).update(follow_at=desk.clock())
            queue_task("follow_booking", new.pk)
        return False
    except UpstreamError as error:
        retry_at = getattr(error, "retry_at", None) or desk.clock() + ASK_AGAIN
        Booking.objects.filter(pk=old.pk, state=S.CONFIRMED).update(retry_at=retry_at)
        return False
    return True


def keep_old(old: Booking, *, now: datetime) -> None:
    """The reason to give `old` back is no more: it stands, as before. A new time it should have gone for goes back."""
    with transaction.atomic():
        on_its_way = Booking.objects.filter(
            pk=old.pk, state=S.CONFIRMED, wish=Wish.RELEASE, reason__in=(REPLACED, REPLACED_FIRST)
        )
        if not on_its_way.update(wish=Wish.BOOK, reason="", retry_at=None, follow_at=now + timedelta(days=1)):
            return
        waiting = Booking.objects.filter(replaces=old.pk, cancel_first=True)
        for new in waiting.exclude(state__in=sorted(ENDED)).exclude(wish=Wish.RELEASE):
            release_booking(new, now=now, reason="not_in_time")
        waiting.update(cancel_first=False)


def has_gone(booking: Booking, *, now: datetime) -> bool:
    """In the transaction in which `booking` became CANCELLED: see to the one before it and the one after it.

    Returns whether everything there is to say was said here.
    """
    if booking.replaces is not None:
        # A new one that was confirmed, and is given back or cancelled elsewhere before the old one went.
        keep_old(booking.replaces, now=now)
    if booking.confirmed_at is None:
        return False
    new = replacement_of(booking)
    if new is None:
        end_improving(booking, now=now)
        return False
    if new.state == S.CONFIRMED:
        Booking.objects.filter(pk=new.pk).update(replaces=None, cancel_first=False)
        if booking.reason == REPLACED:
            _tell_given_back(booking, new, now=now)
        return booking.reason == REPLACED
    if new.cancel_first:
        # Its turn now. What became of it is said as soon as the city has answered.
        queue_task("send_booking", new.pk)
        return booking.reason == REPLACED_FIRST
    if new.state in (S.CONFIRMING, S.UNCERTAIN):
        # Kept if the city confirms it; asked about if not.
        return False
    Booking.objects.filter(pk=new.pk).exclude(wish=Wish.RELEASE).update(
        replaces=None, wish=Wish.ASK, reason=""
    )
    end_improving(booking, now=now)
    if new.state == S.RESERVED and new.wish != Wish.RELEASE:
        tell_alone(new, now=now)
    return False


def stand_alone(booking: Booking, *, now: datetime) -> Booking:
    """The old appointment is gone, and the new time is only held: it is a hold like any other, and asked about."""
    old = booking.replaces
    with transaction.atomic():
        mine = Booking.objects.filter(pk=booking.pk, state=S.RESERVED).exclude(wish=Wish.RELEASE)
        if mine.update(replaces=None, wish=Wish.ASK, reason="", retry_at=None):
            if old is not None:
                end_improving(old, now=now)
            tell_alone(booking, now=now)
    booking.refresh_from_db()
    return booking


def tell_alone(booking: Booking, *, now: datetime) -> None:
    """Say that the appointment is gone which `booking` was to take the place of, and ask about `booking`."""
    enqueue(
        booking.subscriber,
        "old_gone_meanwhile",
        now=now,
        booking=booking,
        dedup_key=f"old_gone_meanwhile:{booking.pk}",
        thread=f"booking:{booking.pk}",
        priority=8,
    )


def _tell_given_back(old: Booking, new: Booking, *, now: datetime) -> None:
    """The message about the move becomes true to the end; who was told of two appointments hears that it is one."""
    alarmed = new.messages.filter(kind="two_stand").exists()
    enqueue(
        new.subscriber,
        "old_given_back",
        now=now,
        booking=new,
        dedup_key=f"old_given_back:{old.pk}",
        thread=f"moved:{new.pk}" if not alarmed else "",
        edits=not alarmed,
        priority=5,
    )


def settle_moves(*, now: datetime) -> int:
    """What was left behind on the way from one appointment to the other. Returns how many were found."""
    return _settle_past(now) + _settle_alone(now) + _stop_waiting(now) + _tell_two(now) + _search_again(now)


def _settle_past(now: datetime) -> int:
    """An old appointment whose time is over, or that went unseen, is in nobody's place any more."""
    over = Q(replaces__state__in=sorted(ENDED)) | Q(replaces__ended_at__isnull=False)
    found = Booking.objects.filter(over, state=S.CONFIRMED)
    return Booking.objects.filter(pk__in=list(found.values_list("pk", flat=True)[:BATCH])).update(
        replaces=None
    )


def _settle_alone(now: datetime) -> int:
    """Held for an appointment that went while nobody looked: a hold like any other."""
    alone = Booking.objects.filter(
        state=S.RESERVED, cancel_first=False, replaces__state__in=sorted(ENDED)
    ).exclude(wish=Wish.RELEASE)
    found = list(alone.select_related("subscriber", "replaces")[:BATCH])
    for booking in found:
        stand_alone(booking, now=now)
    return len(found)


def _stop_waiting(now: datetime) -> int:
    """The hold runs out before the old one could be cancelled: it stays."""
    waiting = Booking.objects.filter(
        state=S.RESERVED, cancel_first=True, held_until__lte=now + ENOUGH_TIME, replaces__state=S.CONFIRMED
    )
    found = list(waiting.select_related("replaces")[:BATCH])
    for new in found:
        if new.replaces is not None:
            keep_old(new.replaces, now=now)
    return len(found)


def _tell_two(now: datetime) -> int:
    """Cancelling the old one takes long: until it works, two appointments stand, and the person knows."""
    both = Booking.objects.filter(
        state=S.CONFIRMED,
        state_since__lte=now - TOLD_AFTER,
        ended_at=None,
        replaces__ended_at=None,
        replaces__reason=REPLACED,
    ).exclude(messages__kind="two_stand")
    found = 0
    for new in both.select_related("subscriber")[:BATCH]:
        with transaction.atomic():
            told = enqueue(
                new.subscriber,
                "two_stand",
                now=now,
                booking=new,
                dedup_key=f"two_stand:{new.pk}",
                priority=6,
            )
            found += told is not None
    return found


def _search_again(now: datetime) -> int:
    """The old one went first, and the new one was not to be had after all: say so, and look for another at once."""
    lost = Booking.objects.filter(
        cancel_first=True, state__in=sorted(ENDED), replaces__state=S.CANCELLED
    ).select_related("subscriber", "search", "office", "watch__search", "replaces")
    found = 0
    for booking in lost[:BATCH]:
        with transaction.atomic():
            if not Booking.objects.filter(pk=booking.pk, cancel_first=True).update(cancel_first=False):
                continue
            found += 1
            wanted = booking.reason != "person" and booking.subscriber.is_active
            watch = search_instead(booking, now=now) if wanted else None
            enqueue(
                booking.subscriber,
                "nothing_left",
                now=now,
                booking=booking,
                watch=watch,
                dedup_key=f"nothing_left:{booking.pk}",
                priority=9,
            )
    return found
