"""Around the visit: reminders before a confirmed appointment, and one question after it."""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.models import Booking
from appointments.selectors.watches import MUNICH
from appointments.services.outbox import enqueue
from appointments.states import BookingState

EVENING_BEFORE = 18
HOURS_BEFORE = timedelta(hours=2)
# People are asked how it went when it is surely over, and not in the evening.
HOURS_AFTER, LATEST_HOUR_AFTER, MORNING_AFTER = timedelta(hours=3), 20, 9
# What was missed (everything was off) is still told within this time, later not.
STILL_USEFUL = {
    "reminder_day": timedelta(hours=1),
    "reminder_hours": timedelta(hours=1),
    "visit_over": timedelta(hours=24),
}
BATCH = 200


def reminders_of(starts_at: datetime) -> list[tuple[datetime, str]]:
    """When to say something, and with which message, all on Munich's clock.

    18:00 the day before; two hours before; three hours after, or at nine the next morning where that is late.
    """
    local = starts_at.astimezone(MUNICH)
    evening = (local - timedelta(days=1)).replace(hour=EVENING_BEFORE, minute=0, second=0, microsecond=0)
    after = (starts_at + HOURS_AFTER).astimezone(MUNICH)
    if after.date() != local.date() or after.hour >= LATEST_HOUR_AFTER:
        after = (local + timedelta(days=1)).replace(hour=MORNING_AFTER, minute=0, second=0, microsecond=0)
    return [
        (evening, "reminder_day"),
        (starts_at - HOURS_BEFORE, "reminder_hours"),
        (after, "visit_over"),
    ]


def next_reminder(starts_at: datetime, *, now: datetime) -> datetime | None:
    """The next moment to remind, or None when all have passed."""
    return min((at for at, _kind in reminders_of(starts_at) if at > now), default=None)


def remind_of_visits(*, now: datetime) -> int:
    """Remind people whose appointment comes near or is over; each once. Returns how many messages were written."""
    due = Booking.objects.filter(state=BookingState.CONFIRMED, remind_at__lte=now)
    written = 0
    for booking in due.select_related("subscriber")[:BATCH]:
        kinds = [
            kind for at, kind in reminders_of(booking.starts_at) if now - STILL_USEFUL[kind] <= at <= now
        ]
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
