"""One question, whatever dialect the city speaks; and finding out which one that is."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect, OwnMemory
from appointments.upstream.types import CallKind, ServiceCount, Slot
from captcha.providers import FriendlyV1
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.city.releases import Release
from termin_project.sandbox.mount import WsgiAdapter
from tests.appointments.upstream.wire import Recorder

MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
RUPPERT, PASING, GUARDED = 10489, 54261, 1063278
SERVICES, GUARDED_SERVICES = (ServiceCount(1063475),), (ServiceCount(10300793),)
START, END = date(2026, 11, 24), date(2026, 12, 20)
THURSDAY, FRIDAY = datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 27, 9, tzinfo=UTC)
DAYS, DAYS_BY_OFFICE = "available-days", "available-days-by-office"
TIMES, TIMES_BY_OFFICE = "available-appointments", "available-appointments-by-office"
NEWEST = "available-calendar"
TAGS = {"D3": 47, "D2": 45, "D2 without types": 28, "D1": 25, "D1-muc19": 19}


class NarrowGate(Recorder):
    """Lets so many calls pass and no more."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def admit(self, kind: Any) -> Any:
        if self.left <= 0:
            raise errors.GateClosed(MONDAY + timedelta(minutes=1))
        self.left -= 1
        return super().admit(kind)


class City:
    """A simulated city of some release, and our client in front of it."""

    def __init__(self, tag: int, dialect: str | None = None) -> None:
        self.world = CityWorld(Clock(MONDAY), limit=1000, tag=tag, dialect=dialect, captcha_cost=1)
        self.gate: Recorder = Recorder()
        self.memory = OwnMemory()

    @property
    def api(self) -> CitizenApi:
        session = requests.Session()
        session.mount("http://city.test/", WsgiAdapter(city_app(self.world)))
        base = "http://city.test/city/api/citizen"
        return CitizenApi(session, base, gate=self.gate, dialect=self.memory)

    def ask(self, offices: tuple[int, ...] = (RUPPERT, PASING), **more: Any) -> Any:
        return self.api.calendar(SERVICES, offices, START, END, **more)

    def open(self, office: int, starts_at: datetime) -> Slot:
        self.world.add_places(office, [1063475], starts_at)
        return Slot(office, starts_at)

    def asked(self) -> list[str]:
        """The routes of all requests so far."""
        return [entry.path.strip("/") for entry in self.world.requests]


@pytest.fixture(params=TAGS.values(), ids=TAGS)
def city(request: pytest.FixtureRequest) -> City:
    return City(request.param)


def knowing(city: City) -> City:
    """The city with its dialect found out, and nothing asked since."""
    city.ask()
    city.world.requests.clear()
    return city


# One question


def test_a_sweep_brings_every_day_and_the_times_of_the_first(city: City) -> None:
    first, second = city.open(RUPPERT, THURSDAY), city.open(PASING, THURSDAY + timedelta(hours=1))
    city.open(PASING, FRIDAY)

    found = city.ask()

    thursday, friday = found.days
    assert (thursday.day, friday.day) == (date(2026, 11, 26), date(2026, 11, 27))
    assert (thursday.office_ids, thursday.slots) == ({RUPPERT, PASING}, (first, second))
    assert PASING in friday.office_ids
    assert friday.slots is None
    assert (found.slots_day, found.slots) == (thursday.day, (first, second))


def test_a_detail_brings_the_times_of_its_day(city: City) -> None:
    city.open(RUPPERT, THURSDAY)
    friday = city.open(PASING, FRIDAY)
    day = date(2026, 11, 27)

    found = city.api.calendar(SERVICES, [RUPPERT, PASING], day, day, day=day, kind=CallKind.DETAIL)

    assert (found.slots_day, found.slots) == (day, (friday,))
    assert [each.office_ids for each in found.days] == [{PASING}]


def test_a_day_in_a_longer_range_comes_with_the_days_around_it(city: City) -> None:
    city.open(RUPPERT, THURSDAY)
    friday = city.open(PASING, FRIDAY)

    found = city.ask(day=date(2026, 11, 27))

    assert [each.day for each in found.days] == [date(2026, 11, 26), date(2026, 11, 27)]
    assert [each.slots for each in found.days] == [None, (friday,)]


