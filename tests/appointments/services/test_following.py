"""Following a booking until the city's word is certain; only that word makes it confirmed."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from appointments.errors import NotAllowed
from appointments.models import Booking, Call, Watch
from appointments.services.bookings import keep_booking, look_again, release_booking
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    AT,
    THURSDAY_9,
    at_the_city,
    calls_of,
    confirmed,
    preconfirmed,
    requested,
    reserved,
    settle,
    states,
)
from tests.conftest import Office as Domain

READ = ["appointment"]


def test_only_the_citys_word_makes_a_booking_confirmed(office: Domain) -> None:
    booking = preconfirmed(office)

    settle(office, booking, minutes=2)
    before = booking.state
    office.open_mailed_link()
    settle(office, booking, minutes=0.5)

    assert before == S.PRECONFIRMED
    assert (booking.state, booking.city_status) == (S.CONFIRMED, "confirmed")
    assert office.mailman.kinds().count("appointment_confirmed") == 1


@pytest.mark.parametrize("fields", [{}, {"city_status": "confirmed"}, {"city_status": "preconfirmed"}])
def test_the_database_refuses_confirmed_without_the_citys_word(office: Domain, fields: dict) -> None:
    booking = reserved(office)

    with pytest.raises(IntegrityError), transaction.atomic():
        Booking.objects.filter(pk=booking.pk).update(state=S.CONFIRMED, **fields)


@pytest.mark.parametrize(
    "kind",
    [
        "maintenance",
        "rate_limited",
        "lost_before",
        "lost_after",
        "gateway_400",
        "html_502",
        "html_200",
        "truncated_json",
        "empty_body",
    ],
)
def test_a_reading_that_says_nothing_changes_nothing_and_is_repeated(office: Domain, kind: str) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    office.munich.faults.add(kind, 1, READ)

    look_again(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    after_first = booking.state
    settle(office, booking, minutes=3, step=20)

    assert (after_first, booking.state) == (S.PRECONFIRMED, S.CONFIRMED)


def test_a_link_opened_is_seen_at_once_when_the_person_says_so(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()

    look_again(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CONFIRMED
    assert list(Call.objects.order_by("-pk").values_list("kind", flat=True)[:1]) == ["booking"]


def test_looks_nobody_asked_for_do_not_use_the_reserve_of_bookings(office: Domain) -> None:
    booking = preconfirmed(office)

    settle(office, booking, minutes=2)

    assert calls_of(office, "appointment") >= 4
    assert Call.objects.filter(kind="follow").count() == calls_of(office, "appointment")


def test_looking_grows_rarer(office: Domain) -> None:
    booking = preconfirmed(office)

    settle(office, booking, minutes=15, step=5)

    assert calls_of(office, "appointment") <= 12 + 14 + 6 + 2


def test_a_link_nobody_opened_lapses_and_the_watch_goes_on(office: Domain) -> None:
    watch = office.watch(mode="auto")
    office.open(THURSDAY_9)
    office.look()
    booking = office.booking()
    assert booking.state == S.PRECONFIRMED

    settle(office, booking, minutes=booking.office.activation_minutes + 3, step=30)

    watch.refresh_from_db()
    assert (booking.state, watch.state) == (S.LAPSED, Watch.State.ACTIVE)
    assert "activation_lapsed" in office.mailman.kinds()
    # At half time, and ten minutes before the end.
    assert office.mailman.kinds().count("activation_ending") == 2


def test_an_appointment_cancelled_on_the_citys_page_is_seen_when_looked_at(office: Domain) -> None:
    booking = confirmed(office)
    office.munich.desk.cancel(booking.process_id, booking.auth_key, office.munich.now())

    look_again(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "elsewhere")
    assert office.mailman.kinds()[-1] == "appointment_gone"


def test_a_preconfirmed_one_cancelled_on_the_citys_page_is_seen_by_itself(office: Domain) -> None:
    booking = preconfirmed(office)
    office.munich.desk.cancel(booking.process_id, booking.auth_key, office.munich.now())

    settle(office, booking, minutes=1)

    assert (booking.state, booking.reason) == (S.CANCELLED, "elsewhere")
    assert office.mailman.kinds()[-1] == "appointment_gone"


def test_a_hold_that_is_looked_at_follows_the_city_wherever_it_stands(office: Domain) -> None:
    booking = reserved(office)
    office.munich.desk.preconfirm(booking.process_id, booking.auth_key, office.munich.now())
    look_again(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    first = booking.state

    other = reserved(office, starts_at=THURSDAY_9 + timedelta(hours=1))
    office.munich.desk.confirm(other.process_id, other.auth_key, office.munich.now())
    look_again(other, now=office.now())
    office.work()
    other.refresh_from_db()

    third = reserved(office, starts_at=THURSDAY_9 + timedelta(hours=2))
    office.munich.desk.cancel(third.process_id, third.auth_key, office.munich.now())
    look_again(third, now=office.now())
    office.work()
    third.refresh_from_db()

    assert (first, other.state, third.state) == (S.PRECONFIRMED, S.CONFIRMED, S.CANCELLED)


def test_a_hold_the_city_no_longer_knows_has_lapsed(office: Domain) -> None:
    booking = reserved(office)
    office.munich.clock.advance(timedelta(minutes=booking.office.reservation_minutes + 1))
    office.munich.tick()

    look_again(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.LAPSED


def test_a_confirmed_one_the_city_no_longer_knows_is_gone(office: Domain) -> None:
    booking = confirmed(office)
    del office.munich.desk.processes[booking.process_id]

    look_again(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert (booking.state, booking.reason) == (S.CANCELLED, "elsewhere")


def test_looking_where_nothing_waits_is_refused(office: Domain) -> None:
    booking = requested(office)

    with pytest.raises(NotAllowed):
        look_again(booking, now=office.now())


def test_two_looks_at_once_ask_once(office: Domain) -> None:
    booking = preconfirmed(office)
    look_again(booking, now=office.now())
    before = calls_of(office, "appointment")
    first, second = Booking.objects.get(), Booking.objects.get()
    from appointments.services.following import follow_booking

    office.queue.waiting.clear()
    follow_booking(first, office.desk)
    follow_booking(second, office.desk)

    assert calls_of(office, "appointment") == before + 1


def test_a_confirmation_while_it_is_given_back_is_given_back_too(office: Domain) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    release_booking(booking, now=office.now(), reason="person")

    settle(office, booking, minutes=1)

    assert booking.state == S.CANCELLED
    assert "appointment_confirmed" not in office.mailman.kinds()
    assert at_the_city(office) == ["deleted"]


def test_a_word_we_do_not_know_is_written_down_and_changes_nothing(office: Domain) -> None:
    booking = preconfirmed(office)
    office.munich.desk.processes[booking.process_id].status = "queued"

    settle(office, booking, minutes=0.5)

    assert (booking.state, booking.city_status) == (S.PRECONFIRMED, "queued")


@pytest.mark.parametrize("state", sorted(AT))
def test_every_step_is_written_down(office: Domain, state: S) -> None:
    booking = AT[state](office)

    assert states(booking)[-1] == state
    assert booking.events.order_by("-pk").first().at == booking.state_since


@pytest.mark.parametrize(
    ("meanwhile", "state"), [("cancel", S.CANCELLED), ("confirm", S.CONFIRMED), ("delete", S.LAPSED)]
)
def test_what_is_uncertain_follows_whatever_the_city_says(office: Domain, meanwhile: str, state: S) -> None:
    booking = reserved(office)
    office.munich.faults.add("lost_after", 1, ["preconfirm-appointment"])
    office.munich.faults.add("html_502", 1, READ)
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.state == S.UNCERTAIN
    desk = office.munich.desk
    if meanwhile == "delete":
        del desk.processes[booking.process_id]
    else:
        getattr(desk, meanwhile)(booking.process_id, booking.auth_key, office.munich.now())

    settle(office, booking, minutes=1)

    assert booking.state == state


def test_a_reading_that_comes_back_after_the_appointment_was_given_back_is_no_accident(
    office: Domain,
) -> None:
    booking = preconfirmed(office)
    office.open_mailed_link()
    read = office.desk.api.appointment

    def slow(*args: object, **options: object) -> object:
        office.desk.api.appointment = read  # type: ignore[method-assign]
        answer = read(*args, **options)  # type: ignore[arg-type]
        release_booking(booking, now=office.now())
        office.work()
        return answer

    office.desk.api.appointment = slow  # type: ignore[method-assign, assignment]
    look_again(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert booking.state == S.CANCELLED
    assert "appointment_confirmed" not in office.mailman.kinds()
