"""A window to object before a slot is booked by itself: "I book this in 30 s unless you stop me".

Off unless a watch asks for it. The slot is held meanwhile, so nothing is lost by waiting; the window never outlasts the
time in which the hold can be answered. Everything is written in the row, so a sweep goes on where a worker died.
"""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.errors import InvalidValue, NotAllowed
from appointments.models import Booking, Watch
from appointments.services.outbox import enqueue
from appointments.states import BookingState

S = BookingState
Wish = Booking.Wish
# What a watch can be set to; 0: no window.
CHOICES = (0, 30, 60, 120)
BATCH = 200


def set_veto(watch: Watch, seconds: int, *, now: datetime) -> None:
    """Book with a window of `seconds` to object from now on. Raises `InvalidValue` for another than `CHOICES`."""
    if seconds not in CHOICES:
        raise InvalidValue("veto", "seconds")
    if not Watch.objects.filter(pk=watch.pk, ended_at=None).update(veto_seconds=seconds):
        raise NotAllowed("this watch has ended")
    watch.veto_seconds = seconds


def wants_veto(booking: Booking) -> bool:
    """Whether the window of this booking is still to be opened: once, for what nobody chose by hand."""
    watch = booking.watch
    return (
        booking.state == S.RESERVED
        and booking.wish == Wish.BOOK
        and booking.mode == Watch.Mode.AUTO
        and booking.veto_until is None
        and watch is not None
        and watch.veto_seconds > 0
    )


def hold_for_veto(booking: Booking, *, now: datetime) -> bool:
    """Whether sending has to wait for the person's veto; opens the window if it was not open yet."""
    if not wants_veto(booking):
        if booking.veto_until is None or booking.veto_until > now:
            return booking.veto_until is not None
        with transaction.atomic():
            _tell(booking, booking.veto_until, "over", now=now)
        return False
    assert booking.watch is not None
    until = now + timedelta(seconds=booking.watch.veto_seconds)
    until = min(until, booking.answer_until or until)
    with transaction.atomic():
        opened = Booking.objects.filter(pk=booking.pk, state=S.RESERVED, wish=Wish.BOOK, veto_until=None)
        # The sweep sends it when it is due; half way the message is brought up to date.
        if opened.update(veto_until=until, retry_at=until, remind_at=now + (until - now) / 2):
            _tell(booking, until, "open", now=now)
    booking.refresh_from_db(fields=["veto_until", "retry_at", "remind_at", "wish"])
    return True


def stop_booking(booking: Booking, *, now: datetime) -> Booking:
    """The person objects but wants to think: it stays held, and they are asked as with any hold.

    Raises `NotAllowed` when it is too late. Giving it back altogether is `release_booking`.
    """
    window = Booking.objects.filter(pk=booking.pk, state=S.RESERVED, wish=Wish.BOOK, veto_until__gt=now)
    with transaction.atomic():
        held_for = (booking.answer_until or now) - now
        if not window.update(wish=Wish.ASK, veto_until=now, retry_at=None, remind_at=now + held_for / 2):
            raise NotAllowed(booking.state)
        booking.refresh_from_db()
        _tell(booking, now, "stopped", now=now)
    return booking


def remind_of_vetoes(*, now: datetime) -> int:
    """Bring the message of each running window up to date once, half way."""
    running = Booking.objects.filter(state=S.RESERVED, wish=Wish.BOOK, veto_until__gt=now, remind_at__lte=now)
    told = 0
    for booking in running.select_related("subscriber")[:BATCH]:
        with transaction.atomic():
            claimed = running.filter(pk=booking.pk, remind_at=booking.remind_at)
            if claimed.update(remind_at=None) and booking.veto_until is not None:
                _tell(booking, booking.veto_until, "half", now=now)
                told += 1
    return told


def _tell(booking: Booking, until: datetime, moment: str, *, now: datetime) -> None:
    """One living message: the window as it stands when it is shown."""
    enqueue(
        booking.subscriber,
        "veto",
        now=now,
        booking=booking,
        payload={"until": until.isoformat()},
        dedup_key=f"veto:{booking.pk}:{moment}",
        thread=f"booking:{booking.pk}",
        # The end of a window makes no sound of its own: what follows does.
        edits=moment != "open",
        priority=9,
    )
