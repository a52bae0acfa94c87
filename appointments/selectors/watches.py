"""Questions about watches: whose, what they accept, what is free for them now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from appointments.models import Office, PollTarget, Slot, Subscriber, Watch

MUNICH = ZoneInfo("Europe/Berlin")
MOST_WATCHES = 10
# A slot that no answer has shown for so long is not known to be free any more.
KNOWN_FOR = timedelta(minutes=30)
# While nothing can be asked, the last known times are better than nothing, if their age is said; for so long.
REMEMBERED_FOR = timedelta(hours=24)
# A look older than this is told with its age: longer than a round of requests and its quiet gap take.
OLD_AFTER = timedelta(minutes=5)
# After so many days without anything the telephone may be faster.
QUIET_DAYS = 3
_STANDING = (Watch.State.ACTIVE, Watch.State.PAUSED)


def watches_of(subscriber: Subscriber) -> list[Watch]:
    """A person's active and paused watches, oldest first, search and main service loaded."""
    return list(
        Watch.objects.filter(subscriber=subscriber, state__in=_STANDING)
        .select_related("search__main_service")
        .order_by("pk")
    )


def chosen_offices(watch: Watch) -> list[Office]:
    """The offices a watch accepts, in the person's order of preference; those booked as one are named once."""
    rows = watch.offices.select_related("office").order_by("position", "pk")
    found: dict[int, Office] = {}
    for row in rows:
        pool = [number for number in row.office.shared_booking_offices if number in found]
        found.setdefault(pool[0] if pool else row.office.upstream_id, row.office)
    return list(found.values())


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
    watch: Watch,
    *,
    now: datetime,
    limit: int = 8,
    without: Sequence[tuple[int, datetime]] = (),
    known_for: timedelta = KNOWN_FOR,
) -> list[Slot]:
    """Slots free as far as we know that the watch accepts, earliest first, preferred offices before others.

    `without` leaves out (office, start) pairs, such as those just lost to somebody else. Slots that no answer has
    shown for `known_for` are left out.
    """
    positions: dict[int, int] = {}
    for office_id, position in watch.offices.values_list("office_id", "position"):
        positions[office_id] = min(position, positions.get(office_id, position))
    found = Slot.objects.filter(
        search_id=watch.search_id,
        office_id__in=positions,
        gone_at=None,
        starts_at__gt=now,
        seen_at__gt=now - known_for,
    ).select_related("office")
    left_out = set(without)
    fitting = [
        slot
        for slot in found.order_by("starts_at")
        if (slot.office_id, slot.starts_at) not in left_out and accepts_time(watch, slot.starts_at, now=now)
    ]
    fitting.sort(key=lambda slot: (slot.starts_at, positions[slot.office_id]))
    return fitting[:limit]


@dataclass(frozen=True, slots=True)
class KnownSlots:
    """What is free as far as we know. `as_of` is when the city last told about all of it, None if it never did.

    `is_old`: so long ago that its age has to be said along with it.
    """

    slots: tuple[Slot, ...]
    as_of: datetime | None
    is_old: bool


def known_slots(watch: Watch, *, now: datetime, limit: int = 8) -> KnownSlots:
    """What is free for `watch`; while we cannot see, what was free at the last look, and when that was."""
    sweeps = PollTarget.objects.filter(search=watch.search_id, kind=PollTarget.Kind.SWEEP, active=True)
    looks = list(sweeps.values_list("answered_at", flat=True))
    as_of = None if not looks or None in looks else min(look for look in looks if look is not None)
    is_old = as_of is not None and as_of < now - OLD_AFTER
    slots = open_slots_for(watch, now=now, limit=limit, known_for=REMEMBERED_FOR if is_old else KNOWN_FOR)
    return KnownSlots(tuple(slots), as_of, is_old)


def days_without_slots(watch: Watch, *, now: datetime) -> int:
    """For how many whole days nothing has opened at the watch's offices, from `QUIET_DAYS` on; 0 before that."""
    last = (
        Slot.objects.filter(
            search_id=watch.search_id,
            office__in=watch.offices.values("office"),
            appeared_at__gte=watch.waiting_since,
        )
        .order_by("-appeared_at")
        .values_list("appeared_at", flat=True)
        .first()
    )
    days = (now - (last or watch.waiting_since)).days
    return days if days >= QUIET_DAYS else 0
