"""Settings that do not fit together are told before they do harm."""

from typing import Any

import pytest

from appointments.checks import settings_fit_together


def ids() -> list[str]:
    return [message.id or "" for message in settings_fit_together(None)]


def test_the_sandbox_has_nothing_to_complain_about() -> None:
    assert ids() == []


def test_a_real_city_wants_to_know_who_calls(settings: Any) -> None:
    settings.SIMULATED_CITY = False

    assert ids() == ["appointments.W001"]


def test_a_real_city_with_a_contact_is_fine(settings: Any) -> None:
    settings.SIMULATED_CITY = False
    settings.OPERATOR_CONTACT = "termin@example.org"

    assert ids() == []


def test_several_web_processes_need_a_shared_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_WORKERS", "2")

    assert ids() == ["appointments.E001"]
