"""Keeping our copy of the city's catalogue."""

from datetime import datetime
from typing import Any

import nh3
from django.db import transaction

from appointments.models import CatalogueState, Offering, Office, Service
from appointments.upstream import types
from appointments.upstream.client import CitizenApi


def sync_catalogue(api: CitizenApi, *, now: datetime) -> CatalogueState:
    """Fetch the catalogue if it changed and take it over whole. Raises `UpstreamError`; then nothing changes.

    Source: GET /offices-and-services/; the server caches it for an hour, so asking more often shows nothing new.
    """
    state = CatalogueState.objects.filter(pk=1).first() or CatalogueState(pk=1)
    catalogue = api.catalogue(if_modified_since=state.last_modified)
    with transaction.atomic():
        if catalogue is not None:
            _take_over(catalogue, now)
            state.last_modified = catalogue.last_modified
            state.offices, state.services = len(catalogue.offices), len(catalogue.services)
        state.synced_at, state.last_error = now, ""
        state.save()
    return state


def note_failed_sync(code: str) -> None:
    """Remember why the last attempt failed; the copy we have goes on serving."""
    CatalogueState.objects.update_or_create(pk=1, defaults={"last_error": code[:100]})


def _take_over(catalogue: types.Catalogue, now: datetime) -> None:
    # Two statements instead of one per row: while they run nobody else can write on SQLite.
    offices = [Office(upstream_id=o.upstream_id, **_office_fields(o, now)) for o in catalogue.offices]
    _write(Office, offices)
    services = [Service(upstream_id=s.upstream_id, **_service_fields(s, now)) for s in catalogue.services]
    _write(Service, services)
    # What the city no longer lists stays, marked: bookings and watches point to it.
    Office.objects.filter(synced_at__lt=now, withdrawn_at=None).update(withdrawn_at=now)
    Service.objects.filter(synced_at__lt=now, withdrawn_at=None).update(withdrawn_at=now)
    _take_over_relations(catalogue, now)


def _write(model: type[Office] | type[Service], rows: list[Any]) -> None:
    fields = [field.name for field in model._meta.concrete_fields if field.name not in ("id", "upstream_id")]
    model._default_manager.bulk_create(
        rows, update_conflicts=True, unique_fields=["upstream_id"], update_fields=fields
    )


def _take_over_relations(catalogue: types.Catalogue, now: datetime) -> None:
    offices = dict(Office.objects.filter(synced_at=now).values_list("upstream_id", "pk"))
    services = dict(Service.objects.filter(synced_at=now).values_list("upstream_id", "pk"))
    # The city's relations name services that it does not list; those cannot be booked and are skipped.
    rows = {
        (services[r.service_id], offices[r.office_id]): Offering(
            service_id=services[r.service_id],
            office_id=offices[r.office_id],
            slots=r.slots,
            max_quantity=r.max_quantity or None,
        )
        for r in catalogue.relations
        if r.public and r.service_id in services and r.office_id in offices
    }
    Offering.objects.all().delete()
    Offering.objects.bulk_create(rows.values())


def _service_fields(service: types.Service, now: datetime) -> dict[str, Any]:
    return {
        "name": service.name[:300],
        "max_quantity": max(1, service.max_quantity),
        "combinable": {str(other): list(offices) for other, offices in service.combinable.items()},
        "parent_upstream_id": service.parent_id,
        "variant": service.variant_id,
        "on_start_page": service.show_on_start_page,
        "synced_at": now,
        "withdrawn_at": None,
    }


def _office_fields(office: types.Office, now: datetime) -> dict[str, Any]:
    scope = office.scope or types.Scope()
    return {
        "name": (office.display_name or office.name)[:300],
        "street": f"{office.street} {office.house_number}".strip()[:300],
        "postal_code": office.postal_code[:20],
        "city": office.city[:100],
        "latitude": office.lat,
        "longitude": office.lon,
        "priority": office.priority,
        "slots_per_appointment": office.slots_per_appointment or scope.slots_per_appointment or None,
        "disabled_services": sorted(office.disabled_services),
        "shared_booking_offices": list(office.shared_booking_office_ids),
        "bookable": office.scope is not None,
        "captcha_required": scope.captcha_required,
        "email_required": scope.email_required,
        "telephone_activated": scope.telephone_activated,
        "telephone_required": scope.telephone_required,
        "custom_text_activated": scope.custom_text_activated,
        "custom_text_required": scope.custom_text_required,
        "custom_text_label": scope.custom_text_label[:500],
        "custom_text_2_activated": scope.custom_text_2_activated,
        "custom_text_2_required": scope.custom_text_2_required,
        "custom_text_2_label": scope.custom_text_2_label[:500],
        "reservation_minutes": _minutes(scope.reservation_duration),
        "activation_minutes": _minutes(scope.activation_duration),
        "appointments_per_mail": scope.appointments_per_mail or None,
        "hint": _text(scope.hint),
        "information": _text(scope.info_for_appointment),
        "synced_at": now,
        "withdrawn_at": None,
    }


def _minutes(duration: object) -> int | None:
    seconds = getattr(duration, "total_seconds", None)
    return int(seconds() // 60) or None if seconds else None


def _text(markup: str) -> str:
    """The city's hints as plain text: they may be HTML, and nobody else's markup reaches our messages."""
    return nh3.clean(markup, tags=set()).replace("&amp;", "&").strip()
