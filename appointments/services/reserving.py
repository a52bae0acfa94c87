"""Holding a slot, and what follows when somebody else was faster.

Source: POST /reserve-appointment/. Every deadline counts from the moment of the reservation.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from appointments.errors import StaleBooking
from appointments.models import Booking, Slot
from appointments.selectors.bookings import GONE, LOST_RACES
from appointments.selectors.watches import accepts_time
from appointments.services import attempts
from appointments.services.bookings import CALL_LEASE, advance, advance_after_call, tell_released
from appointments.services.contact import missing_contact
from appointments.services.desk import Desk
from appointments.services.matching import serve_waiting
from appointments.services.outbox import enqueue
from appointments.services.places import owe_turn
from appointments.services.queueing import queue_task
from appointments.services.targets import look_soon
from appointments.services.verification import ask_person
from appointments.services.vetoes import hold_for_veto, wants_veto
from appointments.states import BookingState
from appointments.upstream import types
from appointments.upstream.errors import (
    GateClosed,
    OutcomeUnknown,
    RateLimited,
    SlotTaken,
    Unavailable,
    UpstreamError,
)
from captcha.errors import CaptchaError, CityPageNeeded, HumanNeeded

S = BookingState
Wish = Booking.Wish
# Where the city's catalogue names none. Source: durations seen at the city's offices.
DEFAULT_HOLD = timedelta(minutes=15)
DEFAULT_ACTIVATION = timedelta(minutes=30)
# A possible hold that we cannot name has lapsed at the city after its duration and the next of its minute jobs.
LAPSE_MARGIN = timedelta(minutes=2)
MOST_ATTEMPTS = 5


def reserve_appointment(booking: Booking, desk: Desk) -> Booking:
    """Ask the city to hold the slot, and tell the person once it does. Run twice, it acts once.

    A lost answer leaves the booking UNCERTAIN; a lost race goes on to the same person's next candidate.
    """
    now = desk.clock()
    if booking.state != S.REQUESTED:
        return booking
    try:
        if (why := attempts.too_late(booking, now=now)) is not None:
            return attempts.give_up_waiting(booking, why, now=now)
        if attempts.is_gone(booking):
            # Asking would only cost a call: the calendar, or another attempt of ours, has shown it already.
            return lose_slot(booking, reason=GONE, now=now)
        advance(
            booking,
            S.RESERVING,
            now=now,
            lease_until=now + CALL_LEASE,
            attempts=booking.attempts + 1,
            retry_at=None,
        )
    except StaleBooking:
        return booking
    try:
        booking = _ask(booking, desk)
    except StaleBooking:
        # So late (a computer that slept) that the booking has ended meanwhile; the city has dropped the hold by then.
        booking.refresh_from_db()
    attempts.pay_turn(booking.search, now=desk.clock())
    return booking


def _ask(booking: Booking, desk: Desk) -> Booking:
    """The call, and what its answer makes of the booking."""
    asked_at = desk.clock()
    try:
        appointment = _reserve(booking, desk)
    except SlotTaken as error:
        return lose_slot(booking, reason=error.code, now=desk.clock())
    except OutcomeUnknown as error:
        return _outcome_unknown(booking, error, asked_at, now=desk.clock())
    except CityPageNeeded as error:
        # Our page cannot show it: the person books this time there, and is told where.
        return _give_up(booking, error, now=desk.clock())
    except HumanNeeded as error:
        return ask_person(booking, now=desk.clock()) or _give_up(booking, error, now=desk.clock())
    except (Unavailable, RateLimited, GateClosed, CaptchaError) as error:
        return _try_later(booking, error, now=desk.clock())
    except UpstreamError as error:
        return _give_up(booking, error, now=desk.clock())
    return record_reservation(
        booking, appointment, asked_at=asked_at, now=desk.clock(), answer_time=desk.answer_time
    )


def _reserve(booking: Booking, desk: Desk) -> types.Appointment:
    slot = types.Slot(office_id=booking.office.upstream_id, starts_at=booking.starts_at)
    return desk.tokens.for_reservation(
        lambda proof: desk.api.reserve(
            slot, booking.search.services, captcha_token=proof.token, captcha_solution=proof.solution
        ),
        needed=booking.office.captcha_required,
    )


def record_reservation(
    booking: Booking,
    appointment: types.Appointment,
    *,
    asked_at: datetime,
    now: datetime,
    answer_time: timedelta | None,
) -> Booking:
    """The city holds the slot: write number, key and deadlines down, and say so.

    If the sweep took the booking for lost meanwhile, it is found again here, so that no hold stays without an owner.
    """
    scope = appointment.scope
    office = booking.office
    hold = (scope and scope.reservation_duration) or _minutes(office.reservation_minutes) or DEFAULT_HOLD
    activation = (
        (scope and scope.activation_duration) or _minutes(office.activation_minutes) or DEFAULT_ACTIVATION
    )
    fields: dict[str, Any] = {
        "process_id": appointment.key.process_id,
        "auth_key": appointment.key.auth_key,
        "display_number": appointment.display_number[:50],
        "city_status": appointment.status[:30],
        "reserved_at": asked_at,
        "held_until": asked_at + hold,
        "activate_until": asked_at + activation,
        "unnamed_hold_until": None,
        "follow_at": None,
        # Earlier than the city's own end, so that giving back still works.
        "answer_until": (answer_until := answer_deadline(asked_at, hold, answer_time)),
        "remind_at": asked_at + (answer_until - asked_at) / 2,
    }
    with transaction.atomic():
        advance_after_call(booking, S.RESERVED, now=now, **fields)
        _act_on_hold(booking, now=now)
        # The time may be several places: the next in turn tries, and the calendar is read again.
        # Requests before the search, as everywhere: PostgreSQL would stop two who lock them the other way round.
        look_soon(booking, at=now)
        owe_turn(booking.search_id, now=now)
    return booking


def tell_reserved(booking: Booking, *, now: datetime) -> None:
    """Say that the slot is held and ask what the person wants; said once, however the booking came there."""
    enqueue(
        booking.subscriber,
        "appointment_reserved",
        now=now,
        booking=booking,
        dedup_key=f"appointment_reserved:{booking.pk}",
        thread=f"booking:{booking.pk}",
        priority=9,
    )


def _act_on_hold(booking: Booking, *, now: datetime) -> None:
    if booking.wish == Wish.RELEASE:
        queue_task("cancel_appointment", booking.pk)
        return
    if wants_veto(booking) and not missing_contact(booking):
        hold_for_veto(booking, now=now)
        return
    tell_reserved(booking, now=now)
    if booking.wish == Wish.BOOK:
        queue_task("send_booking", booking.pk)


def answer_deadline(reserved_at: datetime, hold: timedelta, answer_time: timedelta | None) -> datetime:
    """Until when the person may think: the hold less a margin of a fifth (two minutes at most), or less if set so."""
    margin = min(timedelta(minutes=2), hold / 5)
    return reserved_at + min(hold - margin, answer_time or hold)


def lose_slot(booking: Booking, *, reason: str, now: datetime) -> Booking:
    """Somebody else was faster. For `hold` and `auto` the same person's next candidate follows, without asking."""
    with transaction.atomic():
        # The city's code for a lost race is often that of any breakdown; what it means is written down instead.
        known = reason in LOST_RACES or reason == GONE
        advance_after_call(booking, S.FAILED, now=now, reason=reason if known else "taken")
        # Full as far as we know; the next look at the calendar corrects it if not.
        Slot.objects.filter(
            search=booking.search_id, office=booking.office_id, starts_at=booking.starts_at, gone_at=None
        ).update(gone_at=now)
        if booking.wish == Wish.RELEASE:
            owe_turn(booking.search_id, now=now)
            tell_released(booking, had_appointment=False, why="person", now=now)
        else:
            # In order of turn like everybody: whoever lost is among the first in it.
            successor = serve_waiting(booking.search, now=now, after=booking).get(booking.subscriber_id)
            if booking.turn.get("probe"):
                return (
                    booking  # one more place at a held time was only hoped for; nothing went that was offered
                )
            enqueue(
                booking.subscriber,
                "slot_taken",
                now=now,
                booking=booking,
                watch=booking.watch,
                payload={"next": successor.pk if successor else None},
                dedup_key=f"slot_taken:{booking.pk}",
                priority=6,
            )
    return booking


