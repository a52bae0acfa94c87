"""Which searches are for emergencies: services whose slots are for today and tomorrow only, added during the day."""

from datetime import datetime, timedelta

from django.db.models import Count, Q

from appointments.models import Search, Slot, Watch
from appointments.selectors.watches import MUNICH

# Parts of the city's names for such services, in lower case.
NAMED = ("notfall", "emergency", "eilfall", "sofort")
# So many slots have to have been seen before their days say something.
ENOUGH_SLOTS = 20
REMEMBERED = timedelta(days=14)


def judge_searches(*, now: datetime) -> int:
    """Decide for every search somebody watches whether it has an emergency's pace. Returns how many changed."""
    changed = 0
    watched = Search.objects.filter(watches__state=Watch.State.ACTIVE).select_related("main_service")
    for search in watched.distinct():
        changed += judge_search(search, now=now)
    return changed


def judge_search(search: Search, *, now: datetime) -> bool:
    """Staff's word, else the name, else what all its watches want, else the days the city has shown."""
    service = search.main_service
    if service.emergency is not None:
        short = service.emergency
    else:
        name = service.name.lower()
        short = any(part in name for part in NAMED) or _all_want_tomorrow(search) or _never_later(search, now)
    return bool(Search.objects.filter(pk=search.pk).exclude(short_notice=short).update(short_notice=short))


def _all_want_tomorrow(search: Search) -> bool:
    active = Watch.objects.filter(search=search, state=Watch.State.ACTIVE)
    counts = active.aggregate(all=Count("pk"), near=Count("pk", filter=Q(rolling_days__lte=1)))
    return bool(counts["all"]) and counts["all"] == counts["near"]


def _never_later(search: Search, now: datetime) -> bool:
    """Whether every slot seen lately was for the day it appeared on or the day after."""
    seen = Slot.objects.filter(search=search, appeared_at__gt=now - REMEMBERED)
    days = list(seen.order_by("-starts_at").values_list("appeared_at", "starts_at")[:500])
    return len(days) >= ENOUGH_SLOTS and all(
        (starts.astimezone(MUNICH).date() - appeared.astimezone(MUNICH).date()).days <= 1
        for appeared, starts in days
    )
