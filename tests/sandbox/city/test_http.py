"""HTTP as the real software speaks it: routes, methods, bodies, headers, size limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from termin_project.sandbox.city import CityWorld

from .conftest import MONDAY, REGISTER, RUPPERT, THURSDAY_9, Citizen, codes, ids

SECURITY = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


@pytest.mark.parametrize(
    "path",
    [
        "available-days-by-office",
        "available-days",
        "available-appointments",
        "available-appointments-by-office",
        "services",
        "offices",
        "scopes",
        "services-by-office",
        "offices-by-service",
        "scope-by-id",
        "nonsense",
        "/captcha-details",
    ],
)
def test_old_routes_and_nonsense_are_not_found(citizen: Citizen, path: str) -> None:
    answer = citizen.get(path)
    assert (answer.status_code, codes(answer)) == (404, ["notFound"])
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "offices-and-services"),
        ("GET", "reserve-appointment"),
        ("PUT", "reserve-appointment"),
        ("OPTIONS", "reserve-appointment"),
        ("DELETE", "appointment"),
    ],
)
def test_a_wrong_method_is_not_found(citizen: Citizen, method: str, path: str) -> None:
    answer = citizen.session.request(method, f"{citizen.base}/{path}/", json={})
    assert (answer.status_code, codes(answer)) == (404, ["notFound"])


def test_head_is_a_bad_request_without_a_body(citizen: Citizen) -> None:
    answer = citizen.session.head(f"{citizen.base}/offices-and-services/")
    assert (answer.status_code, answer.content) == (400, b"")


def test_the_root_speaks_another_dialect(citizen: Citizen) -> None:
    answer = citizen.session.get(f"{citizen.base}/")
    assert answer.status_code == 404
    assert answer.json() == {"error": {"message": "Not found.", "code": 404}}
    assert "Cache-Control" not in answer.headers


def test_paths_work_without_their_last_slash(citizen: Citizen, world: CityWorld) -> None:
    assert citizen.session.get(f"{citizen.base}/captcha-details").status_code == 200
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    fields = {
        "timestamp": int(THURSDAY_9.timestamp()),
        "officeId": RUPPERT,
        "serviceId": [REGISTER],
        "serviceCount": [1],
    }
    assert citizen.session.post(f"{citizen.base}/reserve-appointment", json=fields).status_code == 200


def test_a_success_is_fresh_and_carries_the_headers_of_the_real_software(citizen: Citizen) -> None:
    answer = citizen.get("captcha-details")
    assert answer.headers.items() >= SECURITY.items()
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "max-age=0"
    assert answer.headers["Last-Modified"] == "Mon, 23 Nov 2026 10:00:30 GMT"
    assert answer.headers["X-RateLimit-Limit"] == "1000"


def test_an_error_of_the_layers_below_is_marked_cacheable(citizen: Citizen) -> None:
    answer = citizen.get("appointment", processId=1, authKey="a" * 64)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Last-Modified" not in answer.headers
    validated = citizen.get("appointment")
    assert validated.headers["Cache-Control"] == "max-age=0"


def test_an_error_has_code_status_text_and_type(citizen: Citizen) -> None:
    assert citizen.get("appointment").json() == {
        "errors": [
            {
                "errorCode": "invalidProcessId",
                "statusCode": 400,
                "errorMessage": "processId should be a positive 32-bit integer.",
                "errorType": "warning",
            },
            {
                "errorCode": "invalidAuthKey",
                "statusCode": 400,
                "errorMessage": "authKey should be a string.",
                "errorType": "warning",
            },
        ]
    }


def post_raw(citizen: Citizen, body: bytes, content_type: str | None) -> requests.Response:
    headers = {"Content-Type": content_type} if content_type else {}
    return citizen.session.post(f"{citizen.base}/reserve-appointment/", data=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", None),
        (b"", "application/json"),
        (b'{"timestamp": 12', "application/json"),
        (b'{"timestamp": 12}', None),
        (b'{"timestamp": 12}', "text/plain"),
        (b'"text"', "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_a_body_that_is_no_json_object_is_an_invalid_request(
    citizen: Citizen, body: bytes, content_type: str | None
) -> None:
    answer = post_raw(citizen, body, content_type)
    assert (answer.status_code, codes(answer)) == (400, ["invalidRequest"])


def test_a_json_list_counts_as_an_object_without_fields(citizen: Citizen) -> None:
    answer = post_raw(citizen, b"[1, 2]", "application/json")
    assert codes(answer) == ["invalidOfficeId", "invalidServiceId", "invalidTimestamp"]


def test_the_plural_names_of_the_calendar_do_not_work_in_a_reservation(citizen: Citizen) -> None:
    answer = citizen.post(
        "reserve-appointment",
        timestamp=int(THURSDAY_9.timestamp()),
        officeId=RUPPERT,
        serviceIds=[REGISTER],
        serviceCounts=[1],
    )
    assert codes(answer) == ["invalidServiceId"]


def test_a_form_is_understood_like_json(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    form = (
        f"timestamp={int(THURSDAY_9.timestamp())}&officeId={RUPPERT}&serviceId[]={REGISTER}&serviceCount[]=1"
    )
    assert post_raw(citizen, form.encode(), "application/x-www-form-urlencoded").status_code == 200


def test_an_array_parameter_is_another_parameter(citizen: Citizen) -> None:
    query = "startDate=2026-11-24&endDate=2026-11-28&officeIds[]=10489&serviceIds=1063475&serviceCounts=1"
    answer = citizen.session.get(f"{citizen.base}/available-calendar/?{query}")
    assert codes(answer) == ["invalidOfficeId"]


def test_query_values_are_trimmed_and_freed_of_control_characters(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    answer = citizen.calendar(" 2026-11-24\x07", "2026-11-28 ")
    assert len(answer.json()["availableDays"]) == 1


def test_a_body_beyond_ten_megabytes_is_too_large(citizen: Citizen) -> None:
    answer = post_raw(citizen, b"x" * (10_485_760 + 1), "application/json")
    assert (answer.status_code, codes(answer)) == (413, ["requestEntityTooLarge"])
    assert "X-RateLimit-Limit" not in answer.headers
    assert "X-Frame-Options" not in answer.headers


def test_a_query_value_beyond_32_kilobytes_breaks_the_answer_off(citizen: Citizen) -> None:
    answer = citizen.get("available-calendar", startDate="x" * 33_000)
    assert (answer.status_code, answer.content) == (500, b"")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_very_long_name_under_a_wrong_key_is_first_of_all_a_wrong_key(citizen: Citizen) -> None:
    held = citizen.reserved()
    answer = citizen.update({**held, "authKey": "a" * 64}, familyName="N" * 40_000)
    assert codes(answer) == ["authKeyMismatch"]


def test_a_blacklisted_address_is_turned_away(make_world: Callable[..., CityWorld]) -> None:
    world = make_world(blacklist=["10.9.8.7"])
    answer = Citizen(world, "10.9.8.7").get("captcha-details")
    assert (answer.status_code, codes(answer)) == (403, ["IP_BLACKLISTED"])
    assert Citizen(world).get("captcha-details").status_code == 200


def test_the_gateway_of_production_hides_server_errors_and_refuses_repeated_parameters(
    make_world: Callable[..., CityWorld],
) -> None:
    citizen = Citizen(make_world(gateway=True))
    hidden = citizen.calendar("2026-12-13", "2026-11-24")
    assert (hidden.status_code, hidden.json()) == (400, {"status": 400, "error": "Bad Request"})
    repeated = citizen.session.get(f"{citizen.base}/available-calendar/?officeIds=1&officeIds=2")
    assert (repeated.status_code, "errors" in repeated.json()) == (400, False)
    citizen.world.faults.add("maintenance")
    assert citizen.get("captcha-details").status_code == 503


def test_of_a_repeated_parameter_the_last_counts_without_the_gateway(citizen: Citizen) -> None:
    held = citizen.reserved()
    query = f"processId=1&processId={held['processId']}&authKey={held['authKey']}"
    assert citizen.session.get(f"{citizen.base}/appointment/?{query}").status_code == 200


def test_the_api_answers_below_any_prefix(citizen: Citizen) -> None:
    url = "http://city.test/buergeransicht/api/citizen/captcha-details/"
    assert citizen.session.get(url).status_code == 200
    assert citizen.session.get("http://city.test/elsewhere/").status_code == 404


def test_every_request_is_logged_without_its_query(citizen: Citizen, world: CityWorld) -> None:
    held = citizen.reserved()
    citizen.read(held)
    citizen.get("appointment", **{**ids(held), "authKey": "a" * 64})
    logged = [(entry.method, entry.path, entry.status, entry.code) for entry in world.requests]
    assert logged == [
        ("POST", "/reserve-appointment/", 200, "ok"),
        ("GET", "/appointment/", 200, "ok"),
        ("GET", "/appointment/", 406, "authKeyMismatch"),
    ]
    assert world.requests[0].at == (MONDAY + timedelta(0)).timestamp()
