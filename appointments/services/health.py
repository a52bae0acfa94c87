"""Signs of life: each part of the system stamps its own row; `selectors.health` judges their age."""

from datetime import datetime

from appointments.models import Heartbeat


def beat(name: str, *, now: datetime, detail: str = "") -> None:
    """Note that the part called `name` is alive at `now` (aware), with a word about how it does.

    Names: "bot", "queue:<queue>", "city" (detail: the last outcome code). One statement, the same on SQLite and
    PostgreSQL, cheap enough for every answer of the city. `detail` is cut to what the column holds.
    """
    longest = Heartbeat._meta.get_field("detail").max_length
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=now, detail=detail[:longest])],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at", "detail"],
    )
