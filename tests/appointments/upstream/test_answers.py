"""What good answers become, what is tolerated in them and what is refused."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from appointments.upstream import errors
from appointments.upstream.types import (
    Appointment,
    AppointmentKey,
    Calendar,
    CallKind,
    Contact,
    ServiceCount,
    Slot,
)
from tests.appointments.upstream.wire import (
    BASE_URL,
    CONTACT,
    EMPTY_CALENDAR,
    END,
    KEY,
    SECRET,
    SERVICES,
    SLOT,
    START,
    Recorder,
    Wire,
    answer,
    api_answering,
    api_on,
    appointment_body,
    calendar_body,
    error_body,
)


def calendar(body: Any, status: int = 200) -> Calendar:
    return api_answering(status, body).calendar(SERVICES, [102522, 10489], START, END)


def appointment(**changes: Any) -> Appointment:
    return api_answering(200, appointment_body(**changes)).appointment(KEY)


# Calendar


def test_a_calendar_lists_bookable_days_with_the_times_of_one() -> None:
    found = calendar(calendar_body())

    first = datetime(2026, 12, 9, 10, 50, tzinfo=UTC)
    assert [day.day for day in found.days] == [date(2026, 12, 9), date(2026, 12, 10)]
    assert found.days[0].office_ids == {102522, 10489}
    assert found.slots == (
        Slot(10489, first),
        Slot(102522, first),
        Slot(102522, first + timedelta(minutes=10)),
    )
    assert found.slots_day == date(2026, 12, 9)
    assert not found.nothing_free


def test_a_day_without_times_was_not_asked_for() -> None:
    assert calendar(calendar_body()).days[1].slots is None


def test_an_empty_list_of_days_means_that_nothing_is_free() -> None:
    assert calendar(EMPTY_CALENDAR).nothing_free


def test_a_marker_beyond_the_listed_months_is_not_nothing_free() -> None:
    found = calendar({**EMPTY_CALENDAR, "nextBookableDate": "2027-01-12"})

    assert found.next_bookable == date(2027, 1, 12)
    assert not found.nothing_free


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("codes", [["noAppointmentForThisScope"], ["noAppointmentForThisDay"]])
def test_older_dialects_say_by_an_error_that_nothing_is_free(status: int, codes: list[str]) -> None:
    assert calendar(error_body(*codes), status).nothing_free


@pytest.mark.parametrize(
    ("status", "codes", "leaf"),
    [
        (404, ["noAppointmentForThisScope", "captchaMissing"], errors.NotUnderstood),
        (404, ["captchaMissing", "noAppointmentForThisScope"], errors.CaptchaMissing),
        (500, ["noAppointmentForThisScope"], errors.Unavailable),
        (400, ["noAppointmentForThisDay"], errors.NotUnderstood),
        (404, ["appointmentNotAvailable"], errors.NotUnderstood),
        (404, ["providerNotFound"], errors.InvalidRequest),
    ],
)
def test_nothing_free_has_to_be_said_clearly(status: int, codes: list[str], leaf: type[Exception]) -> None:
    with pytest.raises(leaf):
        calendar(error_body(*codes), status)


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def day_with(**changes: Any) -> dict[str, Any]:
    return calendar_body(availableDays=[{**calendar_body()["availableDays"][0], **changes}])


def office_with(**changes: Any) -> dict[str, Any]:
    return day_with(offices=[{"officeId": "102522", "appointments": [1796813400], **changes}])


@pytest.mark.parametrize(
    "body",
    [
        without(EMPTY_CALENDAR, "startDate"),
        without(EMPTY_CALENDAR, "startDate", "endDate"),
        {**EMPTY_CALENDAR, "startDate": "", "endDate": ""},
        {**EMPTY_CALENDAR, "endDate": "2026-12-31"},
        {**EMPTY_CALENDAR, "startDate": None},
        without(EMPTY_CALENDAR, "availableDays"),
        {**EMPTY_CALENDAR, "availableDays": None},
        {**EMPTY_CALENDAR, "availableDays": {}},
        {**EMPTY_CALENDAR, "availableDays": ""},
        {**EMPTY_CALENDAR, "nextBookableDate": "soon"},
        {**EMPTY_CALENDAR, "slotsStartDate": 5},
        calendar_body(startDate="2026-11-01"),
        day_with(date="2026-12-9"),
        day_with(date="09.12.2026"),
        day_with(date="2026-13-01"),
        day_with(date=None),
        day_with(date="2027-06-01"),
        day_with(providerIDs=5),
        day_with(providerIDs="10489;102522"),
        day_with(providerIDs="", offices=[]),
        day_with(offices=None),
        day_with(offices={}),
        day_with(offices=["102522"]),
        office_with(officeId=None),
        office_with(officeId="-1"),
        office_with(officeId=0),
        office_with(officeId=True),
        office_with(officeId=2**40),
        office_with(appointments=None),
        office_with(appointments=[1796813400000]),
        office_with(appointments=["1796813400000"]),
        office_with(appointments=[-1796813400]),
        office_with(appointments=[1796813400.5]),
        office_with(appointments=[True]),
        office_with(appointments=[None]),
        office_with(appointments=["10:50"]),
        office_with(appointments=[1796813400 + 86400]),
        office_with(appointments=[1796813400 - 12 * 3600]),
        calendar_body(availableDays=[calendar_body()["availableDays"][0]] * 2),
        calendar_body(availableDays=[None]),
    ],
)
def test_an_impossible_calendar_is_refused(body: Any) -> None:
    with pytest.raises(errors.NotUnderstood):
        calendar(body)


@pytest.mark.parametrize(
    "body",
    [
        calendar_body(newField={"a": 1}),
        without(calendar_body(), "startDate", "endDate", "prevBookableDate", "nextBookableDate"),
        without(calendar_body(), "slotsStartDate", "slotsEndDate"),
        calendar_body(availableDays=list(reversed(calendar_body()["availableDays"]))),
        day_with(providerIDs=None),
        day_with(providerIDs=" 102522 , 102522,10489"),
        office_with(officeId=102522),
        office_with(appointments=["1796813400"]),
    ],
)
def test_unknown_fields_and_missing_optional_ones_are_tolerated(body: Any) -> None:
    found = calendar(body)

    assert Slot(102522, datetime(2026, 12, 9, 10, 50, tzinfo=UTC)) in found.slots
    assert found.slots_day == date(2026, 12, 9)


def test_an_office_asked_for_times_and_without_any_has_none() -> None:
    assert calendar(office_with(appointments=[])).days[0].slots == ()


def test_times_belong_to_the_local_day_on_both_sides_of_the_clock_change() -> None:
    def on(day: str, seconds: int) -> Calendar:
        body = office_with(appointments=[seconds])
        body["availableDays"][0]["date"] = day
        body |= {"startDate": "2026-10-20", "endDate": "2026-11-20"}
        return api_answering(200, body).calendar(SERVICES, [1], date(2026, 10, 20), date(2026, 11, 20))

    summer = int(datetime(2026, 10, 24, 22, 30, tzinfo=UTC).timestamp())  # 0:30 on the 25th, summer time
    winter = int(datetime(2026, 10, 25, 22, 30, tzinfo=UTC).timestamp())  # 23:30 on the 25th, winter time

    assert len(on("2026-10-25", summer).slots) == len(on("2026-10-25", winter).slots) == 1


def test_the_calendar_asks_as_the_contract_says() -> None:
    wire, gate = Wire(lambda request: answer(200, calendar_body())), Recorder()
    services = [ServiceCount(1063475, 1), ServiceCount(1063576, 2)]

    api_on(wire, gate).calendar(
        services,
        [102522, 10489, 102522],
        START,
        END,
        day=date(2026, 12, 9),
        captcha_token="t",
        kind=CallKind.DETAIL,
    )

    assert wire.requests[0].url == (
        f"{BASE_URL}/available-calendar/?startDate=2026-12-01&endDate=2027-05-30"
        "&slotsStartDate=2026-12-09&slotsEndDate=2026-12-09&officeIds=10489%2C102522"
        "&serviceIds=1063475%2C1063576&serviceCounts=1%2C2&captchaToken=t"
    )
    assert (gate.kinds, gate.codes) == (["detail"], ["ok"])


@pytest.mark.parametrize(
    "changes",
    [
        {"services": []},
        {"services": [ServiceCount(1, 0)]},
        {"services": [ServiceCount(1, 26)]},
        {"services": [ServiceCount(0, 1)]},
        {"services": [ServiceCount(1, 1), ServiceCount(1, 2)]},
        {"office_ids": []},
        {"office_ids": [0]},
        {"start": END, "end": START},
        {"end": START + timedelta(days=351)},
        {"day": START - timedelta(days=1)},
    ],
)
def test_what_must_not_be_asked_is_not_asked(changes: dict[str, Any]) -> None:
    wire = Wire(lambda request: answer(200, calendar_body()))
    asked: dict[str, Any] = {"services": SERVICES, "office_ids": [1], "start": START, "end": END, **changes}

    with pytest.raises(ValueError, match=r"selection|wanted|office|range"):
        api_on(wire).calendar(**asked)

    assert wire.requests == []


# Appointments


def test_an_appointment_is_read_whole() -> None:
    found = appointment(captchaToken="fresh")

    assert found.key == KEY
    assert (found.starts_at, found.status, found.office_id) == (SLOT.starts_at, "reserved", 102522)
    assert found.services == (ServiceCount(1063475, 1), ServiceCount(1063576, 2))
    assert (found.captcha_token, found.slot_count, found.display_number) == ("fresh", 1, "101002")
    assert found.scope is not None
    assert (found.scope.email_required, found.scope.telephone_activated) == (True, False)
    assert (found.scope.reservation_duration, found.scope.activation_duration) == (
        timedelta(minutes=15),
        None,
    )
    assert (found.scope.appointments_per_mail, found.scope.slots_per_appointment) == (2, None)


def test_a_sparse_appointment_is_read_too() -> None:
    found = api_answering(200, {"processId": "101002", "authKey": None}).appointment(KEY)

    assert found == Appointment(KEY, None, "", 0, "", (), "", "", "", None, None, "", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"processId": 101003},
        {"processId": 0},
        {"processId": "x"},
        {"authKey": "short"},
        {"authKey": 5},
        {"timestamp": 1796813400000},
        {"timestamp": "1796813400000"},
        {"timestamp": "2026-12-09"},
        {"timestamp": True},
        {"officeId": -1},
        {"serviceCount": -1},
        {"serviceId": "x"},
        {"slotCount": -3},
        {"slotCount": "many"},
        {"subRequestCounts": {"a": 1}},
        {"subRequestCounts": [5]},
        {"status": 7.5},
        {"status": ["reserved"]},
        {"email": {"x": 1}},
        {"scope": "none"},
        {"scope": {"reservationDuration": -15}},
        {"scope": {"reservationDuration": 900_000}},
        {"scope": {"emailRequired": "yes"}},
        {"scope": {"appointmentsPerMail": "many"}},
    ],
)
def test_an_impossible_appointment_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.NotUnderstood):
        appointment(**changes)
    with pytest.raises(errors.OutcomeUnknown):
        api_answering(200, appointment_body(**changes)).update(KEY, CONTACT)


def test_text_no_database_takes_is_cleaned() -> None:
    found = api_answering(200, json.dumps(appointment_body(officeName="A\x00B\ud800C"))).appointment(KEY)

    assert found.office_name == "ABC"


# Changes


def test_a_reservation_sends_the_slot_and_returns_its_key() -> None:
    wire, gate = Wire(lambda request: answer(200, appointment_body())), Recorder()

    found = api_on(wire, gate).reserve(
        SLOT, [ServiceCount(1063475, 1), ServiceCount(1063576, 2)], captcha_token="t"
    )

    assert json.loads(wire.requests[0].body or b"") == {
        "timestamp": 1796813400,
        "officeId": 102522,
        "serviceId": [1063475, 1063576],
        "serviceCount": [1, 2],
        "captchaToken": "t",
    }
    assert wire.requests[0].headers["Content-Type"] == "application/json"
    assert found.key == AppointmentKey(101002, SECRET)
    assert (gate.kinds, gate.codes) == (["booking"], ["ok"])


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": "1796814000"},
        {"timestamp": None},
        {"officeId": 10489},
        {"status": "deleted"},
        {"authKey": ""},
    ],
)
def test_a_reservation_of_something_else_is_no_success(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        api_answering(200, appointment_body(**changes)).reserve(SLOT, SERVICES)


def test_a_reservation_needs_an_aware_time_and_sane_counts() -> None:
    api = api_answering(200, appointment_body())
    with pytest.raises(ValueError, match="aware"):
        api.reserve(Slot(1, datetime(2026, 12, 9, 10, 50)), SERVICES)  # noqa: DTZ001
    with pytest.raises(ValueError, match="1 to 25"):
        api.reserve(SLOT, [ServiceCount(1, 26)])


def test_an_update_leaves_out_what_is_none_and_sends_what_is_empty() -> None:
    wire = Wire(lambda request: answer(200, appointment_body()))

    api_on(wire).update(KEY, Contact("Erika Mustermann", "erika@example.org", "", None, "zwei"))

    assert json.loads(wire.requests[0].body or b"") == {
        "processId": 101002,
        "authKey": SECRET,
        "familyName": "Erika Mustermann",
        "email": "erika@example.org",
        "telephone": "",
        "customTextfield2": "zwei",
    }


@pytest.mark.parametrize(
    ("act", "status", "succeeds"),
    [
        ("preconfirm", "preconfirmed", True),
        ("preconfirm", "confirmed", True),
        ("preconfirm", "reserved", False),
        ("preconfirm", None, False),
        ("confirm", "confirmed", True),
        ("confirm", "preconfirmed", False),
        ("cancel", "deleted", True),
        ("cancel", "reserved", True),
        ("cancel", "blocked", True),
        ("cancel", "confirmed", False),
        ("cancel", "preconfirmed", False),
    ],
)
def test_a_change_succeeded_when_the_appointment_says_so(
    act: str, status: str | None, succeeds: bool
) -> None:
    api = api_answering(200, appointment_body(status=status))

    if succeeds:
        assert getattr(api, act)(KEY).status == status
        return
    with pytest.raises(errors.OutcomeUnknown) as caught:
        getattr(api, act)(KEY)
    assert caught.value.key == KEY


def test_a_cancellation_returns_the_new_key() -> None:
    body = appointment_body(status="deleted", authKey="0" * 64, officeId=0, familyName="(abgesagt)")

    assert api_answering(200, body).cancel(KEY).key == AppointmentKey(101002, "0" * 64)
