"""Who gets what: slots that opened meet the watches that accept them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db.models import F, Q

from appointments.errors import AlreadyBooked, AlreadyHolding
from appointments.models import Booking, OutboxMessage, Search, Slot, Watch, WatchOffice
from appointments.selectors.bookings import given_back_starts
from appointments.selectors.moving import may_improve_now
from appointments.selectors.watches import MUNICH, accepts_time, open_slots_for
from appointments.services.bookings import start_booking
from appointments.services.contact import without_full_offices
from appointments.services.outbox import enqueue, enqueue_all
from appointments.states import LIVE

Mode = Watch.Mode
# More do not fit a message one can take in at a glance.
SLOTS_PER_MESSAGE = 6
# One listed time can be several places at the city; so many people at most try for it at once.
TRIES_PER_SLOT = 2
# Messages about slots are kept true for so long.
KEEP_TRUE_FOR = timedelta(hours=24)
# Slots of one release are found within so long of each other: a round of requests and the quiet gap after it.
BURST = timedelta(seconds=90)


def match_slots(search: Search, slots: Sequence[Slot], *, now: datetime) -> None:
    """Serve the watches of `search` with slots that just opened; runs in the caller's transaction.

    `notify` watches get one message per watch and burst. For `hold` and `auto` distinct places go to distinct
    people, by priority, then by how long they have waited.
    """
    by_watch = matching_watches(search, slots, now=now)
    if not by_watch:
        return
    watches = (
        Watch.objects.filter(
            pk__in=by_watch, state=Watch.State.ACTIVE, subscriber__consented_at__isnull=False
        )
        .filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now), subscriber__paused_at=None)
        .select_related("subscriber", "profile", "search", "improves")
        .order_by("-subscriber__priority", "waiting_since", "pk")
    )
    busy = _busy_people(search)
    told: list[tuple[Watch, list[Slot]]] = []
    takers: list[tuple[Watch, list[Slot]]] = []
    for watch in watches:
        fitting = [slot for slot in by_watch[watch.pk] if accepts_time(watch, slot.starts_at, now=now)]
        if not fitting or _is_served(watch, busy, now=now):
            continue
        if watch.mode == Mode.NOTIFY:
            told.append((watch, fitting))
        else:
            takers.append((watch, fitting))
    tell_slots(told, now=now)
    _hand_out(takers, now=now)


def matching_watches(search: Search, slots: Sequence[Slot], *, now: datetime) -> dict[int, list[Slot]]:
    """Watch id -> slots its lines accept, by one indexed query per office and day."""
    groups: dict[tuple[int, date], list[Slot]] = defaultdict(list)
    for slot in slots:
        groups[slot.office_id, slot.starts_at.astimezone(MUNICH).date()].append(slot)
    found: dict[int, dict[int, Slot]] = defaultdict(dict)
    for (office_id, day), of_day in groups.items():
        lines = (
            WatchOffice.objects.filter(
                search=search, office_id=office_id, active=True, date_to__gte=day, date_from__lte=day
            )
            .annotate(on_weekday=F("weekday_mask").bitand(1 << day.weekday()))
            .filter(on_weekday__gt=0)
            .values_list("watch_id", "minute_from", "minute_to")
        )
        minutes = [
            (local.hour * 60 + local.minute, slot) for slot in of_day if (local := _local(slot.starts_at))
        ]
        for watch_id, start, end in lines:
            for minute, slot in minutes:
                if start <= minute < end:
                    found[watch_id][slot.pk] = slot
    return {watch_id: list(of_watch.values()) for watch_id, of_watch in found.items()}


def tell_slots(told: Iterable[tuple[Watch, Sequence[Slot]]], *, now: datetime) -> None:
    """One message for each watch and burst about its slots, the soonest first.

    Days are asked one after the other, so a burst arrives in pieces: the first makes the message, the others are
    added to it.
    """
    told = list(told)
    bursts = _running_bursts([watch.pk for watch, _slots in told], now)
    stamp = int(now.timestamp() * 1000)
    messages = []
    for watch, slots in told:
        if (first := bursts.get(watch.pk)) is not None:
            _add_to_burst(first, slots, now=now)
            continue
        messages.append(
            OutboxMessage(
                subscriber=watch.subscriber,
                kind="slots_opened",
                watch=watch,
                payload=_named(slots, already=0),
                dedup_key=f"slots_opened:{watch.pk}:{stamp}",
                thread=f"slots:{watch.pk}:{stamp}",
                priority=5,
                created_at=now,
                available_at=now,
            )
        )
    enqueue_all(messages)


def _named(slots: Iterable[Slot], *, already: int) -> dict[str, object]:
    """The payload that names the soonest of `slots` and counts the others, `already` counted ones included."""
    soonest = sorted(slots, key=lambda slot: slot.starts_at)
    chosen = soonest[:SLOTS_PER_MESSAGE]
    return {"slots": [slot.pk for slot in chosen], "more": already + len(soonest) - len(chosen)}


def _running_bursts(watch_ids: Sequence[int], now: datetime) -> dict[int, OutboxMessage]:
    """Watch id -> the message of its present burst, as long as something in it is still free."""
    recent = OutboxMessage.objects.filter(
        kind="slots_opened", edits=False, watch__in=watch_ids, created_at__gt=now - BURST, failed_at=None
    ).select_related("subscriber", "watch")
    latest = {message.watch_id: message for message in recent.order_by("created_at") if message.watch_id}
    named = {pk for message in latest.values() for pk in message.payload.get("slots", ())}
    free = set(Slot.objects.filter(pk__in=named, gone_at=None).values_list("pk", flat=True))
    # When all of it is gone, what comes now is news and deserves a sound.
    return {pk: message for pk, message in latest.items() if free & set(message.payload.get("slots", ()))}


def _add_to_burst(first: OutboxMessage, slots: Sequence[Slot], *, now: datetime) -> None:
    before = Slot.objects.filter(pk__in=first.payload.get("slots", ()))
    together = {slot.pk: slot for slot in [*before, *slots]}
    payload = _named(together.values(), already=first.payload.get("more", 0))
    changed = payload["slots"] != first.payload.get("slots")
    first.payload = payload
    OutboxMessage.objects.filter(pk=first.pk).update(payload=payload)
    claimed_or_sent = not OutboxMessage.objects.filter(
        pk=first.pk, sent_at=None, available_at__lte=now
    ).exists()
    if changed and claimed_or_sent:
        _edit(first, now=now)


def _edit(first: OutboxMessage, *, now: datetime) -> None:
    """Show the thread as it is now. An edit that still waits is rendered when it is sent, so one is enough."""
    waiting = OutboxMessage.objects.filter(
        thread=first.thread, edits=True, sent_at=None, failed_at=None, available_at__lte=now
    )
    if waiting.update(payload=first.payload):
        return
    enqueue(
        first.subscriber,
        "slots_opened",
        now=now,
        watch=first.watch,
        payload=first.payload,
        dedup_key=f"{first.thread}:{int(now.timestamp() * 1000)}",
        thread=first.thread,
        edits=True,
        priority=-5,
    )


def update_told_slots(search: Search, gone: Sequence[Slot], *, now: datetime) -> None:
    """Messages that named a slot which is gone are edited, so that they stay true."""
    gone_ids = {slot.pk for slot in gone}
    told = OutboxMessage.objects.filter(
        kind="slots_opened", watch__search=search, edits=False, created_at__gt=now - KEEP_TRUE_FOR
    ).select_related("subscriber", "watch")
    for message in told:
        if gone_ids & set(message.payload.get("slots", ())):
            _edit(message, now=now)


def tell_known_slots(watch: Watch, *, now: datetime, after: date | None = None) -> None:
    """Serve a watch that was just made, changed or resumed with what is free already (on days after `after`)."""
    person = watch.subscriber
    if not (watch.is_watching(now) and person.is_active):
        return
    if _is_served(watch, _busy_people(watch.search), now=now):
        return
    slots = open_slots_for(watch, now=now, limit=50)
    if after is not None:
        slots = [slot for slot in slots if _local(slot.starts_at).date() > after]
    if not slots:
        return
    if watch.mode == Mode.NOTIFY:
        tell_slots([(watch, slots)], now=now)
    else:
        _hand_out([(watch, slots)], now=now)


def _hand_out(takers: Sequence[tuple[Watch, list[Slot]]], *, now: datetime) -> None:
    """Give each person one slot: first every slot to one person, then a second try each, in order of turn."""
    takers, stopped = without_full_offices(takers)
    for watch, own in stopped:
        _tell_mail_limit(watch, own, now=now)
    if not takers:
        return
    unwanted = given_back_starts({watch.subscriber_id for watch, _slots in takers}, takers[0][0].search_id)
    ordered = _soonest_first(takers)
    tries: dict[int, int] = defaultdict(int)
    served: set[int] = set()
    for most in range(1, TRIES_PER_SLOT + 1):
        for watch, slots in ordered:
            if watch.subscriber_id in served:
                continue
            person = watch.subscriber_id
            choice = next(
                (
                    slot
                    for slot in slots
                    if tries[slot.pk] < most and (person, slot.office_id, slot.starts_at) not in unwanted
                ),
                None,
            )
            if choice is None:
                continue
            try:
                start_booking(
                    watch.subscriber, choice, mode=watch.mode, watch=watch, now=now, replaces=watch.improves
                )
            except (AlreadyHolding, AlreadyBooked):
                served.add(watch.subscriber_id)
                continue
            tries[choice.pk] += 1
            served.add(watch.subscriber_id)


def _soonest_first(takers: Sequence[tuple[Watch, list[Slot]]]) -> list[tuple[Watch, list[Slot]]]:
    """Each person's slots, the soonest first; of two at the same time the one at the office they like better."""
    positions: dict[tuple[int, int], int] = {}
    rows = WatchOffice.objects.filter(watch__in=[watch.pk for watch, _slots in takers])
    for watch_id, office_id, position in rows.values_list("watch_id", "office_id", "position"):
        positions[watch_id, office_id] = min(position, positions.get((watch_id, office_id), position))
    return [
        (watch, sorted(slots, key=lambda s: (s.starts_at, positions.get((watch.pk, s.office_id), 0))))
        for watch, slots in takers
    ]


