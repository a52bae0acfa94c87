"""Captchas that need a person: a booking waits for its own, few are asked, nobody at night, and everybody goes on."""

from datetime import timedelta
from typing import Any

import pytest

from appointments.models import OutboxMessage
from appointments.services import verification
from captcha import services as captcha
from captcha.modes import choose_mode
from captcha.signals import cost_rose
from tests.conftest import GUARDED, Office
from tests.factories import SubscriberFactory

PAPERS = 10300793


@pytest.fixture
def guarded(office: Office, settings: Any) -> Office:
    """A city in which only people solve."""
    settings.CAPTCHA_MODE = "human"
    for tokens in (office.desk.tokens, office.watcher.tokens):
        tokens.mode = "human"
    return office


def book(office: Office) -> Any:
    from appointments.upstream.types import ServiceCount

    starts_at = office.now() + timedelta(days=3)
    starts_at = starts_at.replace(hour=8, minute=0, second=0)
    office.open(starts_at, office=GUARDED, service=PAPERS)
    captcha.offer_token(site(office), made_token(office), office.now())  # seen while a token was there
    office.watch(services=(ServiceCount(PAPERS, 1),), office_ids=(office.office_pk(GUARDED),), mode="hold")
    return starts_at


def site(office: Office) -> str:
    return office.desk.tokens.site


def made_token(office: Office) -> str:
    return office.munich.captcha.token("127.0.0.1", office.munich.now())


def wanting(office: Office) -> Any:
    """A booking at a guarded office whose token ran out before it was reserved."""
    book(office)
    office.watcher.step()
    for _step in range(6):
        office.watcher.step()
        office.advance(seconds=1)
    captcha.discard_token(site(office), "captchaExpired", office.now())
    office.work()
    return office.booking()


def test_a_booking_asks_its_own_person_and_waits(guarded: Office) -> None:
    booking = wanting(guarded)

    assert (booking.state, booking.reason) == ("requested", "captchaHumanNeeded")
    assert guarded.mailman.kinds().count("captcha_wanted") == 1
    guarded.advance(seconds=60)
    guarded.sweep()
    assert guarded.mailman.kinds().count("captcha_wanted") == 1


def test_the_booking_goes_on_as_soon_as_a_token_is_there(guarded: Office) -> None:
    wanting(guarded)

    captcha.offer_token(site(guarded), made_token(guarded), guarded.now(), source="human")
    guarded.work()

    assert guarded.booking().state == "reserved"
    assert "appointment_reserved" in guarded.mailman.kinds()


def test_a_booking_nobody_solves_for_ends_after_ten_minutes(guarded: Office) -> None:
    booking = wanting(guarded)
    guarded.advance(minutes=10, seconds=1)

    guarded.sweep()

    booking.refresh_from_db()
    assert booking.state == "failed"
    assert "booking_failed" in guarded.mailman.kinds()


def test_the_person_can_give_up_while_it_waits(guarded: Office) -> None:
    from appointments.services.bookings import release_booking

    booking = wanting(guarded)

    assert release_booking(booking, now=guarded.now()).state == "cancelled"


def offers() -> list[str]:
    return [
        message.payload["state"]
        for message in OutboxMessage.objects.filter(kind="captcha_offer").order_by("pk")
    ]


def test_whoever_waits_for_a_guarded_office_is_asked_once(guarded: Office) -> None:
    book(guarded)
    captcha.discard_token(site(guarded), "captchaExpired", guarded.now())
    guarded.watch()  # somebody else, at an office without a captcha

    for _time in range(3):
        verification.offer_watching(site(guarded), now=guarded.now())
        guarded.advance(seconds=20)

    assert offers() == ["needed"]


def test_the_offer_is_edited_when_somebody_has_solved(guarded: Office) -> None:
    book(guarded)
    captcha.discard_token(site(guarded), "captchaExpired", guarded.now())
    verification.offer_watching(site(guarded), now=guarded.now())
    captcha.offer_token(site(guarded), made_token(guarded), guarded.now(), source="human")

    for _time in range(3):
        verification.offer_watching(site(guarded), now=guarded.now())

    assert offers() == ["needed", "watched"]
    assert OutboxMessage.objects.filter(kind="captcha_offer").values_list("edits", flat=True).distinct().get()


def test_few_are_asked_at_a_time(guarded: Office) -> None:
    from appointments.upstream.types import ServiceCount

    for _person in range(verification.ASKED_AT_ONCE + 5):
        guarded.watch(
            services=(ServiceCount(PAPERS, 1),),
            office_ids=(guarded.office_pk(GUARDED),),
            subscriber=SubscriberFactory(known=True, now=guarded.now()),
        )

    verification.offer_watching(site(guarded), now=guarded.now())
    first = len(offers())
    guarded.advance(minutes=6)
    verification.offer_watching(site(guarded), now=guarded.now())

    assert first == verification.ASKED_AT_ONCE
    people = OutboxMessage.objects.filter(kind="captcha_offer").values("subscriber").distinct()
    assert people.count() == verification.ASKED_AT_ONCE + 5


@pytest.mark.parametrize("why", ["night", "auto", "off", "blocked"])
def test_nobody_is_asked_in_vain(guarded: Office, why: str) -> None:
    book(guarded)
    captcha.discard_token(site(guarded), "captchaExpired", guarded.now())
    if why == "night":
        guarded.advance(hours=12)
    elif why == "blocked":
        captcha.block(site(guarded), guarded.now())
    else:
        choose_mode(why, guarded.now())

    assert verification.offer_watching(site(guarded), now=guarded.now()) == 0


def test_staff_hear_of_dear_challenges(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    cost_rose.send(None, site="http://city|somewhere", ratio=12.0, now=office.now())

    assert "dear challenges" in caplog.text
