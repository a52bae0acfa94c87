"""Following a booking at the city until its state is certain: opened link, lapse, cancellation elsewhere.

Source: GET /appointment/. Reading changes nothing there, so it decides whatever we do not know.
"""

from datetime import datetime, timedelta

from django.db import transaction

from appointments.errors import StaleBooking
from appointments.models import Booking
from appointments.services.bookings import advance, release_booking, tell_released
from appointments.services.confirming import CONFIRMED_LOOK, record_confirmation
from appointments.services.desk import Desk
from appointments.services.names import note_name_used
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.replaced import has_gone
from appointments.services.reserving import tell_reserved
from appointments.services.sending import (
    FIRST_LOOK,
    MOST_UNCLEAR,
    ask_for_other_data,
    lapse,
    next_mail_reminder,
    pause_before_sending,
    tell_check_mail,
    times_sent,
)
from appointments.states import BookingState
from appointments.upstream import types
from appointments.upstream.errors import AppointmentNotFound, AuthKeyMismatch, GateClosed, UpstreamError
from appointments.upstream.types import CallKind

S = BookingState
Wish = Booking.Wish
# The city's words for an appointment that is no more.
GONE_WORDS = frozenset({"deleted", "blocked", "anonymized"})
RARELY = timedelta(seconds=60)
FOLLOWED = (S.PRECONFIRMED, S.UNCERTAIN, S.CANCELLING, S.RESERVED, S.CONFIRMED)


def follow_booking(booking: Booking, desk: Desk, *, urgent: bool = False) -> Booking:
    """Ask the city where the booking stands and take its word. `urgent`: a person waits for the answer."""
    now = desk.clock()
    if booking.state not in FOLLOWED:
        return booking
    if booking.process_id is None:
        return settle_unnamed(booking, now=now)
    if booking.follow_at is not None and booking.follow_at > now:
        # Another worker looked a moment ago, or is looking.
        return booking
    # Claimed before asking, so that two workers do not ask the same.
    claimed = Booking.objects.filter(pk=booking.pk, state=booking.state, follow_at=booking.follow_at)
    if not claimed.update(follow_at=now + _pause(booking, now)):
        return booking
    try:
        appointment = desk.api.appointment(booking.key, kind=CallKind.BOOKING if urgent else CallKind.FOLLOW)
    except (AppointmentNotFound, AuthKeyMismatch) as error:
        try:
            return _take_absence(booking, error, now=desk.clock())
        except StaleBooking:
            booking.refresh_from_db()
            return booking
    except GateClosed as closed:
        Booking.objects.filter(pk=booking.pk, state=booking.state).update(follow_at=closed.retry_at)
        return booking
    except UpstreamError:
        # Not an answer: look again at the next turn.
        return booking
    desk.tokens.offer(appointment.captcha_token)
    try:
        booking = take_word(booking, appointment, now=desk.clock())
    except StaleBooking:
        booking.refresh_from_db()
    if urgent and booking.state == S.PRECONFIRMED and booking.wish == Wish.BOOK:
        _tell_not_yet(booking, now=desk.clock())
    return booking


def _tell_not_yet(booking: Booking, *, now: datetime) -> None:
    """The person says the link was opened; the city does not say so yet."""
    with transaction.atomic():
        # The mail may take a moment to arrive at the city as opened: look again very soon.
        Booking.objects.filter(pk=booking.pk, state=S.PRECONFIRMED).update(follow_at=now + FIRST_LOOK)
        enqueue(
            booking.subscriber,
            "not_confirmed_yet",
            now=now,
            booking=booking,
            dedup_key=f"not_confirmed_yet:{booking.pk}:{int(now.timestamp())}",
            thread=f"mail:{booking.pk}",
            edits=True,
            priority=8,
        )


def take_word(booking: Booking, appointment: types.Appointment, *, now: datetime) -> Booking:
    """Bring the booking where the city says it stands."""
    booking.refresh_from_db()
    word = appointment.status
    if word == "confirmed":
        if booking.state == S.CONFIRMED or booking.state not in FOLLOWED:
            # Known already, or another worker has settled it while this one waited for its answer.
            return booking
        return record_confirmation(booking, appointment, now=now)
    if word in GONE_WORDS:
        return _gone(booking, word, now=now)
    if word == "preconfirmed" and booking.state in (S.UNCERTAIN, S.CANCELLING, S.RESERVED):
        return _still_preconfirmed(booking, now=now)
    if word == "reserved" and booking.state in (S.UNCERTAIN, S.CANCELLING):
        return _still_reserved(booking, now=now)
    if booking.state != S.CONFIRMED:  # on the day of the visit the city has other words for what stands
        Booking.objects.filter(pk=booking.pk).update(city_status=word[:30])
    return booking


