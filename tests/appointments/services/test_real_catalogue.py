"""The rules on the real software's catalogue: what its own page offers is what we offer. Skipped where it is absent."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appointments import selections
from appointments.models import CatalogueChange, Office, Service
from appointments.selections import Reason
from appointments.selectors.catalogue import (
    facts,
    facts_about,
    judge,
    largest_count,
    offices_for,
    places_for,
    variants_of,
)
from appointments.services.catalogue import sync_catalogue
from appointments.upstream import reading
from appointments.upstream.types import Catalogue, ServiceCount
from tests.appointments.upstream.replay import FOLDER

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
FIXTURES = FOLDER.parent / "munich-fixtures"
REGISTER, ID_CARD, PASSPORT, CLEARANCE, PICK_UP, MARRIAGE, PENSION = (
    1063475,
    1063441,
    1063453,
    1063565,
    10295182,
    1063648,
    1080455,
)
pytestmark = pytest.mark.django_db


class Recorded:
    """Gives one catalogue."""

    def __init__(self, body: Any) -> None:
        self.read = reading.catalogue(body)

    def catalogue(self, **_since: str) -> Catalogue:
        return self.read


def recorded(path: Path) -> Any:
    if not path.exists():
        pytest.skip("the recorded catalogue is not beside the checkout")
    exchange = json.loads(path.read_text())["response"]
    body = exchange.get("body", exchange.get("json"))
    return json.loads(body) if isinstance(body, str) else body


@pytest.fixture
def munich() -> Recorded:
    api = Recorded(recorded(FOLDER / "010-offices-and-services.json"))
    sync_catalogue(api, now=NOW)  # type: ignore[arg-type]
    return api


def numbers(*services: int) -> list[int]:
    return [office.upstream_id for office in offices_for([ServiceCount(service) for service in services])]


@pytest.mark.usefixtures("munich")
def test_everything_is_taken_over_and_the_same_again_is_no_change(munich: Recorded) -> None:
    sync_catalogue(munich, now=NOW.replace(hour=11))  # type: ignore[arg-type]

    assert (Office.objects.count(), Service.objects.count()) == (107, 159)
    assert CatalogueChange.objects.count() == 0


@pytest.mark.usefixtures("munich")
def test_papers_alone_go_to_the_specialised_office_and_mixed_ones_to_the_general_one() -> None:
    assert 10502 in numbers(ID_CARD)
    assert 10489 not in numbers(ID_CARD)
    assert 10489 in numbers(REGISTER, ID_CARD)
    assert 10502 not in numbers(REGISTER, ID_CARD)


@pytest.mark.usefixtures("munich")
def test_pick_up_is_offered_only_where_no_list_forbids_it() -> None:
    forbidden = {o.upstream_id for o in Office.objects.all() if PICK_UP in o.disabled_services}

    assert forbidden
    assert numbers(PICK_UP)
    assert not forbidden & set(numbers(PICK_UP))


@pytest.mark.usefixtures("munich")
def test_offices_booked_as_one_are_one_place() -> None:
    places = [office.upstream_id for office in places_for([ServiceCount(REGISTER)])]

    assert {10489, 10503} <= set(numbers(REGISTER))
    assert 10489 in places
    assert 10503 not in places
    assert {office.shown_name for office in offices_for([ServiceCount(CLEARANCE)])} >= {
        "Bürgerbüro Ruppertstraße"
    }


@pytest.mark.usefixtures("munich")
def test_each_registry_office_stands_for_itself() -> None:
    known = facts({MARRIAGE})

    assert selections.must_choose(known, selections.judge(known, [ServiceCount(MARRIAGE)]).offices)


@pytest.mark.usefixtures("munich")
def test_partners_keep_the_citys_order_and_each_of_them_can_be_booked() -> None:
    selection = [ServiceCount(REGISTER)]
    known = facts_about(selection)

    found = selections.partners(known, selection)

    assert [partner.service for partner in found][:3] == [ID_CARD, PASSPORT, 10224132]
    assert all(judge([*selection, ServiceCount(p.service)]).offices == p.offices for p in found)


@pytest.mark.usefixtures("munich")
def test_what_does_not_combine_is_refused_with_its_reason() -> None:
    problem = judge([ServiceCount(REGISTER), ServiceCount(CLEARANCE)]).problem

    assert problem is not None
    assert problem.reason == Reason.NOT_COMBINABLE
    assert largest_count([], REGISTER) == 3


@pytest.mark.usefixtures("munich")
def test_advice_on_pensions_comes_in_three_kinds() -> None:
    kinds = variants_of(Service.objects.get(upstream_id=PENSION))

    assert [kind for kind, _service in kinds] == [1, 2, 3]


@pytest.mark.parametrize("name", ["offices-and-services.json", "offices-and-services-old.json"])
def test_the_composed_catalogues_new_and_old_are_understood(name: str) -> None:
    sync_catalogue(Recorded(recorded(FIXTURES / name)), now=NOW)  # type: ignore[arg-type]

    known = facts()
    assert known.services
    for service in known.services:
        count = selections.largest_count(known, (), service)
        assert 1 <= count <= 5
        for partner in selections.partners(known, [ServiceCount(service)]):
            assert all((office, partner.service) in known.offers for office in partner.offices)


def test_the_old_form_of_combinations_means_the_same() -> None:
    sync_catalogue(Recorded(recorded(FIXTURES / "offices-and-services-old.json")), now=NOW)  # type: ignore[arg-type]
    passport = Service.objects.get(upstream_id=PASSPORT)

    assert passport.combinable == [[1063441, [102522]]]
    assert Office.objects.get(upstream_id=102522).slots_per_appointment == 6
