"""Acts of staff: asked first, sent by POST, carried out by services, refused in plain words."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments import wiring
from appointments.models import Booking, CircuitBreaker, GateState, OutboxMessage, Subscriber, Watch
from appointments.states import BookingState
from captcha.models import CaptchaToken
from tests.factories import BookingFactory, OutboxMessageFactory, SubscriberFactory, WatchFactory

pytestmark = pytest.mark.django_db

SENT = {"_form_submitted": "True"}


def page_of(row: Model, act: str) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{act}", args=(row.pk,))


def pick(desk: Client, act: str, *rows: Model) -> Any:
    options = rows[0]._meta
    list_address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    picked = {"action": f"{act}_picked", "_selected_action": [str(row.pk) for row in rows]}
    return desk.post(list_address, picked, follow=True)


def test_following_a_link_only_asks(desk: Client) -> None:
    person = SubscriberFactory()

    question = desk.get(page_of(person, "erase"))

    assert question.status_code == 200
    assert b"for good" in question.content
    assert b"csrfmiddlewaretoken" in question.content
    assert Subscriber.objects.filter(pk=person.pk).exists()


def test_an_act_needs_the_token_against_forgery(staff: User) -> None:
    person = SubscriberFactory()
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)

    assert client.post(page_of(person, "erase"), SENT).status_code == 403
    assert Subscriber.objects.filter(pk=person.pk).exists()


def test_an_act_needs_the_right_to_change(client: Client) -> None:
    account = User.objects.create_user("reader", password="x", is_staff=True)
    account.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    client.force_login(account)
    person = SubscriberFactory()

    assert client.post(page_of(person, "erase"), SENT).status_code == 403
    assert b"/erase/" not in client.get(f"/admin/appointments/subscriber/{person.pk}/change/").content
    pick(client, "pause", person)
    person.refresh_from_db()
    assert person.paused_at is None


def test_a_confirmed_question_erases_the_person_and_leaves_for_the_list(desk: Client) -> None:
    person = SubscriberFactory(known=True)
    WatchFactory(subscriber=person)

    answer = desk.post(page_of(person, "erase"), SENT)

    assert answer.headers["Location"] == "/admin/appointments/subscriber/"
    assert not Subscriber.objects.filter(pk=person.pk).exists()


def test_a_dialog_sends_the_browser_on_itself(desk: Client) -> None:
    person = SubscriberFactory()

    answer = desk.post(page_of(person, "pause"), SENT, headers={"hx-request": "true"})

    assert answer.headers["HX-Redirect"] == f"/admin/appointments/subscriber/{person.pk}/change/"


def test_people_are_paused_and_resumed(desk: Client) -> None:
    person = SubscriberFactory()

    desk.post(page_of(person, "pause"), SENT)
    person.refresh_from_db()
    assert (person.paused_at is not None, person.pause_reason) == (True, "staff")

    desk.post(page_of(person, "resume"), SENT)
    person.refresh_from_db()
    assert person.paused_at is None


def test_several_watches_are_paused_at_once_and_it_is_noted(desk: Client) -> None:
    watches = WatchFactory.create_batch(3)

    told = pick(desk, "pause", *watches).content.decode()

    assert set(Watch.objects.values_list("state", flat=True)) == {"paused"}
    assert "done for 3 rows" in told
    assert LogEntry.objects.count() == 3


def test_a_paused_watch_is_resumed(desk: Client) -> None:
    watch = WatchFactory(paused=True)

    desk.post(page_of(watch, "resume"), SENT)

    watch.refresh_from_db()
    assert watch.state == Watch.State.ACTIVE


def test_a_watch_that_is_over_is_left_alone_in_plain_words(desk: Client) -> None:
    watch = WatchFactory(deleted=True)

    told = pick(desk, "pause", watch).content.decode()

    watch.refresh_from_db()
    assert watch.state == Watch.State.DELETED
    assert "not possible in its present state" in told


def test_a_booking_not_yet_held_is_given_back_at_once(desk: Client) -> None:
    booking = BookingFactory()

    desk.post(page_of(booking, "release"), SENT)

    booking.refresh_from_db()
    assert booking.state == BookingState.CANCELLED


def test_giving_back_an_appointment_is_wished_and_left_to_a_worker(desk: Client) -> None:
    booking = BookingFactory(confirmed=True)

    desk.post(page_of(booking, "release"), SENT)

    booking.refresh_from_db()
    assert (booking.wish, booking.reason) == (Booking.Wish.RELEASE, "staff")


def test_an_ended_booking_is_left_alone_in_plain_words(desk: Client) -> None:
    booking = BookingFactory(lapsed=True)

    told = desk.post(page_of(booking, "release"), SENT, follow=True).content.decode()

    booking.refresh_from_db()
    assert booking.state == BookingState.LAPSED
    assert "not possible in its present state" in told


def test_staff_can_have_a_booking_looked_at(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = BookingFactory(preconfirmed=True, follow_at=timezone.now() + timedelta(minutes=5))

    desk.post(page_of(booking, "look_again"), SENT)

    booking.refresh_from_db()
    assert booking.follow_at is None or booking.follow_at <= timezone.now()


def test_a_message_given_up_is_sent_again(desk: Client) -> None:
    message = OutboxMessageFactory(failed_at=timezone.now(), attempts=8, last_error="timeout")

    pick(desk, "retry", message)

    message.refresh_from_db()
    assert (message.failed_at, message.attempts) == (None, 0)


def test_a_sent_message_is_never_sent_again(desk: Client) -> None:
    message = OutboxMessageFactory(sent=True)

    pick(desk, "retry", message)

    assert OutboxMessage.objects.get().sent_at == message.sent_at


def test_a_breaker_is_opened_with_a_reason_and_closed(desk: Client) -> None:
    breaker = CircuitBreaker.objects.create(name="watching")

    desk.post(page_of(breaker, "open_breaker"), {**SENT, "reason": "city asked by telephone"})
    breaker.refresh_from_db()
    assert (breaker.state, breaker.reason) == ("open", "city asked by telephone")

    desk.post(page_of(breaker, "close_breaker"), SENT)
    breaker.refresh_from_db()
    assert breaker.state == "closed"


def test_a_breaker_is_not_opened_without_a_reason(desk: Client) -> None:
    breaker = CircuitBreaker.objects.create(name="watching")

    asked_again = desk.post(page_of(breaker, "open_breaker"), SENT)

    breaker.refresh_from_db()
    assert breaker.state == "closed"
    assert b"required" in asked_again.content


def test_a_breaker_is_held_open_until_a_moment(desk: Client) -> None:
    breaker = CircuitBreaker.objects.create(name="watching")
    until = (timezone.localtime() + timedelta(hours=3)).replace(second=0, microsecond=0)

    answers = {**SENT, "reason": "works at the city", "until": f"{until:%Y-%m-%dT%H:%M}"}
    desk.post(page_of(breaker, "open_breaker"), answers)

    breaker.refresh_from_db()
    assert (breaker.state, breaker.open_until, breaker.by_hand) == ("open", until, True)


def test_a_breaker_is_not_held_open_until_yesterday(desk: Client) -> None:
    breaker = CircuitBreaker.objects.create(name="watching")

    answers = {**SENT, "reason": "works at the city", "until": "2020-01-01T10:00"}
    asked_again = desk.post(page_of(breaker, "open_breaker"), answers)

    breaker.refresh_from_db()
    assert breaker.state == "closed"
    assert b"This moment is over." in asked_again.content


def test_a_pause_of_the_gate_is_ended(desk: Client, settings: Any) -> None:
    wiring.gate.cache_clear()
    mine = GateState.objects.create(
        egress=settings.EGRESS_NAME, paused_until=timezone.now() + timedelta(hours=9)
    )
    other = GateState.objects.create(egress="elsewhere", paused_until=timezone.now() + timedelta(hours=9))

    for row in (mine, other):
        desk.post(page_of(row, "lift_pause"), SENT)
        row.refresh_from_db()

    assert mine.paused_until is None
    assert other.paused_until is not None


def test_a_captcha_site_is_blocked_and_released(desk: Client) -> None:
    row = CaptchaToken.objects.create(site="city|default")

    desk.post(page_of(row, "block"), SENT)
    row.refresh_from_db()
    assert row.state == CaptchaToken.State.BLOCKED

    desk.post(page_of(row, "release"), SENT)
    row.refresh_from_db()
    assert row.state == CaptchaToken.State.ABSENT


def test_an_act_on_a_row_that_is_gone_says_so(desk: Client) -> None:
    told = desk.post("/admin/appointments/watch/999/pause/", SENT, follow=True)

    assert b"does not exist any more" in told.content
