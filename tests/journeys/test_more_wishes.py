"""What people ask of such bots, one by one: each test bears the number of the wish it keeps. Here 18 to 34.

1 to 17 are in `test_wishes`, those about the chat itself in `tests/bot/test_wishes.py`.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from appointments.channels import DeliveryError
from appointments.errors import InvalidValue, MailLimitReached
from appointments.models import Booking, Office, Service
from appointments.services.bookings import (
    keep_booking,
    release_booking,
    request_booking,
)
from appointments.services.profiles import add_profile, save_profile
from appointments.services.subscribers import save_contact
from appointments.services.watches import WatchWish, check_wish
from appointments.states import BookingState as S
from appointments.upstream.types import ServiceCount
from bot.booking_screens import failure
from termin_project.logs import PrivateDataFilter
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    confirmed,
    known_slot,
    person,
    preconfirmed,
    reserved,
    settle,
)
from tests.conftest import PASING, REGISTER, RUPPERT
from tests.conftest import Office as City
from tests.journeys.conftest import Phone


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
    office.watch(mode="auto", services=(ServiceCount(REGISTER, 3),))
    office.munich.add_places(RUPPERT, [REGISTER] * 3, THURSDAY_9)

    office.look()

    assert office.booking().state == S.PRECONFIRMED
    assert office.munich.reservations[0].wanted == [(REGISTER, 3)]


def test_wish_22_choose_who_it_is_for(office: City, phone: Phone) -> None:
    who = person(office)
    mum = add_profile(who, "Mum", now=office.now())
    save_profile(mum, family_name="Anne Byron", now=office.now())
    office.watch(mode="auto", subscriber=who, profile_id=mum.pk)
    office.watch(mode="auto", subscriber=who)
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
