"""The world as JSON and back, so that a restart loses neither chats nor updates that still wait."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from termin_project.sandbox.telegram.records import Bot, Message, Person, StoredFile, Tap
from termin_project.sandbox.telegram.world import DEFAULT_UPDATES, TelegramWorld

FORMAT = 1
_INSTANTS = {"sent_at", "edited_at", "seen_at", "pressed_at"}
_COUNTERS = ("next_message", "next_update", "next_file", "next_tap", "version")


def dump(world: TelegramWorld) -> dict[str, Any]:
    """Everything that has to survive, as JSON values; faults and request counts do not."""
    with world.lock:
        return {
            "format": FORMAT,
            **{name: getattr(world, name) for name in _COUNTERS},
            "bot": asdict(world.bot),
            "people": [_plain({**vars(p), "typing_until": None}) for p in world.people.values()],
            "messages": [_plain(vars(m)) for m in world.messages.values()],
            "files": [asdict(f) for f in world.files.values()],
            "taps": [_plain(vars(t)) for t in world.taps.values()],
            "waiting": list(world.waiting),
            "allowed": sorted(world.allowed),
            "webhook": dict(world.webhook),
        }


def restore(world: TelegramWorld, saved: dict[str, Any]) -> None:
    """Fill an empty world with what `dump` gave.

    Raises `ValueError` for another format, `KeyError` or `TypeError` for a damaged one.
    """
    if saved.get("format") != FORMAT:
        raise ValueError("a snapshot of another version")
    with world.lock:
        for name in _COUNTERS:
            setattr(world, name, int(saved[name]))
        world.bot = Bot(**saved["bot"])
        world.people = {p["id"]: Person(**p) for p in saved["people"]}
        world.messages = {m["id"]: Message(**_with_instants(m)) for m in saved["messages"]}
        world.files = {f["id"]: StoredFile(**f) for f in saved["files"]}
        world.taps = {t["id"]: Tap(**_with_instants(t)) for t in saved["taps"]}
        world.waiting = list(saved["waiting"])
        world.allowed = frozenset(saved["allowed"]) or DEFAULT_UPDATES
        world.webhook = dict(saved["webhook"])
        world.requests, world.refusals = Counter(), Counter()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }


def _with_instants(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in _INSTANTS and value else value
        for name, value in values.items()
    }
