"""Whose watch cannot see, and who sees again: told once each, whatever restarts in between.

What was told is written in the watch itself (`blind_since`), in the same transaction as the message.
"""

from datetime import datetime, timedelta

from django.db import transaction

from appointments import limits
from appointments.models import CircuitBreaker, GateState, PollTarget, Watch
from appointments.selectors.traffic import city_rules
from appointments.services.outbox import enqueue
from appointments.services.verification import HUMAN_NEEDED

BLIND_AFTER = timedelta(minutes=3)


def tell_blindness(*, now: datetime) -> tuple[int, int]:
    """Tell people whose watch cannot see, and tell them again when it sees; once each.

    A watch is blind when one of its sweeps fails, or cannot be asked because the city wants a pause, and has not been
    answered for `BLIND_AFTER`. Returns (told blind, told seeing).
    """
    sweeps = PollTarget.objects.filter(kind=PollTarget.Kind.SWEEP, active=True)
    trouble = _trouble(now)
    blind: dict[int, tuple[datetime, str]] = {}
    for sweep in sweeps:
        since = max(filter(None, (sweep.answered_at, sweep.wanted_since)), default=now)
        reason = sweep.last_error or trouble
        if reason == HUMAN_NEEDED:
            continue  # people are asked to solve instead: `verification.offer_watching`
        if reason and since <= now - BLIND_AFTER:
            blind[sweep.search_id] = since, reason
    # Whoever was answered lately sees again, and only if that goes for each sweep of the search.
    waiting = sweeps.exclude(last_error="", answered_at__gt=now - BLIND_AFTER)
    seeing = set(sweeps.values_list("search_id", flat=True)) - set(
        waiting.values_list("search_id", flat=True)
    )
    told = [0, 0]
    watches = Watch.objects.filter(state=Watch.State.ACTIVE).select_related("subscriber")
    for watch in watches.filter(search__in=blind, blind_since=None):
        since, reason = blind[watch.search_id]
        since = max(since, watch.waiting_since)
        if since > now - BLIND_AFTER:
            continue
        with transaction.atomic():
            if Watch.objects.filter(pk=watch.pk, blind_since=None).update(blind_since=since):
                enqueue(
                    watch.subscriber,
                    "watch_blind",
                    now=now,
                    watch=watch,
                    payload={"reason": reason, "since": since.isoformat()},
                    dedup_key=f"watch_blind:{watch.pk}:{since.isoformat()}",
                )
                told[0] += 1
    for watch in watches.filter(blind_since__isnull=False, search__in=seeing - set(blind)):
        with transaction.atomic():
            if Watch.objects.filter(pk=watch.pk, blind_since=watch.blind_since).update(blind_since=None):
                enqueue(
                    watch.subscriber,
                    "watch_sees",
                    now=now,
                    watch=watch,
                    payload={"since": watch.blind_since.isoformat() if watch.blind_since else ""},
                    dedup_key=f"watch_sees:{watch.pk}:{watch.blind_since}",
                )
                told[1] += 1
    return told[0], told[1]


def _trouble(now: datetime) -> str:
    """Why nothing can be asked at present, as a code; "" while calls pass."""
    breaker = (
        CircuitBreaker.objects.filter(name="watching").exclude(state=CircuitBreaker.State.CLOSED).first()
    )
    if breaker is not None:
        return breaker.reason or "breakerOpen"
    gate = GateState.objects.filter(paused_until__gt=now).first()
    if gate is not None:
        return gate.pause_reason or "slow_down"
    rules = city_rules()
    gates = GateState.objects.filter(day=limits.local_day(now))
    return "quota" if any(limits.is_quota_used_up(gate.ledger, now, rules) for gate in gates) else ""
