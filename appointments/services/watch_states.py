"""How a watch ends."""

from datetime import datetime

from django.db import transaction

from appointments.models import Watch, WatchOffice
from appointments.services.targets import refresh_targets

State = Watch.State


def end_watch(watch: Watch, state: str, *, now: datetime) -> bool:
    """End a standing watch as fulfilled, expired or deleted. False when it had ended before."""
    with transaction.atomic():
        ended = Watch.objects.filter(pk=watch.pk, ended_at=None).update(state=state, ended_at=now)
        if ended:
            watch.state, watch.ended_at = state, now
            WatchOffice.objects.filter(watch=watch).update(active=False)
            refresh_targets(watch.search, now=now)
    return bool(ended)
