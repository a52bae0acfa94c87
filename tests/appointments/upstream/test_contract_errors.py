"""Every row of the contract's list of errors, said by the simulated city over real HTTP, becomes the leaf to act on.

For each code: the status it comes with, and what each of our calls makes of it. A question that fails is asked once
and leaves nothing behind; a change is sent once, and where the answer is not clear its outcome is unknown.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.errors import ERROR_BY_CODE, NOTHING_FREE_CODES
from appointments.upstream.types import AppointmentKey
from tests.appointments.upstream.replay import FOLDER
from tests.appointments.upstream.served import END, OFFICE, PERSON, SERVICES, SLOT, START, ServedCity, serving

KEY = AppointmentKey(101002, "5ec2e7" + "0" * 58)
CONTRACT = FOLDER.parent / "munich-citizen-api.md"

Act = Callable[[CitizenApi], Any]
QUESTIONS: dict[str, Act] = {
    "catalogue": lambda api: api.catalogue(),
    "calendar": lambda api: api.calendar(SERVICES, [OFFICE], START, END),
    "appointment": lambda api: api.appointment(KEY),
    "probe": lambda api: api.probe(),
}
CHANGES: dict[str, Act] = {
    "reserve": lambda api: api.reserve(SLOT, SERVICES),
    "update": lambda api: api.update(KEY, PERSON),
    "preconfirm": lambda api: api.preconfirm(KEY),
    "confirm": lambda api: api.confirm(KEY),
    "cancel": lambda api: api.cancel(KEY),
}
ALL = {**QUESTIONS, **CHANGES}
ASKING, RESERVING, WITH_KEY = (
    ("calendar",),
    ("reserve",),
    ("appointment", "update", "preconfirm", "confirm", "cancel"),
)
MAILING, ANY, POSTS = ("preconfirm", "confirm", "cancel"), tuple(ALL), tuple(CHANGES)
NOTHING = "nothing free"
E_ = errors
# Clear refusals: (code, statuses, calls it comes from, leaf for all of them).
CLEAR: tuple[tuple[str, tuple[int, ...], tuple[str, ...], type[Exception] | str], ...] = (
    ("invalidRequest", (400,), ANY, E_.InvalidRequest),
    ("notFound", (404,), ANY, E_.RouteGone),
    ("requestMethodNotAllowed", (405,), ANY, E_.InvalidRequest),
    ("invalidStartDate", (400,), ASKING, E_.InvalidRequest),
    ("invalidEndDate", (400,), ASKING, E_.InvalidRequest),
    ("invalidSlotsStartDate", (400,), ASKING, E_.InvalidRequest),
    ("invalidSlotsEndDate", (400,), ASKING, E_.InvalidRequest),
    ("slotsStartDateAfterEndDate", (400,), ASKING, E_.InvalidRequest),
    ("invalidDate", (400,), ASKING, E_.InvalidRequest),
    ("invalidOfficeId", (400,), (*ASKING, *RESERVING), E_.InvalidRequest),
    ("invalidServiceId", (400,), (*ASKING, *RESERVING), E_.InvalidRequest),
    ("invalidServiceCount", (400,), (*ASKING, *RESERVING), E_.InvalidRequest),
    ("EMPTY_SERVICE_ARRAYS", (400,), RESERVING, E_.InvalidRequest),
    ("MISMATCHED_ARRAYS", (400,), RESERVING, E_.InvalidRequest),
    ("invalidLocationAndServiceCombination", (400,), (*ASKING, *RESERVING), E_.InvalidRequest),
    ("invalidScopeId", (400,), ("catalogue",), E_.InvalidRequest),
    ("invalidTimestamp", (400,), RESERVING, E_.InvalidRequest),
    ("invalidProcessId", (400,), WITH_KEY, E_.InvalidRequest),
    ("invalidAuthKey", (400,), WITH_KEY, E_.InvalidRequest),
    ("invalidFamilyName", (400,), ("update",), E_.InvalidContact),
    ("invalidEmail", (400,), ("update",), E_.InvalidContact),
    ("invalidTelephone", (400,), ("update",), E_.InvalidContact),
    ("invalidCustomTextfield", (400,), ("update",), E_.InvalidContact),
    ("invalidCustomTextfield2", (400,), ("update",), E_.InvalidContact),
    ("captchaMissing", (400,), (*ASKING, *RESERVING), E_.CaptchaMissing),
    ("captchaInvalid", (400,), (*ASKING, *RESERVING), E_.CaptchaRejected),
    ("captchaExpired", (400,), (*ASKING, *RESERVING), E_.CaptchaExpired),
    ("captchaVerificationFailed", (400,), RESERVING, E_.CaptchaRejected),
    ("captchaVerificationError", (400,), RESERVING, E_.CaptchaRejected),
    ("appointmentNotAvailable", (404, 200), RESERVING, E_.SlotTaken),
    ("noAppointmentForThisDay", (404, 200), ASKING, NOTHING),
    ("noAppointmentForThisScope", (404, 200), ASKING, NOTHING),
    ("appointmentNotFound", (404,), WITH_KEY, E_.AppointmentNotFound),
    ("authKeyMismatch", (406, 401), WITH_KEY, E_.AuthKeyMismatch),
    ("appointmentCanNotBeCanceled", (406,), ("cancel",), E_.CannotBeCancelled),
    ("processNotReservedAnymore", (409,), ("preconfirm",), E_.NotReservedAnymore),
    ("processNotPreconfirmedAnymore", (409,), ("confirm",), E_.NotPreconfirmedAnymore),
    ("preconfirmationExpired", (400,), ("confirm",), E_.NotPreconfirmedAnymore),
    ("processAlreadyExists", (409,), RESERVING, E_.SlotTaken),
    ("processAlreadyCalled", (409,), ("cancel", "update"), E_.CannotBeCancelled),
    ("processInvalid", (400,), ("update", "preconfirm", "confirm"), E_.InvalidRequest),
    ("tooManyAppointmentsWithSameMail", (406,), ("update", "preconfirm"), E_.TooManyAppointments),
    ("tooManySlotsPerAppointment", (400,), ("reserve", "update", "confirm"), E_.InvalidRequest),
    ("tooManyServicesPerAppointment", (400,), ("preconfirm", "confirm"), E_.InvalidRequest),
    ("emailIsRequired", (406,), MAILING, E_.InvalidContact),
    ("telephoneIsRequired", (406,), MAILING, E_.InvalidContact),
    ("providerNotFound", (404,), ASKING, E_.InvalidRequest),
    ("requestNotFound", (404,), ASKING, E_.InvalidRequest),
    ("scopesNotFound", (404,), RESERVING, E_.SlotTaken),
    ("invalidSchema", (400,), ("update", "preconfirm", "confirm"), E_.InvalidRequest),
    ("serviceUnavailable", (503,), ANY, E_.Unavailable),
    ("unauthorized", (403,), ANY, E_.InvalidRequest),
    ("rateLimitExceeded", (429,), ANY, E_.RateLimited),
    ("IP_BLACKLISTED", (403,), ANY, E_.Refused),
    ("ipBlacklisted", (403,), ANY, E_.Refused),
    ("requestEntityTooLarge", (413,), POSTS, E_.InvalidRequest),
)
# Something is wrong with what stands behind: the same word for everything that asks, and for what changes.
BACK_END = ("departmentNotFound", "organisationNotFound", "scopeNotFound")
# Nobody can tell what happened: `Unavailable` for a question, `OutcomeUnknown` for a change.
DOUBTFUL: tuple[tuple[str, tuple[int, ...], tuple[str, ...]], ...] = (
    ("processDeleteFailed", (500,), ("cancel",)),
    ("mailNotFound", (404,), MAILING),
    ("sourceNotFound", (404,), tuple(call for call in ANY if call != "reserve")),
    ("invalidApiClient", (400,), ANY),
    ("invalidCredentials", (406,), ANY),
    ("zmsClientCommunicationError", (503,), ANY),
    ("internalError", (500,), ANY),
    ("securityHeaderViolation", (403,), ANY),
    ("unknownError", (520, 500), ANY),
)
ROWS = [
    *(
        (code, status, call, leaf)
        for code, statuses, calls, leaf in CLEAR
        for status in statuses
        for call in calls
    ),
    *(
        (code, 404, call, E_.SlotTaken if call == "reserve" else E_.InvalidRequest)
        for code in BACK_END
        for call in ANY
    ),
    *(
        (code, status, call, E_.OutcomeUnknown if call in CHANGES else E_.Unavailable)
        for code, statuses, calls in DOUBTFUL
        for status in statuses
        for call in calls
    ),
    *(
        ("notImplemented", 501, call, E_.OutcomeUnknown if call in CHANGES else E_.InvalidRequest)
        for call in ANY
    ),
    ("unknownError", 404, "reserve", E_.SlotTaken),
    ("sourceNotFound", 404, "reserve", E_.SlotTaken),
]


@pytest.fixture(scope="module")
def served() -> Iterator[ServedCity]:
    with serving() as city:
        yield city


@pytest.fixture
def city(served: ServedCity) -> ServedCity:
    served.renew()
    return served


def outcome(city: ServedCity, call: str) -> tuple[Any, str]:
    """What a call ends in, the leaf or its value, and the code it bears."""
    try:
        found = ALL[call](city.api)
    except errors.UpstreamError as error:
        return type(error), error.code
    return (NOTHING if call == "calendar" and found.nothing_free else found), ""


@pytest.mark.parametrize(
    ("code", "status", "call", "leaf"),
    ROWS,
    ids=[f"{code}-{status}-{call}" for code, status, call, _ in ROWS],
)
def test_a_row_of_the_contract_becomes_its_leaf(
    city: ServedCity, code: str, status: int, call: str, leaf: type[Exception] | str
) -> None:
    city.world.faults.add("error", count=None, code=code, status=status)

    found, said = outcome(city, call)

    assert found == leaf
    if leaf not in (NOTHING, E_.RouteGone):
        assert said == code
    if code != "notFound":  # which makes a calendar try the older dialects
        assert len(city.asked()) == 1
    assert city.world.reservations == []


def test_the_rows_are_all_of_the_citys_codes() -> None:
    assert {code for code, *_rest in ROWS} == set(ERROR_BY_CODE) | NOTHING_FREE_CODES


@pytest.mark.skipif(not CONTRACT.is_file(), reason="the contract is not on this machine")
def test_the_rows_are_those_of_the_contract_with_their_statuses() -> None:
    section = CONTRACT.read_text().partition("\n## 10. Errors")[2].partition("\nOther shapes")[0]
    rows = re.findall(r"^\| ([A-Za-z_0-9, ]+) \| ([^|]*\d[^|]*) \|", section, re.MULTILINE)

    ours = {(code, status) for code, status, *_rest in ROWS}
    for codes, statuses in rows:
        for code in codes.split(", "):
            for status in {int(each) for each in re.findall(r"\b[2-5]\d\d\b", statuses)}:
                assert (code, status) in ours, (code, status)
    assert len(rows) > 50


# Errors that contradict their status


@pytest.mark.parametrize(
    "code", [code for code, _s, calls, leaf in CLEAR if leaf != NOTHING and "appointment" in calls]
)
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_a_question_is_answered_by_the_code_whatever_the_status(
    city: ServedCity, code: str, status: int
) -> None:
    leaf = next(leaf for each, _s, _c, leaf in CLEAR if each == code)
    city.world.faults.add("error", code=code, status=status)

    assert outcome(city, "appointment") == (leaf, code)


@pytest.mark.parametrize("code", sorted(set(ERROR_BY_CODE) - {"serviceUnavailable", "rateLimitExceeded"}))
def test_a_refusal_with_a_status_of_a_failure_leaves_a_change_open(city: ServedCity, code: str) -> None:
    city.world.faults.add("error", code=code, status=500)

    assert outcome(city, "preconfirm")[0] is errors.OutcomeUnknown


@pytest.mark.parametrize("status", [400, 403, 409, 500, 503])
@pytest.mark.parametrize("code", sorted(NOTHING_FREE_CODES))
def test_nothing_free_with_a_wrong_status_is_a_failure(city: ServedCity, code: str, status: int) -> None:
    city.world.faults.add("error", code=code, status=status)

    assert outcome(city, "calendar") == (errors.NotUnderstood, "notUnderstood")


@pytest.mark.parametrize("call", [call for call in ALL if call not in ("calendar", "reserve")])
@pytest.mark.parametrize(
    "code", ["noAppointmentForThisDay", "noAppointmentForThisScope", "appointmentNotAvailable"]
)
def test_nothing_free_means_nothing_where_nobody_asked(city: ServedCity, code: str, call: str) -> None:
    city.world.faults.add("error", code=code)

    leaf = errors.OutcomeUnknown if call in CHANGES else errors.NotUnderstood
    assert outcome(city, call) == (leaf, "notUnderstood")


# What is no row


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("status", [200, 400, 409])
def test_an_unknown_code_is_never_guessed_at(city: ServedCity, call: str, status: int) -> None:
    city.world.faults.add("error", code="somethingNew", status=status)

    leaf = errors.OutcomeUnknown if call in CHANGES else errors.NotUnderstood
    assert outcome(city, call) == (leaf, "notUnderstood")


ODD = (
    "no_errors",
    "no_code",
    "framework",
    "spring",
    "gateway_400",
    "html_200",
    "html_502",
    "truncated_json",
    "empty_body",
)


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize("kind", [*ODD, "lost_before", "lost_after", "maintenance", "backend_down"])
def test_an_odd_answer_to_a_question_is_a_failure_asked_once(city: ServedCity, call: str, kind: str) -> None:
    held = city.hold()
    city.world.faults.add(kind, count=None)

    with pytest.raises(errors.Unavailable):
        city.api.appointment(held.key) if call == "appointment" else QUESTIONS[call](city.api)

    assert len(city.asked()) == 1


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize("kind", [*ODD, "lost_before", "lost_after", "backend_down"])
def test_an_odd_answer_to_a_change_leaves_its_outcome_unknown_and_it_is_sent_once(
    city: ServedCity, call: str, kind: str
) -> None:
    key = city.hold().key
    acts: dict[str, Act] = {
        "reserve": CHANGES["reserve"],
        "update": lambda api: api.update(key, PERSON),
        "preconfirm": lambda api: api.preconfirm(key),
        "confirm": lambda api: api.confirm(key),
        "cancel": lambda api: api.cancel(key),
    }
    city.world.faults.add(kind, count=None)

    with pytest.raises(errors.OutcomeUnknown):
        acts[call](city.api)

    assert len(city.asked()) == 1


@pytest.mark.parametrize("call", ["update", "preconfirm", "confirm", "cancel"])
def test_an_error_after_the_fact_is_not_taken_for_a_refusal(city: ServedCity, call: str) -> None:
    key = city.hold().key
    city.world.faults.add("error", code="unknownError", status=500, after=True)

    act: Act = {
        "update": lambda api: api.update(key, PERSON),
        "preconfirm": lambda api: api.preconfirm(key),
        "confirm": lambda api: api.confirm(key),
        "cancel": lambda api: api.cancel(key),
    }[call]
    with pytest.raises(errors.OutcomeUnknown):
        act(city.api)

    assert len(city.asked()) == 1


@pytest.mark.parametrize(
    ("call", "leaf"), [("calendar", errors.Unavailable), ("preconfirm", errors.OutcomeUnknown)]
)
@pytest.mark.parametrize("code", ["internalError", "unknownError", "processDeleteFailed", "notImplemented"])
def test_what_the_gateway_hides_is_as_open_as_what_it_shows(
    served: ServedCity, code: str, call: str, leaf: type[Exception]
) -> None:
    served.renew(gateway=True)
    served.world.faults.add("error", code=code)

    assert outcome(served, call) == (leaf, "gatewayError")
