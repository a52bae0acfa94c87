"""Buttons out of values: rows of a bearable width, check marks, pages, the calendar."""

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from django.utils.translation import gettext as _

from appointments.models import Office
from bot import callback_data as cd
from bot import dates
from bot.drafts import Draft
from bot.effects import Button, Rows

OFFICES_PER_PAGE = 8
SERVICES_PER_PAGE = 8
# More letters than this are cut off by phones.
LONGEST_LABEL = 60


def in_rows(buttons: Iterable[Button], width: int = 2) -> Rows:
    """The buttons in order, `width` to a row."""
    row = list(buttons)
    return [row[start : start + width] for start in range(0, len(row), width)]


def shortened(text: str, longest: int = LONGEST_LABEL) -> str:
    """`text`, cut to what a button can show."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def back_home() -> Button:
    """The way back from every dead end."""
    return Button(_("Menu"), cd.Go("home"))


def office_list(offices: Sequence[Office], chosen: Sequence[int], page: int) -> Rows:
    """Offices with check marks, one to a row, and buttons to turn the page."""
    pages = max(1, -(-len(offices) // OFFICES_PER_PAGE))
    page = min(max(page, 0), pages - 1)
    shown = offices[page * OFFICES_PER_PAGE : (page + 1) * OFFICES_PER_PAGE]
    rows = []
    for office in shown:
        on = office.pk in chosen
        label = f"{'☑' if on else '☐'} {office.shown_name}"
        rows.append([Button(shortened(label), cd.PickOffice(office.pk, int(not on), page))])
    return rows + turn_page(page, pages, cd.OfficePage)


def add_service(draft: Draft) -> list[Button]:
    """The way to another service in the same appointment, where there is one."""
    if draft.more:
        return [Button(_("➕ Other services"), cd.More("list"))]
    if any(partner.offices for partner in draft.partners()):
        return [Button(_("➕ Another service too"), cd.More("list"))]
    return []


def turn_page(page: int, pages: int, data: type[cd.OfficePage]) -> Rows:
    """Buttons to the page before and after, none when there is one page."""
    if pages <= 1:
        return []
    row = []
    if page > 0:
        row.append(Button("‹", data(page - 1)))
    row.append(Button(f"{page + 1}/{pages}", cd.Nothing()))
    if page < pages - 1:
        row.append(Button("›", data(page + 1)))
    return [row]


def month_number(day: date) -> int:
    """The month of `day` as one number, for turning the calendar."""
    return day.year * 12 + day.month - 1


def calendar_rows(number: int, *, first: date, last: date) -> Rows:
    """One month; days before `first` or after `last` cannot be pressed, nor months without any other day."""
    number = min(max(number, month_number(first)), month_number(last))
    year, month = divmod(number, 12)
    month += 1
    turn = [
        Button("‹" if number > month_number(first) else "·", _turn(number - 1, number > month_number(first))),
        Button(dates.show_month(year, month), cd.Nothing()),
        Button("›" if number < month_number(last) else "·", _turn(number + 1, number < month_number(last))),
    ]
    rows = [turn, [Button(dates.weekday_name(n, short=True)[:2], cd.Nothing()) for n in range(7)]]
    for week in calendar.Calendar().monthdatescalendar(year, month):
        if week[-1] < first or week[0] > last:
            continue
        rows.append(
            [
                Button(str(day.day), cd.Day(day.toordinal()))
                if day.month == month and first <= day <= last
                else Button("·", cd.Nothing())
                for day in week
            ]
        )
    return rows


def _turn(number: int, possible: bool) -> cd.Data:
    return cd.Month(number) if possible else cd.Nothing()


def quick_days(today: date) -> list[Button]:
    """Days people mean most often."""
    return [
        Button(_("Tomorrow"), cd.Day((today + timedelta(days=1)).toordinal())),
        Button(_("In a week"), cd.Day((today + timedelta(days=7)).toordinal())),
    ]
