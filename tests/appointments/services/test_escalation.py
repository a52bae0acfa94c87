"""Staff hear once of what stays bad, and once that it is over; by chat, by mail, or on the dashboard."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend

from appointments.models import GateState, OutboxMessage, StaffAlert
from appointments.services import breakers
from appointments.services.escalation import ESCALATE_AFTER, escalate
from tests.conftest import MONDAY
from tests.factories import ChatFactory

pytestmark = pytest.mark.django_db
LATER = MONDAY + ESCALATE_AFTER


class DeadMail(BaseEmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, _messages: object) -> int:
        raise TimeoutError


def stopped(name: str = "watching") -> None:
    breakers.record_failure(name, "serviceUnavailable", now=MONDAY, maintenance=True)


def works_again(name: str = "watching") -> None:
    breakers.close_breaker(name, now=LATER)


def test_a_short_stop_is_nothing_to_tell() -> None:
    stopped()

    assert escalate(now=LATER - timedelta(seconds=1)) == (0, 0)
    works_again()
    assert escalate(now=LATER) == (0, 0)


def test_a_long_stop_is_raised_once_and_ended_once() -> None:
    stopped()

    found = [escalate(now=LATER + timedelta(seconds=5 * number)) for number in range(4)]
    works_again()
    found += [escalate(now=LATER + timedelta(minutes=1)) for _time in range(2)]

    assert found == [(1, 0), (0, 0), (0, 0), (0, 0), (0, 1), (0, 0)]
    alert = StaffAlert.objects.get()
    assert (alert.subject, alert.reason, alert.told) == ("watching", "serviceUnavailable", "dashboard")
    assert (alert.since, alert.raised_at, alert.over_at) == (MONDAY, LATER, LATER + timedelta(minutes=1))


def test_a_probe_that_fails_in_between_is_the_same_stop() -> None:
    stopped()
    escalate(now=LATER)
    breakers.enter("watching", now=LATER)
    half_open = escalate(now=LATER)
    breakers.record_failure("watching", "serviceUnavailable", now=LATER)

    assert (half_open, escalate(now=LATER)) == ((0, 0), (0, 0))
    assert StaffAlert.objects.count() == 1


def test_the_next_stop_is_another_alert() -> None:
    stopped()
    escalate(now=LATER)
    works_again()
    escalate(now=LATER)
    breakers.record_failure("watching", "timeout", now=LATER, maintenance=True)

    assert escalate(now=LATER + ESCALATE_AFTER) == (1, 0)
    assert StaffAlert.objects.filter(over_at=None).count() == 1


def test_what_staff_stopped_themselves_is_no_news_to_them() -> None:
    breakers.open_breaker("watching", "works at the city", now=MONDAY)

    assert escalate(now=LATER + timedelta(days=1)) == (0, 0)


def test_an_address_on_the_citys_list_is_told_at_once() -> None:
    GateState.objects.create(
        egress="test", pause_reason="refused", refused_at=MONDAY, paused_until=MONDAY + timedelta(days=1)
    )

    assert escalate(now=MONDAY) == (1, 0)
    assert StaffAlert.objects.get().kind == "address_refused"


def test_a_staff_chat_is_told_through_the_outbox_and_no_mail_leaves(settings: Any) -> None:
    chat = ChatFactory()
    settings.STAFF_CHAT = chat.chat_id
    settings.ADMINS = [("Staff", "staff@example.org")]
    stopped()
    escalate(now=LATER)
    works_again()
    escalate(now=LATER)

    messages = OutboxMessage.objects.filter(subscriber=chat.subscriber, kind="staff_alert").order_by("pk")
    assert [message.payload["what"] for message in messages] == ["bad", "over"]
    assert StaffAlert.objects.get().told == "chat"
    assert mail.outbox == []


def test_without_a_chat_a_mail_goes_to_the_admins(settings: Any) -> None:
    settings.ADMINS = [("Staff", "staff@example.org")]
    settings.STAFF_CHAT = 4711  # never said /start
    stopped()
    escalate(now=LATER)
    escalate(now=LATER)

    assert [message.to for message in mail.outbox] == [["staff@example.org"]]
    assert "serviceUnavailable" in mail.outbox[0].body
    assert StaffAlert.objects.get().told == "mail"


def test_a_dead_mail_server_costs_the_mail_and_nothing_else(settings: Any) -> None:
    settings.ADMINS = [("Staff", "staff@example.org")]
    settings.EMAIL_BACKEND = f"{DeadMail.__module__}.DeadMail"
    stopped()

    assert escalate(now=LATER) == (1, 0)
    assert StaffAlert.objects.count() == 1
