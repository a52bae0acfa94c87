"""The file for calendars, read back with the library that calendars trust."""

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from bot.calendar_file import calendar_file
from tests.factories import BookingFactory, OfficeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking(now):
    office = OfficeFactory(name="Bürgerbüro Ruppertstraße", street="Ruppertstraße 19; Hof, links")
    return BookingFactory(
        confirmed=True,
        now=now,
        office=office,
        starts_at=datetime(2026, 7, 1, 13, 20, tzinfo=UTC),
        auth_key="topsecret",
    )


def test_the_instant_is_right_in_munichs_zone(booking, now) -> None:
    [event] = Calendar.from_ical(calendar_file(booking, now)).walk("VEVENT")

    start = event.decoded("dtstart")
    assert start.astimezone(UTC) == datetime(2026, 7, 1, 13, 20, tzinfo=UTC)
    assert event["dtstart"].params["TZID"] == "Europe/Berlin"
    assert f"{start:%H:%M}" == "15:20"
    assert event.decoded("dtend") - start == timedelta(minutes=30)


def test_it_tells_where_and_rings_the_day_before(booking, now) -> None:
    calendar = Calendar.from_ical(calendar_file(booking, now))

    [event] = calendar.walk("VEVENT")
    assert event["location"] == "Bürgerbüro Ruppertstraße, Ruppertstraße 19; Hof, links, 80337 München"
    assert "A-117" in event["description"]
    [alarm] = calendar.walk("VALARM")
    assert alarm.decoded("trigger") == timedelta(days=-1)
    assert len(calendar.walk("VTIMEZONE")) == 1


def test_it_holds_nothing_with_which_anybody_could_change_the_appointment(booking, now) -> None:
    text = calendar_file(booking, now).decode()

    assert "topsecret" not in text
    assert str(booking.process_id) not in text
    assert "Lovelace" not in text


def test_practice_is_said_in_the_calendar_too(booking, now, settings) -> None:
    assert "Practice: " in calendar_file(booking, now).decode()

    settings.SIMULATED_CITY = False

    assert "Practice: " not in calendar_file(booking, now).decode()
