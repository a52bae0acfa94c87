"""What the city says, as values: frozen, typed, checked, free of wire spellings.

Instants are aware and in UTC, days are local days of Munich, durations are timedelta. Everything personal or secret
(names, addresses, keys, tokens) is left out of `repr`, so that no log line or traceback shows it.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol


class CallKind(StrEnum):
    """What a call is for: each kind has its own share of the request budget."""

    CATALOGUE = "catalogue"
    SWEEP = "sweep"
    DETAIL = "detail"
    CAPTCHA = "captcha"
    BOOKING = "booking"
    FOLLOW = "follow"
    PROBE = "probe"


class Call(Protocol):
    """One admitted call. The client reports on it twice: when bytes arrived, and when it knows what they mean."""

    def answered(self, status: int, headers: Mapping[str, str], size: int) -> None:
        """An answer arrived: HTTP status, response headers, size of the body in bytes."""

    def understood(self, code: str) -> None:
        """What it meant: "ok", the city's errorCode, or "notUnderstood", "connectionFailed", "timeout"."""


class Gate(Protocol):
    """The one place all calls pass."""

    def admit(self, kind: CallKind) -> AbstractContextManager[Call]:
        """Admit one call of this kind, or raise `GateClosed(retry_at)`."""


class UnreadNotes(Protocol):
    """Where answers that could not be read are kept for staff: their form, never their content."""

    def note(self, *, method: str, path: str, status: int | None, code: str, shape: str) -> None:
        """One such answer came. Must not raise: the caller has a failure of its own to tell."""


@dataclass(frozen=True, slots=True)
class ServiceCount:
    """A service and how many times it is wanted (1 to 25)."""

    service_id: int
    count: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A start time that an office offers now. `starts_at` is aware, UTC.

    Source: `GET /available-calendar/`, `offices[].appointments[]`, Unix seconds.
    """

    office_id: int
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A bookable local day, and the offices that have something on it.

    `slots` is None where the answer carries no times for this day: that means "not asked for", never "nothing free".
    """

    day: date
    office_ids: frozenset[int]
    slots: tuple[Slot, ...] | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """One answer of the calendar: bookable days in order, with times for one of them.

    `slots_day` is the one day whose times the answer carries, as the server says; it may differ from the day asked
    for. `next_bookable` and `prev_bookable` lie outside the months the answer lists.
    """

    days: tuple[CalendarDay, ...]
    slots_day: date | None = None
    next_bookable: date | None = None
    prev_bookable: date | None = None

    @property
    def nothing_free(self) -> bool:
        """True only where the city said so: no day, and no bookable day before or after."""
        return not self.days and self.next_bookable is None and self.prev_bookable is None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every start time the answer carries, in order of time."""
        found = [slot for day in self.days for slot in day.slots or ()]
        return tuple(sorted(found, key=lambda slot: (slot.starts_at, slot.office_id)))


@dataclass(frozen=True, slots=True)
class AppointmentKey:
    """What opens one appointment at the city: its number and its secret."""

    process_id: int
    auth_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """The details of the person who comes. "" means none; None leaves the field out, so the city keeps what it has."""

    family_name: str = field(repr=False)
    email: str | None = field(repr=False)
    telephone: str | None = field(default=None, repr=False)
    custom_text: str | None = field(default=None, repr=False)
    custom_text_2: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules of one office: which fields it asks for, how long it holds a slot, how much one may book.

    Durations count from the moment of the reservation. None means the city did not say.
    `info_*` and `hint` may be HTML of the city: clean before showing.
    """

    upstream_id: int = 0
    captcha_required: bool = False
    email_required: bool = False
    telephone_activated: bool = False
    telephone_required: bool = False
    custom_text_activated: bool = False
    custom_text_required: bool = False
    custom_text_label: str = ""
    custom_text_2_activated: bool = False
    custom_text_2_required: bool = False
    custom_text_2_label: str = ""
    reservation_duration: timedelta | None = None
    activation_duration: timedelta | None = None
    appointments_per_mail: int | None = None
    slots_per_appointment: int | None = None
    hint: str = ""
    info_for_appointment: str = ""
    info_for_all_appointments: str = ""


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment as the city sees it: held, pre-confirmed, confirmed, cancelled.

    `status` is the city's word (`reserved`, `preconfirmed`, `confirmed`, `deleted`, ...), "" if it said none; unknown
    words pass through. `services` holds the main service first. After a cancellation `key` carries the new secret.
    """

    key: AppointmentKey
    starts_at: datetime | None
    status: str
    office_id: int
    office_name: str
    services: tuple[ServiceCount, ...]
    email: str = field(repr=False)
    family_name: str = field(repr=False)
    display_number: str
    slot_count: int | None
    scope: Scope | None
    captcha_token: str = field(repr=False)
    ics: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Office:
    """A place of the catalogue. `slots_per_appointment` None means 25; `scope` None means not bookable online.

    `slot_minutes` is the length of one slot there, None where the city does not say.
    """

    upstream_id: int
    name: str
    display_name: str
    street: str
    house_number: str
    postal_code: str
    city: str
    lat: float | None
    lon: float | None
    priority: int
    slots_per_appointment: int | None
    disabled_services: frozenset[int]
    disabled_services_mix: frozenset[int]
    shared_booking_office_ids: tuple[int, ...]
    show_alternative_locations: bool | None
    scope: Scope | None
    slot_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A thing one can get an appointment for.

    `combinable`: other service -> offices where both are offered together (an empty tuple: at none).
    """

    upstream_id: int
    name: str
    max_quantity: int
    combinable: dict[int, tuple[int, ...]]
    parent_id: int | None
    variant_id: int | None
    root_parent_id: int | None
    show_on_start_page: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """This office offers this service. `slots` is what one unit takes there; `max_quantity` None means not set."""

    office_id: int
    service_id: int
    slots: int
    max_quantity: int | None
    public: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All offices, services and who offers what. `last_modified` is the header to send back next time."""

    offices: tuple[Office, ...]
    services: tuple[Service, ...]
    relations: tuple[Relation, ...]
    last_modified: str = ""
