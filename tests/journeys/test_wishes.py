"""What people ask of such bots, one by one: each test bears the number of the wish it keeps. Here 1 to 17.

18 to 34 are in `test_more_wishes`, those about the chat itself in `tests/bot/test_wishes.py`.
"""

from datetime import UTC, datetime, timedelta

import pytest

from appointments.errors import AlreadyBooked, NotAllowed
from appointments.models import Booking, Watch
from appointments.services.blindness import tell_blindness
from appointments.services.bookings import (
    keep_booking,
    look_again,
    request_booking,
    swap_booking,
    take_anew,
)
from appointments.states import BookingState as S
from appointments.upstream.types import ServiceCount
from termin_project.sandbox.city.limiter import Limiter
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
from tests.conftest import GUARDED, PASING, REGISTER, RUPPERT
from tests.conftest import Office as City
from tests.journeys.conftest import Phone

# Words that would claim an appointment before the city does.
CLAIMS = ("Confirmed by the city", "is confirmed", "booked", "🎉")


def guarded_service(office: City) -> int:
    known = office.munich.catalogue
    return next(number for number in known.services if known.offers(GUARDED, [number]))


def for_auto(office: City, **wish: object) -> Watch:
    return office.watch(mode="auto", **wish)


# 1-8: the appointment itself


def test_wish_01_what_was_found_is_booked(office: City, phone: Phone) -> None:
    for_auto(office)
    office.open(THURSDAY_9)

    office.look()
    office.open_mailed_link()
    settle(office, office.booking(), minutes=1)

    assert office.booking().state == S.CONFIRMED
    assert at_the_city(office) == ["confirmed"]


def test_wish_01_found_but_taken_goes_on_to_the_next_by_itself(office: City, phone: Phone) -> None:
    for_auto(office)
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.munich.faults.add("lost_race", 1)

    office.look(10)

    assert office.booking().state == S.PRECONFIRMED
    assert "I am trying" in phone.last("slot_taken")


def test_wish_02_a_captcha_does_not_stop_the_bot(office: City) -> None:
    service = guarded_service(office)
    office.watch(mode="hold", services=(ServiceCount(service, 1),), office_ids=(office.office_pk(GUARDED),))
    office.open(THURSDAY_9, office=GUARDED, service=service)

    office.look(10)

    assert office.booking().state == S.RESERVED


def test_wish_02_a_captcha_that_is_down_stops_only_the_office_that_asks_for_it(office: City) -> None:
    service = guarded_service(office)
    office.munich.faults.add("captcha_down", None)
    office.watch(mode="hold", services=(ServiceCount(service, 1),), office_ids=(office.office_pk(GUARDED),))
    office.watch(mode="hold")
    office.open(THURSDAY_9)

    office.look(20)

    assert office.booking().office.upstream_id == RUPPERT
    assert office.booking().state == S.RESERVED


def test_wish_03_the_tool_itself_knows_a_pace_that_is_safe(office: City) -> None:
    office.munich.limiter = Limiter(60, 60)
    for count in (1, 2, 3):
        office.watch(services=(ServiceCount(REGISTER, count),))

    for _minute in range(6):
        for _second in range(60):
            office.watcher.step()
            office.advance(seconds=1)

    assert len(office.munich.requests) > 60
    assert [request for request in office.munich.requests if request.status == 429] == []


def test_wish_04_silence_is_never_blindness(office: City, phone: Phone) -> None:
    office.watch(mode="auto")
    office.look(2)
    office.munich.faults.add("html_502", None, ["available-calendar"])

    for _turn in range(55):
        office.advance(seconds=9)
        office.watcher.step()
        office.advance(seconds=1)
        tell_blindness(now=office.now())
    office.work()

    assert phone.kinds == ["watch_blind"]
    assert "I cannot see" in phone.everything


def test_wish_05_an_appointment_is_never_exchanged_for_a_later_one(office: City, phone: Phone) -> None:
    watch = for_auto(office)
    office.open(THURSDAY_9)
    office.look()
    office.open_mailed_link()
    settle(office, office.booking(), minutes=1)

    for days in (1, 4):
        office.open(THURSDAY_9 + timedelta(days=days))
        office.advance(seconds=100)
        office.look()

    watch.refresh_from_db()
    assert Booking.objects.count() == 1
    assert (office.booking().state, office.booking().starts_at) == (S.CONFIRMED, THURSDAY_9)
    assert watch.state == Watch.State.FULFILLED


def test_wish_06_the_old_one_was_cancelled_and_the_new_one_failed(office: City) -> None:
    own = confirmed(office)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=1))

    for exchange in (swap_booking, take_anew):
        with pytest.raises(NotAllowed):
            exchange(own, other, now=office.now())
    with pytest.raises(AlreadyBooked):
        request_booking(own.subscriber, other, mode="auto", watch=None, now=office.now())
    office.work()

    own.refresh_from_db()
    assert (own.state, own.wish) == (S.CONFIRMED, Booking.Wish.BOOK)
    assert at_the_city(office) == ["confirmed"]
    assert calls_of(office, "cancel-appointment") == 0


