"""Questions about bookings: which ones stand, what a person holds now, what became of earlier ones."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from appointments.models import Booking, Office, Subscriber
from appointments.states import HOLDING, LIVE, BookingState
from appointments.upstream.errors import ERROR_BY_CODE, NOTHING_FREE_CODES, SlotTaken

# What the city says when somebody else was faster, and our word for a loss without one.
LOST_RACES = frozenset(
    {"taken", *NOTHING_FREE_CODES, *(c for c, error in ERROR_BY_CODE.items() if error is SlotTaken)}
)
# Seen gone before the city was asked: lost as well, without a call.
GONE = "gone"
# Why a hold ended when its person let it go.
LET_GO = ("silence", "person")

# Given back only because the city's mail went to a wrong address: the time is still wanted.
OTHER_ADDRESS = "other_address"


def _with_everything_shown() -> QuerySet[Booking]:
    return Booking.objects.select_related(
        "subscriber", "profile", "office", "main_service", "search", "watch__search", "replaces"
    )


def live_bookings_of(subscriber: Subscriber) -> list[Booking]:
    """Bookings of a person that still stand, in whatever state, soonest appointment first."""
    return list(
        _with_everything_shown()
        .filter(subscriber=subscriber, state__in=sorted(LIVE), ended_at=None)
        .order_by("starts_at", "pk")
    )


def held_booking_of(subscriber: Subscriber) -> Booking | None:
    """The one place a person occupies, or may occupy, that is not an appointment yet; None if there is none.

    A hold that is being given back counts until the city has taken it back.
    """
    holding = Q(state__in=sorted(HOLDING)) | Q(state=BookingState.CANCELLING, confirmed_at=None)
    return _with_everything_shown().filter(holding, subscriber=subscriber).first()


def booking_of(subscriber: Subscriber, booking_id: int) -> Booking | None:
    """The booking with this number if it belongs to `subscriber`; buttons carry numbers anybody could make up."""
    return _with_everything_shown().filter(subscriber=subscriber, pk=booking_id).first()


def given_back_starts(subscribers: Iterable[int], search_id: int) -> set[tuple[int, int, datetime]]:
    """(person, office, start) of slots that these people held for this search and gave back or let lapse.

    What somebody did not want once is not held for them again: no hold is extended by holding anew. Offices that are
    booked as one count as one: the same time may come back at the other.
    """
    given_back = (
        Booking.objects.filter(
            subscriber__in=subscribers,
            search=search_id,
            state__in=(BookingState.CANCELLED, BookingState.LAPSED),
            reserved_at__isnull=False,
        )
        .exclude(reason=OTHER_ADDRESS)
        .values_list("subscriber_id", "office_id", "starts_at", "office__shared_booking_offices")
    )
    starts = {(person, office, at) for person, office, at, _pool in given_back}
    pooled = [(person, at, pool) for person, _office, at, pool in given_back if pool]
    if pooled:
        numbers = {number for _person, _at, pool in pooled for number in pool}
        offices = dict(Office.objects.filter(upstream_id__in=numbers).values_list("upstream_id", "pk"))
        starts |= {
            (person, offices[number], at)
            for person, at, pool in pooled
            for number in pool
            if number in offices
        }
    return starts


def unkept_holds(*, since: datetime, subscriber: Subscriber | None = None) -> dict[int, int]:
    """Person -> how many holds they let go since then: given back, no answer, or the mailed link never opened."""
    let_go = Q(state=BookingState.CANCELLED, reason__in=LET_GO) | Q(
        state=BookingState.LAPSED, city_status="preconfirmed"
    )
    found = Booking.objects.filter(
        let_go, reserved_at__gt=since - timedelta(days=1), ended_at__gt=since, confirmed_at=None
    )
    if subscriber is not None:
        found = found.filter(subscriber=subscriber)
    rows = found.order_by().values("subscriber").annotate(n=Count("pk"))
    return {row["subscriber"]: row["n"] for row in rows}


def holds_of(*, since: datetime, subscriber: Subscriber | None = None) -> dict[int, int]:
    """Person -> how many times the city held something for them since then, whatever became of it."""
    found = Booking.objects.filter(reserved_at__gt=since)
    if subscriber is not None:
        found = found.filter(subscriber=subscriber)
    rows = found.order_by().values("subscriber").annotate(n=Count("pk"))
    return {row["subscriber"]: row["n"] for row in rows}


def ends_quietly(booking: Booking) -> bool:
    """Whether no message tells that this attempt has ended.

    Given back before the city was asked: the button's own answer said so. Failed: it was for a place only hoped for, of
    which its person never knew, or it never began and the same person's next attempt took its place. What was made on
    the city's page never was an attempt of ours; a slot seen gone is told even if another one is tried.
    """
    if booking.state == BookingState.CANCELLED:
        return booking.attempts == 0 and booking.swap_to_id is None and not booking.imported
    if booking.state != BookingState.FAILED:
        return False
    never_begun = booking.attempts == 0 and booking.reason != GONE
    return bool(booking.turn.get("probe")) or (
        never_begun and Booking.objects.filter(previous=booking).exists()
    )
