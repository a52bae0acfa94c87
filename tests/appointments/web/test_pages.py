"""Public pages: what they say, who sees them, and that they carry nothing inline."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import path
from django.utils import timezone

from appointments.models import CatalogueState, GateState
from appointments.services.health import beat
from termin_project import urls as project_urls
from tests.appointments.web.conftest import everything_beats
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=\"|javascript:", re.IGNORECASE)


@pytest.mark.parametrize("address", ["/", "/status", "/nowhere", "/dashboard/"])
def test_pages_carry_no_inline_script_or_style(address: str, desk: Client) -> None:
    everything_beats()

    page = desk.get(address)

    assert not INLINE.search(page.content.decode())
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["/", "/status", "/dashboard/"])
def test_pages_have_landmarks_and_a_way_past_them(address: str, desk: Client) -> None:
    text = desk.get(address).content.decode()

    for landmark in ('<main id="main"', "<header", "<nav", "<footer", 'href="#main"', "<h1"):
        assert landmark in text


def test_the_start_page_leads_to_what_is_simulated(client: Client) -> None:
    text = client.get("/").content.decode()

    for address in ("/sandbox/chat/", "/sandbox/mailbox/", "/dashboard/", "/admin/", "/status"):
        assert f'href="{address}"' in text
    assert "Practice" in text


def test_the_start_page_hides_what_is_real(client: Client, settings: Any) -> None:
    settings.SIMULATED_CITY = settings.SIMULATED_TELEGRAM = False

    text = client.get("/").content.decode()

    assert "/sandbox/" not in text
    assert "Practice" not in text


def test_a_city_that_is_real_has_no_mailbox_though_the_chat_is_simulated(
    client: Client, settings: Any
) -> None:
    settings.SIMULATED_CITY = False

    text = client.get("/").content.decode()

    assert "/sandbox/chat/" in text
    assert "/sandbox/mailbox/" not in text


def test_status_says_that_the_watch_sees(client: Client) -> None:
    everything_beats()
    GateState.objects.create(egress="default", limit=60, round_cap=40)
    CatalogueState.objects.create(pk=1, synced_at=timezone.now(), services=27, offices=15)

    text = client.get("/status").content.decode()

    assert "sees the city" in text
    assert "60 requests" in text
    assert "27 services at 15 offices" in text


def test_status_says_why_the_watch_does_not_see(client: Client) -> None:
    everything_beats(timezone.now() - timedelta(hours=3))
    beat("city:trouble", now=timezone.now(), detail="serviceUnavailable")

    text = client.get("/status").content.decode()

    assert "cannot see" in text
    assert "maintenance" in text
    assert "Nothing is lost" in text
    assert re.search(r"for 3\s+hours", text)


def test_status_does_not_call_a_standing_bot_well(client: Client) -> None:
    everything_beats(without="bot")

    text = client.get("/status").content.decode()

    assert "stands still" in text


def test_status_tells_nothing_about_people(client: Client) -> None:
    everything_beats()
    before = client.get("/status").content
    SubscriberFactory.create_batch(3)

    assert client.get("/status").content == before


def test_pages_speak_the_language_of_the_browser(client: Client) -> None:
    assert '<html lang="de"' in client.get("/", headers={"accept-language": "de"}).content.decode()
    assert '<html lang="en"' in client.get("/", headers={"accept-language": "fr"}).content.decode()


def test_healthz_touches_no_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_is_200_when_everything_shows_life(client: Client) -> None:
    everything_beats()

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["missing"] == []
    assert set(answer.json()["components"]) == {
        "web",
        "bot",
        "queue:booking",
        "queue:polling",
        "city",
        "database",
        "captcha",
    }


@pytest.mark.parametrize("silent", ["bot", "queue:booking", "queue:polling", "city"])
def test_readyz_is_503_and_names_what_is_missing(silent: str, client: Client) -> None:
    everything_beats(timezone.now(), without=silent)
    beat(silent, now=timezone.now() - timedelta(minutes=5))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert json.loads(answer.content)["missing"] == [silent]
    assert answer.json()["components"][silent]["age_seconds"] > 290


def test_readyz_asks_little_of_the_database(client: Client, django_assert_max_num_queries: Any) -> None:
    everything_beats()

    with django_assert_max_num_queries(4):
        client.get("/readyz")


def test_only_reading_is_allowed(client: Client) -> None:
    for address in ("/", "/status", "/healthz", "/readyz", "/metrics", "/dashboard/live/"):
        assert client.post(address).status_code == 405


def broken(request: Any) -> None:
    raise RuntimeError("secret-detail")


def closed(request: Any) -> None:
    raise PermissionDenied("secret-detail")


class ProjectWithFaults:
    """The project's addresses and two that fail."""

    handler403 = project_urls.handler403
    handler404 = project_urls.handler404
    handler500 = project_urls.handler500
    urlpatterns = [path("broken", broken), path("closed", closed), *project_urls.urlpatterns]


@pytest.mark.parametrize(("address", "status"), [("/broken", 500), ("/closed", 403), ("/nowhere", 404)])
def test_error_pages_look_like_ours_and_keep_details_to_themselves(
    address: str, status: int, settings: Any
) -> None:
    settings.ROOT_URLCONF = ProjectWithFaults
    client = Client(raise_request_exception=False)

    page = client.get(address)

    assert page.status_code == status
    assert b"secret-detail" not in page.content
    assert b'class="notice"' in page.content
    assert b"<title>" in page.content


def test_the_dashboard_sends_strangers_to_the_login(client: Client) -> None:
    answer = client.get("/dashboard/")

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/admin/login/?next=/dashboard/"


def test_an_account_that_is_not_staff_is_a_stranger(client: Client) -> None:
    client.force_login(User.objects.create_user("visitor", password="x"))

    assert client.get("/dashboard/").status_code == 302
    assert client.get("/dashboard/live/").status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 401


def test_the_moving_part_answers_a_stranger_with_401(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/dashboard/live/")

    assert answer.status_code == 401
