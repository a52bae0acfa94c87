"""Around the visit: reminders before a confirmed appointment."""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.models import Booking
from appointments.selectors.watches import MUNICH
from appointments.services.outbox import enqueue
from appointments.states import BookingState

EVENING_BEFORE = 18
HOURS_BEFORE = timedelta(hours=2)
# A reminder that was missed (everything was off) is still told within this time, later ones are not.
STILL_USEFUL = timedelta(hours=1)
BATCH = 200


def reminders_of(starts_at: datetime) -> list[tuple[datetime, str]]:
    """When to remind, and with which message: 18:00 in Munich the day before, and two hours before."""
    evening = starts_at.astimezone(MUNICH) - timedelta(days=1)
    evening = evening.replace(hour=EVENING_BEFORE, minute=0, second=0, microsecond=0)
    return [(evening, "reminder_day"), (starts_at - HOURS_BEFORE, "reminder_hours")]


def next_reminder(starts_at: datetime, *, now: datetime) -> datetime | None:
    """The next moment to remind, or None when all have passed."""
    return min((at for at, _kind in reminders_of(starts_at) if at > now), default=None)


def remind_of_visits(*, now: datetime) -> int:
    """Remind people whose appointment comes near; each reminder once. Returns how many were written."""
    due = Booking.objects.filter(state=BookingState.CONFIRMED, ended_at=None, remind_at__lte=now)
    written = 0
    for booking in due.select_related("subscriber")[:BATCH]:
        kinds = [kind for at, kind in reminders_of(booking.starts_at) if now - STILL_USEFUL <= at <= now]
        with transaction.atomic():
            claimed = Booking.objects.filter(pk=booking.pk, remind_at=booking.remind_at)
            if not claimed.update(remind_at=next_reminder(booking.starts_at, now=now)):
                continue
            if kinds and booking.wish != Booking.Wish.RELEASE:
                enqueue(
                    booking.subscriber,
                    kinds[-1],
                    now=now,
                    booking=booking,
                    dedup_key=f"{kinds[-1]}:{booking.pk}",
                    priority=3,
                )
                written += 1
    return written
