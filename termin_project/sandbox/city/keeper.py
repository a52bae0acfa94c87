"""What runs beside the city while it is served for real: its pulse, and keeping its state."""

from __future__ import annotations

import atexit
import logging
import threading
from pathlib import Path

from termin_project.sandbox.city.world import CityWorld

logger = logging.getLogger(__name__)

PULSE = 1.0
DEBOUNCE = 0.3
LIFE_SAVED_EVERY = 30.0
"""Seconds. Changes by people are kept at once, those of natural life only so often."""


class Keeper:
    """Ticks the world once a second in a background thread and saves it shortly after each change."""

    def __init__(self, world: CityWorld, path: Path | None = None) -> None:
        self.world = world
        self.path = path
        self._stop = threading.Event()
        self._saved_changes = -1
        self._thread = threading.Thread(target=self._run, name="city-keeper", daemon=True)

    def start(self) -> Keeper:
        """Begin; at the end of the process the state is saved once more."""
        self._thread.start()
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """End the thread and save. May be called twice."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(timeout=5)
            self.save()
            atexit.unregister(self.stop)

    def save(self) -> None:
        """Save now, if there is a place to save to."""
        if self.path is None:
            return
        self._saved_changes = self.world.changes
        try:
            self.world.save(self.path)
        except OSError:
            logger.exception("The state of the simulated city could not be saved.")

    def _run(self) -> None:
        since_pulse, since_save = PULSE, 0.0
        while not self._stop.wait(DEBOUNCE):
            since_pulse += DEBOUNCE
            since_save += DEBOUNCE
            if since_pulse >= PULSE:
                self.world.tick()
                since_pulse = 0.0
            if self.world.changes != self._saved_changes or (
                self.world.life.on and since_save >= LIFE_SAVED_EVERY
            ):
                self.save()
                since_save = 0.0
