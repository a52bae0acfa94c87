"""The clusters under kill -9 and SIGTERM, as real processes under the real supervisor."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

import pytest

from bench.processes import wait_until
from tests.processes.conftest import Members, Queues

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux'"),
]
QUEUES = ("booking", "polling")


def complete(queues: Queues) -> dict[str, Members]:
    """Both clusters, once they are complete."""
    found: dict[str, Members] = {}

    def all_here() -> bool:
        found.update({queue: members for queue in QUEUES if (members := queues.members(queue))})
        return len(found) == len(QUEUES)

    wait_until(all_here, 20, lambda: f"{queues.logs()}\ncomplete clusters", every=0.1)
    return found


def finish_canaries(queues: Queues, mark: str, seconds: float) -> None:
    for queue in QUEUES:
        queues.put_canary(queue, f"{mark}-{queue}")
    for queue in QUEUES:
        wait_until(
            partial(queues.is_alive, f"{mark}-{queue}"),
            seconds,
            lambda: f"{queues.logs()}\ncanaries after {mark}",
        )


@pytest.mark.parametrize("role", ["worker", "monitor", "pusher", "sentinel", "main"])
def test_a_killed_member_is_replaced_by_a_whole_cluster_that_does_the_next_task(
    queues: Queues, role: str
) -> None:
    before = complete(queues)
    finish_canaries(queues, f"before-{role}", 10)

    for members in before.values():
        os.kill(members.named(role).pid, signal.SIGKILL)

    old = [process for members in before.values() for process in members.all()]
    wait_until(
        lambda: not any(process.is_alive for process in old), 5, f"end of the old members after {role}"
    )
    finish_canaries(queues, f"after-{role}", 10)
    after = complete(queues)
    assert not {process.pid for members in after.values() for process in members.all()} & {
        process.pid for process in old
    }


def test_a_cluster_without_a_supervisor_leaves_no_orphan_when_its_main_process_is_killed() -> None:
    with Queues() as queues:
        main = queues.start("manage.py", "run_cluster", "booking", log="booking.log")
        wait_until(lambda: queues.members("booking"), 15, "a complete cluster")
        os.kill(main.pid, signal.SIGKILL)
        main.wait()
        wait_until(lambda: not queues.processes(), 3, "end of all members")


def test_sigterm_in_the_middle_of_watching_stops_every_process_within_ten_seconds() -> None:
    with Queues() as queues:
        supervisor = queues.supervise("booking", "polling")
        complete(queues)
        # Watching begins by itself and is in the middle of a slice of ten seconds.
        chain = "SELECT 1 FROM appointments_lease WHERE name = 'watching' AND epoch > 1"
        wait_until(lambda: queues.execute(chain), 15, lambda: f"{queues.logs()}\na slice of watching")

        assert queues.stop(supervisor) < 10

        assert queues.processes() == []
        # The chain goes on where it stopped: its next slice waits in the queue.
        (waiting,) = queues.execute("SELECT count(*) FROM django_q_ormq WHERE key = 'polling'")[0]
        assert waiting


def test_watching_goes_on_within_seconds_when_it_was_killed_in_the_middle_of_a_slice() -> None:
    def epoch() -> int:
        rows = queues.execute("SELECT epoch FROM appointments_lease WHERE name = 'watching'")
        return int(rows[0][0]) if rows else 0

    with Queues() as queues:
        queues.supervise("booking", "polling")
        members = complete(queues)["polling"]
        wait_until(lambda: epoch() > 1, 15, lambda: f"{queues.logs()}\na slice of watching")
        before = epoch()

        os.kill(members.named("worker").pid, signal.SIGKILL)

        # Taken over and gone on with: the lease that the dead slice has left would last 45 seconds.
        wait_until(lambda: epoch() >= before + 2, 15, lambda: f"{queues.logs()}\na new slice")
