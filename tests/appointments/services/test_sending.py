"""Sending contact data and asking for the mailed link, when the city answers well, badly or not at all."""

from datetime import timedelta

import pytest

from appointments.errors import ContactMissing, InvalidValue, NotAllowed
from appointments.models import Booking
from appointments.models import Office as OfficeRow
from appointments.services import sending, sweeps
from appointments.services.bookings import answer_question, keep_booking, release_booking
from appointments.services.subscribers import forget_contact, save_contact
from appointments.states import BookingState as S
from appointments.upstream.errors import OutcomeUnknown
from appointments.upstream.types import Appointment, AppointmentKey
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    person,
    preconfirmed,
    requested,
    reserved,
    settle,
    states,
    time_out,
)
from tests.conftest import PASING
from tests.conftest import Office as Domain

UPDATE, PRECONFIRM = ["update-appointment"], ["preconfirm-appointment"]


def test_data_sent_are_at_the_city_and_the_mail_leaves(office: Domain) -> None:
    booking = preconfirmed(office)
    office.advance(seconds=2)

    process = office.munich.reservations[0]
    assert (process.family_name, process.email) == (booking.family_name, booking.email)
    assert [mail.kind for mail in office.munich.mails] == ["activation"]
    assert states(booking) == ["requested", "reserving", "reserved", "preconfirming", "preconfirmed"]
    assert "check_mail" in office.mailman.kinds()


@pytest.mark.parametrize("paths", [UPDATE, PRECONFIRM], ids=["update", "preconfirm"])
@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("maintenance", S.RESERVED),
        ("rate_limited", S.RESERVED),
        ("slow", S.PRECONFIRMED),
        ("lost_before", S.PRECONFIRMED),
        ("lost_after", S.PRECONFIRMED),
        ("gateway_400", S.PRECONFIRMED),
        ("html_502", S.PRECONFIRMED),
        ("truncated_json", S.PRECONFIRMED),
        ("empty_body", S.PRECONFIRMED),
    ],
)
def test_whatever_the_answer_the_city_ends_up_with_the_data_once(
    office: Domain, kind: str, paths: list[str], first: S
) -> None:
    booking = reserved(office)
    office.munich.faults.add(kind, 1, paths, seconds=0.01)

    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    after_first = booking.state
    settle(office, booking, minutes=2.5, step=50)

    assert after_first == first
    assert booking.state == S.PRECONFIRMED
    assert at_the_city(office) == ["preconfirmed"]
    assert [mail.kind for mail in office.munich.mails] == ["activation"]
    assert office.mailman.kinds().count("check_mail") == 1


@pytest.mark.parametrize("before", [True, False])
def test_a_time_out_of_preconfirm_is_settled_by_reading(office: Domain, before: bool) -> None:
    booking = reserved(office)
    time_out(office, "preconfirm-appointment", before=before)

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED
    assert "uncertain" in states(booking)


def test_a_hold_the_city_dropped_meanwhile_has_lapsed(office: Domain) -> None:
    booking = reserved(office)
    # The city's clock is ahead of ours: it lapsed there first.
    number = booking.process_id
    office.munich.desk.processes[number].reserved_at -= 3600
    office.munich.run_jobs()

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.LAPSED, "appointmentNotFound")
    assert office.mailman.kinds()[-1] == "hold_lapsed"


def test_a_hold_cancelled_elsewhere_before_the_data_arrive_has_lapsed(office: Domain) -> None:
    booking = reserved(office)
    office.munich.desk.cancel(booking.process_id, booking.auth_key, office.munich.now())

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.LAPSED


def test_data_already_preconfirmed_there_are_recognised_by_reading(office: Domain) -> None:
    booking = reserved(office)
    office.munich.desk.preconfirm(booking.process_id, booking.auth_key, office.munich.now())

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_the_mail_limit_keeps_the_hold_and_asks(office: Domain) -> None:
    who = person(office, email="same@example.org")
    row = OfficeRow.objects.get(upstream_id=PASING)
    limit = office.munich.catalogue.offices[PASING].scope.per_mail
    assert limit, "the office of this test limits appointments per address"
    for number in range(limit):
        preconfirmed(
            office,
            who=person(office, email="same@example.org"),
            at=PASING,
            starts_at=THURSDAY_9 + timedelta(hours=1 + number),
        )

    booking = reserved(office, who=who, at=PASING)
    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.wish, booking.office) == (S.RESERVED, Booking.Wish.ASK, row)
    assert booking.email == ""
    assert office.mailman.kinds()[-1] == "mail_limit"


