"""The main job, end to end, in one process: from a wish to the city's "confirmed" and back."""

from datetime import UTC, datetime, timedelta

import pytest

from appointments.errors import ContactMissing, SlotGone
from appointments.models import Booking, Slot, Watch
from appointments.services.bookings import (
    keep_booking,
    look_again,
    release_booking,
    request_booking,
    swap_booking,
)
from appointments.states import BookingState as S
from tests.conftest import GUARDED, PASING, REGISTER, RUPPERT, Office
from tests.factories import SubscriberFactory

THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_a_notified_person_holds_keeps_confirms_and_cancels(office: Office) -> None:
    watch = office.watch(mode="notify")
    office.look()
    assert office.mailman.kinds() == []

    office.open(THURSDAY_9)
    office.advance(seconds=20)
    office.look()
    assert office.mailman.kinds() == ["slots_opened"]

    slot = Slot.objects.get(gone_at=None)
    booking = request_booking(watch.subscriber, slot, mode="hold", watch=watch, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.RESERVED

    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED

    office.open_mailed_link()
    look_again(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    watch.refresh_from_db()
    assert (booking.state, watch.state) == (S.CONFIRMED, Watch.State.FULFILLED)

    release_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert [process.status for process in office.munich.appointments] == ["deleted"]
    assert [kind for kind in office.mailman.kinds() if kind != "slots_opened"] == [
        "appointment_reserved",
        "check_mail",
        "appointment_confirmed",
        "appointment_cancelled",
    ]


def test_who_says_opened_too_early_hears_what_the_city_shows(office: Office) -> None:
    office.watch(mode="auto", office_ids=(office.office_pk(PASING),))
    office.open(THURSDAY_9, office=PASING)
    office.look(10)

    look_again(office.booking(), now=office.now())
    office.work()

    assert office.booking().state == S.PRECONFIRMED
    message, edited = office.mailman.sent[-1]
    assert (message.kind, edited) == ("not_confirmed_yet", office.mailman.sent[-2][0].receipt or edited)
    assert edited != ""


def test_another_time_is_tried_once_the_first_is_given_back(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=2))
    office.look()
    other = Slot.objects.get(starts_at=THURSDAY_9 + timedelta(hours=2))

    swap_booking(office.booking(), other, now=office.now())
    office.work()

    first, second = Booking.objects.order_by("pk")
    assert (first.state, first.reason) == (S.CANCELLED, "superseded")
    assert (second.state, second.starts_at) == (S.RESERVED, other.starts_at)
    assert [process.status for process in office.munich.reservations].count("reserved") == 1


def test_a_time_that_is_gone_cannot_be_swapped_for(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=2))
    office.look()
    other = Slot.objects.get(starts_at=THURSDAY_9 + timedelta(hours=2))
    Slot.objects.filter(pk=other.pk).update(gone_at=office.now())
    other.refresh_from_db()

    with pytest.raises(SlotGone):
        swap_booking(office.booking(), other, now=office.now())

    assert office.booking().state == S.RESERVED


def test_a_hold_nobody_answers_is_given_back_and_watching_goes_on(office: Office) -> None:
    watch = office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()
    booking = office.booking()
    assert booking.state == S.RESERVED
    assert booking.answer_until is not None
    assert booking.held_until is not None
    assert booking.answer_until < booking.held_until

    office.munich.clock.advance(booking.answer_until - office.now())
    office.sweep()

    booking.refresh_from_db()
    watch.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "silence")
    assert watch.state == Watch.State.ACTIVE
    assert "hold_released" in office.mailman.kinds()


