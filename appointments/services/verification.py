"""People and captchas: a booking asks its own person, and those who wait for a guarded office may keep it watched.

In mode `human` (and in `auto` where we cannot solve) a token is made by a person. It serves everybody, so few are asked
at a time, each by one message that is edited: never more often than a token lives, and never at night.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments.models import Booking, OutboxMessage, PollTarget, Subscriber, Watch
from appointments.services.bookings import advance_after_call
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.states import BookingState
from captcha import services as captcha
from captcha.errors import HumanNeeded
from captcha.modes import current_mode
from captcha.variants import FRIENDLY

logger = logging.getLogger(__name__)

S = BookingState
HUMAN_NEEDED = HumanNeeded.code
# As long as the ticket in the message is good; then the slot is somebody else's anyway.
WAIT_FOR_PERSON = timedelta(minutes=10)
# One token lives five minutes; nobody is asked more often than that.
TOKEN_LIFE = timedelta(minutes=5)
# One token serves everybody: a few are asked, the longest not asked first.
ASKED_AT_ONCE = 10
DAY_BEGINS, NIGHT_BEGINS = 7, 22
OFFER = "captcha_offer"
WANTED = "captcha_wanted"


def ask_person(booking: Booking, *, now: datetime) -> Booking | None:
    """The booking waits for its person to solve: told once, tried again as soon as a token is there.

    None when there is nothing to wait for: nobody came in time, or captchas are switched off.
    """
    waiting_since = (
        OutboxMessage.objects.filter(dedup_key=f"{WANTED}:{booking.pk}")
        .values_list("created_at", flat=True)
        .first()
    )
    if current_mode() == "off" or booking.wish == Booking.Wish.RELEASE:
        return None
    until = (waiting_since or now) + WAIT_FOR_PERSON
    if until <= now or booking.starts_at <= now:
        return None
    with transaction.atomic():
        advance_after_call(
            booking,
            S.REQUESTED,
            now=now,
            reason=HUMAN_NEEDED,
            retry_at=until,
            # Waiting for a person is no failed attempt.
            attempts=max(0, booking.attempts - 1),
        )
        enqueue(
            booking.subscriber,
            WANTED,
            now=now,
            booking=booking,
            dedup_key=f"{WANTED}:{booking.pk}",
            thread=f"booking:{booking.pk}",
            priority=9,
        )
    return booking


def go_on_with_token(*, now: datetime) -> int:
    """A token is there: bookings that waited for one are tried at once, guarded offices are looked at again."""
    waiting = Booking.objects.filter(state=S.REQUESTED, reason=HUMAN_NEEDED, retry_at__gt=now)
    found = 0
    with transaction.atomic():
        for booking in waiting:
            if waiting.filter(pk=booking.pk).update(retry_at=now + timedelta(seconds=15)):
                queue_task("reserve_appointment", booking.pk)
                found += 1
        PollTarget.objects.filter(
            active=True, guarded=True, last_error=HUMAN_NEEDED, next_due_at__gt=now
        ).update(next_due_at=now)
    return found


def hear_of_token(*, now: datetime, **_about: object) -> None:
    """A token was stored: whoever waited goes on."""
    go_on_with_token(now=now)


def hear_of_cost(*, site: str, ratio: float, now: datetime, **_about: object) -> None:
    """Challenges have become dear, a request to slow down: staff hear of it, the gate slows by itself."""
    logger.error("Captcha: dear challenges", extra={"site": site, "ratio": round(ratio)})


def offer_watching(site: str, *, now: datetime) -> int:
    """Bring the offers up to date with the token of `site` and ask a few more people, if a person is needed.

    Returns how many messages were written. Cheap to call every few seconds.
    """
    status = captcha.verification_status(site, now)
    if status.variant == FRIENDLY:
        return 0  # free times are open, and what guards reservations is not for our page
    watched = status.remaining is not None
    if watched:
        return _show_watched(now, now + (status.remaining or timedelta()))
    if not _person_needed(status.state) or not _is_day(now):
        return 0
    lately = OutboxMessage.objects.filter(kind=OFFER, created_at__gt=now - TOKEN_LIFE)
    room = ASKED_AT_ONCE - lately.filter(payload__state="needed").count()
    if room <= 0:
        return 0
    waiting = people_waiting(now).exclude(pk__in=lately.values("subscriber"))
    asked = dict(
        OutboxMessage.objects.filter(kind=OFFER, subscriber__in=waiting)
        .order_by("created_at")
        .values_list("subscriber", "created_at")
    )
    ordered = sorted(
        waiting, key=lambda person: (asked.get(person.pk) is not None, asked.get(person.pk), person.pk)
    )
    return sum(
        _tell(person, "needed", now, now, {"since": _last_watched(person)}) for person in ordered[:room]
    )


def people_waiting(now: datetime) -> Any:
    """Active people with a watch that accepts a guarded office."""
    watches = Watch.objects.filter(
        state=Watch.State.ACTIVE, offices__active=True, offices__office__captcha_required=True
    ).exclude(snoozed_until__gt=now)
    return Subscriber.objects.filter(
        pk__in=watches.values("subscriber"), consented_at__isnull=False, paused_at=None
    )


def _show_watched(now: datetime, until: datetime) -> int:
    """Whoever was asked reads that it is done, until when."""
    asked = OutboxMessage.objects.filter(
        kind=OFFER, created_at__gt=now - timedelta(minutes=30), payload__state="needed"
    ).select_related("subscriber")
    return sum(
        _tell(message.subscriber, "watched", until, now, {"until": until.isoformat()}) for message in asked
    )


def _tell(person: Subscriber, state: str, moment: datetime, now: datetime, payload: dict[str, Any]) -> int:
    # To the minute: the end of a token is computed anew each time and may differ by a moment.
    key = f"{OFFER}:{person.pk}:{state}:{moment + timedelta(seconds=30):%Y%m%d%H%M}"
    with transaction.atomic():
        written = enqueue(
            person,
            OFFER,
            now=now,
            dedup_key=key,
            payload={"state": state, **payload},
            thread=f"captcha:{person.pk}",
            edits=True,
        )
    return int(written is not None)


def _last_watched(person: Subscriber) -> str:
    """Until when guarded offices were watched, as far as this person was told; "" if never."""
    told = OutboxMessage.objects.filter(kind=OFFER, subscriber=person, payload__state="watched")
    payload = told.order_by("-created_at").values_list("payload", flat=True).first()
    return str(payload.get("until", "")) if payload else ""


def _person_needed(state: str) -> bool:
    if state == "blocked":
        return False
    return current_mode() == "human" or state == "needs_human"


def _is_day(now: datetime) -> bool:
    return DAY_BEGINS <= timezone.localtime(now).hour < NIGHT_BEGINS
