"""A person's watches: made, changed, paused, snoozed, ended."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from appointments.errors import InvalidValue, NotAllowed, WatchLimitReached
from appointments.models import Office, Search, Service, Subscriber, Watch, WatchOffice
from appointments.models.watch import HORIZON, WHOLE_DAY
from appointments.selectors.catalogue import largest_count, may_be_combined, offices_for
from appointments.selectors.watches import MOST_WATCHES, MUNICH, chosen_offices
from appointments.services.emergencies import judge_search
from appointments.services.matching import tell_known_slots
from appointments.services.outbox import enqueue
from appointments.services.targets import refresh_targets
from appointments.services.watch_states import end_watch
from appointments.upstream.types import ServiceCount

State = Watch.State


@dataclass(frozen=True)
class WatchWish:
    """What a person asks for. `office_ids` are primary keys in order of preference; () means any office.

    `hours`: (weekday mask, from minute, to minute) windows, Monday is bit 0, end excluded; () means any time.
    """

    services: tuple[ServiceCount, ...]
    office_ids: tuple[int, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    rolling_days: int | None = None
    hours: tuple[tuple[int, int, int], ...] = ()
    mode: str = Watch.Mode.NOTIFY
    minimum_notice_minutes: int = 0


def create_watch(subscriber: Subscriber, wish: WatchWish, *, now: datetime) -> Watch:
    """Start watching; the first look at the city follows within a second.

    Raises `InvalidValue` (field, reason) or `WatchLimitReached`; then nothing was made.
    """
    offices = check_wish(wish, now=now)
    with transaction.atomic():
        if Watch.objects.filter(subscriber=subscriber, ended_at=None).count() >= MOST_WATCHES:
            raise WatchLimitReached(str(MOST_WATCHES))
        watch = Watch(subscriber=subscriber, created_at=now, waiting_since=now)
        _apply(watch, wish, offices, now=now)
    return watch


def change_watch(watch: Watch, wish: WatchWish, *, now: datetime) -> Watch:
    """Change every point of a watch at once; the person's place in the queue stays. Raises like `create_watch`."""
    offices = check_wish(wish, now=now)
    with transaction.atomic():
        _require_standing(watch)
        former_search = watch.search
        _apply(watch, wish, offices, now=now)
        if former_search.pk != watch.search_id:
            refresh_targets(former_search, now=now)
    return watch


def check_wish(wish: WatchWish, *, now: datetime) -> list[Office]:
    """The offices the wish means. Raises `InvalidValue` naming the point that cannot be.

    Reasons: "unknown", "count", "not_combinable", "no_office", "past", "reversed", "too_far", "hours", "mode".
    """
    services = {s.upstream_id: s for s in Service.objects.filter(withdrawn_at=None)}
    if not wish.services or any(item.service_id not in services for item in wish.services):
        raise InvalidValue("services", "unknown")
    for item in wish.services:
        most = largest_count(services[item.service_id])
        if not 1 <= item.count <= most:
            raise InvalidValue("services", "count", most=most)
    if len(wish.services) > 1 and not may_be_combined(wish.services):
        raise InvalidValue("services", "not_combinable")
    possible = offices_for(wish.services)
    by_id = {office.pk: office for office in possible}
    offices = [by_id[pk] for pk in wish.office_ids if pk in by_id] if wish.office_ids else possible
    if not offices:
        raise InvalidValue("offices", "no_office")
    _check_days(wish, now.astimezone(MUNICH).date())
    if any(not 0 < mask < 128 or not 0 <= start < end <= 1440 for mask, start, end in wish.hours):
        raise InvalidValue("hours", "hours")
    if wish.mode not in Watch.Mode.values:
        raise InvalidValue("mode", "mode")
    return offices


def _check_days(wish: WatchWish, today: date) -> None:
    if wish.rolling_days is not None and not 0 <= wish.rolling_days <= HORIZON.days:
        raise InvalidValue("days", "too_far", days=HORIZON.days)
    if wish.date_to is not None and wish.date_to < today:
        raise InvalidValue("days", "past")
    if wish.date_from is not None and wish.date_from > today + HORIZON:
        raise InvalidValue("days", "too_far", days=HORIZON.days)
    if wish.date_from is not None and wish.date_to is not None and wish.date_from > wish.date_to:
        raise InvalidValue("days", "reversed")
    rolling_last = today + timedelta(days=wish.rolling_days) if wish.rolling_days is not None else None
    if rolling_last is not None and wish.date_from is not None and wish.date_from > rolling_last:
        # Nothing would be left today, and the watch would end before its first day.
        raise InvalidValue("days", "reversed")


def wish_of(watch: Watch) -> WatchWish:
    """The wish behind a watch, to change one point of it."""
    return WatchWish(
        services=watch.search.services,
        office_ids=() if watch.any_office else tuple(office.pk for office in chosen_offices(watch)),
        date_from=watch.date_from,
        date_to=watch.date_to,
        rolling_days=watch.rolling_days,
        hours=() if watch.hour_windows == (WHOLE_DAY,) else watch.hour_windows,
        mode=watch.mode,
        minimum_notice_minutes=watch.minimum_notice_minutes,
    )


def search_for(services: tuple[ServiceCount, ...], *, now: datetime) -> Search:
    """The one row for these services and counts."""
    main = Service.objects.get(upstream_id=services[0].service_id)
    search, _created = Search.objects.get_or_create(
        key=Search.key_for(services), defaults={"main_service": main, "created_at": now}
    )
    return search


