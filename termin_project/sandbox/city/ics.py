"""The calendar entry the city puts into appointment objects and confirmation mails."""

from __future__ import annotations

from datetime import UTC, datetime

from termin_project.sandbox.city.catalogue import Office
from termin_project.sandbox.city.clock import BERLIN

_ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE""".splitlines()


def ics_text(
    *, number: int, office: Office, services: str, starts_at: float, minutes: int, stamp: float, link: str
) -> str:
    """An iCalendar text with one event of `minutes` minutes in the zone Europe/Berlin, CRLF, folded."""
    starts = datetime.fromtimestamp(starts_at, UTC).astimezone(BERLIN)
    ends = datetime.fromtimestamp(starts_at + minutes * 60, UTC).astimezone(BERLIN)
    place = office.place
    where = f"{office.name}: {place.street} {place.house_number}, {place.postal_code} {place.city}"
    description = f"Terminnummer: {number}\n\nLeistung:\n{services}\n\nAbsagen oder verschieben:\n{link}\n"
    lines = [
        "BEGIN:VCALENDAR",
        "CALSCALE:GREGORIAN",
        "VERSION:2.0",
        "PRODID:-//Landeshauptstadt München//Sandbox//DE",
        "X-WR-TIMEZONE:Europe/Berlin",
        *_ZONE,
        "BEGIN:VEVENT",
        f"UID:{starts:%Y%m%d}-{number}",
        f"LOCATION:{_escape(where)}",
        f"GEO:{place.lat};{place.lon}",
        f"SUMMARY:{_escape(services)}",
        f"DESCRIPTION:{_escape(description)}",
        "CLASS:PUBLIC",
        f"DTSTART;TZID=Europe/Berlin:{starts:%Y%m%dT%H%M%S}",
        f"DTEND;TZID=Europe/Berlin:{ends:%Y%m%dT%H%M%S}",
        f"DTSTAMP:{datetime.fromtimestamp(stamp, UTC):%Y%m%dT%H%M%SZ}",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_escape(f'Termin in München: {number}')}",
        "TRIGGER:-P1D",
        "END:VALARM",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\r\n".join(part for line in lines for part in _folded(line))


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """Lines of at most 75 octets; a continuation begins with a blank and never splits a character."""
    parts: list[str] = []
    current, size = "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 74:
            parts.append(current)
            current, size = " ", 1
        current += letter
        size += width
    return [*parts, current]
