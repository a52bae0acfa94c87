"""An appointment made on the city's page: its link, and what the city says about it."""

import base64
import json
from datetime import timedelta

import pytest

from appointments.errors import InvalidValue, NotAllowed
from appointments.models import Booking, ImportRequest, Office, OutboxMessage, Service, Subscriber
from appointments.selectors.bookings import ends_quietly
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.importing import read_key, request_import, sweep_imports
from appointments.services.moving import move_appointment
from appointments.states import BookingState as S
from appointments.upstream.types import AppointmentKey, Contact, ServiceCount
from appointments.upstream.types import Slot as CitySlot
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, reserved, settle
from tests.conftest import PASING, REGISTER, RUPPERT
from tests.conftest import Office as Domain
from tests.factories import SubscriberFactory

KEY = "0123456789abcdef" * 4
PAGE = "https://stadt.muenchen.de/buergerservice/terminvereinbarung.html"
ADA = Contact("Ada Lovelace", "ada@example.org", telephone="0891234567", custom_text="", custom_text_2="")


def token(number: object = 123456, key: object = KEY) -> str:
    return base64.b64encode(json.dumps({"id": number, "authKey": key}).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{PAGE}#/appointment/{token()}",
        f"{PAGE}#/appointment/{token().rstrip('=')}",
        f"{PAGE}#/appointment/confirm/{token()}",
        f"  Hier mein Termin: {PAGE}#/appointment/{token()} danke",
        f"{PAGE}?pk=1#/appointment/{token().replace('=', '%3D')}",
        f"http://www.muenchen.de/x#/appointment/{token('123456')}",
        f"http://127.0.0.1:8000/sandbox/mailbox/confirm/{token()}",
        f"123456 {KEY}",
        f"Nummer: 123456, Schlüssel: {KEY.upper()}",
    ],
)
def test_the_citys_link_is_read_whatever_stands_around_it(text: str, settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"

    assert read_key(text) == AppointmentKey(123456, KEY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("x" * 601, "too_long"),
        ("hello", "no_link"),
        (f"https://evil.example/muenchen.de#/appointment/{token()}", "other_host"),
        (f"https://stadt.muenchen.de.evil.example/#/appointment/{token()}", "other_host"),
        (f"https://notmuenchen.de/#/appointment/{token()}", "other_host"),
        (f"https://muenchen.de@evil.example/#/appointment/{token()}", "other_host"),
        ("https://[stadt.muenchen.de/#/appointment/x", "damaged"),
        (f"{PAGE}#/appointment/{token()[:20]}", "damaged"),
        (f"{PAGE}#/appointment/{token(key='abc')}", "damaged"),
        (f"{PAGE}#/appointment/{token(number=0)}", "damaged"),
        (f"{PAGE}#/appointment/{token(number=True)}", "damaged"),
        (f"{PAGE}#/appointment/{base64.b64encode(b'[1]').decode()}", "damaged"),
        (f"{PAGE}#/services/1063475", "no_link"),
        ("123456", "no_link"),
    ],
)
def test_other_hosts_and_nonsense_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_key(text)

    assert (refused.value.field, refused.value.reason) == ("link", reason)


def on_the_page(domain: Domain, state: str = "confirmed", *, at: int = RUPPERT) -> AppointmentKey:
    """Somebody books on the city's page, up to `state`."""
    domain.open(THURSDAY_9, office=at)
    api = domain.desk.api
    key = api.reserve(CitySlot(at, THURSDAY_9), (ServiceCount(REGISTER),)).key
    if state != "reserved":
        api.update(key, ADA)
        api.preconfirm(key)
    if state == "confirmed":
        domain.open_mailed_link()
    return key


def imported(domain: Domain, key: AppointmentKey, who: Subscriber | None = None) -> Booking:
    who = who or SubscriberFactory(now=domain.now())
    request_import(who, key, now=domain.now())
    domain.work()
    return Booking.objects.get(subscriber=who, imported=True)


def test_a_confirmed_one_is_taken_in_with_its_data_and_reminded_of(office: Domain) -> None:
    key = on_the_page(office)

    booking = imported(office, key)

    assert (booking.state, booking.starts_at, booking.office.upstream_id) == (
        S.CONFIRMED,
        THURSDAY_9,
        RUPPERT,
    )
    assert (booking.family_name, booking.email) == ("Ada Lovelace", "ada@example.org")
    assert booking.main_service.upstream_id == REGISTER
    assert booking.remind_at is not None
    assert office.mailman.kinds() == ["appointment_imported"]
    assert [event.reason for event in booking.events.all()] == ["imported"]


def test_the_key_is_kept_once_encrypted_and_nowhere_else(office: Domain) -> None:
    key = on_the_page(office)

    booking = imported(office, key)

    request = ImportRequest.objects.get()
    assert (request.auth_key, request.outcome, request.done_at is not None) == ("", "imported", True)
    assert booking.auth_key == key.auth_key
    assert not OutboxMessage.objects.filter(payload__icontains=key.auth_key).exists()
    assert key.auth_key not in " ".join(office.queue.done)


def test_a_preconfirmed_one_is_followed_until_the_person_opens_the_link(office: Domain) -> None:
    key = on_the_page(office, "preconfirmed")
    booking = imported(office, key)
    assert booking.state == S.PRECONFIRMED

    office.open_mailed_link()
    settle(office, booking, minutes=2)

    assert booking.state == S.CONFIRMED


def test_a_reserved_one_is_never_given_back_by_silence_but_seen_to_lapse(office: Domain) -> None:
    key = on_the_page(office, "reserved")
    booking = imported(office, key)
    assert (booking.state, booking.wish) == (S.RESERVED, "ask")

    settle(office, booking, minutes=20, step=30)

    assert booking.state == S.LAPSED
    assert not [r for r in office.munich.requests if "cancel" in r.path]


