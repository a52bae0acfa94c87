"""Answers bent in every way: never an unhandled exception, never a false "nothing free", never a false success.

Real answers of every kind of call and of every dialect (see `samples`) are bent, cut off, given other statuses, and
read. What comes out is judged by functions that look at the bent answer by other means than the client does. A normal
run bends about 3,000 answers; `MUTATIONS=100000 pytest tests/appointments/upstream/test_mutations.py -s` many more.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect
from appointments.upstream.types import AppointmentKey, Slot
from tests.appointments.upstream.bending import (
    MUTATIONS,
    OLDER,
    Bent,
    api_for,
    as_text,
    bent_samples,
    decoded,
    is_plain_success,
    key_of,
    numbers_in,
    plain,
    question_of,
    says,
    share,
)
from tests.appointments.upstream.samples import END, PERSON, SERVICES, START, Sample

# A full run takes minutes for each kind of call.
pytestmark = pytest.mark.timeout(120 + MUTATIONS // 20)
MUNICH = ZoneInfo("Europe/Berlin")
NO_DAYS = {"noAppointmentForThisDay", "noAppointmentForThisScope"}
NO_TIMES = NO_DAYS | {"appointmentNotAvailable"}
KINDS = 12
counted: Counter[str] = Counter()
understood: Counter[str] = Counter()


def judge_calendar(found: Any, bent: tuple[Bent, ...], offices: set[int], start: date, end: date) -> None:
    """No day outside the range, no time that did not come, none on another day than its own."""
    came = set().union(*(numbers_in(decoded(each)) for each in bent))
    for day in found.days:
        assert start <= day.day <= end
        assert day.office_ids
        assert day.office_ids <= came | offices
        for slot in day.slots or ():
            assert slot.starts_at.astimezone(MUNICH).date() == day.day
            assert {slot.office_id, int(slot.starts_at.timestamp())} <= came | offices


# Calendars


@share(0.2)
@given(bent_samples("available-calendar"))
def test_a_bent_calendar_is_read_rightly_or_refused(case: tuple[Sample, Bent]) -> None:
    counted["calendar"] += 1
    sample, bent = case
    services, offices, start, end = question_of(sample)

    try:
        found = api_for(bent).calendar(services, offices, start, end)
    except errors.UpstreamError:
        return

    understood["calendar"] += 1
    body = decoded(bent)
    nothing = says(bent, NO_DAYS) or (
        is_plain_success(bent)
        and body["availableDays"] == []
        and (body["startDate"], body["endDate"]) == (start.isoformat(), end.isoformat())
        and body.get("nextBookableDate") is None
        and body.get("prevBookableDate") is None
    )
    assert found.nothing_free == nothing
    assert nothing or is_plain_success(bent)
    judge_calendar(found, (bent,), offices, start, end)


@share(0.12)
@given(bent_samples("available-days", "available-days-by-office"))
def test_bent_days_are_read_rightly_or_refused(case: tuple[Sample, Bent]) -> None:
    counted["days"] += 1
    sample, bent = case
    services, offices, start, end = question_of(sample)
    dialect = Dialect.D2 if sample.route.endswith("office") else Dialect.D1
    end = max(end, date.fromordinal(start.toordinal() + 1))

    try:
        found = api_for(bent, dialect=dialect).calendar(services, offices, start, end)
    except errors.UpstreamError:
        return

    understood["days"] += 1
    assert found.nothing_free == says(bent, NO_DAYS)
    assert found.nothing_free or is_plain_success(bent)
    judge_calendar(found, (bent,), offices, start, end)


@share(0.12)
@given(bent_samples("available-appointments", "available-appointments-by-office"))
def test_bent_times_are_read_rightly_or_refused(case: tuple[Sample, Bent]) -> None:
    counted["times"] += 1
    sample, bent = case
    services, offices, day, _end = question_of(sample)
    by_office = sample.route.endswith("office")
    offices = offices if by_office else {min(offices)}
    dialect = Dialect.D2 if by_office else Dialect.D1_MUC19

    try:
        found = api_for(bent, dialect=dialect).calendar(services, offices, day, day, day=day)
    except errors.UpstreamError:
        return

    understood["times"] += 1
    nothing = says(bent, NO_TIMES)
    if by_office and is_plain_success(bent):
        nothing = all(each["appointments"] == [] for each in decoded(bent)["offices"])
    assert found.nothing_free == nothing
    assert nothing or is_plain_success(bent)
    judge_calendar(found, (bent,), offices, day, day)


@st.composite
def bent_sweeps(draw: st.DrawFn) -> tuple[Dialect, Bent, Bent]:
    """Days and times as one of the older dialects tells them, one of them or both bent."""
    dialect = draw(st.sampled_from(OLDER))
    days = "available-days-by-office" if dialect is Dialect.D2 else "available-days"
    times = "available-appointments" if dialect is Dialect.D1_MUC19 else "available-appointments-by-office"
    (listed, bent_days), (timed, bent_times) = draw(bent_samples(days)), draw(bent_samples(times))
    which = draw(st.sampled_from(["both", "days", "times"]))
    return (
        dialect,
        bent_days if which != "times" else plain(listed),
        bent_times if which != "days" else plain(timed),
    )


@share(0.08)
@given(bent_sweeps())
def test_a_sweep_of_two_bent_answers_is_read_rightly_or_refused(case: tuple[Dialect, Bent, Bent]) -> None:
    counted["sweeps"] += 1
    dialect, days, times = case
    offices = {10489, 54261}

    try:
        found = api_for(days, times, dialect=dialect).calendar(SERVICES, offices, START, END)
    except errors.UpstreamError:
        return

    understood["sweeps"] += 1
    if found.nothing_free and not says(days, NO_DAYS):
        # One day was listed, and the city said that it has no times.
        body = decoded(times)
        assert says(times, NO_TIMES) or (
            is_plain_success(times) and all(each["appointments"] == [] for each in body["offices"])
        )
        assert len(decoded(days)["availableDays"]) == 1
    judge_calendar(found, (days, times), offices, START, END)


# Appointments

STANDING = {"preconfirm": {"preconfirmed", "confirmed"}, "confirm": {"confirmed"}}
ACTS: dict[str, Callable[[CitizenApi, AppointmentKey], Any]] = {
    "update": lambda api, key: api.update(key, PERSON),
    "preconfirm": lambda api, key: api.preconfirm(key),
    "confirm": lambda api, key: api.confirm(key),
    "cancel": lambda api, key: api.cancel(key),
}


def judge_failure(error: errors.UpstreamError, bent: Bent) -> None:
    """A change that failed is known not to have happened only if the city said why, in a word we know."""
    assert not isinstance(error, errors.NotUnderstood)
    if isinstance(error, errors.OutcomeUnknown):
        return
    if bent[0] == 429:
        assert isinstance(error, errors.RateLimited)
        return
    body = decoded(bent)
    assert isinstance(body, dict)
    if isinstance(error, errors.RouteGone) and "errors" not in body and "errorCode" not in body:
        assert (bent[0], body["error"]["code"]) == (404, 404)
        return
    entries = body.get("errors", [body])
    assert isinstance(entries, list)
    assert error.code in json.dumps(entries) or isinstance(error, errors.SlotTaken)
    assert bent[0] < 500 or error.code == "serviceUnavailable" or error.code == "rateLimitExceeded"


@pytest.mark.parametrize("act", ACTS)
def test_a_bent_answer_to_a_change_is_a_success_only_if_it_says_so(act: str) -> None:
    @share(0.05)
    @given(bent_samples(f"{act}-appointment"))
    def check(case: tuple[Sample, Bent]) -> None:
        counted[act] += 1
        sample, bent = case
        key = key_of(sample)
        try:
            found = ACTS[act](api_for(bent), key)
        except errors.UpstreamError as error:
            judge_failure(error, bent)
            return
        understood[act] += 1
        body = decoded(bent)
        assert is_plain_success(bent)
        assert int(body["processId"]) == found.key.process_id == key.process_id
        assert body.get("authKey") in (found.key.auth_key, None, "")
        assert found.status == as_text(body.get("status"))
        assert found.status in STANDING.get(act, {found.status})
        assert act != "cancel" or found.status not in ("preconfirmed", "confirmed")
        assert act != "update" or found.status != "deleted"

    check()


@share(0.1)
@given(bent_samples("reserve-appointment"))
def test_a_bent_reservation_is_a_success_only_with_key_and_time(case: tuple[Sample, Bent]) -> None:
    counted["reserve"] += 1
    sample, bent = case
    try:
        slot = Slot(
            int(sample.asked["officeId"]), datetime.fromtimestamp(int(sample.asked["timestamp"]), UTC)
        )
    except (KeyError, ValueError, TypeError):
        slot = Slot(10489, datetime(2026, 11, 26, 8, tzinfo=UTC))

    try:
        found = api_for(bent).reserve(slot, SERVICES)
    except errors.UpstreamError as error:
        judge_failure(error, bent)
        return

    understood["reserve"] += 1
    body = decoded(bent)
    assert is_plain_success(bent)
    assert found.starts_at == slot.starts_at
    assert (found.key.process_id, found.key.auth_key) == (int(body["processId"]), body["authKey"])
    assert as_text(body.get("status")) in ("", "reserved")


@share(0.1)
@given(bent_samples("appointment"))
def test_a_bent_appointment_is_the_one_asked_for_or_refused(case: tuple[Sample, Bent]) -> None:
    counted["appointment"] += 1
    sample, bent = case
    key = key_of(sample)

    try:
        found = api_for(bent).appointment(key)
    except errors.AppointmentNotFound:
        assert "appointmentNotFound" in json.dumps(decoded(bent))
        return
    except errors.UpstreamError:
        return

    understood["appointment"] += 1
    assert is_plain_success(bent)
    assert found.key.process_id == key.process_id


# The rest


@share(0.08)
@given(bent_samples("offices-and-services"))
def test_a_bent_catalogue_is_whole_or_refused(case: tuple[Sample, Bent]) -> None:
    counted["catalogue"] += 1
    _sample, bent = case

    try:
        found = api_for(bent).catalogue()
    except errors.UpstreamError:
        return

    understood["catalogue"] += 1
    assert found is not None
    body = decoded(bent)
    assert is_plain_success(bent)
    assert len(found.offices) == len(body["offices"]) > 0
    assert len(found.services) == len(body["services"]) > 0
    assert len(found.relations) <= len(body["relations"])
    for relation in found.relations:
        assert relation.slots >= 0
        assert relation.office_id in {office.upstream_id for office in found.offices}


NOISE: tuple[Callable[[CitizenApi], Any], ...] = (
    lambda api: api.calendar(SERVICES, [1], START, END),
    lambda api: api.reserve(Slot(1, datetime(2026, 11, 26, 8, tzinfo=UTC)), SERVICES),
    lambda api: api.appointment(AppointmentKey(101002, "beef")),
    lambda api: api.catalogue(),
    lambda api: api.probe(),
)


@share(0.05)
@given(
    st.binary(max_size=60),
    st.sampled_from([200, 404, 429, 500]),
    st.sampled_from(NOISE),
    st.sampled_from(Dialect),
)
def test_noise_is_never_an_answer(
    raw: bytes, status: int, act: Callable[[CitizenApi], Any], dialect: Dialect
) -> None:
    counted["noise"] += 1

    with pytest.raises(errors.UpstreamError):
        act(api_for((status, raw), dialect=dialect))


def test_so_many_answers_were_bent() -> None:
    """Last, so that the figure is complete; alone it has nothing to say."""
    lines = [
        f"{name}: {number} bent, {understood[name]} still understood" for name, number in counted.items()
    ]
    sys.stdout.write("\n".join(["", *lines, f"all: {sum(counted.values())} bent", ""]))
    if len(counted) == KINDS:
        assert sum(counted.values()) >= MUTATIONS
        assert all(understood[name] for name in counted if name != "noise"), (
            "nothing understood proves nothing"
        )
