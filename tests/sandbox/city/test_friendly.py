"""The captcha of before muc24: puzzles from another service, their solutions checked with the reservation."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from captcha.providers import FriendlyV1
from termin_project.sandbox.city import CityWorld, Clock
from termin_project.sandbox.city.releases import Release

from .conftest import PAPERS, TAXI, THURSDAY_9, Citizen, codes

DAYS = {"startDate": "2026-11-24", "endDate": "2026-12-20", "officeId": TAXI, "serviceId": PAPERS}
GUARDED = {"office": TAXI, "service": PAPERS}


@pytest.fixture(params=[19, 20, 23])
def citizen(request: pytest.FixtureRequest, make_world: Callable[..., CityWorld]) -> Citizen:
    world = make_world(tag=request.param)
    world.add_places(TAXI, [PAPERS], THURSDAY_9)
    return Citizen(world)


def fetch(citizen: Citizen, **more: str) -> requests.Response:
    """A puzzle from where the details say."""
    details = citizen.get("captcha-details").json()
    return citizen.session.get(details["puzzle"], params={"sitekey": details["siteKey"]} | more)


def solved(puzzle: str) -> str:
    provider = FriendlyV1()
    challenge = provider.parse({"puzzle": puzzle})
    return provider.payload(challenge, provider.solve(challenge, limit=timedelta(seconds=20)))


@pytest.fixture
def solution(citizen: Citizen) -> str:
    return solved(fetch(citizen).json()["data"]["puzzle"])


def test_the_details_name_a_puzzle_on_the_same_host(citizen: Citizen) -> None:
    details = citizen.get("captcha-details").json()

    assert set(details) == {"siteKey", "captchaEndpoint", "puzzle", "captchaEnabled"}
    assert details["puzzle"].startswith("http://city.test")


def test_there_are_no_routes_for_challenges(citizen: Citizen) -> None:
    asked, handed = citizen.get("captcha-challenge"), citizen.post("captcha-verify", payload="e30=")

    assert (asked.status_code, handed.status_code) == (404, 404)
    assert codes(asked) == codes(handed) == ["notFound"]


def test_free_times_of_guarded_offices_are_open(citizen: Citizen) -> None:
    assert citizen.get("available-days", **DAYS, serviceCount=1).json() == {"availableDays": ["2026-11-26"]}


def test_a_solved_puzzle_holds_a_place_once(citizen: Citizen, solution: str) -> None:
    citizen.world.add_places(TAXI, [PAPERS], THURSDAY_9)

    held = citizen.reserve(**GUARDED, captchaSolution=solution)
    again = citizen.reserve(**GUARDED, captchaSolution=solution)

    assert held.status_code == 200, held.text
    assert (again.status_code, codes(again)) == (400, ["captchaVerificationFailed"])
    assert not held.json()["captchaToken"]


def _wrong(solution: str) -> list[object]:
    signature, buffer, answer, diagnostics = solution.split(".")
    counters = base64.b64decode(answer)
    repeated = base64.b64encode(counters[:8] * (len(counters) // 8)).decode()
    easier = bytearray(base64.b64decode(buffer))
    easier[15] = 0
    return [
        None,
        "",
        "bad.solution.string.x",
        7,
        f"{signature}.{buffer}.{answer}",
        f"{signature}.{buffer}.{base64.b64encode(counters[:-8]).decode()}.{diagnostics}",
        f"{signature}.{buffer}.{base64.b64encode(bytes(len(counters))).decode()}.{diagnostics}",
        f"{signature}.{buffer}.{repeated}.{diagnostics}",
        f"{signature}.{base64.b64encode(easier).decode()}.{answer}.{diagnostics}",
        f"{'0' * 64}.{buffer}.{answer}.{diagnostics}",
    ]


@pytest.mark.parametrize("number", range(10))
def test_anything_but_a_genuine_solution_is_refused(citizen: Citizen, solution: str, number: int) -> None:
    refused = citizen.reserve(**GUARDED, captchaSolution=_wrong(solution)[number])

    assert (refused.status_code, codes(refused)) == (400, ["captchaVerificationFailed"])
    assert citizen.reserve(**GUARDED, captchaSolution=solution).status_code == 200


def test_a_puzzle_has_an_end(citizen: Citizen, clock: Clock, solution: str) -> None:
    clock.advance(timedelta(seconds=3601))

    assert codes(citizen.reserve(**GUARDED, captchaSolution=solution)) == ["captchaVerificationFailed"]


def test_a_service_that_is_away_cannot_check(citizen: Citizen, solution: str) -> None:
    citizen.world.faults.add("captcha_down", paths=["reserve-appointment"])

    refused = citizen.reserve(**GUARDED, captchaSolution=solution)

    assert (refused.status_code, codes(refused)) == (400, ["captchaVerificationError"])


def test_puzzles_need_the_citys_key_and_a_service_that_is_there(citizen: Citizen) -> None:
    citizen.world.faults.add("captcha_down", paths=["puzzle"])

    assert fetch(citizen).status_code == 503
    assert fetch(citizen, sitekey="another").status_code == 400
    assert fetch(citizen).status_code == 200


def test_faults_of_the_city_leave_the_puzzles_alone(citizen: Citizen) -> None:
    citizen.get("captcha-details")
    address = citizen.get("captcha-details").json()
    citizen.world.faults.add("maintenance")

    answer = citizen.session.get(address["puzzle"], params={"sitekey": address["siteKey"]})

    assert answer.status_code == 200


def test_solutions_stay_used_over_a_restart(citizen: Citizen, solution: str, tmp_path: Any) -> None:
    assert citizen.reserve(**GUARDED, captchaSolution=solution).status_code == 200
    citizen.world.save(tmp_path / "city.json")

    reborn = CityWorld.load(tmp_path / "city.json", clock=citizen.world.clock)

    assert not reborn.puzzles.accepts(solution, reborn.now())
    assert reborn.puzzles.accepts(solved(citizen.world.puzzles.puzzle(reborn.now())), reborn.now())


@pytest.mark.parametrize(
    ("tag", "captcha", "member"),
    [
        (23, "friendly", None),
        (24, "altcha-v1", "maxnumber"),
        (43, "altcha-v1", "maxnumber"),
        (44, "altcha-v2", "parameters"),
        (47, "altcha-v2", "parameters"),
    ],
)
def test_the_captcha_follows_the_citys_software(
    make_world: Callable[..., CityWorld], tag: int, captcha: str, member: str | None
) -> None:
    citizen = Citizen(make_world())

    assert citizen.handle("POST", "dialect", tag=tag).json()["captcha"] == captcha
    challenge = citizen.get("captcha-challenge")
    assert challenge.status_code == (200 if member else 404)
    assert member is None or member in challenge.json()


def test_a_version_that_was_chosen_stays(make_world: Callable[..., CityWorld]) -> None:
    world = make_world(captcha_version=2, tag=30)

    assert "parameters" in Citizen(world).get("captcha-challenge").json()
    world.release = Release.of(tag=24)
    assert "parameters" in Citizen(world).get("captcha-challenge").json()
