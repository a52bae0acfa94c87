"""How fast a bot may talk: one bucket for everybody together, one per chat.

Source: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class TokenBucket:
    """`rate` tokens a second, at most `burst` of them saved up; the time is passed in."""

    rate: float
    burst: float
    tokens: float
    filled_at: datetime

    def wait(self, now: datetime) -> timedelta:
        """How long until one token is there; zero when it is there now."""
        gained = max(0.0, (now - self.filled_at).total_seconds()) * self.rate
        self.tokens = min(self.burst, self.tokens + gained)
        self.filled_at = now
        # A hair's breadth of forgiveness: rounding must not refuse what comes exactly in time.
        return timedelta(seconds=max(0.0, 1 - self.tokens - 1e-6) / self.rate)

    def take(self) -> None:
        """Spend one token that `wait` has just reported as there."""
        self.tokens -= 1


class FloodControl:
    """Admits a message or says how many whole seconds to wait.

    Telegram states about 1 message a second to one chat, with short bursts forgiven, and 30 a second in
    all. `burst` is how many to one chat are forgiven; 1 makes the rule strict. New messages and edits of
    one chat are counted apart, each by the same rule.
    """

    def __init__(self, *, overall: float = 30, per_chat: float = 1.0, burst: int = 3) -> None:
        self.overall = overall
        self.per_chat = per_chat
        self.burst = burst
        self._all: TokenBucket | None = None
        self._chats: dict[tuple[int, str], TokenBucket] = {}

    def refusal(self, chat: int, kind: str, now: datetime) -> int:
        """0 when the message may pass (and is counted), otherwise seconds to wait."""
        if self._all is None:
            self._all = TokenBucket(self.overall, self.overall, self.overall, now)
        bucket = self._chats.get((chat, kind))
        if bucket is None:
            bucket = TokenBucket(self.per_chat, self.burst, self.burst, now)
            self._chats[(chat, kind)] = bucket
        wait = max(self._all.wait(now), bucket.wait(now))
        if wait > timedelta(0):
            return math.ceil(wait.total_seconds())
        self._all.take()
        bucket.take()
        return 0
