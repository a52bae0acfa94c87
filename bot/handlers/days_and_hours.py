"""When: presets, the calendar, typed days; hours of the day, per weekday if wanted."""

from dataclasses import replace
from datetime import date, timedelta

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models.watch import HORIZON
from bot import callback_data as cd
from bot import dates
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.handlers.new_watch import ask_next, leave, offices_done
from bot.keyboards import calendar_rows, in_rows, month_number, quick_days
from bot.messages import span_text
from bot.talk import Talk

ALWAYS_AHEAD = 10
# Steps that take one day, with what is asked there.
DAY_STEPS = ("before", "first_day", "last_day")
Windows = list[list[int] | None]


# --- Days ------------------------------------------------------------------------------------------------


def days(talk: Talk) -> Screen:
    """When?"""
    this_week = dates.today(talk.now).weekday() < 4
    week = (
        Button(_("This week"), cd.Days("week")) if this_week else Button(_("Next week"), cd.Days("nextweek"))
    )
    rows = in_rows(
        [
            Button(_("As soon as possible"), cd.Days("asap")),
            week,
            Button(_("Next 10 days, always"), cd.Days("ten")),
            Button(_("Before a date"), cd.Days("before")),
            Button(_("Choose days"), cd.Days("range")),
        ]
    )
    html = format_html("<b>{}</b>\n{}", _("When?"), _("You can also type a day, like 3.12."))
    return Screen(html, [*rows, [leave(talk)]])


def choose_days(talk: Talk, data: cd.Days) -> None:
    """A preset of days was pressed."""
    if talk.step not in ("days", *DAY_STEPS):
        present(talk)
        return
    today = dates.today(talk.now)
    sunday = today + timedelta(days=6 - today.weekday())
    presets: dict[str, tuple[str | None, str | None, int | None]] = {
        "asap": (None, None, None),
        "week": (None, sunday.isoformat(), None),
        "nextweek": (
            (sunday + timedelta(days=1)).isoformat(),
            (sunday + timedelta(days=7)).isoformat(),
            None,
        ),
        "ten": (None, None, ALWAYS_AHEAD),
    }
    if data.preset in presets:
        ask_next(talk, replace(Draft.read(talk.memory), days=presets[data.preset]))
        return
    step = {"before": "before", "range": "first_day"}.get(data.preset, "days")
    talk.go(step, month=month_number(today), first=None)
    present(talk)


def pick_a_day(talk: Talk) -> Screen:
    """The calendar: a last day, or a first and then a last one."""
    today = dates.today(talk.now)
    first = _first_day(talk) or today
    question = {
        "before": _("Until which day?"),
        "first_day": _("From which day on?"),
        "last_day": _("Until which day?"),
    }[talk.step]
    rows = calendar_rows(
        int(talk.memory.get("month", month_number(first))), first=first, last=today + HORIZON
    )
    html = format_html("<b>{}</b>\n{}", question, _("Press a day, or type one, like 3.12."))
    return Screen(html, [quick_days(today), *rows, [Button(_("Back"), cd.Change("days")), leave(talk)]])


def turn_month(talk: Talk, data: cd.Month) -> None:
    """The calendar shows another month."""
    if talk.step in DAY_STEPS:
        talk.go(talk.step, month=data.number)
    present(talk)


def press_day(talk: Talk, data: cd.Day) -> None:
    """A day of the calendar was pressed."""
    if talk.step not in ("days", *DAY_STEPS) or not 1 <= data.ordinal <= date.max.toordinal():
        present(talk)
        return
    take_day(talk, date.fromordinal(data.ordinal))


def type_day(talk: Talk) -> None:
    """A day was typed; on the first question it is the only one wanted."""
    today = dates.today(talk.now)
    day = dates.parse_day(talk.text, on=today, reach=HORIZON)
    if day is None:
        talk.notice = _("I do not understand this day. Type it like 3.12. or press a button.")
        present(talk)
        return
    take_day(talk, day)


def take_day(talk: Talk, day: date) -> None:
    """Use `day` for what was asked, or say why it cannot be."""
    today = dates.today(talk.now)
    first = _first_day(talk)
    if day < today:
        talk.notice = _("%(day)s is in the past. Please choose another day.") % {"day": dates.show_date(day)}
    elif day > today + HORIZON:
        talk.notice = _("The city opens days only until %(day)s.") % {"day": dates.show_date(today + HORIZON)}
    elif talk.step == "last_day" and first is not None and day < first:
        talk.notice = _("The last day lies before the first, %(day)s.") % {"day": dates.show_day(first)}
    elif talk.step == "first_day":
        talk.go("last_day", first=day.isoformat(), month=month_number(day))
    else:
        start = {"last_day": first, "days": day}.get(talk.step)
        chosen = (start.isoformat() if start else None, day.isoformat(), None)
        ask_next(talk, replace(Draft.read(talk.memory), days=chosen))
        return
    present(talk)


def _first_day(talk: Talk) -> date | None:
    kept = talk.memory.get("first") if talk.step == "last_day" else None
    return date.fromisoformat(kept) if kept else None


# --- Hours -----------------------------------------------------------------------------------------------


