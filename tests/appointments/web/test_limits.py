"""Public pages and the login are limited; whoever is over the limit gets a friendly page."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still for the limiter, so that no window ends in the middle of a test."""
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_790_000_000.0)


def sign_in(client: Client, name: str, password: str = "wrong", **extra: Any) -> int:
    return client.post("/admin/login/", {"username": name, "password": password}, **extra).status_code


@pytest.mark.parametrize(("address", "most"), [("/status", 60), ("/readyz", 120), ("/", 120)])
def test_a_public_page_is_limited_by_address(address: str, most: int, client: Client) -> None:
    for _ in range(most):
        assert client.get(address).status_code != 429

    refused = client.get(address)

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert b"One moment" in refused.content
    assert client.get(address, REMOTE_ADDR="192.0.2.7").status_code != 429


def test_healthz_is_never_limited(client: Client) -> None:
    assert {client.get("/healthz").status_code for _ in range(200)} == {200}


def test_attempts_to_sign_in_are_limited_by_address(client: Client, staff: User) -> None:
    for number in range(10):
        assert sign_in(client, f"name{number}") == 200

    assert sign_in(client, "staff", "staff-password-1") == 429
    assert sign_in(client, "staff", "staff-password-1", REMOTE_ADDR="192.0.2.7") == 302


def test_attempts_to_sign_in_are_limited_by_name_whatever_its_case(client: Client, staff: User) -> None:
    for number in range(10):
        assert sign_in(client, "Staff" if number % 2 else " staff", REMOTE_ADDR=f"192.0.2.{number}") == 200

    assert sign_in(client, "STAFF", REMOTE_ADDR="192.0.2.99") == 429
    assert sign_in(client, "somebody", REMOTE_ADDR="192.0.2.99") == 200


def test_looking_at_the_login_page_costs_nothing(client: Client) -> None:
    assert {client.get("/admin/login/").status_code for _ in range(40)} == {200}


def test_the_right_password_signs_in(client: Client, staff: User) -> None:
    assert sign_in(client, "staff", "staff-password-1") == 302


def test_limits_start_anew_with_an_empty_cache(client: Client) -> None:
    for _ in range(61):
        client.get("/status")
    cache.clear()

    assert client.get("/status").status_code == 200


def test_behind_a_proxy_people_are_told_apart_by_what_the_proxy_saw(client: Client, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for number in range(61):
        last = client.get("/status", headers={"x-forwarded-for": f"10.0.0.{number}, 192.0.2.1"})

    assert last.status_code == 429
    assert client.get("/status", headers={"x-forwarded-for": "192.0.2.1, 192.0.2.2"}).status_code == 200


def test_without_a_proxy_nobody_can_claim_another_address(client: Client) -> None:
    for number in range(61):
        last = client.get("/status", headers={"x-forwarded-for": f"192.0.2.{number}"})

    assert last.status_code == 429


def test_nonsense_from_a_proxy_counts_for_its_connection(client: Client, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert client.get("/status", headers={"x-forwarded-for": "unknown"}).status_code == 200
    assert client.get("/status").status_code == 200
