"""Answers bent in every way: never an unhandled exception, never a false "nothing free", never a false success.

Real answers of every kind of call and of every dialect (see `samples`) are bent, cut off, given other statuses, and
read. What comes out is judged by functions that look at the bent answer by other means than the client does. A normal
run bends about 3,000 answers; `MUTATIONS=100000 pytest tests/appointments/upstream/test_mutations.py -s` many more.
"""

import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect, OwnMemory
from appointments.upstream.types import AppointmentKey, ServiceCount, Slot
from tests.appointments.upstream.samples import END, PERSON, SERVICES, START, Sample, samples_of
from tests.appointments.upstream.wire import Recorder, Wire, answer, api_on

MUTATIONS = int(os.environ.get("MUTATIONS") or 3000)
MUNICH = ZoneInfo("Europe/Berlin")
Bent = tuple[int, bytes]
NO_DAYS = {"noAppointmentForThisDay", "noAppointmentForThisScope"}
NO_TIMES = NO_DAYS | {"appointmentNotAvailable"}
KINDS = 12
OLDER = (Dialect.D1, Dialect.D2, Dialect.D1_MUC19)
SECRETS = ("erika", "example.org", "test@muenchen")
counted: Counter[str] = Counter()
understood: Counter[str] = Counter()

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 1, 10**12, 1796813400000, 1796813400 + 86400, 2**31, 2**63, 10**400]),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "2026-12-09",
            "2027-12-09",
            "reserved",
            "deleted",
            "confirmed",
            "[]",
            "null",
            "\ud800",
            "\x00",
            "0",
        ]
    ),
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
)
CODES = [
    "noAppointmentForThisDay",
    "appointmentNotAvailable",
    "unknownError",
    "notFound",
    "captchaMissing",
    "new",
]
ADDED = st.one_of(
    st.tuples(st.sampled_from(["errors", "error", "status", "extra", "meta", "lastModified"]), VALUES),
    st.tuples(
        st.just("errors"), st.lists(st.fixed_dictionaries({"errorCode": st.sampled_from(CODES)}), max_size=2)
    ),
    st.tuples(st.just("errorCode"), st.sampled_from(CODES)),
)
STATUSES = [200, 200, 404, 400, 401, 406, 409, 429, 500, 503, 520, 204, 301, 304]


def share(part: float) -> Callable[[Any], Any]:
    """A property test that takes this part of all mutations."""
    return settings(
        max_examples=max(20, round(MUTATIONS * part)),
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )


