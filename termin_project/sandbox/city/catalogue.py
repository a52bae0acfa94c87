"""The city's catalogue as it speaks of it: offices, services, which office does what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Place:
    """Where an office is."""

    street: str
    house_number: str
    postal_code: str
    lat: float
    lon: float
    city: str = "München"


@dataclass(frozen=True, slots=True)
class Scope:
    """The counter behind an office: what it asks of people and how long it waits. Durations in minutes."""

    id: int
    short_name: str = ""
    captcha: bool = False
    email_required: bool = True
    telephone: bool = False
    telephone_required: bool = False
    custom: str | None = None
    custom_required: bool = False
    custom_2: str | None = None
    custom_2_required: bool = False
    reservation_minutes: int = 15
    activation_minutes: int = 30
    per_mail: int | None = None
    hint: str = ""
    info: str = ""
    info_for_all: str = ""


@dataclass(frozen=True, slots=True)
class Office:
    """A place where services are done. `slot_minutes` is the length of one slot."""

    id: int
    name: str
    long_name: str
    place: Place
    unit: str
    scope: Scope | None
    slot_minutes: int = 5
    priority: int = 1
    slots_per_appointment: int | None = None
    disabled_services: tuple[int, ...] = ()
    mix: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()
    exclusive: bool = False
    parent_id: int | None = None
    hours: str = "counter"
    demand: str = "medium"


@dataclass(frozen=True, slots=True)
class Service:
    """Something people come for."""

    id: int
    name: str
    max_quantity: int = 1
    on_start_page: bool = True
    parent_id: int | None = None
    variant_id: int | None = None
    root_parent_id: int | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """`office_id` does `service_id`; one unit of it takes `slots` slots there."""

    office_id: int
    service_id: int
    slots: int = 1
    max_quantity: int = 0


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be booked, with the questions the simulator asks about it."""

    offices: dict[int, Office]
    services: dict[int, Service]
    relations: tuple[Relation, ...]
    combinations: tuple[tuple[int, ...], ...] = field(default=())

    @cached_property
    def slots(self) -> dict[tuple[int, int], int]:
        return {(relation.office_id, relation.service_id): relation.slots for relation in self.relations}

    def offers(self, office_id: int, service_ids: Iterable[int]) -> bool:
        """Whether the office does all of these services."""
        return all((office_id, service_id) in self.slots for service_id in service_ids)

    def slots_needed(self, office_id: int, wanted: Sequence[tuple[int, int]]) -> int:
        """Slots one appointment takes for the wanted (service, count) pairs. KeyError where not offered."""
        return sum(self.slots[office_id, service_id] * count for service_id, count in wanted)

    def scope(self, office_id: int) -> Scope | None:
        office = self.offices.get(office_id)
        return office.scope if office else None

    def offices_of(self, service_id: int) -> list[int]:
        return sorted(relation.office_id for relation in self.relations if relation.service_id == service_id)

    @cached_property
    def document(self) -> dict[str, object]:
        """The body of `GET /offices-and-services/`."""
        listed = {relation.service_id for relation in self.relations}
        return {
            "offices": [office_json(office) for office in self.offices.values()],
            "services": [
                self._service_json(service) for service in self.services.values() if service.id in listed
            ],
            "relations": [
                {
                    "officeId": relation.office_id,
                    "serviceId": relation.service_id,
                    "slots": relation.slots,
                    "public": True,
                    "maxQuantity": relation.max_quantity,
                }
                for relation in self.relations
            ],
        }

    def _service_json(self, service: Service) -> dict[str, object]:
        return {
            "id": service.id,
            "name": service.name,
            "maxQuantity": service.max_quantity,
            "combinable": self._combinable(service.id),
            "parentId": service.parent_id,
            "variantId": service.variant_id,
            "rootParentId": service.root_parent_id or service.parent_id or service.id,
            "showOnStartPage": service.on_start_page,
        }

    def _combinable(self, service_id: int) -> dict[str, dict[str, list[int]]] | list[object]:
        """Partners by display position, the service itself first; an empty list when there are none."""
        partners: list[int] = []
        for group in self.combinations:
            if service_id in group:
                partners += [other for other in group if other not in partners]
        if not partners:
            return []
        partners.sort(key=lambda other: other != service_id)
        here = set(self.offices_of(service_id))
        return {
            str(position): {str(other): sorted(here & set(self.offices_of(other)))}
            for position, other in enumerate(partners, start=1)
        }


