"""Real queues under the real supervisor, in a folder of their own; nothing is shared with the suite's database."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django_q.signing import SignedPackage

from bench.processes import ROOT, Installation, Process
from termin_project.supervision import configuration

WORKERS = {"booking": 3, "polling": 1}


@dataclass(frozen=True)
class Members:
    """The processes of one cluster, by what they do."""

    main: Process
    sentinel: Process
    workers: list[Process]
    monitor: Process
    pusher: Process

    def named(self, role: str) -> Process:
        return self.workers[0] if role == "worker" else getattr(self, role)

    def all(self) -> list[Process]:
        return [self.main, self.sentinel, *self.workers, self.monitor, self.pusher]


class Queues(Installation):
    """An installation of which only the queues run, with a look into its database."""

    def __init__(self) -> None:
        # The same key as the suite's, so that tasks put in here are accepted there.
        super().__init__(DJANGO_SECRET_KEY=settings.SECRET_KEY)
        self.run("manage.py", "migrate", "--verbosity", "0")

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "db.sqlite3", timeout=20)) as database, database:
            return database.execute(statement, values).fetchall()

    def rest_watching(self) -> None:
        """Have the chain of watching taken by nobody, so that the polling queue is free."""
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
        self.execute("INSERT INTO appointments_lease (name, epoch, until) VALUES ('watching', 1, ?)", until)

    def put_canary(self, queue: str, mark: str) -> None:
        """Queue a canary that will stamp the sign of life `queue:<mark>`."""
        now = datetime.now(UTC)
        task = {
            "id": uuid4().hex,
            "name": "canary",
            "func": "appointments.tasks.canary",
            "args": (mark,),
            "kwargs": {},
            "cluster": queue,
            "ack_failure": True,
            "started": now,
        }
        self.execute(
            "INSERT INTO django_q_ormq (key, payload, lock) VALUES (?, ?, ?)",
            queue,
            SignedPackage.dumps(task),
            now.strftime("%Y-%m-%d %H:%M:%S.%f"),
        )

    def is_alive(self, mark: str) -> bool:
        return bool(self.execute("SELECT 1 FROM appointments_heartbeat WHERE name = ?", f"queue:{mark}"))

    def members(self, queue: str) -> Members | None:
        """The processes of a cluster, or None while it is not complete."""
        found = self.processes("run_cluster", queue)
        mains = [process for process in found if process.pid == process.group]
        if len(mains) != 1 or len(found) != WORKERS[queue] + 4:
            return None
        main = mains[0]
        sentinel = next(process for process in found if process.parent == main.pid)
        children = [process for process in found if process.parent == sentinel.pid]
        if len(children) != WORKERS[queue] + 2:
            return None
        # django-q2 starts the workers, then the monitor, then the pusher.
        *workers, monitor, pusher = children
        return Members(main, sentinel, workers, monitor, pusher)

    def supervise(self, *names: str) -> subprocess.Popen[bytes]:
        """Run the processes called `names` in the Procfile under supervisord."""
        lines = (ROOT / "Procfile").read_text().splitlines()
        commands = {
            name: command for name, command in (line.split(": ", 1) for line in lines) if name in names
        }
        path = self.folder / "supervisord.conf"
        text = configuration(commands, folder=ROOT, logs=self.folder)
        path.write_text(text.replace(str(settings.VAR_DIR), str(self.folder)))
        return self.start("-m", "supervisor.supervisord", "-n", "-c", str(path), log="supervisor.log")


@pytest.fixture(scope="module")
def queues() -> Iterator[Queues]:
    """Both clusters of a small computer, supervised; watching rests."""
    with Queues() as running:
        running.rest_watching()
        running.supervise("booking", "polling")
        yield running
