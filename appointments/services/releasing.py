"""Giving back a hold or cancelling an appointment. Source: POST /cancel-appointment/."""

from datetime import timedelta

from django.db import transaction

from appointments.errors import StaleBooking
from appointments.models import Booking
from appointments.services.bookings import CALL_LEASE, advance
from appointments.services.desk import Desk
from appointments.services.following import tell_released
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
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
RETRY = timedelta(seconds=5)


def cancel_appointment(booking: Booking, desk: Desk) -> Booking:
    """Give the booking back to the city if that is wished. Run twice, it acts once.

    A dead key (406) means that an earlier attempt worked; a lost answer is settled by reading.
    """
    now = desk.clock()
    if booking.wish != Wish.RELEASE or booking.state not in RELEASABLE:
        return booking
    before = BookingState(booking.state)
    why = booking.reason or "person"
    had_appointment = booking.confirmed_at is not None
    try:
        advance(booking, S.CANCELLING, now=now, reason=why, lease_until=now + CALL_LEASE, follow_at=None)
    except StaleBooking:
        return booking
    try:
        desk.api.cancel(booking.key)
    except (AuthKeyMismatch, AppointmentNotFound):
        pass  # it is gone already, which is what was wished
    except OutcomeUnknown:
        with transaction.atomic():
            Booking.objects.filter(pk=booking.pk, state=S.CANCELLING).update(follow_at=desk.clock())
            queue_task("follow_booking", booking.pk)
        return booking
    except CannotBeCancelled as error:
        with transaction.atomic():
            advance(booking, before, now=desk.clock(), reason=error.code, wish=Wish.BOOK)
            enqueue(
                booking.subscriber,
                "booking_failed",
                now=desk.clock(),
                booking=booking,
                payload={"why": error.code},
                dedup_key=f"cancel_refused:{booking.pk}",
                priority=6,
            )
        return booking
    except UpstreamError as error:
        # Nothing has changed there; tried again until it lapses by itself. The reason of the wish is kept.
        retry_at = getattr(error, "retry_at", None) or desk.clock() + getattr(error, "retry_after", RETRY)
        advance(booking, before, now=desk.clock(), reason=why, retry_at=retry_at)
        return booking
    with transaction.atomic():
        advance(booking, S.CANCELLED, now=desk.clock(), reason=why, city_status="deleted", auth_key="")
        tell_released(booking, had_appointment=had_appointment, why=why, now=desk.clock())
    return booking
