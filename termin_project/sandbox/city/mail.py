"""The mails the city sends about an appointment."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from termin_project.sandbox.city.catalogue import Office
from termin_project.sandbox.city.clock import BERLIN

PLACEHOLDER_ADDRESS = "platzhalter@stadt.example"
"""The address an appointment has before contact data is stored; nothing is ever sent to it."""

_WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)


@dataclass(slots=True)
class Mail:
    """One mail. `sent_at` in Unix seconds: when it left, or will leave."""

    id: int
    to: str
    kind: str
    subject: str
    text: str
    links: list[str]
    sent_at: float
    process_id: int

    def as_json(self) -> dict[str, Any]:
        sent_at = datetime.fromtimestamp(self.sent_at, UTC).isoformat(timespec="seconds")
        return {**asdict(self), "sent_at": sent_at}


def link_token(process_id: int, auth_key: str) -> str:
    """What the links of the city's mails end in: base64 of number and key."""
    text = json.dumps({"id": process_id, "authKey": auth_key}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def read_link_token(token: str) -> tuple[int, str] | None:
    """Number and key of a link, None when it is damaged. Padding may be missing, either alphabet will do."""
    text = token.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        document = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        number, key = document["id"], document["authKey"]
    except (ValueError, TypeError, KeyError, UnicodeDecodeError):
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(key, str):
        return None
    return number, key


def german_time(starts_at: float) -> str:
    """`Donnerstag, 3. Dezember 2026, 08:15 Uhr`, by the clocks of Munich."""
    local = datetime.fromtimestamp(starts_at, UTC).astimezone(BERLIN)
    return (
        f"{_WEEKDAYS[local.weekday()]}, {local.day}. {_MONTHS[local.month - 1]} {local.year}, "
        f"{local:%H:%M} Uhr"
    )


def write_mail(
    kind: str,
    *,
    name: str,
    services: str,
    office: Office,
    starts_at: float,
    number: int,
    link: str,
    activation_minutes: int,
) -> tuple[str, str, list[str]]:
    """Subject, text and links of an activation, confirmation or cancellation mail."""
    place = office.place
    facts = (
        f"Termin-Nummer: {number}\n"
        f"Leistung: {services}\n"
        f"Wann: {german_time(starts_at)}\n"
        f"Wo: {office.name}, {place.street} {place.house_number}, {place.postal_code} {place.city}\n"
    )
    if office.scope and office.scope.hint:
        facts += f"Hinweis: {office.scope.hint}\n"
    greeting = f"Guten Tag {name},\n\n" if name.strip() else "Guten Tag,\n\n"
    closing = "\nFreundliche Grüße\nIhre Landeshauptstadt München\n"
    if kind == "activation":
        text = (
            f"{greeting}Ihr Termin ist vorgemerkt, aber noch nicht gültig. Bitte aktivieren Sie ihn:\n\n"
            f"{link}\n\n"
            f"Der Link gilt bis {activation_minutes} Minuten nach der Reservierung. Danach wird der Termin "
            f"wieder freigegeben.\n\n{facts}\n"
            f"English: your appointment is not valid yet. Open the link above to activate it.\n{closing}"
        )
        return "Bitte aktivieren Sie Ihren Termin", text, [link]
    if kind == "confirmation":
        text = (
            f"{greeting}Ihr Termin ist bestätigt.\n\n{facts}\n"
            f"Wenn Sie nicht kommen können, sagen Sie bitte ab, damit andere den Termin nutzen können.\n\n"
            f"English: your appointment is confirmed. Please cancel it if you cannot come.\n{closing}"
        )
        return "Ihr Termin ist bestätigt", text, []
    text = f"{greeting}Ihr Termin wurde abgesagt.\n\n{facts}\nEnglish: your appointment was cancelled.\n{closing}"
    return "Ihr Termin wurde abgesagt", text, []