def _tell_mail_limit(watch: Watch, own: Booking, *, now: datetime) -> None:
    """Say, once, that what opens is not held because the city would refuse the address in the end."""
    enqueue(
        watch.subscriber,
        "mail_limit_ahead",
        now=now,
        booking=own,
        watch=watch,
        dedup_key=f"mail_limit_ahead:{watch.pk}:{own.pk}",
        priority=5,
    )


Busy = dict[tuple[int, int | None], set[int]]


def _busy_people(search: Search) -> Busy:
    """(subscriber, profile) -> their live bookings for the search's main service: such people are served already."""
    live: Busy = defaultdict(set)
    rows = Booking.objects.filter(main_service=search.main_service_id, state__in=LIVE, ended_at=None)
    for person, profile, booking in rows.values_list("subscriber_id", "profile_id", "pk"):
        live[person, profile].add(booking)
    return live


def _is_served(watch: Watch, busy: Busy, *, now: datetime) -> bool:
    """Whether nothing is to be had for `watch`; the appointment it is to improve stands in nobody's way."""
    live = busy.get((watch.subscriber_id, watch.profile_id), set())
    if watch.improves_id is None:
        return bool(live)
    return live != {watch.improves_id} or not may_improve_now(watch, now=now)


def _local(at: datetime) -> datetime:
    return at.astimezone(MUNICH)
