"""How the city speaks: its dialect, and answers we could not read."""

from django.contrib import admin

from appointments.models import CityDialect, UnreadAnswer
from termin_project.staff_admin import StaffAdmin


@admin.register(UnreadAnswer)
class UnreadAnswerAdmin(StaffAdmin):
    """The form of what came; report it to whoever maintains this program."""

    list_display = ("last_at", "method", "path", "status", "times", "shape", "first_at")
    list_filter = ("method", "path", "status")
    search_fields = ("shape", "=path")
    ordering = ("-last_at",)
    hidden = ("fingerprint",)


@admin.register(CityDialect)
class CityDialectAdmin(StaffAdmin):
    """What was found out about the city's version, and until when it is believed."""

    list_display = ("address", "dialect", "found_at", "until")
    search_fields = ("address",)
    ordering = ("address",)
