"""A person's watches: made, changed, paused, snoozed, ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from appointments import selections
from appointments.errors import InvalidValue, NotAllowed, WatchLimitReached
from appointments.models import Office, Search, Service, Subscriber, Watch, WatchOffice
from appointments.models.watch import HORIZON, WHOLE_DAY
from appointments.selectors.catalogue import facts, in_order, offices_for, with_siblings
from appointments.selectors.watches import MOST_WATCHES, MUNICH, chosen_offices
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

    Reasons: those of `selections.Reason` with their details (`service`, `office`, `most`, `needed`), "exclusive" where
    one office has to be chosen on purpose, "past", "reversed", "too_far", "hours", "mode".
    """
    known = facts({item.service_id for item in wish.services})
    verdict = selections.judge(known, wish.services)
    if verdict.problem is not None:
        raise _invalid("services", verdict.problem)
    possible = in_order(verdict.offices)
    by_id = {office.pk: office for office in possible}
    offices = [by_id[pk] for pk in wish.office_ids if pk in by_id] if wish.office_ids else possible
    if not offices:
        raise _invalid("offices", _why_not(verdict, wish))
    if not wish.office_ids and selections.must_choose(known, verdict.offices):
        raise InvalidValue("offices", "exclusive")
    _check_days(wish, now.astimezone(MUNICH).date())
    if any(not 0 < mask < 128 or not 0 <= start < end <= 1440 for mask, start, end in wish.hours):
        raise InvalidValue("hours", "hours")
    if wish.mode not in Watch.Mode.values:
        raise InvalidValue("mode", "mode")
    return offices


def _invalid(field: str, problem: selections.Problem) -> InvalidValue:
    return InvalidValue(
        field,
        problem.reason,
        service=problem.service,
        office=problem.office,
        most=problem.most,
        needed=problem.needed,
    )


def _why_not(verdict: selections.Verdict, wish: WatchWish) -> selections.Problem:
    """Why none of the chosen offices takes it, though others do."""
    chosen = set(Office.objects.filter(pk__in=wish.office_ids).values_list("upstream_id", flat=True))
    problems = [problem for problem in verdict.refusals if problem.office in chosen]
    return problems[0] if problems else selections.Problem(selections.Reason.NO_OFFICE)


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
    tell_known_slots(watch, now=now)


def spread_watch(watch: Watch, offices: list[Office], *, now: datetime) -> None:
    """Write the (office, hours) lines that matching reads.

    Offices booked as one with a chosen one get lines of the same preference: the city deals their times out in turn.
    """
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
        for position, group in enumerate(_groups(offices, watch.search.services))
        for office in group
        for mask, start, end in watch.hour_windows
    )


def _groups(offices: list[Office], services: tuple[ServiceCount, ...]) -> list[list[Office]]:
    """The offices with those booked as one with them, each group once, in order."""
    groups: dict[int, list[Office]] = {}
    for office in with_siblings(offices, services):
        pool = [number for number in office.shared_booking_offices if number in groups]
        groups.setdefault(pool[0] if pool else office.upstream_id, []).append(office)
    return list(groups.values())


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
    take_up_new_offices(now=now)
    return ended


def _move_window(watch: Watch, first: date, last: date, *, now: datetime) -> None:
    """Let the window begin today; what is free already on days that came in is news to this person."""
    lines = WatchOffice.objects.filter(watch=watch)
    former_last = lines.values_list("date_to", flat=True).order_by("-date_to").first()
    with transaction.atomic():
        moved = lines.exclude(date_from=first, date_to=last).update(date_from=first, date_to=last)
        if moved and former_last is not None and former_last < last:
            tell_known_slots(watch, now=now, after=former_last)


def take_up_new_offices(*, now: datetime) -> int:
    """Give standing watches the offices that came into the catalogue and belong to what they accept.

    Who takes any office takes new ones, too; who takes one of several that are booked as one takes all of those.
    Returns how many watches changed.
    """
    standing = Watch.objects.filter(state=State.ACTIVE).select_related("subscriber", "search")
    changed = 0
    for search in Search.objects.filter(pk__in=standing.values("search")):
        possible = {office.pk: office for office in offices_for(search.services)}
        grown = False
        lines = WatchOffice.objects.filter(search=search, active=True)
        accepted: dict[int, set[int]] = {}
        for watch_id, office_id in lines.order_by().values_list("watch_id", "office_id").distinct():
            accepted.setdefault(watch_id, set()).add(office_id)
        wanted_by_lines: dict[frozenset[int], list[Office]] = {}
        for watch in standing.filter(search=search):
            mine = frozenset(accepted.get(watch.pk, ()))
            if mine not in wanted_by_lines:
                chosen = [office for pk, office in possible.items() if pk in mine]
                wanted_by_lines[mine] = with_siblings(chosen, search.services)
            if watch.any_office and not _exclusive(possible.values(), mine):
                wanted = list(possible.values())
            else:
                wanted = wanted_by_lines[mine]
            if {office.pk for office in wanted} - mine:
                with transaction.atomic():
                    spread_watch(
                        watch, wanted if watch.any_office else _in_their_order(watch, wanted), now=now
                    )
                grown = True
                changed += 1
        if grown:
            with transaction.atomic():
                refresh_targets(search, now=now)
    return changed


def _exclusive(possible: Iterable[Office], mine: frozenset[int]) -> bool:
    """Whether an office stands for no other: then nobody is given another one instead or besides."""
    return bool(mine) and any(office.exclusive for office in possible)


def _in_their_order(watch: Watch, offices: list[Office]) -> list[Office]:
    """The chosen offices in the person's order of preference; those booked as one with them come with them."""
    wanted = {office.pk for office in offices}
    return [office for office in chosen_offices(watch) if office.pk in wanted] or offices


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
