"""Free times that a watch just does not accept: one single point stands in their way, and not by much."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from appointments.models import Slot, Watch
from appointments.selectors.watches import KNOWN_FOR, MUNICH

# No further outside than this, or it is no near miss.
MOST_MINUTES = 120
MOST_DAYS = 7
SHORTEST_NOTICE = timedelta(minutes=30)
# So many free times are looked at, the soonest first.
MOST_SLOTS = 200


class Miss(StrEnum):
    """The one point that does not fit."""

    NOTICE = "notice"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR = "hour"
    OFFICE = "office"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A free time and what stands in its way."""

    slot: Slot
    miss: Miss


def near_misses(watch: Watch, *, now: datetime, limit: int = 3) -> list[NearMiss]:
    """Up to `limit` free times, as far as known, that miss the watch by one point; at its offices first, then soonest.

    Nothing for a watch that improves an appointment: what is outside its window gains nothing.
    """
    if watch.improves_id is not None:
        return []
    chosen = set(watch.offices.values_list("office_id", flat=True))
    slots = Slot.objects.filter(
        search=watch.search_id,
        gone_at=None,
        starts_at__gt=now + SHORTEST_NOTICE,
        seen_at__gt=now - KNOWN_FOR,
        office__withdrawn_at=None,
    ).select_related("office")
    found = []
    for slot in slots.order_by("starts_at")[:MOST_SLOTS]:
        misses = _misses(watch, slot.starts_at, now=now)
        if slot.office_id not in chosen:
            misses.append(Miss.OFFICE)
        if len(misses) == 1 and misses[0] is not None:
            found.append(NearMiss(slot, misses[0]))
    found.sort(key=lambda near: (near.miss == Miss.OFFICE, near.slot.starts_at, near.slot.pk))
    return found[:limit]


def _misses(watch: Watch, starts_at: datetime, *, now: datetime) -> list[Miss | None]:
    """Every point that does not fit; None stands for one that misses by far."""
    misses: list[Miss | None] = []
    if starts_at < now + timedelta(minutes=watch.minimum_notice_minutes):
        misses.append(Miss.NOTICE)
    local = starts_at.astimezone(MUNICH)
    first, last = watch.window(now.astimezone(MUNICH).date())
    if not first <= local.date() <= last:
        outside = max((first - local.date()).days, (local.date() - last).days)
        misses.append(Miss.DAY if outside <= MOST_DAYS else None)
    minute = local.hour * 60 + local.minute
    of_day = [window for window in watch.hour_windows if window[0] & (1 << local.weekday())]
    if not of_day:
        fits = any(start <= minute < end for _mask, start, end in watch.hour_windows)
        misses.append(Miss.WEEKDAY if fits else None)
    elif not any(start <= minute < end for _mask, start, end in of_day):
        outside = min(max(start - minute, minute - end) for _mask, start, end in of_day)
        misses.append(Miss.HOUR if outside <= MOST_MINUTES else None)
    return misses
