"""Which requests serve the present watches. How many they are depends on the searches, not on the people."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from appointments.models import PollTarget, Search, WatchOffice

Kind = PollTarget.Kind
# Days whose times are asked for, per waiting watch and per search: the soonest serve people best.
DAYS_PER_WINDOW = 3
DAYS_PER_SEARCH = 10


def refresh_targets(search: Search, *, now: datetime) -> None:
    """Make the sweeps of `search` fit its active watches; a sweep newly wanted is due at once."""
    wanted = {
        guarded: WatchOffice.objects.filter(
            search=search, active=True, office__captcha_required=guarded
        ).exists()
        for guarded in (False, True)
    }
    for guarded, needed in wanted.items():
        if not needed:
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
    # A new watch may accept days that nobody asked about before.
    PollTarget.objects.filter(search=search, kind=Kind.SWEEP, active=True, next_due_at__gt=now).update(
        next_due_at=now
    )


def refresh_details(
    sweep: PollTarget, days: dict[date, set[int]], slots_day: date | None, *, now: datetime
) -> None:
    """Ask for the times of days that some active watch accepts; forget days that nobody wants or that are full.

    `days`: bookable day -> primary keys of offices. New days are due at once, known ones keep their turn.
    """
    wanted = _wanted_days(sweep, days)
    details = PollTarget.objects.filter(search=sweep.search_id, guarded=sweep.guarded, kind=Kind.DETAIL)
    details.filter(active=True).exclude(day__in=wanted).update(active=False)
    known = {target.day: target for target in details.filter(day__in=wanted)}
    before = {date.fromisoformat(day): set(offices) for day, offices in sweep.days.items()}
    for day in wanted:
        changed = days[day] != before.get(day)
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
        elif (changed and day != slots_day) or not target.active:
            PollTarget.objects.filter(pk=target.pk).update(active=True, next_due_at=now, wanted_since=now)


def _wanted_days(sweep: PollTarget, days: dict[date, set[int]]) -> list[date]:
    """The soonest bookable days of every distinct window of the search's active watches."""
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
    wanted: set[date] = set()
    for (first, last, mask), offices in windows.items():
        fitting = [
            day
            for day in sorted(days)
            if first <= day <= last and mask & (1 << day.weekday()) and offices & days[day]
        ]
        wanted.update(fitting[:DAYS_PER_WINDOW])
    return sorted(wanted)[:DAYS_PER_SEARCH]
