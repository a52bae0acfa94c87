"""From decoded JSON to the types: unknown fields are ignored, missing optional ones tolerated, the impossible refused.

Every function raises `Unreadable` when a value cannot be what it should be: milliseconds for seconds, a time on
another day than its own, a negative count, text for a number. The client turns that into the right error.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appointments.upstream.types import (
    Appointment,
    AppointmentKey,
    Calendar,
    CalendarDay,
    Catalogue,
    Office,
    Relation,
    Scope,
    Service,
    ServiceCount,
    Slot,
)

MUNICH = ZoneInfo("Europe/Berlin")
EARLIEST, LATEST = 1_420_070_400, 4_102_444_800  # 2015 and 2100: ten-digit seconds; milliseconds fall outside
LARGEST_ID = 2**31 - 1
LONGEST_DURATION = timedelta(days=7)


class Unreadable(ValueError):
    """A value is not what the contract promises; the message names the field, never the value."""


def calendar(body: Any, start: date, end: date) -> Calendar:
    """The calendar for the local days `start` to `end`.

    The answer must be about the range we asked for. An empty list counts as "nothing free" only if it names that range.
    """
    answer = _object(body, "calendar")
    echo = (answer.get("startDate"), answer.get("endDate"))
    listed = _list(answer.get("availableDays"), "availableDays")
    if echo != (start.isoformat(), end.isoformat()) and (not listed or echo != (None, None)):
        raise Unreadable("startDate, endDate")
    days = tuple(sorted((_calendar_day(entry, start, end) for entry in listed), key=lambda each: each.day))
    if len({each.day for each in days}) != len(days):
        raise Unreadable("availableDays")
    window = (_optional_day(answer.get("slotsStartDate")), _optional_day(answer.get("slotsEndDate")))
    slots_day = window[0] if window[0] == window[1] else None
    if slots_day is None:
        timed = [each.day for each in days if each.slots is not None]
        slots_day = timed[0] if len(timed) == 1 else None
    return Calendar(
        days=days,
        slots_day=slots_day,
        next_bookable=_optional_day(answer.get("nextBookableDate")),
        prev_bookable=_optional_day(answer.get("prevBookableDate")),
    )


def _calendar_day(entry: Any, start: date, end: date) -> CalendarDay:
    fields = _object(entry, "availableDays")
    day = _day(fields.get("date"), "date")
    if not start <= day <= end:
        raise Unreadable("date")
    offices = _list(fields.get("offices", []), "offices")
    slots: list[Slot] = []
    for office in offices:
        office_fields = _object(office, "offices")
        office_id = identifier(office_fields.get("officeId"), "officeId")
        for seconds in _list(office_fields.get("appointments"), "appointments"):
            slots.append(Slot(office_id, _on(day, seconds, "appointments")))
    office_ids = _office_list(fields.get("providerIDs")) | {slot.office_id for slot in slots}
    if not office_ids:
        raise Unreadable("providerIDs")
    return CalendarDay(day, frozenset(office_ids), tuple(sorted(set(slots))) if offices else None)


def days(body: Any, start: date, end: date) -> tuple[date, ...]:
    """Bookable days within the range, of all offices asked together (D1). An empty list is refused: "nothing free" is
    said by an error there.
    """
    listed = _list(_object(body, "days").get("availableDays"), "availableDays")
    found = [_day(each, "availableDays") for each in listed]
    if not found or len(set(found)) != len(found) or any(not start <= day <= end for day in found):
        raise Unreadable("availableDays")
    return tuple(sorted(found))


def days_by_office(body: Any, start: date, end: date) -> dict[date, frozenset[int]]:
    """Bookable days within the range and the offices that have something on them (D2); an empty list is refused."""
    found: dict[date, frozenset[int]] = {}
    for entry in _list(_object(body, "days").get("availableDays"), "availableDays"):
        fields = _object(entry, "availableDays")
        day = _day(fields.get("time"), "time")
        offices = _office_list(fields.get("providerIDs"))
        if day in found or not offices or not start <= day <= end:
            raise Unreadable("availableDays")
        found[day] = frozenset(offices)
    if not found:
        raise Unreadable("availableDays")
    return found


def times_by_office(body: Any, day: date, asked: frozenset[int]) -> tuple[Slot, ...]:
    """Start times of `day` at the offices `asked` (D1, D2). An empty list of offices means that none has any."""
    found: list[Slot] = []
    for entry in _list(_object(body, "offices").get("offices"), "offices"):
        fields = _object(entry, "offices")
        office_id = identifier(fields.get("officeId"), "officeId")
        if office_id not in asked:
            raise Unreadable("officeId")
        times_there = _list(fields.get("appointments"), "appointments")
        found += [Slot(office_id, _on(day, seconds, "appointments")) for seconds in times_there]
    return tuple(sorted(set(found)))


def times(body: Any, day: date) -> tuple[datetime, ...]:
    """Start times of `day` (D1); an empty list is refused: "no times" is said by an error there."""
    name = "appointmentTimestamps"
    found = {_on(day, seconds, name) for seconds in _list(_object(body, name).get(name), name)}
    if not found:
        raise Unreadable(name)
    return tuple(sorted(found))


def _on(day: date, seconds: Any, name: str) -> datetime:
    """An instant that lies on the local day it is listed under."""
    starts_at = instant(seconds, name)
    if starts_at.astimezone(MUNICH).date() != day:
        raise Unreadable(name)
    return starts_at


def _office_list(value: Any) -> set[int]:
    """Office numbers as the city lists them: one text, separated by commas, some of them twice."""
    if value is not None and not isinstance(value, str):
        raise Unreadable("providerIDs")
    return {identifier(each.strip(), "providerIDs") for each in (value or "").split(",") if each.strip()}


def appointment(body: Any, *, asked: AppointmentKey | None = None) -> Appointment:
    """An appointment object. With `asked`, it must be that appointment, and a missing secret is the one we sent."""
    fields = _object(body, "appointment")
    process_id = identifier(fields.get("processId"), "processId")
    if asked is not None and process_id != asked.process_id:
        raise Unreadable("processId")
    secret = fields.get("authKey")
    if secret in (None, "") and asked is not None:
        secret = asked.auth_key
    if not isinstance(secret, str) or not re.fullmatch(r"[0-9a-f]{4}|[0-9a-f]{64}", secret, re.IGNORECASE):
        raise Unreadable("authKey")
    seconds = fields.get("timestamp")
    services = [(fields.get("serviceId"), fields.get("serviceCount"))]
    for extra in _list(fields.get("subRequestCounts") or [], "subRequestCounts"):
        extra_fields = _object(extra, "subRequestCounts")
        services.append((extra_fields.get("id"), extra_fields.get("count")))
    slot_count = fields.get("slotCount")
    return Appointment(
        key=AppointmentKey(process_id, secret),
        starts_at=None if seconds in (None, "", 0, "0") else instant(seconds, "timestamp"),
        status=text(fields.get("status"), "status"),
        office_id=number(fields.get("officeId") or 0, "officeId"),
        office_name=text(fields.get("officeName"), "officeName"),
        services=tuple(
            ServiceCount(number(each, "serviceId"), number(count or 0, "serviceCount"))
            for each, count in services
            if each not in (None, 0, "", "0")
        ),
        email=text(fields.get("email"), "email"),
        family_name=text(fields.get("familyName"), "familyName"),
        display_number=text(fields.get("displayNumber"), "displayNumber"),
        slot_count=None if slot_count is None else number(slot_count, "slotCount"),
        scope=scope(fields.get("scope")),
        captcha_token=text(fields.get("captchaToken"), "captchaToken"),
        ics=text(fields.get("icsContent"), "icsContent"),
    )


def key_in(body: Any) -> AppointmentKey | None:
    """The key of an appointment in an answer that is otherwise unreadable, if it has one."""
    try:
        fields = _object(body, "appointment")
        secret = fields.get("authKey")
        if isinstance(secret, str) and re.fullmatch(r"[0-9a-f]{4}|[0-9a-f]{64}", secret):
            return AppointmentKey(identifier(fields.get("processId"), "processId"), secret)
    except Unreadable:
        return None
    return None


def catalogue(body: Any, last_modified: str = "") -> Catalogue:
    """The whole catalogue. An empty one is refused: it would withdraw every office of the city.

    Relations whose office or service is not listed are left out: the public host names many that it does not show.
    """
    fields = _object(body, "catalogue")
    offices = tuple(_office(entry) for entry in _list(fields.get("offices"), "offices"))
    services = tuple(_service(entry) for entry in _list(fields.get("services"), "services"))
    relations = tuple(_relation(entry) for entry in _list(fields.get("relations"), "relations"))
    if not (offices and services and relations):
        raise Unreadable("catalogue")
    office_ids, service_ids = {each.upstream_id for each in offices}, {each.upstream_id for each in services}
    if len(office_ids) != len(offices) or len(service_ids) != len(services):
        raise Unreadable("id")
    shown = [each for each in relations if each.office_id in office_ids and each.service_id in service_ids]
    return Catalogue(offices, services, tuple(shown), last_modified)


def _office(entry: Any) -> Office:
    fields = _object(entry, "offices")
    address = _object(fields.get("address") or {}, "address")
    geo = _object(fields.get("geo") or {}, "geo")
    rules = fields.get("scope")
    provider = rules.get("provider") if isinstance(rules, dict) else None
    name = text(fields.get("name"), "name")
    shown = text(provider.get("displayName"), "displayName") if isinstance(provider, dict) else ""
    mix = fields.get("allowDisabledServicesMix")
    priority = fields.get("priority")
    return Office(
        upstream_id=identifier(fields.get("id"), "id"),
        name=name,
        display_name=shown or name,
        street=text(address.get("street"), "street"),
        house_number=text(address.get("house_number"), "house_number"),
        postal_code=text(address.get("postal_code"), "postal_code"),
        city=text(address.get("city"), "city"),
        lat=_degrees(geo.get("lat"), 90),
        lon=_degrees(geo.get("lon"), 180),
        priority=1 if priority is None else number(priority, "priority"),
        slots_per_appointment=_limit(
            fields.get("slotsPerAppointment", fields.get("maxSlotsPerAppointment")), "slotsPerAppointment"
        ),
        disabled_services=frozenset(
            _identifiers(fields.get("disabledByServices") or [], "disabledByServices")
        ),
        disabled_services_mix=frozenset(
            # Old data say `true` without naming the group.
            _identifiers(
                {None: [], False: [], True: [fields.get("id")]}[mix] if mix in (None, True, False) else mix,
                "allowDisabledServicesMix",
            )
        ),
        shared_booking_office_ids=tuple(
            _identifiers(fields.get("sharedBookingOfficeIds") or [], "sharedBookingOfficeIds")
        ),
        show_alternative_locations=_optional_flag(fields.get("showAlternativeLocations")),
        scope=scope(rules),
        slot_minutes=_limit(fields.get("slotTimeInMinutes"), "slotTimeInMinutes"),
    )


def _service(entry: Any) -> Service:
    fields = _object(entry, "services")
    return Service(
        upstream_id=identifier(fields.get("id"), "id"),
        name=text(fields.get("name"), "name"),
        max_quantity=_limit(fields.get("maxQuantity"), "maxQuantity") or 1,
        combinable=_combinable(fields.get("combinable")),
        parent_id=_optional_identifier(fields.get("parentId"), "parentId"),
        variant_id=_optional_identifier(fields.get("variantId"), "variantId"),
        root_parent_id=_optional_identifier(fields.get("rootParentId"), "rootParentId"),
        show_on_start_page=bool(_optional_flag(fields.get("showOnStartPage"))),
    )


def _combinable(value: Any) -> dict[int, tuple[int, ...]]:
    """Both forms: position -> {service -> offices}, and before muc25 service -> offices. `[]` combines with nothing."""
    if not value:
        return {}
    found: dict[int, tuple[int, ...]] = {}
    for name, inner in _object(value, "combinable").items():
        pairs = inner.items() if isinstance(inner, dict) else [(name, inner)]
        for service_id, offices in pairs:
            found[identifier(service_id, "combinable")] = tuple(_identifiers(offices, "combinable"))
    return found


def _relation(entry: Any) -> Relation:
    fields = _object(entry, "relations")
    slots, public = fields.get("slots"), _optional_flag(fields.get("public"))
    return Relation(
        office_id=identifier(fields.get("officeId"), "officeId"),
        service_id=identifier(fields.get("serviceId"), "serviceId"),
        slots=1 if slots is None else number(slots, "slots"),
        max_quantity=_limit(fields.get("maxQuantity"), "maxQuantity"),
        public=public is not False,
    )


def scope(value: Any) -> Scope | None:
    """The rules of an office, or None if it has none. The list of exempt addresses in it is not read at all."""
    if value is None or value == []:
        return None
    fields = _object(value, "scope")

    def flag(name: str) -> bool:
        return bool(_optional_flag(fields.get(name)))

    return Scope(
        upstream_id=number(fields.get("id") or 0, "id"),
        captcha_required=flag("captchaActivatedRequired"),
        email_required=flag("emailRequired"),
        telephone_activated=flag("telephoneActivated"),
        telephone_required=flag("telephoneRequired"),
        custom_text_activated=flag("customTextfieldActivated"),
        custom_text_required=flag("customTextfieldRequired"),
        custom_text_label=text(fields.get("customTextfieldLabel"), "customTextfieldLabel"),
        custom_text_2_activated=flag("customTextfield2Activated"),
        custom_text_2_required=flag("customTextfield2Required"),
        custom_text_2_label=text(fields.get("customTextfield2Label"), "customTextfield2Label"),
        reservation_duration=_minutes(fields.get("reservationDuration"), "reservationDuration"),
        activation_duration=_minutes(fields.get("activationDuration"), "activationDuration"),
        appointments_per_mail=_limit(fields.get("appointmentsPerMail"), "appointmentsPerMail"),
        slots_per_appointment=_limit(fields.get("slotsPerAppointment"), "slotsPerAppointment"),
        hint=text(fields.get("hint"), "hint"),
        # One text until muc29, two since.
        info_for_appointment=text(
            fields.get("infoForAppointment", fields.get("displayInfo")), "infoForAppointment"
        ),
        info_for_all_appointments=text(fields.get("infoForAllAppointments"), "infoForAllAppointments"),
    )


def number(value: Any, name: str) -> int:
    """A number from 0 up, given as a number or as digits."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        raise Unreadable(name)
    return value


