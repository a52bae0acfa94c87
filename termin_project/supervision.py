"""From the Procfile to a configuration for supervisord, which restarts what dies.

supervisor was chosen because it restarts (honcho and foreman clones stop everything instead), gives each process a
group of its own (our clusters end their whole group when a queue is broken), and is small and long kept.
"""

import os
import shlex
import shutil
import socket
import sys
from pathlib import Path

import django
from django.conf import settings


def wanted_processes(procfile: str) -> dict[str, str]:
    """Name -> shell command of the processes this installation needs.

    The simulators run only while something is simulated; `notify` only where it has a queue of its own.
    """
    commands = dict(line.split(": ", 1) for line in procfile.splitlines() if ": " in line)
    if not (settings.SIMULATED_CITY or settings.SIMULATED_TELEGRAM):
        commands.pop("sandbox", None)
    for queue in ("booking", "polling", "notify"):
        if queue not in settings.QUEUES:
            commands.pop(queue, None)
    return commands


def configuration(commands: dict[str, str], *, folder: Path, logs: Path) -> str:
    """The text of a supervisord.conf that runs `commands` in the foreground."""
    # When supervisord itself is killed, its processes end too instead of holding the ports.
    guard = "setpriv --pdeathsig TERM -- " if shutil.which("setpriv") else ""
    lines = [
        "[supervisord]",
        "nodaemon=true",
        f"directory={folder}",
        f"pidfile={settings.VAR_DIR / 'supervisord.pid'}",
        f"logfile={logs / 'supervisord.log'}",
        "loglevel=warn",
    ]
    if os.getuid() == 0:
        lines.append("user=root")  # said on purpose; otherwise supervisord warns at every start
    for priority, (name, command) in enumerate(commands.items(), start=1):
        line = f"{guard}/bin/sh -c {shlex.quote(_exec(command))}".replace("%", "%%")
        lines += [
            "",
            f"[program:{name}]",
            f"command={line}",
            f"priority={priority}",
            "autorestart=true",
            "startsecs=1",
            "startretries=1000000",
            "stopsignal=TERM",
            "stopwaitsecs=25",
            "stopasgroup=false",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={logs / (name + '.log')}",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=2",
        ]
    return "\n".join(lines) + "\n"


def _exec(command: str) -> str:
    """The command without a shell left in between, so that signals reach it."""
    return command if "exec " in command else f"exec {command}"


def where_to_look() -> str:
    """The lines printed at the start: every page this installation has."""
    pages = [("Start page", "/"), ("Dashboard", "/dashboard/"), ("Admin", "/admin/"), ("Status", "/status")]
    if settings.SIMULATED_TELEGRAM:
        pages.insert(0, ("Chat with the bot", "/sandbox/chat/"))
    if settings.SIMULATED_CITY:
        pages.insert(1, ("Mailbox", "/sandbox/mailbox/"))
    width = max(len(name) for name, _path in pages)
    return "\n".join(f"  {name.ljust(width)}  {settings.PUBLIC_URL}{path}" for name, path in pages)


def taken_ports() -> list[str]:
    """Sentences about ports that something else listens on; empty when all are free."""
    wanted = [("PORT", settings.HOST, settings.PORT)]
    if settings.SIMULATED_CITY or settings.SIMULATED_TELEGRAM:
        wanted.append(("SANDBOX_PORT", "127.0.0.1", settings.SANDBOX_PORT))
    found = []
    for name, host, port in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                found.append(f"{host}:{port} cannot be used ({error.strerror}). Set {name} to a free port.")
    return found


def main() -> None:
    """Write the configuration and become supervisord."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "termin_project.settings")
    django.setup()
    logs = settings.VAR_DIR / "log"
    logs.mkdir(parents=True, exist_ok=True)
    if taken := taken_ports():
        sys.exit("\n".join([*taken, "Is it running already? Then stop it first, or open the pages above."]))
    commands = wanted_processes((settings.BASE_DIR / "Procfile").read_text())
    path = settings.VAR_DIR / "supervisord.conf"
    path.write_text(configuration(commands, folder=settings.BASE_DIR, logs=logs))
    os.environ |= {
        "HOST": settings.HOST,
        "PORT": str(settings.PORT),
        "SANDBOX_PORT": str(settings.SANDBOX_PORT),
        "SANDBOX_STATE_DIR": str(settings.SANDBOX_STATE_DIR),
        "SANDBOX_PUBLIC_URL": settings.PUBLIC_URL,
        "SIMULATE": ",".join(
            name
            for name, on in (("city", settings.SIMULATED_CITY), ("telegram", settings.SIMULATED_TELEGRAM))
            if on
        ),
        "WEB_WORKERS": os.environ.get("WEB_WORKERS", "1"),
        "PYTHONUNBUFFERED": "1",
    }
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(path)])  # noqa: S606


if __name__ == "__main__":
    main()
