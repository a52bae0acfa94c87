"""Reading what callers send: query strings, JSON and form bodies, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from termin_project.sandbox.city.calendar import CalendarQuery
from termin_project.sandbox.city.errors import CityError, Crash

INT32_MAX = 2**31 - 1
MAX_COUNT = 25
MAX_SPAN_DAYS = 365
LONGEST_VALUE = 32 * 1024

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEY = re.compile(r"[0-9a-fA-F]{4}|[0-9a-fA-F]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ValueTooLong(Exception):
    """A query value beyond what the city's sanitizer takes."""


def query_values(query_string: str) -> tuple[dict[str, str], bool]:
    """The query parameters, trimmed and without control characters, and whether one was repeated.

    Of a repeated parameter the last value counts. `name[]=` is another name than `name`.
    Raises `ValueTooLong`.
    """
    values: dict[str, str] = {}
    repeated = False
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        if len(value.encode()) > LONGEST_VALUE:
            raise ValueTooLong(name)
        repeated = repeated or (name in values and not name.endswith("[]"))
        values[name] = _CONTROL.sub("", value).strip()
    return values, repeated


def body_values(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a POST body. Raises `CityError` invalidRequest when there is none to read."""
    kind = content_type.split(";", 1)[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" and body:
        return _form_values(body.decode("utf-8", "replace"))
    if kind != "application/json" or not body.strip():
        raise CityError("invalidRequest")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise CityError("invalidRequest") from None
    if isinstance(document, list):
        return {}
    if not isinstance(document, dict):
        raise CityError("invalidRequest")
    return document


def _form_values(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name.endswith("[]"):
            values.setdefault(name[:-2], []).append(value)
        else:
            values[name] = value
    return values


def as_int(value: object, *, least: int = 0) -> int | None:
    """A 32-bit integer given as number or as digits, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and least <= value <= INT32_MAX:
        return value
    return None


def as_day(value: str | None) -> date | None:
    """A strict `YYYY-MM-DD`, else None."""
    if not value or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _int_list(value: str | None) -> list[int] | None:
    if not value:
        return None
    numbers = [as_int(item.strip(), least=1) for item in value.split(",")]
    return [number for number in numbers if number is not None] if None not in numbers else None


@dataclass(frozen=True, slots=True)
class CalendarRequest:
    """A checked calendar request, before captcha and combination are looked at."""

    query: CalendarQuery | None
    office_ids: tuple[int, ...]
    problems: tuple[str, ...]


def calendar_request(values: Mapping[str, str]) -> CalendarRequest:
    """Check the parameters of the calendar; all problems are collected in the city's order."""
    problems: list[str] = []
    office_ids = _int_list(values.get("officeIds"))
    if office_ids is None:
        problems.append("invalidOfficeId")
    service_ids = _int_list(values.get("serviceIds"))
    if service_ids is None:
        problems.append("invalidServiceId")
    start, end = as_day(values.get("startDate")), as_day(values.get("endDate"))
    if start is None:
        problems.append("invalidStartDate")
    if end is None:
        problems.append("invalidEndDate")
    if start and end and (start > end or (end - start).days > MAX_SPAN_DAYS):
        # The real software refers to error codes here that it does not define.
        problems.append("unknownError")
    slots_start, slots_end = as_day(values.get("slotsStartDate")), as_day(values.get("slotsEndDate"))
    if values.get("slotsStartDate") and slots_start is None:
        problems.append("invalidSlotsStartDate")
    if values.get("slotsEndDate") and slots_end is None:
        problems.append("invalidSlotsEndDate")
    if slots_start and slots_end and slots_start > slots_end:
        problems.append("slotsStartDateAfterEndDate")
    counts = _int_list(values.get("serviceCounts"))
    if counts is None or any(not 1 <= count <= MAX_COUNT for count in counts):
        problems.append("invalidServiceCount")
    if problems or service_ids is None or office_ids is None or start is None or end is None:
        return CalendarRequest(None, tuple(office_ids or ()), tuple(problems))
    padded = [*(counts or ()), *[1] * len(service_ids)]
    wanted = tuple(zip(service_ids, padded, strict=False))
    query = CalendarQuery(tuple(office_ids), wanted, start, end, slots_start, slots_end)
    return CalendarRequest(query, tuple(office_ids), ())


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """A checked reservation: what, where, when (Unix seconds)."""

    office_id: int
    wanted: tuple[tuple[int, int], ...]
    starts_at: int


def reserve_request(values: Mapping[str, Any], now: float, captcha_problem: str | None) -> ReserveRequest:
    """Check the body of a reservation.

    Raises `CityError` with all problems, `Crash` where the real software falls over: a service or count
    that is no list, or lists of unequal length.
    """
    problems: list[str] = []
    office_id = as_int(values.get("officeId"), least=1)
    if office_id is None:
        problems.append("invalidOfficeId")
    services = values.get("serviceId")
    if not services or any(
        as_int(item, least=1) is None for item in (services if isinstance(services, list) else [services])
    ):
        problems.append("invalidServiceId")
    starts_at = as_int(values.get("timestamp"), least=1)
    if starts_at is None or starts_at <= now:
        problems.append("invalidTimestamp")
    counts = values.get("serviceCount", [1])
    if any(
        as_int(item) is None or not 1 <= int(item) <= MAX_COUNT
        for item in (counts if isinstance(counts, list) else [counts])
    ):
        problems.append("invalidServiceCount")
    if captcha_problem:
        problems.append(captcha_problem)
    if problems or office_id is None or starts_at is None:
        raise CityError(*problems)
    if not isinstance(services, list) or not isinstance(counts, list) or len(services) != len(counts):
        raise Crash
    wanted = tuple((int(service), int(count)) for service, count in zip(services, counts, strict=True))
    return ReserveRequest(office_id, wanted, starts_at)


def process_ids(values: Mapping[str, Any]) -> tuple[int, str]:
    """Process number and key of a request. Raises `CityError` with invalidProcessId, invalidAuthKey."""
    problems: list[str] = []
    number = as_int(values.get("processId"), least=1)
    if number is None:
        problems.append("invalidProcessId")
    key = values.get("authKey")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        problems.append("invalidAuthKey")
    if problems or number is None:
        raise CityError(*problems)
    return number, str(key)
