"""Finding a service by what people type: the whole catalogue, database included, as the bot asks it.

The catalogue is the real one where its recording lies beside the checkout (or where MUNICH_TRANSCRIPTS says), else the
simulated city's. Measured in a process of its own, because it sets Django up.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.processes import ROOT, Installation
from bench.report import Line, milliseconds, percentile

TARGET = 0.010
RECORDED = "010-offices-and-services.json"


def measure() -> list[Line]:
    """Every saying of every language's table, once each."""
    folder = os.environ.get("MUNICH_TRANSCRIPTS") or str(ROOT.parent / "shared" / "munich-transcripts")
    with Installation(MUNICH_TRANSCRIPTS=folder) as installation:
        installation.run("manage.py", "migrate", "--verbosity", "0")
        results = installation.folder / "finding.json"
        installation.run("-m", "bench.finding", str(results))
        found = json.loads(results.read_text())
    half, most = percentile(found["seconds"], 0.5), percentile(found["seconds"], 0.99)
    asked = f"{len(found['seconds'])} sayings, {found['services']} services ({found['source']})"
    return [
        Line("99 % found within", milliseconds(most), milliseconds(TARGET), most <= TARGET),
        Line("half found within", milliseconds(half)),
        Line("asked", asked),
    ]


def _measure_here(results: Path) -> None:
    import django

    django.setup()
    from django.utils import timezone

    from appointments import words
    from appointments.selectors.catalogue import bookable_services, find_services
    from appointments.services.catalogue import sync_catalogue
    from appointments.upstream import reading

    body, source = _catalogue()

    class Recorded:
        """Gives the catalogue we have."""

        def catalogue(self, **_since: str) -> Any:
            return reading.catalogue(body)

    sync_catalogue(Recorded(), now=timezone.now())  # type: ignore[arg-type]
    find_services("Anmeldung")  # the tables are read once in a process
    seconds = []
    for _need, sayings in words.sayings():
        for saying in sayings:
            began = time.perf_counter()
            find_services(saying)
            seconds.append(time.perf_counter() - began)
    results.write_text(
        json.dumps({"seconds": seconds, "services": len(bookable_services()), "source": source})
    )


def _catalogue() -> tuple[Any, str]:
    path = Path(os.environ.get("MUNICH_TRANSCRIPTS", "")) / RECORDED
    if path.is_file():
        body = json.loads(path.read_text())["response"]["body"]
        return (json.loads(body) if isinstance(body, str) else body), "recorded"
    from termin_project.sandbox.city.munich import munich_catalogue

    return json.loads(json.dumps(munich_catalogue().document)), "simulated"


if __name__ == "__main__":
    _measure_here(Path(sys.argv[1]))
