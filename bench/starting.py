"""From a migrated database to ready, and what everything takes of the memory at rest."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

from bench.processes import Installation, wait_until
from bench.report import Line

READY_SECONDS, MEGABYTES = 6.0, 250


def measure(rest_seconds: float) -> list[Line]:
    """Everything that `script/server` starts, with both simulators, as on an empty machine."""
    with Installation() as installation:
        installation.run("-m", "termin_project.translations")
        installation.run("manage.py", "migrate", "--verbosity", "0")
        installation.run("manage.py", "setup_schedules")
        began = time.monotonic()
        installation.start("-m", "termin_project.supervision", log="supervisor.log")
        last = ["no answer"]

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"{installation.web}/readyz", timeout=5):  # noqa: S310 - loopback
                    return True
            except urllib.error.HTTPError as error:
                last[0] = error.read(500).decode(errors="replace")
            except OSError as error:
                last[0] = str(error)
            return False

        try:
            wait_until(ready, 60, "ready", every=0.05)
        except TimeoutError:
            return [Line("ready", f"not within 60 s: {last[0]}", f"{READY_SECONDS:g} s", met=False)]
        took = time.monotonic() - began
        time.sleep(rest_seconds)
        sizes: dict[str, float] = {}
        for process in installation.processes():
            name = _part(process.command)
            sizes[name] = sizes.get(name, 0.0) + process.pss() / 1_000_000
    total = sum(size for name, size in sizes.items() if name != "sandbox")
    parts = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1]))
    return [
        Line("migrated database to ready", f"{took:.1f} s", f"{READY_SECONDS:g} s", took <= READY_SECONDS),
        Line(
            "memory of all processes at rest (PSS)", f"{total:.0f} MB", f"{MEGABYTES} MB", total <= MEGABYTES
        ),
        Line("of which, and the simulators on top", f"{parts} MB"),
    ]


def _part(command: str) -> str:
    words = {
        "sandbox.wsgi": "sandbox",
        "termin_project.wsgi": "web",
        "run_bot": "bot",
        "run_cluster booking": "booking",
        "run_cluster polling": "polling",
        "run_cluster notify": "notify",
        "supervisor": "supervisor",
    }
    return next((name for word, name in words.items() if word in command), command[:30])
