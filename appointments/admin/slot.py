"""Slots and their life."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.models import Sighting, Slot
from termin_project.staff_admin import FactInline, StaffAdmin


class SightingInline(FactInline):
    """When it came and went."""

    model = Sighting
    fields = ("kind", "at")
    readonly_fields = fields
    ordering = ("-pk",)
    per_page = 20


@admin.register(Slot)
class SlotAdmin(StaffAdmin):
    """Start times the city offers or offered."""

    list_display = ("starts_at", "office", "service", "open", "appeared_at", "seen_at", "appearances")
    list_filter = (("gone_at", admin.EmptyFieldListFilter), "office", "search__main_service")
    list_select_related = ("office", "search__main_service")
    search_fields = ("=id", "office__name")
    date_hierarchy = "starts_at"
    ordering = ("-appeared_at",)
    inlines = (SightingInline,)

    @display(description=_("service"))
    def service(self, slot: Slot) -> str:
        """Main service of the search."""
        return slot.search.main_service.name

    @display(description=_("open"), boolean=True)
    def open(self, slot: Slot) -> bool:
        """Free as far as we know."""
        return slot.gone_at is None


@admin.register(Sighting)
class SightingAdmin(StaffAdmin):
    """Every change in a slot's life."""

    list_display = ("at", "kind", "slot_number", "office")
    list_filter = ("kind",)
    list_select_related = ("slot__office",)
    search_fields = ("=id", "=slot__id")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sighting]:
        """With the office's name at hand on the page of one sighting, too."""
        return super().get_queryset(request).select_related("slot__office")

    @display(description=_("slot"), ordering="slot_id")
    def slot_number(self, sighting: Sighting) -> str:
        """Number of the slot."""
        return f"#{sighting.slot_id}"

    @display(description=_("office"))
    def office(self, sighting: Sighting) -> str:
        """Where."""
        return sighting.slot.office.name
