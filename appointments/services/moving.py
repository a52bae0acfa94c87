"""Moving an appointment: the new time is held and confirmed first, the old one is given back last.

Source: the city's own page does the same: reserve, update, confirm the new process directly, cancel the old one.
What becomes of the old one lives beside this file, in `replaced`.
"""

from datetime import datetime

from django.db import transaction

from appointments.errors import NotAllowed, SlotGone
from appointments.models import Booking, Slot, Watch
from appointments.selectors.moving import MAIL_LIMIT, REPLACED_FIRST, one_before_stands, stands
from appointments.services.bookings import (
    advance_after_call,
    release_booking,
    start_booking,
)
from appointments.services.confirming import record_confirmation
from appointments.services.contact import missing_contact
from appointments.services.desk import Desk
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.replaced import stand_alone
from appointments.services.sending import (
    ask_for_details,
    back_to_asking,
    send_data,
    tell_refusal,
    try_later,
)
from appointments.services.vetoes import hold_for_veto
from appointments.states import ENDED, BookingState
from appointments.upstream.errors import (
    InvalidContact,
    TooManyAppointments,
    UpstreamError,
)

S = BookingState
Wish = Booking.Wish


def move_appointment(old: Booking, slot: Slot, *, now: datetime) -> Booking:
    """The person wants `slot` instead of their appointment `old`: it is tried, and `old` stands until it is confirmed.

    Raises `NotAllowed` (`old` does not stand, another service, or the one before `old` has not gone yet), `SlotGone`,
    `AlreadyHolding`.
    """
    old.refresh_from_db()
    if not stands(old) or not old.subscriber.is_active or slot.search_id != old.search_id:
        raise NotAllowed(old.state)
    if one_before_stands(old):
        raise NotAllowed("two stand already")
    if slot.gone_at is not None or slot.starts_at <= now or old.starts_at <= now:
        raise SlotGone()
    # A lost race is told and nothing else tried: the person chose this very time. So no watch that still looks.
    watch = old.watch if old.watch is not None and old.watch.ended_at is not None else None
    return start_booking(old.subscriber, slot, mode=Watch.Mode.AUTO, watch=watch, now=now, replaces=old)


def confirm_replacement(booking: Booking, desk: Desk) -> Booking:
    """Send the old appointment's data with the new time and have the city confirm it. Run twice, it acts once.

    Nothing happens before the old one is cancelled where the person said that it may go first.
    """
    now = desk.clock()
    old = booking.replaces
    if booking.state != S.RESERVED or booking.wish != Wish.BOOK or old is None:
        return booking
    if booking.cancel_first and old.state not in ENDED:
        return booking
    if not booking.cancel_first and not stands(old):
        # On its way back it still stands at the city: what becomes of the new one is said once it has gone.
        return booking if old.is_live else stand_alone(booking, now=now)
    if booking.held_until is not None and booking.held_until <= now:
        # The city was away for all of the hold: giving it back finds out what is left of it.
        return release_booking(booking, now=now, reason="not_in_time")
    if missing := missing_contact(booking):
        return ask_for_details(booking, missing, now=now)
    # Who chose this time by hand was asked already.
    if booking.turn and hold_for_veto(booking, now=now):
        return booking
    return send_data(
        booking,
        desk,
        claim=S.CONFIRMING,
        last_call=desk.api.confirm,
        record=record_confirmation,
        refused=_not_taken,
    )


# --- When the city does not take it --------------------------------------------------------------------------


def _not_taken(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    if isinstance(error, TooManyAppointments):
        return _mail_limit(booking, error, now=now)
    return _refused(booking, error, now=now)


def _mail_limit(booking: Booking, error: TooManyAppointments, *, now: datetime) -> Booking:
    """The city takes no second appointment with this address. Only where cancelling the old one helps, ask for that."""
    if booking.cancel_first:
        # It is cancelled already; the city may count it a moment longer.
        return try_later(booking, error, now=now)
    old = booking.replaces
    if old is None or old.office_id != booking.office_id:
        return _give_back(booking, error, "mail_limit", now=now)
    with transaction.atomic():
        if not back_to_asking(booking, error, now=now):
            return booking
        enqueue(
            booking.subscriber,
            "move_mail_limit",
            now=now,
            booking=booking,
            dedup_key=f"move_mail_limit:{booking.pk}:{booking.events.count()}",
            thread=f"booking:{booking.pk}",
            priority=9,
        )
    return booking


def _refused(booking: Booking, error: UpstreamError, *, now: datetime) -> Booking:
    """The city does not take the data. The old one stands, so the new time goes back; without it, ask."""
    if not booking.cancel_first:
        return _give_back(booking, error, "refused", now=now)
    with transaction.atomic():
        if not back_to_asking(booking, error, now=now):
            return booking
        field = error.field if isinstance(error, InvalidContact) else ""
        tell_refusal(booking, "contact_refused", field, now=now)
    return booking


def _give_back(booking: Booking, error: UpstreamError, why: str, *, now: datetime) -> Booking:
    with transaction.atomic():
        advance_after_call(booking, S.RESERVED, now=now, reason=error.code)
        return release_booking(booking, now=now, reason=why)


def cancel_old_first(booking: Booking, *, now: datetime) -> Booking:
    """The person's explicit yes: cancel the old appointment, then have the held one confirmed.

    Raises `NotAllowed` when nobody asks for that (any more), or when the old one does not stand.
    """
    with transaction.atomic():
        booking.refresh_from_db()
        asked = Booking.objects.filter(
            pk=booking.pk, state=S.RESERVED, wish=Wish.ASK, reason=MAIL_LIMIT, answer_until__gt=now
        )
        if not asked.update(wish=Wish.BOOK, cancel_first=True, retry_at=None):
            raise NotAllowed(booking.state)
        old_id = booking.replaces_id or 0
        standing = Booking.objects.filter(pk=old_id, state=S.CONFIRMED, ended_at=None)
        if not standing.exclude(wish=Wish.RELEASE).update(
            wish=Wish.RELEASE, reason=REPLACED_FIRST, retry_at=None
        ):
            raise NotAllowed("the old appointment does not stand")
        queue_task("cancel_appointment", old_id)
    booking.refresh_from_db()
    return booking
