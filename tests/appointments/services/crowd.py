"""A crowd that waits for the same few places, and how fair it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from appointments.models import Booking, Watch
from appointments.states import BookingState as S
from tests.conftest import Office
from tests.factories import SubscriberFactory


def gather(
    office: Office, people: int, *, priorities: Sequence[int] = (0,), mode: str = "hold"
) -> list[Watch]:
    """Watches of `people` people in order of turn: the first has waited longest, all have the same priority."""
    watches = []
    for number in range(people):
        who = SubscriberFactory(known=True, now=office.now(), priority=priorities[number % len(priorities)])
        watch = office.watch(subscriber=who, mode=mode)
        Watch.objects.filter(pk=watch.pk).update(
            waiting_since=office.now() - timedelta(minutes=people - number)
        )
        watches.append(watch)
    return watches


def open_places(office: Office, first: datetime, *, times: int, places: int) -> None:
    """The city opens `places` places at each of `times` times, ten minutes apart."""
    for number in range(times):
        office.open(first + timedelta(minutes=10 * number), places=places)


def served(watches: Sequence[Watch]) -> list[int]:
    """The positions in the turn (0 is first) of those who got a place."""
    held = set(Booking.objects.filter(state=S.RESERVED).values_list("watch_id", flat=True))
    return [position for position, watch in enumerate(watches) if watch.pk in held]