def _outcome_unknown(
    booking: Booking, error: OutcomeUnknown, asked_at: datetime, *, now: datetime
) -> Booking:
    """Maybe it is held, maybe not. Until it must have lapsed the person holds nothing else (a constraint says so)."""
    hold = _minutes(booking.office.reservation_minutes) or DEFAULT_HOLD
    fields: dict[str, object] = {"unnamed_hold_until": asked_at + hold + LAPSE_MARGIN, "follow_at": now}
    if error.key is not None:
        fields |= {
            "process_id": error.key.process_id,
            "auth_key": error.key.auth_key,
            "reserved_at": asked_at,
            "held_until": asked_at + hold,
            "activate_until": asked_at + (_minutes(booking.office.activation_minutes) or DEFAULT_ACTIVATION),
        }
    with transaction.atomic():
        try:
            advance(booking, S.UNCERTAIN, now=now, reason=error.code, **fields)
        except StaleBooking:
            return booking
        tell_uncertain(booking, now=now)
        owe_turn(booking.search_id, now=now)
        if error.key is not None:
            queue_task("follow_booking", booking.pk)
    return booking


def tell_uncertain(booking: Booking, *, now: datetime) -> None:
    """Say that we do not know, and until when."""
    until = booking.unnamed_hold_until or booking.held_until
    enqueue(
        booking.subscriber,
        "booking_uncertain",
        now=now,
        booking=booking,
        payload={"until": until.isoformat() if until else None},
        dedup_key=f"booking_uncertain:{booking.pk}",
        priority=6,
    )


