"""A child of a cluster ends with its parent, also if the parent died before the child could ask to be told."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from bench.processes import ROOT

CHILD = """
import os, django
django.setup()
from appointments import cluster
cluster._parent = {parent}
cluster.die_with_parent()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux'")
@pytest.mark.parametrize(
    ("parent", "code"),
    [("os.getppid()", 0), ("os.getppid() + 1", -signal.SIGKILL)],
    ids=["parent lives", "parent is gone"],
)
def test_a_child_looks_whether_its_parent_is_still_there(parent: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(parent=parent)], cwd=ROOT, timeout=60, check=False
    )

    assert done.returncode == code