def hours(talk: Talk) -> Screen:
    """What time of the day?"""
    rows = in_rows(
        [
            Button(_("Any time"), cd.Hours("any")),
            Button(_("Mornings"), cd.Hours("morning")),
            Button(_("Afternoons"), cd.Hours("afternoon")),
            Button(_("After 15:00"), cd.Hours("after15")),
            Button(_("Different per day"), cd.Hours("perday")),
        ]
    )
    html = format_html("<b>{}</b>\n{}", _("What time?"), _("You can also type hours, like 8-12."))
    return Screen(html, [*rows, [leave(talk)]])


def choose_hours(talk: Talk, data: cd.Hours) -> None:
    """A preset of hours was pressed."""
    if talk.step == "hours" and data.preset == "perday":
        # Monday to Friday; the city's offices are closed at weekends.
        windows: Windows = [[0, 1440] if day < 5 else None for day in range(7)]
        talk.go("weekdays", windows=windows)
        present(talk)
        return
    if talk.step != "hours" or data.preset not in dates.HOUR_PRESETS:
        present(talk)
        return
    _set_hours(talk, dates.HOUR_PRESETS[data.preset])


def type_hours(talk: Talk) -> None:
    """Hours were typed, for all days or for the weekday in question."""
    span = dates.parse_hours(talk.text)
    if span is None:
        talk.notice = _("I do not understand these hours. Type them like 8-12 or “after 15:00”.")
        present(talk)
    elif talk.step == "weekday":
        _set_weekday(talk, int(talk.memory.get("weekday", 0)), list(span))
    else:
        _set_hours(talk, span)


def _set_hours(talk: Talk, span: tuple[int, int]) -> None:
    chosen = () if span == (0, 1440) else ((dates.WHOLE_WEEK, *span),)
    ask_next(talk, replace(Draft.read(talk.memory), hours=chosen))


def weekdays(talk: Talk) -> Screen:
    """The hours of each weekday."""
    rows = [
        [Button(f"{dates.weekday_name(day)}: {_window_text(window)}", cd.Weekday(day))]
        for day, window in enumerate(_windows(talk))
        if day < 6
    ]
    html = format_html("<b>{}</b>\n{}", _("What time?"), _("Press a weekday to change its hours."))
    return Screen(html, [*rows, [Button(_("Next"), cd.Done("weekdays"))], [leave(talk)]])


def open_weekday(talk: Talk, data: cd.Weekday) -> None:
    """The hours of one weekday are to be changed."""
    if talk.step == "weekdays" and 0 <= data.number < 7:
        talk.go("weekday", weekday=data.number)
    present(talk)


def weekday(talk: Talk) -> Screen:
    """The hours of one weekday."""
    number = int(talk.memory.get("weekday", 0))
    rows = in_rows(
        [
            Button(_("Any time"), cd.WeekdayHours(number, "any")),
            Button(_("Morning"), cd.WeekdayHours(number, "morning")),
            Button(_("Afternoon"), cd.WeekdayHours(number, "afternoon")),
            Button(_("After 15:00"), cd.WeekdayHours(number, "after15")),
            Button(_("Not this day"), cd.WeekdayHours(number, "never")),
        ]
    )
    html = format_html("<b>{}</b>\n{}", dates.weekday_name(number), _("You can also type hours, like 8-12."))
    return Screen(html, rows)


def set_weekday(talk: Talk, data: cd.WeekdayHours) -> None:
    """A preset for one weekday was pressed."""
    if talk.step != "weekday" or not (0 <= data.number < 7):
        present(talk)
        return
    span = dates.HOUR_PRESETS.get(data.preset)
    _set_weekday(talk, data.number, list(span) if span else None)


def _set_weekday(talk: Talk, number: int, span: list[int] | None) -> None:
    windows = _windows(talk)
    windows[number] = span
    talk.go("weekdays", windows=windows)
    present(talk)


def weekdays_done(talk: Talk, data: cd.Done) -> None:
    """Every weekday has its hours."""
    if talk.step != "weekdays":
        present(talk)
        return
    masks: dict[tuple[int, int], int] = {}
    for day, window in enumerate(_windows(talk)):
        if window is not None:
            span = (window[0], window[1])
            masks[span] = masks.get(span, 0) | 1 << day
    if not masks:
        talk.notice = _("Please leave at least one day.")
        present(talk)
        return
    chosen = tuple((mask, start, end) for (start, end), mask in masks.items())
    ask_next(talk, replace(Draft.read(talk.memory), hours=chosen))


def _windows(talk: Talk) -> Windows:
    windows = list(talk.memory.get("windows", ()))
    return windows if len(windows) == 7 else [[0, 1440]] * 7


def _window_text(window: list[int] | None) -> str:
    return _("not this day") if window is None else span_text(window[0], window[1])


def done(talk: Talk, data: cd.Done) -> None:
    """A list of check marks or weekdays is settled."""
    {"offices": offices_done}.get(data.point, weekdays_done)(talk, data)


SCREENS = {
    "days": days,
    "before": pick_a_day,
    "first_day": pick_a_day,
    "last_day": pick_a_day,
    "hours": hours,
    "weekdays": weekdays,
    "weekday": weekday,
}
TEXTS = dict.fromkeys(("days", *DAY_STEPS), type_day) | {"hours": type_hours, "weekday": type_hours}
