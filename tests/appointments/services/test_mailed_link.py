"""The link the city mails, once and to one address: reminders, a wrong address, the limit per address."""

from datetime import UTC, datetime, timedelta

import pytest

from appointments.errors import MailLimitReached, NotAllowed, SlotGone
from appointments.models import Booking, Service, Slot, Watch
from appointments.models import Office as OfficeRow
from appointments.services.bookings import look_again, release_booking, request_booking, take_anew
from appointments.services.contact import mail_limit_reached
from appointments.services.sending import next_mail_reminder
from appointments.services.subscribers import save_contact
from appointments.states import BookingState as S
from appointments.upstream.errors import NotReservedAnymore
from appointments.upstream.types import Contact, ServiceCount
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    known_slot,
    preconfirmed,
    reserved,
    settle,
)
from tests.conftest import PASING, RUPPERT
from tests.conftest import Office as Domain
from tests.factories import ProfileFactory, SlotFactory

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)


def addresses(office: Domain) -> list[str]:
    """To whom the city has mailed links, in order."""
    office.advance(seconds=2)
    return [mail.to for mail in office.munich.mails if mail.kind == "activation"]


# What the city does


def test_the_city_mails_the_link_once_to_the_address_of_that_moment(office: Domain) -> None:
    booking = preconfirmed(office)
    other = Contact(family_name="Ada Lovelace", email="other@example.org")

    changed = office.desk.api.update(booking.key, other)
    with pytest.raises(NotReservedAnymore):
        office.desk.api.preconfirm(booking.key)

    assert changed.status == "preconfirmed"
    assert addresses(office) == [booking.email]


# A wrong address


