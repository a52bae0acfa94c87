"""Who is told of a change of the catalogue: people whose search or appointment it concerns, once each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from appointments import selections
from appointments.models import Booking, CatalogueChange, OutboxMessage, Search, Watch, WatchOffice
from appointments.selectors.catalogue import facts
from appointments.services.outbox import enqueue_all
from appointments.states import LIVE

Kind = CatalogueChange.Kind
# New services and rules are nobody's news by themselves; that a search has become impossible is.
TOLD = (Kind.RENAMED, Kind.WITHDRAWN, Kind.RETURNED, Kind.MOVED)
# Watches read and messages written at a time.
BATCH = 2000


def possible_searches() -> set[int]:
    """The searches of standing watches that can be booked as things are."""
    standing = Watch.objects.filter(ended_at=None).values("search")
    known = facts()
    return {
        search.pk
        for search in Search.objects.filter(pk__in=standing)
        if selections.judge(known, search.services).problem is None
    }


def tell_changes(changes: Iterable[CatalogueChange], possible: set[int], *, now: datetime) -> int:
    """Write one message for each standing watch, and each appointment, that `changes` concern; in one transaction.

    `possible`: the searches that could be booked before the change; what cannot be any more is told, too. Each change
    is told once, whatever runs twice: the key of a message names the first of its changes. Returns how many people's
    watches and appointments were told.
    """
    told = [change for change in changes if change.kind in TOLD]
    lost = possible - possible_searches()
    if not told and not lost:
        return 0
    stamp = int(now.timestamp())
    by_watch = _by_watch(told, lost)
    messages = []
    count = 0
    standing = Watch.objects.filter(pk__in=by_watch).values_list("pk", "subscriber_id", "search_id")
    for watch_id, subscriber_id, search_id in standing.iterator(chunk_size=BATCH):
        concerned = sorted(by_watch[watch_id])
        key = concerned[0] if concerned else f"s{stamp}"
        messages.append(
            OutboxMessage(
                subscriber_id=subscriber_id,
                kind="catalogue_change",
                watch_id=watch_id,
                payload={"changes": concerned, "impossible": search_id in lost},
                dedup_key=f"catalogue_change:{key}:w{watch_id}",
                created_at=now,
                available_at=now,
            )
        )
        if len(messages) >= BATCH:
            count += len(messages)
            enqueue_all(messages)
            messages = []
    messages += _about_appointments(told, now)
    enqueue_all(messages)
    return count + len(messages)


def _by_watch(told: Iterable[CatalogueChange], lost: set[int]) -> Mapping[int, set[int]]:
    """Watch -> the changes that concern it."""
    found: dict[int, set[int]] = defaultdict(set)
    by_service: dict[int, list[int]] = defaultdict(list)
    by_office: dict[int, list[int]] = defaultdict(list)
    for change in told:
        if change.service_id is not None:
            by_service[change.service_id].append(change.pk)
        elif change.office_id is not None:
            by_office[change.office_id].append(change.pk)
    standing = Watch.objects.filter(ended_at=None)
    if by_service:
        numbers = {
            change.service.upstream_id: by_service[change.service_id]
            for change in told
            if change.service is not None and change.service_id is not None
        }
        for search in Search.objects.filter(pk__in=standing.values("search")):
            concerned = [pk for item in search.services for pk in numbers.get(item.service_id, ())]
            if concerned:
                for watch_id in standing.filter(search=search).values_list("pk", flat=True):
                    found[watch_id].update(concerned)
    if by_office:
        # Who takes any office does not mind which ones there are.
        lines = WatchOffice.objects.filter(
            office__in=by_office, watch__ended_at=None, watch__any_office=False
        )
        for watch_id, office_id in lines.values_list("watch_id", "office_id").distinct():
            found[watch_id].update(by_office[office_id])
    for watch_id in standing.filter(search__in=lost).values_list("pk", flat=True):
        # Perhaps nothing of its own changed, but the search is not possible any more.
        found[watch_id].update(())
    return found


def _about_appointments(told: Iterable[CatalogueChange], now: datetime) -> list[OutboxMessage]:
    """Messages to people with an appointment, or a place held, at an office that moved: they would go astray."""
    moved = {change.office_id: change.pk for change in told if change.kind == Kind.MOVED}
    if not moved:
        return []
    bookings = Booking.objects.filter(
        office__in=moved, state__in=sorted(LIVE), ended_at=None, starts_at__gt=now
    )
    return [
        OutboxMessage(
            subscriber_id=subscriber_id,
            kind="catalogue_change",
            booking_id=booking_id,
            payload={"changes": [moved[office_id]], "impossible": False},
            dedup_key=f"catalogue_change:{moved[office_id]}:b{booking_id}",
            priority=3,
            created_at=now,
            available_at=now,
        )
        for booking_id, subscriber_id, office_id in bookings.values_list("pk", "subscriber_id", "office_id")
    ]
