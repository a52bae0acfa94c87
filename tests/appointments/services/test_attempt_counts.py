"""Success rates, times and reasons, per search, office and hour. Wish 1: found, but not booked."""

from datetime import timedelta

from appointments.models import AttemptCount
from appointments.selectors.attempts import attempts_by_hour, attempts_by_place
from appointments.services.attempt_counts import count_attempts
from appointments.services.bookings import release_booking
from tests.appointments.services.counter import THURSDAY_9, confirmed, look, requested, reserved
from tests.appointments.services.crowd import gather, open_places
from tests.conftest import PASING, Office
from tests.factories import BookingFactory

Outcome = AttemptCount.Outcome


def counted() -> dict[tuple[str, str], int]:
    return {(row.outcome, row.reason): row.attempts for row in AttemptCount.objects.all()}


def test_every_outcome_is_counted_with_its_reason(office: Office) -> None:
    confirmed(office)
    reserved(office, starts_at=THURSDAY_9 + timedelta(hours=1))
    let_go = reserved(office, starts_at=THURSDAY_9 + timedelta(hours=2))
    release_booking(let_go, now=office.now())
    office.work()
    requested(office, starts_at=THURSDAY_9 + timedelta(hours=3))
    office.munich.faults.add("lost_race", 1)
    office.work()
    BookingFactory(now=office.now(), failed=True, reason="notAsked")
    BookingFactory(now=office.now(), unnamed=True)

    count_attempts(now=office.now())

    assert counted() == {
        (Outcome.CONFIRMED, ""): 1,
        (Outcome.KEPT, ""): 1,
        (Outcome.LET_GO, "person"): 1,
        (Outcome.LOST, "taken"): 1,
        (Outcome.FAILED, "notAsked"): 1,
        (Outcome.UNCLEAR, ""): 1,
    }


def test_counting_twice_gives_the_same_and_an_attempt_that_moved_on_is_counted_once(office: Office) -> None:
    booking = reserved(office)
    count_attempts(now=office.now())
    first = counted()
    count_attempts(now=office.now())
    again = counted()
    release_booking(booking, now=office.now())
    office.work()

    count_attempts(now=office.now())

    assert first == again == {(Outcome.KEPT, ""): 1}
    assert counted() == {(Outcome.LET_GO, "person"): 1}


def test_hours_that_cannot_change_any_more_are_left_as_they_are(office: Office) -> None:
    booking = reserved(office)
    count_attempts(now=office.now())
    later = office.now() + timedelta(hours=40)
    booking.delete()

    count_attempts(now=later)

    assert counted() == {(Outcome.KEPT, ""): 1}


def test_the_times_of_the_steps_are_added_up(office: Office) -> None:
    gather(office, 3)
    open_places(office, THURSDAY_9, times=2, places=1)
    look(office, 6)

    count_attempts(now=office.now())

    row = AttemptCount.objects.get(outcome=Outcome.KEPT)
    assert (row.attempts, row.leaving, row.holding, row.confirming) == (2, 2, 2, 0)
    assert row.leaving_ms > 0
    assert row.leaving_ms <= 2 * 6_000


def test_success_is_told_per_place_and_per_hour(office: Office) -> None:
    confirmed(office)
    requested(office, starts_at=THURSDAY_9 + timedelta(hours=3), at=PASING)
    office.munich.faults.add("lost_race", 1)
    office.work()
    count_attempts(now=office.now())

    places = {place.office: place for place in attempts_by_place(now=office.now())}
    hours = attempts_by_hour(now=office.now())

    assert len(places) == 2
    shares = sorted((place.attempts, place.held_percent, place.lost) for place in places.values())
    assert shares == [(1, 0, 1), (1, 100, 0)]
    assert (sum(hour.attempts for hour in hours), sum(hour.held for hour in hours)) == (2, 1)
    assert len(hours) == 24


def test_what_is_under_way_is_no_failure(office: Office) -> None:
    requested(office)

    count_attempts(now=office.now())

    assert counted() == {(Outcome.RUNNING, ""): 1}
    assert attempts_by_place(now=office.now())[0].held_percent is None
