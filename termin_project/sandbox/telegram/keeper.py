"""What runs beside the simulated Telegram while it is served for real: keeping its state, webhooks."""

import json
import logging
import os
import tempfile
import threading
import time
from pathlib import Path

import requests

from termin_project.sandbox.telegram import snapshot
from termin_project.sandbox.telegram.webhook import deliver_next
from termin_project.sandbox.telegram.world import TelegramWorld

logger = logging.getLogger(__name__)

PULSE = 0.1  # seconds between two looks
DEBOUNCE = 0.3  # seconds a change waits, so that a burst of changes costs one write
WRITING_SHARE = 20  # a write of n seconds is followed by 20 n without one


class Keeper:
    """Keeps a world in one JSON file, written as a whole soon after each change, and serves its webhook."""

    def __init__(self, world: TelegramWorld, path: Path) -> None:
        self.world = world
        self.path = path
        self._written = world.version
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def load(self) -> bool:
        """Fill the world from the file; false when there is none.

        A file that cannot be understood is put aside under another name, and the chats start empty.
        """
        try:
            saved = json.loads(self.path.read_text(encoding="utf-8"))
            snapshot.restore(self.world, saved)
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError, AttributeError):
            aside = self.path.with_name(f"{self.path.stem}.unreadable-{int(time.time())}.json")
            self.path.replace(aside)
            logger.warning("saved chats not understood, put aside", exc_info=True, extra={"file": aside.name})
            return False
        self._written = self.world.version
        return True

    def start(self) -> None:
        """Begin saving and delivering in the background."""
        for work in (self._save_changes, self._deliver):
            thread = threading.Thread(target=work, name=f"telegram{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End long polls and the background work, and save once more. May be called twice."""
        self._stop.set()
        self.world.close()
        for thread in self._threads:
            thread.join(2)
        self.save()

    def save(self) -> None:
        """Write now if anything changed. A reader sees the old file or the new one, never half of one."""
        version = self.world.version
        if version == self._written:
            return
        content = json.dumps(snapshot.dump(self.world), ensure_ascii=False, separators=(",", ":"))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(draft, self.path)
        self._written = version

    def _save_changes(self) -> None:
        while not self._stop.wait(PULSE):
            if self.world.version == self._written or self._stop.wait(DEBOUNCE):
                continue
            started = time.monotonic()
            try:
                self.save()
            except OSError:
                logger.exception("the chats could not be saved")
            self._stop.wait(WRITING_SHARE * (time.monotonic() - started))

    def _deliver(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while not self._stop.wait(PULSE):
            while deliver_next(self.world, session):
                continue
            if "last_error_date" in self.world.webhook:
                self._stop.wait(1)
