"""What differs between two catalogues, written down as history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from appointments.models import CatalogueChange, Offering, Office, Service

Kind = CatalogueChange.Kind

# Rules of an office and of a service, by the name of the field. Names, addresses and coordinates are no rules.
OFFICE_RULES = (
    "bookable",
    "slots_per_appointment",
    "slot_minutes",
    "disabled_services",
    "disabled_services_mix",
    "shared_booking_offices",
    "exclusive",
    "captcha_required",
    "email_required",
    "telephone_activated",
    "telephone_required",
    "custom_text_activated",
    "custom_text_required",
    "custom_text_label",
    "custom_text_2_activated",
    "custom_text_2_required",
    "custom_text_2_label",
    "reservation_minutes",
    "activation_minutes",
    "appointments_per_mail",
)
SERVICE_RULES = (
    "max_quantity",
    "combinable",
    "parent_upstream_id",
    "root_parent_upstream_id",
    "variant",
    "on_start_page",
)


@dataclass(frozen=True)
class Item:
    """One office or service as it was at one moment."""

    pk: int
    withdrawn: bool
    name: str
    address: str
    rules: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """Our copy of the catalogue at one moment, by the city's numbers."""

    offices: Mapping[int, Item]
    services: Mapping[int, Item]

    @classmethod
    def take(cls) -> Self:
        """The copy as it is now."""
        offered: dict[int, dict[str, list[int | None]]] = {}
        for service, office, slots, most in Offering.objects.order_by("office__upstream_id").values_list(
            "service_id", "office__upstream_id", "slots", "max_quantity"
        ):
            offered.setdefault(service, {})[str(office)] = [slots, most]
        return cls(
            offices={
                office.upstream_id: Item(
                    office.pk,
                    office.withdrawn_at is not None,
                    office.name,
                    office.address,
                    {name: getattr(office, name) for name in OFFICE_RULES},
                )
                for office in Office.objects.all()
            },
            services={
                service.upstream_id: Item(
                    service.pk,
                    service.withdrawn_at is not None,
                    service.name,
                    "",
                    {name: getattr(service, name) for name in SERVICE_RULES}
                    | {"offered": offered.get(service.pk, {})},
                )
                for service in Service.objects.all()
            },
        )


def note_changes(before: Snapshot, after: Snapshot, *, now: datetime) -> list[CatalogueChange]:
    """Write down what differs, in the caller's transaction. The very first catalogue is no change.

    Returns the rows, services first.
    """
    if not before.services:
        return []
    changes = [
        CatalogueChange(**about, service_id=item.pk, at=now)
        for item, about in _differences(before.services, after.services)
    ]
    changes += [
        CatalogueChange(**about, office_id=item.pk, at=now)
        for item, about in _differences(before.offices, after.offices)
    ]
    return CatalogueChange.objects.bulk_create(changes, batch_size=200)


def _differences(
    before: Mapping[int, Item], after: Mapping[int, Item]
) -> Iterator[tuple[Item, dict[str, Any]]]:
    for number, new in after.items():
        old = before.get(number)
        if old is None:
            yield new, {"kind": Kind.NEW, "after": {"name": new.name}}
            continue
        if new.withdrawn:
            if not old.withdrawn:
                yield new, {"kind": Kind.WITHDRAWN, "before": {"name": old.name}}
            continue
        if old.withdrawn:
            yield new, {"kind": Kind.RETURNED, "after": {"name": new.name}}
        if new.name != old.name:
            yield new, {"kind": Kind.RENAMED, "before": {"name": old.name}, "after": {"name": new.name}}
        if new.address != old.address:
            yield (
                new,
                {"kind": Kind.MOVED, "before": {"address": old.address}, "after": {"address": new.address}},
            )
        # What came back is described by its return; its rules of long ago say nothing.
        differing = [] if old.withdrawn else [key for key in new.rules if new.rules[key] != old.rules[key]]
        if differing:
            yield (
                new,
                {
                    "kind": Kind.RULES,
                    "before": {key: old.rules[key] for key in differing},
                    "after": {key: new.rules[key] for key in differing},
                },
            )
