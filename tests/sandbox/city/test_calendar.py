"""What the calendar shows, asked over the wire."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import (
    FETCH,
    MONDAY,
    PASING,
    PASSPORT,
    QUICK,
    RECORD,
    REGISTER,
    RUPPERT,
    TAXI,
    TRAINING,
    Citizen,
    codes,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(day: str, clock: str = "09:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=BERLIN).astimezone(UTC)


def unix(day: str, clock: str = "09:00") -> int:
    return int(at(day, clock).timestamp())


@pytest.fixture
def two_months(world: CityWorld) -> None:
    for day in ("2026-11-26", "2026-11-27", "2026-12-03", "2026-12-15"):
        world.add_places(RUPPERT, [REGISTER], at(day))


def days(document: dict) -> list[str]:
    return [day["date"] for day in document["availableDays"]]


def with_times(document: dict) -> list[str]:
    return [day["date"] for day in document["availableDays"] if day["offices"]]


@pytest.mark.usefixtures("two_months")
def test_without_a_slots_window_all_days_show_but_times_only_of_the_first(citizen: Citizen) -> None:
    document = citizen.calendar("2026-11-24", "2026-12-31").json()
    assert document == {
        "startDate": "2026-11-24",
        "endDate": "2026-12-31",
        "slotsStartDate": "2026-11-26",
        "slotsEndDate": "2026-11-26",
        "prevBookableDate": None,
        "nextBookableDate": None,
        "availableDays": [
            {
                "date": "2026-11-26",
                "providerIDs": "10489",
                "offices": [{"officeId": "10489", "appointments": [unix("2026-11-26")]}],
            },
            *(
                {"date": day, "providerIDs": "10489", "offices": []}
                for day in ("2026-11-27", "2026-12-03", "2026-12-15")
            ),
        ],
    }


@pytest.mark.usefixtures("two_months")
def test_a_slots_window_paints_only_its_months_and_names_the_next_day(citizen: Citizen) -> None:
    document = citizen.calendar(
        "2026-11-24", "2026-12-31", slotsStartDate="2026-11-25", slotsEndDate="2026-11-28"
    ).json()
    assert days(document) == ["2026-11-26", "2026-11-27"]
    assert with_times(document) == ["2026-11-26"]
    assert (document["slotsStartDate"], document["slotsEndDate"]) == ("2026-11-26", "2026-11-26")
    assert (document["prevBookableDate"], document["nextBookableDate"]) == (None, "2026-12-03")


@pytest.mark.usefixtures("two_months")
def test_a_window_of_one_day_shows_that_day_and_the_day_before_its_month(citizen: Citizen) -> None:
    document = citizen.calendar(
        "2026-11-24", "2026-12-31", slotsStartDate="2026-12-15", slotsEndDate="2026-12-15"
    ).json()
    assert days(document) == ["2026-12-03", "2026-12-15"]
    assert with_times(document) == ["2026-12-15"]
    assert document["prevBookableDate"] == "2026-11-27"


@pytest.mark.usefixtures("two_months")
def test_a_day_without_slots_snaps_to_the_first_bookable_day_of_its_month(citizen: Citizen) -> None:
    document = citizen.calendar(
        "2026-11-24", "2026-12-31", slotsStartDate="2026-12-20", slotsEndDate="2026-12-20"
    ).json()
    assert document["slotsStartDate"] == "2026-12-03"
    assert with_times(document) == ["2026-12-03"]


def test_an_empty_month_looks_ahead_and_paints_the_month_it_finds(citizen: Citizen, world: CityWorld) -> None:
    for day in ("2027-01-14", "2027-01-20"):
        world.add_places(RUPPERT, [REGISTER], at(day))
    document = citizen.calendar(
        "2026-11-24", "2027-02-28", slotsStartDate="2026-11-24", slotsEndDate="2026-11-24"
    ).json()
    assert document["slotsStartDate"] == "2027-01-14"
    assert days(document) == ["2027-01-14", "2027-01-20"]


def test_the_painted_month_is_cut_to_the_asked_range(citizen: Citizen, world: CityWorld) -> None:
    for day in ("2026-12-01", "2026-12-10", "2026-12-28"):
        world.add_places(RUPPERT, [REGISTER], at(day))
    document = citizen.calendar(
        "2026-12-05", "2026-12-20", slotsStartDate="2026-12-10", slotsEndDate="2026-12-10"
    ).json()
    assert days(document) == ["2026-12-10"]
    assert (document["prevBookableDate"], document["nextBookableDate"]) == (None, None)


def test_nothing_free_is_an_ordinary_answer_without_days(citizen: Citizen) -> None:
    answer = citizen.calendar("2026-11-24", "2026-12-31")
    assert answer.status_code == 200
    assert answer.json() == {
        "startDate": "2026-11-24",
        "endDate": "2026-12-31",
        "slotsStartDate": "2026-11-24",
        "slotsEndDate": "2026-12-31",
        "prevBookableDate": None,
        "nextBookableDate": None,
        "availableDays": [],
    }


@pytest.mark.usefixtures("two_months")
def test_a_slots_window_outside_the_range_answers_empty_dates(citizen: Citizen) -> None:
    document = citizen.calendar(
        "2026-11-24", "2026-12-13", slotsStartDate="2027-01-02", slotsEndDate="2027-01-03"
    ).json()
    assert (document["startDate"], document["endDate"]) == ("", "")
    assert (document["slotsStartDate"], document["slotsEndDate"]) == ("2027-01-02", "2027-01-03")
    assert document["availableDays"] == []


def test_a_range_in_the_past_shows_nothing(citizen: Citizen, world: CityWorld, clock: Clock) -> None:
    world.add_places(RUPPERT, [REGISTER], at("2026-11-24"))
    clock.advance(timedelta(days=2))
    assert citizen.calendar("2026-11-03", "2026-11-24").json()["availableDays"] == []


def test_todays_times_drop_out_five_minutes_before_they_begin(
    citizen: Citizen, world: CityWorld, clock: Clock
) -> None:
    world.add_places(RUPPERT, [REGISTER], at("2026-11-23", "11:10"))
    assert with_times(citizen.calendar("2026-11-23", "2026-11-23").json()) == ["2026-11-23"]
    clock.advance(timedelta(minutes=4, seconds=29))
    assert with_times(citizen.calendar("2026-11-23", "2026-11-23").json()) == ["2026-11-23"]
    clock.advance(timedelta(seconds=1))
    assert citizen.calendar("2026-11-23", "2026-11-23").json()["availableDays"] == []
    assert codes(citizen.reserve(at("2026-11-23", "11:10"))) == ["appointmentNotAvailable"]


def test_several_offices_are_named_in_the_order_asked(citizen: Citizen, world: CityWorld) -> None:
    for office in (RUPPERT, PASING):
        world.add_places(office, [REGISTER], at("2026-11-26"))
        world.add_places(office, [REGISTER], at("2026-11-27"))
    document = citizen.calendar("2026-11-24", "2026-12-31", officeIds=f"{PASING}, {RUPPERT}").json()
    first, second = document["availableDays"]
    assert first["providerIDs"] == second["providerIDs"] == "54261,10489"
    assert [office["officeId"] for office in first["offices"]] == ["54261", "10489"]


def test_a_shared_group_offers_each_time_at_one_of_its_offices(citizen: Citizen, world: CityWorld) -> None:
    clocks = ("09:00", "09:30", "10:00", "10:30")
    for clock in clocks:
        for office in (RUPPERT, TRAINING):
            world.add_places(office, [REGISTER], at("2026-11-26", clock))
    document = citizen.calendar("2026-11-24", "2026-12-31", officeIds=f"{RUPPERT},{TRAINING}").json()
    times = {entry["officeId"]: entry["appointments"] for entry in document["availableDays"][0]["offices"]}
    assert times["10489"] == [unix("2026-11-26", clock) for clock in clocks[::2]]
    assert times["10503"] == [unix("2026-11-26", clock) for clock in clocks[1::2]]
    alone = citizen.calendar("2026-11-24", "2026-12-31").json()["availableDays"][0]["offices"][0]
    assert len(alone["appointments"]) == 4


def test_a_long_service_needs_consecutive_slots(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(RUPPERT, [REGISTER, PASSPORT], at("2026-11-26"))
    one = citizen.calendar("2026-11-24", "2026-12-31").json()["availableDays"][0]["offices"][0]
    assert one["appointments"] == [
        unix("2026-11-26", clock) for clock in ("09:00", "09:05", "09:10", "09:15")
    ]
    both = citizen.calendar(
        "2026-11-24", "2026-12-31", serviceIds=f"{REGISTER},{PASSPORT}", serviceCounts="1,1"
    ).json()
    assert both["availableDays"][0]["offices"][0]["appointments"] == [unix("2026-11-26")]
    three = citizen.calendar("2026-11-24", "2026-12-31", serviceCounts=3).json()
    assert three["availableDays"] == []


def test_counts_beyond_the_services_are_padded_and_cut_without_a_word(
    citizen: Citizen, world: CityWorld
) -> None:
    world.add_places(RUPPERT, [REGISTER], at("2026-11-26"))
    cut = citizen.calendar("2026-11-24", "2026-12-31", serviceCounts="1,1,1")
    assert days(cut.json()) == ["2026-11-26"]
    padded = citizen.calendar("2026-11-24", "2026-12-31", serviceIds=f"{REGISTER},{PASSPORT}")
    assert (padded.status_code, padded.json()["availableDays"]) == (200, [])
    beyond_max_quantity = citizen.calendar("2026-11-24", "2026-12-31", serviceCounts=20)
    assert beyond_max_quantity.status_code == 200


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"startDate": "2026-13-45"}, ["invalidStartDate"]),
        ({"startDate": "24.11.2026"}, ["invalidStartDate"]),
        ({"startDate": ""}, ["invalidStartDate"]),
        ({"endDate": "2026-2-1"}, ["invalidEndDate"]),
        ({"officeIds": "abc"}, ["invalidOfficeId"]),
        ({"serviceIds": ""}, ["invalidServiceId"]),
        ({"serviceCounts": "0"}, ["invalidServiceCount"]),
        ({"serviceCounts": "26"}, ["invalidServiceCount"]),
        ({"serviceCounts": None}, ["invalidServiceCount"]),
        ({"slotsStartDate": "foo"}, ["invalidSlotsStartDate"]),
        ({"slotsEndDate": "foo"}, ["invalidSlotsEndDate"]),
        (
            {"slotsStartDate": "2026-11-28", "slotsEndDate": "2026-11-26"},
            ["slotsStartDateAfterEndDate"],
        ),
        ({"serviceIds": FETCH}, ["invalidLocationAndServiceCombination"]),
        ({"officeIds": "99999999"}, ["invalidLocationAndServiceCombination"]),
        ({"serviceIds": "99999999"}, ["invalidLocationAndServiceCombination"]),
        ({"officeIds": "10489,99999999"}, ["invalidLocationAndServiceCombination"]),
        (
            {
                "officeIds": None,
                "serviceIds": None,
                "startDate": None,
                "endDate": None,
                "serviceCounts": None,
            },
            [
                "invalidOfficeId",
                "invalidServiceId",
                "invalidStartDate",
                "invalidEndDate",
                "invalidServiceCount",
            ],
        ),
        ({"officeIds": f"{TAXI}", "serviceCounts": "0"}, ["invalidServiceCount", "captchaMissing"]),
    ],
)
def test_wrong_parameters_are_named_in_the_citys_order(
    citizen: Citizen, more: dict, expected: list[str]
) -> None:
    answer = citizen.calendar("2026-11-24", "2026-12-13", **more)
    assert (answer.status_code, codes(answer)) == (400, expected)


def test_the_singular_names_of_old_are_not_understood(citizen: Citizen) -> None:
    answer = citizen.get(
        "available-calendar",
        startDate="2026-11-24",
        endDate="2026-11-28",
        officeId=RUPPERT,
        serviceId=REGISTER,
        serviceCount=1,
    )
    assert codes(answer) == ["invalidOfficeId", "invalidServiceId", "invalidServiceCount"]


@pytest.mark.parametrize(("start", "end"), [("2026-12-13", "2026-11-24"), ("2026-11-24", "2027-12-29")])
def test_an_impossible_range_is_an_unknown_error(citizen: Citizen, start: str, end: str) -> None:
    answer = citizen.calendar(start, end)
    assert (answer.status_code, codes(answer)) == (520, ["unknownError"])


def test_an_office_without_a_counter_says_try_again_later(citizen: Citizen) -> None:
    answer = citizen.calendar("2026-11-24", "2026-12-13", officeIds=1049621, serviceIds=10308316)
    assert (answer.status_code, codes(answer)) == (404, ["noAppointmentForThisScope"])


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [("2027-03-27", 8), ("2027-03-28", 7), ("2027-10-30", 7), ("2027-10-31", 8)],
)
def test_nine_oclock_is_nine_oclock_when_the_clocks_change(
    make_world: Callable[..., CityWorld], clock: Clock, day: str, utc_hour: int
) -> None:
    clock.freeze(datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=10))
    world = make_world()
    world.add_places(RUPPERT, [REGISTER], at(day))
    start = (date.fromisoformat(day) - timedelta(days=2)).isoformat()
    document = Citizen(world).calendar(start, day).json()
    (only,) = document["availableDays"]
    assert only["date"] == day
    moment = datetime.fromtimestamp(only["offices"][0]["appointments"][0], UTC)
    assert moment.hour == utc_hour


@pytest.mark.parametrize(("day", "before_midnight"), [("2027-03-28", "23:30"), ("2027-10-31", "23:30")])
def test_a_late_slot_belongs_to_the_local_day(
    make_world: Callable[..., CityWorld], clock: Clock, day: str, before_midnight: str
) -> None:
    clock.freeze(datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=10))
    world = make_world()
    world.add_places(RUPPERT, [REGISTER], at(day, before_midnight))
    world.add_places(RUPPERT, [REGISTER], at(day, "00:15"))
    document = Citizen(world).calendar(day, day).json()
    assert len(document["availableDays"][0]["offices"][0]["appointments"]) == 2


def test_half_a_year_at_all_citizens_offices_is_answered_in_milliseconds(
    make_world: Callable[..., CityWorld],
) -> None:
    world = make_world()
    offices = world.catalogue.offices_of(REGISTER)
    for office in offices:
        for ahead in range(1, 180):
            world.capacities[office].open(int((MONDAY + timedelta(days=ahead)).timestamp()), 36, 2)
    citizen = Citizen(world)
    ask = {"officeIds": ",".join(map(str, offices))}
    assert len(days(citizen.calendar("2026-11-24", "2027-05-22", **ask).json())) == 179
    began = perf_counter()
    for _ in range(10):
        citizen.calendar("2026-11-24", "2027-05-22", **ask)
    assert (perf_counter() - began) / 10 < 0.05


def test_the_quick_counter_is_not_the_big_one(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(QUICK, [RECORD], at("2026-11-26"))
    assert citizen.calendar("2026-11-24", "2026-12-31").json()["availableDays"] == []
