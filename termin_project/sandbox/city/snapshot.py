"""Keeping the simulated city over a restart: one JSON file, replaced in one step."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from termin_project.sandbox.city.appointments import Process
from termin_project.sandbox.city.mail import Mail
from termin_project.sandbox.city.openings import Opening
from termin_project.sandbox.city.releases import Release

if TYPE_CHECKING:
    from termin_project.sandbox.city.world import CityWorld

VERSION = 1


def state_of(world: CityWorld) -> dict[str, Any]:
    """Everything worth keeping. Faults, the limiter and the log of requests are not."""
    with world.lock:
        return {
            "version": VERSION,
            "clock_offset": world.clock.offset.total_seconds(),
            "release": [world.release.dialect, world.release.tag],
            "openings": {
                str(office_id): {
                    str(key): [opening.starts_at, opening.step, opening.free]
                    for key, opening in capacity.openings.items()
                }
                for office_id, capacity in world.capacities.items()
            },
            "processes": [asdict(process) for process in world.desk.processes.values()],
            "mails": [asdict(mail) for mail in world.desk.outbox],
            "captcha": {
                "key": world.captcha.key,
                "token_key": world.captcha.token_key,
                "used": world.captcha.used,
            },
            "puzzles": {"key": world.puzzles.key, "used": world.puzzles.used},
            "life": {
                "released_until": {str(key): day for key, day in world.life.released_until.items()},
                "takers": world.life.takers,
                "next_common_at": world.life.next_common_at,
                "next_other_at": world.life.next_other_at,
            },
        }


def save(world: CityWorld, path: Path) -> None:
    """Write the state to `path`. A reader sees the old file or the new one, never half of one."""
    text = json.dumps(state_of(world), ensure_ascii=False, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(kind: type[CityWorld], path: Path, settings: dict[str, Any]) -> CityWorld:
    """A world with the kept state, or a fresh one without such a file. ValueError for a foreign file."""
    if not path.exists():
        return kind(**settings)
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError(f"{path} is not a state of the simulated city that can be read.")
    life = bool(settings.pop("life", False))
    world = kind(**settings, life=False)
    with world.lock:
        world.clock.offset = timedelta(seconds=document["clock_offset"])
        world.release = Release.of(*document["release"]) if "release" in document else world.release
        for office_id, openings in document["openings"].items():
            capacity = world.capacities.get(int(office_id))
            for key, (starts_at, step, free) in openings.items() if capacity else ():
                capacity.restore(int(key), Opening(starts_at, step, free))  # type: ignore[union-attr]
        for fields in document["processes"]:
            fields["wanted"] = [(service, count) for service, count in fields["wanted"]]
            process = Process(**fields)
            if process.office_id in world.capacities:
                world.desk.processes[process.number] = process
        world.desk.outbox = [Mail(**fields) for fields in document["mails"]]
        world.captcha.key = document["captcha"]["key"]
        world.captcha.token_key = document["captcha"]["token_key"]
        world.captcha.used = document["captcha"]["used"]
        if "puzzles" in document:
            world.puzzles.key = document["puzzles"]["key"]
            world.puzzles.used = document["puzzles"]["used"]
        kept = document["life"]
        world.life.released_until = {int(key): day for key, day in kept["released_until"].items()}
        world.life.takers = [(at, office, opening) for at, office, opening in kept["takers"]]
        world.life.next_common_at = kept["next_common_at"]
        world.life.next_other_at = kept["next_other_at"]
        world.life.on = life
        world.tick()
    return world
