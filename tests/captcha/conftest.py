from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from captcha.client import CaptchaApi
from tests.captcha.desk import Clock, Desk, api_for


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(clock)


@pytest.fixture
def api(desk: Desk) -> CaptchaApi:
    return api_for(desk)


@pytest.fixture
def database_for_threads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """A database that several connections can use at once.

    SQLite in memory refuses that at once ("table is locked"), whatever its time-out; a file behaves as in production.
    """
    request.getfixturevalue("transactional_db")
    if connection.vendor != "sqlite" or not connection.is_in_memory_db():
        yield
        return
    in_memory = connection.settings_dict["NAME"]
    kept = connection.connection  # the database in memory lives as long as a connection to it
    connection.connection = None
    connection.settings_dict["NAME"] = str(tmp_path / "threads.sqlite3")
    call_command("migrate", "captcha", verbosity=0)
    yield
    connection.close()
    connection.settings_dict["NAME"] = in_memory
    connection.connection = kept
