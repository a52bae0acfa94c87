"""How much one person may have held: so many a day, and a pause for those who let hold after hold go.

Every hold keeps a place from somebody else. Who is paused is told once, and is still told about free times.
"""

from datetime import datetime, timedelta

from django.conf import settings

from appointments.errors import HoldsPaused
from appointments.models import Booking, Subscriber
from appointments.selectors.bookings import LET_GO, holds_of, unkept_holds
from appointments.services.outbox import enqueue
from appointments.states import BookingState

A_DAY = timedelta(days=1)
# Holds let go are remembered for so long.
REMEMBERED = timedelta(days=14)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=12), timedelta(days=7)


def may_hold(person: Subscriber, *, now: datetime) -> None:
    """Raises `HoldsPaused` while nothing may be held for this person."""
    if person.holds_paused_until is not None and person.holds_paused_until > now:
        raise HoldsPaused(person.holds_paused_until)
    if holds_of(since=now - A_DAY, subscriber=person).get(person.pk, 0) >= settings.HOLDS_PER_DAY:
        raise HoldsPaused(free_again_at(person, now=now))


def people_at_their_limit(*, now: datetime) -> set[int]:
    """Everybody who has had as many slots held within a day as one person may have."""
    return {person for person, n in holds_of(since=now - A_DAY).items() if n >= settings.HOLDS_PER_DAY}


def free_again_at(person: Subscriber, *, now: datetime) -> datetime:
    """When the oldest of the holds that fill the day is a day old."""
    held = Booking.objects.filter(subscriber=person, reserved_at__gt=now - A_DAY)
    latest = held.order_by("-reserved_at").values_list("reserved_at", flat=True)[: settings.HOLDS_PER_DAY]
    return min((at for at in latest if at is not None), default=now) + A_DAY


def note_let_go(booking: Booking, *, now: datetime) -> None:
    """A hold is over. If its person let it go, and that happens too often, nothing is held for them for a while.

    In the transaction that ended the booking, so it counts once. Every further time the pause is twice as long.
    """
    given_back = booking.state == BookingState.CANCELLED and booking.reason in LET_GO
    mail_unopened = booking.state == BookingState.LAPSED and booking.city_status == "preconfirmed"
    if booking.reserved_at is None or booking.confirmed_at is not None or not (given_back or mail_unopened):
        return
    person = booking.subscriber
    unkept = unkept_holds(since=now - REMEMBERED, subscriber=person).get(person.pk, 0)
    most = max(1, settings.UNKEPT_HOLDS)
    if not unkept or unkept % most:
        return
    until = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(unkept // most - 1, 10))
    Subscriber.objects.filter(pk=person.pk).update(holds_paused_until=until)
    person.holds_paused_until = until
    enqueue(
        person,
        "holds_paused",
        now=now,
        payload={"unkept": unkept, "until": until.isoformat()},
        dedup_key=f"holds_paused:{booking.pk}",
        priority=5,
    )


def lift_pause(person: Subscriber, *, now: datetime) -> None:
    """Staff let a person have slots held again at once."""
    Subscriber.objects.filter(pk=person.pk, holds_paused_until__gt=now).update(holds_paused_until=now)
    person.refresh_from_db(fields=["holds_paused_until"])


def tell_limit_of_day(person: Subscriber, *, now: datetime) -> None:
    """Say once that the day's holds are used up and that free times are still told."""
    until = free_again_at(person, now=now)
    enqueue(
        person,
        "holds_paused",
        now=now,
        payload={"unkept": 0, "until": until.isoformat()},
        dedup_key=f"holds_of_day:{person.pk}:{until:%Y%m%d}",
        priority=5,
    )
