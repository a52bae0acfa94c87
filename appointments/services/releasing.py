"""Giving back a hold or cancelling an appointment. Source: POST /cancel-appointment/."""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.errors import StaleBooking
from appointments.models import Booking
from appointments.selectors.bookings import OTHER_ADDRESS
from appointments.services.bookings import CALL_LEASE, advance, tell_released
from appointments.services.desk import Desk
from appointments.services.following import take_word
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.replaced import has_gone, may_go
from appointments.services.sending import lapse
from appointments.services.targets import after_the_next_minute_jobs, look_soon
from appointments.states import BookingState
from appointments.upstream.errors import (
    AppointmentNotFound,
    AuthKeyMismatch,
    CannotBeCancelled,
    OutcomeUnknown,
    UpstreamError,
)

S = BookingState
Wish = Booking.Wish
RELEASABLE = (S.RESERVED, S.PRECONFIRMED, S.CONFIRMED)
RETRY, LONGEST_RETRY = timedelta(seconds=5), timedelta(minutes=5)


def cancel_appointment(booking: Booking, desk: Desk) -> Booking:
    """Give the booking back to the city if that is wished. Run twice, it acts once.

    A dead key (406) means that an earlier attempt worked; a lost answer is settled by reading.
    """
    now = desk.clock()
    if booking.wish != Wish.RELEASE or booking.state not in RELEASABLE:
        return booking
    if not may_go(booking, desk):
        booking.refresh_from_db()
        return booking
    before = BookingState(booking.state)
    why = booking.reason or "person"
    if why == OTHER_ADDRESS and before == S.PRECONFIRMED and not _still_unopened(booking, desk):
        return booking
    had_appointment = booking.confirmed_at is not None
    try:
        advance(booking, S.CANCELLING, now=now, reason=why, lease_until=now + CALL_LEASE, follow_at=None)
    except StaleBooking:
        return booking
    try:
        return _cancel(booking, before, desk, why=why, had_appointment=had_appointment)
    except StaleBooking:
        # The sweep took this worker for dead, and reading has settled it meanwhile.
        booking.refresh_from_db()
        return booking


def _still_unopened(booking: Booking, desk: Desk) -> bool:
    """Whether the city still waits for the link. If it was opened after all, the appointment stands and is told.

    A place is given back for another address only where nothing is lost by it. Unread is looked at again.
    """
    try:
        appointment = desk.api.appointment(booking.key)
    except (AuthKeyMismatch, AppointmentNotFound):
        return True
    except UpstreamError as error:
        pause = desk.clock() + getattr(error, "retry_after", RETRY)
        retry_at = getattr(error, "retry_at", None) or pause
        Booking.objects.filter(pk=booking.pk, state=booking.state).update(retry_at=retry_at)
        booking.refresh_from_db()
        return False
    if appointment.status != "confirmed":
        return True
    Booking.objects.filter(pk=booking.pk, state=booking.state, reason=OTHER_ADDRESS).update(
        wish=Wish.BOOK, reason="", swap_to=None
    )
    take_word(booking, appointment, now=desk.clock())
    return False


def _cancel(
    booking: Booking, before: BookingState, desk: Desk, *, why: str, had_appointment: bool
) -> Booking:
    try:
        desk.api.cancel(booking.key)
    except (AuthKeyMismatch, AppointmentNotFound):
        now = desk.clock()
        # It is gone already, which is what was wished. But of a hold that lapsed while nobody could give it back
        # we do not say that we did.
        if before == S.RESERVED and why == "silence" and (booking.held_until or now) <= now:
            return lapse(booking, "overdue", now=now)
    except OutcomeUnknown:
        with transaction.atomic():
            Booking.objects.filter(pk=booking.pk, state=S.CANCELLING).update(follow_at=desk.clock())
            queue_task("follow_booking", booking.pk)
        return booking
    except CannotBeCancelled as error:
        return _too_late(booking, before, error, now=desk.clock())
    except UpstreamError as error:
        # Nothing has changed there; tried again, more and more rarely, until it lapses by itself.
        tries = booking.events.filter(state=S.CANCELLING).count()
        pause = min(LONGEST_RETRY, RETRY * 2 ** min(tries - 1, 10))
        retry_at = getattr(error, "retry_at", None) or desk.clock() + getattr(error, "retry_after", pause)
        return advance(booking, before, now=desk.clock(), reason=error.code, retry_at=retry_at)
    with transaction.atomic():
        advance(booking, S.CANCELLED, now=desk.clock(), reason=why, city_status="deleted", auth_key="")
        if has_gone(booking, now=desk.clock()):
            return booking
        tell_released(booking, had_appointment=had_appointment, why=why, now=desk.clock())
        look_soon(booking, at=after_the_next_minute_jobs(desk.clock()))
    return booking


def _too_late(booking: Booking, before: BookingState, error: CannotBeCancelled, *, now: datetime) -> Booking:
    """Its time has come. A hold lapses by itself; an appointment stands, and the person is told so."""
    with transaction.atomic():
        if before == S.RESERVED:
            advance(booking, S.LAPSED, now=now, reason=error.code)
            tell_released(booking, had_appointment=False, why=error.code, now=now)
            return booking
        follow_at = now if before == S.PRECONFIRMED else None
        advance(booking, before, now=now, reason=error.code, wish=Wish.BOOK, follow_at=follow_at)
        enqueue(
            booking.subscriber,
            "booking_failed",
            now=now,
            booking=booking,
            payload={"why": error.code},
            dedup_key=f"cancel_refused:{booking.pk}",
            priority=6,
        )
    return booking
