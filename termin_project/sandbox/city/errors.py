"""What the city says when it says no: its error codes, their status, text and kind.

Source: error list of the public code of zmscitizenapi, statuses as the running software answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Style(Enum):
    """Which headers an answer carries; the real software differs by the layer that answers."""

    HANDLED = "handled"  # validated by a controller: as a success, not cacheable
    THROWN = "thrown"  # an exception of the layers below: cacheable for five minutes
    ROUTED = "routed"  # no such route
    CRASHED = "crashed"  # an uncaught programming error
    MAINTENANCE = "maintenance"
    EARLY = "early"  # refused before anything else looked at it: nearly no headers


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of an `errors` array."""

    code: str
    status: int
    kind: str
    text: str

    def as_json(self) -> dict[str, object]:
        return {
            "errorCode": self.code,
            "statusCode": self.status,
            "errorMessage": self.text,
            "errorType": self.kind,
        }


_CUSTOM_TEXT = "{} must be non-empty when required and at most 250 characters after normalization."

_TABLE: tuple[tuple[str, int, str, str], ...] = (
    ("invalidRequest", 400, "warning", "Invalid request."),
    ("notFound", 404, "error", "Endpoint not found."),
    ("requestMethodNotAllowed", 405, "warning", "Request method not allowed."),
    ("notImplemented", 501, "error", "Feature not implemented yet."),
    ("invalidStartDate", 400, "warning", "startDate is required and must be a valid date."),
    ("invalidEndDate", 400, "warning", "endDate is required and must be a valid date."),
    ("invalidSlotsStartDate", 400, "warning", "slotsStartDate must be a valid date."),
    ("invalidSlotsEndDate", 400, "warning", "slotsEndDate must be a valid date."),
    ("slotsStartDateAfterEndDate", 400, "warning", "slotsStartDate must not be after slotsEndDate."),
    ("invalidDate", 400, "warning", "date is required and must be a valid date."),
    ("invalidOfficeId", 400, "warning", "officeId should be a 32-bit integer."),
    ("invalidServiceId", 400, "warning", "serviceId should be a 32-bit integer."),
    ("invalidServiceCount", 400, "warning", "serviceCounts should be an array of numeric values."),
    ("EMPTY_SERVICE_ARRAYS", 400, "warning", "Service IDs and counts cannot be empty."),
    ("MISMATCHED_ARRAYS", 400, "warning", "Service IDs and counts must have same length."),
    ("invalidScopeId", 400, "warning", "scopeId should be a positive 32-bit integer."),
    (
        "invalidLocationAndServiceCombination",
        400,
        "warning",
        "The provided service(s) do not exist at the given location.",
    ),
    (
        "invalidTimestamp",
        400,
        "warning",
        "Missing timestamp or invalid timestamp format. It should be a positive numeric value.",
    ),
    ("invalidProcessId", 400, "warning", "processId should be a positive 32-bit integer."),
    ("invalidAuthKey", 400, "warning", "authKey should be a string."),
    ("invalidFamilyName", 400, "warning", "familyName should be a non-empty string."),
    ("invalidEmail", 400, "warning", "email should be a valid email address."),
    ("invalidTelephone", 400, "warning", "telephone should be a numeric string between 7 and 15 digits."),
    ("invalidCustomTextfield", 400, "warning", _CUSTOM_TEXT.format("customTextfield")),
    ("invalidCustomTextfield2", 400, "warning", _CUSTOM_TEXT.format("customTextfield2")),
    ("captchaMissing", 400, "error", "Missing captcha token."),
    ("captchaInvalid", 400, "error", "Invalid captcha token."),
    ("captchaExpired", 400, "error", "Captcha token expired."),
    ("captchaVerificationFailed", 400, "error", "Captcha verification failed."),
    ("captchaVerificationError", 400, "error", "An error occurred during captcha verification."),
    (
        "appointmentNotAvailable",
        404,
        "error",
        "The selected appointment is unfortunately no longer available.",
    ),
    ("noAppointmentForThisScope", 404, "info", "Please try again at a later time."),
    ("noAppointmentForThisDay", 404, "info", "No available days found for the given criteria."),
    (
        "appointmentNotFound",
        404,
        "error",
        "Maybe you have already canceled your appointment? Otherwise, please check that you have used the "
        "correct link.",
    ),
    ("authKeyMismatch", 406, "warning", "Invalid authentication key."),
    ("appointmentCanNotBeCanceled", 406, "warning", "The selected appointment cannot be canceled."),
    ("processNotReservedAnymore", 409, "error", "The appointment is no longer reserved."),
    ("processNotPreconfirmedAnymore", 409, "error", "The appointment is no longer preconfirmed."),
    (
        "preconfirmationExpired",
        400,
        "error",
        "Unfortunately, the time for activating your appointment has expired. Please schedule the appointment again.",
    ),
    ("processAlreadyExists", 409, "error", "An appointment process already exists."),
    ("processAlreadyCalled", 409, "error", "The appointment has already been called."),
    ("processInvalid", 400, "error", "The process data is invalid."),
    ("processDeleteFailed", 500, "error", "Failed to delete the appointment."),
    (
        "tooManySlotsPerAppointment",
        400,
        "warning",
        "The number of slots exceeds the maximum allowed slots per appointment.",
    ),
    (
        "tooManyServicesPerAppointment",
        400,
        "warning",
        "The quantity of a service exceeds the maximum allowed quantity.",
    ),
    ("emailIsRequired", 406, "warning", "Email address is required."),
    ("telephoneIsRequired", 406, "warning", "Telephone number is required."),
    ("mailNotFound", 404, "error", "Mail template not found."),
    ("departmentNotFound", 404, "error", "Department not found."),
    ("organisationNotFound", 404, "error", "Organisation not found."),
    ("scopeNotFound", 404, "error", "Scope not found."),
    ("scopesNotFound", 404, "error", "No scopes found."),
    ("providerNotFound", 404, "error", "Provider not found."),
    ("requestNotFound", 404, "error", "Requested service not found."),
    ("sourceNotFound", 404, "error", "Source not found."),
    ("invalidApiClient", 400, "error", "Invalid API client."),
    ("invalidCredentials", 406, "error", "Invalid credentials."),
    ("invalidSchema", 400, "error", "Data does not match the required schema."),
    ("internalError", 500, "error", "An internal error occurred. Please try again later."),
    ("unauthorized", 403, "error", "You are not authorized to access this resource."),
    ("securityHeaderViolation", 403, "error", "Security policy violation."),
    (
        "tooManyAppointmentsWithSameMail",
        406,
        "error",
        "You can only book a limited number of appointments with your e-mail address. Please cancel another "
        "appointment before you book a new one.",
    ),
    (
        "zmsClientCommunicationError",
        503,
        "error",
        "The service is temporarily unavailable. Please try again later.",
    ),
    ("serviceUnavailable", 503, "error", "Service Unavailable: The application is under maintenance."),
    ("rateLimitExceeded", 429, "warning", "Rate limit exceeded. Please try again later."),
    ("IP_BLACKLISTED", 403, "error", "Access denied - IP address is blacklisted."),
    ("requestEntityTooLarge", 413, "warning", "Request entity too large."),
    ("unknownError", 520, "error", "An unknown error occurred."),
)

