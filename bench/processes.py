"""Real processes of one installation in a folder of its own: started, found, measured, and surely ended.

Every process of an installation carries its `VAR_DIR` in its environment, so that all of them are found in `/proc`,
whoever their parent is by now.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
# Nothing of the caller's configuration leaks into what is measured.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table. `group` is the process group."""

    pid: int
    parent: int
    group: int
    state: str
    command: str

    @property
    def is_alive(self) -> bool:
        """Whether it still runs or could run (a zombie does not)."""
        found = _read(self.pid)
        return found is not None and found.state != "Z" and found.command == self.command

    def pss(self) -> int:
        """Bytes of memory, shared pages counted in proportion; 0 once it is gone."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        return 0


def _read(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except OSError:
        return None
    state, parent, group = stat.rpartition(")")[2].split()[:3]
    return Process(pid, int(parent), int(group), state, command)


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    condition: Callable[[], object], seconds: float, what: str | Callable[[], str], *, every: float = 0.02
) -> float:
    """Wait until `condition()` is true; returns the seconds it took.

    Raises `TimeoutError` naming `what`, and what it returns by then if it is a function.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what if isinstance(what, str) else what()}: not within {seconds:g} s")
        time.sleep(every)
    return time.monotonic() - began


class Installation:
    """A fresh database and its processes in a temporary folder; a context manager that leaves nothing behind."""

    def __init__(self, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="termin-"))
        port = free_port()
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": f"sqlite:///{self.folder / 'db.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "termin_project.settings",
            "DJANGO_SECRET_KEY": "only for this run",
            "FIELD_ENCRYPTION_KEYS": "oQ2gJ3eCq3vJ0b0P2Jc0ZqJb9dT0a6rS5oJx1uQ0yqA=",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "SANDBOX_PORT": str(free_port()),
            "SANDBOX": "1",
            "TELEGRAM_BOT_TOKEN": "",
            "MUNICH_API_URL": "",
            "REDIS_URL": "",
            "LOG_LEVEL": "WARNING",
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        }
        self.environment |= environment
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    @property
    def web(self) -> str:
        """The address of the web process, without a trailing slash."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def run(self, *command: str) -> None:
        """Run a Python module or script (`manage.py migrate`) to its end. Raises `CalledProcessError`."""
        subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, *command], cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL
        )

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a Python module or script in a session of its own; what it says goes to the file `log`."""
        with (self.folder / log).open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def processes(self, *words: str) -> list[Process]:
        """The living processes of this installation whose command holds all `words`, oldest first."""
        mark = f"VAR_DIR={self.folder}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                is_ours = mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            process = _read(int(entry.name)) if is_ours else None
            if process and process.state != "Z" and all(word in process.command for word in words):
                found.append(process)
        return sorted(found, key=lambda process: _age_key(process.pid))

    def stop(self, child: subprocess.Popen[bytes], seconds: float = 25) -> float:
        """Ask a started process to end (SIGTERM) and wait; returns the seconds it took."""
        child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        child.wait(timeout=seconds)
        return time.monotonic() - began

    def logs(self) -> str:
        """What the processes have said, for a failure's message."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}"
            for path in sorted(self.folder.rglob("*.log"))
        )

    def end(self) -> None:
        """End everything that is left, first by asking, and remove the folder."""
        for child in self._children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=15)
        for _round in range(20):
            left = self.processes()
            for process in left:
                with contextlib.suppress(OSError):
                    os.kill(process.pid, signal.SIGKILL)
            for child in self._children:
                child.poll()
            if not left:
                break
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)


def _age_key(pid: int) -> tuple[int, int]:
    """Oldest first: the start in clock ticks, then the number."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        started = 0
    return started, pid
