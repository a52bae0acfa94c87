"""A queue's processes, cured of three defects of plain `qcluster` that were measured with kill -9.

- An idle worker that is killed takes the queue's read lock with it: the cluster hangs for good. Here a member that
  died by a signal makes the whole process group end, and the supervisor starts it anew.
- The parent's death leaves orphans that go on working beside the restarted cluster. Here every child dies with it.
- The sentinel's death ends the parent with code 0 and leaves the rest unguarded. Here it ends the whole group.

Besides, the parent drives what needs a finer rhythm than django-q2's schedules: a canary that proves the queue alive,
sweeps, and the restart of the watching chain. If its own canaries do not come through, it ends the group as well.
"""

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from multiprocessing.process import BaseProcess

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q import cluster as django_q_cluster
from django_q.tasks import async_task

from appointments.models import Heartbeat
from appointments.services import ending

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
CANARY_EVERY = timedelta(seconds=15)
SWEEP_EVERY = timedelta(seconds=5)
# Longer than every worker may be busy with slow answers at once.
DEAF_AFTER = timedelta(seconds=150)


def end_group(why: str) -> None:
    """End this process group at once; the supervisor starts the cluster anew, and leases repeat what was in hand."""
    logger.critical("Queue ends for a restart", extra={"why": why})
    sys.stderr.flush()
    os.killpg(os.getpgrp(), signal.SIGKILL)


_parent = 0


def remember_parent() -> None:
    """Note, right before a fork, who the child's parent is."""
    global _parent
    _parent = os.getpid()


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (Linux; elsewhere the canary notices)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != _parent:
            # It died between the fork and the request to be told.
            os.kill(os.getpid(), signal.SIGKILL)


def share_memory() -> None:
    """Load what tasks need before the workers are forked, and keep the collector from touching (copying) it.

    Otherwise every worker imports its own copy at its first task, a quarter of a second that somebody waits for.
    """
    import_module("appointments.tasks")
    for channel in settings.NOTIFICATION_CHANNELS.values():
        import_string(channel)
    gc.collect()
    gc.freeze()


class Sentinel(django_q_cluster.Sentinel):
    """django-q2's guard, which ends the group when a member was killed instead of repairing a broken queue."""

    def spawn_worker(self) -> None:
        """Workers see when the cluster is to stop, so that a slice of watching does not outlast the patience."""
        ending.look_at(self.stop_event)
        super().spawn_worker()

    def reincarnate(self, process: BaseProcess) -> None:
        """A worker over its time is replaced as ever; one that died by a signal may have taken a lock along."""
        timer = getattr(process, "timer", None)
        over_time = timer is not None and timer.value == 0
        if process.exitcode is not None and process.exitcode < 0 and not over_time:
            end_group(f"{process.name} died by signal {-process.exitcode}")
        super().reincarnate(process)


class Pulse:
    """What the parent of a cluster queues again and again."""

    def __init__(self, queue: str, *, now: datetime) -> None:
        self.queue = queue
        self.started_at = now
        self.due: dict[str, datetime] = {}
        # Said once, at the first beat: the slice this computer had in hand has ended with the cluster before this one.
        self._restarted = [socket.gethostname()[:100]]

    def beat(self, *, now: datetime) -> None:
        """Queue what is due."""
        self._every(CANARY_EVERY, "canary", now, self.queue)
        if self.queue == "booking":
            self._every(SWEEP_EVERY, "sweep", now)
        if self.queue == "polling" and self._every(CANARY_EVERY, "keep_watching", now, *self._restarted):
            self._restarted.clear()

    def is_deaf(self, *, now: datetime) -> bool:
        """Whether canaries are queued and none comes through."""
        seen = Heartbeat.objects.filter(name=f"queue:{self.queue}").values_list("at", flat=True).first()
        return now - max(seen or self.started_at, self.started_at) > DEAF_AFTER

    def _every(self, rhythm: timedelta, task: str, now: datetime, *args: str) -> bool:
        if now < self.due.get(task, now):
            return False
        self.due[task] = now + rhythm
        async_task(f"appointments.tasks.{task}", *args, q_options={"cluster": self.queue, "task_name": task})
        return True


def run(queue: str, *, clock: Callable[[], datetime] = timezone.now) -> None:
    """Run the cluster of `queue` until SIGTERM or SIGINT; return when everything has stopped."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    os.register_at_fork(before=remember_parent, after_in_child=die_with_parent)
    share_memory()
    django_q_cluster.Sentinel = Sentinel
    cluster = django_q_cluster.Cluster()
    cluster.start()
    pulse = Pulse(queue, now=clock())
    while cluster.sentinel.is_alive():
        try:
            close_old_connections()
            pulse.beat(now=clock())
            deaf = pulse.is_deaf(now=clock())
        except Exception:
            # The database may be away for a while; the cluster itself outlives that, and so does its pulse.
            logger.exception("Pulse failed")
            deaf = False
        if deaf:
            end_group(f"no canary of queue {queue} came through")
        cluster.sentinel.join(timeout=1)
    if not cluster.has_stopped:
        end_group("the sentinel died")