def test_a_reserved_one_can_be_kept_here_and_finished_there(office: Domain) -> None:
    key = on_the_page(office, "reserved")
    booking = imported(office, key, SubscriberFactory(known=True, now=office.now()))

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_it_can_be_cancelled_here(office: Domain) -> None:
    booking = imported(office, on_the_page(office))

    release_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert not list(office.munich.desk.in_states("confirmed"))
    assert office.mailman.kinds()[-1] == "appointment_cancelled"
    assert not ends_quietly(booking)


def test_it_moves_under_the_name_it_was_made_with(office: Domain) -> None:
    key = on_the_page(office)
    who = SubscriberFactory(known=True, now=office.now())
    who.family_name = "Somebody Else"
    who.save()
    booking = imported(office, key, who)

    new = move_appointment(booking, known_slot(office, THURSDAY_9 + timedelta(days=1)), now=office.now())
    office.work()

    new.refresh_from_db()
    assert new.state == S.CONFIRMED
    process = next(office.munich.desk.in_states("confirmed"))
    assert (process.family_name, process.telephone, process.email) == (
        "Ada Lovelace",
        "0891234567",
        "ada@example.org",
    )


def refusal(domain: Domain, who: Subscriber, key: AppointmentKey) -> str:
    request_import(who, key, now=domain.now())
    domain.work()
    message = domain.mailman.sent[-1][0]
    assert (message.kind, message.subscriber) == ("import_failed", who)
    return str(message.payload["why"])


def test_what_the_city_does_not_know_is_said(office: Domain) -> None:
    key = on_the_page(office)
    who = SubscriberFactory(now=office.now())

    assert refusal(office, who, AppointmentKey(999_999, KEY)) == "unknown"
    assert refusal(office, who, AppointmentKey(key.process_id, KEY)) == "unknown"
    assert not Booking.objects.exists()


def test_one_that_is_cancelled_or_over_is_said(office: Domain) -> None:
    key = on_the_page(office)
    who = SubscriberFactory(now=office.now())
    new_key = office.desk.api.cancel(key).key
    assert refusal(office, who, new_key) == "gone"
    key = on_the_page(office, at=PASING)
    office.munich.clock.advance(THURSDAY_9 - office.now() + timedelta(minutes=1))

    assert refusal(office, who, key) == "past"


def test_an_office_or_a_service_we_do_not_know_is_said(office: Domain) -> None:
    key = on_the_page(office)
    who = SubscriberFactory(now=office.now())
    Service.objects.filter(upstream_id=REGISTER).update(upstream_id=5)
    assert refusal(office, who, key) == "service"
    Office.objects.filter(upstream_id=RUPPERT).update(upstream_id=6)

    assert refusal(office, who, key) == "office"


def test_one_live_appointment_per_person_and_service_holds_for_imports_too(office: Domain) -> None:
    mine = confirmed(office, at=PASING)
    key = on_the_page(office)

    assert refusal(office, mine.subscriber, key) == "booked"
    assert refusal(office, mine.subscriber, mine.key) == "known"
    assert refusal(office, SubscriberFactory(now=office.now()), mine.key) == "other_chat"


def test_nobody_holds_two_by_importing(office: Domain) -> None:
    held = reserved(office, at=PASING)
    key = on_the_page(office, "reserved")

    assert refusal(office, held.subscriber, key) == "holding"


def test_a_city_that_does_not_answer_is_asked_again_and_given_up_on_with_a_word(office: Domain) -> None:
    key = on_the_page(office)
    who = SubscriberFactory(now=office.now())
    office.munich.faults.add("maintenance", 2, ["appointment"])
    request_import(who, key, now=office.now())
    office.work()
    for _step in range(6):
        office.advance(seconds=20)
        office.sweep()
    assert Booking.objects.get().state == S.CONFIRMED

    office.munich.faults.add("maintenance", None, ["appointment"])
    other = SubscriberFactory(now=office.now())
    request_import(other, on_the_page(office, at=PASING), now=office.now())
    for _step in range(45):
        office.advance(seconds=20)
        office.sweep()

    assert office.mailman.sent[-1][0].payload == {"why": "city"}
    assert not ImportRequest.objects.filter(done_at=None).exists()


def test_a_task_that_was_lost_or_runs_twice_acts_once(office: Domain) -> None:
    key = on_the_page(office)
    request = request_import(SubscriberFactory(now=office.now()), key, now=office.now())
    office.queue.waiting.clear()
    office.advance(seconds=20)

    office.sweep()
    office.queue.put("import_appointment", request.pk)
    office.work()

    assert Booking.objects.count() == 1
    assert office.mailman.kinds() == ["appointment_imported"]


def test_keys_are_not_tried_out_here(office: Domain) -> None:
    who = SubscriberFactory(now=office.now())
    for number in range(5):
        request_import(who, AppointmentKey(number + 1, "abcd"), now=office.now())
    with pytest.raises(NotAllowed):
        request_import(who, AppointmentKey(9, "abcd"), now=office.now())
    office.work()

    office.advance(hours=1, seconds=1)
    sweep_imports(now=office.now())

    assert not ImportRequest.objects.exists()
    request_import(who, AppointmentKey(9, "abcd"), now=office.now())


def test_a_person_who_is_paused_imports_nothing(office: Domain) -> None:
    who = SubscriberFactory(new=True, now=office.now())

    with pytest.raises(NotAllowed):
        request_import(who, AppointmentKey(1, "abcd"), now=office.now())
