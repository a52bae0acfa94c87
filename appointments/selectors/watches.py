"""Questions about watches: whose, what they accept, what is free for them now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from appointments.models import Office, Slot, Subscriber, Watch

MUNICH = ZoneInfo("Europe/Berlin")
MOST_WATCHES = 10
# A slot that no answer has shown for so long is not known to be free any more.
KNOWN_FOR = timedelta(minutes=30)
_STANDING = (Watch.State.ACTIVE, Watch.State.PAUSED)


def watches_of(subscriber: Subscriber) -> list[Watch]:
    """A person's active and paused watches, oldest first, search and main service loaded."""
    return list(
        Watch.objects.filter(subscriber=subscriber, state__in=_STANDING)
        .select_related("search__main_service", "profile")
        .order_by("pk")
    )


def chosen_offices(watch: Watch) -> list[Office]:
    """The offices a watch accepts, in the person's order of preference."""
    rows = watch.offices.select_related("office").order_by("position", "pk")
    return list({row.office_id: row.office for row in rows}.values())


def accepts(watch: Watch, office_id: int, starts_at: datetime, *, now: datetime) -> bool:
    """Whether `watch` would take a slot at `starts_at` (aware) at the office with this primary key."""
    return watch.offices.filter(office_id=office_id).exists() and accepts_time(watch, starts_at, now=now)


def accepts_time(watch: Watch, starts_at: datetime, *, now: datetime) -> bool:
    """Whether day, weekday, hour and notice fit; the hours are Munich's."""
    if starts_at < now + timedelta(minutes=watch.minimum_notice_minutes) or starts_at <= now:
        return False
    local = starts_at.astimezone(MUNICH)
    first, last = watch.window(now.astimezone(MUNICH).date())
    minute = local.hour * 60 + local.minute
    return first <= local.date() <= last and any(
        mask & (1 << local.weekday()) and start <= minute < end for mask, start, end in watch.hour_windows
    )


def open_slots_for(
    watch: Watch, *, now: datetime, limit: int = 8, without: Sequence[tuple[int, datetime]] = ()
) -> list[Slot]:
    """Slots free as far as we know that the watch accepts, earliest first, preferred offices before others.

    `without` leaves out (office, start) pairs, such as those just lost to somebody else.
    """
    positions: dict[int, int] = {}
    for office_id, position in watch.offices.values_list("office_id", "position"):
        positions[office_id] = min(position, positions.get(office_id, position))
    found = Slot.objects.filter(
        search_id=watch.search_id,
        office_id__in=positions,
        gone_at=None,
        starts_at__gt=now,
        seen_at__gt=now - KNOWN_FOR,
    ).select_related("office")
    left_out = set(without)
    fitting = [
        slot
        for slot in found.order_by("starts_at")
        if (slot.office_id, slot.starts_at) not in left_out and accepts_time(watch, slot.starts_at, now=now)
    ]
    fitting.sort(key=lambda slot: (slot.starts_at, positions[slot.office_id]))
    return fitting[:limit]
