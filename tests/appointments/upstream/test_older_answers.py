"""Answers of the older dialects, value by value: what is read, and what is refused because it cannot be."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect, OwnMemory
from appointments.upstream.types import CallKind, ServiceCount, Slot
from tests.appointments.upstream.replay import OneGoodAnswer
from tests.appointments.upstream.wire import (
    END,
    SERVICES,
    START,
    Recorder,
    Wire,
    answer,
    api_on,
    appointment_body,
    error_body,
)

DAY = date(2026, 12, 9)
NINE = int(datetime(2026, 12, 9, 8, tzinfo=UTC).timestamp())
OFFICES = (102522, 10489)


def client(
    dialect: Dialect, *answers: tuple[int, Any], gate: Recorder | None = None
) -> tuple[CitizenApi, Wire]:
    """A client that knows the dialect and gets these answers in turn."""
    memory = OwnMemory()
    memory.remember(dialect, timedelta(days=1))
    waiting = list(answers)
    # The last one stands for all that is asked after it.
    wire = Wire(lambda request: answer(*(waiting.pop(0) if len(waiting) > 1 else waiting[0])))
    return api_on(wire, gate, dialect=memory), wire


def days_of(dialect: Dialect, body: Any, status: int = 200) -> Any:
    return client(dialect, (status, body), gate=OneGoodAnswer())[0].calendar(SERVICES, OFFICES, START, END)


def times_of(dialect: Dialect, body: Any, status: int = 200) -> Any:
    offices = OFFICES if dialect is Dialect.D2 else OFFICES[:1]
    return client(dialect, (status, body))[0].calendar(SERVICES, offices, DAY, DAY, day=DAY)


def test_the_older_routes_are_asked_as_the_contract_says() -> None:
    days = {"availableDays": [{"time": "2026-12-09", "providerIDs": "10489,10489"}]}
    times = {"offices": [{"officeId": 10489, "appointments": [NINE]}]}
    gate = Recorder()
    api, wire = client(Dialect.D2, (200, days), (200, times), gate=gate)
    services = [ServiceCount(1063475, 1), ServiceCount(1063576, 2)]

    found = api.calendar(services, OFFICES, START, END, captcha_token="t", kind=CallKind.SWEEP)

    base = "http://city.test/api/citizen"
    same = "serviceId=1063475%2C1063576&serviceCount=1%2C2&captchaToken=t"
    assert [request.url for request in wire.requests] == [
        f"{base}/available-days-by-office/?startDate=2026-12-01&endDate=2027-05-30&officeId=10489%2C102522&{same}",
        f"{base}/available-appointments-by-office/?date=2026-12-09&officeId=10489&{same}",
    ]
    assert found.slots == (Slot(10489, datetime(2026, 12, 9, 8, tzinfo=UTC)),)
    assert (gate.kinds, gate.codes) == (["sweep", "sweep"], ["ok", "ok"])


def test_days_come_in_order_with_their_offices_once_each() -> None:
    found = days_of(
        Dialect.D2,
        {
            "availableDays": [
                {"time": "2026-12-10", "providerIDs": "10489,10489, 102522", "extra": 1},
                {"time": "2026-12-09", "providerIDs": "10489"},
            ],
            "unknown": {},
        },
    )

    assert [(day.day.day, day.office_ids) for day in found.days] == [(9, {10489}), (10, {10489, 102522})]


def test_merged_days_count_for_every_office_asked() -> None:
    found = days_of(Dialect.D1, {"availableDays": ["2026-12-10", "2026-12-09"]})

    assert [(day.day.day, day.office_ids) for day in found.days] == [(9, {*OFFICES}), (10, {*OFFICES})]


@pytest.mark.parametrize("dialect", [Dialect.D2, Dialect.D1])
@pytest.mark.parametrize(
    "days",
    [
        [],
        None,
        "2026-12-09",
        {"2026-12-09": 1},
        [None],
        ["2026-12-9"],
        ["2026-02-30"],
        ["09.12.2026"],
        [1796813400],
        ["2026-12-09", "2026-12-09"],
        ["2026-11-30"],
        ["2027-05-31"],
        [["2026-12-09"]],
    ],
)
def test_days_that_cannot_be_are_refused(dialect: Dialect, days: Any) -> None:
    if dialect is Dialect.D2 and isinstance(days, list):
        days = [{"time": day, "providerIDs": "10489"} for day in days]

    with pytest.raises(errors.NotUnderstood):
        days_of(dialect, {"availableDays": days})


@pytest.mark.parametrize(
    "offices", [None, "", " , ", "x", "-1", "0", 10489, ["10489"], "10489;102522", "1e3"]
)
def test_a_day_without_readable_offices_is_refused(offices: Any) -> None:
    with pytest.raises(errors.NotUnderstood):
        days_of(Dialect.D2, {"availableDays": [{"time": "2026-12-09", "providerIDs": offices}]})


@pytest.mark.parametrize("dialect", [Dialect.D2, Dialect.D1_MUC19])
@pytest.mark.parametrize(
    "seconds",
    [
        NINE * 1000,  # milliseconds
        NINE + 86_400,  # another day
        int(datetime(2026, 12, 8, 22, 59, tzinfo=UTC).timestamp()),  # that day in UTC, not in Munich
        int(datetime(2026, 12, 9, 23, 1, tzinfo=UTC).timestamp()),
        -NINE,
        0,
        True,
        None,
        str(NINE)[:9],
        float(NINE),
        "09:00",
        [NINE],
    ],
)
def test_times_that_cannot_be_are_refused(dialect: Dialect, seconds: Any) -> None:
    body: dict[str, Any] = {"appointmentTimestamps": [NINE, seconds]}
    if dialect is Dialect.D2:
        body = {"offices": [{"officeId": 10489, "appointments": [NINE, seconds]}]}

    with pytest.raises(errors.NotUnderstood) as caught:
        times_of(dialect, body)

    assert "appointment" in caught.value.shape


def test_the_edges_of_the_local_day_belong_to_it() -> None:
    edges = [datetime(2026, 12, 8, 23, tzinfo=UTC), datetime(2026, 12, 9, 22, 59, tzinfo=UTC)]
    body = {"offices": [{"officeId": 10489, "appointments": [int(edge.timestamp()) for edge in edges]}]}

    assert [slot.starts_at for slot in times_of(Dialect.D2, body).slots] == edges


@pytest.mark.parametrize(
    "offices",
    [
        None,
        {},
        [None],
        [{"officeId": 10489}],
        [{"appointments": [NINE]}],
        [{"officeId": 0, "appointments": [NINE]}],
        [{"officeId": -10489, "appointments": [NINE]}],
        [{"officeId": 7, "appointments": [NINE]}],  # nobody asked about this office
        [{"officeId": 10489, "appointments": None}],
        [{"officeId": 10489, "appointments": {"0": NINE}}],
    ],
)
def test_offices_that_cannot_be_are_refused(offices: Any) -> None:
    with pytest.raises(errors.NotUnderstood):
        times_of(Dialect.D2, {"offices": offices})


def test_nothing_free_is_an_empty_list_of_offices_or_the_citys_word() -> None:
    assert times_of(Dialect.D2, {"offices": []}).nothing_free
    assert times_of(Dialect.D2, {"offices": [{"officeId": 10489, "appointments": []}]}).nothing_free
    for status in (200, 404):
        for code in ("appointmentNotAvailable", "noAppointmentForThisScope"):
            assert times_of(Dialect.D1_MUC19, error_body(code), status).nothing_free
        for code in ("noAppointmentForThisDay", "noAppointmentForThisScope"):
            assert days_of(Dialect.D2, error_body(code), status).nothing_free
            assert days_of(Dialect.D1, error_body(code), status).nothing_free


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"appointmentTimestamps": []}),  # said by an error there
        (200, {}),
        (200, {"offices": []}),
        (404, {"appointmentTimestamps": []}),
        (400, error_body("appointmentNotAvailable")),
        (200, error_body("appointmentNotAvailable", "unknownError")),
        (200, {"errors": []}),
        (404, ""),
    ],
)
def test_nothing_else_is_nothing_free_in_the_earliest_dialect(status: int, body: Any) -> None:
    with pytest.raises(errors.Unavailable):
        times_of(Dialect.D1_MUC19, body, status)


@pytest.mark.parametrize("code", ["noAppointmentForThisDay", "appointmentNotAvailable"])
def test_days_and_times_are_not_taken_for_each_other(code: str) -> None:
    if code == "appointmentNotAvailable":
        with pytest.raises(errors.NotUnderstood):
            days_of(Dialect.D2, error_body(code), 404)
    with pytest.raises(errors.NotUnderstood):
        days_of(Dialect.D2, {"offices": []})
    with pytest.raises(errors.NotUnderstood):
        times_of(Dialect.D2, {"availableDays": []})


@pytest.mark.parametrize("dialect", [Dialect.D1, Dialect.D2])
def test_what_the_retired_back_end_lists_is_not_believed(dialect: Dialect) -> None:
    with pytest.raises(errors.RouteGone) as caught:
        days_of(dialect, {"availableDays": ["2026-12-09"], "lastModified": 1744876800000})

    assert caught.value.code == "retiredBackend"


@pytest.mark.parametrize("secret", ["beef", "BEEF", "5ec2e7" + "0" * 58])
def test_a_key_has_four_or_sixty_four_hex_digits(secret: str) -> None:
    held = api_on(Wire(lambda request: answer(200, appointment_body(authKey=secret)))).reserve(
        Slot(102522, datetime(2026, 12, 9, 10, 50, tzinfo=UTC)), SERVICES
    )

    assert held.key.auth_key == secret


@pytest.mark.parametrize("secret", ["bee", "beefb", "beeg", "b" * 63, "b" * 65, "", None, 1234, ["beef"]])
def test_any_other_key_leaves_a_reservation_open(secret: Any) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        api_on(Wire(lambda request: answer(200, appointment_body(authKey=secret)))).reserve(
            Slot(102522, datetime(2026, 12, 9, 10, 50, tzinfo=UTC)), SERVICES
        )