def test_data_the_city_refuses_are_asked_for_anew_and_then_taken(office: Domain) -> None:
    booking = reserved(office, who=person(office, email="ada@example"))
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    first = (booking.state, booking.wish, booking.email)

    save_contact(booking.subscriber, email="ada@example.org", now=office.now())
    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert first == (S.RESERVED, Booking.Wish.ASK, "")
    assert office.mailman.sent[1][0].payload == {"field": "email"}
    assert (booking.state, booking.email) == (S.PRECONFIRMED, "ada@example.org")


def test_data_that_break_the_city_are_not_sent_for_ever(office: Domain) -> None:
    booking = reserved(office, who=person(office, family_name="Ada 😀 Lovelace"))

    keep_booking(booking, now=office.now())
    settle(office, booking, minutes=5, step=15)

    assert (booking.state, booking.wish) == (S.RESERVED, Booking.Wish.ASK)
    assert calls_of(office, "update-appointment") == sending.MOST_UNCLEAR
    assert office.mailman.kinds().count("contact_refused") == 1


def test_a_city_away_is_asked_more_and_more_rarely(office: Domain) -> None:
    booking = reserved(office)
    office.munich.faults.add("maintenance", None, UPDATE)

    keep_booking(booking, now=office.now())
    settle(office, booking, minutes=10, step=5)

    assert booking.state == S.RESERVED
    assert calls_of(office, "update-appointment") <= 16


def test_keeping_without_data_changes_nothing(office: Domain) -> None:
    booking = reserved(office, who=person(office, known=False))

    with pytest.raises(ContactMissing) as missing:
        keep_booking(booking, now=office.now())

    booking.refresh_from_db()
    assert missing.value.fields == ("family_name", "email")
    assert (booking.state, booking.wish) == (S.RESERVED, Booking.Wish.ASK)


def test_data_given_up_before_they_were_sent_are_asked_for(office: Domain) -> None:
    booking = requested(office, mode="auto")
    forget_contact(booking.subscriber)

    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.wish) == (S.RESERVED, Booking.Wish.ASK)
    assert office.mailman.kinds() == ["appointment_reserved", "details_needed"]


def test_an_office_that_insists_on_more_gets_it_before_anything_is_sent(office: Domain) -> None:
    booking = reserved(office)
    OfficeRow.objects.filter(pk=booking.office_id).update(
        telephone_activated=True,
        telephone_required=True,
        custom_text_activated=True,
        custom_text_required=True,
    )
    booking = Booking.objects.get()

    with pytest.raises(ContactMissing) as missing:
        keep_booking(booking, now=office.now())
    with pytest.raises(InvalidValue):
        answer_question(booking, custom_text="  ", now=office.now())
    answer_question(booking, custom_text="I come by <b>wheelchair</b>", now=office.now())
    save_contact(booking.subscriber, telephone="089 / 233 96000", now=office.now())
    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert missing.value.fields == ("telephone", "custom_text")
    assert booking.state == S.PRECONFIRMED
    assert office.munich.reservations[0].custom_text == "I come by wheelchair"
    assert office.munich.reservations[0].telephone == "08923396000"


def test_keeping_before_it_is_held_sends_as_soon_as_it_is(office: Domain) -> None:
    booking = requested(office)

    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


def test_keeping_twice_sends_once(office: Domain) -> None:
    booking = reserved(office)

    keep_booking(booking, now=office.now())
    keep_booking(booking, now=office.now())
    office.work()

    assert calls_of(office, "preconfirm-appointment") == 1


def test_keeping_what_is_over_or_on_its_way_back_is_refused(office: Domain) -> None:
    done = confirmed(office)
    returning = reserved(office, starts_at=THURSDAY_9 + timedelta(hours=3))
    release_booking(returning, now=office.now())

    for booking in (done, returning):
        with pytest.raises(NotAllowed):
            keep_booking(booking, now=office.now())


def test_a_lost_task_of_sending_is_found_by_the_sweep(office: Domain) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()

    settle(office, booking, minutes=1, step=16)

    assert booking.state == S.PRECONFIRMED


