"""Run the processes of one queue."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    # They would load the pages, which no queue needs, and delay the start; migrating and testing run them.
    requires_system_checks = []
    help = "Runs the processes of one queue (booking, polling or notify) and restarts what hangs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=["booking", "polling", "notify"])

    def handle(self, *args: Any, queue: str, **options: Any) -> None:
        if queue not in settings.QUEUES:
            raise CommandError(f"The queue {queue} is not used here: NOTIFY_QUEUE={settings.NOTIFY_QUEUE}.")
        if os.environ.get("Q_CLUSTER_NAME") != queue:
            # django-q2 reads the name of its cluster when it is imported, which has happened by now.
            os.environ["Q_CLUSTER_NAME"] = queue
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - ourselves, with the name set
        from appointments import cluster

        cluster.run(queue)
