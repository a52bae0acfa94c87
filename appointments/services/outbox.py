"""Messages: written with the fact they tell, sent afterwards by one sender, at least once sent, never twice shown.

Telegram knows no key against repeats. So each attempt is marked before it begins and its receipt written down the
moment it is there; a message whose attempt was cut off in between (a killed process, a lost answer) is looked for in
the chat before it is sent once more.

One sender at a time holds the lease; it keeps Telegram's two limits (28 a second in all, one a second per chat)
without ever being refused. Measured: a plain session and this pacing send 28/s with 4 % of a core.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from appointments.channels import Channel, DeliveryError, Recalling
from appointments.models import Booking, OutboxMessage, Subscriber, Watch
from appointments.models.outbox import OVERTAKEN
from appointments.services import leases
from appointments.services.queueing import queue_delivery
from appointments.services.subscribers import pause_subscriber

logger = logging.getLogger(__name__)

# Of a message: longer than one attempt with all its time limits.
LEASE = timedelta(seconds=30)
# Of the sender: after a crash the next one begins so late at most. One that loses it during a slow call sends that
# message, which is its own, and leaves.
SENDER_LEASE, RENEW_EVERY = timedelta(seconds=15), timedelta(seconds=3)
# A sender works so long at most, then makes room; its successor goes on where it stopped.
TURN = timedelta(seconds=20)
PER_CHAT = timedelta(milliseconds=1050)
PER_MESSAGE = timedelta(seconds=1) / 28
# Steps in which the sender waits for a chat to be ready, because somebody else's message may come meanwhile.
NAP = timedelta(milliseconds=25)
MOST_ATTEMPTS = 8
# Claimed in less time than passes between two messages, so that claiming does not slow the sending down.
BATCH = 8


def enqueue(
    subscriber: Subscriber,
    kind: str,
    *,
    now: datetime,
    dedup_key: str,
    payload: dict[str, Any] | None = None,
    booking: Booking | None = None,
    watch: Watch | None = None,
    thread: str = "",
    edits: bool = False,
    priority: int = 0,
) -> OutboxMessage | None:
    """Write a message in the present transaction. None when the same one (by `dedup_key`) was written before."""
    message, created = OutboxMessage.objects.get_or_create(
        dedup_key=dedup_key,
        defaults={
            "subscriber": subscriber,
            "kind": kind,
            "payload": payload or {},
            "booking": booking,
            "watch": watch,
            "thread": thread,
            "edits": edits,
            "priority": priority,
            "created_at": now,
            "available_at": now,
        },
    )
    if created:
        queue_delivery()
    return message if created else None


def enqueue_all(messages: Sequence[OutboxMessage]) -> None:
    """Write many messages in the present transaction with one statement; known ones (by `dedup_key`) are left out.

    One at a time, a thousand people would hold the database's only pen for more than a second.
    """
    if messages:
        OutboxMessage.objects.bulk_create(messages, ignore_conflicts=True, batch_size=500)
        queue_delivery()


def claim_due(now: datetime, limit: int = BATCH) -> list[OutboxMessage]:
    """Lease up to `limit` due messages to the caller until `now + LEASE`, urgent ones first, then oldest first.

    A person's messages keep their order: of each person only the oldest unsent one is handed out.
    """
    waiting = OutboxMessage.objects.filter(sent_at=None, failed_at=None)
    due = waiting.filter(available_at__lte=now).order_by("-priority", "available_at", "pk")
    claimed: list[OutboxMessage] = []
    people: set[int] = set()
    # More than the batch is read, because several messages of one person count once.
    for message in due.select_related("subscriber")[: limit * 4]:
        if message.subscriber_id in people or len(claimed) == limit:
            continue
        people.add(message.subscriber_id)
        oldest = (
            waiting.filter(subscriber_id=message.subscriber_id)
            .select_related(
                "subscriber", "booking__office", "booking__main_service", "watch__search__main_service"
            )
            .order_by("pk")
            .first()
        )
        if oldest is None:
            continue
        if oldest.available_at > now:
            # Nothing of this person is due before the oldest is; saying so keeps the sender from looking in vain.
            behind = waiting.filter(subscriber_id=message.subscriber_id, available_at__lt=oldest.available_at)
            behind.update(available_at=oldest.available_at)
            continue
        leased = OutboxMessage.objects.filter(pk=oldest.pk, available_at=oldest.available_at, sent_at=None)
        if leased.update(available_at=now + LEASE):
            oldest.available_at = now + LEASE
            claimed.append(oldest)
    return claimed


def deliver_due(
    channel_of: Callable[[str], Channel],
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    ending: Callable[[], bool] = lambda: False,
) -> int:
    """Send what is due, as the only sender, for one turn at most, shorter when the process is to end.

    Returns how many messages went out.

    Whoever finds the lease taken leaves: the holder looks again after giving it back, so nothing is overlooked.
    """
    sent = 0
    end = clock() + TURN
    last_to: dict[int, datetime] = {}
    while clock() < end and not ending() and _has_due(clock()):
        turn = _Turn(clock)
        if not turn.begun:
            return sent
        try:
            sent += _drain(channel_of, last_to, end, clock, sleep, turn.before(ending))
        finally:
            turn.over()
    if _has_due(clock()):
        queue_delivery()
    return sent


class _Turn:
    """The lease of the one sender, renewed while it works."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._since = clock()
        self._epoch = leases.take_lease("sender", SENDER_LEASE, now=self._since)
        self.begun = self._epoch is not None

    def goes_on(self) -> bool:
        """Whether the lease is still ours."""
        now = self._clock()
        if self._epoch is not None and now - self._since >= RENEW_EVERY:
            self._since = now
            self._epoch = leases.pass_lease("sender", self._epoch, SENDER_LEASE, now=now)
        return self._epoch is not None

    def before(self, ending: Callable[[], bool]) -> Callable[[], bool]:
        """Whether it is time to stop: because of `ending`, or because somebody else took over."""
        return lambda: ending() or not self.goes_on()

    def over(self) -> None:
        """Give it back."""
        if self._epoch is not None:
            leases.drop_lease("sender", self._epoch)