def _apply(watch: Watch, wish: WatchWish, offices: list[Office], *, now: datetime) -> None:
    watch.search = search_for(wish.services, now=now)
    watch.mode = wish.mode
    watch.any_office = not wish.office_ids
    watch.date_from, watch.date_to, watch.rolling_days = wish.date_from, wish.date_to, wish.rolling_days
    watch.hours = [list(window) for window in wish.hours]
    watch.minimum_notice_minutes = wish.minimum_notice_minutes
    watch.save()
    spread_watch(watch, offices, now=now)
    refresh_targets(watch.search, now=now)
    judge_search(watch.search, now=now)
    tell_known_slots(watch, now=now)


def spread_watch(watch: Watch, offices: list[Office], *, now: datetime) -> None:
    """Write the (office, hours) lines that matching reads."""
    first, last = watch.window(now.astimezone(MUNICH).date())
    WatchOffice.objects.filter(watch=watch).delete()
    WatchOffice.objects.bulk_create(
        WatchOffice(
            watch=watch,
            search_id=watch.search_id,
            office=office,
            position=position,
            date_from=first,
            date_to=last,
            weekday_mask=mask,
            minute_from=start,
            minute_to=end,
            active=watch.state == State.ACTIVE,
        )
        for position, office in enumerate(offices)
        for mask, start, end in watch.hour_windows
    )


def pause_watch(watch: Watch, *, now: datetime) -> None:
    """Stop watching until resumed. Raises `NotAllowed` if the watch has ended."""
    _set_state(watch, State.PAUSED, now=now)


def resume_watch(watch: Watch, *, now: datetime) -> None:
    """Watch again, from now on and with fresh days. Raises `NotAllowed` if the watch has ended."""
    with transaction.atomic():
        Watch.objects.filter(pk=watch.pk).update(snoozed_until=None)
        watch.snoozed_until = None
        _set_state(watch, State.ACTIVE, now=now)
        spread_watch(watch, chosen_offices(watch), now=now)
        tell_known_slots(watch, now=now)


def snooze_watch(watch: Watch, until: datetime, *, now: datetime) -> None:
    """Stay silent until `until` (aware); the watch itself stays active."""
    _require_standing(watch)
    watch.snoozed_until = until if until > now else None
    watch.save(update_fields=["snoozed_until"])


def delete_watch(watch: Watch, *, now: datetime) -> None:
    """End a watch because the person said so; deleting twice changes nothing."""
    end_watch(watch, State.DELETED, now=now)


def renew_windows(*, now: datetime) -> int:
    """Once a day: move rolling windows on and end watches whose last day is over. Returns how many ended."""
    today = now.astimezone(MUNICH).date()
    ended = 0
    for watch in Watch.objects.filter(state=State.ACTIVE).select_related("subscriber", "search"):
        first, last = watch.window(today)
        if last < first:
            with transaction.atomic():
                if end_watch(watch, State.EXPIRED, now=now):
                    enqueue(
                        watch.subscriber,
                        "watch_expired",
                        now=now,
                        watch=watch,
                        dedup_key=f"watch_expired:{watch.pk}",
                    )
                    ended += 1
        else:
            _move_window(watch, first, last, now=now)
    _take_up_new_offices(now=now)
    return ended


def _move_window(watch: Watch, first: date, last: date, *, now: datetime) -> None:
    """Let the window begin today; what is free already on days that came in is news to this person."""
    lines = WatchOffice.objects.filter(watch=watch)
    former_last = lines.values_list("date_to", flat=True).order_by("-date_to").first()
    with transaction.atomic():
        moved = lines.exclude(date_from=first, date_to=last).update(date_from=first, date_to=last)
        if moved and former_last is not None and former_last < last:
            tell_known_slots(watch, now=now, after=former_last)


def _take_up_new_offices(*, now: datetime) -> None:
    """Who takes any office takes those that came into the catalogue, too."""
    standing = Watch.objects.filter(state=State.ACTIVE, any_office=True).select_related(
        "subscriber", "search"
    )
    for search in Search.objects.filter(pk__in=standing.values("search")):
        for office in offices_for(search.services):
            for watch in standing.filter(search=search).exclude(offices__office=office):
                with transaction.atomic():
                    spread_watch(watch, offices_for(search.services), now=now)
                    refresh_targets(search, now=now)


def wake_snoozed(*, now: datetime) -> int:
    """Tell people whose snooze is over what is free for them now. Returns how many watches woke."""
    over = Watch.objects.filter(state=State.ACTIVE, snoozed_until__lte=now).select_related(
        "search", "subscriber"
    )
    for watch in over:
        with transaction.atomic():
            if Watch.objects.filter(pk=watch.pk, snoozed_until=watch.snoozed_until).update(
                snoozed_until=None
            ):
                watch.snoozed_until = None
                tell_known_slots(watch, now=now)
    return len(over)


def _set_state(watch: Watch, state: str, *, now: datetime) -> None:
    with transaction.atomic():
        _require_standing(watch)
        watch.state = state
        watch.save(update_fields=["state"])
        WatchOffice.objects.filter(watch=watch).update(active=state == State.ACTIVE)
        refresh_targets(watch.search, now=now)


def _require_standing(watch: Watch) -> None:
    watch.refresh_from_db(fields=["state", "ended_at"])
    if watch.ended_at is not None:
        raise NotAllowed("this watch has ended")


def tomorrow_morning(now: datetime) -> datetime:
    """Seven o'clock tomorrow in Munich, for "snooze until tomorrow"."""
    local = now.astimezone(MUNICH) + timedelta(days=1)
    return local.replace(hour=7, minute=0, second=0, microsecond=0)