def _try_later(booking: Booking, error: Exception, *, now: datetime) -> Booking:
    """Nothing has changed at the city: the same slot again soon, a few times."""
    code = str(getattr(error, "code", "") or getattr(error, "reason", "") or type(error).__name__)
    pause = getattr(error, "retry_after", timedelta(seconds=2 * booking.attempts))
    retry_at = getattr(error, "retry_at", None) or now + pause
    too_often = booking.attempts >= MOST_ATTEMPTS
    watch = booking.watch
    unwanted = watch is not None and not accepts_time(watch, booking.starts_at, now=now)
    with transaction.atomic():
        if too_often or unwanted or retry_at is None or retry_at > now + timedelta(minutes=5):
            advance_after_call(booking, S.FAILED, now=now, reason=code)
            _tell_failed(booking, code, now=now)
            owe_turn(booking.search_id, now=now)
        else:
            advance_after_call(booking, S.REQUESTED, now=now, reason=code, retry_at=retry_at)
            if booking.wish == Wish.RELEASE:
                # Nothing is held, and nothing is wanted any more.
                why = booking.reason or "person"
                advance(booking, S.CANCELLED, now=now, reason=why)
                owe_turn(booking.search_id, now=now)
                tell_released(booking, had_appointment=False, why=why, now=now)
    return booking


def _give_up(booking: Booking, error: UpstreamError | CaptchaError, *, now: datetime) -> Booking:
    """The city refuses the request itself; asking again would not help."""
    with transaction.atomic():
        advance_after_call(booking, S.FAILED, now=now, reason=error.code)
        _tell_failed(booking, error.code, now=now)
        owe_turn(booking.search_id, now=now)
    return booking


def _tell_failed(booking: Booking, code: str, *, now: datetime) -> None:
    if booking.wish == Wish.RELEASE:
        tell_released(booking, had_appointment=False, why="person", now=now)
        return
    attempts.tell_failed(booking, code, now=now)


def _minutes(number: int | None) -> timedelta | None:
    return timedelta(minutes=number) if number else None
