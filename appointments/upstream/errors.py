"""What can go wrong at the city: one class where a caller acts differently, and the table from code to class.

An error carries the city's code and the HTTP status, never a body, a key, a token or a person's data.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from appointments.upstream.types import AppointmentKey

DEFAULT_PAUSE = timedelta(seconds=60)
"""A refusal ends 60 s after the last accepted request; the city's 429 names no time itself."""


class UpstreamError(Exception):
    """The city did not do what we asked. `code` is its errorCode or our word for what came instead."""

    def __init__(self, code: str, status: int | None = None) -> None:
        self.code = re.sub(r"[^A-Za-z0-9_]", "", code)[:60] or "unnamed"
        self.status = status
        super().__init__(self.code if status is None else f"{self.code} (HTTP {status})")


class GateClosed(UpstreamError):
    """We did not ask: our own gate is closed until `retry_at` (aware, UTC). Nothing was sent."""

    def __init__(self, retry_at: datetime, code: str = "gateClosed") -> None:
        super().__init__(code)
        self.retry_at = retry_at


class RateLimited(UpstreamError):
    """The city asks for a pause of `retry_after`. Nothing changed there."""

    def __init__(
        self,
        code: str = "rateLimitExceeded",
        status: int | None = 429,
        retry_after: timedelta = DEFAULT_PAUSE,
    ) -> None:
        super().__init__(code, status)
        self.retry_after = retry_after


class Refused(UpstreamError):
    """Our address is on the city's list of unwanted ones: stop, tell staff, do not try again."""


class Unavailable(UpstreamError):
    """No usable answer, and nothing changed there: try again later. `maintenance` when the city says so itself."""

    def __init__(self, code: str, status: int | None = None, *, maintenance: bool = False) -> None:
        super().__init__(code, status)
        self.maintenance = maintenance


class NotUnderstood(Unavailable):
    """A question was answered with something we cannot read. `shape` tells staff its form, without any content."""

    def __init__(self, code: str = "notUnderstood", status: int | None = None, *, shape: str = "") -> None:
        super().__init__(code, status)
        self.shape = shape


class OutcomeUnknown(UpstreamError):
    """We asked for a change and got no clear answer: it may or may not have happened.

    `key` is set when the answer at least named the appointment, so that reading it can decide.
    """

    def __init__(
        self, code: str, status: int | None = None, *, key: AppointmentKey | None = None, shape: str = ""
    ) -> None:
        super().__init__(code, status)
        self.key = key
        self.shape = shape


class SlotTaken(UpstreamError):
    """Somebody else was faster, or the start time is no longer offered."""


class CaptchaRefused(UpstreamError):
    """The call was refused, before any effect, for want of a valid captcha token or solution."""


class CaptchaMissing(CaptchaRefused):
    """This office asks for a token and we sent none: its rules changed, or we forgot."""


class CaptchaRejected(CaptchaRefused):
    """The token or solution is not good, or the token was made for another address than the one we call from."""


class CaptchaExpired(CaptchaRefused):
    """The token was good once."""


class AppointmentNotFound(UpstreamError):
    """The city has no such appointment (any more): it lapsed, was cancelled, or never was."""


class AuthKeyMismatch(UpstreamError):
    """The secret does not fit: most often the appointment was cancelled, which changes it."""


class NotReservedAnymore(UpstreamError):
    """Pre-confirming needs a reservation; this appointment is something else by now."""


class NotPreconfirmedAnymore(UpstreamError):
    """Confirming needs a pre-confirmed appointment; this one is confirmed already, or has lapsed."""


class CannotBeCancelled(UpstreamError):
    """Too late: the appointment is over, or the person has been called."""


class TooManyAppointments(UpstreamError):
    """This e-mail address has as many appointments at this office as it may have."""


class InvalidContact(UpstreamError):
    """The city refuses one or more details. `field` is the first one's name in `Contact`, `fields` are all."""

    def __init__(self, code: str, status: int | None = None, *, fields: Sequence[str] = ()) -> None:
        super().__init__(code, status)
        self.fields = tuple(fields) or tuple(CONTACT_FIELDS.get(code, "") for code in [code])
        self.field = self.fields[0]