def bend(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something replaced, dropped, doubled or added somewhere inside."""
    bent = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        spots: list[tuple[Any, Any]] = []
        nodes = [bent]
        while nodes:
            node = nodes.pop()
            pairs = (
                node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
            )
            for name, child in pairs:
                spots.append((node, name))
                nodes.append(child)
        if not spots:
            return draw(VALUES)
        node, name = spots[draw(st.integers(0, len(spots) - 1))]
        how = draw(st.sampled_from(["replace", "replace", "drop", "double", "add", "empty", "swap"]))
        if how == "replace":
            node[name] = draw(VALUES)
        elif how == "drop":
            del node[name]
        elif how == "empty":
            node[name] = type(node[name])() if isinstance(node[name], list | dict | str | int) else None
        elif how == "double" and isinstance(node, list):
            node.append(copy.deepcopy(node[name]))
        elif how == "swap":
            other, place = spots[draw(st.integers(0, len(spots) - 1))]
            if not isinstance(node[name], list | dict) and not isinstance(other[place], list | dict):
                node[name], other[place] = other[place], node[name]
        elif isinstance(node, dict):
            added, content = draw(ADDED)
            node[added] = content
    return bent


@st.composite
def bent_samples(draw: st.DrawFn, *routes: str) -> tuple[Sample, Bent]:
    """A sample of one of these routes, and its answer bent, perhaps with another status, perhaps cut off."""
    known = samples_of(*routes)
    sample = known[draw(st.integers(0, len(known) - 1))]
    how = draw(st.integers(0, 9))
    status = draw(st.sampled_from(STATUSES)) if how < 3 else sample.status
    raw = json.dumps(bend(draw, sample.body) if how != 0 else sample.body).encode()
    if draw(st.integers(0, 9)) == 0:
        raw = raw[: draw(st.integers(0, len(raw)))]
    return sample, (status, raw)


class InTurn(Recorder):
    """A gate that lets as many calls pass as there are answers."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    @contextmanager
    def admit(self, kind: Any) -> Iterator[Recorder]:
        if self.left == 0:
            raise errors.GateClosed(datetime(2026, 11, 23, tzinfo=UTC))
        self.left -= 1
        with super().admit(kind) as call:
            yield call


class Notes:
    """Hears of unread answers, and that nothing personal or secret is in them."""

    def note(self, *, method: str, path: str, status: int | None, code: str, shape: str) -> None:
        assert len(shape) < 500
        assert not any(secret in shape.lower() for secret in SECRETS)
        assert not any(len(word) > 30 and word.isalnum() and not word.isalpha() for word in shape.split())


def api_for(*answers: Bent, dialect: Dialect = Dialect.D3) -> CitizenApi:
    """A client that gets these answers, one after the other, from a city of this dialect."""
    waiting = list(answers)

    def respond(request: requests.PreparedRequest) -> requests.Response:
        if dialect in OLDER and "available-calendar" in str(request.url):
            # Bent into "no such route", an older city is asked in the newest way: that is not the question here.
            return answer(503, {"errors": [{"errorCode": "serviceUnavailable"}]})
        return answer(*waiting.pop(0))

    memory = OwnMemory()
    memory.remember(dialect, None)  # type: ignore[arg-type]
    return api_on(Wire(respond), InTurn(len(waiting)), dialect=memory, unread=Notes())


def decoded(bent: Bent) -> Any:
    try:
        return json.loads(bent[1])
    except (ValueError, RecursionError):
        return None


def says(bent: Bent, codes: set[str]) -> bool:
    """Whether the answer is the city's list of errors, and none but these codes in it."""
    body = decoded(bent)
    if bent[0] not in (200, 404) or not isinstance(body, dict) or not isinstance(body.get("errors"), list):
        return False
    said = [each.get("errorCode") if isinstance(each, dict) else None for each in body["errors"]]
    return bool(said) and all(isinstance(code, str) and code in codes for code in said)


def is_plain_success(bent: Bent) -> bool:
    """Whether nothing in status or body speaks of an error."""
    body = decoded(bent)
    return (
        bent[0] == 200 and isinstance(body, dict) and "errors" not in body and body.get("errorCode") is None
    )


def numbers_in(value: Any) -> set[int]:
    """Every whole number anywhere in the answer, also those written as text or in lists of text."""
    if isinstance(value, dict):
        return set().union(
            *(numbers_in(each) for each in value.values()), *(numbers_in(str(k)) for k in value)
        )
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    if isinstance(value, str):
        return {int(each) for each in value.split(",") if each.strip().isascii() and each.strip().isdigit()}
    return {value} if isinstance(value, int) else set()


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


def question_of(sample: Sample) -> tuple[list[ServiceCount], set[int], date, date]:
    """What was asked when the sample was taken; something like it where our client would not ask so."""
    asked = sample.asked
    try:
        start = date.fromisoformat(asked.get("date") or asked["startDate"])
        end = date.fromisoformat(asked.get("date") or asked["endDate"])
        offices = {int(each) for each in (asked.get("officeIds") or asked["officeId"]).split(",")}
        services = [int(each) for each in (asked.get("serviceIds") or asked["serviceId"]).split(",")]
        if (
            start <= end
            and (end - start).days <= 350
            and min(offices) > 0
            and len(set(services)) == len(services)
        ):
            return [ServiceCount(each) for each in services], offices, start, end
    except (KeyError, ValueError):
        pass
    return list(SERVICES), {10489, 54261}, START, END


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


@share(0.08)
@given(
    st.sampled_from(OLDER),
    bent_samples("available-days", "available-days-by-office", "available-calendar"),
    bent_samples("available-appointments", "available-appointments-by-office", "available-calendar"),
)
def test_a_sweep_of_two_bent_answers_is_read_rightly_or_refused(
    dialect: Dialect, days: tuple[Sample, Bent], times: tuple[Sample, Bent]
) -> None:
    counted["sweeps"] += 1
    offices = {10489, 54261}
    both = (days[1], times[1])

    try:
        found = api_for(*both, dialect=dialect).calendar(SERVICES, offices, START, END)
    except errors.UpstreamError:
        return

    understood["sweeps"] += 1
    if found.nothing_free and not says(days[1], NO_DAYS):
        # One day was listed, and the city said that it has no times.
        body = decoded(times[1])
        assert says(times[1], NO_TIMES) or (
            is_plain_success(times[1]) and all(each["appointments"] == [] for each in body["offices"])
        )
        assert len(decoded(days[1])["availableDays"]) == 1
    judge_calendar(found, both, offices, START, END)


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


def as_text(value: Any) -> str:
    """A word of the answer as a database can take it."""
    return "" if value is None else str(value).replace("\x00", "").encode("utf-8", "ignore").decode()


def key_of(sample: Sample) -> AppointmentKey:
    try:
        return sample.key
    except (KeyError, ValueError):
        return AppointmentKey(101002, "beef")


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