def test_another_place_at_the_same_time_gets_the_link_at_the_right_address(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open(THURSDAY_9)
    slot = Slot.objects.get()
    save_contact(booking.subscriber, email="right@example.org", now=office.now())

    take_anew(booking, slot, now=office.now())
    office.work()

    again = Booking.objects.get(previous=booking)
    booking.refresh_from_db()
    assert (booking.state, again.state, again.starts_at) == (S.CANCELLED, S.PRECONFIRMED, THURSDAY_9)
    assert addresses(office)[-1] == "right@example.org"
    assert at_the_city(office) == ["deleted", "preconfirmed"]


def test_the_time_given_back_for_another_address_is_taken_when_it_comes_free(office: Domain) -> None:
    office.watch(mode="auto")
    office.open(THURSDAY_9)
    office.look()
    booking = office.booking()
    assert booking.state == S.PRECONFIRMED
    save_contact(booking.subscriber, email="right@example.org", now=office.now())

    take_anew(booking, None, now=office.now())
    office.work()
    office.advance(seconds=100)
    office.look(10)
    office.advance(minutes=17)
    office.look(20)

    again = office.booking()
    assert again.pk != booking.pk
    assert (again.starts_at, again.state) == (THURSDAY_9, S.PRECONFIRMED)
    assert addresses(office)[-1] == "right@example.org"


def test_what_was_given_back_for_any_other_reason_is_not_taken_again(office: Domain) -> None:
    office.watch(mode="auto")
    office.open(THURSDAY_9)
    office.look()
    release_booking(office.booking(), now=office.now())
    office.work()

    office.advance(seconds=100)
    office.look(10)
    office.advance(minutes=17)
    office.look(20)

    assert Booking.objects.count() == 1


def test_a_link_that_was_opened_after_all_is_not_lost_by_correcting_the_address(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.open_mailed_link()
    slot = SlotFactory(
        search=booking.search,
        office=booking.office,
        starts_at=THURSDAY_9 + timedelta(hours=1),
        now=office.now(),
    )

    take_anew(booking, slot, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.wish, booking.swap_to) == (S.CONFIRMED, "book", None)
    assert at_the_city(office) == ["confirmed"]
    assert Booking.objects.count() == 1
    assert office.mailman.kinds()[-1] == "appointment_confirmed"


def test_nothing_is_given_back_for_another_address_before_the_city_was_read(office: Domain) -> None:
    booking = preconfirmed(office)
    office.munich.faults.add("maintenance", 1, ["appointment"])

    take_anew(booking, None, now=office.now())
    office.work()
    booking.refresh_from_db()
    first = (booking.state, at_the_city(office))
    settle(office, booking, minutes=2)

    assert first == (S.PRECONFIRMED, ["preconfirmed"])
    assert booking.state == S.CANCELLED


@pytest.mark.parametrize("make", [reserved, confirmed])
def test_only_what_waits_for_its_link_is_taken_anew(office: Domain, make) -> None:  # type: ignore[no-untyped-def]
    booking = make(office)

    with pytest.raises(NotAllowed):
        take_anew(booking, None, now=office.now())

    booking.refresh_from_db()
    assert booking.wish != Booking.Wish.RELEASE


def test_a_time_that_is_gone_is_not_taken_anew_and_nothing_is_given_back(office: Domain) -> None:
    booking = preconfirmed(office)
    slot = Slot.objects.get()
    slot.gone_at = office.now()

    with pytest.raises(SlotGone):
        take_anew(booking, slot, now=office.now())

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK


# Reminders


@pytest.mark.parametrize(
    ("minutes", "moments"),
    [
        (3, []),
        (8, [4]),
        (15, [7.5]),
        (20, [10]),
        (25, [15]),
        (30, [15, 20]),
        (60, [30, 50]),
    ],
)
def test_reminders_of_the_link_leave_time_and_do_not_nag(minutes: int, moments: list[float]) -> None:
    until = NOON + timedelta(minutes=minutes)
    found, now = [], NOON
    while (at := next_mail_reminder(NOON, until, now=now)) is not None:
        found.append((at - NOON).total_seconds() / 60)
        now = at

    assert found == moments


def test_who_opened_the_link_is_not_reminded(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    look_again(booking, now=office.now())
    office.work()

    settle(office, booking, minutes=booking.office.activation_minutes or 30, step=60)

    assert "activation_ending" not in office.mailman.kinds()
    assert booking.state == S.CONFIRMED


# The limit per address, foreseen


def limited(office: Domain, at: int = RUPPERT, most: int = 1) -> OfficeRow:
    row = OfficeRow.objects.get(upstream_id=at)
    row.appointments_per_mail = most
    row.save()
    return row


def other_service(office: Domain, at: int = RUPPERT) -> int:
    """Another service of the office, so that the limit alone is in the way."""
    known = office.munich.catalogue
    return next(s for s in known.services if s != 1063475 and known.offers(at, [s]))


def another_service_than(own: Booking) -> Service:
    """A service that leaves the limit alone in the way."""
    return Service.objects.exclude(pk=own.main_service_id)[0]


def test_what_must_fail_at_the_city_is_not_held(office: Domain) -> None:
    own = confirmed(office)
    limited(office)
    service = other_service(office)
    slot = known_slot(office, THURSDAY_9 + timedelta(hours=1), service=service)
    asked = calls_of(office, "reserve-appointment")

    with pytest.raises(MailLimitReached) as refused:
        request_booking(own.subscriber, slot, mode="hold", watch=None, now=office.now())

    assert refused.value.booking_id == own.pk
    office.work()
    assert calls_of(office, "reserve-appointment") == asked


def test_below_the_limit_at_another_office_or_with_another_address_it_is_held(office: Domain) -> None:
    own = confirmed(office)
    who, row = own.subscriber, limited(office)
    elsewhere = limited(office, PASING)

    assert mail_limit_reached(who, None, row) == own
    assert mail_limit_reached(who, None, elsewhere) is None
    row.appointments_per_mail = 2
    assert mail_limit_reached(who, None, row) is None
    row.appointments_per_mail = 1
    own_address = ProfileFactory(subscriber=who, email="anne@example.org", now=office.now())
    borrowed = ProfileFactory(subscriber=who, now=office.now())
    assert mail_limit_reached(who, own_address, row) is None
    assert mail_limit_reached(who, borrowed, row) == own
    save_contact(who, email="new@example.org", now=office.now())
    assert mail_limit_reached(who, None, row) is None


def test_an_appointment_that_is_over_does_not_count(office: Domain) -> None:
    own = confirmed(office)
    row = limited(office)
    Booking.objects.filter(pk=own.pk).update(ended_at=office.now())

    assert mail_limit_reached(own.subscriber, None, row) is None


def test_a_search_stopped_by_the_limit_is_told_once(office: Domain) -> None:
    own = confirmed(office)
    limited(office)
    service = other_service(office)
    office.watch(subscriber=own.subscriber, mode="auto", services=(ServiceCount(service, 1),))

    for hours in (1, 2):
        office.open(THURSDAY_9 + timedelta(hours=hours), service=service)
        office.advance(seconds=100)
        office.look()

    assert office.mailman.kinds().count("mail_limit_ahead") == 1
    assert Booking.objects.count() == 1


def test_a_search_goes_to_the_office_that_takes_the_address(office: Domain) -> None:
    own = confirmed(office)
    limited(office)
    watch = office.watch(
        subscriber=own.subscriber,
        mode="hold",
        office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)),
    )
    Booking.objects.filter(pk=own.pk).update(main_service=another_service_than(own))
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.open(THURSDAY_9 + timedelta(hours=2), office=PASING)

    office.look(10)

    held = Booking.objects.get(watch=watch)
    assert (held.office.upstream_id, held.state) == (PASING, S.RESERVED)
    assert "mail_limit_ahead" not in office.mailman.kinds()


def test_a_lost_race_does_not_go_on_to_an_office_that_would_refuse(office: Domain) -> None:
    own = confirmed(office, at=PASING)
    limited(office, PASING)
    Booking.objects.filter(pk=own.pk).update(main_service=another_service_than(own))
    office.watch(
        subscriber=own.subscriber,
        mode="hold",
        office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)),
    )
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.open(THURSDAY_9 + timedelta(hours=2), office=PASING)
    office.munich.faults.add("lost_race", 1)

    office.look(10)

    attempts = Booking.objects.exclude(pk=own.pk)
    assert [attempt.office.upstream_id for attempt in attempts] == [RUPPERT]
    assert Watch.objects.get().state == Watch.State.ACTIVE
