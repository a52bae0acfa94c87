"""Fetch the city's catalogue now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from appointments import wiring
from appointments.services.catalogue import sync_catalogue
from appointments.upstream.errors import UpstreamError


class Command(BaseCommand):
    help = "Fetches the city's catalogue of offices and services now."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            state = sync_catalogue(wiring.city(), now=timezone.now())
        except UpstreamError as error:
            raise CommandError(
                f"The city gave no catalogue ({error}). The copy from before goes on serving."
            ) from error
        self.stdout.write(str(state))