def office_json(office: Office) -> dict[str, object]:
    place = office.place
    return {
        "id": office.id,
        "name": office.name,
        "address": {
            "house_number": place.house_number,
            "city": place.city,
            "postal_code": place.postal_code,
            "street": place.street,
            "hint": False,
        },
        "showAlternativeLocations": not office.exclusive,
        "displayNameAlternatives": [office.unit] if office.unit else [],
        "organization": "Landeshauptstadt München",
        "organizationUnit": office.unit or None,
        "slotTimeInMinutes": office.slot_minutes,
        "geo": {"lat": str(place.lat), "lon": str(place.lon)},
        "disabledByServices": list(office.disabled_services),
        "priority": office.priority,
        "scope": scope_json(office) if office.scope else None,
        "slotsPerAppointment": text_or_none(office.slots_per_appointment),
        "parentId": office.parent_id,
        "allowDisabledServicesMix": list(office.mix) or None,
        "sharedBookingOfficeIds": list(office.shared) or None,
    }


def scope_json(office: Office) -> dict[str, object]:
    """The scope object of an office, as the catalogue and the appointment object carry it."""
    scope, place = office.scope, office.place
    assert scope is not None
    return {
        "id": scope.id,
        "provider": {
            "id": office.id,
            "name": office.long_name,
            "displayName": office.name,
            "lat": place.lat,
            "lon": place.lon,
            "source": "dldb",
            "contact": {
                "city": place.city,
                "country": "Germany",
                "name": office.long_name,
                "postalCode": place.postal_code,
                "region": place.city,
                "street": place.street,
                "streetNumber": place.house_number,
            },
        },
        "shortName": scope.short_name,
        "emailFrom": "termine@stadt.example",
        "emailRequired": scope.email_required,
        "telephoneActivated": scope.telephone,
        "telephoneRequired": scope.telephone_required,
        "customTextfieldActivated": scope.custom is not None,
        "customTextfieldRequired": scope.custom_required,
        "customTextfieldLabel": scope.custom or "",
        "customTextfield2Activated": scope.custom_2 is not None,
        "customTextfield2Required": scope.custom_2_required,
        "customTextfield2Label": scope.custom_2 or "",
        "captchaActivatedRequired": scope.captcha,
        "infoForAppointment": scope.info or None,
        "infoForAllAppointments": scope.info_for_all or None,
        "slotsPerAppointment": text_or_none(office.slots_per_appointment),
        "appointmentsPerMail": text_or_none(scope.per_mail),
        "whitelistedMails": None,
        "reservationDuration": scope.reservation_minutes,
        "activationDuration": scope.activation_minutes,
        "hint": scope.hint,
    }


def emptied_scope_json(scope_id: int) -> dict[str, object]:
    """The scope object in the answer to a cancelled confirmed appointment: the id, the rest emptied."""
    return {
        "id": scope_id,
        "provider": {
            "id": 0,
            "name": "",
            "displayName": None,
            "lat": None,
            "lon": None,
            "source": "dldb",
            "contact": None,
        },
        "shortName": "",
        "emailFrom": "",
        **dict.fromkeys(
            (
                "emailRequired",
                "telephoneActivated",
                "telephoneRequired",
                "customTextfieldActivated",
                "customTextfieldRequired",
                "customTextfieldLabel",
                "customTextfield2Activated",
                "customTextfield2Required",
                "customTextfield2Label",
                "captchaActivatedRequired",
                "infoForAppointment",
                "infoForAllAppointments",
                "slotsPerAppointment",
                "appointmentsPerMail",
            )
        ),
        "whitelistedMails": "",
        "reservationDuration": None,
        "activationDuration": None,
        "hint": None,
    }


def text_or_none(number: int | None) -> str | None:
    return None if number is None else str(number)
