"""What we learn about the city's way of speaking is kept for all processes: its dialect, and what we could not read."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from appointments import metrics, wiring
from appointments.models import CityDialect, UnreadAnswer
from appointments.selectors import dashboard, health
from appointments.services import unread
from appointments.services.dialects import DatabaseDialect
from appointments.services.health import beat
from appointments.services.unread import UnreadBook
from appointments.upstream import errors
from appointments.upstream.client import CitizenApi
from appointments.upstream.dialects import Dialect
from termin_project.sandbox.city import CityWorld, Clock
from tests.appointments.upstream.wire import (
    END,
    KEY,
    SERVICES,
    START,
    Recorder,
    api_answering,
    appointment_body,
)
from tests.conftest import BASE, mounted

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(at=MONDAY)


def note(book: UnreadBook, shape: str = "{a: int}", path: str = "/available-calendar/") -> None:
    book.note(method="GET", path=path, status=200, code="notUnderstood", shape=shape)


# The dialect


def test_what_one_process_found_out_the_others_know(clock: Clock) -> None:
    world = CityWorld(clock, limit=600, dialect="D2")

    def process() -> CitizenApi:
        memory = DatabaseDialect(BASE, clock.now)
        return CitizenApi(mounted(world), BASE, gate=Recorder(), dialect=memory)

    process().calendar(SERVICES, [10489], MONDAY.date(), MONDAY.date() + DAY)
    process().calendar(SERVICES, [10489], MONDAY.date(), MONDAY.date() + DAY)

    asked = [entry.path.strip("/") for entry in world.requests]
    assert asked == ["available-calendar", "available-days-by-office", "available-days-by-office"]


def test_a_dialect_is_believed_for_its_time_and_for_its_address(clock: Clock) -> None:
    memory = DatabaseDialect("http://a", clock.now)
    memory.remember(Dialect.D2, DAY)

    assert memory.recall() == Dialect.D2
    assert DatabaseDialect("http://b", clock.now).recall() is None
    clock.advance(DAY)
    assert memory.recall() is None


def test_a_dialect_found_anew_replaces_the_old_one(clock: Clock) -> None:
    memory = DatabaseDialect("http://a", clock.now)
    memory.remember(Dialect.D2, DAY)
    memory.remember(Dialect.D3, DAY)

    assert memory.recall() == Dialect.D3
    assert CityDialect.objects.count() == 1


def test_a_word_we_do_not_know_counts_as_nothing(clock: Clock) -> None:
    memory = DatabaseDialect("http://a", clock.now)
    memory.remember(Dialect.D2, DAY)
    CityDialect.objects.update(dialect="D9")

    assert memory.recall() is None


def test_a_dialect_found_again_keeps_the_moment_it_was_first_found(clock: Clock) -> None:
    memory = DatabaseDialect("http://a", clock.now)
    memory.remember(Dialect.D2, DAY)
    clock.advance(DAY)
    memory.remember(Dialect.D2, DAY)

    row = CityDialect.objects.get()
    assert (row.found_at, row.until) == (MONDAY, MONDAY + 2 * DAY)


@pytest.mark.parametrize(
    ("dialect", "sees"),
    [(Dialect.D3, True), (Dialect.D1, True), (Dialect.UNKNOWN, False), (Dialect.D0, False)],
)
def test_a_city_we_cannot_speak_to_counts_as_unseen(
    settings: Any, clock: Clock, dialect: Dialect, sees: bool
) -> None:
    beat("city", now=clock.now(), detail="notFound")
    DatabaseDialect(settings.MUNICH_API_URL, clock.now).remember(dialect, timedelta(minutes=10))

    sight = health.city_sight(clock.now())

    assert (sight.sees, sight.reason) == ((True, "") if sees else (False, "not_understood"))
    clock.advance(timedelta(minutes=10))
    beat("city", now=clock.now(), detail="ok")
    assert health.city_sight(clock.now()).sees


# Answers not understood


def test_staff_see_how_many_kinds_came_lately(clock: Clock) -> None:
    book = UnreadBook(clock.now)
    note(book, "{a: int}")
    note(book, "{a: int}")
    clock.advance(timedelta(hours=25))
    note(book, "{b: int}", path="/appointment/")

    assert dashboard.overview(clock.now()).traffic.unread == 1
    figures = metrics.exposition(clock.now()).decode()
    assert 'termin_unread_answers{path="/available-calendar/"} 2.0' in figures
    assert 'termin_unread_answers{path="/appointment/"} 1.0' in figures


def test_an_unread_answer_is_kept_by_its_form_and_counted(clock: Clock) -> None:
    book = UnreadBook(clock.now)

    note(book, "no JSON: text/html, 512 bytes")
    clock.advance(timedelta(hours=1))
    note(book, "no JSON: text/html, 612 bytes")
    note(book, "no JSON: text/plain, 612 bytes")

    first, second = UnreadAnswer.objects.order_by("pk")
    assert (first.times, first.shape) == (2, "no JSON: text/html, 612 bytes")
    assert (first.first_at, first.last_at) == (MONDAY, MONDAY + timedelta(hours=1))
    assert second.times == 1


def test_a_city_that_answers_otherwise_every_time_does_not_fill_the_table(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "MOST_KEPT", 3)
    book = UnreadBook(clock.now)

    for letter in "abcdef":
        clock.advance(timedelta(seconds=1))
        note(book, f"{{{letter}: int}}")

    assert [row.shape for row in UnreadAnswer.objects.order_by("pk")] == ["{d: int}", "{e: int}", "{f: int}"]


def test_a_database_that_is_away_hides_no_failure_of_the_city(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **more: object) -> int:
        raise DatabaseError("away")

    monkeypatch.setattr("django.db.models.query.QuerySet.update", away)

    note(UnreadBook(clock.now))


def test_the_client_writes_down_what_it_cannot_read_without_a_value_in_it(clock: Clock) -> None:
    body = appointment_body(timestamp=1796813400000, familyName="Erika Mustermann", status="reserved")
    api = api_answering(200, body, unread=UnreadBook(clock.now))

    with pytest.raises(errors.NotUnderstood):
        api.appointment(KEY)
    with pytest.raises(errors.OutcomeUnknown):
        api.preconfirm(KEY)

    asked = UnreadAnswer.objects.values_list("method", "path", "status", "times")
    assert set(asked) == {("GET", "/appointment/", 200, 1), ("POST", "/preconfirm-appointment/", 200, 1)}
    shape = UnreadAnswer.objects.get(method="GET").shape
    assert shape.startswith(
        "unreadable timestamp: {processId: int, timestamp: int of 13 digits, authKey: str"
    )
    for secret in ("Erika", "example.org", KEY.auth_key, "1796813400000"):
        assert secret not in shape


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"errors": [{"errorCode": "serviceUnavailable"}]}),
        (404, {"errors": [{"errorCode": "noAppointmentForThisScope"}]}),
        (502, "<html>"),
    ],
)
def test_what_is_understood_is_not_written_down(clock: Clock, status: int, body: object) -> None:
    api = api_answering(status, body, unread=UnreadBook(clock.now))

    with suppress(errors.UpstreamError):
        api.calendar(SERVICES, [1], START, END)

    assert not UnreadAnswer.objects.exists()


def test_an_unknown_code_is_shown_to_staff_as_it_is(clock: Clock) -> None:
    body = {"errors": [{"errorCode": "somethingNew"}, {"errorCode": "erika@example.org"}]}

    with pytest.raises(errors.NotUnderstood):
        api_answering(400, body, unread=UnreadBook(clock.now)).probe()

    shape = UnreadAnswer.objects.get().shape
    assert shape == "no known code (somethingNew): {errors: [2 x {errorCode: str}]}"


def test_the_wiring_hands_the_client_both_books(
    settings: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MUNICH_API_URL = BASE
    world = CityWorld(clock, limit=600, dialect="D2")
    monkeypatch.setattr(wiring, "city_session", lambda: mounted(world))
    monkeypatch.setattr(wiring, "pin_address_family", lambda: None)
    wiring.city.cache_clear()
    api = wiring.city()
    wiring.city.cache_clear()

    api.calendar(SERVICES, [10489], MONDAY.date(), MONDAY.date() + DAY)
    world.faults.add("html_200")
    with pytest.raises(errors.NotUnderstood):
        api.probe()

    assert CityDialect.objects.get().dialect == "D2"
    assert UnreadAnswer.objects.get().path == "/captcha-details/"