FAULTS: dict[str, Fault] = {row[0]: Fault(*row) for row in _TABLE}

ERROR_STATUS_UNNAMED = 400


def unnamed(code: str) -> Fault:
    """An entry for a code that the city's table does not have (yet)."""
    return Fault(code, ERROR_STATUS_UNNAMED, "error", "Something new.")


_THROWN = frozenset(
    {
        "appointmentNotFound",
        "authKeyMismatch",
        "processNotReservedAnymore",
        "processNotPreconfirmedAnymore",
        "tooManyAppointmentsWithSameMail",
        "zmsClientCommunicationError",
    }
)


class CityError(Exception):
    """A refusal: one or more codes, the HTTP status and the header style of the answer.

    `status` is the largest status of the codes unless given: the real software sends some codes under
    another HTTP status (`unknownError`, 520 in the body, comes as 404 or 500); `overruled` says so.
    """

    def __init__(self, *codes: str, status: int | None = None, style: Style | None = None) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes
        self.overruled = status is not None
        self.status = (
            status if status is not None else max(FAULTS.get(code, unnamed(code)).status for code in codes)
        )
        self.style = style or (Style.THROWN if codes[0] in _THROWN else Style.HANDLED)


class Crash(Exception):
    """A programming error of the real software: HTTP 500 and `{"error": {...}}` instead of `errors`."""


class LostConnection(ConnectionResetError):
    """The connection is to be cut without an answer.

    A `ConnectionResetError` because WSGI servers take that as "the client is gone" and just close.
    """
