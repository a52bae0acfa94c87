"""Which requests serve the present watches. How many they are depends on the searches, not on the people."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q

from appointments.models import Booking, PollTarget, Search, WatchOffice
from appointments.selectors.watches import MUNICH

Kind = PollTarget.Kind
# Days whose times are asked for, per waiting watch and per search: the soonest serve people best.
DAYS_PER_WINDOW = 3
DAYS_PER_SEARCH = 10
# The days after them, as long as nothing changes there.
LATER_EVERY = timedelta(minutes=10)
# The city's jobs begin with the minute and need a moment.
MINUTE_JOBS_TAKE = timedelta(seconds=5)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def refresh_targets(search: Search, *, now: datetime) -> None:
    """Make the sweeps of `search` fit its active watches; they are due at once."""
    _fit(search, now=now)
    # A new watch may accept days that nobody asked about before.
    PollTarget.objects.filter(search=search, kind=Kind.SWEEP, active=True, next_due_at__gt=now).update(
        next_due_at=now
    )


def refit_targets(*, now: datetime) -> None:
    """Make all sweeps fit the catalogue as it is now; those that serve on keep their turn."""
    wanted = WatchOffice.objects.filter(active=True).values("search")
    active = PollTarget.objects.filter(kind=Kind.SWEEP, active=True).values("search")
    for search in Search.objects.filter(Q(pk__in=wanted) | Q(pk__in=active)):
        _fit(search, now=now)


def _fit(search: Search, *, now: datetime) -> None:
    """Start the sweeps that somebody needs, end the others; what is started anew is due at once."""
    offices = WatchOffice.objects.filter(
        search=search, active=True, office__withdrawn_at=None, office__bookable=True
    )
    for guarded in (False, True):
        if not offices.filter(office__captcha_required=guarded).exists():
            PollTarget.objects.filter(search=search, guarded=guarded, active=True).update(active=False)
            continue
        target, created = PollTarget.objects.get_or_create(
            search=search,
            guarded=guarded,
            kind=Kind.SWEEP,
            day=None,
            defaults={"next_due_at": now, "wanted_since": now},
        )
        if not created and not target.active:
            # What was known before the break is old: everything bookable counts as new.
            PollTarget.objects.filter(pk=target.pk).update(
                active=True, next_due_at=now, wanted_since=now, days={}, last_error=""
            )


def refresh_details(
    sweep: PollTarget, days: dict[date, set[int]], slots_day: date | None, *, now: datetime
) -> None:
    """Ask for the times of days that some active watch accepts; forget days that nobody wants or that are full.

    `days`: bookable day -> primary keys of offices. New days are due at once, known ones keep their turn.
    """
    soonest, later = _wanted_days(sweep, days)
    details = PollTarget.objects.filter(search=sweep.search_id, guarded=sweep.guarded, kind=Kind.DETAIL)
    known = {target.day: target for target in details}
    before = {date.fromisoformat(day): set(offices) for day, offices in sweep.days.items()}
    changed = {day for day in days if days[day] != before.get(day)}
    # Days further ahead are asked when something changes there, else now and then, the longest unasked first.
    due_later = [day for day in later if day in changed or _is_due(known.get(day), now)]
    due_later.sort(key=lambda day: (day not in changed, _answered_at(known.get(day)), day))
    wanted = [*soonest, *due_later[: max(0, DAYS_PER_SEARCH - len(soonest))]]
    details.filter(active=True).exclude(day__in=wanted).update(active=False)
    for day in wanted:
        target = known.get(day)
        if target is None:
            # The sweep itself brought the times of one day; its detail may wait for its turn.
            due = now + timedelta(seconds=30) if day == slots_day else now
            PollTarget.objects.get_or_create(
                search_id=sweep.search_id,
                guarded=sweep.guarded,
                kind=Kind.DETAIL,
                day=day,
                defaults={"next_due_at": due, "wanted_since": now},
            )
        elif (day in changed and day != slots_day) or not target.active:
            PollTarget.objects.filter(pk=target.pk).update(active=True, next_due_at=now, wanted_since=now)


def _is_due(detail: PollTarget | None, now: datetime) -> bool:
    """Whether a day further ahead has its turn: never answered, long ago, or its turn has come and is not over."""
    if detail is None or _answered_at(detail) <= now - LATER_EVERY:
        return True
    return detail.active and detail.next_due_at <= now


def _answered_at(detail: PollTarget | None) -> datetime:
    return (detail.answered_at if detail is not None else None) or LONG_AGO


def _wanted_days(sweep: PollTarget, days: dict[date, set[int]]) -> tuple[list[date], list[date]]:
    """The soonest bookable days of every distinct window of the search's active watches, and the days after them."""
    windows: dict[tuple[date, date, int], set[int]] = defaultdict(set)
    rows = WatchOffice.objects.filter(
        search=sweep.search_id,
        active=True,
        office__captcha_required=sweep.guarded,
    )
    for first, last, mask, office_id in rows.values_list(
        "date_from", "date_to", "weekday_mask", "office_id"
    ).distinct():
        windows[first, last, mask].add(office_id)
    soonest: set[date] = set()
    every: set[date] = set()
    for (first, last, mask), offices in windows.items():
        fitting = [
            day
            for day in sorted(days)
            if first <= day <= last and mask & (1 << day.weekday()) and offices & days[day]
        ]
        soonest.update(fitting[:DAYS_PER_WINDOW])
        every.update(fitting)
    first_days = sorted(soonest)[:DAYS_PER_SEARCH]
    return first_days, sorted(every.difference(first_days))


def look_soon(booking: Booking, *, at: datetime) -> None:
    """Have the day of this booking read again at `at`, unless its turn comes sooner: what is free there has changed."""
    day = booking.starts_at.astimezone(MUNICH).date()
    asks = Q(kind=Kind.DETAIL, day=day) | Q(kind=Kind.SWEEP)
    late = PollTarget.objects.filter(asks, search=booking.search_id, active=True, next_due_at__gt=at)
    late.filter(guarded=booking.office.captcha_required).update(next_due_at=at)


def after_the_next_minute_jobs(now: datetime) -> datetime:
    """When a place that was given back now can show in the calendar: the city frees it in jobs of each full minute.

    Source: recorded answers; a cancelled reservation was not bookable before they had run.
    """
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1) + MINUTE_JOBS_TAKE
