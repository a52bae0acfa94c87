"""What people ask of such bots, one by one: each test bears the number of the wish it keeps.

Wishes that are about the chat itself are in `tests/bot/test_wishes.py`.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from appointments.channels import DeliveryError
from appointments.errors import AlreadyBooked, InvalidValue, MailLimitReached, NotAllowed
from appointments.models import Booking, Office, Service, Watch
from appointments.services.blindness import tell_blindness
from appointments.services.bookings import (
    keep_booking,
    look_again,
    release_booking,
    request_booking,
    swap_booking,
    take_anew,
)
from appointments.services.profiles import add_profile, save_profile
from appointments.services.subscribers import save_contact
from appointments.services.watches import WatchWish, check_wish
from appointments.states import BookingState as S
from appointments.upstream.types import ServiceCount
from bot.booking_screens import failure
from termin_project.logs import PrivateDataFilter
from termin_project.sandbox.city.limiter import Limiter
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    known_slot,
    person,
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


# 18-25: telling


def test_wish_18_once_asked_it_goes_on_looking(office: City) -> None:
    office.watch(mode="notify")
    for days in range(3):
        office.open(THURSDAY_9 + timedelta(days=days))
        office.advance(hours=2)
        office.look()

    assert [bool(edit) for _message, edit in office.mailman.sent] == [False, False, False]


def test_wish_19_a_telegram_flood_loses_no_message(office: City, phone: Phone) -> None:
    office.mailman.errors = [DeliveryError("too many", retry_after=timedelta(seconds=30))]
    office.watch(mode="hold")
    office.open(THURSDAY_9)

    office.look()
    early = phone.kinds
    office.advance(seconds=40)
    office.sweep()

    assert (list(early), phone.kinds.count("appointment_reserved")) == ([], 1)


def test_wish_22_a_family_in_one_appointment(office: City) -> None:
    for_auto(office, services=(ServiceCount(REGISTER, 3),))
    office.munich.add_places(RUPPERT, [REGISTER] * 3, THURSDAY_9)

    office.look()

    assert office.booking().state == S.PRECONFIRMED
    assert office.munich.reservations[0].wanted == [(REGISTER, 3)]


def test_wish_22_choose_who_it_is_for(office: City, phone: Phone) -> None:
    who = person(office)
    mum = add_profile(who, "Mum", now=office.now())
    save_profile(mum, family_name="Anne Byron", now=office.now())
    for_auto(office, subscriber=who, profile_id=mum.pk)
    for_auto(office, subscriber=who)
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=1))

    office.look()
    office.open_mailed_link()
    settle(office, office.booking(), minutes=2)
    office.open(THURSDAY_9 + timedelta(hours=2))
    office.advance(seconds=100)
    office.look(10)

    names = sorted(process.family_name for process in office.munich.desk.processes.values())
    assert names == ["Ada Lovelace", "Anne Byron"]
    assert "for Mum" in phone.last("appointment_confirmed")


def test_wish_23_what_cannot_be_booked_is_not_offered(office: City, phone: Phone) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(hours=1))
    office.look()
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.advance(seconds=20)

    office.look()

    _kind, news = phone.read[-1]
    offered = " ".join(button.text for row in news.screen.rows for button in row)
    assert "<s>09:00</s>" in news.screen.html
    assert ("09:00" in offered, "10:00" in offered) == (False, True)


def test_wish_23_nor_held_where_the_city_would_refuse_the_address(office: City) -> None:
    own = confirmed(office)
    Office.objects.filter(upstream_id=RUPPERT).update(appointments_per_mail=1)
    known = office.munich.catalogue
    service = next(
        number for number in known.services if number != REGISTER and known.offers(RUPPERT, [number])
    )
    slot = known_slot(office, THURSDAY_9 + timedelta(hours=1), service=service)

    with pytest.raises(MailLimitReached):
        request_booking(own.subscriber, slot, mode="hold", watch=None, now=office.now())


def test_wish_24_nothing_is_booked_that_the_city_does_not_grant(office: City) -> None:
    service = Service.objects.get(upstream_id=REGISTER)
    too_many = WatchWish(services=(ServiceCount(REGISTER, service.max_quantity + 1),))
    elsewhere = Office.objects.exclude(offerings__service=service)[0]
    wrong_office = WatchWish(services=(ServiceCount(REGISTER, 1),), office_ids=(elsewhere.pk,))

    for wish, field in ((too_many, "services"), (wrong_office, "offices")):
        with pytest.raises(InvalidValue) as refused:
            check_wish(wish, now=office.now())
        assert refused.value.field == field


def test_wish_24_nor_for_a_name_that_is_not_ones_own(office: City) -> None:
    booking = confirmed(office)

    with pytest.raises(InvalidValue) as refused:
        save_contact(booking.subscriber, family_name="Somebody Else", now=office.now())

    assert refused.value.reason == "in_use"


def test_wish_25_what_the_site_shows_on_a_day_known_for_other_hours_is_told_too(
    office: City, phone: Phone
) -> None:
    office.watch(mode="notify", hours=((127, 14 * 60, 18 * 60),))
    office.open(THURSDAY_9)
    office.look()
    silent = "slots_opened" not in office.mailman.kinds()
    # The sweep shows days and their first times: this one hides behind the nine o'clock that it showed before.
    office.open(THURSDAY_9 + timedelta(hours=6))

    for _minute in range(15):
        office.advance(seconds=60)
        office.look(5)

    assert silent
    assert office.mailman.kinds().count("slots_opened") == 1
    assert "15:00" in phone.texts[-1]


def test_wish_27_my_other_appointment_is_left_alone(office: City) -> None:
    first = confirmed(office)
    known = office.munich.catalogue
    service = next(
        number for number in known.services if number != REGISTER and known.offers(PASING, [number])
    )
    second = preconfirmed(
        office, who=first.subscriber, at=PASING, service=service, starts_at=THURSDAY_9 + timedelta(days=1)
    )

    release_booking(second, now=office.now())
    office.work()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (S.CONFIRMED, S.CANCELLED)
    assert at_the_city(office) == ["confirmed", "deleted"]


def test_wish_30_one_message_for_each_hit_edited_when_it_is_gone(office: City, phone: Phone) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.look(10)
    office.munich.remove_places(RUPPERT, [REGISTER], THURSDAY_9)
    office.advance(seconds=20)

    office.look(10)

    edits = [bool(edit) for _message, edit in office.mailman.sent]
    assert edits == [False, True]
    assert "All gone" in phone.texts[-1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("slotTaken", "faster"),
        ("captchaInvalid", "captcha"),
        ("rateLimitExceeded", "slow down"),
        ("serviceUnavailable", "did not answer"),
        ("unknownError", "did not accept"),
        ("somethingNew", "did not accept"),
    ],
)
def test_wish_32_errors_are_sentences_and_never_codes(code: str, words: str) -> None:
    assert words in failure(code)
    assert code not in failure(code)
    assert "unknown" not in failure(code).lower()


def test_wish_32_a_refused_address_is_named_with_what_can_be_done(office: City, phone: Phone) -> None:
    limit = office.munich.catalogue.offices[PASING].scope.per_mail
    for number in range(limit):
        preconfirmed(
            office,
            who=person(office, email="same@example.org"),
            at=PASING,
            starts_at=THURSDAY_9 + timedelta(hours=1 + number),
        )
    booking = reserved(office, who=person(office, email="same@example.org"), at=PASING)

    keep_booking(booking, now=office.now())
    office.work()

    assert "no more appointments with this e-mail address" in phone.last("mail_limit")
    assert "Use another address" in phone.last("mail_limit")


def test_wish_33_no_log_holds_what_nobody_should_paste(
    office: City, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.handler.addFilter(PrivateDataFilter())
    who = person(
        office, family_name="Wilhelmine Sonderbar", email="sonderbar@example.org", telephone="08923396000"
    )
    office.munich.faults.add("gateway_400", 1, ["update-appointment"])
    booking = confirmed_slowly(office, lambda: reserved(office, who=who, at=PASING))
    key = booking.auth_key

    release_booking(booking, now=office.now())
    office.work()

    assert key
    for secret in ("Sonderbar", "sonderbar@", "08923396000", key):
        assert secret not in caplog.text


def confirmed_slowly(office: City, make: Callable[[], Booking]) -> Booking:
    """A booking on which the city stumbles once before it is confirmed."""
    booking = make()
    keep_booking(booking, now=office.now())
    office.work()
    settle(office, booking, minutes=1)
    office.open_mailed_link()
    return settle(office, booking, minutes=1)
