"""The sender's pace: as fast as Telegram allows, nobody waits for somebody else's chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from appointments.channels import DeliveryError
from appointments.models import OutboxMessage, Subscriber
from appointments.services.outbox import deliver_due, enqueue
from tests.conftest import MONDAY
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db


@dataclass
class Post:
    """A channel on a clock of its own; every look at the clock and every sending takes some time."""

    now: datetime = MONDAY
    sending: timedelta = timedelta(milliseconds=10)
    looking: timedelta = timedelta(microseconds=200)
    sent: list[tuple[datetime, int]] = field(default_factory=list)
    troubles: list[DeliveryError] = field(default_factory=list)
    while_asleep: Callable[[], None] = lambda: None
    looks: int = 0

    def clock(self) -> datetime:
        self.looks += 1
        self.now += self.looking
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.while_asleep()

    def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append((self.now, message.pk))
        self.now += self.sending
        return str(message.pk)

    def run(self) -> int:
        return deliver_due(lambda _name: self, clock=self.clock, sleep=self.sleep)


def write(person: Subscriber, now: datetime, key: str = "") -> int:
    message = enqueue(person, "test_message", now=now, dedup_key=f"{person.pk}:{key}")
    assert message is not None
    return message.pk


def test_many_are_written_to_at_the_full_pace_and_never_faster(queue: object) -> None:
    for person in SubscriberFactory.create_batch(84, known=True, now=MONDAY):
        write(person, MONDAY)
    post = Post()
    assert post.run() == 84
    times = [at for at, _pk in post.sent]
    assert (times[-1] - times[0]).total_seconds() < 83 / 28 * 1.02
    for start in times:
        assert sum(start <= at < start + timedelta(seconds=1) for at in times) <= 30


def test_a_message_that_comes_while_a_chat_rests_goes_first(queue: object) -> None:
    one, other = SubscriberFactory.create_batch(2, known=True, now=MONDAY)
    first, second = write(one, MONDAY, "first"), write(one, MONDAY, "second")
    post = Post()
    came: list[tuple[datetime, int]] = []

    def another_comes() -> None:
        if not came:
            came.append((post.now, write(other, post.now)))

    post.while_asleep = another_comes
    post.run()
    assert [pk for _at, pk in post.sent] == [first, came[0][1], second]
    assert post.sent[1][0] - came[0][0] < timedelta(milliseconds=100)


def test_what_waits_behind_a_postponed_message_does_not_keep_the_sender_busy(queue: object) -> None:
    person = SubscriberFactory(known=True, now=MONDAY)
    write(person, MONDAY, "first")
    post = Post(troubles=[DeliveryError("slow down", retry_after=timedelta(minutes=5))])
    post.run()
    write(person, post.now, "second")
    looks = post.looks
    assert post.run() == 0
    assert post.looks - looks < 20

    post.now += timedelta(minutes=5)
    assert post.run() == 2
    assert [pk for _at, pk in post.sent] == sorted(pk for _at, pk in post.sent)
