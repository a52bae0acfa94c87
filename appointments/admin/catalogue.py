"""What the city offers and where. Read from the city, never edited."""

import json
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.models import CatalogueChange, CatalogueState, Offering, Office, Service
from appointments.selectors.catalogue import city_page
from appointments.services.catalogue import believe_next_catalogue
from termin_project.staff_admin import Act, ActRefused, FactInline, StaffAdmin

CHANGE_COLOURS: dict[str, str | None] = {
    CatalogueChange.Kind.NEW: "success",
    CatalogueChange.Kind.RETURNED: "success",
    CatalogueChange.Kind.WITHDRAWN: "danger",
    CatalogueChange.Kind.MOVED: "warning",
    CatalogueChange.Kind.RENAMED: "info",
    CatalogueChange.Kind.RULES: None,
}


def opening_page(service: int | None, office: int | None = None) -> SafeString:
    """A link to the city's own page for a service, at one office if one is named."""
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>',
        city_page(service, office),
        gettext("Open at the city"),
    )


class ChangeInline(FactInline):
    """What the city changed about it."""

    model = CatalogueChange
    fields = ("at", "kind", "before", "after")
    readonly_fields = fields
    per_page = 20


class OfferingInline(FactInline):
    """Which services an office offers, or which offices offer a service."""

    model = Offering
    fields = ("service", "office", "slots", "max_quantity", "page")
    readonly_fields = fields
    per_page = 20

    @display(description=_("the city's page"))
    def page(self, offering: Offering) -> str:
        """Where the city's own page opens for both."""
        return opening_page(offering.service.upstream_id, offering.office.upstream_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offering]:
        """With both names at hand."""
        return super().get_queryset(request).select_related("service", "office").order_by("pk")


@admin.register(Office)
class OfficeAdmin(StaffAdmin):
    """Places of the city and their rules."""

    list_display = (
        "name",
        "upstream_id",
        "address",
        "bookable",
        "captcha_required",
        "reservation_minutes",
        "offered",
    )
    list_filter = ("bookable", "exclusive", "captcha_required", ("withdrawn_at", admin.EmptyFieldListFilter))
    search_fields = ("=upstream_id", "name", "street")
    inlines = (OfferingInline, ChangeInline)

    @display(description=_("offered"), boolean=True)
    def offered(self, office: Office) -> bool:
        """Still in the city's catalogue."""
        return office.withdrawn_at is None


@admin.register(Service)
class ServiceAdmin(StaffAdmin):
    """What the city does for people by appointment."""

    list_display = ("name", "upstream_id", "max_quantity", "on_start_page", "offered", "page", "synced_at")
    list_filter = (("withdrawn_at", admin.EmptyFieldListFilter), "on_start_page")
    search_fields = ("=upstream_id", "name")
    inlines = (OfferingInline, ChangeInline)

    @display(description=_("offered"), boolean=True)
    def offered(self, service: Service) -> bool:
        """Still in the city's catalogue."""
        return service.withdrawn_at is None

    @display(description=_("the city's page"))
    def page(self, service: Service) -> str:
        """Where the city's own page opens for it."""
        return opening_page(service.upstream_id)


@admin.register(Offering)
class OfferingAdmin(StaffAdmin):
    """Which office offers which service."""

    list_display = ("service", "office", "slots", "max_quantity", "page")
    list_select_related = ("service", "office")
    search_fields = ("service__name", "office__name")
    ordering = ("pk",)

    @display(description=_("the city's page"))
    def page(self, offering: Offering) -> str:
        """Where the city's own page opens for both."""
        return opening_page(offering.service.upstream_id, offering.office.upstream_id)


@admin.register(CatalogueChange)
class CatalogueChangeAdmin(StaffAdmin):
    """What the city changed, newest first."""

    list_display = ("at", "shown_kind", "what", "difference")
    list_filter = ("kind", ("service", admin.EmptyFieldListFilter), "at")
    list_select_related = ("service", "office")
    search_fields = ("service__name", "office__name", "=service__upstream_id", "=office__upstream_id")
    date_hierarchy = "at"

    @display(description=_("what happened"), ordering="kind", label=CHANGE_COLOURS)
    def shown_kind(self, change: CatalogueChange) -> tuple[str, str]:
        """The kind as a coloured word."""
        return change.kind, change.get_kind_display()

    @display(description=_("what"))
    def what(self, change: CatalogueChange) -> str:
        """The service or the office."""
        return str(change.service or change.office)

    @display(description=_("difference"))
    def difference(self, change: CatalogueChange) -> str:
        """What it was and what it is, cut to what a row can show."""
        text = " → ".join(
            json.dumps(side, ensure_ascii=False) for side in (change.before, change.after) if side
        )
        return text if len(text) <= 200 else f"{text[:199]}…"


def _believe(state: CatalogueState, now: datetime, answers: dict[str, Any]) -> None:
    if state.refused_at is None:
        raise ActRefused(gettext("nothing was refused."))
    believe_next_catalogue()


@admin.register(CatalogueState)
class CatalogueStateAdmin(StaffAdmin):
    """When the catalogue was last read, and whether a list was not believed."""

    list_display = ("__str__", "synced_at", "last_modified", "refused_at", "refusal", "last_error")
    acts = (
        Act(
            "believe",
            _("Believe the next list"),
            _("The city really offers so little now. The next list is taken over, and people are told."),
            _believe,
            icon="check",
        ),
    )
