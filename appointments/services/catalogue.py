"""Keeping our copy of the city's catalogue: taken over whole, with a history of what changed, or not at all."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import nh3
from django.db import transaction

from appointments.errors import CatalogueRefused
from appointments.models import CatalogueState, Offering, Office, Service
from appointments.services.catalogue_changes import Snapshot, note_changes
from appointments.services.catalogue_news import possible_searches, tell_changes
from appointments.upstream import types
from appointments.upstream.client import CitizenApi

logger = logging.getLogger(__name__)

# A list that lacks more than this share of what the one before held is taken for a mistake of the city.
MOST_MISSING = 0.4
# Too few to speak of shares: a small list may well lose half of it.
TOO_FEW = 10


def sync_catalogue(api: CitizenApi, *, now: datetime) -> CatalogueState:
    """Fetch the catalogue if it changed, take it over whole, and tell the people whom a change concerns.

    Changes, their history and the messages appear together or not at all; run again, nothing is told twice. Raises
    `UpstreamError`, or `CatalogueRefused` when the list lacks most of what there was; then the copy stays as it is.
    Source: GET /offices-and-services/; the server caches it for an hour, so asking more often shows nothing new.
    """
    known = CatalogueState.objects.filter(pk=1).first() or CatalogueState(pk=1)
    catalogue = api.catalogue(if_modified_since=known.last_modified)
    if catalogue is not None and not known.believe_next:
        refusal = what_it_lacks(catalogue)
        if refusal:
            _refuse(known, refusal, now)
            raise CatalogueRefused(refusal)
    with transaction.atomic():
        # Of two that fetched at once, the second compares with what the first wrote, and finds nothing to tell.
        CatalogueState.objects.get_or_create(pk=1)
        state = CatalogueState.objects.select_for_update().get(pk=1)
        if catalogue is not None:
            before, possible = Snapshot.take(), possible_searches()
            _take_over(catalogue, now)
            changes = note_changes(before, Snapshot.take(), now=now)
            tell_changes(changes, possible, now=now)
            state.last_modified = catalogue.last_modified
            state.offices, state.services = len(catalogue.offices), len(catalogue.services)
            state.refused_at, state.refusal, state.believe_next = None, "", False
        state.synced_at, state.last_error = now, ""
        state.save()
    return state


def note_failed_sync(code: str) -> None:
    """Remember why the last attempt failed; the copy we have goes on serving."""
    CatalogueState.objects.update_or_create(pk=1, defaults={"last_error": code[:100]})


def believe_next_catalogue() -> None:
    """Staff looked: the city really offers so little now. The next list is taken over whatever it lacks."""
    CatalogueState.objects.filter(pk=1).update(believe_next=True)


def what_it_lacks(catalogue: types.Catalogue) -> str:
    """What is missing that makes the list unbelievable, for staff; "" when it can be believed."""
    services = set(Service.objects.filter(withdrawn_at=None).values_list("upstream_id", flat=True))
    offices = Office.objects.filter(withdrawn_at=None)
    bookable = set(offices.filter(bookable=True).values_list("upstream_id", flat=True))
    offers = set(Offering.objects.values_list("office__upstream_id", "service__upstream_id"))
    checks: tuple[tuple[str, Collection[Any], Collection[Any]], ...] = (
        ("services", services, {each.upstream_id for each in catalogue.services}),
        (
            "offices",
            set(offices.values_list("upstream_id", flat=True)),
            {each.upstream_id for each in catalogue.offices},
        ),
        ("bookable offices", bookable, {each.upstream_id for each in catalogue.offices if each.scope}),
        (
            "offers",
            offers,
            {(each.office_id, each.service_id) for each in catalogue.relations if each.public},
        ),
    )
    for what, before, after in checks:
        missing = len(set(before) - set(after))
        if len(before) >= TOO_FEW and missing > MOST_MISSING * len(before):
            return f"{missing} of {len(before)} {what}"
    return ""


def _refuse(state: CatalogueState, refusal: str, now: datetime) -> None:
    logger.error("Catalogue refused: it lacks too much", extra={"lacks": refusal})
    CatalogueState.objects.update_or_create(
        pk=1,
        defaults={
            "refused_at": state.refused_at or now,
            "refusal": refusal[:200],
            "last_error": CatalogueRefused.code,
        },
    )


def _take_over(catalogue: types.Catalogue, now: datetime) -> None:
    # Two statements instead of one per row: while they run nobody else can write on SQLite.
    names = {o.upstream_id: o.display_name or o.name for o in catalogue.offices}
    offices = [Office(upstream_id=o.upstream_id, **_office_fields(o, now, names)) for o in catalogue.offices]
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
        "name": " ".join(service.name.split())[:300],
        "max_quantity": max(1, service.max_quantity),
        "combinable": [[other, list(offices)] for other, offices in service.combinable.items()],
        "parent_upstream_id": service.parent_id,
        "root_parent_upstream_id": service.root_parent_id,
        "variant": service.variant_id,
        "on_start_page": service.show_on_start_page,
        "synced_at": now,
        "withdrawn_at": None,
    }


def _office_fields(office: types.Office, now: datetime, names: Mapping[int, str]) -> dict[str, Any]:
    scope = office.scope or types.Scope()
    pool = [member for member in office.shared_booking_office_ids if member in names]
    return {
        "name": (office.display_name or office.name)[:300],
        "place_name": names[pool[0]][:300] if len(pool) > 1 else "",
        "street": f"{office.street} {office.house_number}".strip()[:300],
        "postal_code": office.postal_code[:20],
        "city": office.city[:100],
        "latitude": office.lat,
        "longitude": office.lon,
        "priority": office.priority,
        "slots_per_appointment": office.slots_per_appointment or scope.slots_per_appointment or None,
        "slot_minutes": office.slot_minutes,
        "disabled_services": sorted(office.disabled_services),
        "disabled_services_mix": sorted(office.disabled_services_mix),
        "shared_booking_offices": list(office.shared_booking_office_ids),
        "exclusive": office.show_alternative_locations is False,
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
