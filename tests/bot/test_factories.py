"""The factories make rows that the database's rules accept."""

import pytest

from appointments.models import Booking, WatchOffice
from appointments.states import BookingState
from tests.factories import (
    BookingFactory,
    ChatFactory,
    OfficeFactory,
    OutboxMessageFactory,
    ServiceFactory,
    SlotFactory,
    SubscriberFactory,
    WatchFactory,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [state.value for state in BookingState if state != "requested"])
def test_a_booking_can_be_made_in_every_state(state: str) -> None:
    booking = BookingFactory(**{state: True})

    assert Booking.objects.get(pk=booking.pk).state == state


def test_a_booking_takes_search_office_and_time_from_its_slot() -> None:
    slot = SlotFactory()

    booking = BookingFactory(slot=slot)

    assert (booking.search, booking.office, booking.starts_at) == (slot.search, slot.office, slot.starts_at)


def test_a_watch_for_any_office_is_spread_over_all_that_offer_its_service() -> None:
    offices = OfficeFactory.create_batch(2)
    service = ServiceFactory(offices=offices)

    watch = WatchFactory(search__main_service=service)

    assert {line.office for line in WatchOffice.objects.filter(watch=watch)} == set(offices)


def test_the_other_factories_make_valid_rows() -> None:
    for made in (
        ChatFactory(),
        ChatFactory(new=True),
        OutboxMessageFactory(sent=True),
        SubscriberFactory(known=True),
    ):
        made.refresh_from_db()
        assert made.pk
