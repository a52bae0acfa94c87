"""Make the first staff account."""

import os
import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    requires_system_checks = []  # migrate has run them a moment ago
    help = "Makes the account `staff` if there is none, and prints its password once."

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        if users.filter(username="staff").exists():
            return
        given = os.environ.get("STAFF_PASSWORD", "")
        password = given or secrets.token_urlsafe(9)
        users.create_superuser("staff", password=password)
        shown = "the one in STAFF_PASSWORD" if given else password
        self.stdout.write(f"Staff account made. User: staff  Password: {shown}  (shown this once)")
