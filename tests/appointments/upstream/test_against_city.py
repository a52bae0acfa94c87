"""The client and the simulated city: the whole way of an appointment, and every fault the city can be given."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import AppointmentKey, Contact, ServiceCount, Slot
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.appointments.upstream.wire import Recorder

MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
OFFICE, SERVICES = 10489, (ServiceCount(1063475, 1),)
SLOT = Slot(OFFICE, datetime(2026, 11, 26, 8, 0, tzinfo=UTC))
START, END = date(2026, 11, 24), date(2026, 12, 20)
CONTACT = Contact("Erika Muster", "erika@example.org", "", "Anliegen", "")


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def world(clock: Clock) -> CityWorld:
    world = CityWorld(clock, limit=1000)
    world.add_places(OFFICE, [1063475], SLOT.starts_at, 2)
    return world


@pytest.fixture
def api(world: CityWorld) -> CitizenApi:
    return api_of(world)


def api_of(world: CityWorld) -> CitizenApi:
    session = requests.Session()
    session.mount("http://city.test/", WsgiAdapter(city_app(world)))
    return CitizenApi(session, "http://city.test/city/api/citizen", gate=Recorder())


def calendar(api: CitizenApi, **more: Any) -> Any:
    return api.calendar(SERVICES, [OFFICE], START, END, **more)


def test_the_whole_way_of_an_appointment(api: CitizenApi, world: CityWorld) -> None:
    catalogue = api.catalogue()
    assert catalogue is not None
    assert OFFICE in {office.upstream_id for office in catalogue.offices}
    found = calendar(api)
    assert found.slots == (SLOT,)

    held = api.reserve(found.slots[0], SERVICES)
    assert (held.status, held.starts_at, held.services) == ("reserved", SLOT.starts_at, SERVICES)
    assert held.scope is not None
    assert held.scope.reservation_duration

    assert api.update(held.key, CONTACT).email == "erika@example.org"
    assert api.preconfirm(held.key).status == "preconfirmed"
    assert api.confirm(held.key).status == "confirmed"
    read = api.appointment(held.key)
    assert (read.status, bool(read.captcha_token), "BEGIN:VCALENDAR" in read.ics) == ("confirmed", True, True)

    cancelled = api.cancel(held.key)
    assert cancelled.key != held.key
    with pytest.raises(errors.AuthKeyMismatch):
        api.cancel(held.key)


def test_an_unchanged_catalogue_need_not_be_read_again(api: CitizenApi) -> None:
    first = api.catalogue()
    assert first is not None
    assert first.last_modified

    assert api.catalogue(if_modified_since=first.last_modified) is None


def test_the_times_of_one_day_can_be_asked_for(api: CitizenApi, world: CityWorld) -> None:
    later = SLOT.starts_at + timedelta(days=1)
    world.add_places(OFFICE, [1063475], later)

    found = calendar(api, day=date(2026, 11, 27))

    assert found.slots_day == date(2026, 11, 27)
    assert found.slots == (Slot(OFFICE, later),)
    assert [day.slots is None for day in found.days] == [True, False]


def test_an_empty_city_says_so(api: CitizenApi, world: CityWorld) -> None:
    world.remove_places(OFFICE, [1063475], SLOT.starts_at)

    assert calendar(api).nothing_free


def test_the_last_place_goes_once(api: CitizenApi) -> None:
    api.reserve(SLOT, SERVICES)
    api.reserve(SLOT, SERVICES)

    with pytest.raises(errors.SlotTaken):
        api.reserve(SLOT, SERVICES)


def test_a_guarded_office_asks_for_a_token(api: CitizenApi) -> None:
    with pytest.raises(errors.CaptchaMissing):
        api.calendar([ServiceCount(10300793)], [1063278], START, END)
    with pytest.raises(errors.CaptchaRejected):
        api.calendar([ServiceCount(10300793)], [1063278], START, END, captcha_token="rubbish")


def test_the_limit_of_the_city_is_a_named_error(world: CityWorld) -> None:
    api = api_of(CityWorld(world.clock, limit=3))
    for _ in range(3):
        api.probe()

    with pytest.raises(errors.RateLimited):
        api.probe()


UNAVAILABLE = (
    "maintenance",
    "backend_down",
    "gateway_400",
    "html_502",
    "html_200",
    "truncated_json",
    "empty_body",
)


@pytest.mark.parametrize("kind", [*UNAVAILABLE, "lost_before", "lost_after"])
def test_a_fault_leaves_a_question_unanswered_and_the_next_one_answered(
    api: CitizenApi, world: CityWorld, kind: str
) -> None:
    world.faults.add(kind)

    with pytest.raises(errors.Unavailable) as caught:
        calendar(api)

    assert caught.value.maintenance == (kind == "maintenance")
    assert calendar(api).slots == (SLOT,)


@pytest.mark.parametrize(
    ("kind", "leaf"),
    [
        ("rate_limited", errors.RateLimited),
        ("maintenance", errors.Unavailable),
        ("lost_race", errors.SlotTaken),
        ("backend_down", errors.OutcomeUnknown),
        ("gateway_400", errors.OutcomeUnknown),
        ("html_502", errors.OutcomeUnknown),
        ("html_200", errors.OutcomeUnknown),
        ("truncated_json", errors.OutcomeUnknown),
        ("empty_body", errors.OutcomeUnknown),
        ("lost_before", errors.OutcomeUnknown),
        ("lost_after", errors.OutcomeUnknown),
    ],
)
def test_a_fault_during_a_reservation_is_told_apart(
    api: CitizenApi, world: CityWorld, kind: str, leaf: type[Exception]
) -> None:
    world.faults.add(kind)

    with pytest.raises(leaf) as caught:
        api.reserve(SLOT, SERVICES)

    assert type(caught.value) is leaf
    took_effect = kind in ("truncated_json", "empty_body", "lost_after")
    assert len(world.reservations) == took_effect


@pytest.mark.parametrize("kind", ["truncated_json", "empty_body", "lost_before", "lost_after"])
def test_reading_settles_what_a_lost_answer_left_open(api: CitizenApi, world: CityWorld, kind: str) -> None:
    held = api.reserve(SLOT, SERVICES)
    api.update(held.key, CONTACT)
    world.faults.add(kind)

    with pytest.raises(errors.OutcomeUnknown):
        api.preconfirm(held.key)

    expected = "reserved" if kind == "lost_before" else "preconfirmed"
    assert api.appointment(held.key).status == expected


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"email": "erika+x@example.org"}, ("email",)),
        ({"family_name": " ", "telephone": "089 123"}, ("family_name", "telephone")),
    ],
)
def test_refused_details_are_named(api: CitizenApi, changes: dict[str, str], fields: tuple[str, ...]) -> None:
    held = api.reserve(SLOT, SERVICES)
    given = {"family_name": "Erika Muster", "email": "e@example.org", "telephone": "", "custom_text": "A"}

    with pytest.raises(errors.InvalidContact) as caught:
        api.update(held.key, Contact(**{**given, **changes}))

    assert caught.value.fields == fields


def test_a_name_that_breaks_the_city_leaves_the_outcome_open(api: CitizenApi) -> None:
    held = api.reserve(SLOT, SERVICES)

    with pytest.raises(errors.OutcomeUnknown):
        api.update(held.key, Contact("Erika \N{GRINNING FACE}", "e@example.org", "", "A"))


def test_a_reservation_lapses_when_the_citys_jobs_have_run(api: CitizenApi, clock: Clock) -> None:
    held = api.reserve(SLOT, SERVICES)
    clock.advance(timedelta(hours=2))

    with pytest.raises(errors.AppointmentNotFound):
        api.appointment(held.key)


@pytest.mark.parametrize(
    ("act", "leaf"),
    [
        (lambda api, key: api.confirm(key), errors.NotPreconfirmedAnymore),
        (lambda api, key: api.preconfirm(key), errors.NotReservedAnymore),
        (lambda api, key: api.cancel(AppointmentKey(key.process_id, "0" * 64)), errors.AuthKeyMismatch),
        (lambda api, key: api.cancel(AppointmentKey(199998, key.auth_key)), errors.AppointmentNotFound),
    ],
)
def test_what_no_longer_fits_is_named(
    api: CitizenApi, act: Callable[[CitizenApi, AppointmentKey], Any], leaf: type[Exception]
) -> None:
    held = api.reserve(SLOT, SERVICES)
    api.update(held.key, CONTACT)
    api.preconfirm(held.key)
    api.confirm(held.key)

    with pytest.raises(leaf):
        act(api, held.key)
