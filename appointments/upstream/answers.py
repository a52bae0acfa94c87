"""Telling an answer from an error.

The city's status codes do not always say what happened: errors come with 200, its gateway turns most 5xx into a bare
400, and proxies add pages of their own. So the body decides: a top-level `errors` is an error whatever the status,
the first known code names it, and what is not understood is never taken for success or for "nothing free".

For a question (GET) an unusable answer is `Unavailable`; for a change (POST) it is `OutcomeUnknown`, because the
city may have acted before it failed.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from appointments.upstream.errors import (
    CONTACT_FIELDS,
    DEFAULT_PAUSE,
    DOUBTFUL_CODES,
    ERROR_BY_CODE,
    MAINTENANCE_CODES,
    NOTHING_FREE_CODES,
    RETIRED_CODE,
    InvalidContact,
    NotUnderstood,
    OutcomeUnknown,
    RateLimited,
    RouteGone,
    SlotTaken,
    Unavailable,
)

LONGEST_PAUSE = timedelta(hours=1)
_UNREADABLE = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request: HTTP status, headers, the body's bytes, and whether we asked for a change."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    changes: bool = False
    reserves: bool = False

    def not_understood(self, what: str = "notUnderstood", body: object = _UNREADABLE) -> NoReturn:
        """Raise what an unreadable answer means: `OutcomeUnknown` for a change, `NotUnderstood` for a question."""
        shape = _shape(what, body, self)
        if self.changes:
            raise OutcomeUnknown("notUnderstood", self.status, shape=shape)
        raise NotUnderstood("notUnderstood", self.status, shape=shape)

    def broken(self, code: str) -> NoReturn:
        """Raise what a failure on the city's side means: nothing changed for a question, unknown for a change."""
        if self.changes:
            raise OutcomeUnknown(code, self.status)
        raise Unavailable(code, self.status)


def body_of(answer: Answer) -> Any:
    """The success body of `answer`, decoded; only a 200 that carries JSON and no error is one.

    Raises a leaf of `UpstreamError` for everything else.
    """
    body = decode(answer.raw)
    if answer.status == 429:
        raise RateLimited("rateLimitExceeded", 429, pause_asked(answer.headers))
    codes = error_codes(body)
    if codes is not None:
        raise_for_codes(answer, codes, body)
    if body is _UNREADABLE:
        _raise_for_page(answer)
    if isinstance(body, dict):
        _raise_for_other_envelopes(answer, body)
    if answer.status != 200:
        if answer.status >= 500:
            answer.broken("serverError")
        answer.not_understood("status and body disagree", body)
    return body


def shape_of(answer: Answer, what: str) -> str:
    """What was wrong with `answer` and its form, for staff: no values, no personal data, no keys."""
    return _shape(what, decode(answer.raw), answer)


def says_nothing_free(answer: Answer, meaning: Collection[str] = NOTHING_FREE_CODES) -> bool:
    """Whether a question for free times was refused with nothing but the codes `meaning` "nothing free".

    Older dialects say so with 404, and for some months of 2025 with 200; with any other status, or with another code
    beside it, it is an error like all others. So it is in the flat form of the back end that was retired in 2025:
    what is free there tells nothing about the city of today.
    """
    if answer.status not in (200, 404):
        return False
    body = decode(answer.raw)
    codes = error_codes(body)
    return bool(codes) and "errors" in body and set(codes or ()) <= set(meaning)


def decode(raw: bytes) -> Any:
    """The JSON in `raw`, or a private mark for "this is no JSON" (empty, cut off, a page, too deep)."""
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _UNREADABLE


def error_codes(body: object) -> list[str] | None:
    """The errorCodes of an error body in order, or None if it is no error body. Entries without a code are ""."""
    if not isinstance(body, dict):
        return None
    if "errors" in body:
        entries = body["errors"] if isinstance(body["errors"], list) else []
        codes = [entry.get("errorCode") if isinstance(entry, dict) else None for entry in entries]
        return [code if isinstance(code, str) else "" for code in codes]
    flat = body.get("errorCode")  # the form of the retired Node back end
    if flat is not None:
        return [flat if isinstance(flat, str) else ""]
    return None


