"""The sandbox process: the simulated city and the simulated Telegram behind one WSGI application.

Run it with one worker, because the worlds live in its memory:
`gunicorn -k gthread --threads 32 --keep-alive 75 -b 127.0.0.1:18000 termin_project.sandbox.wsgi:application`

Environment: `SIMULATE` ("city,telegram"), `SANDBOX_STATE_DIR` (var/sandbox), `SANDBOX_PUBLIC_URL`
(http://127.0.0.1:8000; links in the city's mails begin with it), `SANDBOX_CITY_LIFE` (1; 0 = times open
and go only by hand), `SANDBOX_BOT_TOKEN` (the token that is let in).
"""

import atexit
import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """For a simulator that holds no request open."""


@dataclass(frozen=True, slots=True)
class Part:
    """One simulator: what it serves, and how what it does by itself begins and ends.

    `release` ends requests that are held open, without waiting for anything; `stop` also saves.
    """

    name: str
    prefixes: tuple[str, ...]
    app: WsgiApp
    start: Callable[[], object]
    stop: Callable[[], object]
    release: Callable[[], object] = _nothing


def city_part(environment: Mapping[str, str], directory: Path) -> Part:
    """The simulated city, as the last run left it."""
    from termin_project.sandbox.city import CityWorld, Keeper, city_app

    path = directory / "city.json"
    settings = {
        "public_url": environment.get("SANDBOX_PUBLIC_URL") or "http://127.0.0.1:8000",
        "life": environment.get("SANDBOX_CITY_LIFE", "1").lower() not in ("0", "false", "no", "off"),
    }
    try:
        world = CityWorld.load(path, **settings)
    except (ValueError, KeyError, TypeError, AttributeError):
        aside = path.with_name(f"{path.stem}.unreadable-{int(time.time())}.json")
        path.replace(aside)
        logger.warning("saved city not understood, put aside", exc_info=True, extra={"file": aside.name})
        world = CityWorld.load(path, **settings)
    keeper = Keeper(world, path)
    return Part("city", ("/city/",), city_app(world), keeper.start, keeper.stop)


def telegram_part(environment: Mapping[str, str], directory: Path) -> Part:
    """The simulated Telegram, with the chats of the last run."""
    from termin_project.sandbox.telegram import SANDBOX_TOKEN, TelegramWorld, telegram_app
    from termin_project.sandbox.telegram.keeper import Keeper

    world = TelegramWorld(
        token=environment.get("SANDBOX_BOT_TOKEN") or SANDBOX_TOKEN, directory=directory / "telegram-files"
    )
    keeper = Keeper(world, directory / "telegram.json")
    keeper.load()
    prefixes = ("/bot", "/file/bot", "/telegram/")
    return Part("telegram", prefixes, telegram_app(world), keeper.start, keeper.stop, world.close)


class Sandbox:
    """The WSGI application; `start` begins what happens by itself, `stop` ends it and saves."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = list(parts)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for part in self.parts:
            if path.startswith(part.prefixes):
                return part.app(environ, start_response)
        names = [part.name for part in self.parts]
        if path in ("/", "/healthz"):
            return _json(start_response, "200 OK", {"status": "ok", "simulated": names})
        error = f"Nothing here. Simulated in this process: {', '.join(names) or 'nothing'}."
        return _json(start_response, "404 Not Found", {"error": error})

    def start(self) -> None:
        """Begin what the simulators do by themselves."""
        for part in self.parts:
            part.start()

    def release(self) -> None:
        """End requests that are held open; the process is about to stop."""
        for part in self.parts:
            part.release()

    def stop(self) -> None:
        """End everything and save what has not been saved."""
        for part in self.parts:
            part.stop()


def _json(start_response: Callable[..., Any], status: str, body: object) -> list[bytes]:
    content = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def build(environment: Mapping[str, str] = os.environ) -> Sandbox:
    """The sandbox that the environment asks for. Raises `ValueError` for a name that is not simulated."""
    makers = {"city": city_part, "telegram": telegram_part}
    directory = Path(environment.get("SANDBOX_STATE_DIR") or "var/sandbox")
    names = [name.strip() for name in environment.get("SIMULATE", "city,telegram").split(",") if name.strip()]
    if unknown := set(names) - set(makers):
        raise ValueError(f"SIMULATE knows {', '.join(makers)}, not {', '.join(sorted(unknown))}.")
    return Sandbox(makers[name](environment, directory) for name in names)


def _release_on_signals(sandbox: Sandbox) -> None:
    """Let long polls go as soon as the process is asked to end: the server waits for open requests."""

    def install(number: signal.Signals) -> None:
        before = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None) -> None:
            # In a thread of its own: the interrupted one might hold the lock that is needed.
            threading.Thread(target=sandbox.release, daemon=True).start()
            if callable(before):
                before(received, frame)
            elif before == signal.SIG_DFL:
                raise SystemExit(128 + received)

        signal.signal(number, handle)

    with contextlib.suppress(ValueError):  # not the main thread: somebody else handles the signals
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            install(number)


def _started() -> Sandbox:
    sandbox = build()
    sandbox.start()
    _release_on_signals(sandbox)
    atexit.register(sandbox.stop)
    return sandbox


def __getattr__(name: str) -> Any:
    """`application`, made when the server asks for it, so that importing this module starts nothing."""
    if name == "application":
        sandbox = _started()
        globals()["application"] = sandbox
        return sandbox
    raise AttributeError(name)