def identifier(value: Any, name: str) -> int:
    """An id: a number from 1 up."""
    found = number(value, name)
    if found == 0:
        raise Unreadable(name)
    return found


def instant(value: Any, name: str) -> datetime:
    """Unix seconds, as a number or as digits, as an aware UTC datetime. Milliseconds are refused."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not EARLIEST <= value < LATEST:
        raise Unreadable(name)
    return datetime.fromtimestamp(value, UTC)


def text(value: Any, name: str) -> str:
    """Text, "" for null. Numbers become text; what no database takes (NUL, half characters) is taken out."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Unreadable(name)
    return value.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(name)
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(name)
    return value


def _identifiers(values: Any, name: str) -> Iterable[int]:
    return [identifier(each, name) for each in _list(values, name)]


def _optional_identifier(value: Any, name: str) -> int | None:
    return None if value is None else identifier(value, name)


def _optional_flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise Unreadable("flag")


def _limit(value: Any, name: str) -> int | None:
    """An upper limit; null, "" and 0 mean that none is set."""
    return None if value in (None, "") else number(value, name) or None


def _minutes(value: Any, name: str) -> timedelta | None:
    """Whole minutes as a duration; null and 0 mean that the city did not say."""
    minutes = _limit(value, name)
    if minutes is None:
        return None
    if timedelta(minutes=minutes) > LONGEST_DURATION:
        raise Unreadable(name)
    return timedelta(minutes=minutes)


def _day(value: Any, name: str) -> date:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise Unreadable(name)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Unreadable(name) from None


def _optional_day(value: Any) -> date | None:
    return None if value is None else _day(value, "date")


def _degrees(value: Any, largest: int) -> float | None:
    """A coordinate, or None: a wrong point on the map is no reason to refuse the whole catalogue."""
    try:
        found = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and -largest <= found <= largest else None
