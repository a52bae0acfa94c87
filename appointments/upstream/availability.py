"""What is free, asked in each dialect of the city's API: one question in, one `Calendar` out.

The newest dialect (D3) answers with one request: every bookable day, and the times of one. The older ones ask for days
and for times apart, so a sweep costs them two requests where anything is free, and one where nothing is:

| dialect | days | times of a day |
|---|---|---|
| D2 | `/available-days-by-office/`: days with their offices | `/available-appointments-by-office/` |
| D1 | `/available-days/`: days of all offices asked together | `/available-appointments-by-office/` |
| D1 before muc20 | the same | `/available-appointments/`, once for each office: it names none |

In D1 the days could be asked office by office, too. That would cost a request for each office in every sweep, and buy
only which office a day belongs to; the times of the day tell the same for the days people wait for. So the days are
asked once, and each of them counts as a day of every office asked until its times are known.

Every request passes the gate by itself. If it closes between days and times, the days are told without times.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeVar

from appointments.upstream import reading
from appointments.upstream.answers import Answer, body_of, says_nothing_free
from appointments.upstream.errors import NOTHING_FREE_CODES, RETIRED_CODE, GateClosed, RouteGone
from appointments.upstream.types import Calendar, CalendarDay, CallKind, ServiceCount, Slot

_NO_TIMES_CODES = NOTHING_FREE_CODES | {"appointmentNotAvailable"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CalendarQuestion:
    """What is wanted to know: services (main one first), offices, local days, and the day whose times matter."""

    services: tuple[ServiceCount, ...]
    office_ids: tuple[int, ...]
    start: date
    end: date
    day: date | None = None
    captcha_token: str = ""
    kind: CallKind = CallKind.SWEEP

    def params(self, plural: str = "") -> dict[str, str]:
        """The parameters all dialects share; the newest one calls them by the plural."""
        return {
            f"officeId{plural}": _csv(self.office_ids),
            f"serviceId{plural}": _csv(each.service_id for each in self.services),
            f"serviceCount{plural}": _csv(each.count for each in self.services),
            **({"captchaToken": self.captcha_token} if self.captcha_token else {}),
        }


class Ask(Protocol):
    """One question put to the city through the gate; `read` turns its answer into a value or raises."""

    def __call__(
        self, kind: CallKind, path: str, params: Mapping[str, str], read: Callable[[Answer], T]
    ) -> T: ...


def newest_calendar(ask: Ask, question: CalendarQuestion) -> Calendar:
    """D3. Source: GET /available-calendar/"""
    start, end, day = question.start, question.end, question.day
    dates = {"startDate": start.isoformat(), "endDate": end.isoformat()}
    if day is not None:
        dates["slotsStartDate"] = dates["slotsEndDate"] = day.isoformat()
    params = {**dates, **question.params("s")}

    def read(answer: Answer) -> Calendar:
        if says_nothing_free(answer):
            return Calendar(days=())
        return reading.calendar(_of_today(answer), start, end)

    return ask(question.kind, "/available-calendar/", params, read)


def by_office_calendar(ask: Ask, question: CalendarQuestion) -> Calendar:
    """D2."""
    return _calendar(ask, question, _days_by_office, _times_by_office)


def merged_calendar(ask: Ask, question: CalendarQuestion) -> Calendar:
    """D1 from muc20 on."""
    return _calendar(ask, question, _days_merged, _times_by_office)


def earliest_calendar(ask: Ask, question: CalendarQuestion) -> Calendar:
    """D1 of muc19, where times come without their office."""
    return _calendar(ask, question, _days_merged, _times_of_each_office)


Days = dict[date, frozenset[int]]
DaysOf = Callable[[Ask, CalendarQuestion], Days]
TimesOf = Callable[[Ask, CalendarQuestion, date, Collection[int]], tuple[Slot, ...]]


def _calendar(ask: Ask, question: CalendarQuestion, days_of: DaysOf, times_of: TimesOf) -> Calendar:
    """Days and the times of one of them, put together as the newest dialect does."""
    day = question.day
    if day is not None and question.start == question.end:
        slots = times_of(ask, question, day, question.office_ids)
        return Calendar(days=(_timed(day, slots),) if slots else (), slots_day=day)
    days = days_of(ask, question)
    day = day or min(days, default=None)
    if day is None or day not in days:
        return Calendar(days=_untimed(days))
    try:
        slots = times_of(ask, question, day, days[day])
    except GateClosed:
        return Calendar(days=_untimed(days))
    # A day that is listed but has no times is not bookable any more: it went between the two answers.
    others = _untimed({each: offices for each, offices in days.items() if each != day})
    listed = (*others, _timed(day, slots)) if slots else others
    return Calendar(days=tuple(sorted(listed, key=lambda each: each.day)), slots_day=day)


def _timed(day: date, slots: tuple[Slot, ...]) -> CalendarDay:
    return CalendarDay(day, frozenset(slot.office_id for slot in slots), slots)


def _untimed(days: Days) -> tuple[CalendarDay, ...]:
    return tuple(CalendarDay(day, days[day], None) for day in sorted(days))


# Days


def _days_by_office(ask: Ask, question: CalendarQuestion) -> Days:
    """Source: GET /available-days-by-office/"""
    return _days(ask, question, "/available-days-by-office/", reading.days_by_office)


def _days_merged(ask: Ask, question: CalendarQuestion) -> Days:
    """Source: GET /available-days/"""

    def read(body: Any, start: date, end: date) -> Days:
        return dict.fromkeys(reading.days(body, start, end), frozenset(question.office_ids))

    return _days(ask, question, "/available-days/", read)


def _days(ask: Ask, question: CalendarQuestion, path: str, read: Callable[[Any, date, date], Days]) -> Days:
    """Bookable days; none only where the city says so by an error of that name."""
    dates = {"startDate": question.start.isoformat(), "endDate": question.end.isoformat()}

    def of(answer: Answer) -> Days:
        if says_nothing_free(answer):
            return {}
        return read(_of_today(answer), question.start, question.end)

    return ask(question.kind, path, {**dates, **question.params()}, of)


# Times


def _times_by_office(
    ask: Ask, question: CalendarQuestion, day: date, offices: Collection[int]
) -> tuple[Slot, ...]:
    """Source: GET /available-appointments-by-office/"""
    asked = frozenset(offices)

    def read(answer: Answer) -> tuple[Slot, ...]:
        if says_nothing_free(answer, _NO_TIMES_CODES):
            return ()
        return reading.times_by_office(_of_today(answer), day, asked)

    params = {"date": day.isoformat(), **question.params(), "officeId": _csv(sorted(offices))}
    return ask(question.kind, "/available-appointments-by-office/", params, read)


def _times_of_each_office(
    ask: Ask, question: CalendarQuestion, day: date, offices: Collection[int]
) -> tuple[Slot, ...]:
    """Source: GET /available-appointments/, whose times name no office: one request for each."""
    found: list[Slot] = []
    for office_id in sorted(offices):

        def read(answer: Answer, office_id: int = office_id) -> list[Slot]:
            if says_nothing_free(answer, _NO_TIMES_CODES):
                return []
            return [Slot(office_id, starts_at) for starts_at in reading.times(_of_today(answer), day)]

        params = {"date": day.isoformat(), **question.params(), "officeId": str(office_id)}
        found += ask(question.kind, "/available-appointments/", params, read)
    return tuple(sorted(set(found)))


def _of_today(answer: Answer) -> Any:
    """The body of an answer about free days or times, unless it is one of the retired back end.

    Its routes bear the same names; that it dates its answers (`lastModified`) gives it away.
    """
    body = body_of(answer)
    if isinstance(body, dict) and "lastModified" in body:
        raise RouteGone(RETIRED_CODE, answer.status)
    return body


def _csv(numbers: Any) -> str:
    return ",".join(str(number) for number in numbers)
