"""Which version of its software the city runs: routes, names and manners changed from tag to tag.

Source: the contract's tables of dialects and of changes by tag (tags are written short, 45 is 2.25.00-muc45), and
recorded answers of muc45 and muc47. What the retired Node back end (D0) said to unknown paths is not known; here it
says so in its own flat form.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from termin_project.sandbox.city.errors import FAULTS, unnamed

TAGS: dict[str, range] = {"D0": range(1), "D1": range(19, 26), "D2": range(26, 46), "D3": range(46, 48)}
"""Dialect -> the tags that speak it; the retired back end has no tags and counts as 0."""

FRIENDLY, ALTCHA_V1, ALTCHA_V2 = "friendly", "altcha-v1", "altcha-v2"

_LISTS = ("services", "offices", "scopes", "scope-by-id", "services-by-office", "offices-by-service")
_NOTHING_FREE = frozenset({"noAppointmentForThisDay", "noAppointmentForThisScope", "appointmentNotAvailable"})
_GERMAN = {
    "noAppointmentForThisDay": "Keine verfügbaren Termine für dieses Datum.",
    "noAppointmentForThisScope": "An diesem Standort gibt es aktuell leider keine freien Termine.",
    "appointmentNotAvailable": "Der von Ihnen gewählte Termin ist leider nicht mehr verfügbar.",
    "captchaVerificationFailed": "Captcha-Prüfung fehlgeschlagen.",
}
"""Texts were German until muc28. The others stay English here: no client may read texts anyway."""

# Field -> the first tag that has it.
_OFFICE_SINCE = {
    "showAlternativeLocations": 20,
    "displayNameAlternatives": 20,
    "organization": 20,
    "organizationUnit": 20,
    "slotTimeInMinutes": 20,
    "disabledByServices": 23,
    "priority": 26,
    "parentId": 32,
    "slotsPerAppointment": 36,
    "allowDisabledServicesMix": 37,
    "sharedBookingOfficeIds": 47,
}
_SCOPE_SINCE = {
    "emailFrom": 21,
    "emailRequired": 21,
    "slotsPerAppointment": 24,
    "customTextfield2Activated": 25,
    "customTextfield2Required": 25,
    "customTextfield2Label": 25,
    "appointmentsPerMail": 27,
    "whitelistedMails": 27,
    "infoForAppointment": 30,
    "infoForAllAppointments": 30,
    "reservationDuration": 30,
    "activationDuration": 30,
    "hint": 30,
}
_SERVICE_SINCE = {"showOnStartPage": 35, "parentId": 44, "variantId": 44, "rootParentId": 44}
_PROCESS_SINCE = {"customTextfield2": 25, "icsContent": 33, "displayNumber": 34}
_APPOINTMENTS = frozenset(
    {
        "reserve-appointment",
        "update-appointment",
        "preconfirm-appointment",
        "confirm-appointment",
        "appointment",
        "cancel-appointment",
    }
)


@dataclass(frozen=True, slots=True)
class Release:
    """One version of the city's software: its dialect and its tag."""

    dialect: str = "D3"
    tag: int = 47

    @classmethod
    def of(cls, dialect: str | None = None, tag: int | None = None) -> Release:
        """The release named by its dialect, its tag or both; of a dialect alone, its last one.

        Raises ValueError for an unknown dialect, an unknown tag, or a pair that does not go together.
        """
        if dialect is None:
            fitting = [name for name, tags in TAGS.items() if tag is not None and tag in tags]
            dialect = fitting[0] if fitting else ("D3" if tag is None else "")
        dialect = str(dialect).strip().upper()
        if dialect not in TAGS:
            raise ValueError(f"Known dialects are {', '.join(TAGS)}, known tags 19 to {TAGS['D3'][-1]}.")
        tag = TAGS[dialect][-1] if tag is None else tag
        if tag not in TAGS[dialect]:
            raise ValueError(f"{dialect} is spoken by the tags {TAGS[dialect][0]} to {TAGS[dialect][-1]}.")
        return cls(dialect, tag)

    @property
    def retired(self) -> bool:
        """Whether this is the Node back end of before 2025."""
        return self.dialect == "D0"

    @property
    def captcha(self) -> str:
        """The captcha it speaks: "friendly" until muc23, then "altcha-v1", "altcha-v2" from muc44 on.

        The first guards reservations alone, the others free times as well. The captcha service is released by itself;
        muc44 is the first tag whose schema and tests know version 2.
        """
        if self.tag < 24:
            return FRIENDLY
        return ALTCHA_V1 if self.tag < 44 else ALTCHA_V2

    @property
    def guards_availability(self) -> bool:
        """Whether guarded offices want a token, for asking and for reserving."""
        return self.captcha != FRIENDLY

    @property
    def checks_solutions(self) -> bool:
        """Whether a reservation at a guarded office carries a solved puzzle; the retired back end had a route for it.

        By its public code the check may never have fired. Here it does: a client has to be ready for it.
        """
        return self.captcha == FRIENDLY and not self.retired

    @property
    def nothing_free_status(self) -> int:
        """The HTTP status of "nothing free": 200 for some months of 2025, and at the retired back end."""
        return 200 if self.retired or 23 <= self.tag < 30 else 404

    @property
    def no_days_code(self) -> str:
        """How "no day" is said; muc45 was recorded saying it of the scope."""
        return "noAppointmentForThisScope" if self.tag >= 44 else "noAppointmentForThisDay"

    def new_key(self) -> str:
        """The secret of a new appointment: 64 hex digits, 4 before muc40."""
        return secrets.token_hex(32 if self.tag >= 40 else 2)

    def has(self, endpoint: str) -> bool:
        """Whether this release knows the route."""
        if endpoint == "available-calendar":
            return self.dialect == "D3"
        if endpoint in ("available-days", "available-appointments"):
            return self.dialect != "D3"
        if endpoint == "available-appointments-by-office":
            return self.dialect == "D2" or (self.dialect == "D1" and self.tag >= 20)
        if endpoint == "available-days-by-office":
            return self.dialect == "D2"
        if endpoint in _LISTS:
            return self.dialect in ("D1", "D2")
        if endpoint in ("captcha-challenge", "captcha-verify"):
            return self.captcha != FRIENDLY
        return endpoint != "my-appointments" or self.tag >= 33

    # errors

    def status_of(self, codes: Sequence[str], status: int) -> int:
        """The HTTP status of a refusal with these codes that would carry `status` today."""
        return self.nothing_free_status if _NOTHING_FREE.issuperset(codes) else status

    def refusal(self, codes: Sequence[str], now: float) -> dict[str, Any]:
        """The body of a refusal. `now` in Unix seconds."""
        entries = [self._entry(code) for code in codes]
        if self.retired:
            code, text = entries[0]["errorCode"], entries[0]["errorMessage"]
            return {"errorCode": code, "errorMessage": text, "lastModified": int(now * 1000)}
        return {"errors": entries}

    def _entry(self, code: str) -> dict[str, Any]:
        entry = FAULTS.get(code, unnamed(code)).as_json()
        if code in _NOTHING_FREE:
            entry["statusCode"] = self.nothing_free_status
        if self.tag < 30:
            del entry["errorType"]
        if self.tag < 29:
            entry["errorMessage"] = _GERMAN.get(code, entry["errorMessage"])
        return entry

    # documents

    def aged(self, endpoint: str, document: Any, now: float) -> Any:
        """Today's answer of an endpoint as this release gives it."""
        if endpoint == "offices-and-services" and self.tag < 47:
            document = self._catalogue(document)
        elif endpoint in _APPOINTMENTS:
            document = self._appointment(document)
        if self.retired and isinstance(document, dict):
            document = {**document, "lastModified": int(now * 1000)}
        return document

    def _appointment(self, document: dict[str, Any]) -> dict[str, Any]:
        aged = self._kept(document, _PROCESS_SINCE)
        if isinstance(aged.get("scope"), dict):
            aged["scope"] = self.scope(aged["scope"])
        return aged

    def _catalogue(self, document: dict[str, Any]) -> dict[str, Any]:
        return {
            "offices": [self.office(office) for office in document["offices"]],
            "services": [self.service(service) for service in document["services"]],
            "relations": [self._kept(each, {"maxQuantity": 23}) for each in document["relations"]],
        }

    def office(self, office: dict[str, Any]) -> dict[str, Any]:
        """An office of today's catalogue as this release shows it."""
        aged = self._kept(office, _OFFICE_SINCE)
        if 24 <= self.tag < 36:
            aged["maxSlotsPerAppointment"] = office["slotsPerAppointment"]
        if self.tag == 37 and aged["allowDisabledServicesMix"]:
            aged["allowDisabledServicesMix"] = True  # a flag at first, the group came later
        if office["scope"] is not None:
            aged["scope"] = self.scope(office["scope"])
        return aged

    def service(self, service: dict[str, Any]) -> dict[str, Any]:
        """A service of today's catalogue as this release shows it."""
        aged = self._kept(service, _SERVICE_SINCE)
        if self.tag < 25 and isinstance(aged["combinable"], dict):
            # Flat, without display positions.
            aged["combinable"] = {
                other: offices for place in aged["combinable"].values() for other, offices in place.items()
            }
        return aged

    def scope(self, scope: dict[str, Any]) -> dict[str, Any]:
        """A scope of today as this release shows it."""
        aged = self._kept(scope, _SCOPE_SINCE)
        if self.tag < 26:
            aged["provider"] = {
                name: each for name, each in scope["provider"].items() if name != "displayName"
            }
        if self.tag < 30:
            aged["displayInfo"] = scope["infoForAppointment"]
        return aged

    def _kept(self, fields: dict[str, Any], since: dict[str, int]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if self.tag >= since.get(name, 0)}