class InvalidRequest(UpstreamError):
    """The city refuses what we asked: our mistake, or our catalogue is older than its own. Nothing changed."""


class RouteGone(UpstreamError):
    """This path does not exist there: the city speaks another dialect of its API than we do. Nothing changed."""


CONTACT_FIELDS = {
    "invalidFamilyName": "family_name",
    "invalidEmail": "email",
    "emailIsRequired": "email",
    "invalidTelephone": "telephone",
    "telephoneIsRequired": "telephone",
    "invalidCustomTextfield": "custom_text",
    "invalidCustomTextfield2": "custom_text_2",
}

NOTHING_FREE_CODES = frozenset({"noAppointmentForThisDay", "noAppointmentForThisScope"})
"""Errors by which a calendar says that nothing is free; every other error says that we do not know."""

RETIRED_CODE = "retiredBackend"
"""Our word for the Node back end that was switched off in 2025 (D0): what is free there is no news of today's city."""

DOUBTFUL_CODES = frozenset(
    {
        "unknownError",
        "internalError",
        "securityHeaderViolation",
        "zmsClientCommunicationError",
        "processDeleteFailed",
        "mailNotFound",
        "sourceNotFound",
        "invalidCredentials",
        "invalidApiClient",
    }
)
"""Something broke on the city's side. A question stays unanswered; a change may have happened all the same."""

UNCHECKED_CODE = "captchaVerificationError"
"""The city could not ask its captcha service about a solution."""

SOLUTION_CODES = frozenset({"captchaVerificationFailed", UNCHECKED_CODE})
"""What a reservation's solution is refused with where the city has Friendly Captcha (until muc23)."""

MAINTENANCE_CODES = frozenset({"serviceUnavailable"})

_INVALID_REQUEST_CODES = (
    "invalidRequest",
    "requestMethodNotAllowed",
    "notImplemented",
    "invalidStartDate",
    "invalidEndDate",
    "invalidSlotsStartDate",
    "invalidSlotsEndDate",
    "slotsStartDateAfterEndDate",
    "invalidDate",
    "invalidOfficeId",
    "invalidServiceId",
    "invalidServiceCount",
    "EMPTY_SERVICE_ARRAYS",
    "MISMATCHED_ARRAYS",
    "invalidLocationAndServiceCombination",
    "invalidScopeId",
    "invalidTimestamp",
    "invalidProcessId",
    "invalidAuthKey",
    "invalidSchema",
    "processInvalid",
    "requestEntityTooLarge",
    "unauthorized",
    "tooManySlotsPerAppointment",
    "tooManyServicesPerAppointment",
    "providerNotFound",
    "requestNotFound",
    "scopeNotFound",
    "scopesNotFound",
    "departmentNotFound",
    "organisationNotFound",
)

ERROR_BY_CODE: dict[str, type[UpstreamError]] = {
    **dict.fromkeys(_INVALID_REQUEST_CODES, InvalidRequest),
    **dict.fromkeys(CONTACT_FIELDS, InvalidContact),
    **dict.fromkeys(DOUBTFUL_CODES | MAINTENANCE_CODES, Unavailable),
    "rateLimitExceeded": RateLimited,
    "IP_BLACKLISTED": Refused,
    "ipBlacklisted": Refused,
    "notFound": RouteGone,
    "captchaMissing": CaptchaMissing,
    "captchaInvalid": CaptchaRejected,
    **dict.fromkeys(SOLUTION_CODES, CaptchaRejected),
    "captchaExpired": CaptchaExpired,
    "appointmentNotAvailable": SlotTaken,
    "processAlreadyExists": SlotTaken,
    "appointmentNotFound": AppointmentNotFound,
    "authKeyMismatch": AuthKeyMismatch,
    "appointmentCanNotBeCanceled": CannotBeCancelled,
    "processAlreadyCalled": CannotBeCancelled,
    "processNotReservedAnymore": NotReservedAnymore,
    "processNotPreconfirmedAnymore": NotPreconfirmedAnymore,
    "preconfirmationExpired": NotPreconfirmedAnymore,
    "tooManyAppointmentsWithSameMail": TooManyAppointments,
}
"""From the city's errorCode to the class a caller acts on. A code that is not here is never guessed at."""
