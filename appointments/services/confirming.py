"""Once the city says "confirmed", by whichever way: the appointment stands, and what follows from that."""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.models import Booking, Watch
from appointments.services.bookings import advance_after_call
from appointments.services.improving import improve_from_now_on
from appointments.services.names import note_name_used
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.replaced import take_place
from appointments.services.visits import next_reminder
from appointments.services.watch_states import end_watch
from appointments.states import BookingState
from appointments.upstream import types

# People also cancel on the city's own page: a look a day notices it before the reminder does.
CONFIRMED_LOOK = timedelta(days=1)


def record_confirmation(booking: Booking, appointment: types.Appointment, *, now: datetime) -> Booking:
    """Write down that the city has confirmed `booking`, and say so; the place it takes comes free from now on.

    Raises `StaleBooking` when somebody else has settled it meanwhile.
    """
    with transaction.atomic():
        advance_after_call(
            booking,
            BookingState.CONFIRMED,
            now=now,
            city_status="confirmed",
            confirmed_at=booking.confirmed_at or now,
            display_number=(appointment.display_number or booking.display_number)[:50],
            follow_at=now + CONFIRMED_LOOK,
            remind_at=next_reminder(booking.starts_at, now=now),
        )
        note_name_used(booking, now=now)
        if booking.wish == Booking.Wish.RELEASE:
            queue_task("cancel_appointment", booking.pk)
            return booking
        if booking.replaces is not None:
            take_place(booking, now=now)
            return booking
        enqueue(
            booking.subscriber,
            "appointment_confirmed",
            now=now,
            booking=booking,
            dedup_key=f"appointment_confirmed:{booking.pk}",
            priority=9,
        )
        if booking.watch is not None and not improve_from_now_on(booking.watch, booking, now=now):
            end_watch(booking.watch, Watch.State.FULFILLED, now=now)
    return booking
