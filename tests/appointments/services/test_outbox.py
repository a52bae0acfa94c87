"""Messages: written once, in order, paced, tried again, and never lost with the process that sent them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from appointments.channels import DeliveryError
from appointments.models import OutboxMessage, Subscriber
from appointments.services import leases, outbox
from appointments.services.outbox import claim_due, deliver_due, enqueue, retry_message
from tests.conftest import Queue
from tests.factories import BookingFactory, OutboxMessageFactory, SubscriberFactory

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@dataclass
class Post:
    """A sender with its own clock; `errors` are what the channel answers next, None for a success."""

    now: datetime = NOW
    sent: list[tuple[datetime, OutboxMessage, str]] = field(default_factory=list)
    errors: list[Exception | None] = field(default_factory=list)
    during: Callable[[OutboxMessage], None] | None = None

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
        if self.during:
            self.during(message)
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise error
        self.sent.append((self.now, message, edit_receipt))
        return edit_receipt or str(len(self.sent))

    def turn(self) -> int:
        return deliver_due(lambda _name: self, clock=self.clock, sleep=self.sleep)

    def kinds(self) -> list[str]:
        return [message.kind for _at, message, _edit in self.sent]


@pytest.fixture
def post(queue: Queue) -> Post:
    return Post()


def written(person: Subscriber, kind: str = "test_message", **fields: object) -> OutboxMessage:
    message = enqueue(
        person, kind, now=NOW, dedup_key=str(fields.pop("key", OutboxMessage.objects.count())), **fields
    )
    assert message is not None
    return message


def test_the_same_fact_is_told_once(post: Post, queue: Queue) -> None:
    person = SubscriberFactory()

    first = enqueue(person, "test_message", now=NOW, dedup_key="fact")
    second = enqueue(person, "test_message", now=NOW, dedup_key="fact")

    assert first is not None
    assert second is None
    assert post.turn() == 1
    assert queue.names() == ["deliver_messages"]


def test_one_person_reads_in_the_order_things_happened(post: Post) -> None:
    person = SubscriberFactory()
    for number, priority in enumerate((0, 9, 5)):
        written(person, f"kind{number}", priority=priority)

    post.turn()

    assert post.kinds() == ["kind0", "kind1", "kind2"]


def test_urgent_messages_of_other_people_go_first(post: Post) -> None:
    written(SubscriberFactory(), "idle", priority=-5)
    written(SubscriberFactory(), "urgent", priority=9)
    written(SubscriberFactory(), "usual")

    post.turn()

    assert post.kinds() == ["urgent", "usual", "idle"]


def test_one_chat_gets_a_message_every_1050_milliseconds_at_most(post: Post) -> None:
    person = SubscriberFactory()
    for _number in range(4):
        written(person)

    post.turn()

    times = [at for at, _message, _edit in post.sent]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 3
    assert all(outbox.PER_CHAT <= gap <= outbox.PER_CHAT + timedelta(milliseconds=150) for gap in gaps)


def test_one_chat_is_not_hurried_by_the_next_turn_either(post: Post) -> None:
    person = SubscriberFactory()
    written(person)
    post.turn()
    post.now += timedelta(milliseconds=100)
    written(person)
    OutboxMessage.objects.filter(sent_at=None).update(available_at=post.now)

    post.turn()

    assert post.sent[1][0] - post.sent[0][0] >= outbox.PER_CHAT


def test_28_messages_a_second_leave_at_most(post: Post) -> None:
    for _number in range(60):
        written(SubscriberFactory())

    post.turn()

    assert len(post.sent) == 60
    for index, (at, _message, _edit) in enumerate(post.sent):
        within = [other for other, _m, _e in post.sent[index:] if other - at < timedelta(seconds=1)]
        assert len(within) <= 29
    assert post.sent[-1][0] - post.sent[0][0] < timedelta(seconds=59 / 28 + 0.2)


def test_other_people_do_not_wait_for_a_busy_chat(post: Post) -> None:
    busy = SubscriberFactory()
    for _number in range(3):
        written(busy)
    written(SubscriberFactory(), "other")

    post.turn()

    assert post.kinds()[:2] == ["test_message", "other"]


def test_a_pause_asked_for_is_kept_and_is_no_failure(post: Post) -> None:
    person = SubscriberFactory()
    message = written(person)
    written(person, "later")
    post.errors = [DeliveryError("flood", retry_after=timedelta(seconds=30))]

    post.turn()
    message.refresh_from_db()
    early, attempts = post.kinds(), message.attempts
    post.now += timedelta(seconds=31)
    post.turn()

    assert (early, attempts) == ([], 0)
    assert post.kinds() == ["test_message", "later"]
    assert post.sent[0][0] - NOW >= timedelta(seconds=30)


def test_who_blocked_us_is_paused_and_gets_nothing_more(post: Post) -> None:
    person = SubscriberFactory()
    written(person)
    written(person)
    other = written(SubscriberFactory(), "other")
    post.errors = [DeliveryError("blocked", blocked=True)]

    post.turn()
    post.now += timedelta(seconds=5)
    post.turn()

    person.refresh_from_db()
    assert person.pause_reason == "blocked"
    assert [message.pk for _at, message, _edit in post.sent] == [other.pk]
    assert OutboxMessage.objects.filter(subscriber=person, failed_at=None).count() == 0


def test_what_can_never_be_sent_is_given_up_at_once(post: Post) -> None:
    message = written(SubscriberFactory())
    post.errors = [DeliveryError("chat not found", permanent=True)]

    post.turn()

    message.refresh_from_db()
    assert (message.attempts, message.last_error) == (1, "chat not found")
    assert message.failed_at is not None


def test_what_is_over_before_it_is_sent_is_left_out_and_counts_as_no_failure(post: Post) -> None:
    message = written(SubscriberFactory())
    post.errors = [DeliveryError("no hold any more", overtaken=True)]

    post.turn()

    message.refresh_from_db()
    assert message.last_error == "overtaken"
    assert message.sent_at is None
    assert message.failed_at is not None


def test_a_failing_message_is_given_up_after_eight_attempts_and_can_be_sent_again(post: Post) -> None:
    message = written(SubscriberFactory())
    post.errors = [DeliveryError("timeout")] * 8
    gaps = []

    for _attempt in range(8):
        before = post.now
        post.turn()
        message.refresh_from_db()
        if message.failed_at is None:
            gaps.append((message.available_at - before).total_seconds())
            post.now = message.available_at

    assert gaps == [4, 8, 16, 32, 64, 128, 256]
    assert message.failed_at is not None
    retry_message(message, now=post.now)
    post.turn()
    assert post.kinds() == ["test_message"]


@pytest.mark.parametrize("error", [KeyError("no such template"), ZeroDivisionError()])
def test_a_message_that_breaks_does_not_keep_others_back(
    post: Post, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    broken = written(SubscriberFactory())
    written(SubscriberFactory(), "other")
    post.errors = [error]

    with caplog.at_level(logging.CRITICAL):
        post.turn()

    broken.refresh_from_db()
    assert post.kinds() == ["other"]
    assert (broken.attempts, broken.last_error) == (1, "broken")


def test_a_channel_nobody_knows_is_given_up_in_the_end(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    message = written(SubscriberFactory())

    def unknown(name: str) -> Post:
        raise KeyError(name)

    with caplog.at_level(logging.CRITICAL):
        for _attempt in range(8):
            deliver_due(unknown, clock=post.clock, sleep=post.sleep)
            post.now += timedelta(minutes=5)

    message.refresh_from_db()
    assert message.failed_at is not None


def test_an_edit_changes_the_latest_message_of_its_thread(post: Post) -> None:
    person = SubscriberFactory()
    written(person, "appointment_reserved", thread="booking:1")
    written(person, "hold_ending", thread="booking:1", edits=True)
    written(person, "hold_released", thread="booking:1", edits=True)
    written(SubscriberFactory(), "hold_ending", thread="booking:1", edits=True)

    post.turn()

    edits = {message.pk: edit for _at, message, edit in post.sent}
    first = post.sent[0][1]
    assert edits[first.pk] == ""
    mine = [edit for _at, message, edit in post.sent if message.subscriber_id == person.pk]
    assert mine[1:] == [mine[1], mine[1]] != ["", ""]
    theirs = [edit for _at, message, edit in post.sent if message.subscriber_id != person.pk]
    assert theirs == [""], "a thread never crosses to another person's chat"


def test_a_sender_that_died_leaves_its_messages_to_the_next(post: Post) -> None:
    message = written(SubscriberFactory())
    claimed = claim_due(NOW)
    leases.take_lease("sender", outbox.LEASE, now=NOW)

    early = post.turn()
    post.now += outbox.LEASE
    late = post.turn()

    assert [each.pk for each in claimed] == [message.pk]
    assert (early, late) == (0, 1)


def test_of_two_senders_at_once_one_sends(post: Post) -> None:
    written(SubscriberFactory())
    second = Post()
    counts = []
    post.during = lambda _message: counts.append(second.turn())

    post.turn()

    assert counts == [0]
    assert (len(post.sent), len(second.sent)) == (1, 0)


def test_a_claimed_message_is_not_claimed_again_before_its_lease_ends() -> None:
    OutboxMessageFactory(now=NOW)

    first, second, third = claim_due(NOW), claim_due(NOW), claim_due(NOW + outbox.LEASE)

    assert (len(first), len(second), len(third)) == (1, 0, 1)


def test_a_turn_ends_and_queues_the_next(post: Post, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "TURN", timedelta(seconds=2))
    for _number in range(80):
        OutboxMessageFactory(now=NOW)

    sent = post.turn()

    assert timedelta(seconds=1.9) < post.now - NOW < timedelta(seconds=2.5)
    assert 50 < sent < 70
    assert queue.names() == ["deliver_messages"]


def test_a_process_that_is_to_end_stops_sending(queue: Queue) -> None:
    post = Post()
    for _number in range(100):
        OutboxMessageFactory(now=NOW)
    asked = iter([False] * 4 + [True] * 1000)

    sent = deliver_due(lambda _name: post, clock=post.clock, sleep=post.sleep, ending=lambda: next(asked))

    assert 0 < sent < 100
    assert OutboxMessage.objects.filter(sent_at=None).count() == 100 - sent


def test_a_message_about_a_booking_carries_it(post: Post) -> None:
    booking = BookingFactory(reserved=True)
    written(booking.subscriber, "appointment_reserved", booking=booking)

    post.turn()

    assert post.sent[0][1].booking == booking
