"""Places that came free for the next in turn: owed in the database, paid by whoever comes first.

Whoever ends an attempt owes its search a look at who is next. The debt is written with the fact; the worker pays it at
once, and if it dies before, the sweep does.
"""

from datetime import datetime

from django.db.models import Q

from appointments.models import Search
from appointments.services.queueing import queue_task


def owe_turn(search_id: int, *, now: datetime) -> None:
    """Note, in the present transaction, that somebody may be next in turn for a place of this search."""
    owed = Search.objects.filter(Q(serve_at=None) | Q(serve_at__gt=now), pk=search_id)
    owed.update(serve_at=now)


def free_place(search_id: int, *, now: datetime) -> None:
    """A place was given up before the city was asked for it: the next in turn gets it at once."""
    owe_turn(search_id, now=now)
    queue_task("serve_search", search_id)
