"""Bookings: the one function that moves them, and what a person can do with them.

The steps that talk to the city live beside this file: reserving, sending, following, releasing.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Value, When

from appointments.errors import (
    AlreadyBooked,
    AlreadyHolding,
    ContactMissing,
    IllegalTransition,
    MailLimitReached,
    NotAllowed,
    SlotGone,
    StaleBooking,
)
from appointments.models import Booking, BookingEvent, Profile, Slot, Subscriber, Watch
from appointments.selectors.bookings import OTHER_ADDRESS
from appointments.selectors.moving import REPLACED, REPLACED_FIRST
from appointments.services.contact import clean_custom_text, data_of, mail_limit_reached, missing_contact
from appointments.services.holding_limits import may_hold, note_let_go
from appointments.services.outbox import enqueue
from appointments.services.places import free_place
from appointments.services.queueing import queue_task
from appointments.states import ENDED, HOLDING, LIVE, BookingState, step_between

S = BookingState
Wish = Booking.Wish
KEEPABLE = (S.REQUESTED, S.RESERVING, S.RESERVED, S.PRECONFIRMING, S.UNCERTAIN)
# One call and its time limits fit well into this; afterwards the sweep takes the booking over. After a crash the person
# waits so long for the truth, so it is no longer than it must be.
CALL_LEASE = timedelta(seconds=45)
LOADED = ("subscriber", "profile", "watch__search", "search", "office", "main_service", "replaces")


def advance(booking: Booking, to: BookingState, *, now: datetime, reason: str = "", **fields: Any) -> Booking:
    """Move `booking` one step along `TRANSITIONS` and write the step down.

    The update is conditional on the state we saw and on what the step demands of the row, so of two workers exactly
    one moves it. Why a person gives it back stays written down until it is over, whatever happens on the way.
    Raises `IllegalTransition`, or `StaleBooking` when the other worker was first or the wish has changed.
    """
    source = BookingState(booking.state)
    step = step_between(source, to)
    if step is None:
        raise IllegalTransition(f"{source} -> {to}")
    fields |= {"state": to, "state_since": now, "reason": reason}
    if to not in ENDED and "wish" not in fields:
        fields["reason"] = Case(When(wish=Wish.RELEASE, then=F("reason")), default=Value(reason))
    fields.setdefault("lease_until", None)
    if to in ENDED:
        fields |= {"ended_at": now, "follow_at": None, "remind_at": None, "retry_at": None}
    with transaction.atomic():
        if not Booking.objects.filter(pk=booking.pk, state=source, **step.given).update(**fields):
            raise StaleBooking(booking.pk)
        BookingEvent.objects.create(booking=booking, source=source, state=to, reason=reason, at=now)
    # With what the next step needs, in one query: the step is often a request that others race for.
    booking.refresh_from_db(from_queryset=Booking.objects.select_related(*LOADED))
    return booking


def advance_after_call(
    booking: Booking, to: BookingState, *, now: datetime, reason: str = "", **fields: Any
) -> Booking:
    """`advance` for a worker that comes back from the city with a clear answer.

    If the sweep took the booking for lost meanwhile (UNCERTAIN), the answer settles it. Raises `StaleBooking` when
    somebody else has settled it already.
    """
    try:
        return advance(booking, to, now=now, reason=reason, **fields)
    except StaleBooking:
        booking.refresh_from_db()
        if booking.state != S.UNCERTAIN:
            raise
        return advance(booking, to, now=now, reason=reason, **fields)


def renew_lease(booking: Booking, *, now: datetime) -> None:
    """One call of several is over: the next one has the whole lease, unless the sweep took the booking over."""
    Booking.objects.filter(pk=booking.pk, state=booking.state).update(lease_until=now + CALL_LEASE)


def start_booking(
    subscriber: Subscriber,
    slot: Slot,
    *,
    mode: str,
    watch: Watch | None,
    now: datetime,
    previous: Booking | None = None,
    profile: Profile | None = None,
    replaces: Booking | None = None,
    turn: dict[str, Any] | None = None,
) -> Booking:
    """Write down that `subscriber` wants `slot` and queue its reservation; in `auto` mode it is to be booked.

    It is for `profile`, or else for whom the attempt before or the watch is. `replaces`: the confirmed appointment
    whose place it is to take, for the same person with the same data. `turn`: why it is this person's turn, when
    nobody chose the slot. Raises `AlreadyHolding` or `AlreadyBooked`; the database's constraints decide, so two
    workers cannot both succeed.
    """
    search = slot.search
    profile = replaces.profile if replaces is not None else profile or for_whom(watch, previous)
    # What was answered for the attempt before need not be asked again.
    answered = next((b for b in (previous, replaces) if b and b.office_id == slot.office_id), None)
    try:
        with transaction.atomic():
            booking = Booking.objects.create(
                subscriber=subscriber,
                profile=profile,
                watch=watch,
                search=search,
                main_service_id=search.main_service_id,
                office_id=slot.office_id,
                starts_at=slot.starts_at,
                mode=mode,
                wish=Wish.BOOK if mode == Watch.Mode.AUTO else Wish.ASK,
                previous=previous,
                turn=turn or {},
                created_at=now,
                state_since=now,
                custom_text=answered.custom_text if answered else "",
                custom_text_2=answered.custom_text_2 if answered else "",
                **(_carried_over(replaces) if replaces is not None else {}),
            )
            BookingEvent.objects.create(booking=booking, state=S.REQUESTED, at=now)
    except IntegrityError as error:
        raise (_in_the_way(subscriber, profile, search.main_service_id) or AlreadyHolding()) from error
    queue_task("reserve_appointment", booking.pk)
    return booking


def for_whom(watch: Watch | None, previous: Booking | None = None) -> Profile | None:
    """For whom an attempt is: as the one before it, or else as its watch. None: for the subscriber."""
    if previous is not None:
        return previous.profile
    return watch.profile if watch is not None else None


def _carried_over(old: Booking) -> dict[str, Any]:
    """What a booking has in common with the appointment it takes the place of: the name never changes on the way."""
    return {
        "replaces": old,
        "moved_from": old,
        "changes": old.changes + 1,
        "family_name": old.family_name,
        "email": old.email,
        "telephone": old.telephone,
    }


def request_booking(
    subscriber: Subscriber,
    slot: Slot,
    *,
    mode: str,
    watch: Watch | None,
    now: datetime,
    profile: Profile | None = None,
) -> Booking:
    """A person chose `slot`: hold it for them (or book it, in mode `auto`); for `profile`, or for whom the watch is.

    Raises `SlotGone`, `AlreadyHolding`, `AlreadyBooked`, `MailLimitReached` when the office would refuse their
    address in the end, `HoldsPaused` for a person who let too many holds go or had too many today, or `NotAllowed` for
    one who has not agreed or is paused.
    """
    if not subscriber.is_active:
        raise NotAllowed("no consent, or paused")
    may_hold(subscriber, now=now)
    if slot.gone_at is not None or slot.starts_at <= now:
        raise SlotGone()
    profile = profile or for_whom(watch)
    if obstacle := _in_the_way(subscriber, profile, slot.search.main_service_id):
        raise obstacle
    if own := mail_limit_reached(subscriber, profile, slot.office):
        raise MailLimitReached(own.pk)
    return start_booking(subscriber, slot, mode=mode, watch=watch, now=now, profile=profile)


def _in_the_way(
    subscriber: Subscriber, profile: Profile | None, main_service_id: int
) -> AlreadyHolding | AlreadyBooked | None:
    """Why the person cannot begin another booking of this service; a hold on its way back still counts as one.

    One hold for each subscriber, one live booking of a service for each person they book for. One query, because two
    would see two moments.
    """
    live = Booking.objects.filter(subscriber=subscriber, state__in=LIVE, ended_at=None)
    standing = list(live.values_list("state", "confirmed_at", "main_service_id", "profile_id"))
    if any(state in HOLDING or (state == S.CANCELLING and not at) for state, at, *_for in standing):
        return AlreadyHolding()
    wanted = (main_service_id, profile.pk if profile is not None else None)
    if any((service, person) == wanted for _state, _at, service, person in standing):
        return AlreadyBooked()
    return None


def keep_booking(booking: Booking, *, now: datetime) -> Booking:
    """The person wants it: send it to the city as soon as it is held.

    Raises `ContactMissing` (ask for its fields, then call again) or `NotAllowed` when there is nothing to keep, or
    when it is being given back. Keeping twice changes nothing.
    """
    booking.refresh_from_db()
    if booking.state not in KEEPABLE or booking.wish == Wish.RELEASE:
        raise NotAllowed(booking.state)
    if missing := missing_contact(booking):
        raise ContactMissing(missing)
    with transaction.atomic():
        data = data_of(booking, anew=True)
        # Whatever the workers do meanwhile, the wish counts; only giving back is final.
        kept = Booking.objects.filter(pk=booking.pk, state__in=KEEPABLE).exclude(wish=Wish.RELEASE)
        # Nor is it kept with one person's name when another was chosen in this very moment.
        kept = kept.filter(profile=booking.profile_id)
        if not kept.update(wish=Wish.BOOK):
            raise NotAllowed(booking.state)
        # Who says yes need not be asked for a veto any more.
        kept.filter(mode=Watch.Mode.AUTO).update(veto_until=now)
        # Data under way are not exchanged behind the city's back, nor the name of an appointment that moves.
        kept.exclude(state=S.PRECONFIRMING).filter(replaces=None).update(
            family_name=data.family_name, email=data.email, telephone=data.telephone
        )
        queue_task("send_booking", booking.pk)
    booking.refresh_from_db()
    return booking


def answer_question(
    booking: Booking, *, custom_text: str | None = None, custom_text_2: str | None = None, now: datetime
) -> Booking:
    """Keep the person's answers to the office's own questions. Raises `InvalidValue`."""
    office = booking.office
    if custom_text is not None:
        booking.custom_text = clean_custom_text(custom_text, required=office.custom_text_required)
    if custom_text_2 is not None:
        booking.custom_text_2 = clean_custom_text(custom_text_2, required=office.custom_text_2_required)
    Booking.objects.filter(pk=booking.pk).update(
        custom_text=booking.custom_text, custom_text_2=booking.custom_text_2
    )
    return booking


def release_booking(booking: Booking, *, now: datetime, reason: str = "person") -> Booking:
    """Give back a hold, or cancel an appointment: at once, or as soon as the call in hand is over.

    Raises `NotAllowed` if the booking has ended. Releasing twice changes nothing.
    """
    with transaction.atomic():
        booking.refresh_from_db()
        if booking.state in ENDED or booking.ended_at is not None:
            raise NotAllowed(booking.state)
        if booking.state == S.REQUESTED:
            # Nothing has been asked of the city yet.
            try:
                advance(booking, S.CANCELLED, now=now, reason=reason, wish=Wish.RELEASE)
            except StaleBooking:
                booking.refresh_from_db()
            else:
                free_place(booking.search_id, now=now)
                # Where the city was never asked, the button's own answer has said it all.
                if booking.attempts or booking.swap_to is not None:
                    tell_released(booking, had_appointment=False, why=reason, now=now)
                return booking
        # Whatever the workers do meanwhile, the wish counts: it is read again after every call.
        wished = Booking.objects.filter(pk=booking.pk, ended_at=None).exclude(wish=Wish.RELEASE)
        if reason == "person":
            # What was to go for another one goes now in any case.
            wished |= Booking.objects.filter(
                pk=booking.pk, ended_at=None, reason__in=(REPLACED, REPLACED_FIRST)
            )
        if wished.update(wish=Wish.RELEASE, reason=reason, retry_at=None):
            queue_task("cancel_appointment", booking.pk)
    booking.refresh_from_db()
    return booking


def swap_booking(booking: Booking, slot: Slot, *, now: datetime) -> Booking:
    """Another time instead: what is held goes back first, because nobody holds two; then `slot` is tried.

    Raises `SlotGone` or `MailLimitReached` (nothing changes), or `NotAllowed` when there is no hold to swap.
    """
    _check_instead(booking, slot, now=now)
    with transaction.atomic():
        booking.refresh_from_db()
        if booking.state not in (S.REQUESTED, S.RESERVING, S.RESERVED) or booking.wish == Wish.RELEASE:
            raise NotAllowed(booking.state)
        Booking.objects.filter(pk=booking.pk).update(swap_to=slot)
        return release_booking(booking, now=now, reason="superseded")


def _check_instead(booking: Booking, slot: Slot, *, now: datetime) -> None:
    """Whether `slot` can be had instead of what `booking` holds. Raises `SlotGone` or `MailLimitReached`."""
    if slot.gone_at is not None or slot.starts_at <= now or slot.search_id != booking.search_id:
        raise SlotGone()
    if own := mail_limit_reached(booking.subscriber, booking.profile, slot.office):
        raise MailLimitReached(own.pk)


def take_anew(booking: Booking, slot: Slot | None, *, now: datetime) -> Booking:
    """The mailed link went to a wrong address: give the place back, then take `slot` with the stored address.

    The city mails its link when it is pre-confirmed, once, to the address of that moment: an update afterwards changes
    the address but sends nothing, and pre-confirming again is refused (409). So a place has to be taken anew. Without
    `slot` the watch goes on. Raises `SlotGone` or `MailLimitReached` (nothing changes), or `NotAllowed` when nothing
    waits for a link.
    """
    if slot is not None:
        _check_instead(booking, slot, now=now)
    with transaction.atomic():
        booking.refresh_from_db()
        if booking.state != S.PRECONFIRMED or booking.wish != Wish.BOOK or booking.replaces_id is not None:
            raise NotAllowed(booking.state)
        Booking.objects.filter(pk=booking.pk).update(swap_to=slot)
        return release_booking(booking, now=now, reason=OTHER_ADDRESS)


def _try_instead(booking: Booking, *, now: datetime) -> Booking | None:
    """The attempt at the slot the person chose instead; None when it is gone by now."""
    slot = booking.swap_to
    if slot is None or slot.gone_at is not None or slot.starts_at <= now or not booking.subscriber.is_active:
        return None
    # Whoever only corrects the address has decided already; another time is asked about once it is held.
    mode = Watch.Mode.AUTO if booking.reason == OTHER_ADDRESS else Watch.Mode.HOLD
    try:
        return start_booking(
            booking.subscriber,
            slot,
            mode=mode,
            watch=booking.watch,
            now=now,
            previous=booking,
            replaces=booking.replaces,
        )
    except (AlreadyHolding, AlreadyBooked):
        return None


def tell_released(booking: Booking, *, had_appointment: bool, why: str, now: datetime) -> None:
    """Say that a hold was given back, or that an appointment is cancelled; then try what was wanted instead."""
    payload: dict[str, Any] = {"why": why}
    if booking.swap_to is not None and (instead := _try_instead(booking, now=now)) is not None:
        payload["next"] = instead.pk
    enqueue(
        booking.subscriber,
        "appointment_cancelled" if had_appointment else "hold_released",
        now=now,
        booking=booking,
        watch=booking.watch,
        payload=payload,
        dedup_key=f"released:{booking.pk}",
        thread="" if had_appointment else f"booking:{booking.pk}",
        edits=not had_appointment,
        priority=7,
    )
    if not had_appointment:
        note_let_go(booking, now=now)


def look_again(booking: Booking, *, now: datetime) -> Booking:
    """The person says that the link was opened: ask the city at once. Raises `NotAllowed` if nothing waits for it."""
    if booking.state not in (S.PRECONFIRMED, S.UNCERTAIN, S.RESERVED, S.CONFIRMED):
        raise NotAllowed(booking.state)
    with transaction.atomic():
        Booking.objects.filter(pk=booking.pk).update(follow_at=now)
        queue_task("follow_booking", booking.pk, True)
    return booking
