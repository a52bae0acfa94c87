"""Which days and times the city shows: the rules of `GET /available-calendar/`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from termin_project.sandbox.city.catalogue import Catalogue
from termin_project.sandbox.city.clock import berlin_day
from termin_project.sandbox.city.openings import OfficeCapacity

WITHDRAWN_BEFORE = 5 * 60
"""Seconds before its start when a free time is taken off the list."""


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """What is asked. The slots window is as given by the caller, None where left out."""

    office_ids: tuple[int, ...]
    wanted: tuple[tuple[int, int], ...]
    start: date
    end: date
    slots_start: date | None = None
    slots_end: date | None = None


def free_times(
    catalogue: Catalogue, capacities: Mapping[int, OfficeCapacity], query: CalendarQuery, now: float
) -> dict[int, dict[date, list[int]]]:
    """Per office: its start times by local day within the asked range, those too near left out."""
    earliest = now + WITHDRAWN_BEFORE
    today = berlin_day(now)
    first = max(query.start, today)
    found: dict[int, dict[date, list[int]]] = {}
    for office_id in dict.fromkeys(query.office_ids):
        capacity = capacities.get(office_id)
        if capacity is None:
            continue
        needed = catalogue.slots_needed(office_id, query.wanted)
        days: dict[date, list[int]] = {}
        for day, times in capacity.days(needed).items():
            if day < first or day > query.end:
                continue
            kept = times if times[0] > earliest else times[bisect_right(times, earliest) :]
            if kept:
                days[day] = kept
        found[office_id] = days
    return found


def shown_times(
    catalogue: Catalogue, free: Mapping[int, Mapping[date, Sequence[int]]], day: date
) -> dict[int, list[int]]:
    """The times of one day by office; a shared group shows each of its times at one office only, in turn."""
    times = {office_id: list(days[day]) for office_id, days in free.items() if day in days}
    for office_id in list(times):
        group = [other for other in catalogue.offices[office_id].shared if other in times]
        if len(group) < 2 or group[0] != office_id:
            continue
        owners = {other: set(times[other]) for other in group}
        dealt: dict[int, list[int]] = {other: [] for other in group}
        for turn, start in enumerate(sorted(set().union(*owners.values()))):
            holders = [other for other in group if start in owners[other]]
            dealt[holders[turn % len(holders)]].append(start)
        times.update(dealt)
    return {office_id: starts for office_id, starts in times.items() if starts}


def calendar_document(
    catalogue: Catalogue, capacities: Mapping[int, OfficeCapacity], query: CalendarQuery, now: float
) -> dict[str, object]:
    """The body of the calendar answer."""
    asked_start = query.slots_start or query.start
    asked_end = query.slots_end or query.end
    window_start = max(asked_start, query.start)
    window_end = min(asked_end, query.end)
    if window_start > window_end:
        return _document("", "", asked_start, asked_end)
    free = free_times(catalogue, capacities, query, now)
    bookable = sorted(set().union(*(days.keys() for days in free.values())))
    painted_start, painted_end = _painted(window_start, window_end, query)
    painted = [day for day in bookable if painted_start <= day <= painted_end]
    if not painted:
        later = [day for day in bookable if day > painted_end]
        if not later:
            before = [day for day in bookable if day < painted_start]
            return _document(
                query.start.isoformat(),
                query.end.isoformat(),
                asked_start,
                asked_end,
                previous=before[-1] if before else None,
            )
        window_start = window_end = later[0]
        painted_start, painted_end = _painted(later[0], later[0], query)
        painted = [day for day in bookable if painted_start <= day <= painted_end]
    in_window = [day for day in painted if window_start <= day <= window_end]
    day_with_times = in_window[0] if in_window else painted[0]
    before = [day for day in bookable if day < painted_start]
    after = [day for day in bookable if day > painted_end]
    days: list[dict[str, object]] = []
    for day in painted:
        if day == day_with_times:
            times = shown_times(catalogue, free, day)
            if times:
                days.append(_day_with_times(day, times))
            continue
        offices = [str(office_id) for office_id, by_day in free.items() if day in by_day]
        days.append({"date": day.isoformat(), "providerIDs": ",".join(offices), "offices": []})
    return _document(
        query.start.isoformat(),
        query.end.isoformat(),
        day_with_times,
        day_with_times,
        previous=before[-1] if before else None,
        following=after[0] if after else None,
        days=days,
    )


def _day_with_times(day: date, times: Mapping[int, Sequence[int]]) -> dict[str, object]:
    return {
        "date": day.isoformat(),
        "providerIDs": ",".join(str(office_id) for office_id in times),
        "offices": [
            {"officeId": str(office_id), "appointments": list(starts)} for office_id, starts in times.items()
        ],
    }


def _painted(window_start: date, window_end: date, query: CalendarQuery) -> tuple[date, date]:
    """Whole months of the slots window, cut to the asked range."""
    month_end = (window_end.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return max(window_start.replace(day=1), query.start), min(month_end, query.end)


def _document(
    start: str,
    end: str,
    slots_start: date,
    slots_end: date,
    *,
    previous: date | None = None,
    following: date | None = None,
    days: Sequence[dict[str, object]] = (),
) -> dict[str, object]:
    return {
        "startDate": start,
        "endDate": end,
        "slotsStartDate": slots_start.isoformat(),
        "slotsEndDate": slots_end.isoformat(),
        "prevBookableDate": previous.isoformat() if previous else None,
        "nextBookableDate": following.isoformat() if following else None,
        "availableDays": list(days),
    }
