"""Munich's offices and services, with the ids the city uses."""

from __future__ import annotations

from termin_project.sandbox.city.catalogue import Catalogue, Relation
from termin_project.sandbox.city.munich_offices import OFFICES
from termin_project.sandbox.city.munich_services import COMBINATIONS, OFFERED, SERVICES


def munich_catalogue() -> Catalogue:
    """The catalogue of the simulated city."""
    relations = tuple(
        Relation(office_id, service_id, slots)
        for office_ids, services in OFFERED
        for office_id in office_ids
        for service_id, slots in services.items()
    )
    return Catalogue(
        {office.id: office for office in OFFICES},
        {service.id: service for service in SERVICES},
        relations,
        COMBINATIONS,
    )
