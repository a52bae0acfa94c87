"""Calls to the city."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.durations import percentile
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

    list_display = ("starts_at", "span", "kind", "code", "calls", "p50", "p95", "slowest", "size")
    list_filter = ("span", "kind")
    search_fields = ("=code",)
    ordering = ("-starts_at", "kind", "code")

    @display(description=_("half within, ms"))
    def p50(self, count: CallCount) -> int | None:
        """Half of these calls took no longer, within 12 %."""
        return percentile(count.histogram, 50)

    @display(description=_("95 % within, ms"))
    def p95(self, count: CallCount) -> int | None:
        """Nearly all of these calls took no longer, within 12 %."""
        return percentile(count.histogram, 95)
