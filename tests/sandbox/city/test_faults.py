"""The ways the city can fail, and what each leaves behind."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
import requests

from termin_project.sandbox.city import CityWorld

from .conftest import REGISTER, RUPPERT, THURSDAY_9, Citizen, codes


@pytest.fixture
def open_place(world: CityWorld) -> None:
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)


@pytest.mark.usefixtures("open_place")
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limited", 429, "rateLimitExceeded"),
        ("maintenance", 503, "serviceUnavailable"),
        ("backend_down", 503, "zmsClientCommunicationError"),
        ("lost_race", 404, "unknownError"),
    ],
)
def test_a_refusing_city_names_its_reason_and_holds_nothing(
    citizen: Citizen, world: CityWorld, kind: str, status: int, code: str
) -> None:
    world.faults.add(kind)
    answer = citizen.reserve()
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert world.reservations == []
    assert citizen.reserve().status_code == 200, "one request was spoilt, not more"


@pytest.mark.usefixtures("open_place")
@pytest.mark.parametrize(("kind", "status"), [("gateway_400", 400), ("html_502", 502), ("html_200", 200)])
def test_what_stands_in_front_of_the_city_answers_in_its_own_way(
    citizen: Citizen, world: CityWorld, kind: str, status: int
) -> None:
    world.faults.add(kind)
    answer = citizen.reserve()
    assert answer.status_code == status
    assert "errorCode" not in answer.text
    assert world.reservations == []


@pytest.mark.usefixtures("open_place")
@pytest.mark.parametrize("kind", ["truncated_json", "empty_body"])
def test_a_damaged_answer_hides_a_reservation_that_was_made(
    citizen: Citizen, world: CityWorld, kind: str
) -> None:
    world.faults.add(kind)
    answer = citizen.reserve()
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert len(world.reservations) == 1


@pytest.mark.usefixtures("open_place")
@pytest.mark.parametrize(("kind", "held"), [("lost_before", 0), ("lost_after", 1)])
def test_a_lost_answer_is_a_closed_connection(
    citizen: Citizen, world: CityWorld, kind: str, held: int
) -> None:
    world.faults.add(kind)
    with pytest.raises(requests.exceptions.ConnectionError):
        citizen.reserve()
    assert len(world.reservations) == held
    assert world.requests[-1].code == "lost"


def test_a_slow_answer_takes_its_time_and_lets_others_pass(citizen: Citizen, world: CityWorld) -> None:
    world.faults.add("slow", seconds=0.2, paths=["captcha-details"])
    began = perf_counter()
    assert citizen.get("captcha-details").status_code == 200
    assert perf_counter() - began >= 0.2


def test_a_fault_spoils_as_many_requests_as_told_and_only_its_paths(
    citizen: Citizen, world: CityWorld
) -> None:
    world.faults.add("maintenance", count=2, paths=["/captcha-details/"])
    assert citizen.get("appointment").status_code == 400
    assert [citizen.get("captcha-details").status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_without_a_count_stays_until_cleared(citizen: Citizen, world: CityWorld) -> None:
    world.faults.add("maintenance", count=None)
    assert {citizen.get("captcha-details").status_code for _ in range(5)} == {503}
    world.faults.clear()
    assert citizen.get("captcha-details").status_code == 200


def test_a_lost_race_waits_for_a_reservation(citizen: Citizen, world: CityWorld) -> None:
    world.faults.add("lost_race")
    assert citizen.get("captcha-details").status_code == 200
    assert [fault.kind for fault in world.faults.active] == ["lost_race"]


def test_the_first_of_several_faults_comes_first(citizen: Citizen, world: CityWorld) -> None:
    world.faults.add("html_502")
    world.faults.add("maintenance")
    assert [citizen.get("captcha-details").status_code for _ in range(3)] == [502, 503, 200]


def test_maintenance_counts_against_the_limit_but_a_pretended_429_does_not(
    citizen: Citizen, world: CityWorld
) -> None:
    world.faults.add("maintenance")
    assert citizen.get("nonsense").headers["X-RateLimit-Remaining"] == "998"
    world.faults.add("rate_limited")
    assert "X-RateLimit-Remaining" not in citizen.get("captcha-details").headers
    assert citizen.get("captcha-details").headers["X-RateLimit-Remaining"] == "997"


@pytest.mark.parametrize(
    ("kind", "more"),
    [("nonsense", {}), ("slow", {"seconds": -1}), ("slow", {"seconds": 601}), ("html_502", {"count": 0})],
)
def test_a_fault_that_makes_no_sense_is_refused(world: CityWorld, kind: str, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|seconds|count"):
        world.faults.add(kind, **more)


@pytest.mark.parametrize(
    ("called", "kind"),
    [
        ("429", "rate_limited"),
        ("503", "maintenance"),
        ("HTML 502", "html_502"),
        ("lost-answer", "lost_after"),
        ("502", "html_502"),
    ],
)
def test_a_fault_may_be_called_by_its_status(called: str, kind: str) -> None:
    assert CityWorld().faults.add(called).kind == kind


def test_a_whole_path_names_an_endpoint() -> None:
    faults = CityWorld().faults
    faults.add("429", paths=["/city/api/citizen/reserve-appointment/"])

    assert faults.take("available-calendar") is None
    assert faults.take("reserve-appointment") is not None


@pytest.mark.usefixtures("open_place")
def test_any_code_can_be_said_with_the_status_it_has_or_with_another(
    citizen: Citizen, world: CityWorld
) -> None:
    world.faults.add("error", code="processInvalid", paths=["reserve-appointment"])
    world.faults.add("error", code="processInvalid", status=200)
    world.faults.add("error", code="somethingNew")

    answers = [citizen.reserve() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [400, 200, 400]
    assert [codes(answer) for answer in answers] == [["processInvalid"], ["processInvalid"], ["somethingNew"]]
    assert world.reservations == []


@pytest.mark.usefixtures("open_place")
def test_an_error_may_follow_a_change_that_was_made(citizen: Citizen, world: CityWorld) -> None:
    world.faults.add("error", code="unknownError", status=500, after=True)

    answer = citizen.reserve()

    assert (answer.status_code, codes(answer)) == (500, ["unknownError"])
    assert len(world.reservations) == 1


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("no_errors", 200, {"errors": []}),
        ("framework", 500, {"error": {"message": "An internal error has occurred.", "code": 0}}),
    ],
)
def test_odd_shapes_are_answered_as_they_are(
    citizen: Citizen, world: CityWorld, kind: str, status: int, body: Any
) -> None:
    world.faults.add(kind)

    answer = citizen.get("captcha-details")

    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(
    "more",
    [{"kind": "error"}, {"kind": "html_502", "code": "x"}, {"kind": "error", "code": "x", "status": 99}],
)
def test_an_error_needs_a_code_and_a_code_an_error(citizen: Citizen, more: dict[str, Any]) -> None:
    assert citizen.handle("POST", "faults", **more).status_code == 400
