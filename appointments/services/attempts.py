"""Attempts that wait too long, and places whose next in turn has not been asked yet.

An attempt that never began goes back into the turn when its burst is over; one that cannot be made for minutes ends,
and its person is told so.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from appointments.errors import StaleBooking
from appointments.models import Booking, Search, Slot
from appointments.services.bookings import LOADED, advance, tell_released
from appointments.services.matching import serve_waiting
from appointments.services.outbox import enqueue
from appointments.services.places import owe_turn
from appointments.services.turns import BURST, NEVER_BEGUN
from appointments.services.vetoes import remind_of_vetoes
from appointments.states import BookingState
from captcha.errors import HumanNeeded

S = BookingState
# An attempt that the city could not be asked for so long, for whatever reason, is over.
LONGEST_WAIT = timedelta(minutes=5)
# A debt that the worker has not paid after so long is the sweep's.
FORGOTTEN = timedelta(seconds=3)
BATCH = 100
NOT_ASKED = "notAsked"


def too_late(booking: Booking, *, now: datetime) -> str | None:
    """Why a wanted booking is not to be tried any more, or None.

    One that waits for its person to solve a captcha has a longer time of its own (`verification.ask_person`).
    """
    if booking.reason == HumanNeeded.code:
        return None
    if booking.created_at <= now - LONGEST_WAIT:
        return NOT_ASKED
    if booking.turn and not booking.attempts and booking.created_at <= now - BURST:
        return NEVER_BEGUN
    return None


def is_gone(booking: Booking) -> bool:
    """Whether the slot has been seen gone since it was wanted."""
    gone = Slot.objects.filter(
        search=booking.search_id,
        office=booking.office_id,
        starts_at=booking.starts_at,
        gone_at__gte=booking.created_at,
    )
    return gone.exists()


def give_up_waiting(booking: Booking, why: str, *, now: datetime) -> Booking:
    """End an attempt that could not be made in time; its person's turn comes anew at once.

    Who gets another attempt is not bothered; who does not, and everybody who chose the slot by hand, is told that
    nothing was reserved. Raises `StaleBooking` when a worker has just begun it.
    """
    with transaction.atomic():
        advance(booking, S.FAILED, now=now, reason=why)
        if booking.swap_to_id is not None or booking.wish == Booking.Wish.RELEASE:
            owe_turn(booking.search_id, now=now)
            tell_released(booking, had_appointment=False, why=booking.reason, now=now)
            return booking
        again = serve_waiting(booking.search, now=now, after=booking).get(booking.subscriber_id)
        if again is None:
            tell_failed(booking, NOT_ASKED, now=now)
    return booking


def tell_failed(booking: Booking, code: str, *, now: datetime) -> None:
    """Say that nothing could be reserved; `code` is the city's errorCode or our word for why."""
    enqueue(
        booking.subscriber,
        "booking_failed",
        now=now,
        booking=booking,
        watch=booking.watch,
        payload={"why": code},
        dedup_key=f"booking_failed:{booking.pk}",
        priority=6,
    )


def pay_turn(search: Search, *, now: datetime) -> int:
    """Serve whoever is next if somebody is owed a look. Returns how many attempts began."""
    if not Search.objects.filter(pk=search.pk, serve_at__lte=now).exists():
        return 0
    return len(serve_waiting(search, now=now))


def sweep_attempts(*, now: datetime) -> dict[str, int]:
    """What the workers have left behind: attempts out of time, turns not paid, windows to object."""
    return {
        "out_of_time": _out_of_time(now),
        "turns": _unpaid_turns(now),
        "vetoes": remind_of_vetoes(now=now),
    }


def _out_of_time(now: datetime) -> int:
    never_begun = Q(attempts=0, created_at__lte=now - BURST) & ~Q(turn={})
    waiting = Booking.objects.filter(
        never_begun | Q(created_at__lte=now - LONGEST_WAIT), state=S.REQUESTED
    ).select_related(*LOADED)
    ended = 0
    for booking in waiting.order_by("pk")[:BATCH]:
        why = too_late(booking, now=now)
        if why is None:
            continue
        try:
            give_up_waiting(booking, why, now=now)
        except StaleBooking:
            continue
        ended += 1
    return ended


def _unpaid_turns(now: datetime) -> int:
    begun = 0
    for search in Search.objects.filter(serve_at__lte=now - FORGOTTEN).order_by("serve_at")[:BATCH]:
        begun += len(serve_waiting(search, now=now))
    return begun
