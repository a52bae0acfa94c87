"""With REDIS_URL the cache is shared: limits count across processes, and the system checks have nothing to say."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import redis

ROOT = Path(__file__).resolve().parent.parent
URL = "redis://127.0.0.1:6379/9"
pytestmark = pytest.mark.redis

COUNT = """
import django, sys
django.setup()
from django.test import RequestFactory
from django_ratelimit.core import get_usage
request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
for _time in range(3):
    usage = get_usage(request, group=sys.argv[1], key="ip", rate="5/h", increment=True)
print(usage["count"], usage["should_limit"])
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A process's environment with Redis; skips where no server answers."""
    try:
        redis.Redis.from_url(URL, socket_connect_timeout=1).ping()
    except redis.RedisError:
        pytest.skip("no Redis server answers at 127.0.0.1:6379")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **kept,
        "REDIS_URL": URL,
        "SANDBOX": "1",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "termin_project.settings",
    }


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_what_one_process_keeps_another_finds(environment: dict[str, str]) -> None:
    start = "import django; django.setup(); from django.core.cache import cache; "
    key = f"test-{uuid.uuid4().hex}"

    run(environment, "-c", f"{start} cache.set('{key}', 'kept', 30)")

    assert run(environment, "-c", f"{start} print(cache.get('{key}'))") == "kept"


def test_two_processes_count_together(environment: dict[str, str]) -> None:
    group = f"test-{uuid.uuid4().hex}"

    first = run(environment, "-c", COUNT, group)
    second = run(environment, "-c", COUNT, group)

    assert (first, second) == ("3 False", "6 True")


def test_without_redis_each_process_counts_alone(environment: dict[str, str]) -> None:
    alone = {**environment, "REDIS_URL": ""}
    group = f"test-{uuid.uuid4().hex}"

    assert [run(alone, "-c", COUNT, group) for _process in range(2)] == ["3 False", "3 False"]


@pytest.mark.parametrize("url", [URL, ""], ids=["redis", "per process"])
def test_the_system_checks_are_clean(environment: dict[str, str], url: str) -> None:
    said = run({**environment, "REDIS_URL": url}, "manage.py", "check", "--fail-level", "WARNING")

    assert "no issues" in said
