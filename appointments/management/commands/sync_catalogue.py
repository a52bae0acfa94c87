"""Fetch the city's catalogue now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from appointments import wiring
from appointments.errors import CatalogueRefused
from appointments.services.catalogue import believe_next_catalogue, sync_catalogue
from appointments.upstream.errors import UpstreamError


class Command(BaseCommand):
    help = "Fetches the city's catalogue of offices and services now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--believe",
            action="store_true",
            help="Take the list over even if it lacks most of what there was.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["believe"]:
            believe_next_catalogue()
        try:
            state = sync_catalogue(wiring.city(), now=timezone.now())
        except UpstreamError as error:
            raise CommandError(
                f"The city gave no catalogue ({error}). The copy from before goes on serving."
            ) from error
        except CatalogueRefused as refused:
            raise CommandError(
                f"The city's list lacks {refused}. The copy from before goes on serving; --believe takes it over."
            ) from refused
        self.stdout.write(str(state))
