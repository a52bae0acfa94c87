"""How messages leave the domain: a protocol, and the channels that settings name."""

from datetime import timedelta
from functools import lru_cache
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.utils.module_loading import import_string

from appointments.models import OutboxMessage


class DeliveryError(Exception):
    """A message did not go out.

    `permanent`: it never will. `overtaken`: it need not, because what it would tell is over. `blocked`: the person
    does not want to hear from us. `retry_after`: the channel asks for this pause before anything else is sent to
    this person. `unclear`: no answer came, so it may be shown all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        overtaken: bool = False,
        blocked: bool = False,
        retry_after: timedelta | None = None,
        unclear: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent or overtaken
        self.overtaken = overtaken
        self.blocked = blocked
        self.retry_after = retry_after
        self.unclear = unclear


class Channel(Protocol):
    """One way to reach people."""

    def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
        """Render and send `message`; edit what `edit_receipt` names if it is not "".

        Returns the receipt of what now shows the message. Raises `DeliveryError`.
        """


@runtime_checkable
class Recalling(Channel, Protocol):
    """A channel that can look whether a message is shown whose sending was cut off, and that has more to add to it."""

    def recall(self, message: OutboxMessage) -> str:
        """The receipt of `message` if an earlier attempt did show it, "" if not. Raises `DeliveryError`."""

    def accompany(self, message: OutboxMessage, receipt: str) -> None:
        """Add what goes with a message that is shown and written down; may be left out, never raises."""


@lru_cache(maxsize=8)
def channel(name: str) -> Channel:
    """The channel called `name`, made once per process. Raises `KeyError` for an unknown name."""
    return import_string(settings.NOTIFICATION_CHANNELS[name])()