def test_wish_06_correcting_an_address_does_not_lose_what_was_confirmed_meanwhile(
    office: City, phone: Phone
) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()

    take_anew(booking, None, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CONFIRMED
    assert at_the_city(office) == ["confirmed"]


def test_wish_07_an_appointment_found_costs_no_changes_at_the_city(office: City) -> None:
    for_auto(office)
    office.open(THURSDAY_9)
    office.look()
    office.open_mailed_link()
    settle(office, office.booking(), minutes=1)

    for hours in range(2, 8):
        office.open(THURSDAY_9 - timedelta(hours=hours))
        office.advance(seconds=100)
        office.look()

    calls = {name: calls_of(office, name) for name in ("reserve-appointment", "cancel-appointment")}
    assert calls == {"reserve-appointment": 1, "cancel-appointment": 0}


@pytest.mark.parametrize("kind", ["lost_after", "truncated_json", "gateway_400", "empty_body", "html_200"])
def test_wish_08_nothing_is_called_booked_before_the_city_says_so(
    office: City, phone: Phone, kind: str
) -> None:
    booking = reserved(office)
    office.munich.faults.add(kind, 1, ["preconfirm-appointment"])
    keep_booking(booking, now=office.now())
    office.work()
    look_again_if_mailed(office, booking)
    settle(office, booking, minutes=2)
    before = phone.everything
    assert booking.state == S.PRECONFIRMED

    office.open_mailed_link()
    settle(office, booking, minutes=1)

    assert not any(claim in before for claim in CLAIMS)
    assert "Confirmed by the city" in phone.last("appointment_confirmed")


def look_again_if_mailed(office: City, booking: Booking) -> None:
    """The person presses "I opened it" without having done so."""
    booking.refresh_from_db()
    if booking.state == S.PRECONFIRMED:
        look_again(booking, now=office.now())
        office.work()


def test_wish_08_who_presses_opened_too_early_reads_what_the_city_shows(office: City, phone: Phone) -> None:
    booking = preconfirmed(office)

    look_again(booking, now=office.now())
    office.work()

    assert "The city does not show it as confirmed yet" in phone.last("not_confirmed_yet")
    assert not any(claim in phone.everything for claim in CLAIMS)


def test_wish_08_it_said_failed_and_it_was_held_is_told_as_unclear(office: City, phone: Phone) -> None:
    for_auto(office)
    office.open(THURSDAY_9)
    office.munich.faults.add("lost_after", 1, ["reserve-appointment"])

    office.look()

    assert office.booking().state == S.UNCERTAIN
    assert "Maybe it is held for you, maybe not." in phone.last("booking_uncertain")
    assert "could not get" not in phone.everything


# 9-17: what, where, when, and whether to ask


def test_wish_09_a_slot_of_today_is_booked_as_soon_as_it_opens(office: City) -> None:
    for_auto(office, rolling_days=1)
    in_two_hours = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    office.open(in_two_hours)

    office.look()

    assert (office.booking().starts_at, office.booking().state) == (in_two_hours, S.PRECONFIRMED)


def test_wish_09_today_and_tomorrow_stay_today_and_tomorrow(office: City) -> None:
    for_auto(office, rolling_days=1)
    office.open(THURSDAY_9)

    office.look()

    assert not Booking.objects.exists()


def test_wish_11_only_the_offices_i_chose(office: City) -> None:
    for_auto(office, office_ids=(office.office_pk(PASING),))
    office.open(THURSDAY_9, office=RUPPERT)
    office.open(THURSDAY_9 + timedelta(hours=1), office=PASING)

    office.look(10)

    assert [booking.office.upstream_id for booking in Booking.objects.all()] == [PASING]


# Midnight of Thursday in Munich.
THURSDAY = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)


def hours_booked(office: City, opened: tuple[int, ...], **wish: object) -> list[int]:
    """Which of the `opened` hours (counted from Thursday's midnight) are booked for such a watch."""
    for hour in opened:
        office.open(THURSDAY + timedelta(hours=hour))
    for_auto(office, **wish)
    office.look(12)
    return [int((booking.starts_at - THURSDAY).total_seconds() // 3600) for booking in Booking.objects.all()]


def test_wish_12_the_time_of_day_i_chose(office: City) -> None:
    assert hours_booked(office, (10, 12, 15), hours=((0b1111111, 15 * 60, 24 * 60),)) == [15]


def test_wish_13_the_weekdays_i_chose(office: City) -> None:
    friday = 1 << 4

    assert hours_booked(office, (10, 12, 34), hours=((friday, 0, 1440),)) == [34]


def test_wish_17_several_windows(office: City) -> None:
    early_or_late = ((0b1111111, 0, 9 * 60), (0b1111111, 16 * 60, 18 * 60))

    assert hours_booked(office, (10, 12, 16), hours=early_or_late) == [16]


def test_wish_15_it_never_books_outside_my_window(office: City) -> None:
    assert hours_booked(office, (10, 34), date_from=THURSDAY.date() + timedelta(days=2)) == [34]


def test_wish_15_nor_after_a_lost_race(office: City) -> None:
    for_auto(office, hours=((0b1111111, 0, 10 * 60),))
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=5))
    office.munich.faults.add("lost_race", 1)

    office.look(10)

    assert [booking.state for booking in Booking.objects.all()] == [S.FAILED]


def test_wish_16_i_need_time_to_get_there(office: City) -> None:
    for_auto(office, minimum_notice_minutes=180)
    office.open(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    office.open(datetime(2026, 11, 23, 14, 0, tzinfo=UTC))

    office.look()

    assert [booking.starts_at.hour for booking in Booking.objects.all()] == [14]


def test_wish_14_ask_me_before_you_book(office: City, phone: Phone) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)

    office.look()
    booking = office.booking()
    silent = calls_of(office, "update-appointment"), calls_of(office, "preconfirm-appointment")
    keep_booking(booking, now=office.now())
    office.work()

    assert silent == (0, 0)
    assert "Do you want it?" in phone.last("appointment_reserved")
    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_wish_14_who_says_nothing_has_said_no(office: City, phone: Phone) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()

    booking = settle(office, office.booking(), minutes=20)

    assert (booking.state, booking.reason) == (S.CANCELLED, "silence")
    assert calls_of(office, "update-appointment") == 0
