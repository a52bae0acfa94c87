"""A look at the calendar because one person asks: for the times an appointment could be moved to.

Nobody watches the search of a confirmed appointment any more, so its free times are not known. A look is one sweep over
all offices and the details of the soonest days, through the gate like every call, and at most once a minute for each
search, however many people ask.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction

from appointments.models import Booking, Office, PollTarget
from appointments.models.watch import HORIZON
from appointments.selectors.moving import offices_to_look_at, stands
from appointments.selectors.watches import MUNICH
from appointments.services import leases
from appointments.services.desk import Desk
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.sightings import record_answer
from appointments.upstream.errors import UpstreamError
from appointments.upstream.types import Calendar, CallKind
from captcha.errors import CaptchaError

LOOK_EVERY = timedelta(minutes=1)
# The first call brings the times of one day; so many more days are asked for.
MORE_DAYS = 4
PACE = timedelta(seconds=1)


def ask_for_look(booking: Booking, *, now: datetime) -> bool:
    """Have somebody look for times to move `booking` to; news follow. False: a look was taken a moment ago."""
    with transaction.atomic():
        epoch = leases.take_lease(f"look:{booking.search_id}", LOOK_EVERY, now=now)
        if epoch is not None:
            queue_task("look_for_times", booking.pk)
    return epoch is not None


def look_for_times(booking: Booking, desk: Desk, sleep: Callable[[float], None]) -> int:
    """Look, write down what is free, and tell the person. Returns how many calls were answered.

    A refused or failed call is said as such: it never means that nothing is free.
    """
    answered, why = 0, ""
    if not stands(booking):
        return answered
    offices = offices_to_look_at(booking)
    for guarded in (False, True):
        group = [office for office in offices if office.captcha_required == guarded]
        if not group:
            continue
        try:
            answered += _look(booking, group, desk, sleep, guarded=guarded)
        except (UpstreamError, CaptchaError) as error:
            why = str(getattr(error, "code", type(error).__name__))
    now = desk.clock()
    with transaction.atomic():
        enqueue(
            booking.subscriber,
            "move_times",
            now=now,
            booking=booking,
            payload={"why": why},
            dedup_key=f"move_times:{booking.pk}:{int(now.timestamp())}",
            thread=f"move_times:{booking.pk}",
            priority=8,
        )
    return answered


def _look(
    booking: Booking, offices: Sequence[Office], desk: Desk, sleep: Callable[[float], None], *, guarded: bool
) -> int:
    numbers = [office.upstream_id for office in offices]

    def ask(day: date | None) -> Calendar:
        today = desk.clock().astimezone(MUNICH).date()
        first, last = (day, day) if day else (today, today + HORIZON)
        return desk.tokens.for_calendar(
            lambda token: desk.api.calendar(
                booking.search.services,
                numbers,
                first,
                last,
                day=day,
                captcha_token=token,
                kind=CallKind.DETAIL,
            ),
            needed=guarded,
        )

    overview = ask(None)
    if overview.slots_day is not None:
        _record(booking, overview, overview.slots_day, numbers, guarded, now=desk.clock())
    answered = 1
    others = [day.day for day in overview.days if day.day != overview.slots_day]
    for day in others[:MORE_DAYS]:
        sleep(PACE.total_seconds())
        _record(booking, ask(day), day, numbers, guarded, now=desk.clock())
        answered += 1
    return answered


def _record(
    booking: Booking, calendar: Calendar, day: date, numbers: Sequence[int], guarded: bool, *, now: datetime
) -> None:
    """Take the times of one day in. The plan of what watching asks is none of this look's business."""
    once = PollTarget(search=booking.search, guarded=guarded, kind=PollTarget.Kind.DETAIL, day=day)
    record_answer(once, calendar, numbers, now=now)
