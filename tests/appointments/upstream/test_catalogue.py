import copy
from datetime import timedelta
from typing import Any

import pytest

from appointments.upstream import errors
from appointments.upstream.types import Catalogue, Relation
from tests.appointments.upstream.wire import Wire, answer, api_answering, api_on

BODY: dict[str, Any] = {
    "offices": [
        {
            "id": 10489,
            "name": "Bürgerbüro Ruppertstraße (KVR-II/22)",
            "address": {
                "street": "Ruppertstraße",
                "house_number": "19",
                "postal_code": "80337",
                "city": "München",
            },
            "geo": {"lat": "48.1247", "lon": 11.5553},
            "showAlternativeLocations": False,
            "disabledByServices": [1063453, "1063441"],
            "allowDisabledServicesMix": [10489, 10502],
            "sharedBookingOfficeIds": [10489, 10503],
            "priority": 100,
            "slotsPerAppointment": "8",
            "scope": {
                "id": 160,
                "provider": {"displayName": "Bürgerbüro Ruppertstraße"},
                "captchaActivatedRequired": True,
                "reservationDuration": 15,
                "whitelistedMails": "boss@example.org",
            },
        },
        {"id": 10502, "name": "Ohne alles", "address": None, "geo": None, "scope": None},
    ],
    "services": [
        {
            "id": 1063475,
            "name": "Wohnsitz anmelden",
            "maxQuantity": 5,
            "combinable": {"1": {"1063441": [10489, 10502]}, "2": {"1063475": []}},
            "rootParentId": 1063475,
            "showOnStartPage": True,
        },
        {"id": 1063441, "name": "Reisepass", "maxQuantity": None, "combinable": []},
    ],
    "relations": [
        {"officeId": 10489, "serviceId": 1063475, "slots": 2, "public": True, "maxQuantity": 0},
        {"officeId": 10489, "serviceId": 999, "slots": 1, "public": True},
        {"officeId": 999, "serviceId": 1063475, "slots": 1, "public": True},
    ],
}


def catalogue(body: Any) -> Catalogue:
    found = api_answering(200, body, {"Last-Modified": "Mon, 23 Nov 2026 21:18:40 GMT"}).catalogue()
    assert found is not None
    return found


def changed(group: str, **changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(BODY)
    body[group][0].update(changes)
    return body


def test_the_catalogue_is_read_whole() -> None:
    found = catalogue(BODY)

    office, bare = found.offices
    assert (office.display_name, office.street, office.lat, office.lon) == (
        "Bürgerbüro Ruppertstraße",
        "Ruppertstraße",
        48.1247,
        11.5553,
    )
    assert office.disabled_services == {1063453, 1063441}
    assert (office.slots_per_appointment, office.priority, office.show_alternative_locations) == (
        8,
        100,
        False,
    )
    assert office.shared_booking_office_ids == (10489, 10503)
    assert office.scope is not None
    assert office.scope.captcha_required
    assert office.scope.reservation_duration == timedelta(minutes=15)
    assert "boss@example.org" not in repr(found)
    assert (bare.display_name, bare.priority, bare.scope, bare.lat) == ("Ohne alles", 1, None, None)
    first, second = found.services
    assert first.combinable == {1063441: (10489, 10502), 1063475: ()}
    assert (first.max_quantity, second.max_quantity, second.combinable) == (5, 1, {})
    assert found.last_modified == "Mon, 23 Nov 2026 21:18:40 GMT"


def test_relations_to_what_is_not_listed_are_left_out() -> None:
    assert catalogue(BODY).relations == (Relation(10489, 1063475, 2, None, True),)


@pytest.mark.parametrize(
    "body",
    [
        changed("offices", slotsPerAppointment="0"),
        changed("offices", slotsPerAppointment=None, allowDisabledServicesMix=True, disabledByServices=None),
        changed("offices", geo={"lat": "", "lon": "east"}),
        changed("services", combinable={"1063441": [10489]}),
        changed("services", combinable=None),
        changed("relations", slots=None, maxQuantity=None, public=1),
        {**BODY, "newGroup": []},
    ],
)
def test_older_forms_and_gaps_are_tolerated(body: Any) -> None:
    assert len(catalogue(body).offices) == 2


def test_the_old_name_of_the_slot_limit_is_known() -> None:
    body = changed("offices", maxSlotsPerAppointment="4")
    del body["offices"][0]["slotsPerAppointment"]

    assert catalogue(body).offices[0].slots_per_appointment == 4


@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "offices": []},
        {**BODY, "services": []},
        {**BODY, "relations": []},
        {**BODY, "services": None},
        {"offices": BODY["offices"]},
        {**BODY, "offices": BODY["offices"] * 2},
        changed("offices", id=None),
        changed("offices", id=-4),
        changed("offices", priority=-1),
        changed("offices", geo=[1, 2]),
        changed("offices", disabledByServices="1063453"),
        changed("offices", scope=[1]),
        changed("services", maxQuantity=-1),
        changed("services", combinable={"1": {"x": []}}),
        changed("services", combinable={"1": {"5": None}}),
        changed("relations", slots=-1),
        changed("relations", public="no"),
    ],
)
def test_an_impossible_catalogue_is_refused_whole(body: Any) -> None:
    with pytest.raises(errors.NotUnderstood):
        catalogue(body)


def test_an_unchanged_catalogue_is_not_sent_again() -> None:
    wire = Wire(lambda request: answer(304, ""))

    assert api_on(wire).catalogue(if_modified_since="Mon, 23 Nov 2026 21:18:40 GMT") is None

    assert wire.requests[0].headers["If-Modified-Since"] == "Mon, 23 Nov 2026 21:18:40 GMT"
