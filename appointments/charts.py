"""Numbers turned into the geometry of small drawings, which templates write as SVG: no script, no inline style."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 720
HEIGHT = 150
BASELINE = 126
TOP = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the units of the drawing, with the numbers it stands for. Labels are empty where they would crowd."""

    x: float
    width: float
    y: float
    height: float
    dot_y: float | None
    middle: float
    label: str
    full_label: str
    calls: int
    slots: int


@dataclass(frozen=True, slots=True)
class HourChart:
    """Calls as bars and slots as dots, side by side over the hours, each on its own scale."""

    bars: tuple[Bar, ...]
    most_calls: int
    most_slots: int
    width: int = WIDTH
    height: int = HEIGHT
    baseline: int = BASELINE


def hour_chart(hours: Sequence[tuple[str, int, int]]) -> HourChart:
    """The drawing of (label, calls, slots) per hour, oldest first. Every fourth hour bears its label."""
    most_calls = max((calls for _label, calls, _slots in hours), default=0)
    most_slots = max((slots for _label, _calls, slots in hours), default=0)
    step = WIDTH / max(len(hours), 1)
    room = BASELINE - TOP
    bars = []
    for index, (label, calls, slots) in enumerate(hours):
        tall = round(room * calls / most_calls, 1) if calls else 0.0
        bars.append(
            Bar(
                x=round(index * step + step * 0.18, 1),
                width=round(step * 0.64, 1),
                y=round(BASELINE - tall, 1),
                height=tall,
                dot_y=round(BASELINE - room * slots / most_slots, 1) if slots else None,
                middle=round(index * step + step / 2, 1),
                label=label if (len(hours) - 1 - index) % 4 == 0 else "",
                full_label=label,
                calls=calls,
                slots=slots,
            )
        )
    return HourChart(tuple(bars), most_calls, most_slots)


@dataclass(frozen=True, slots=True)
class Stack:
    """One minute: a bar of what watching asked, and on top of it what bookings asked."""

    x: float
    width: float
    low_y: float
    low_height: float
    high_y: float
    high_height: float
    label: str
    full_label: str
    watching: int
    booking: int


@dataclass(frozen=True, slots=True)
class MinuteChart:
    """Requests per minute, stacked, on one scale."""

    stacks: tuple[Stack, ...]
    most: int
    width: int = WIDTH
    height: int = HEIGHT
    baseline: int = BASELINE


def minute_chart(minutes: Sequence[tuple[str, int, int]]) -> MinuteChart:
    """The drawing of (label, watching, booking) per minute, oldest first. Every tenth minute bears its label."""
    most = max((watching + booking for _label, watching, booking in minutes), default=0)
    step = WIDTH / max(len(minutes), 1)
    room = BASELINE - TOP
    stacks = []
    for index, (label, watching, booking) in enumerate(minutes):
        low = round(room * watching / most, 1) if watching else 0.0
        high = round(room * booking / most, 1) if booking else 0.0
        stacks.append(
            Stack(
                x=round(index * step + step * 0.12, 1),
                width=round(step * 0.76, 1),
                low_y=round(BASELINE - low, 1),
                low_height=low,
                high_y=round(BASELINE - low - high, 1),
                high_height=high,
                label=label if (len(minutes) - 1 - index) % 10 == 5 else "",
                full_label=label,
                watching=watching,
                booking=booking,
            )
        )
    return MinuteChart(tuple(stacks), most)
