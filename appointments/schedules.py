"""Every periodic task in one list, written to django-q2 by `setup_schedules`.

django-q2's smallest step is a minute. What needs a finer rhythm (watching, sweeps, canaries) is driven by chains and
by the clusters themselves; these schedules restart them when they were lost.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django_q.models import Schedule


@dataclass(frozen=True)
class Periodic:
    """A task of `appointments.tasks`, its rhythm in minutes, and the queue that runs it."""

    task: str
    minutes: int
    queue: str


PERIODIC: tuple[Periodic, ...] = (
    Periodic("keep_watching", 1, "polling"),
    Periodic("sweep", 1, "booking"),
    Periodic("deliver_messages", 1, settings.NOTIFY_QUEUE),
    Periodic("count_calls", 1, "booking"),
    Periodic("daily_upkeep", 60, "booking"),  # hourly: cheap, and right after midnight in any season
)


def write_schedules(*, now: datetime) -> int:
    """Make the schedules in the database equal to the list above. Returns how many there are."""
    Schedule.objects.exclude(name__in=[entry.task for entry in PERIODIC]).filter(
        func__startswith="appointments.tasks."
    ).delete()
    for entry in PERIODIC:
        Schedule.objects.update_or_create(
            name=entry.task,
            defaults={
                "func": f"appointments.tasks.{entry.task}",
                "schedule_type": Schedule.MINUTES,
                "minutes": entry.minutes,
                "repeats": -1,
                # The default cluster ("booking") runs those without a name.
                "cluster": None if entry.queue == "booking" else entry.queue,
            },
            create_defaults={
                "func": f"appointments.tasks.{entry.task}",
                "schedule_type": Schedule.MINUTES,
                "minutes": entry.minutes,
                "repeats": -1,
                "cluster": None if entry.queue == "booking" else entry.queue,
                "next_run": now,
            },
        )
    return len(PERIODIC)
