"""Putting work on the queues: always after the commit, so that a worker never looks for a row before it exists."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django_q.tasks import async_task


def queue_task(name: str, *args: Any, queue: str = "booking") -> None:
    """Run `appointments.tasks.<name>` on `queue` once the present transaction is committed.

    A task is a hint: it may run twice or never. What must happen is written in the database and found by a sweep.
    """
    transaction.on_commit(
        lambda: async_task(
            f"appointments.tasks.{name}", *args, q_options={"cluster": queue, "task_name": name}
        )
    )


def queue_delivery() -> None:
    """Wake the sender of messages; once per transaction is enough."""
    connection = transaction.get_connection()
    already = any(getattr(entry[1], "wakes_sender", False) for entry in connection.run_on_commit)
    if already:
        return

    def wake() -> None:
        async_task(
            "appointments.tasks.deliver_messages",
            q_options={"cluster": settings.NOTIFY_QUEUE, "task_name": "deliver_messages"},
        )

    wake.wakes_sender = True  # type: ignore[attr-defined]
    transaction.on_commit(wake)
