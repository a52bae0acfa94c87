"""Sending a held slot's contact data and asking the city to mail its link.

Source: POST /update-appointment/ and POST /preconfirm-appointment/.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from appointments.errors import StaleBooking
from appointments.models import Booking
from appointments.services.bookings import CALL_LEASE, advance, advance_after_call, renew_lease, tell_released
from appointments.services.contact import data_of, missing_contact
from appointments.services.desk import Desk
from appointments.services.holding_limits import note_let_go
from appointments.services.names import note_name_used
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.reserving import tell_uncertain
from appointments.services.vetoes import hold_for_veto
from appointments.services.watches import go_on_after_lapse
from appointments.states import BookingState
from appointments.upstream import types
from appointments.upstream.errors import (
    AppointmentNotFound,
    AuthKeyMismatch,
    GateClosed,
    InvalidContact,
    NotPreconfirmedAnymore,
    NotReservedAnymore,
    OutcomeUnknown,
    RateLimited,
    TooManyAppointments,
    Unavailable,
    UpstreamError,
)
from appointments.upstream.types import AppointmentKey

S = BookingState
Wish = Booking.Wish
# The first look comes soon: where the city asks for no link, it has confirmed already.
FIRST_LOOK = timedelta(seconds=10)
# Before the link runs out the person is reminded, and once more at half time if there is time for both.
REMIND_BEFORE, REMINDERS_APART = timedelta(minutes=10), timedelta(minutes=5)
# A link that runs out so soon after the mail needs no reminder: "check your mail" has just been said.
TOO_SHORT_TO_REMIND = timedelta(minutes=4)
RETRY, LONGEST_RETRY = timedelta(seconds=3), timedelta(minutes=1)
# Data whose outcome stays unclear so often are taken for refused.
MOST_UNCLEAR = 4


def send_booking(booking: Booking, desk: Desk) -> Booking:
    """Send the contact data, then pre-confirm. Run twice, it acts once; without data it asks for them instead."""
    now = desk.clock()
    if booking.state != S.RESERVED or booking.wish != Wish.BOOK:
        return booking
    if missing := missing_contact(booking):
        return ask_for_details(booking, missing, now=now)
    if hold_for_veto(booking, now=now):
        return booking
    return send_data(
        booking,
        desk,
        claim=S.PRECONFIRMING,
        last_call=desk.api.preconfirm,
        record=record_preconfirmation,
        refused=contact_refused,
    )


def send_data(
    booking: Booking,
    desk: Desk,
    *,
    claim: BookingState,
    last_call: Callable[[AppointmentKey], types.Appointment],
    record: Callable[..., Booking],
    refused: Callable[..., Booking],
) -> Booking:
    """Claim the held booking, send its data, then make the call that settles it. Two workers: one goes through.

    `record(booking, appointment, now=...)` writes down the answer to `last_call`; `refused(booking, error, now=...)`
    that the city does not take the data. All else (outcome unknown, lapsed, later) is the same whichever call it is.
    """
    data, now = data_of(booking), desk.clock()
    fields = {"family_name": data.family_name, "email": data.email, "telephone": data.telephone}
    try:
        advance(booking, claim, now=now, lease_until=now + CALL_LEASE, retry_at=None, **fields)
    except StaleBooking:
        return booking
    try:
        try:
            desk.api.update(booking.key, booking.contact)
            renew_lease(booking, now=desk.clock())
            appointment = last_call(booking.key)
        except (OutcomeUnknown, NotReservedAnymore, NotPreconfirmedAnymore) as error:
            # It is something else by now, perhaps by an answer we never got, or nothing happened: read, then decide.
            return outcome_unknown(booking, error, now=desk.clock())
        except (AppointmentNotFound, AuthKeyMismatch) as error:
            return lapse(booking, error.code, now=desk.clock())
        except (Unavailable, RateLimited, GateClosed) as error:
            return try_later(booking, error, now=desk.clock())
        except UpstreamError as error:
            return refused(booking, error, now=desk.clock())
        return record(booking, appointment, now=desk.clock())
    except StaleBooking:
        # The sweep took this worker for dead, and reading has settled it meanwhile.
        booking.refresh_from_db()
        return booking


def record_preconfirmation(booking: Booking, appointment: types.Appointment, *, now: datetime) -> Booking:
    """The city has the data and mails its link: say what is left to do, and until when."""
    with transaction.atomic():
        activate_until = booking.activate_until or now
        advance_after_call(
            booking,
            S.PRECONFIRMED,
            now=now,
            city_status=appointment.status[:30],
            display_number=(appointment.display_number or booking.display_number)[:50],
            follow_at=now + FIRST_LOOK,
            remind_at=next_mail_reminder(now, activate_until, now=now),
        )
        note_name_used(booking, now=now)
        tell_check_mail(booking, now=now)
        if booking.wish == Wish.RELEASE:
            queue_task("cancel_appointment", booking.pk)
    return booking


def next_mail_reminder(mailed_at: datetime, until: datetime, *, now: datetime) -> datetime | None:
    """The next moment after `now` to remind of a link mailed at `mailed_at` that works until `until`, or None.

    Ten minutes before the end, and at half time if that is early enough to be worth another message. Where the
    whole time is short, half time alone, or nothing.
    """
    whole = until - mailed_at
    if whole < TOO_SHORT_TO_REMIND:
        return None
    half, late = mailed_at + whole / 2, until - REMIND_BEFORE
    moments = [late] if late >= half else [half]
    if late - half >= REMINDERS_APART:
        moments.insert(0, half)
    return min((moment for moment in moments if moment > now), default=None)


def tell_check_mail(booking: Booking, *, now: datetime) -> None:
    """Say that the city's link has to be opened; said once, however the booking came there."""
    enqueue(
        booking.subscriber,
        "check_mail",
        now=now,
        booking=booking,
        dedup_key=f"check_mail:{booking.pk}",
        thread=f"mail:{booking.pk}",
        priority=8,
    )