def _drain(
    channel_of: Callable[[str], Channel],
    last_to: dict[int, datetime],
    end: datetime,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    ending: Callable[[], bool],
) -> int:
    sent = 0
    next_free = clock()
    while clock() < end and not ending():
        for message in claim_due(clock()):
            now = clock()
            before = last_to.get(message.subscriber_id) or _last_sent_to(message.subscriber_id, now)
            ready = before + PER_CHAT if before else now
            if ready > now:
                # Somebody else's message may go first; this one falls due again when its chat is ready.
                _set(message, available_at=ready)
                continue
            if next_free > now:
                sleep((next_free - now).total_seconds())
            # A message that was late by less than one interval does not make all the following ones late.
            next_free = max(next_free, clock() - PER_MESSAGE) + PER_MESSAGE
            last_to[message.subscriber_id] = clock()
            sent += _deliver(channel_of, message, clock)
        soon = _soonest()
        if soon is None or soon > clock() + PER_CHAT:
            break
        if soon > clock():
            sleep(min(NAP, soon - clock()).total_seconds())
    return sent


def _deliver(
    channel_of: Callable[[str], Channel], message: OutboxMessage, clock: Callable[[], datetime]
) -> int:
    subscriber = message.subscriber
    if subscriber.pause_reason in ("blocked", "erasing"):
        _set(message, failed_at=clock(), last_error=subscriber.pause_reason)
        return 0
    try:
        receipt = _show(channel_of(message.channel), message, clock)
    except DeliveryError as error:
        _note_failure(message, error, now=clock())
        return 0
    except Exception:
        # One message that cannot be rendered must not keep everybody else's back.
        logger.exception("Message not delivered", extra={"message_id": message.pk, "kind": message.kind})
        _note_failure(message, DeliveryError("broken", unclear=True), now=clock())
        return 0
    return 0 if receipt is None else 1


