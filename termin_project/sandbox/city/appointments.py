"""Appointments as the city keeps them: reserved, pre-confirmed, confirmed, deleted, and the minute jobs.

Nothing expires by itself. Deadlines act when the jobs run, once a minute; until then an overdue
reservation can still be pre-confirmed and an overdue activation still be confirmed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from termin_project.sandbox.city.catalogue import (
    Catalogue,
    Office,
    Scope,
    emptied_scope_json,
    scope_json,
)
from termin_project.sandbox.city.contact import breaks_the_database, contact_problems
from termin_project.sandbox.city.errors import CityError, Style
from termin_project.sandbox.city.ics import ics_text
from termin_project.sandbox.city.mail import PLACEHOLDER_ADDRESS, Mail, link_token, write_mail
from termin_project.sandbox.city.openings import OfficeCapacity

RESERVED, PRECONFIRMED, CONFIRMED, DELETED, BLOCKED = (
    "reserved",
    "preconfirmed",
    "confirmed",
    "deleted",
    "blocked",
)
CANCELLED_NAME = "(abgesagt)"


@dataclass(slots=True)
class Process:
    """One appointment, whatever its state. Instants in Unix seconds."""

    number: int
    key: str
    office_id: int
    wanted: list[tuple[int, int]]
    slots: int
    starts_at: int
    opening_id: int
    reserved_at: float
    status: str = RESERVED
    cancelled_at: float | None = None
    family_name: str = ""
    email: str = PLACEHOLDER_ADDRESS
    telephone: str = ""
    custom_text: str = ""
    custom_text_2: str = ""


@dataclass
class AppointmentDesk:
    """All processes and what may be done with them. Raises `CityError` with the city's codes.

    `mail_delay` and `release_delay` are seconds. `links` turns a link token into the address in a mail,
    `new_key` makes the secret of an appointment.
    """

    catalogue: Catalogue
    capacities: Mapping[int, OfficeCapacity]
    random: Random
    links: Callable[[str], str]
    mail_delay: float = 1.0
    release_delay: float = 15 * 60
    new_key: Callable[[], str] = lambda: secrets.token_hex(32)

    def __post_init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.outbox: list[Mail] = []

    # reserving

    def places(self, office_id: int, wanted: list[tuple[int, int]], starts_at: int) -> int:
        """Free places at this start time for these services."""
        return self.capacities[office_id].places(starts_at, self.catalogue.slots_needed(office_id, wanted))

    def reserve(
        self, office_id: int, wanted: list[tuple[int, int]], starts_at: int, now: float
    ) -> Process | None:
        """Hold a place; None when the last one has gone meanwhile."""
        slots = self.catalogue.slots_needed(office_id, wanted)
        opening_id = self.capacities[office_id].take(starts_at, slots)
        if opening_id is None:
            return None
        merged: dict[int, int] = {}
        for service_id, count in wanted:
            merged[service_id] = merged.get(service_id, 0) + count
        process = Process(
            self._free_number(),
            self.new_key(),
            office_id,
            list(merged.items()),
            slots,
            starts_at,
            opening_id,
            now,
        )
        self.processes[process.number] = process
        return process

    def _free_number(self) -> int:
        while True:
            number = self.random.randint(100_000, 999_999)
            if number not in self.processes:
                return number

    # what people do

    def find(self, number: int, key: str) -> Process:
        """The process with this number and key; appointmentNotFound or authKeyMismatch otherwise."""
        process = self.processes.get(number)
        if process is None:
            raise CityError("appointmentNotFound")
        if not secrets.compare_digest(process.key.encode(), key.encode()):
            raise CityError("authKeyMismatch")
        return process

    def update(self, number: int, key: str, values: Mapping[str, Any]) -> Process:
        """Store contact data. Of a confirmed appointment it stores them and fails all the same."""
        process = self.find(number, key)
        problems = contact_problems(values, self._scope(process))
        if problems:
            raise CityError(*problems)
        email = values.get("email")
        self._check_mail_limit(process, email if isinstance(email, str) else process.email)
        if breaks_the_database(values):
            raise CityError("unknownError", status=500, style=Style.THROWN)
        process.family_name = str(values["familyName"])
        if isinstance(email, str):
            process.email = email
        for attribute, name in (
            ("telephone", "telephone"),
            ("custom_text", "customTextfield"),
            ("custom_text_2", "customTextfield2"),
        ):
            if values.get(name) is not None:
                setattr(process, attribute, str(values[name]))
        if process.status == CONFIRMED:
            raise CityError("unknownError", status=500, style=Style.THROWN)
        return process

    def preconfirm(self, number: int, key: str, now: float) -> Process:
        process = self.find(number, key)
        if process.status != RESERVED:
            raise CityError("processNotReservedAnymore")
        self._check_mail_limit(process, process.email)
        process.status = PRECONFIRMED
        self._send("activation", process, now)
        return process

    def confirm(self, number: int, key: str, now: float) -> Process:
        """Confirm from pre-confirmed, or straight from reserved."""
        process = self.find(number, key)
        if process.status not in (RESERVED, PRECONFIRMED):
            raise CityError("processNotPreconfirmedAnymore")
        process.status = CONFIRMED
        self._send("confirmation", process, now)
        return process

    def cancel(self, number: int, key: str, now: float) -> dict[str, Any]:
        """Cancel and answer the appointment object as the city then shows it.

        A reservation keeps its old look in the answer and its key dies. Anything further becomes
        `deleted` under a new key, which the answer tells.
        """
        process = self.find(number, key)
        if process.starts_at <= now:
            raise CityError("appointmentCanNotBeCanceled", style=Style.HANDLED)
        if process.status == RESERVED:
            answer = {**self.as_json(process, now), "icsContent": None}
            process.status = BLOCKED
            process.key = self.new_key()
            process.cancelled_at = now
            return answer
        if process.status != DELETED:
            self._send("cancellation", process, now)
            process.cancelled_at = now
        process.status = DELETED
        process.key = self.new_key()
        process.family_name = CANCELLED_NAME
        return {
            **self.as_json(process, now),
            "officeName": None,
            "officeId": 0,
            "scope": emptied_scope_json(self._scope(process).id),
        }

    def _check_mail_limit(self, process: Process, email: str) -> None:
        limit = self._scope(process).per_mail
        if not limit or email == PLACEHOLDER_ADDRESS:
            return
        scope_id = self._scope(process).id
        same = sum(
            other.email == email
            and other.status in (PRECONFIRMED, CONFIRMED)
            and self._scope(other).id == scope_id
            for other in self.processes.values()
            if other is not process
        )
        if same >= limit:
            raise CityError("tooManyAppointmentsWithSameMail")

    # the minute jobs

    def run_jobs(self, now: float) -> int:
        """Do what is due at `now`: drop what expired, free what was cancelled. How many rows went."""
        gone = [process for process in self.processes.values() if self._is_over(process, now)]
        for process in gone:
            self.capacities[process.office_id].give_back(process.opening_id, process.starts_at, process.slots)
            del self.processes[process.number]
        return len(gone)

    def _is_over(self, process: Process, now: float) -> bool:
        scope = self._scope(process)
        if process.status == RESERVED:
            return now >= process.reserved_at + scope.reservation_minutes * 60
        if process.status == PRECONFIRMED:
            return now >= process.reserved_at + scope.activation_minutes * 60
        cancelled_at = process.cancelled_at if process.cancelled_at is not None else now
        if process.status == BLOCKED:
            return now >= cancelled_at
        return process.status == DELETED and now >= cancelled_at + self.release_delay

    # how it is shown

    def as_json(self, process: Process, now: float, captcha_token: str = "") -> dict[str, Any]:
        """The appointment object."""
        office = self._office(process)
        main_id, main_count = process.wanted[0]
        names = self.catalogue.services
        return {
            "processId": process.number,
            "timestamp": str(process.starts_at),
            "authKey": process.key,
            "familyName": process.family_name,
            "customTextfield": process.custom_text,
            "customTextfield2": process.custom_text_2,
            "email": process.email,
            "telephone": process.telephone,
            "officeName": office.long_name,
            "officeId": office.id,
            "scope": scope_json(office),
            "subRequestCounts": [
                {"id": service_id, "name": names[service_id].name, "count": count}
                for service_id, count in process.wanted[1:]
            ],
            "serviceId": main_id,
            "serviceName": names[main_id].name,
            "serviceCount": main_count,
            "status": process.status,
            "captchaToken": captcha_token,
            "slotCount": process.slots,
            "displayNumber": str(process.number),
            "icsContent": None if process.status in (DELETED, BLOCKED) else self._ics(process, office, now),
        }

    def _ics(self, process: Process, office: Office, now: float) -> str:
        return ics_text(
            number=process.number,
            office=office,
            services=self.service_names(process),
            starts_at=process.starts_at,
            minutes=process.slots * office.slot_minutes,
            stamp=now,
            link=self.links(link_token(process.number, process.key)),
        )

    def service_names(self, process: Process) -> str:
        return ", ".join(
            f"{count}x {self.catalogue.services[service_id].name}" for service_id, count in process.wanted
        )

    def _send(self, kind: str, process: Process, now: float) -> None:
        if process.email == PLACEHOLDER_ADDRESS or not process.email:
            return
        office = self._office(process)
        subject, text, links = write_mail(
            kind,
            name=process.family_name,
            services=self.service_names(process),
            office=office,
            starts_at=process.starts_at,
            number=process.number,
            link=self.links(link_token(process.number, process.key)),
            activation_minutes=self._scope(process).activation_minutes,
        )
        mail_id = self.outbox[-1].id + 1 if self.outbox else 1
        sent_at = now + self.mail_delay
        self.outbox.append(Mail(mail_id, process.email, kind, subject, text, links, sent_at, process.number))

    def in_states(self, *states: str) -> Iterator[Process]:
        return (process for process in self.processes.values() if process.status in states)

    def _office(self, process: Process) -> Office:
        return self.catalogue.offices[process.office_id]

    def _scope(self, process: Process) -> Scope:
        scope = self._office(process).scope
        assert scope is not None, "only offices with a scope can be booked"
        return scope