def _gone(booking: Booking, word: str, *, now: datetime) -> Booking:
    """Cancelled at the city: by us (an answer we never got) or by the person on the city's own page."""
    with transaction.atomic():
        by_us = booking.wish == Wish.RELEASE
        why = booking.reason or "person"
        if booking.state not in (S.CANCELLING, S.UNCERTAIN, S.RESERVED, S.PRECONFIRMED, S.CONFIRMED):
            return booking
        had_appointment = booking.confirmed_at is not None
        advance(booking, S.CANCELLED, now=now, reason=why if by_us else "elsewhere", city_status=word)
        if has_gone(booking, now=now):
            return booking
        if by_us:
            tell_released(booking, had_appointment=had_appointment, why=why, now=now)
        else:
            enqueue(
                booking.subscriber,
                "appointment_gone",
                now=now,
                booking=booking,
                dedup_key=f"appointment_gone:{booking.pk}",
                priority=7,
            )
    return booking


def _take_absence(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    """The city does not know it (any more), or our key is dead: cancelled, or lapsed."""
    booking.refresh_from_db()
    if booking.state not in FOLLOWED:
        return booking
    if isinstance(error, AuthKeyMismatch) or booking.state in (S.CANCELLING, S.CONFIRMED):
        return _gone(booking, "deleted", now=now)
    return lapse(booking, error.code, now=now)


def _still_preconfirmed(booking: Booking, *, now: datetime) -> Booking:
    """The data arrived after all (or giving back did not): it waits for the mailed link."""
    with transaction.atomic():
        activate_until = booking.activate_until or now
        advance(
            booking,
            S.PRECONFIRMED,
            now=now,
            city_status="preconfirmed",
            activate_until=activate_until,
            follow_at=now + FIRST_LOOK,
            remind_at=next_mail_reminder(now, activate_until, now=now),
        )
        note_name_used(booking, now=now)
        if booking.wish == Wish.RELEASE:
            queue_task("cancel_appointment", booking.pk)
        else:
            tell_check_mail(booking, now=now)
    return booking


def _still_reserved(booking: Booking, *, now: datetime) -> Booking:
    """Held, no more: the wish decides what comes next."""
    with transaction.atomic():
        held_until = booking.held_until or now
        advance(
            booking,
            S.RESERVED,
            now=now,
            city_status="reserved",
            follow_at=None,
            answer_until=booking.answer_until or held_until - timedelta(minutes=2),
        )
        if booking.wish == Wish.RELEASE:
            queue_task("cancel_appointment", booking.pk)
        elif booking.wish == Wish.BOOK:
            _send_again(booking, now=now)
        else:
            tell_reserved(booking, now=now)
    return booking


def _send_again(booking: Booking, *, now: datetime) -> None:
    """The data have not arrived: at once, then with pauses, and not for ever (some data break the city)."""
    tries = times_sent(booking)
    if tries >= MOST_UNCLEAR and booking.replaces_id is not None and not booking.cancel_first:
        # The appointment it was to take the place of stands: nothing is asked, the new time goes back.
        release_booking(booking, now=now, reason="unclear")
    elif tries >= MOST_UNCLEAR:
        ask_for_other_data(booking, now=now)
    elif tries <= 1:
        queue_task("send_booking", booking.pk)
    else:
        Booking.objects.filter(pk=booking.pk).update(retry_at=now + pause_before_sending(booking))


def settle_unnamed(booking: Booking, *, now: datetime) -> Booking:
    """A hold that we cannot name cannot be read: when it must have lapsed, the person is free again."""
    if booking.state != S.UNCERTAIN or (booking.unnamed_hold_until and booking.unnamed_hold_until > now):
        return booking
    with transaction.atomic():
        try:
            advance(booking, S.LAPSED, now=now, reason="unnamed")
        except StaleBooking:
            return booking
        enqueue(
            booking.subscriber,
            "booking_settled",
            now=now,
            booking=booking,
            watch=booking.watch,
            payload={"outcome": "free"},
            dedup_key=f"booking_settled:{booking.pk}",
            priority=6,
        )
    return booking


def _pause(booking: Booking, now: datetime) -> timedelta:
    """Looks are frequent at first, when people open the mail, then rarer; every look counts against the limit."""
    if booking.state == S.CONFIRMED:
        return CONFIRMED_LOOK
    if booking.state == S.RESERVED:
        return RARELY
    age = now - booking.state_since
    if age < timedelta(minutes=3):
        return timedelta(seconds=15)
    if age < timedelta(minutes=10):
        return timedelta(seconds=30)
    return RARELY
