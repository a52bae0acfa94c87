"""From an answer of the city's calendar to changes in slots' lives."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import transaction

from appointments.models import Office, PollTarget, Sighting, Slot
from appointments.selectors.watches import KNOWN_FOR, MUNICH
from appointments.services.matching import match_slots, update_told_slots
from appointments.services.targets import refresh_details
from appointments.upstream.types import Calendar


@dataclass
class Changes:
    """What one answer changed: slots that opened (new or returned) and slots that went."""

    opened: list[Slot] = field(default_factory=list)
    gone: list[Slot] = field(default_factory=list)


def record_answer(
    target: PollTarget, calendar: Calendar, office_ids: Iterable[int], *, now: datetime
) -> Changes:
    """Write down what `calendar` shows for the offices asked (the city's numbers), and serve the watches.

    One short transaction: slots, sightings, messages and booking attempts appear together or not at all. What is to
    be asked next is written after it, because people wait for the former and nobody for the latter; lost, it is
    found anew by the next look.
    Times are compared only where the answer carries times; "times not asked for" changes nothing.
    """
    offices = dict(Office.objects.filter(upstream_id__in=office_ids).values_list("upstream_id", "pk"))
    days = {
        day.day: {offices[number] for number in day.office_ids if number in offices} for day in calendar.days
    }
    with transaction.atomic():
        changes = _compare(target, calendar, offices, days, now)
        if changes.opened:
            match_slots(target.search, changes.opened, now=now)
        if changes.gone:
            update_told_slots(target.search, changes.gone, now=now)
    # Statement by statement: the workers that were just woken would otherwise wait for this to be committed.
    fields: dict[str, object] = {"answered_at": now, "last_error": ""}
    if target.kind == PollTarget.Kind.SWEEP:
        refresh_details(target, days, calendar.slots_day, now=now)
        fields["days"] = {day.isoformat(): sorted(ids) for day, ids in days.items()}
    PollTarget.objects.filter(pk=target.pk).update(**fields)
    return changes


def _compare(
    target: PollTarget, calendar: Calendar, offices: dict[int, int], days: dict[date, set[int]], now: datetime
) -> Changes:
    seen = {
        (offices[slot.office_id], slot.starts_at)
        for slot in calendar.slots
        if slot.office_id in offices and slot.starts_at > now
    }
    timed_days = {day.day for day in calendar.days if day.slots is not None}
    known = {
        (slot.office_id, slot.starts_at): slot
        for slot in Slot.objects.filter(search=target.search_id, office_id__in=offices.values(), gone_at=None)
    }
    groups = _groups(offices)
    changes = Changes()
    for key, slot in known.items():
        day = slot.starts_at.astimezone(MUNICH).date()
        if target.kind == PollTarget.Kind.DETAIL and day != target.day:
            continue
        still_there = (
            key in seen if day in timed_days else bool(groups[slot.office_id] & days.get(day, set()))
        )
        if slot.starts_at <= now or not still_there:
            changes.gone.append(slot)
    _move_within_groups(changes, known, seen, groups)
    # What nobody has seen for long counts as returned: people who began to wait meanwhile do not know it.
    forgotten = {key for key, slot in known.items() if slot.seen_at <= now - KNOWN_FOR}
    still_open = [known[key].pk for key in seen if key in known and key not in forgotten]
    Slot.objects.filter(pk__in=still_open).update(seen_at=now)
    Slot.objects.filter(pk__in=[slot.pk for slot in changes.gone]).update(gone_at=now)
    for slot in changes.gone:
        slot.gone_at = now
    opened = [key for key in seen if key not in known or key in forgotten]
    changes.opened = _open(target, opened, groups, now)
    Sighting.objects.bulk_create(
        [Sighting(slot=slot, kind=Sighting.Kind.GONE, at=now) for slot in changes.gone]
        + [
            Sighting(
                slot=slot,
                kind=Sighting.Kind.APPEARED if slot.appearances == 1 else Sighting.Kind.RETURNED,
                at=now,
            )
            for slot in changes.opened
        ]
    )
    return changes


def _groups(offices: dict[int, int]) -> dict[int, set[int]]:
    """Office -> the offices asked that are booked as one with it, itself included (primary keys)."""
    pools = Office.objects.filter(pk__in=offices.values()).values_list("pk", "shared_booking_offices")
    return {pk: {pk, *(offices[number] for number in pool if number in offices)} for pk, pool in pools}


def _move_within_groups(
    changes: Changes,
    known: dict[tuple[int, datetime], Slot],
    seen: set[tuple[int, datetime]],
    groups: dict[int, set[int]],
) -> None:
    """A time that left an office while another of its group shows it has not gone: the city deals them out in turn.

    The slot follows to the office that owns it now, where it is reserved; nobody is told anything. Changes `known`.
    """
    staying = []
    for slot in changes.gone:
        new_owner = next(
            (
                office
                for office in sorted(groups[slot.office_id])
                if (office, slot.starts_at) in seen and (office, slot.starts_at) not in known
            ),
            None,
        )
        if new_owner is None:
            staying.append(slot)
            continue
        # A row from long ago in its place would be the same time twice.
        Slot.objects.filter(
            search=slot.search_id, office=new_owner, starts_at=slot.starts_at, gone_at__isnull=False
        ).delete()
        del known[slot.office_id, slot.starts_at]
        Slot.objects.filter(pk=slot.pk).update(office=new_owner)
        slot.office_id = new_owner
        known[new_owner, slot.starts_at] = slot
    changes.gone = staying


def _open(
    target: PollTarget, keys: list[tuple[int, datetime]], groups: dict[int, set[int]], now: datetime
) -> list[Slot]:
    """Rows for slots that were not open a moment ago; one that was there before has returned."""
    if not keys:
        return []
    former = {
        (slot.office_id, slot.starts_at): slot
        for slot in Slot.objects.filter(
            search=target.search_id, starts_at__in={starts for _office, starts in keys}
        )
    }
    for office, starts in keys:
        # A time that comes back at another office of the same group is the same time.
        siblings = [former.get((other, starts)) for other in sorted(groups[office] - {office})]
        moved = next((slot for slot in siblings if slot is not None and slot.gone_at is not None), None)
        if (office, starts) not in former and moved is not None:
            del former[moved.office_id, starts]
            moved.office_id = office
            former[office, starts] = moved
    returned = [former[key] for key in keys if key in former]
    for slot in returned:
        slot.appeared_at = slot.seen_at = now
        slot.gone_at = None
        slot.appearances += 1
    Slot.objects.bulk_update(returned, ["office", "appeared_at", "seen_at", "gone_at", "appearances"])
    fresh = Slot.objects.bulk_create(
        Slot(search=target.search, office_id=office, starts_at=starts, appeared_at=now, seen_at=now)
        for office, starts in keys
        if (office, starts) not in former
    )
    return sorted([*returned, *fresh], key=lambda slot: slot.starts_at)
