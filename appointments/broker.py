"""The queue's table with a bell, so that a task on this computer starts at once and not at the next look.

django-q2's broker looks into its table every `poll` seconds; half of that is what a slot waits on its way to being
reserved, and looking more often costs CPU all day. Whoever queues a task rings: one byte into a named pipe that the
cluster waits on. The bell is a hint and never an error; what is not heard (another computer, no cluster yet) is found
by looking, as before.
"""

import contextlib
import os
import select
import time
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf


class Bell:
    """The named pipe of one queue. Rung by any process of this computer, waited on by the queue's cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ear: int | None = None

    def ring(self) -> None:
        """Wake who waits; nothing happens if nobody does, or if it was rung often enough already."""
        with contextlib.suppress(OSError):
            pipe = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(pipe, b"\0")
            finally:
                os.close(pipe)

    def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long. From the first wait on no ringing is missed."""
        if self._ear is None:
            self._ear = self._open()
        if self._ear is None:
            time.sleep(seconds)
        elif select.select([self._ear], [], [], seconds)[0]:
            os.read(self._ear, 65_536)

    def _open(self) -> int | None:
        with contextlib.suppress(OSError):
            if not self.path.exists():
                os.mkfifo(self.path, 0o600)
            # Open for writing, too: otherwise the pipe would report its end whenever a writer leaves.
            return os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        return None


class BellBroker(ORM):
    """django-q2's broker on the database, with a bell and in the order of arrival."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self.bell = Bell(settings.VAR_DIR / f"queue-{self.list_key or Conf.CLUSTER_NAME}.bell")

    def enqueue(self, task: str) -> int:
        """Put a signed task into the table and ring; returns its number."""
        number: int = super().enqueue(task)
        self.bell.ring()
        return number

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Up to `bulk` tasks that are now ours for `retry` seconds, or None after a wait without any."""
        waiting = self.get_connection().filter(key=self.list_key, lock__lt=timezone.now())
        tasks = list(waiting.order_by("pk")[: Conf.BULK])
        if not tasks:
            self.bell.wait(Conf.POLL)
            return None
        return [
            (task.pk, task.payload)
            for task in tasks
            if self.get_connection().filter(pk=task.pk, lock=task.lock).update(lock=self.timeout(task))
        ]