def _show(channel: Channel, message: OutboxMessage, clock: Callable[[], datetime]) -> str | None:
    """Send (or edit) it and write the receipt down at once. None when another sender has it in hand by now."""
    edits = _receipt_to_edit(message)
    cut_off = message.attempted_at
    ours = OutboxMessage.objects.filter(
        pk=message.pk, sent_at=None, failed_at=None, available_at=message.available_at
    )
    if not ours.update(available_at=clock() + LEASE, attempted_at=cut_off or clock()):
        return None
    receipt = ""
    if cut_off is not None and not edits and isinstance(channel, Recalling):
        receipt = channel.recall(message)
        if not receipt:
            # Looked for and not there: from here on it is this attempt whose end is unknown.
            _set(message, attempted_at=clock())
    receipt = receipt or channel.deliver(message, edits)
    _set(
        message,
        sent_at=clock(),
        receipt=receipt[:40],
        attempts=message.attempts + 1,
        last_error="",
        attempted_at=None,
    )
    if isinstance(channel, Recalling):
        channel.accompany(message, receipt)
    return receipt


def _note_failure(message: OutboxMessage, error: DeliveryError, *, now: datetime) -> None:
    attempts = message.attempts + 1
    if error.blocked:
        pause_subscriber(message.subscriber, "blocked", now=now)
    if error.permanent or error.blocked or attempts >= MOST_ATTEMPTS:
        reason = OVERTAKEN if error.overtaken else error.reason[:100]
        _set(message, failed_at=now, attempts=attempts, last_error=reason, attempted_at=None)
        return
    pause = error.retry_after or min(timedelta(minutes=5), timedelta(seconds=2) * 2**attempts)
    # Being asked to slow down is no failure of the message.
    counted = message.attempts if error.retry_after else attempts
    known = {} if error.unclear else {"attempted_at": None}
    _set(message, available_at=now + pause, attempts=counted, last_error=error.reason[:100], **known)


def _receipt_to_edit(message: OutboxMessage) -> str:
    """What shows the thread's latest message, if this one edits it."""
    if not message.edits or not message.thread:
        return ""
    shown = (
        OutboxMessage.objects.filter(
            thread=message.thread, subscriber=message.subscriber_id, sent_at__isnull=False
        )
        .exclude(receipt="")
        .order_by("-sent_at")
        .first()
    )
    return shown.receipt if shown else ""


def retry_message(message: OutboxMessage, *, now: datetime) -> None:
    """Staff send a message again that was given up."""
    reset = OutboxMessage.objects.filter(pk=message.pk, sent_at=None)
    if reset.update(failed_at=None, available_at=now, attempts=0, last_error=""):
        queue_delivery()


def _set(message: OutboxMessage, **fields: Any) -> None:
    """Write the outcome, unless another sender wrote one meanwhile."""
    OutboxMessage.objects.filter(pk=message.pk, sent_at=None).update(**fields)


def _last_sent_to(subscriber_id: int, now: datetime) -> datetime | None:
    """When the sender of a turn before last wrote to this person, if that was a moment ago."""
    return (
        OutboxMessage.objects.filter(subscriber=subscriber_id, sent_at__gt=now - PER_CHAT)
        .order_by("-sent_at")
        .values_list("sent_at", flat=True)
        .first()
    )


def _has_due(now: datetime) -> bool:
    return OutboxMessage.objects.filter(sent_at=None, failed_at=None, available_at__lte=now).exists()


def _soonest() -> datetime | None:
    return (
        OutboxMessage.objects.filter(sent_at=None, failed_at=None)
        .order_by(F("available_at"))
        .values_list("available_at", flat=True)
        .first()
    )
