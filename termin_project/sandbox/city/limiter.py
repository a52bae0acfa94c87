"""The city's limit on requests per address.

The life of a counter restarts with every accepted request: whoever keeps calling with gaps shorter than
the window is refused in the end, and refused calls do not prolong it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counted:
    """An accepted request: what the headers say about it. `reset_at` in Unix seconds."""

    limit: int
    remaining: int
    reset_at: int


@dataclass
class Limiter:
    """At most `limit` accepted requests per address until the address was quiet for `window` seconds."""

    limit: int = 60
    window: float = 60.0
    counters: dict[str, tuple[int, float]] = field(default_factory=dict)

    def accept(self, address: str, now: float) -> Counted | None:
        """Count a request of `address` at `now` (Unix seconds); None when it is refused."""
        count, until = self.counters.get(address, (0, 0.0))
        if now >= until:
            count = 0
        if count >= self.limit:
            return None
        count += 1
        self.counters[address] = (count, now + self.window)
        # The header is one too low, as in the real software: 0 is shown with one call left.
        return Counted(self.limit, max(0, self.limit - count - 1), int(now + self.window))

    def forget_old(self, now: float) -> None:
        """Drop the counters whose life is over."""
        self.counters = {key: value for key, value in self.counters.items() if value[1] > now}
