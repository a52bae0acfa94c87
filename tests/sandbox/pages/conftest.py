"""The web process with both simulators mounted on its connection, no second process and no socket."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.test import Client

from termin_project.sandbox import views, wsgi
from termin_project.sandbox.city import CityWorld, city_app
from termin_project.sandbox.mount import WsgiAdapter
from termin_project.sandbox.telegram import TelegramWorld, telegram_app


@dataclass
class Sandbox:
    """The two worlds behind the handles."""

    city: CityWorld
    telegram: TelegramWorld


def _nothing() -> None:
    """These worlds are neither kept nor do they live by themselves."""


@pytest.fixture
def sandbox(settings, tmp_path: Path) -> Iterator[Sandbox]:
    settings.SANDBOX_URL = "http://sandbox.test"
    settings.SIMULATED_CITY = settings.SIMULATED_TELEGRAM = True
    settings.ROOT_URLCONF = "tests.sandbox.pages.urls"
    worlds = Sandbox(CityWorld(mail_delay=0, public_url="http://testserver"), TelegramWorld())
    app = wsgi.Sandbox(
        [
            wsgi.Part("city", ("/city/",), city_app(worlds.city), _nothing, _nothing),
            wsgi.Part(
                "telegram",
                ("/bot", "/file/bot", "/telegram/"),
                telegram_app(worlds.telegram),
                _nothing,
                _nothing,
            ),
        ]
    )
    views.http().mount("http://sandbox.test/", WsgiAdapter(app))
    yield worlds
    del views.http().adapters["http://sandbox.test/"]


@pytest.fixture
def web() -> Client:
    """A browser that sends no CSRF token, as a plain HTTP client does not."""
    return Client(enforce_csrf_checks=True)
