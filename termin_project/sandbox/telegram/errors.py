"""How the Bot API says no: a code, a sentence, and sometimes a pause to keep."""


class ApiError(Exception):
    """A refusal in the Bot API's own words; `code` is the HTTP status and the `error_code` alike.

    `retry_after` counts whole seconds and stands in `parameters`, as Telegram puts it there.
    """

    def __init__(self, code: int, description: str, *, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after

    def as_json(self) -> dict[str, object]:
        """The body of the answer."""
        body: dict[str, object] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after is not None:
            body["parameters"] = {"retry_after": self.retry_after}
        return body


def bad_request(reason: str) -> ApiError:
    """Error 400: the request itself is wrong and would be wrong again."""
    return ApiError(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> ApiError:
    """Error 403: the person does not want to hear from this bot."""
    return ApiError(403, f"Forbidden: {reason}")


def too_many_requests(seconds: int) -> ApiError:
    """Error 429 with the pause in whole seconds."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


class ControlError(Exception):
    """What the person's side asked for cannot be done; the text says what to send instead."""
