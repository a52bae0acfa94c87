"""`manage.py draw_booking_machine`: writes docs/booking-machine.md and its picture."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from appointments import machine_picture


class Command(BaseCommand):
    """Draws the booking machine; the picture needs Graphviz (`dot`), as `apt-get install graphviz` brings it."""

    help = "Writes docs/booking-machine.md and docs/images/booking-machine.svg from appointments/states.py."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write both files. Raises `CommandError` without Graphviz."""
        docs = Path(settings.BASE_DIR) / "docs"
        (docs / "booking-machine.md").write_text(machine_picture.page())
        program = shutil.which("dot")
        if program is None:
            raise CommandError(
                "The picture needs Graphviz. On Debian or Ubuntu: sudo apt-get install graphviz"
            )
        graph = machine_picture.dot()
        drawn = subprocess.run(  # noqa: S603 - Graphviz, fed with our own graph
            [program, "-Tsvg"], input=graph, capture_output=True, text=True, check=True
        )
        mark = f"<!-- drawn from {sha256(graph.encode()).hexdigest()} -->\n"
        (docs / "images" / "booking-machine.svg").write_text(drawn.stdout + mark)
