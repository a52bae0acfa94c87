"""Offices with pooled places: asked together, shown as one, a time that moves between them stays the same time."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from appointments.models import Booking, Sighting, Slot, WatchOffice
from appointments.selectors.bookings import given_back_starts
from appointments.selectors.watches import chosen_offices
from appointments.services.bookings import release_booking
from appointments.services.watches import wish_of
from appointments.upstream.types import ServiceCount
from tests.appointments.services.counter import THURSDAY_9, look, reserved
from tests.conftest import PASING, REGISTER, RUPPERT, Office

TRAINING = 10503  # booked as one with Ruppertstraße


@pytest.fixture
def asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The offices of every calendar request."""
    seen: list[set[int]] = []
    send = office.desk.api._session.send

    def note(request, **options):
        url = urlsplit(request.url)
        if "available-calendar" in url.path:
            seen.append({int(number) for number in parse_qs(url.query)["officeIds"][0].split(",")})
        return send(request, **options)

    monkeypatch.setattr(office.desk.api._session, "send", note)
    return seen


def test_who_wants_one_of_them_waits_for_all(office: Office) -> None:
    watch = office.watch()

    lines = WatchOffice.objects.filter(watch=watch).values_list("office__upstream_id", "position")
    assert sorted(lines) == [(RUPPERT, 0), (TRAINING, 0)]
    assert [each.upstream_id for each in chosen_offices(watch)] == [RUPPERT]
    assert wish_of(watch).office_ids == (office.office_pk(RUPPERT),)


def test_an_office_of_its_own_stays_alone(office: Office) -> None:
    watch = office.watch(office_ids=(office.office_pk(PASING),))

    assert [line.office.upstream_id for line in watch.offices.all()] == [PASING]


def test_a_member_that_does_not_do_the_service_is_left_out(office: Office) -> None:
    watch = office.watch(services=(ServiceCount(REGISTER), ServiceCount(1063453)))

    assert [line.office.upstream_id for line in watch.offices.all()] == [RUPPERT]


def test_they_are_asked_together_also_for_one_day(office: Office, asked: list[set[int]]) -> None:
    office.watch()
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(days=1))

    look(office, 8)

    assert len(asked) >= 2
    assert all(numbers == {RUPPERT, TRAINING} for numbers in asked)


def test_a_time_at_the_sibling_is_told_and_reserved_there(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9, office=TRAINING)

    look(office, 4)

    assert Booking.objects.get().office.upstream_id == TRAINING
    assert Booking.objects.get().state == "reserved"


def test_a_time_that_moves_to_the_sibling_is_neither_gone_nor_new(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 4)
    slot = Slot.objects.get()

    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.open(THURSDAY_9, office=TRAINING)
    look(office, 40)

    moved = Slot.objects.get()
    assert moved.pk == slot.pk
    assert (moved.office.upstream_id, moved.gone_at) == (TRAINING, None)
    assert [sighting.kind for sighting in Sighting.objects.all()] == ["appeared"]
    assert office.mailman.kinds() == ["slots_opened"]


def test_a_day_that_the_list_shows_at_the_sibling_only_keeps_its_times(office: Office) -> None:
    later = THURSDAY_9 + timedelta(days=1)
    office.watch()
    office.open(THURSDAY_9)
    office.open(later)
    look(office, 8)

    office.munich.remove_places(RUPPERT, [REGISTER], later)
    office.open(later, office=TRAINING)
    look(office, 90)

    assert {slot.starts_at: slot.office.upstream_id for slot in Slot.objects.filter(gone_at=None)} == {
        THURSDAY_9: RUPPERT,
        later: TRAINING,
    }
    assert {sighting.kind for sighting in Sighting.objects.all()} == {"appeared"}


def test_a_time_that_leaves_both_is_gone(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 4)

    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    look(office, 40)

    assert Slot.objects.get().gone_at is not None


def test_a_time_that_moves_to_an_office_of_its_own_is_gone_and_new(office: Office) -> None:
    office.watch(office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)))
    office.open(THURSDAY_9)
    look(office, 4)

    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.open(THURSDAY_9, office=PASING)
    look(office, 40)

    assert sorted((slot.office.upstream_id, slot.gone_at is None) for slot in Slot.objects.all()) == [
        (RUPPERT, False),
        (PASING, True),
    ]


def test_a_time_that_returns_at_the_sibling_has_returned(office: Office) -> None:
    office.watch()
    office.open(THURSDAY_9)
    look(office, 4)
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    look(office, 40)

    office.open(THURSDAY_9, office=TRAINING)
    look(office, 40)

    slot = Slot.objects.get()
    assert (slot.office.upstream_id, slot.gone_at, slot.appearances) == (TRAINING, None, 2)
    assert [each.kind for each in Sighting.objects.order_by("pk")] == ["appeared", "gone", "returned"]


def test_two_places_dealt_out_to_both_are_two_times(office: Office) -> None:
    office.watch()
    for minutes in (0, 15):
        office.open(THURSDAY_9 + timedelta(minutes=minutes))
        office.open(THURSDAY_9 + timedelta(minutes=minutes), office=TRAINING)

    look(office, 4)

    starts = list(Slot.objects.order_by("starts_at").values_list("starts_at", flat=True))
    assert len(starts) == len(set(starts))


def test_what_was_given_back_at_one_is_not_held_again_at_the_other(office: Office) -> None:
    booking = reserved(office)
    release_booking(booking, now=office.now())
    office.work()

    unwanted = given_back_starts([booking.subscriber_id], booking.search_id)

    offices = {office_id for _person, office_id, _starts in unwanted}
    assert offices == {office.office_pk(RUPPERT), office.office_pk(TRAINING)}
