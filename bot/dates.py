"""Days and hours: read from what people type, shown as their language writes them. The zone is Munich's."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, get_day_names, get_month_names
from django.utils.translation import get_language

MUNICH = ZoneInfo("Europe/Berlin")
WHOLE_WEEK = 0b1111111
# Hours offered as buttons: minutes of the local day, end excluded.
HOUR_PRESETS: dict[str, tuple[int, int]] = {
    "any": (0, 1440),
    "morning": (0, 720),
    "afternoon": (720, 1440),
    "after15": (900, 1440),
}
_RELATIVE = {
    "today": 0, "heute": 0, "tomorrow": 1, "morgen": 1, "übermorgen": 2, "uebermorgen": 2,
    "day after tomorrow": 2,
}  # fmt: skip
_LANGUAGES = ("en", "de")


def local(at: datetime) -> datetime:
    """The same instant on Munich's clock."""
    return at.astimezone(MUNICH)


def today(now: datetime) -> date:
    """Munich's present day."""
    return local(now).date()


# --- Shown -------------------------------------------------------------------------------------------------


def _locale() -> str:
    # British English, because dates here are day before month, as everywhere in Munich.
    language = get_language() or "en"
    return "en_GB" if language.startswith("en") else language.replace("-", "_")


def show_day(day: date) -> str:
    """ "Tue, 24 Nov", in the present language."""
    return str(format_skeleton("MMMEd", day, locale=_locale()))


def show_date(day: date) -> str:
    """ "24 November 2026": with its year, where the year is in doubt."""
    return str(format_date(day, "long", locale=_locale()))


def show_time(at: datetime) -> str:
    """ "15:20", on Munich's clock."""
    return f"{local(at):%H:%M}"


def show_moment(at: datetime) -> str:
    """ "Tue, 24 Nov, 15:20", on Munich's clock."""
    return f"{show_day(local(at).date())}, {show_time(at)}"


def show_since(at: datetime, now: datetime) -> str:
    """ "14:05" today, otherwise with its day."""
    return show_time(at) if today(at) == today(now) else show_moment(at)


def show_month(year: int, month: int) -> str:
    """ "December 2026"."""
    return str(format_date(date(year, month, 1), "LLLL y", locale=_locale()))


def weekday_name(number: int, *, short: bool = False) -> str:
    """The name of a weekday, Monday is 0."""
    names = get_day_names("abbreviated" if short else "wide", context="stand-alone", locale=_locale())
    return str(names[number])


def minutes_until(until: datetime, now: datetime) -> int:
    """Whole minutes left, never less than 0."""
    return max(0, int((until - now).total_seconds() // 60))


def show_minutes(minute: int) -> str:
    """ "15:00" for minute 900 of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


# --- Read --------------------------------------------------------------------------------------------------


def _months() -> dict[str, int]:
    names: dict[str, int] = {}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, locale=language).items():
                names[str(name).lower().rstrip(".")] = number
    return names


def _weekdays() -> dict[str, int]:
    names: dict[str, int] = {}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            for number, name in get_day_names(width, locale=language).items():
                names[str(name).lower().rstrip(".")] = number
    return names


_MONTHS = _months()
_WEEKDAYS = _weekdays()
_NUMERIC = re.compile(r"(\d{1,2})\s*[./]\s*(\d{1,2})\s*(?:[./]\s*(\d{4}|\d{2})?)?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_NAMED = re.compile(r"(\d{1,2})\.?\s+([^\W\d]+)\.?\s*(\d{4})?")


def parse_day(text: str, *, on: date, reach: timedelta) -> date | None:
    """The day `text` means, seen from the day `on`; None when it is no day.

    Reads 3.12., 3.12.2026, 2026-12-03, 3 December, a weekday, today, tomorrow, and the same in German. A day without
    a year is the next one of its name within `reach`, otherwise this year's.
    """
    said = " ".join(text.lower().split())[:40]
    if said in _RELATIVE:
        return on + timedelta(days=_RELATIVE[said])
    if said.rstrip(".") in _WEEKDAYS:
        ahead = (_WEEKDAYS[said.rstrip(".")] - on.weekday()) % 7
        return on + timedelta(days=ahead or 7)
    if match := _ISO.fullmatch(said):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _NUMERIC.fullmatch(said):
        day, month, year = int(match[1]), int(match[2]), match[3]
    elif (match := _NAMED.fullmatch(said)) and match[2] in _MONTHS:
        day, month, year = int(match[1]), _MONTHS[match[2]], match[3]
    else:
        return None
    if year:
        return _day(int(year) + (2000 if len(year) == 2 else 0), month, day)
    this_year, next_year = _day(on.year, month, day), _day(on.year + 1, month, day)
    if this_year is None or this_year < on:
        return next_year if next_year and next_year <= on + reach else this_year
    return this_year


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_CLOCK = r"(\d{1,2})(?:[:.](\d{2}))?\s*(?:h|uhr)?"
_SPAN = re.compile(rf"(?:von |from |between |zwischen )?{_CLOCK}\s*(?:-|–|to|bis|and|und)\s*{_CLOCK}")
_AFTER = re.compile(rf"(?:after|from|ab|nach|von)\s+{_CLOCK}")
_BEFORE = re.compile(rf"(?:before|until|till|vor|bis)\s+{_CLOCK}")


def parse_hours(text: str) -> tuple[int, int] | None:
    """From and to in minutes of the day, read from "8-12", "after 15:00", "bis 10 Uhr"; None when it is no span."""
    said = " ".join(text.lower().split())[:40]
    if match := _SPAN.fullmatch(said):
        start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
    elif match := _AFTER.fullmatch(said):
        start, end = _minute(match[1], match[2]), 1440
    elif match := _BEFORE.fullmatch(said):
        start, end = 0, _minute(match[1], match[2])
    else:
        return None
    if start is None or end is None or start >= end:
        return None
    return start, end


def _minute(hours: str, minutes: str | None) -> int | None:
    minute = int(hours) * 60 + int(minutes or 0)
    return minute if minute <= 1440 and int(minutes or 0) < 60 else None
