"""The right to be the only one: one row, one conditional UPDATE, no waiting. Works on SQLite and PostgreSQL alike."""

from datetime import datetime, timedelta

from django.db.models import F, Q

from appointments.models import Lease


def take_lease(name: str, duration: timedelta, *, now: datetime, left_by: str = "") -> int | None:
    """Take the lease `name` until `now + duration`. Returns its epoch, or None while somebody else has it.

    `left_by`: this holder is known to have ended, so what it still has is free. Had it not, the raised epoch stops it.
    """
    free = Q(until=None) | Q(until__lte=now)
    if left_by:
        free |= Q(holder=left_by)
    for _attempt in range(2):
        if Lease.objects.filter(free, name=name).update(epoch=F("epoch") + 1, until=now + duration):
            return Lease.objects.values_list("epoch", flat=True).get(name=name)
        if Lease.objects.filter(name=name).exists():
            return None
        Lease.objects.get_or_create(name=name)
    return None


def pass_lease(name: str, epoch: int, duration: timedelta, *, now: datetime, holder: str = "") -> int | None:
    """Renew a lease that is ours, raising the epoch: of two copies of one task exactly one goes on."""
    renewed = Lease.objects.filter(name=name, epoch=epoch).update(
        epoch=epoch + 1, until=now + duration, holder=holder
    )
    return epoch + 1 if renewed else None


def drop_lease(name: str, epoch: int) -> bool:
    """Give the lease back if it is still ours."""
    return bool(Lease.objects.filter(name=name, epoch=epoch).update(until=None))


def shorten_lease(name: str, duration: timedelta, *, now: datetime) -> None:
    """Let a lease run out at `now + duration`, for work that did not succeed and should come again sooner."""
    Lease.objects.filter(name=name).update(until=now + duration)
