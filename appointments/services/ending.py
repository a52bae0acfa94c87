"""Whether this process has been asked to end: long tasks look here and make room early.

A computer that shuts down, or a container that is stopped, grants ten seconds before it kills.
"""

from typing import Protocol


class Sign(Protocol):
    """Something that is set once, such as an event shared by processes."""

    def is_set(self) -> bool:
        """Whether it was set."""


_sign: Sign | None = None


def look_at(sign: Sign) -> None:
    """From now on `sign` says whether this process and those it starts are to end."""
    global _sign
    _sign = sign


def is_wanted() -> bool:
    """Whether the process is to end; False where nobody can ask it to."""
    return _sign is not None and _sign.is_set()