def test_an_empty_city_says_so_for_a_sweep_and_for_a_detail(city: City) -> None:
    day = date(2026, 11, 26)

    assert city.ask().nothing_free
    assert city.api.calendar(SERVICES, [RUPPERT], day, day, day=day).nothing_free


def test_what_is_found_can_be_reserved_and_carried_through(city: City) -> None:
    city.open(RUPPERT, THURSDAY)

    held = city.api.reserve(city.ask().slots[0], SERVICES)

    assert len(held.key.auth_key) == (64 if city.world.release.tag >= 40 else 4)
    assert city.api.preconfirm(held.key).status == "preconfirmed"
    assert city.api.confirm(held.key).status == "confirmed"
    assert city.api.appointment(held.key).key == held.key
    assert city.api.cancel(held.key).key.auth_key != held.key.auth_key


def test_the_catalogue_is_read_in_every_form(city: City) -> None:
    catalogue = city.api.catalogue()

    assert catalogue is not None
    offices = {office.upstream_id: office for office in catalogue.offices}
    newest = City(47).api.catalogue()
    assert newest is not None
    assert {service.upstream_id: service.combinable for service in catalogue.services} == {
        service.upstream_id: service.combinable for service in newest.services
    }
    if city.world.release.tag >= 24:
        assert {office.slots_per_appointment for office in newest.offices} == {
            office.slots_per_appointment for office in offices.values()
        }


@pytest.mark.parametrize("tag", [47, 45, 28, 24])
def test_a_guarded_office_asks_for_a_token_whatever_the_dialect(tag: int) -> None:
    city = City(tag)

    with pytest.raises(errors.CaptchaMissing):
        city.api.calendar(GUARDED_SERVICES, [GUARDED], START, END)

    token = city.world.captcha.token("127.0.0.1", city.world.now())
    assert city.api.calendar(GUARDED_SERVICES, [GUARDED], START, END, captcha_token=token).nothing_free


@pytest.mark.parametrize(
    ("tag", "given", "field"),
    [
        (47, "captcha_token", "captchaToken"),
        (25, "captcha_token", "captchaToken"),
        (23, "captcha_solution", "captchaSolution"),
    ],
)
def test_a_reservation_carries_token_or_solution_where_the_city_looks_for_it(
    tag: int, given: str, field: str
) -> None:
    city = knowing(City(tag))
    city.world.add_places(GUARDED, [10300793], THURSDAY)
    proof = made_proof(city.world, given)
    sent: list[dict[str, Any]] = []
    api = city.api
    api._session.hooks["response"].append(lambda reply, **_: sent.append(json.loads(reply.request.body)))

    held = api.reserve(Slot(GUARDED, THURSDAY), GUARDED_SERVICES, **{given: proof})

    assert held.status == "reserved"
    assert {name for name, value in sent[0].items() if value == proof} == {field}


def made_proof(world: CityWorld, kind: str) -> str:
    """A token, or a solved puzzle."""
    if kind == "captcha_token":
        return world.captcha.token("127.0.0.1", world.now())
    provider = FriendlyV1()
    puzzle = provider.parse({"puzzle": world.puzzles.puzzle(world.now())})
    return provider.payload(puzzle, provider.solve(puzzle, limit=timedelta(seconds=20)))


def test_before_muc24_free_times_were_open_and_reservations_wanted_a_solution() -> None:
    city = City(19)
    city.world.add_places(GUARDED, [10300793], THURSDAY)

    found = city.api.calendar(GUARDED_SERVICES, [GUARDED], START, END)

    with pytest.raises(errors.CaptchaRejected) as caught:
        city.api.reserve(found.slots[0], GUARDED_SERVICES)
    assert caught.value.code == "captchaVerificationFailed"


def test_a_service_that_is_not_offered_is_refused_whatever_the_dialect(city: City) -> None:
    with pytest.raises(errors.InvalidRequest):
        city.api.calendar([ServiceCount(10295182)], [RUPPERT], START, END)


