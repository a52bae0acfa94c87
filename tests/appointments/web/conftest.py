"""What the tests of the web process share."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from appointments.services.health import beat


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Rate limits and the dashboard's slow part live in the cache; no test inherits another's."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def staff(db: None) -> User:
    """A superuser, as `script/server` makes one."""
    return User.objects.create_superuser("staff", password="staff-password-1")


@pytest.fixture
def desk(staff: User) -> Client:
    """A browser signed in as staff."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def now() -> datetime:
    """A quiet moment of a working day."""
    return datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def everything_beats(now: datetime | None = None, *, without: str = "") -> None:
    """Signs of life of every part but one."""
    for name in ("bot", "city", *(f"queue:{queue}" for queue in settings.QUEUES)):
        if name != without:
            beat(name, now=now or timezone.now(), detail="ok" if name == "city" else "")


def seconds(number: float) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=number)
