"""Every way the city says no, and every way it says nothing: a question stays unanswered, a change stays open."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.errors import ERROR_BY_CODE
from appointments.upstream.types import AppointmentKey
from tests.appointments.upstream.wire import (
    CONTACT,
    END,
    KEY,
    SERVICES,
    SLOT,
    START,
    api_answering,
    calendar_body,
    error_body,
)

GATEWAY = '{ "status":400, "error":"Bad Request" }'
QUESTIONS: dict[str, Callable[[CitizenApi], Any]] = {
    "catalogue": lambda api: api.catalogue(),
    "calendar": lambda api: api.calendar(SERVICES, [SLOT.office_id], START, END),
    "appointment": lambda api: api.appointment(KEY),
    "probe": lambda api: api.probe(),
}
CHANGES: dict[str, Callable[[CitizenApi], Any]] = {
    "reserve": lambda api: api.reserve(SLOT, SERVICES),
    "update": lambda api: api.update(KEY, CONTACT),
    "preconfirm": lambda api: api.preconfirm(KEY),
    "confirm": lambda api: api.confirm(KEY),
    "cancel": lambda api: api.cancel(KEY),
}
UNREADABLE: list[tuple[int, Any]] = [
    (200, ""),
    (200, " \n"),
    (200, "null"),
    (200, "true"),
    (200, "[]"),
    (200, "{}"),
    (200, '"text"'),
    (200, "<!DOCTYPE html><title>Bitte warten</title>"),
    (200, '{"availableDays": [{"date": "2026-'),
    (200, '{"processId": 101002, "authKey": "5ec2'),
    (200, '{"processId": NaN}'),
    (200, b"\xff\xfe\x00"),
    (200, "[" * 50_000),
    (200, {"errors": []}),
    (200, {"errors": None}),
    (200, {"errors": "all is well", "availableDays": []}),
    (200, {"errors": [{}]}),
    (200, {"errors": [{"errorMessage": "no code"}]}),
    (200, {"errors": [None, 5, "x"]}),
    (200, {"errors": [{"errorCode": 17}]}),
    (200, error_body("somethingNew")),
    (400, error_body("somethingNew")),
    (409, error_body("somethingNew")),
    (200, {**calendar_body(), "errors": []}),
    (200, {"meta": {"success": True}, "data": None}),
    (204, ""),
    (206, calendar_body()),
    (301, ""),
    (302, "<html>moved</html>"),
    (304, ""),
    (400, ""),
    (400, "<html>"),
    (403, "<html>Forbidden</html>"),
    (404, "<html>Not Found</html>"),
    (404, ""),
    (418, {"teapot": True}),
]
BROKEN: list[tuple[int, Any]] = [
    (400, GATEWAY),
    (200, GATEWAY),
    (404, {"timestamp": "2026-11-23T21:00:00", "path": "/x", "status": 404, "error": "Not Found"}),
    (
        500,
        {"timestamp": "2026-11-23T21:00:00", "path": "/x", "status": 500, "error": "Internal Server Error"},
    ),
    (500, {"error": {"message": "An internal error has occurred.", "code": 0}}),
    (200, {"error": {"message": "An internal error has occurred.", "code": 0}}),
    (500, ""),
    (500, calendar_body()),
    (502, "<html>Bad Gateway</html>"),
    (504, ""),
    (520, error_body("unknownError")),
    (500, error_body("unknownError")),
    (200, error_body("unknownError")),
    (500, error_body("internalError")),
    (403, error_body("securityHeaderViolation")),
    (503, error_body("zmsClientCommunicationError")),
    (503, "<html>"),
    (404, error_body("sourceNotFound")),
]
NOTHING_CHANGED = [
    (503, error_body("serviceUnavailable"), errors.Unavailable),
    (429, error_body("rateLimitExceeded"), errors.RateLimited),
    (200, error_body("rateLimitExceeded"), errors.RateLimited),
    (429, "<html>slow down</html>", errors.RateLimited),
    (429, "", errors.RateLimited),
    (403, error_body("IP_BLACKLISTED"), errors.Refused),
    (403, error_body("ipBlacklisted"), errors.Refused),
    (404, error_body("notFound"), errors.RouteGone),
    (404, {"error": {"message": "Not found.", "code": 404}}, errors.RouteGone),
    (405, error_body("requestMethodNotAllowed"), errors.InvalidRequest),
    (400, error_body("invalidRequest"), errors.InvalidRequest),
    (413, error_body("requestEntityTooLarge"), errors.InvalidRequest),
    (400, error_body("invalidLocationAndServiceCombination"), errors.InvalidRequest),
    (400, error_body("captchaMissing"), errors.CaptchaMissing),
    (400, error_body("captchaInvalid"), errors.CaptchaRejected),
    (400, error_body("captchaExpired"), errors.CaptchaExpired),
    (400, error_body("captchaVerificationFailed"), errors.CaptchaRejected),
    (406, error_body("authKeyMismatch"), errors.AuthKeyMismatch),
    (401, error_body("authKeyMismatch"), errors.AuthKeyMismatch),
    (409, error_body("processNotReservedAnymore"), errors.NotReservedAnymore),
    (409, error_body("processNotPreconfirmedAnymore"), errors.NotPreconfirmedAnymore),
    (400, error_body("preconfirmationExpired"), errors.NotPreconfirmedAnymore),
    (406, error_body("appointmentCanNotBeCanceled"), errors.CannotBeCancelled),
    (409, error_body("processAlreadyCalled"), errors.CannotBeCancelled),
    (406, error_body("tooManyAppointmentsWithSameMail"), errors.TooManyAppointments),
    (400, error_body("somethingNew", "captchaExpired"), errors.CaptchaExpired),
]
ALL = {**QUESTIONS, **CHANGES}


@pytest.mark.parametrize("act", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(("status", "body"), UNREADABLE)
def test_an_unreadable_answer_to_a_question_is_a_failure(
    act: Callable[[CitizenApi], Any], status: int, body: Any
) -> None:
    with pytest.raises(errors.NotUnderstood) as caught:
        act(api_answering(status, body))

    assert caught.value.status == status
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, ValueError)


@pytest.mark.parametrize("act", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("status", "body"), UNREADABLE)
def test_an_unreadable_answer_to_a_change_leaves_its_outcome_unknown(
    act: Callable[[CitizenApi], Any], status: int, body: Any
) -> None:
    with pytest.raises(errors.OutcomeUnknown) as caught:
        act(api_answering(status, body))

    assert caught.value.status == status


@pytest.mark.parametrize("act", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(("status", "body"), BROKEN)
def test_a_failure_of_the_city_leaves_a_question_unanswered(
    act: Callable[[CitizenApi], Any], status: int, body: Any
) -> None:
    with pytest.raises(errors.Unavailable) as caught:
        act(api_answering(status, body))

    assert not caught.value.maintenance


@pytest.mark.parametrize("act", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("status", "body"), BROKEN)
def test_a_failure_of_the_city_during_a_change_leaves_its_outcome_unknown(
    act: Callable[[CitizenApi], Any], status: int, body: Any, request: pytest.FixtureRequest
) -> None:
    loses_a_race = "reserve" in request.node.name and status == 404 and "errors" in body
    expected = errors.SlotTaken if loses_a_race else errors.OutcomeUnknown

    with pytest.raises(expected):
        act(api_answering(status, body))


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
@pytest.mark.parametrize(("status", "body", "leaf"), NOTHING_CHANGED)
def test_a_named_refusal_is_the_same_for_questions_and_changes(
    act: Callable[[CitizenApi], Any], status: int, body: Any, leaf: type[Exception]
) -> None:
    with pytest.raises(leaf) as caught:
        act(api_answering(status, body))

    assert type(caught.value) is leaf


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_maintenance_is_told_apart(act: Callable[[CitizenApi], Any]) -> None:
    with pytest.raises(errors.Unavailable) as caught:
        act(api_answering(503, error_body("serviceUnavailable")))

    assert caught.value.maintenance


@pytest.mark.parametrize("code", sorted(ERROR_BY_CODE))
def test_every_code_of_the_table_names_its_class_whatever_the_status(code: str) -> None:
    leaf = ERROR_BY_CODE[code]
    if leaf is errors.SlotTaken:  # means something for a reservation alone
        leaf = errors.NotUnderstood
    for status in (200, 400, 404, 409, 500):
        with pytest.raises(leaf) as caught:
            api_answering(status, error_body(code)).appointment(KEY)
        assert type(caught.value) is leaf


@pytest.mark.parametrize("code", sorted(set(ERROR_BY_CODE) - {"serviceUnavailable", "rateLimitExceeded"}))
def test_a_change_that_ends_in_a_5xx_is_never_taken_as_refused(code: str) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        api_answering(500, error_body(code)).preconfirm(KEY)


def test_a_doubtful_code_beside_a_clear_one_leaves_a_change_open() -> None:
    with pytest.raises(errors.OutcomeUnknown):
        api_answering(406, error_body("authKeyMismatch", "unknownError")).cancel(KEY)


@pytest.mark.parametrize(
    "codes",
    [
        ["appointmentNotAvailable"],
        ["unknownError"],
        ["noAppointmentForThisScope"],
        ["somethingNew"],
        ["appointmentNotFound"],
        ["scopesNotFound"],
    ],
)
def test_a_404_for_a_reservation_means_that_the_slot_is_gone(codes: list[str]) -> None:
    with pytest.raises(errors.SlotTaken):
        api_answering(404, error_body(*codes)).reserve(SLOT, SERVICES)


@pytest.mark.parametrize(
    "code", ["appointmentNotAvailable", "noAppointmentForThisDay", "processAlreadyExists"]
)
@pytest.mark.parametrize("status", [200, 409])
def test_a_slot_that_is_gone_is_known_by_its_code_too(code: str, status: int) -> None:
    with pytest.raises(errors.SlotTaken):
        api_answering(status, error_body(code)).reserve(SLOT, SERVICES)


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (500, ["noAppointmentForThisScope"]),
        (520, ["appointmentNotAvailable"]),
        (400, ["noAppointmentForThisDay", "unknownError"]),
    ],
)
def test_a_slot_is_gone_only_by_an_answer_that_is_clear(status: int, codes: list[str]) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        api_answering(status, error_body(*codes)).reserve(SLOT, SERVICES)


def test_a_missing_route_is_no_slot_that_is_gone() -> None:
    with pytest.raises(errors.RouteGone):
        api_answering(404, error_body("notFound")).reserve(SLOT, SERVICES)


def test_all_refused_details_are_named() -> None:
    body = error_body("invalidFamilyName", "invalidEmail", "invalidCustomTextfield2", "invalidEmail")

    with pytest.raises(errors.InvalidContact) as caught:
        api_answering(400, body).update(KEY, CONTACT)

    assert caught.value.field == "family_name"
    assert caught.value.fields == ("family_name", "email", "custom_text_2")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"Retry-After": "5"}, 60),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "999999"}, 3600),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 60),
        ({"Retry-After": "-1"}, 60),
    ],
)
def test_a_refusal_for_too_many_calls_lasts_a_minute_to_an_hour(
    headers: dict[str, str], seconds: int
) -> None:
    with pytest.raises(errors.RateLimited) as caught:
        api_answering(429, error_body("rateLimitExceeded"), headers).probe()

    assert caught.value.retry_after == timedelta(seconds=seconds)


def test_a_flat_error_of_the_retired_back_end_is_an_error() -> None:
    flat = {"errorCode": "captchaMissing", "errorMessage": "x", "lastModified": 1744876800000}

    with pytest.raises(errors.CaptchaMissing):
        api_answering(200, flat).calendar(SERVICES, [1], START, END)


def test_an_answer_that_names_its_appointment_hands_over_the_key() -> None:
    body = {"processId": 7, "authKey": "ab" * 32, "timestamp": "soon"}

    with pytest.raises(errors.OutcomeUnknown) as caught:
        api_answering(200, body).reserve(SLOT, SERVICES)

    assert caught.value.key == AppointmentKey(7, "ab" * 32)


def test_an_unreadable_answer_is_described_by_its_form_alone() -> None:
    body = {"person": {"name": "Erika", "mail@example.org": 1}, "slots": [{"at": 5}], "ok": True}

    with pytest.raises(errors.NotUnderstood) as caught:
        api_answering(418, body).probe()

    assert (
        caught.value.shape
        == "status and body disagree: {person: {name: str}, slots: [1 x {at: int}], ok: bool}"
    )


def test_a_strange_code_cannot_smuggle_text_into_the_logs() -> None:
    assert str(errors.UpstreamError("x\ny erika@example.org", 400)) == "xyerikaexampleorg (HTTP 400)"
