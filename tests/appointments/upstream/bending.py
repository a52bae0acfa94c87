"""Bending real answers, and looking at what came of it by other means than the client does."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect, OwnMemory
from appointments.upstream.types import AppointmentKey, ServiceCount
from tests.appointments.upstream.samples import END, SERVICES, START, Sample, samples_of
from tests.appointments.upstream.wire import Recorder, Wire, answer, api_on

MUTATIONS = int(os.environ.get("MUTATIONS") or 3000)
OLDER = (Dialect.D1, Dialect.D2, Dialect.D1_MUC19)
SECRETS = ("erika", "example.org", "test@muenchen")
Bent = tuple[int, bytes]

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


def plain(sample: Sample) -> Bent:
    """The answer as it came."""
    return sample.status, json.dumps(sample.body).encode()


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


def as_text(value: Any) -> str:
    """A word of the answer as a database can take it."""
    return "" if value is None else str(value).replace("\x00", "").encode("utf-8", "ignore").decode()


def key_of(sample: Sample) -> AppointmentKey:
    try:
        return sample.key
    except (KeyError, ValueError):
        return AppointmentKey(101002, "beef")
