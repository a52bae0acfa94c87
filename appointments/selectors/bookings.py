"""Questions about bookings: which ones stand, what a person holds now, what became of earlier ones."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from appointments.models import Booking, Office, Subscriber
from appointments.states import HOLDING, LIVE, BookingState


def _with_everything_shown() -> QuerySet[Booking]:
    return Booking.objects.select_related("subscriber", "office", "main_service", "search", "watch__search")


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
    given_back = Booking.objects.filter(
        subscriber__in=subscribers,
        search=search_id,
        state__in=(BookingState.CANCELLED, BookingState.LAPSED),
        reserved_at__isnull=False,
    ).values_list("subscriber_id", "office_id", "starts_at", "office__shared_booking_offices")
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
