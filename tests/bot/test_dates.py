"""Days and hours as people type them and read them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from bot import dates

MONDAY = date(2026, 11, 23)
REACH = timedelta(days=180)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("3.12.", date(2026, 12, 3)),
        ("3.12", date(2026, 12, 3)),
        (" 03. 12. ", date(2026, 12, 3)),
        ("3/12", date(2026, 12, 3)),
        ("3.12.2026", date(2026, 12, 3)),
        ("3.12.26", date(2026, 12, 3)),
        ("2026-12-03", date(2026, 12, 3)),
        ("3. Dezember", date(2026, 12, 3)),
        ("3 December 2026", date(2026, 12, 3)),
        ("3 dec", date(2026, 12, 3)),
        ("today", MONDAY),
        ("heute", MONDAY),
        ("Morgen", date(2026, 11, 24)),
        ("tomorrow", date(2026, 11, 24)),
        ("übermorgen", date(2026, 11, 25)),
        ("Friday", date(2026, 11, 27)),
        ("Montag", date(2026, 11, 30)),
        ("3.3.", date(2027, 3, 3)),
        ("٣.٣", date(2027, 3, 3)),
    ],
)
def test_days_are_understood_as_people_type_them(text: str, day: date) -> None:
    assert dates.parse_day(text, on=MONDAY, reach=REACH) == day


def test_a_day_without_a_year_that_is_over_stays_in_the_past_when_next_year_is_out_of_reach() -> None:
    assert dates.parse_day("1.11.", on=MONDAY, reach=REACH) == date(2026, 11, 1)


@pytest.mark.parametrize(
    "text", ["", "31.2.", "32.13.", "0.0.", "soon", "2026-13-01", "3.12.20266", "9" * 5000]
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert dates.parse_day(text, on=MONDAY, reach=REACH) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    dates.parse_day(text, on=MONDAY, reach=REACH)
    dates.parse_hours(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("8-12", (480, 720)),
        ("8:30 – 12:15", (510, 735)),
        ("from 8 to 12", (480, 720)),
        ("von 8 bis 12 Uhr", (480, 720)),
        ("after 15:00", (900, 1440)),
        ("ab 15 Uhr", (900, 1440)),
        ("bis 10", (0, 600)),
        ("before 9:30", (0, 570)),
    ],
)
def test_hours_are_understood_as_people_type_them(text: str, span: tuple[int, int]) -> None:
    assert dates.parse_hours(text) == span


@pytest.mark.parametrize("text", ["", "12-8", "8", "25-26", "8:70-9", "morning-ish"])
def test_what_is_no_span_of_hours_is_none(text: str) -> None:
    assert dates.parse_hours(text) is None


def test_moments_are_shown_on_munichs_clock_in_the_language_spoken() -> None:
    at = datetime(2026, 11, 24, 14, 20, tzinfo=UTC)

    with translation.override("en"):
        assert dates.show_moment(at) == "Tue 24 Nov, 15:20"
    with translation.override("de"):
        assert dates.show_moment(at) == "Di., 24. Nov., 15:20"


def test_minutes_left_never_go_below_zero() -> None:
    now = datetime(2026, 11, 24, 14, 20, tzinfo=UTC)

    assert dates.minutes_until(now - timedelta(minutes=5), now) == 0
    assert dates.minutes_until(now + timedelta(minutes=5, seconds=59), now) == 5