def lapse(booking: Booking, reason: str, *, now: datetime) -> Booking:
    """The city has dropped it: say so; the watch goes on, after a missed link only if that is wanted."""
    with transaction.atomic():
        kind = "activation_lapsed" if booking.state == S.PRECONFIRMED else "hold_lapsed"
        why = booking.reason or "person"
        released = booking.wish == Wish.RELEASE and why != "silence"
        advance_after_call(booking, S.LAPSED, now=now, reason=reason)
        if released:
            # It lapsed before it could be given back, which comes to the same; what is wanted instead is tried now.
            tell_released(booking, had_appointment=False, why=why, now=now)
            return booking
        if kind == "activation_lapsed" and booking.watch is not None:
            go_on_after_lapse(booking.watch, now=now)
        enqueue(
            booking.subscriber,
            kind,
            now=now,
            booking=booking,
            watch=booking.watch,
            payload={"why": reason},
            dedup_key=f"lapsed:{booking.pk}",
            priority=7,
        )
        note_let_go(booking, now=now)
    return booking


def ask_for_details(booking: Booking, missing: tuple[str, ...], *, now: datetime) -> Booking:
    """Something the office needs is not known: ask for it while the time is held."""
    with transaction.atomic():
        asked = Booking.objects.filter(pk=booking.pk, state=S.RESERVED, wish=Wish.BOOK)
        if not asked.update(wish=Wish.ASK):
            return booking
        enqueue(
            booking.subscriber,
            "details_needed",
            now=now,
            booking=booking,
            payload={"fields": list(missing)},
            dedup_key=f"details_needed:{booking.pk}:{','.join(missing)}",
            priority=8,
        )
    booking.refresh_from_db()
    return booking


def contact_refused(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    """The city does not take the data: the slot stays held, the person may change them while it lasts."""
    with transaction.atomic():
        if not back_to_asking(booking, error, now=now, **_without_refused(error)):
            return booking
        kind = "mail_limit" if isinstance(error, TooManyAppointments) else "contact_refused"
        field = error.field if isinstance(error, InvalidContact) else ""
        tell_refusal(booking, kind, field, now=now)
    return booking


def back_to_asking(booking: Booking, error: UpstreamError, *, now: datetime, **fields: Any) -> bool:
    """Held as before, and its person is to be asked. False: given back meanwhile, which goes on. In a transaction."""
    advance_after_call(booking, S.RESERVED, now=now, reason=error.code, **fields)
    if booking.wish == Wish.RELEASE:
        queue_task("cancel_appointment", booking.pk)
        return False
    _ask_anew(booking)
    return True


def _without_refused(error: UpstreamError) -> dict[str, str]:
    """What was refused must not be sent again; the name stays fixed unless it was the name, or nobody knows what."""
    if isinstance(error, TooManyAppointments):
        return {"email": ""}
    named = [field for field in error.fields if field] if isinstance(error, InvalidContact) else []
    return dict.fromkeys(named or ("family_name", "email", "telephone"), "")


def ask_for_other_data(booking: Booking, *, now: datetime) -> None:
    """Data that the city cannot digest are not sent for ever: the person is asked for others while it is held."""
    Booking.objects.filter(pk=booking.pk).update(family_name="", email="", telephone="")
    _ask_anew(booking)
    tell_refusal(booking, "contact_refused", "", now=now)


def _ask_anew(booking: Booking) -> None:
    """Back to asking, unless the person gave it back in this very moment."""
    Booking.objects.filter(pk=booking.pk, wish=Wish.BOOK).update(wish=Wish.ASK)
    booking.refresh_from_db()


def tell_refusal(booking: Booking, kind: str, field: str, *, now: datetime) -> None:
    """Say that the city did not take the data, and which of them if it said so."""
    enqueue(
        booking.subscriber,
        kind,
        now=now,
        booking=booking,
        payload={"field": field},
        dedup_key=f"contact_refused:{booking.pk}:{booking.events.count()}",
        priority=8,
    )


def try_later(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    """Nothing has changed at the city: still held, sent again soon, then more and more rarely."""
    pause = pause_before_sending(booking)
    retry_at = getattr(error, "retry_at", None) or now + getattr(error, "retry_after", pause)
    with transaction.atomic():
        advance_after_call(booking, S.RESERVED, now=now, reason=error.code, retry_at=retry_at)
        if booking.wish == Wish.RELEASE:
            Booking.objects.filter(pk=booking.pk).update(retry_at=None)
            queue_task("cancel_appointment", booking.pk)
    return booking


def times_sent(booking: Booking) -> int:
    """How often its data have been on their way to the city."""
    return booking.events.filter(state__in=(S.PRECONFIRMING, S.CONFIRMING)).count()


def pause_before_sending(booking: Booking) -> timedelta:
    """How long to wait before the data are sent once more: doubling, so that a broken city is not hammered."""
    return min(LONGEST_RETRY, RETRY * 2 ** min(max(0, times_sent(booking) - 1), 10))


def outcome_unknown(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    """Read, then decide: an error is no proof that nothing happened.

    Raises `StaleBooking` where the sweep has said so already, or somebody else has settled it.
    """
    with transaction.atomic():
        advance(booking, S.UNCERTAIN, now=now, reason=error.code, follow_at=now)
        if isinstance(error, OutcomeUnknown):
            tell_uncertain(booking, now=now)
        queue_task("follow_booking", booking.pk)
    return booking
