"""Captcha tokens as the domain uses them: one source per city and address."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from appointments.upstream.errors import CaptchaRefused
from captcha import services as captcha
from captcha.types import Transport

T = TypeVar("T")


@dataclass
class TokenSource:
    """Hands out the token for one city, makes it when needed, forgets it when the city refuses it.

    `mode` may be asked each time, because the operator changes it while everything runs. `patience` is how long a
    caller waits for a token in the making, `run` where it is made (see `captcha.services.get_token`).
    """

    transport: Transport
    site: str
    mode: str | Callable[[], str]
    clock: Callable[[], datetime]
    patience: timedelta = captcha.WAIT_LIMIT
    run: Callable[[Callable[[], object]], object] | None = None
    # Told what the last captcha cost whenever there is a new token.
    note_cost: Callable[[int | None], None] | None = None
    _used: str = field(default="", repr=False)

    def token(self) -> str:
        """A token that should work now. Raises `captcha.errors.CaptchaError`; never call it in a transaction."""
        before = self._used
        self._used = captcha.get_token(
            self.transport,
            site=self.site,
            mode=self.mode if isinstance(self.mode, str) else self.mode(),
            now=self.clock,
            wait=self.patience,
            run=self.run,
        )
        if self._used != before and self.note_cost is not None:
            self.note_cost(captcha.verification_status(self.site, self.clock()).cost)
        return self._used

    def use(self, ask: Callable[[str], T], *, needed: bool) -> T:
        """What `ask` returns for a token ("" if none is `needed`); asked once more with a fresh one if it is refused.

        The city refuses a token before the call has any effect, so asking again is no blind repetition. Raises what
        `ask` raises, `CaptchaRefused` for the second refusal, and `captcha.errors.CaptchaError`.
        """
        try:
            return ask(self.token() if needed else "")
        except CaptchaRefused as refused:
            self.refused(refused)
        try:
            return ask(self.token())
        except CaptchaRefused as refused:
            self.refused(refused)
            raise

    def refused(self, error: CaptchaRefused) -> None:
        """The city did not take the token handed out last."""
        captcha.discard_token(self.site, error.code, self.clock(), token=self._used)

    def offer(self, token: str) -> None:
        """Take a token that came along with an appointment: it saves a solve."""
        if token:
            captcha.offer_token(self.site, token, self.clock())
