"""The city survives a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from termin_project.sandbox.city import CityWorld, Clock, Keeper

from .conftest import MONDAY, REGISTER, RUPPERT, THURSDAY_9, Citizen, ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "city.json"


def reloaded(world: CityWorld, path: Path, **settings: object) -> Citizen:
    world.save(path)
    return Citizen(CityWorld.load(path, **{"clock": Clock(world.clock.now()), "limit": 1000, **settings}))


def test_holds_appointments_mails_and_places_are_kept(
    citizen: Citizen, world: CityWorld, clock: Clock, path: Path
) -> None:
    held = citizen.preconfirmed()
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9 + timedelta(hours=1), places=2)
    clock.advance(timedelta(seconds=2))
    again = reloaded(world, path)
    assert again.read(held).json()["status"] == "preconfirmed"
    assert [mail.kind for mail in again.world.mails] == ["activation"]
    assert again.world.free_places(RUPPERT, [REGISTER], THURSDAY_9 + timedelta(hours=1)) == 2
    assert again.world.free_places(RUPPERT, [REGISTER], THURSDAY_9) == 0
    again.post("confirm-appointment", **ids(held))
    again.world.clock.advance(timedelta(seconds=2))
    assert [mail.id for mail in again.world.mails] == [1, 2]


def test_a_kept_reservation_still_expires_and_frees_its_place(
    citizen: Citizen, world: CityWorld, path: Path
) -> None:
    held = citizen.reserved()
    again = reloaded(world, path)
    again.world.clock.advance(timedelta(minutes=16))
    assert again.read(held).status_code == 404
    assert again.world.free_places(RUPPERT, [REGISTER], THURSDAY_9) == 1


def test_captcha_tokens_stay_good(citizen: Citizen, world: CityWorld, path: Path) -> None:
    token = citizen.read(citizen.reserved()).json()["captchaToken"]
    again = reloaded(world, path)
    answer = again.calendar(
        "2026-11-24", "2026-12-13", officeIds=1063278, serviceIds=10300793, captchaToken=token
    )
    assert answer.status_code == 200


def test_life_goes_on_where_it_stood(make_world: Callable[..., CityWorld], path: Path) -> None:
    world = make_world(life=True)
    again = reloaded(world, path, life=True).world
    assert again.life.on
    assert again.life.takers == world.life.takers
    assert again.life.next_common_at == world.life.next_common_at
    first, second = (
        {office: len(capacity.openings) for office, capacity in each.capacities.items()}
        for each in (world, again)
    )
    assert first == second


def test_a_clock_that_was_moved_stays_moved(path: Path) -> None:
    world = CityWorld(Clock())
    world.clock.advance(timedelta(days=3))
    world.save(path)
    ahead = CityWorld.load(path).clock.now() - datetime.now(UTC)
    assert timedelta(days=3) - timedelta(minutes=1) < ahead <= timedelta(days=3)


def test_without_a_file_the_city_is_new(path: Path) -> None:
    assert CityWorld.load(path, clock=Clock(MONDAY)).reservations == []


@pytest.mark.parametrize("text", ["[]", '{"version": 99}', "half a fi"])
def test_a_foreign_file_is_refused(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError, match=r"state|Expecting"):
        CityWorld.load(path)


def test_a_failed_save_leaves_the_old_file(world: CityWorld, path: Path) -> None:
    world.save(path)
    before = path.read_text()
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    with patch("os.fsync", side_effect=OSError("disk full")), pytest.raises(OSError, match="disk full"):
        world.save(path)
    assert path.read_text() == before
    world.save(path)
    assert json.loads(path.read_text())["openings"]["10489"]


def test_the_keeper_saves_after_a_change_and_at_the_end(world: CityWorld, path: Path) -> None:
    keeper = Keeper(world, path).start()
    try:
        world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not (path.exists() and '"10489":{"1"' in path.read_text()):
            time.sleep(0.05)
        assert json.loads(path.read_text())["openings"]["10489"]
        citizen = Citizen(world)
        citizen.reserve()
    finally:
        keeper.stop()
    assert len(json.loads(path.read_text())["processes"]) == 1


def test_the_keeper_lets_life_go_on_without_requests(world: CityWorld, clock: Clock) -> None:
    Citizen(world).reserved()
    keeper = Keeper(world).start()
    try:
        clock.advance(timedelta(minutes=20))
        deadline = time.monotonic() + 5
        while world.reservations and time.monotonic() < deadline:
            time.sleep(0.05)
        assert world.reservations == []
    finally:
        keeper.stop()
