"""Calls to the city."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.models import Call, CallCount
from termin_project.staff_admin import StaffAdmin


@admin.register(Call)
class CallAdmin(StaffAdmin):
    """One request each, for two days."""

    list_display = ("at", "kind", "status", "code", "milliseconds", "size", "round")
    list_filter = ("kind", "status", "code")
    search_fields = ("=code",)
    ordering = ("-pk",)


@admin.register(CallCount)
class CallCountAdmin(StaffAdmin):
    """Calls of a minute, an hour or a day."""

    list_display = ("starts_at", "span", "kind", "code", "calls", "mean", "slowest")
    list_filter = ("span", "kind")
    search_fields = ("=code",)
    ordering = ("-starts_at", "kind", "code")

    @display(description=_("mean, ms"))
    def mean(self, count: CallCount) -> int:
        """Milliseconds per call."""
        return round(count.milliseconds / count.calls) if count.calls else 0