# What it costs


@pytest.mark.parametrize(
    ("tag", "sweep", "detail"),
    [
        (47, [NEWEST], [NEWEST]),
        (45, [DAYS_BY_OFFICE, TIMES_BY_OFFICE], [TIMES_BY_OFFICE]),
        (25, [DAYS, TIMES_BY_OFFICE], [TIMES_BY_OFFICE]),
        (19, [DAYS, TIMES, TIMES], [TIMES, TIMES]),
    ],
)
def test_a_sweep_and_a_detail_cost_these_requests(tag: int, sweep: list[str], detail: list[str]) -> None:
    city = City(tag)
    city.open(RUPPERT, THURSDAY)
    knowing(city)

    city.ask()
    assert city.asked() == sweep

    city.world.requests.clear()
    day = THURSDAY.date()
    city.api.calendar(SERVICES, [RUPPERT, PASING], day, day, day=day)
    assert city.asked() == detail


@pytest.mark.parametrize(("tag", "routes"), [(47, [NEWEST]), (45, [DAYS_BY_OFFICE]), (25, [DAYS])])
def test_a_sweep_that_finds_nothing_costs_one_request(tag: int, routes: list[str]) -> None:
    city = knowing(City(tag))

    city.ask()

    assert city.asked() == routes


def test_every_request_passes_the_gate_as_what_it_is_for(city: City) -> None:
    city.open(RUPPERT, THURSDAY)

    city.ask(kind=CallKind.DETAIL)

    assert city.gate.kinds == ["detail"] * len(city.asked())


def test_days_are_told_without_times_when_the_gate_closes_between_them() -> None:
    city = knowing_days(City(45))
    city.gate = NarrowGate(1)

    found = city.ask()

    assert [(day.day, day.slots) for day in found.days] == [(date(2026, 11, 26), None)]
    assert not found.nothing_free


def test_a_failure_between_days_and_times_fails_the_sweep() -> None:
    city = knowing_days(City(45))
    city.world.faults.add("html_502", paths=[TIMES_BY_OFFICE])

    with pytest.raises(errors.Unavailable):
        city.ask()


def test_a_day_that_lost_its_times_meanwhile_is_no_day() -> None:
    city = knowing_days(City(45))
    city.open(PASING, FRIDAY)
    original = city.world.release.aged

    def gone_after_days(endpoint: str, document: Any, now: float) -> Any:
        if endpoint == DAYS_BY_OFFICE:
            city.world.remove_places(RUPPERT, [1063475], THURSDAY)
        return original(endpoint, document, now)

    object.__setattr__(city.world, "release", Aging(city.world.release, gone_after_days))
    found = city.ask()

    assert [day.day for day in found.days] == [date(2026, 11, 27)]
    assert found.slots == ()


class Aging:
    """A release whose answers are looked at on their way out."""

    def __init__(self, release: Release, aged: Callable[..., Any]) -> None:
        self._release, self.aged = release, aged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._release, name)


def knowing_days(city: City) -> City:
    city.open(RUPPERT, THURSDAY)
    return knowing(city)


# Finding out


@pytest.mark.parametrize(
    ("tag", "dialect", "routes"),
    [
        (47, Dialect.D3, [NEWEST]),
        (46, Dialect.D3, [NEWEST]),
        (45, Dialect.D2, [NEWEST, DAYS_BY_OFFICE]),
        (26, Dialect.D2, [NEWEST, DAYS_BY_OFFICE]),
        (25, Dialect.D1, [NEWEST, DAYS_BY_OFFICE, DAYS]),
        (20, Dialect.D1, [NEWEST, DAYS_BY_OFFICE, DAYS]),
    ],
)
def test_the_dialect_is_found_by_the_first_question_and_remembered(
    tag: int, dialect: Dialect, routes: list[str]
) -> None:
    city = City(tag)

    city.ask()
    assert city.asked() == routes
    assert city.memory.recall() == dialect

    city.ask()
    assert city.asked() == [*routes, routes[-1]]


