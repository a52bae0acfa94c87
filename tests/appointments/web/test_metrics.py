"""Metrics: readable by Prometheus' own parser, and by nobody who should not read them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from appointments.models import Call, CircuitBreaker, GateState, Slot
from appointments.states import BookingState
from tests.appointments.web.conftest import everything_beats
from tests.factories import BookingFactory, OutboxMessageFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db


def scraped(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_database(client: Client) -> None:
    now = timezone.now()
    everything_beats(now)
    GateState.objects.create(egress="default", limit=60, used=17, last_call_at=now)
    for code, milliseconds in (("ok", 100), ("ok", 50), ("timeout", 3000)):
        Call.objects.create(at=now, kind="sweep", code=code, milliseconds=milliseconds)
    Call.objects.create(at=now - timedelta(hours=2), kind="sweep", code="ok", milliseconds=1)
    BookingFactory(confirmed=True)
    WatchFactory(holding=True)
    SlotFactory()
    SlotFactory(gone=True)
    OutboxMessageFactory()
    OutboxMessageFactory(sent=True)

    found = scraped(client)

    assert found["termin_calls_last_hour", (("code", "ok"), ("kind", "sweep"))] == 2
    assert found["termin_calls_milliseconds_last_hour", (("code", "timeout"), ("kind", "sweep"))] == 3000
    assert found["termin_gate_used", (("egress", "default"),)] == 17
    assert found["termin_gate_limit", (("egress", "default"),)] == 60
    assert found["termin_bookings", (("state", "confirmed"),)] == 1
    assert found["termin_watches", (("mode", "hold"),)] == 1
    assert found["termin_slots_open", ()] == Slot.objects.filter(gone_at=None).count()
    assert found["termin_outbox_due", ()] == 1
    assert found["termin_component_up", (("part", "bot"),)] == 1
    assert 0 <= found["termin_heartbeat_age_seconds", (("part", "city"),)] < 60


def test_every_live_state_is_there_even_without_bookings(client: Client) -> None:
    states = {labels[0][1] for name, labels in scraped(client) if name == "termin_bookings"}

    assert BookingState.UNCERTAIN in states
    assert BookingState.FAILED not in states


def test_an_empty_installation_can_be_scraped(client: Client) -> None:
    found = scraped(client)

    assert found["termin_city_seen", ()] == 0
    assert found["termin_component_up", (("part", "bot"),)] == 0


def test_scraping_takes_a_bounded_number_of_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    everything_beats()
    WatchFactory.create_batch(3)
    CircuitBreaker.objects.create(name="watching")

    with django_assert_max_num_queries(21):
        client.get("/metrics")


def test_in_a_pure_sandbox_loopback_may_read(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 401


def test_behind_a_proxy_everybody_looks_like_loopback_so_nobody_may_read(client: Client) -> None:
    assert client.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 401


@pytest.mark.parametrize("real", ["SIMULATED_CITY", "SIMULATED_TELEGRAM"])
def test_with_anything_real_loopback_may_not_read(real: str, client: Client, settings: Any) -> None:
    setattr(settings, real, False)

    assert client.get("/metrics").status_code == 401


def test_the_bearer_of_the_token_may_read_and_nobody_else(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "s3cret"

    assert client.get("/metrics", headers={"authorization": "Bearer s3cret"}).status_code == 200
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics").status_code == 401


def test_staff_may_read(desk: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "s3cret"

    assert desk.get("/metrics").status_code == 200
