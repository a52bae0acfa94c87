"""Who may begin a booking: one place per person, one live booking per person and service."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from appointments.errors import AlreadyBooked, AlreadyHolding, NotAllowed, SlotGone
from appointments.models import Booking, Office
from appointments.services.bookings import release_booking, request_booking
from appointments.services.subscribers import pause_subscriber
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, person, requested
from tests.conftest import PASING
from tests.conftest import Office as Domain
from tests.factories import SearchFactory, ServiceFactory, SlotFactory


def test_one_person_holds_one_place(office: Domain) -> None:
    who = person(office)
    requested(office, who=who)
    other = SlotFactory(
        search=SearchFactory(main_service=ServiceFactory()),
        office=Office.objects.get(upstream_id=PASING),
        starts_at=THURSDAY_9,
        now=office.now(),
    )

    with pytest.raises(AlreadyHolding):
        request_booking(who, other, mode="hold", watch=None, now=office.now())


def test_one_person_books_one_service_once(office: Domain) -> None:
    who = person(office)
    confirmed(office, who=who)
    slot = known_slot(office, THURSDAY_9 + timedelta(hours=2))

    with pytest.raises(AlreadyBooked):
        request_booking(who, slot, mode="hold", watch=None, now=office.now())


def test_an_appointment_whose_time_is_over_makes_room_for_the_next(office: Domain) -> None:
    who = person(office)
    booking = confirmed(office, who=who)

    office.munich.clock.advance(THURSDAY_9 - office.now())
    office.sweep()
    booking.refresh_from_db()
    slot = known_slot(office, THURSDAY_9 + timedelta(days=7))
    second = request_booking(who, slot, mode="hold", watch=None, now=office.now())
    office.work()

    second.refresh_from_db()
    assert (booking.state, booking.is_live, second.state) == (S.CONFIRMED, False, S.RESERVED)
    with pytest.raises(NotAllowed):
        release_booking(booking, now=office.now())


def test_a_slot_that_is_gone_or_past_is_refused(office: Domain) -> None:
    slot = known_slot(office)
    gone = SlotFactory(search=slot.search, office=slot.office, now=office.now(), gone=True)

    with pytest.raises(SlotGone):
        request_booking(person(office), gone, mode="hold", watch=None, now=office.now())
    with pytest.raises(SlotGone):
        request_booking(person(office), slot, mode="hold", watch=None, now=THURSDAY_9)


def test_who_has_not_agreed_or_is_paused_books_nothing(office: Domain) -> None:
    slot = known_slot(office)
    paused = person(office)
    pause_subscriber(paused, "staff", now=office.now())

    for who in (person(office, new=True), paused):
        with pytest.raises(NotAllowed):
            request_booking(who, slot, mode="hold", watch=None, now=office.now())
    assert not Booking.objects.exists()


def test_the_database_itself_refuses_a_second_hold(office: Domain) -> None:
    booking = requested(office)
    copy = {
        field.name: getattr(booking, field.name)
        for field in Booking._meta.fields
        if field.name not in ("id", "previous")
    }

    with pytest.raises(IntegrityError), transaction.atomic():
        Booking.objects.create(**copy)
