"""Write the periodic tasks to the database."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from appointments.schedules import write_schedules
from appointments.services.breakers import make_breakers


class Command(BaseCommand):
    requires_system_checks = []  # migrate has run them a moment ago
    help = "Writes the periodic tasks to the database; safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        make_breakers()
        self.stdout.write(f"{write_schedules(now=timezone.now())} schedules")