def raise_for_codes(answer: Answer, codes: list[str], body: object) -> NoReturn:
    """Raise the leaf that the first known of `codes` stands for."""
    known = [code for code in codes if code in ERROR_BY_CODE or code in NOTHING_FREE_CODES]
    if answer.reserves and answer.status == 404 and codes and "notFound" not in codes:
        # The loser of a race gets a 404 with any code, most often "unknownError".
        raise SlotTaken(next(iter(known), codes[0]), answer.status)
    if not known:
        answer.not_understood(_unknown(codes) if codes else "empty list of errors", body)
    code = known[0]
    if code in MAINTENANCE_CODES:
        raise Unavailable(code, answer.status, maintenance=True)
    doubtful = code in DOUBTFUL_CODES or (
        answer.changes and (answer.status >= 500 or any(other in DOUBTFUL_CODES for other in known))
    )
    if code in NOTHING_FREE_CODES:
        if answer.reserves and doubtful:
            answer.broken(code)
        if answer.reserves:
            raise SlotTaken(code, answer.status)
        _raise_if_retired(answer, body)
        answer.not_understood("nothing free, but not asked", body)
    leaf = ERROR_BY_CODE[code]
    if leaf is SlotTaken and not answer.reserves:
        _raise_if_retired(answer, body)
        answer.not_understood("a slot is gone, but none was asked for", body)
    if leaf is RateLimited:
        raise RateLimited(code, answer.status, pause_asked(answer.headers))
    if doubtful:
        answer.broken(code)
    if leaf is InvalidContact:
        fields = [CONTACT_FIELDS[each] for each in known if each in CONTACT_FIELDS]
        raise InvalidContact(code, answer.status, fields=list(dict.fromkeys(fields)))
    raise leaf(code, answer.status)


def _raise_if_retired(answer: Answer, body: object) -> None:
    """A question whose "nothing free" comes in the flat form was put to the retired back end."""
    if not answer.changes and isinstance(body, dict) and "errors" not in body:
        raise RouteGone(RETIRED_CODE, answer.status)


def pause_asked(headers: Mapping[str, str]) -> timedelta:
    """How long a refusal lasts: at least a minute, longer if `Retry-After` says so, an hour at most."""
    asked = headers.get("Retry-After", "")
    seconds = int(asked) if re.fullmatch(r"[0-9]{1,6}", asked) else 0
    return min(max(DEFAULT_PAUSE, timedelta(seconds=seconds)), LONGEST_PAUSE)


def describe(body: object, headers: Mapping[str, str], raw: bytes) -> str:
    """The form of an answer for staff: names of fields and kinds of values, never a value."""
    if body is _UNREADABLE:
        kind = re.sub(r"[^A-Za-z0-9/+.-]", "", headers.get("Content-Type", "").split(";")[0])[:40]
        return f"{kind or 'no content type'}, {len(raw)} bytes"
    return _outline(body, depth=3)[:300]


def _shape(what: str, body: object, answer: Answer) -> str:
    return f"{what}: {describe(body, answer.headers, answer.raw)}"


def _unknown(codes: list[str]) -> str:
    """What to tell staff about codes that are not in our table: the codes, where they look like codes."""
    shown = [code for code in codes if re.fullmatch(r"[A-Za-z_]{3,40}", code)][:3]
    return f"no known code ({', '.join(shown)})" if shown else "no known code"


def _outline(value: object, depth: int) -> str:
    if isinstance(value, dict):
        if depth == 0:
            return "{..}"
        names = [
            name for name in value if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]{1,30}[0-9]?", name)
        ]
        return "{" + ", ".join(f"{name}: {_outline(value[name], depth - 1)}" for name in names[:12]) + "}"
    if isinstance(value, list):
        return f"[{len(value)} x {_outline(value[0], depth - 1)}]" if value and depth else f"[{len(value)}]"
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < 1_000_000:
        # The form of a number tells milliseconds from seconds and a debt from a count.
        return "negative int" if value < 0 else f"int of {_digits(value)} digits"
    return "empty str" if value == "" else type(value).__name__


def _digits(value: int) -> int:
    return round(value.bit_length() * 0.30103) if value.bit_length() > 1000 else len(str(value))


def _raise_for_page(answer: Answer) -> NoReturn:
    """No JSON at all: a proxy's page, nothing, or half an answer."""
    if answer.status >= 500:
        answer.broken("serverError")
    answer.not_understood("no JSON")


def _raise_for_other_envelopes(answer: Answer, body: dict[str, Any]) -> None:
    """Errors that do not come in the city's own envelope: its framework's, its gateway's."""
    error = body.get("error")
    if isinstance(error, dict) and ("message" in error or "code" in error):
        if answer.status == 404 and error.get("code") == 404:
            raise RouteGone("notFound", answer.status)
        answer.broken("frameworkError")
    if isinstance(error, str) and "status" in body:
        # `{"status":400,"error":"Bad Request"}` hides any 5xx but 503; with a timestamp it is the gateway's own.
        answer.broken("gatewayError")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