@pytest.mark.parametrize("done", ["nothing", "update", "preconfirm"])
def test_a_worker_that_died_while_sending_is_settled_by_reading(office: Domain, done: str) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()
    booking.refresh_from_db()
    if done != "nothing":
        office.desk.api.update(booking.key, booking.contact)
    if done == "preconfirm":
        office.desk.api.preconfirm(booking.key)
    Booking.objects.update(state=S.PRECONFIRMING, lease_until=office.now() + timedelta(seconds=60))

    office.advance(seconds=61)
    office.sweep()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED
    assert at_the_city(office) == ["preconfirmed"]
    assert calls_of(office, "preconfirm-appointment") == 1


def test_an_answer_that_comes_after_the_sweep_gave_it_up_is_taken(office: Domain) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()
    preconfirm = office.desk.api.preconfirm

    def slow_preconfirm(*args: object) -> object:
        answer = preconfirm(*args)
        office.munich.clock.advance(timedelta(seconds=61))
        sweeps.sweep_bookings(now=office.now())
        return answer

    office.desk.api.preconfirm = slow_preconfirm  # type: ignore[method-assign]
    sending.send_booking(booking, office.desk)
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.PRECONFIRMED


@pytest.mark.parametrize("kind", [None, "maintenance", "rate_limited", "lost_before", "lost_after"])
def test_giving_back_while_data_are_on_their_way_leaves_nothing_at_the_city(
    office: Domain, kind: str | None
) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    if kind:
        office.munich.faults.add(kind, 1, PRECONFIRM)
    preconfirm = office.desk.api.preconfirm

    def preconfirm_while_released(*args: object) -> object:
        release_booking(Booking.objects.get(pk=booking.pk), now=office.now(), reason="superseded")
        return preconfirm(*args)

    office.desk.api.preconfirm = preconfirm_while_released  # type: ignore[method-assign]
    settle(office, booking, minutes=3, step=60)

    assert (booking.state, booking.reason) == (S.CANCELLED, "superseded")
    assert [status for status in at_the_city(office) if status != "deleted"] == []
    assert office.mailman.kinds().count("hold_released") == 1


def test_giving_back_while_refused_data_come_home_gives_back(office: Domain) -> None:
    booking = reserved(office, who=person(office, email="ada@example"))
    keep_booking(booking, now=office.now())
    update = office.desk.api.update

    def update_while_released(*args: object) -> object:
        release_booking(Booking.objects.get(pk=booking.pk), now=office.now())
        return update(*args)

    office.desk.api.update = update_while_released  # type: ignore[method-assign]
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert "contact_refused" not in office.mailman.kinds()


@pytest.mark.parametrize("answer", ["arrives", "is lost"])
def test_a_worker_taken_for_dead_that_comes_back_when_all_is_settled_changes_nothing(
    office: Domain, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()
    preconfirm = office.desk.api.preconfirm

    def slow(key: AppointmentKey) -> Appointment:
        """So slow that the sweep gives the worker up, and reading shows what the call has done."""
        answered = preconfirm(key)
        office.advance(seconds=61)
        office.sweep()
        assert Booking.objects.get(pk=booking.pk).state == S.PRECONFIRMED
        if answer == "is lost":
            raise OutcomeUnknown("timeout", status=None)
        return answered

    monkeypatch.setattr(office.desk.api, "preconfirm", slow)
    found = sending.send_booking(Booking.objects.get(pk=booking.pk), office.desk)
    office.work()

    assert found.state == S.PRECONFIRMED
    assert states(booking)[-3:] == ["preconfirming", "uncertain", "preconfirmed"]
    assert office.mailman.kinds().count("check_mail") == 1


@pytest.mark.parametrize("call", ["update", "preconfirm"])
def test_a_worker_taken_for_dead_that_comes_back_with_nothing_new_leaves_it_to_reading(
    office: Domain, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    office.queue.waiting.clear()
    real = getattr(office.desk.api, call)

    def slow(*args: object) -> Appointment:
        """The sweep gives the worker up; nobody has read yet."""
        office.advance(seconds=61)
        sweeps.sweep_bookings(now=office.now())
        monkeypatch.setattr(office.desk.api, call, real)
        raise OutcomeUnknown("timeout", status=None)

    monkeypatch.setattr(office.desk.api, call, slow)
    found = sending.send_booking(Booking.objects.get(pk=booking.pk), office.desk)
    office.work()

    booking.refresh_from_db()
    assert (found.state, booking.state) == (S.UNCERTAIN, S.PRECONFIRMED)
    assert office.mailman.kinds().count("check_mail") == 1
