"""Answers bent in every way: never an unhandled exception, never a false "nothing free", never a false success."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments.upstream import errors
from tests.appointments.upstream.wire import (
    EMPTY_CALENDAR,
    END,
    KEY,
    SERVICES,
    SLOT,
    START,
    Wire,
    answer,
    api_on,
    appointment_body,
    calendar_body,
    error_body,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 10**12, 1796813400000, 1796813400 + 86400, 2**63, 10**400]),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(["", "2026-12-09", "2027-12-09", "reserved", "deleted", "[]", "null", "\ud800", "\x00"]),
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
)
SEEDS = st.sampled_from(
    [
        calendar_body(),
        EMPTY_CALENDAR,
        calendar_body(nextBookableDate="2027-03-01"),
        error_body("noAppointmentForThisScope"),
        error_body("captchaMissing"),
        {**EMPTY_CALENDAR, **error_body("unknownError")},
        appointment_body(),
    ]
)
MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bend(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something replaced, dropped, doubled or added somewhere inside."""
    spots: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for name, child in list(pairs):
            spots.append((node, name))
            walk(child)

    bent = copy.deepcopy(value)
    walk(bent)
    for _ in range(draw(st.integers(1, 3))):
        node, name = draw(st.sampled_from(spots))
        if (isinstance(node, list) and name >= len(node)) or (isinstance(node, dict) and name not in node):
            continue
        how = draw(st.sampled_from(["replace", "drop", "double", "add"]))
        if how == "replace":
            node[name] = draw(VALUES)
        elif how == "drop":
            del node[name]
        elif how == "double" and isinstance(node, list):
            node.append(copy.deepcopy(node[name]))
        elif isinstance(node, dict):
            node[draw(st.sampled_from(["errors", "error", "status", "extra", "meta"]))] = draw(VALUES)
    return bent


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, bytes]:
    """A status and a body: a real answer, bent, and perhaps cut off."""
    status = draw(st.sampled_from([200, 200, 200, 200, 404, 400, 500, 503, 204, 301]))
    body = draw(SEEDS)
    if draw(st.booleans()):
        body = bend(draw, body)
    raw = json.dumps(body).encode()
    if draw(st.integers(0, 4)) == 0:
        raw = raw[: draw(st.integers(0, len(raw)))]
    return status, raw


def really_says_nothing_free(status: int, raw: bytes) -> bool:
    """The contract's two ways of saying it, told here a second time and by other means."""
    try:
        body = json.loads(raw)
    except ValueError:
        return False
    if not isinstance(body, dict):
        return False
    if "errors" in body:
        codes = [each.get("errorCode") for each in body["errors"]] if isinstance(body["errors"], list) else []
        return (
            status in (200, 404)
            and codes != []
            and all(code == "noAppointmentForThisScope" for code in codes)
        )
    return (
        status == 200
        and body.get("availableDays") == []
        and (body.get("startDate"), body.get("endDate")) == ("2026-12-01", "2027-05-30")
        and body.get("nextBookableDate") is None
        and body.get("prevBookableDate") is None
    )


@MANY
@given(answers())
def test_a_bent_calendar_is_read_rightly_or_refused(bent: tuple[int, bytes]) -> None:
    api = api_on(Wire(lambda request: answer(*bent)))

    try:
        found = api.calendar(SERVICES, [102522, 10489], START, END)
    except errors.UpstreamError:
        return

    assert found.nothing_free == really_says_nothing_free(*bent)
    for day in found.days:
        assert START <= day.day <= END
        assert day.office_ids


@MANY
@given(answers())
def test_a_bent_reservation_is_a_success_only_with_key_and_time(bent: tuple[int, bytes]) -> None:
    api = api_on(Wire(lambda request: answer(*bent)))

    try:
        found = api.reserve(SLOT, SERVICES)
    except errors.NotUnderstood as error:
        raise AssertionError("a change without a clear answer has an unknown outcome") from error
    except errors.UpstreamError:
        return

    body = json.loads(bent[1])
    assert bent[0] == 200
    assert "errors" not in body
    assert found.starts_at == SLOT.starts_at
    assert (found.key.process_id, found.key.auth_key) == (int(body["processId"]), body["authKey"])


@MANY
@given(answers())
def test_a_bent_appointment_is_the_one_asked_for_or_refused(bent: tuple[int, bytes]) -> None:
    api = api_on(Wire(lambda request: answer(*bent)))

    try:
        assert api.appointment(KEY).key.process_id == KEY.process_id
    except errors.UpstreamError:
        return


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([200, 404, 429, 500]))
def test_noise_is_never_an_answer(raw: bytes, status: int) -> None:
    api = api_on(Wire(lambda request: answer(status, raw)))

    for act in (
        lambda: api.calendar(SERVICES, [1], START, END),
        lambda: api.reserve(SLOT, SERVICES),
        lambda: api.catalogue(),
        lambda: api.probe(),
    ):
        try:
            act()
        except errors.UpstreamError:
            continue
        raise AssertionError("noise was read as an answer")