@pytest.mark.parametrize("tag", [45, 25])
def test_a_refusal_in_the_citys_own_words_shows_the_dialect_too(tag: int) -> None:
    city = City(tag)

    with pytest.raises(errors.CaptchaMissing):
        city.api.calendar(GUARDED_SERVICES, [GUARDED], START, END)

    assert city.memory.recall() == {45: Dialect.D2, 25: Dialect.D1}[tag]


@pytest.mark.parametrize(
    ("before", "after", "spoken"),
    [
        (45, 47, Dialect.D3),
        (25, 47, Dialect.D3),
        (47, 45, Dialect.D2),
        (47, 25, Dialect.D1),
        (25, 19, Dialect.D1_MUC19),
        # A newer city that still knows the routes we use: no reason to look again before the day is over.
        (25, 45, Dialect.D1),
        (19, 25, Dialect.D1_MUC19),
    ],
)
def test_a_route_that_disappears_makes_us_look_again(before: int, after: int, spoken: Dialect) -> None:
    city = City(before)
    slot = city.open(RUPPERT, THURSDAY)
    assert city.ask().slots == (slot,)

    city.world.release = Release.of(tag=after)

    assert city.ask().slots == (slot,)
    assert city.memory.recall() == spoken


@pytest.mark.parametrize(
    "kind",
    [
        "maintenance",
        "backend_down",
        "html_502",
        "html_200",
        "gateway_400",
        "spring",
        "empty_body",
        "no_errors",
    ],
)
def test_a_failure_says_nothing_about_dialects(kind: str) -> None:
    city = City(45)
    city.world.faults.add(kind)

    with pytest.raises(errors.Unavailable):
        city.ask()

    assert city.asked() == [NEWEST]
    assert city.memory.recall() is None


@pytest.mark.parametrize(
    ("code", "nothing"), [("noAppointmentForThisScope", True), ("scopesNotFound", False)]
)
def test_any_other_404_is_a_real_answer(code: str, nothing: bool) -> None:
    city = City(47)
    city.world.faults.add("error", code=code, status=404)

    if nothing:
        assert city.ask().nothing_free
    else:
        with pytest.raises(errors.InvalidRequest):
            city.ask()

    assert city.asked() == [NEWEST]


def test_a_missing_route_with_another_status_is_no_sign() -> None:
    city = City(47)
    city.world.faults.add("error", code="notFound", status=200)

    with pytest.raises(errors.RouteGone):
        city.ask()

    assert city.asked() == [NEWEST]


def test_a_city_of_an_unknown_dialect_is_asked_once_a_time_until_it_speaks_again() -> None:
    city = City(47)
    city.world.faults.add("error", count=None, code="notFound", status=404)

    for _ in range(3):
        with pytest.raises(errors.RouteGone) as caught:
            city.ask()
        assert caught.value.code == "dialectUnknown"

    assert city.asked()[:4] == [NEWEST, DAYS_BY_OFFICE, DAYS, DAYS]
    assert city.asked()[4:] == [NEWEST, NEWEST]
    city.world.faults.clear()
    assert city.ask().nothing_free
    assert city.memory.recall() == Dialect.D3


def test_the_gate_may_close_while_we_look() -> None:
    city = City(25)
    city.gate = NarrowGate(2)

    with pytest.raises(errors.GateClosed):
        city.ask()

    assert city.memory.recall() is None


# The retired back end


@pytest.mark.parametrize("free", [False, True])
def test_the_retired_back_end_is_told_by_name_and_never_believed(free: bool) -> None:
    city = City(0, "D0")
    if free:
        city.open(RUPPERT, THURSDAY)

    with pytest.raises(errors.RouteGone) as caught:
        city.ask()

    assert caught.value.code == "retiredBackend"
    assert city.memory.recall() == Dialect.D0


def test_the_errors_of_the_retired_back_end_are_errors() -> None:
    city = City(0, "D0")

    with pytest.raises(errors.AppointmentNotFound):
        city.api.appointment(errors.AppointmentKey(101002, "beef"))
    with pytest.raises(errors.SlotTaken):
        city.api.reserve(Slot(RUPPERT, THURSDAY), SERVICES)