def test_a_slot_given_back_is_not_held_for_the_same_person_again(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()
    release_booking(office.booking(), now=office.now())
    office.work()

    office.advance(minutes=3)
    office.look()

    assert Slot.objects.filter(gone_at=None).count() == 1
    assert Booking.objects.count() == 1


def test_a_slot_given_back_by_one_is_held_for_another(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()
    release_booking(office.booking(), now=office.now())
    office.work()
    office.watch(mode="hold")

    office.advance(minutes=3)
    office.look()

    assert sorted(booking.state for booking in Booking.objects.all()) == [S.CANCELLED, S.RESERVED]


def test_auto_reserves_and_sends_without_asking(office: Office) -> None:
    office.watch(mode="auto")
    office.open(THURSDAY_9, office=PASING)
    office.watch(mode="auto", office_ids=(office.office_pk(PASING),))

    office.look(10)

    assert office.booking().state == S.PRECONFIRMED
    office.open_mailed_link()
    office.advance(seconds=15)
    office.sweep()
    assert office.booking().state == S.CONFIRMED


def test_auto_without_contact_data_holds_and_asks(office: Office) -> None:
    office.watch(
        mode="auto", subscriber=SubscriberFactory(now=office.now()), office_ids=(office.office_pk(PASING),)
    )
    office.open(THURSDAY_9, office=PASING)

    office.look(10)

    assert office.booking().state == S.RESERVED
    assert "details_needed" in office.mailman.kinds()
    with pytest.raises(ContactMissing):
        keep_booking(office.booking(), now=office.now())


def test_a_guarded_office_is_watched_and_booked_with_a_token(office: Office) -> None:
    service = next(
        s for s in office.munich.catalogue.services if office.munich.catalogue.offers(GUARDED, [s])
    )
    from appointments.upstream.types import ServiceCount

    office.watch(mode="hold", services=(ServiceCount(service, 1),), office_ids=(office.office_pk(GUARDED),))
    office.open(THURSDAY_9, office=GUARDED, service=service)

    office.look(10)

    assert office.booking().state == S.RESERVED


def test_a_lost_race_moves_on_to_the_next_candidate(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.munich.faults.add("lost_race", 1)

    office.look()

    first, second = Booking.objects.order_by("pk")
    assert (first.state, second.state) == (S.FAILED, S.RESERVED)
    assert second.previous == first
    assert second.starts_at == THURSDAY_9 + timedelta(hours=1)
    assert office.mailman.kinds()[:2] == ["slot_taken", "appointment_reserved"]


def test_a_slot_that_went_edits_the_message_that_named_it(office: Office) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.look()
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.advance(seconds=20)

    office.look()

    (first, first_edit), (second, second_edit) = office.mailman.sent
    assert (first.kind, second.kind) == ("slots_opened", "slots_opened")
    assert (first_edit, second_edit) == ("", first.receipt or "1")


def test_a_release_over_several_days_is_one_message_that_grows(office: Office) -> None:
    office.watch(mode="notify")
    for days in range(3):
        office.open(THURSDAY_9 + timedelta(days=days % 2, hours=days))

    office.look(12)

    new = [message for message, edit in office.mailman.sent if not edit]
    assert len(new) == 1
    last, _edit = office.mailman.sent[-1]
    assert len(last.payload["slots"]) == 3


def test_a_later_release_is_news_of_its_own(office: Office) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.look()
    office.open(THURSDAY_9 + timedelta(days=1))
    office.advance(seconds=100)

    office.look()

    assert [bool(edit) for _message, edit in office.mailman.sent] == [False, False]


def test_what_opens_after_all_of_a_burst_went_is_news_of_its_own(office: Office) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.look()
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.advance(seconds=15)
    office.look()
    office.open(THURSDAY_9 + timedelta(hours=3))
    office.advance(seconds=15)

    office.look()

    assert [bool(edit) for _message, edit in office.mailman.sent] == [False, True, False]


def confirmed_booking(office: Office) -> Booking:
    office.watch(mode="auto", office_ids=(office.office_pk(PASING),))
    office.open(THURSDAY_9, office=PASING)
    office.look(10)
    office.open_mailed_link()
    look_again(office.booking(), now=office.now())
    office.work()
    return office.booking()


def test_people_are_reminded_the_evening_before_and_two_hours_before(office: Office) -> None:
    booking = confirmed_booking(office)
    told = len(office.mailman.sent)

    for moment in (
        datetime(2026, 11, 25, 16, 59, tzinfo=UTC),
        datetime(2026, 11, 25, 17, 0, tzinfo=UTC),
        datetime(2026, 11, 25, 17, 1, tzinfo=UTC),
        datetime(2026, 11, 26, 6, 0, tzinfo=UTC),
        datetime(2026, 11, 26, 6, 5, tzinfo=UTC),
    ):
        office.munich.clock.freeze(moment)
        office.sweep()

    assert booking.starts_at == THURSDAY_9
    assert office.mailman.kinds()[told:] == ["reminder_day", "reminder_hours"]


def test_nobody_is_reminded_of_a_cancelled_appointment(office: Office) -> None:
    booking = confirmed_booking(office)
    release_booking(booking, now=office.now())
    office.work()

    office.munich.clock.freeze(datetime(2026, 11, 25, 17, 0, tzinfo=UTC))
    office.sweep()

    assert "reminder_day" not in office.mailman.kinds()


def test_an_appointment_cancelled_on_the_citys_page_is_noticed_and_told(office: Office) -> None:
    booking = confirmed_booking(office)
    office.desk.api.cancel(booking.key)

    office.advance(hours=25)
    office.sweep()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "elsewhere")
    assert office.mailman.kinds()[-1] == "appointment_gone"


def test_an_appointment_that_stands_is_read_once_a_day_and_nothing_is_said(office: Office) -> None:
    booking = confirmed_booking(office)
    asked = len(office.munich.requests)
    told = len(office.mailman.sent)

    for _hour in range(26):
        office.advance(hours=1)
        office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.CONFIRMED
    assert len(office.munich.requests) - asked == 1
    assert office.mailman.kinds()[told:] == []
