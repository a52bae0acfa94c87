"""What the city offers and where. Read from the city; staff say only what counts as an emergency."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.models import CatalogueState, Offering, Office, Search, Service
from appointments.services.emergencies import judge_search
from termin_project.staff_admin import FactInline, StaffAdmin


class OfferingInline(FactInline):
    """Which services an office offers, or which offices offer a service."""

    model = Offering
    fields = ("service", "office", "slots", "max_quantity")
    readonly_fields = fields
    per_page = 20

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
    list_filter = ("bookable", "captcha_required", ("withdrawn_at", admin.EmptyFieldListFilter))
    search_fields = ("=upstream_id", "name", "street")
    inlines = (OfferingInline,)

    @display(description=_("offered"), boolean=True)
    def offered(self, office: Office) -> bool:
        """Still in the city's catalogue."""
        return office.withdrawn_at is None


@admin.register(Service)
class ServiceAdmin(StaffAdmin):
    """What the city does for people by appointment."""

    list_display = (
        "name",
        "upstream_id",
        "max_quantity",
        "emergency",
        "on_start_page",
        "offered",
        "synced_at",
    )
    list_filter = (("withdrawn_at", admin.EmptyFieldListFilter), "emergency", "on_start_page")
    editable = ("emergency",)
    search_fields = ("=upstream_id", "name")
    inlines = (OfferingInline,)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """What staff say about emergencies counts from the next request on."""
        super().save_model(request, obj, form, change)
        for search in Search.objects.filter(main_service=obj.pk).select_related("main_service"):
            judge_search(search, now=timezone.now())

    @display(description=_("offered"), boolean=True)
    def offered(self, service: Service) -> bool:
        """Still in the city's catalogue."""
        return service.withdrawn_at is None


@admin.register(Offering)
class OfferingAdmin(StaffAdmin):
    """Which office offers which service."""

    list_display = ("service", "office", "slots", "max_quantity")
    list_select_related = ("service", "office")
    search_fields = ("service__name", "office__name")
    ordering = ("pk",)


@admin.register(CatalogueState)
class CatalogueStateAdmin(StaffAdmin):
    """When the catalogue was last read."""

    list_display = ("__str__", "synced_at", "last_modified", "last_error")
