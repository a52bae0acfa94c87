"""Telling staff when a kind of calls stays stopped, or when the city has put our address on its list: once each.

An alert is a row, shown on the dashboard until it is over. It also goes to the staff's chat if there is one
(`STAFF_CHAT`), else by e-mail if `ADMIN_EMAILS` names somebody. The row is written first and by exactly one process,
so nobody is told twice; a mail server that does not answer costs the mail, never the row.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import mail_admins
from django.db import transaction
from django.utils.module_loading import import_string

from appointments.models import CircuitBreaker, GateState, StaffAlert, Subscriber
from appointments.services.outbox import enqueue

logger = logging.getLogger(__name__)

# A breaker that opens and closes within it is the machinery at work; afterwards somebody should look.
ESCALATE_AFTER = timedelta(minutes=15)
Told = StaffAlert.Told


def escalate(*, now: datetime) -> tuple[int, int]:
    """Raise alerts for what has been bad for long, end those that are over. Returns (raised, ended)."""
    bad = {alert.key: alert for alert in _standing_troubles(now)}
    known = set(StaffAlert.objects.filter(key__in=bad).values_list("key", flat=True))
    raised = sum(_raise(alert, now=now) for key, alert in bad.items() if key not in known)
    over = StaffAlert.objects.filter(over_at=None).exclude(key__in=bad)
    ended = sum(_end(alert, now=now) for alert in over)
    return raised, ended


def _standing_troubles(now: datetime) -> list[StaffAlert]:
    breakers = CircuitBreaker.objects.exclude(state=CircuitBreaker.State.CLOSED).filter(
        by_hand=False, opened_at__lte=now - ESCALATE_AFTER
    )
    found = [
        StaffAlert(
            key=f"breaker:{breaker.name}:{breaker.opened_at:%Y%m%dT%H%M%S%z}",
            kind="breaker_open",
            subject=breaker.name,
            reason=breaker.reason,
            since=breaker.opened_at,
        )
        for breaker in breakers
        if breaker.opened_at is not None
    ]
    refused = GateState.objects.filter(pause_reason="refused", paused_until__gt=now)
    found += [
        StaffAlert(
            key=f"refused:{gate.egress}:{gate.refused_at:%Y%m%dT%H%M%S%z}"[:100],
            kind="address_refused",
            subject=gate.egress,
            reason="IP_BLACKLISTED",
            since=gate.refused_at,
        )
        for gate in refused
        if gate.refused_at is not None
    ]
    return found


def _raise(alert: StaffAlert, *, now: datetime) -> bool:
    person = _staff_subscriber()
    with transaction.atomic():
        _row, created = StaffAlert.objects.get_or_create(
            key=alert.key,
            defaults={
                "kind": alert.kind,
                "subject": alert.subject,
                "reason": alert.reason,
                "since": alert.since,
                "raised_at": now,
                "told": Told.CHAT if person else Told.MAIL if settings.ADMINS else Told.DASHBOARD,
            },
        )
        if not created:
            return False
        if person is not None:
            _tell(person, alert, "bad", now=now)
    logger.error(
        "Staff alert raised", extra={"kind": alert.kind, "part": alert.subject, "reason": alert.reason}
    )
    if person is None and settings.ADMINS:
        _mail(alert, f"{alert.subject}: stopped since {alert.since:%Y-%m-%d %H:%M} UTC ({alert.reason})")
    return True


def _end(alert: StaffAlert, *, now: datetime) -> bool:
    person = _staff_subscriber()
    with transaction.atomic():
        if not StaffAlert.objects.filter(pk=alert.pk, over_at=None).update(over_at=now):
            return False
        if person is not None:
            _tell(person, alert, "over", now=now)
    if person is None and settings.ADMINS:
        _mail(alert, f"{alert.subject}: works again")
    return True


def _tell(person: Subscriber, alert: StaffAlert, what: str, *, now: datetime) -> None:
    enqueue(
        person,
        "staff_alert",
        now=now,
        payload={
            "what": what,
            "kind": alert.kind,
            "subject": alert.subject,
            "reason": alert.reason,
            "since": alert.since.isoformat(),
        },
        dedup_key=f"staff_alert:{alert.key}:{what}",
        priority=8,
    )


def _staff_subscriber() -> Subscriber | None:
    """Who reads the staff's chat, as the channel knows it; None while no chat is set or it has not said /start."""
    if not settings.STAFF_CHAT:
        return None
    found: Subscriber | None = import_string(settings.STAFF_SUBSCRIBER)(settings.STAFF_CHAT)
    return found


def _mail(alert: StaffAlert, text: str) -> None:
    """Best effort: the dashboard has the alert whatever becomes of the mail."""
    try:
        mail_admins(
            f"Munich Termin Automator: {alert.subject}", f"{text}\n\n{settings.PUBLIC_URL}/dashboard/\n"
        )
    except OSError:
        logger.error("Staff alert not mailed", extra={"kind": alert.kind})
