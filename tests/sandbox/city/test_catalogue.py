"""The catalogue: real ids, the shapes of the real software, everything the flows need."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import MONDAY, RUPPERT, TRAINING, Citizen

OFFICE_KEYS = {
    "id",
    "name",
    "address",
    "showAlternativeLocations",
    "displayNameAlternatives",
    "organization",
    "organizationUnit",
    "slotTimeInMinutes",
    "geo",
    "disabledByServices",
    "priority",
    "scope",
    "slotsPerAppointment",
    "parentId",
    "allowDisabledServicesMix",
    "sharedBookingOfficeIds",
}
SCOPE_KEYS = {
    "id",
    "provider",
    "shortName",
    "emailFrom",
    "emailRequired",
    "telephoneActivated",
    "telephoneRequired",
    "customTextfieldActivated",
    "customTextfieldRequired",
    "customTextfieldLabel",
    "customTextfield2Activated",
    "customTextfield2Required",
    "customTextfield2Label",
    "captchaActivatedRequired",
    "infoForAppointment",
    "infoForAllAppointments",
    "slotsPerAppointment",
    "appointmentsPerMail",
    "whitelistedMails",
    "reservationDuration",
    "activationDuration",
    "hint",
}


@pytest.fixture
def document(citizen: Citizen) -> dict:
    answer = citizen.get("offices-and-services")
    assert answer.status_code == 200
    return answer.json()


def test_the_catalogue_is_large_enough_for_a_town(document: dict) -> None:
    assert len(document["services"]) >= 25
    assert len([office for office in document["offices"] if office["scope"]]) >= 15


def test_offices_services_and_relations_have_the_fields_of_the_contract(document: dict) -> None:
    for office in document["offices"]:
        assert set(office) == OFFICE_KEYS
        assert office["scope"] is None or set(office["scope"]) == SCOPE_KEYS
    for service in document["services"]:
        assert set(service) == {
            "id",
            "name",
            "maxQuantity",
            "combinable",
            "parentId",
            "variantId",
            "rootParentId",
            "showOnStartPage",
        }
    for relation in document["relations"]:
        assert set(relation) == {"officeId", "serviceId", "slots", "public", "maxQuantity"}


def test_every_relation_points_to_something_listed(document: dict) -> None:
    offices = {office["id"] for office in document["offices"]}
    services = {service["id"] for service in document["services"]}
    pairs = [(relation["officeId"], relation["serviceId"]) for relation in document["relations"]]
    assert {office for office, _ in pairs} == offices
    assert {service for _, service in pairs} == services
    assert len(set(pairs)) == len(pairs)


def test_the_scopes_differ_in_what_they_ask_for(document: dict) -> None:
    scopes = [office["scope"] for office in document["offices"] if office["scope"]]
    assert sum(scope["captchaActivatedRequired"] for scope in scopes) >= 2
    assert {scope["emailRequired"] for scope in scopes} == {True, False}
    assert any(scope["telephoneRequired"] for scope in scopes)
    assert any(scope["telephoneActivated"] and not scope["telephoneRequired"] for scope in scopes)
    assert any(scope["customTextfieldRequired"] for scope in scopes)
    assert any(scope["customTextfield2Required"] for scope in scopes)
    assert {15, 20, 30} <= {scope["reservationDuration"] for scope in scopes}
    assert 30 in {scope["activationDuration"] for scope in scopes}
    assert len({scope["id"] for scope in scopes}) == len(scopes)


def test_a_shared_group_an_exclusive_place_and_disabled_services_occur(document: dict) -> None:
    offices = {office["id"]: office for office in document["offices"]}
    assert offices[RUPPERT]["sharedBookingOfficeIds"] == [RUPPERT, TRAINING]
    assert offices[TRAINING]["sharedBookingOfficeIds"] == [RUPPERT, TRAINING]
    assert offices[RUPPERT]["disabledByServices"]
    assert any(office["showAlternativeLocations"] is False for office in offices.values())
    assert any(office["scope"] is None for office in offices.values())


def test_combinable_is_an_ordered_object_or_an_empty_list(document: dict) -> None:
    services = {service["id"]: service for service in document["services"]}
    registering = services[1063475]["combinable"]
    assert list(registering["1"]) == ["1063475"], "the service itself comes first"
    assert RUPPERT in registering["1"]["1063475"]
    partners = {int(other) for entry in registering.values() for other in entry}
    assert {1063441, 1063453, 10242339} <= partners
    assert any(service["combinable"] == [] for service in services.values())


def test_the_catalogue_is_always_of_this_very_second(citizen: Citizen, clock: Clock) -> None:
    headers = {"If-Modified-Since": format_datetime(MONDAY + timedelta(hours=1), usegmt=True)}
    unchanged = citizen.session.get(f"{citizen.base}/offices-and-services/", headers=headers)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert "Content-Type" not in unchanged.headers
    stale = {"If-Modified-Since": format_datetime(MONDAY - timedelta(hours=1), usegmt=True)}
    assert citizen.session.get(f"{citizen.base}/offices-and-services/", headers=stale).status_code == 200


def test_every_bookable_office_can_be_given_places_for_what_it_offers(world: CityWorld) -> None:
    for relation in world.catalogue.relations:
        if world.catalogue.scope(relation.office_id):
            day = MONDAY + timedelta(days=3)
            world.add_places(relation.office_id, [relation.service_id], day)
            assert world.free_places(relation.office_id, [relation.service_id], day) == 1
            world.remove_places(relation.office_id, [relation.service_id], day)
