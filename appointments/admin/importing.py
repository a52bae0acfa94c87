"""Appointments from the city's page on their way in. The key that opens them is never shown."""

from django.contrib import admin

from appointments.models import ImportRequest
from termin_project.staff_admin import StaffAdmin


@admin.register(ImportRequest)
class ImportRequestAdmin(StaffAdmin):
    """Who sent which number, and what became of it; kept for an hour."""

    list_display = ("__str__", "subscriber", "outcome", "created_at", "retry_at", "done_at")
    list_filter = ("outcome",)
    list_select_related = ("subscriber",)
    search_fields = ("=id", "=subscriber__id", "=process_id")
    ordering = ("-created_at",)
    hidden = ("auth_key",)
