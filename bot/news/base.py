"""What every piece of news is made of."""

from dataclasses import dataclass

from appointments.models import Booking, OutboxMessage
from bot.effects import Screen


@dataclass(frozen=True)
class News:
    """A message to send; `files_of` is the booking whose calendar file and map point go with it. `quiet`: no sound."""

    screen: Screen
    files_of: Booking | None = None
    quiet: bool = False


class NothingToTell(Exception):
    """What the message is about is gone; sending it would only confuse."""


def booking_of(message: OutboxMessage) -> Booking:
    """The booking a message is about. Raises `NothingToTell` without one."""
    if message.booking is None:
        raise NothingToTell("booking")
    return message.booking
