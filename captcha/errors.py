"""What can stand between us and a token. None of these carries a token, a payload or a challenge."""

from datetime import datetime, timedelta


class CaptchaError(Exception):
    """No token. `reason` is one word for logs and status pages."""

    code = "captchaUnavailable"
    """The same in the form of the city's error codes, for records."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class HumanNeeded(CaptchaError):
    """Only a person can solve this: by the operator's choice, or because it is no proof of work we may do.

    `shape` names the fields of a challenge we do not know, for staff; never their values.
    """

    code = "captchaHumanNeeded"

    def __init__(self, reason: str, *, shape: str = "") -> None:
        super().__init__(reason)
        self.shape = shape


class CityPageNeeded(HumanNeeded):
    """Only the city's own page can put this before a person: ours cannot show it, and we may not or cannot solve it."""

    code = "captchaOnCityPage"


class CaptchaUnavailable(CaptchaError):
    """No token now; `retry_at` (aware, UTC) is when asking again makes sense, None when only the operator can tell."""

    def __init__(self, retry_at: datetime | None, reason: str) -> None:
        super().__init__(reason)
        self.retry_at = retry_at


class TransportFailed(CaptchaError):
    """The city's captcha routes gave no usable answer. `retry_after` is set where the city asks for a pause."""

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class NotAdmitted(TransportFailed):
    """Our own gate let nothing out until `retry_at`; the city was not asked."""

    def __init__(self, retry_at: datetime) -> None:
        super().__init__("gateClosed")
        self.retry_at = retry_at


class VerifyUnknown(TransportFailed):
    """The solution was sent and no answer came: it may be used up, so it must never be sent again."""


class SolutionRefused(CaptchaError):
    """The city says that the solution is wrong, too late, or was used before."""


class SolveAborted(CaptchaError):
    """The search for a solution ended without one: over its time, or called off."""
