"""The life of an appointment, step by step, as the real software was seen to behave."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar

from termin_project.sandbox.city import CityWorld, Clock

from .conftest import (
    FETCH,
    MONDAY,
    PICK_UP,
    PROOF,
    QUICK,
    RECORD,
    REGISTER,
    RUPPERT,
    TAXI,
    THURSDAY_9,
    TRADE,
    TRADE_LICENCE,
    Citizen,
    codes,
    ids,
)

APPOINTMENT_KEYS = [
    "processId",
    "timestamp",
    "authKey",
    "familyName",
    "customTextfield",
    "customTextfield2",
    "email",
    "telephone",
    "officeName",
    "officeId",
    "scope",
    "subRequestCounts",
    "serviceId",
    "serviceName",
    "serviceCount",
    "status",
    "captchaToken",
    "slotCount",
    "displayNumber",
    "icsContent",
]
CALLS = ("update", "preconfirm", "confirm", "cancel", "read")


def call(citizen: Citizen, name: str, held: dict[str, Any]) -> Any:
    if name == "update":
        return citizen.update(held)
    if name == "read":
        return citizen.read(held)
    return citizen.post(f"{name}-appointment", **ids(held))


# reserving


def test_reserving_answers_the_whole_appointment_object(citizen: Citizen) -> None:
    held = citizen.reserved()
    assert list(held) == APPOINTMENT_KEYS
    assert held["timestamp"] == str(int(THURSDAY_9.timestamp())), "a string here, a number in the calendar"
    assert (held["status"], held["slotCount"], held["officeId"]) == ("reserved", 3, RUPPERT)
    assert (held["serviceId"], held["serviceName"], held["serviceCount"]) == (
        REGISTER,
        "Wohnsitzanmeldung",
        1,
    )
    assert len(held["authKey"]) == 64
    assert int(held["authKey"], 16)
    assert held["displayNumber"] == str(held["processId"])
    assert (held["familyName"], held["captchaToken"], held["subRequestCounts"]) == ("", "", [])
    assert "@" in held["email"], "a placeholder until contact data are stored"
    assert held["scope"]["reservationDuration"] == 15


def test_the_calendar_entry_can_be_read_by_a_calendar(citizen: Citizen) -> None:
    held = citizen.reserved()
    assert all(len(line.encode()) <= 75 for line in held["icsContent"].split("\r\n"))
    (event,) = Calendar.from_ical(held["icsContent"]).walk("VEVENT")
    assert event["DTSTART"].dt == THURSDAY_9
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(minutes=15)
    assert "Ruppertstraße 19" in event["LOCATION"]


def test_several_services_are_told_apart(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(QUICK, [RECORD, PROOF, PROOF], THURSDAY_9)
    held = citizen.reserve(office=QUICK, serviceId=[RECORD, PROOF], serviceCount=[1, 2]).json()
    assert (held["serviceId"], held["serviceCount"], held["slotCount"]) == (RECORD, 1, 5)
    assert held["subRequestCounts"] == [{"id": PROOF, "name": "Meldebescheinigung", "count": 2}]


def test_the_same_service_twice_is_the_service_with_count_two(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(QUICK, [RECORD, RECORD], THURSDAY_9)
    held = citizen.reserve(office=QUICK, serviceId=[RECORD, RECORD], serviceCount=[1, 1]).json()
    assert (held["serviceCount"], held["slotCount"], held["subRequestCounts"]) == (2, 2, [])


def test_more_than_the_slots_per_appointment_is_accepted(citizen: Citizen, world: CityWorld) -> None:
    world.capacities[PICK_UP].open(int(THURSDAY_9.timestamp()), 6, 1)
    answer = citizen.reserve(office=PICK_UP, service=FETCH, serviceCount=[6])
    assert (answer.status_code, answer.json()["slotCount"]) == (200, 6)


@pytest.mark.parametrize(
    "more",
    [
        {"timestamp": str(int(THURSDAY_9.timestamp()))},
        {"officeId": str(RUPPERT), "serviceId": [str(REGISTER)]},
        {"serviceCount": None},
    ],
)
def test_numbers_may_come_as_text_and_the_count_may_be_left_out(
    citizen: Citizen, world: CityWorld, more: dict
) -> None:
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    fields = {
        "timestamp": int(THURSDAY_9.timestamp()),
        "officeId": RUPPERT,
        "serviceId": [REGISTER],
        "serviceCount": [1],
    } | more
    given = {name: value for name, value in fields.items() if value is not None}
    assert citizen.post("reserve-appointment", **given).status_code == 200


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"timestamp": 1600000000}, ["invalidTimestamp"]),
        ({"timestamp": "tomorrow"}, ["invalidTimestamp"]),
        ({"serviceCount": [0]}, ["invalidServiceCount"]),
        ({"serviceCount": [26]}, ["invalidServiceCount"]),
        ({"officeId": "x"}, ["invalidOfficeId"]),
        ({"serviceId": []}, ["invalidServiceId"]),
        ({"serviceId": [FETCH]}, ["invalidLocationAndServiceCombination"]),
        ({"officeId": 99999999}, ["invalidLocationAndServiceCombination"]),
        (
            {"officeId": TAXI, "serviceId": [10300793], "timestamp": 1},
            ["invalidTimestamp", "captchaMissing"],
        ),
    ],
)
def test_a_wrong_reservation_is_refused_with_all_its_errors(
    citizen: Citizen, more: dict, expected: list[str]
) -> None:
    answer = citizen.reserve(**more)
    assert (answer.status_code, codes(answer)) == (400, expected)


def test_an_empty_object_lacks_office_service_and_time(citizen: Citizen) -> None:
    assert codes(citizen.post("reserve-appointment")) == [
        "invalidOfficeId",
        "invalidServiceId",
        "invalidTimestamp",
    ]


@pytest.mark.parametrize(
    "more",
    [{"serviceId": REGISTER}, {"serviceCount": 1}, {"serviceId": [REGISTER, 1063453], "serviceCount": [1]}],
)
def test_lists_that_are_none_or_differ_in_length_crash_the_city(citizen: Citizen, more: dict) -> None:
    answer = citizen.reserve(**more)
    assert answer.status_code == 500
    assert answer.json() == {"error": {"message": "An internal error has occurred.", "code": 0}}


@pytest.mark.parametrize("seconds", [1, 300, -6 * 3600])
def test_a_time_that_is_not_listed_is_not_available(citizen: Citizen, world: CityWorld, seconds: int) -> None:
    world.add_places(RUPPERT, [REGISTER], THURSDAY_9)
    answer = citizen.reserve(THURSDAY_9 + timedelta(seconds=seconds))
    assert (answer.status_code, codes(answer)) == (404, ["appointmentNotAvailable"])


def test_one_listed_time_can_be_several_places(citizen: Citizen, world: CityWorld) -> None:
    world.add_places(TRADE, [TRADE_LICENCE], THURSDAY_9, places=3)
    answers = [citizen.reserve(office=TRADE, service=TRADE_LICENCE) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert codes(answers[3]) == ["appointmentNotAvailable"]
    overlapping = citizen.reserve(THURSDAY_9 + timedelta(minutes=5), office=TRADE, service=TRADE_LICENCE)
    assert codes(overlapping) == ["appointmentNotAvailable"]


def test_of_parallel_reservations_of_the_last_place_one_wins_and_the_others_get_an_unknown_error(
    make_world: Callable[..., CityWorld],
) -> None:
    world = make_world(reserve_pause=0.1)
    world.add_places(TRADE, [TRADE_LICENCE], THURSDAY_9)
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda _: Citizen(world).reserve(office=TRADE, service=TRADE_LICENCE),
                range(5),
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404]
    for loser in (answer for answer in answers if answer.status_code == 404):
        assert codes(loser) == ["unknownError"]
        assert loser.json()["errors"][0]["statusCode"] == 520


# the way to confirmed


def test_the_whole_way_from_reserved_to_confirmed(citizen: Citizen) -> None:
    held = citizen.reserved()
    updated = citizen.update(held, telephone="08912345678").json()
    assert (updated["status"], updated["familyName"]) == ("reserved", "Erika Muster")
    assert (updated["email"], updated["telephone"]) == ("erika@example.org", "08912345678")
    before = citizen.post("preconfirm-appointment", **ids(held)).json()
    assert (before["status"], before["captchaToken"]) == ("preconfirmed", "")
    after = citizen.post("confirm-appointment", **ids(held)).json()
    assert (after["status"], after["captchaToken"].count(".")) == ("confirmed", 2)
    read = citizen.read(held).json()
    assert (read["status"], read["captchaToken"].count(".")) == ("confirmed", 2)
    assert list(read) == APPOINTMENT_KEYS


def test_confirming_straight_from_reserved_works_even_without_contact_data(citizen: Citizen) -> None:
    held = citizen.reserved()
    assert citizen.post("confirm-appointment", **ids(held)).json()["status"] == "confirmed"
    again = citizen.post("preconfirm-appointment", **ids(held))
    assert (again.status_code, codes(again)) == (409, ["processNotReservedAnymore"])


def test_pre_confirming_works_without_contact_data_and_sends_nothing(
    citizen: Citizen, clock: Clock, world: CityWorld
) -> None:
    held = citizen.reserved()
    assert citizen.post("preconfirm-appointment", **ids(held)).json()["status"] == "preconfirmed"
    clock.advance(timedelta(seconds=10))
    assert world.mails == []


def test_pre_confirming_twice_and_confirming_twice_are_conflicts(citizen: Citizen) -> None:
    held = citizen.preconfirmed()
    again = citizen.post("preconfirm-appointment", **ids(held))
    assert (again.status_code, codes(again)) == (409, ["processNotReservedAnymore"])
    citizen.post("confirm-appointment", **ids(held))
    again = citizen.post("confirm-appointment", **ids(held))
    assert (again.status_code, codes(again)) == (409, ["processNotPreconfirmedAnymore"])


def test_contact_data_can_still_be_changed_while_pre_confirmed(citizen: Citizen) -> None:
    held = citizen.preconfirmed()
    changed = citizen.update(held, familyName="Max Anders").json()
    assert (changed["status"], changed["familyName"]) == ("preconfirmed", "Max Anders")


def test_changing_a_confirmed_appointment_fails_although_the_change_is_stored(citizen: Citizen) -> None:
    held = citizen.confirmed()
    answer = citizen.update(held, familyName="Max Anders")
    assert (answer.status_code, codes(answer)) == (500, ["unknownError"])
    assert answer.json()["errors"][0]["statusCode"] == 520
    assert citizen.read(held).json()["familyName"] == "Max Anders"


# keys and numbers


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_number_is_not_found_and_a_wrong_key_does_not_match(citizen: Citizen, name: str) -> None:
    held = citizen.reserved()
    unknown = call(citizen, name, {**held, "processId": 1})
    assert (unknown.status_code, codes(unknown)) == (404, ["appointmentNotFound"])
    for key in ("b" * 64, held["authKey"][:4], "B" + held["authKey"].upper()[1:]):
        wrong = call(citizen, name, {**held, "authKey": key})
        assert (wrong.status_code, codes(wrong)) == (406, ["authKeyMismatch"])


@pytest.mark.parametrize("name", CALLS)
def test_malformed_ids_are_refused_before_anything_is_looked_up(citizen: Citizen, name: str) -> None:
    held = citizen.reserved()
    malformed = call(citizen, name, {**held, "authKey": "zzzz"})
    assert (malformed.status_code, codes(malformed)) == (400, ["invalidAuthKey"])
    both = call(citizen, name, {"processId": "abc", "authKey": "xyz"})
    assert codes(both) == ["invalidProcessId", "invalidAuthKey"]


def test_the_process_number_may_come_as_text(citizen: Citizen) -> None:
    held = citizen.reserved()
    assert citizen.update({**held, "processId": str(held["processId"])}).status_code == 200


# cancelling


def test_a_cancelled_reservation_looks_reserved_and_its_key_is_dead_at_once(citizen: Citizen) -> None:
    held = citizen.reserved()
    answer = citizen.post("cancel-appointment", **ids(held)).json()
    assert (answer["status"], answer["authKey"], answer["icsContent"]) == ("reserved", held["authKey"], None)
    for name in CALLS:
        assert codes(call(citizen, name, held)) == ["authKeyMismatch"]


def test_a_cancelled_reservation_is_bookable_again_only_after_the_minute_jobs(
    citizen: Citizen, next_minute: Callable[[], None]
) -> None:
    held = citizen.reserved()
    citizen.post("cancel-appointment", **ids(held))
    assert codes(citizen.reserve()) == ["appointmentNotAvailable"]
    next_minute()
    assert citizen.reserve().status_code == 200


def test_a_cancelled_appointment_becomes_deleted_under_a_new_key(citizen: Citizen) -> None:
    held = citizen.confirmed()
    answer = citizen.post("cancel-appointment", **ids(held)).json()
    assert list(answer) == APPOINTMENT_KEYS
    assert (answer["status"], answer["officeId"], answer["officeName"]) == ("deleted", 0, None)
    assert (answer["familyName"], answer["icsContent"]) == ("(abgesagt)", None)
    assert answer["scope"]["id"] == held["scope"]["id"]
    assert answer["scope"]["provider"]["id"] == 0
    assert answer["scope"]["emailRequired"] is None
    assert set(answer["scope"]) == set(held["scope"])
    assert answer["authKey"] != held["authKey"]
    for name in CALLS:
        assert codes(call(citizen, name, held)) == ["authKeyMismatch"]
    read = citizen.read(answer).json()
    assert (read["status"], read["officeId"], read["familyName"]) == ("deleted", RUPPERT, "(abgesagt)")
    again = citizen.post("cancel-appointment", **ids(answer)).json()
    assert (again["status"], again["officeId"]) == ("deleted", 0)
    assert again["authKey"] not in (held["authKey"], answer["authKey"])


def test_a_cancelled_appointment_is_released_after_a_quarter_of_an_hour(
    citizen: Citizen, clock: Clock
) -> None:
    held = citizen.confirmed()
    citizen.post("cancel-appointment", **ids(held))
    clock.advance(timedelta(minutes=14))
    assert codes(citizen.reserve()) == ["appointmentNotAvailable"]
    clock.advance(timedelta(minutes=2))
    assert citizen.reserve().status_code == 200


def test_what_has_begun_cannot_be_cancelled(citizen: Citizen, clock: Clock) -> None:
    held = citizen.confirmed()
    clock.advance(THURSDAY_9 - MONDAY + timedelta(seconds=1))
    answer = citizen.post("cancel-appointment", **ids(held))
    assert (answer.status_code, codes(answer)) == (406, ["appointmentCanNotBeCanceled"])
    assert citizen.read(held).json()["status"] == "confirmed"


# deadlines


def test_a_reservation_goes_when_its_time_is_over_and_the_jobs_have_run(
    citizen: Citizen, clock: Clock
) -> None:
    held = citizen.reserved()
    clock.advance(timedelta(minutes=15, seconds=10))
    assert citizen.read(held).json()["status"] == "reserved", "over, but the jobs have not run"
    clock.advance(timedelta(seconds=30))
    for name in CALLS:
        gone = call(citizen, name, held)
        assert (gone.status_code, codes(gone)) == (404, ["appointmentNotFound"])
    assert citizen.reserve().status_code == 200, "its place is free at once"


def test_an_overdue_reservation_can_be_pre_confirmed_until_the_jobs_run(
    citizen: Citizen, clock: Clock
) -> None:
    held = citizen.reserved()
    clock.advance(timedelta(minutes=15, seconds=20))
    assert citizen.post("preconfirm-appointment", **ids(held)).json()["status"] == "preconfirmed"


def test_the_activation_deadline_counts_from_the_reservation(citizen: Citizen, clock: Clock) -> None:
    held = citizen.reserved()
    citizen.update(held)
    clock.advance(timedelta(minutes=14))
    citizen.post("preconfirm-appointment", **ids(held))
    clock.advance(timedelta(minutes=16, seconds=10))
    assert citizen.read(held).json()["status"] == "preconfirmed", "over, but the jobs have not run"
    clock.advance(timedelta(minutes=1))
    gone = citizen.post("confirm-appointment", **ids(held))
    assert (gone.status_code, codes(gone)) == (404, ["appointmentNotFound"])


def test_an_overdue_activation_can_be_confirmed_until_the_jobs_run(citizen: Citizen, clock: Clock) -> None:
    held = citizen.preconfirmed()
    clock.advance(timedelta(minutes=30, seconds=20))
    assert citizen.post("confirm-appointment", **ids(held)).json()["status"] == "confirmed"


def test_a_confirmed_appointment_does_not_expire(citizen: Citizen, clock: Clock, world: CityWorld) -> None:
    held = citizen.confirmed()
    clock.advance(timedelta(days=2))
    world.run_jobs()
    assert citizen.read(held).json()["status"] == "confirmed"


def test_the_durations_are_those_of_the_scope(citizen: Citizen, clock: Clock) -> None:
    held = citizen.reserved(office=102101, service=1064305)
    assert held["scope"]["reservationDuration"] == 20
    clock.advance(timedelta(minutes=19))
    assert citizen.read(held).status_code == 200
    clock.advance(timedelta(minutes=2))
    assert citizen.read(held).status_code == 404


def test_without_a_login_there_are_no_appointments_of_ones_own(citizen: Citizen) -> None:
    anonymous = citizen.get("my-appointments")
    assert (anonymous.status_code, codes(anonymous)) == (401, ["authKeyMismatch"])
    assert anonymous.json()["errors"][0]["statusCode"] == 406
    headers = {"Authorization": "Bearer abc"}
    bad = citizen.session.get(f"{citizen.base}/my-appointments/", headers=headers)
    assert bad.status_code == 401
