"""The city's citizen API: one method per endpoint, values in, values out, every failure a named error.

The session, the address and the time limits are handed in. No call is repeated here: a question may be asked again by
whoever asked it, a change without a clear answer is `OutcomeUnknown` and has to be settled by reading.
"""

import logging
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as WireSSLError

from appointments.upstream import dialects, reading
from appointments.upstream.answers import Answer, body_of, shape_of
from appointments.upstream.availability import CalendarQuestion
from appointments.upstream.dialects import DialectMemory, OwnMemory
from appointments.upstream.errors import NotUnderstood, OutcomeUnknown, Unavailable, UpstreamError
from appointments.upstream.types import (
    Appointment,
    AppointmentKey,
    Calendar,
    CallKind,
    Catalogue,
    Contact,
    Gate,
    ServiceCount,
    Slot,
    UnreadNotes,
)

LONGEST_RANGE = timedelta(days=350)
"""The city takes 365 days; longer or reversed ranges end in an error without a name there, so we never send one."""

LARGEST_ANSWER = 16 * 1024 * 1024
_CHUNK = 8 * 1024
# The city marks its errors as good for five minutes; no cache on the way shall hand us one that is over.
_MANNERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "Cache-Control": "no-cache"}

T = TypeVar("T")


class _HideQueries(logging.Filter):
    """Cuts the query off addresses that urllib3 writes, at DEBUG and in warnings: ours carry keys and tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(each.split("?")[0] if isinstance(each, str) else each for each in record.args)
        return True


for _name in ("connectionpool", "connection", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_HideQueries())


class CitizenApi:
    """The city's appointment API, in whatever dialect it speaks (see `dialects`).

    Every method may raise `GateClosed`, `RateLimited`, `Refused`, `RouteGone` and `Unavailable` (maintenance,
    connection refused): nothing changed. When the answer says nothing clear, questions raise `NotUnderstood`
    or `Unavailable`, changes `OutcomeUnknown`.
    """

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        *,
        gate: Gate,
        time_limit: tuple[float, float] = (5.0, 20.0),
        dialect: DialectMemory | None = None,
        unread: UnreadNotes | None = None,
    ) -> None:
        """`time_limit` is (connect, read) in seconds; a whole answer may take connect plus twice read.

        `dialect` keeps which dialect the city speaks (by default this object alone knows), `unread` takes the form of
        answers that could not be read. The session belongs to this client from here on: it is told to keep no cookies.
        """
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._gate = gate
        self._time_limit = time_limit
        self._dialect = dialect or OwnMemory()
        self._unread = unread
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    # Questions

    def catalogue(self, *, if_modified_since: str = "") -> Catalogue | None:
        """All offices, services and relations; None if nothing changed since `if_modified_since`.

        `if_modified_since` is the `last_modified` of the catalogue we have. Source: GET /offices-and-services/
        """
        headers = {"If-Modified-Since": if_modified_since} if if_modified_since else {}

        def read(answer: Answer) -> Catalogue | None:
            if answer.status == 304 and if_modified_since:
                return None
            return reading.catalogue(body_of(answer), answer.headers.get("Last-Modified", ""))

        return self._ask(CallKind.CATALOGUE, "/offices-and-services/", {}, read, headers=headers)

    def calendar(
        self,
        services: Sequence[ServiceCount],
        office_ids: Collection[int],
        start: date,
        end: date,
        *,
        day: date | None = None,
        captcha_token: str = "",
        kind: CallKind = CallKind.SWEEP,
    ) -> Calendar:
        """Bookable days from `start` to `end` (local, inclusive), with the times of one day: `day`, or the first one.

        Raises `ValueError` for a range, a count or a day that must not be sent; `InvalidRequest` when a service is not
        offered at every office named; a leaf of `CaptchaRefused` where a token is wanted. The city's older dialects
        need up to two requests for it, each through the gate. Source: GET /available-calendar/, see `availability`
        """
        _check_services(services)
        if not office_ids or any(office_id < 1 for office_id in office_ids):
            raise ValueError("a calendar needs at least one office")
        if not start <= end or end - start > LONGEST_RANGE:
            raise ValueError(f"a range runs forward and over {LONGEST_RANGE.days} days at most")
        if day is not None and not start <= day <= end:
            raise ValueError("the day lies outside the range")
        offices = tuple(sorted(set(office_ids)))
        question = CalendarQuestion(tuple(services), offices, start, end, day, captcha_token, kind)
        return dialects.calendar(self._ask, question, self._dialect)

    def appointment(self, key: AppointmentKey, *, kind: CallKind = CallKind.BOOKING) -> Appointment:
        """The appointment as it is now, with a fresh captcha token.

        Raises `AppointmentNotFound`, `AuthKeyMismatch`. Source: GET /appointment/
        """
        params = {"processId": str(key.process_id), "authKey": key.auth_key}
        return self._ask(
            kind, "/appointment/", params, lambda answer: reading.appointment(body_of(answer), asked=key)
        )

    def probe(self) -> None:
        """Ask whether the city is there: returns if it answered sensibly. Source: GET /captcha-details/"""

        def read(answer: Answer) -> None:
            body = body_of(answer)
            if not isinstance(body, dict) or not ({"siteKey", "captchaEnabled"} & set(body)):
                raise reading.Unreadable("captcha-details")

        self._ask(CallKind.PROBE, "/captcha-details/", {}, read)

    # Changes

    def reserve(
        self,
        slot: Slot,
        services: Sequence[ServiceCount],
        *,
        captcha_token: str = "",
        captcha_solution: str = "",
    ) -> Appointment:
        """Hold a slot; the first service is the main one. The answer's key is the only way back to it.

        A guarded office wants `captcha_token` (ALTCHA), or until muc23 `captcha_solution` (Friendly Captcha, once).
        Raises `SlotTaken`, a leaf of `CaptchaRefused`, `InvalidRequest`, `OutcomeUnknown`; `ValueError` for counts out
        of 1..25 or a naive time. Source: POST /reserve-appointment/
        """
        _check_services(services)
        if slot.starts_at.tzinfo is None:
            raise ValueError("a slot starts at an aware time")
        seconds = int(slot.starts_at.timestamp())
        body: dict[str, object] = {
            "timestamp": seconds,
            "officeId": slot.office_id,
            "serviceId": [service.service_id for service in services],
            "serviceCount": [service.count for service in services],
        }
        if captcha_token:
            body["captchaToken"] = captcha_token
        if captcha_solution:
            body["captchaSolution"] = captcha_solution

        def read(found: Appointment) -> bool:
            at = datetime.fromtimestamp(seconds, UTC)
            same_office = found.office_id in (0, slot.office_id)
            return found.starts_at == at and same_office and found.status in ("", "reserved")

        return self._change("/reserve-appointment/", body, read, reserves=True)

    def update(self, key: AppointmentKey, contact: Contact) -> Appointment:
        """Say who comes. Fields that are None keep their value.

        Raises `InvalidContact(field)`, `TooManyAppointments`, `AppointmentNotFound`, `AuthKeyMismatch`.
        Source: POST /update-appointment/
        """
        fields = {
            "familyName": contact.family_name,
            "email": contact.email,
            "telephone": contact.telephone,
            "customTextfield": contact.custom_text,
            "customTextfield2": contact.custom_text_2,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return self._change("/update-appointment/", given, lambda found: found.status != "deleted", key=key)

    def preconfirm(self, key: AppointmentKey) -> Appointment:
        """Turn the reservation into a pre-confirmed appointment: the city mails a link to follow.

        Raises `NotReservedAnymore`, `TooManyAppointments`, `InvalidContact`, `AppointmentNotFound`, `AuthKeyMismatch`.
        Source: POST /preconfirm-appointment/
        """
        expected = ("preconfirmed", "confirmed")
        return self._change("/preconfirm-appointment/", {}, lambda found: found.status in expected, key=key)

    def confirm(self, key: AppointmentKey) -> Appointment:
        """Confirm, as following the mailed link does. For re-booking only: the first activation belongs to the person.

        Raises `NotPreconfirmedAnymore`, `AppointmentNotFound`, `AuthKeyMismatch`. Source: POST /confirm-appointment/
        """
        return self._change("/confirm-appointment/", {}, lambda found: found.status == "confirmed", key=key)

    def cancel(self, key: AppointmentKey) -> Appointment:
        """Give the appointment back. A cancelled reservation may still call itself `reserved`; its key is dead.

        Raises `CannotBeCancelled`, `AppointmentNotFound`, `AuthKeyMismatch`. Source: POST /cancel-appointment/
        """
        standing = ("preconfirmed", "confirmed")
        return self._change("/cancel-appointment/", {}, lambda found: found.status not in standing, key=key)

    # The wire

    def _ask(
        self,
        kind: CallKind,
        path: str,
        params: Mapping[str, str],
        read: Callable[[Answer], T],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self._call(kind, "GET", path, read, params=params, headers=headers)

    def _change(
        self,
        path: str,
        body: dict[str, Any],
        plausible: Callable[[Appointment], bool],
        *,
        key: AppointmentKey | None = None,
        reserves: bool = False,
    ) -> Appointment:
        """One POST whose answer is an appointment; `plausible` says whether it is the one we wanted."""
        if key is not None:
            body = {"processId": key.process_id, "authKey": key.auth_key, **body}

        def read(answer: Answer) -> Appointment:
            decoded = body_of(answer)
            try:
                found = reading.appointment(decoded, asked=key)
            except reading.Unreadable as error:
                named, shape = reading.key_in(decoded), shape_of(answer, f"unreadable {error}")
                raise OutcomeUnknown("notUnderstood", answer.status, key=named, shape=shape) from None
            if not plausible(found):
                shape = shape_of(answer, "implausible")
                raise OutcomeUnknown("notUnderstood", answer.status, key=found.key, shape=shape)
            return found

        return self._call(CallKind.BOOKING, "POST", path, read, body=body, reserves=reserves)

    def _call(
        self,
        kind: CallKind,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        reserves: bool = False,
    ) -> T:
        try:
            return self._admitted(kind, method, path, read, params, headers, body, reserves)
        except (NotUnderstood, OutcomeUnknown) as error:
            if error.shape and self._unread is not None:
                self._unread.note(
                    method=method, path=path, status=error.status, code=error.code, shape=error.shape
                )
            raise

    def _admitted(
        self,
        kind: CallKind,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        reserves: bool,
    ) -> T:
        """One request through the gate, which hears how it went."""
        with self._gate.admit(kind) as call:
            sent = self._send(method, path, params, headers, body)
            if isinstance(sent, UpstreamError):
                call.understood(sent.code)
                raise sent
            status, received, raw = sent
            call.answered(status, received, len(raw))
            # Raised outside the except blocks: a chained exception would bring the address and its query along.
            failure: UpstreamError
            answer = Answer(status, received, raw, changes=method == "POST", reserves=reserves)
            try:
                result = read(answer)
            except reading.Unreadable as error:
                failure = NotUnderstood(
                    "notUnderstood", status, shape=shape_of(answer, f"unreadable {error}")
                )
            except UpstreamError as error:
                failure = error
            else:
                call.understood("ok")
                return result
            call.understood(failure.code)
            raise failure

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
    ) -> tuple[int, Mapping[str, str], bytes] | UpstreamError:
        """Status, headers and body of the answer, or what it means that none came."""
        try:
            with self._session.request(
                method,
                self._base_url + path,
                params=params or None,
                json=body,
                headers={**_MANNERS, **(headers or {})},
                timeout=self._time_limit,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code, response.headers, self._read_body(response)
        except (OSError, HTTPError, ValueError) as error:
            code = "timeout" if isinstance(error, requests.Timeout) else "connectionFailed"
            nothing_sent = failed_before_sending(error)
        if method == "POST" and not nothing_sent:
            return OutcomeUnknown(code)
        return Unavailable(code)

    def _read_body(self, response: requests.Response) -> bytes:
        """The body, in bounded time and size. What is too long is cut off, which makes it unreadable."""
        deadline = time.monotonic() + 2 * self._time_limit[1]
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                break
            if time.monotonic() > deadline:
                raise requests.ReadTimeout("the answer took too long")
        return b"".join(parts)


def failed_before_sending(error: Exception) -> bool:
    """Whether the connection never stood, so that the city cannot have seen the request."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    if isinstance(reason, WireSSLError) and reason.args:
        return isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _check_services(services: Sequence[ServiceCount]) -> None:
    if not services or len({service.service_id for service in services}) != len(services):
        raise ValueError("a selection is a list of distinct services")
    if any(not 1 <= service.count <= 25 or service.service_id < 1 for service in services):
        raise ValueError("a service is wanted 1 to 25 times")
