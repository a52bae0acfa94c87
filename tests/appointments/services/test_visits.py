"""Around the visit: said at the right moment on Munich's clock, also on the two odd days of the year."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appointments.models import Booking
from appointments.services.bookings import release_booking
from appointments.services.visits import next_reminder, remind_of_visits, reminders_of
from tests.appointments.services.counter import THURSDAY_9, confirmed
from tests.conftest import Office as Domain
from tests.factories import BookingFactory

MUNICH = ZoneInfo("Europe/Berlin")


def munich(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=MUNICH)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("starts_at", "said"),
    [
        # An ordinary day.
        (munich(2026, 11, 26, 9, 0), ["25 18:00", "26 07:00", "26 12:00"]),
        # Late in the day: the next morning, not the evening.
        (munich(2026, 11, 26, 17, 30), ["25 18:00", "26 15:30", "27 09:00"]),
        # The clock went forward in the night (29 March 2026, 02:00 is 03:00).
        (munich(2026, 3, 29, 9, 0), ["28 18:00", "29 07:00", "29 12:00"]),
        # Two real hours before 04:30 on that day is half past one.
        (munich(2026, 3, 29, 4, 30), ["28 18:00", "29 01:30", "29 07:30"]),
        # The clock went back in the night (25 October 2026, 03:00 is 02:00 again).
        (munich(2026, 10, 25, 9, 0), ["24 18:00", "25 07:00", "25 12:00"]),
        # The morning after lies behind the change.
        (munich(2026, 10, 24, 18, 0), ["23 18:00", "24 16:00", "25 09:00"]),
        (munich(2026, 3, 28, 18, 0), ["27 18:00", "28 16:00", "29 09:00"]),
    ],
)
def test_what_is_said_when(starts_at: datetime, said: list[str]) -> None:
    moments = reminders_of(starts_at.astimezone(UTC))

    assert [kind for _at, kind in moments] == ["reminder_day", "reminder_hours", "visit_over"]
    assert [f"{at.astimezone(MUNICH):%d %H:%M}" for at, _kind in moments] == said


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("day", [munich(2026, 3, 29, 10, 0), munich(2026, 10, 25, 10, 0)])
def test_everything_is_said_once_on_the_days_the_clock_changes(day: datetime) -> None:
    booked_at = day - timedelta(days=3)
    booking = BookingFactory(
        confirmed=True, now=booked_at, starts_at=day, remind_at=next_reminder(day, now=booked_at)
    )

    now = booked_at.astimezone(UTC)
    said = []
    while now < day + timedelta(days=2):
        if remind_of_visits(now=now):
            said.append((booking.messages.latest("pk").kind, f"{now.astimezone(MUNICH):%d %H:%M}"))
        now += timedelta(minutes=10)

    before = f"{(day - timedelta(days=1)):%d} 18:00"
    assert said == [
        ("reminder_day", before),
        ("reminder_hours", f"{day:%d} 08:00"),
        ("visit_over", f"{day:%d} 13:00"),
    ]


def test_after_the_visit_people_are_asked_once_and_quietly(office: Domain) -> None:
    booking = confirmed(office)
    told = len(office.mailman.sent)
    office.munich.clock.freeze(THURSDAY_9 + timedelta(hours=3))

    office.sweep()
    office.advance(minutes=1)
    office.sweep()

    assert office.mailman.kinds()[told:] == ["visit_over"]
    booking.refresh_from_db()
    assert (booking.ended_at is not None, booking.remind_at) == (True, None)


def test_who_cancelled_is_not_asked_how_it_went(office: Domain) -> None:
    booking = confirmed(office)
    release_booking(booking, now=office.now())
    office.work()
    office.munich.clock.freeze(THURSDAY_9 + timedelta(hours=3))

    office.sweep()

    assert "visit_over" not in office.mailman.kinds()


def test_a_question_a_day_late_is_not_asked(office: Domain) -> None:
    booking = confirmed(office)
    office.munich.clock.freeze(THURSDAY_9 + timedelta(hours=28))

    office.sweep()

    assert "visit_over" not in office.mailman.kinds()
    assert Booking.objects.get(pk=booking.pk).remind_at is None
