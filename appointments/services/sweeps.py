"""Finding what was left behind: the database is the truth, a queued task only a hint.

Every sweep is a bounded query and safe to run twice at once; what it finds is queued or moved by the same
conditional updates as everything else.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from appointments.errors import StaleBooking
from appointments.models import Booking, OutboxMessage
from appointments.services.attempts import sweep_attempts
from appointments.services.bookings import advance
from appointments.services.following import settle_unnamed
from appointments.services.importing import sweep_imports
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_delivery, queue_task
from appointments.services.replaced import settle_moves
from appointments.services.reserving import DEFAULT_HOLD, LAPSE_MARGIN, tell_uncertain
from appointments.services.sending import lapse, next_mail_reminder
from appointments.services.visits import remind_of_visits
from appointments.states import CALLING, BookingState

S = BookingState
Wish = Booking.Wish
BATCH = 200
# A task that was queued this long ago and has not begun is taken for lost and queued again.
FORGOTTEN = timedelta(seconds=15)
# Minutes left at which a countdown message is edited (besides half time).
COUNTDOWN_MINUTES = (10, 5, 2)


def sweep_bookings(*, now: datetime) -> dict[str, int]:
    """One pass over everything that waits for somebody. Returns what was found, by kind."""
    return {
        **sweep_attempts(now=now),
        "stale_leases": _stale_leases(now),
        "lapsed_holds": _lapsed_holds(now),
        "silent_holds": _silent_holds(now),
        "overdue_steps": _overdue_steps(now),
        "follow_ups": _follow_ups(now),
        "past": _past_appointments(now),
        "moves": settle_moves(now=now),
        "imports": sweep_imports(now=now),
        "reminders": _reminders(now),
        "visits": remind_of_visits(now=now),
        "messages": _forgotten_messages(now),
    }


def _stale_leases(now: datetime) -> int:
    """A worker died with a call in hand: its outcome is unknown."""
    stale = Booking.objects.filter(lease_until__lt=now, state__in=sorted(CALLING))
    found = 0
    for booking in stale.select_related("office", "subscriber")[:BATCH]:
        found += 1
        with transaction.atomic():
            if booking.state == S.CANCELLING:
                # Reading settles it; the state itself already says what is wanted.
                mine = stale.filter(pk=booking.pk, lease_until=booking.lease_until, state=S.CANCELLING)
                if mine.update(follow_at=now, lease_until=now + FORGOTTEN):
                    queue_task("follow_booking", booking.pk)
                continue
            fields: dict[str, object] = {"follow_at": now}
            if booking.process_id is None:
                hold = timedelta(minutes=booking.office.reservation_minutes or 0) or DEFAULT_HOLD
                # The call may have arrived as late as the end of the lease.
                fields["unnamed_hold_until"] = (booking.lease_until or now) + hold + LAPSE_MARGIN
            try:
                advance(booking, S.UNCERTAIN, now=now, reason="interrupted", **fields)
            except StaleBooking:
                continue
            tell_uncertain(booking, now=now)
            if booking.process_id is not None:
                queue_task("follow_booking", booking.pk)
    return found


def _silent_holds(now: datetime) -> int:
    """Nobody said what they want: the slot goes back, so that someone else can have it.

    A reservation made on the city's page has no deadline of ours: the person may be finishing it there.
    """
    silent = Booking.objects.filter(state=S.RESERVED, wish=Wish.ASK, answer_until__lte=now)
    found = 0
    for booking in silent[:BATCH]:
        with transaction.atomic():
            # Conditional on the silence itself: who answers in this very moment is heard.
            if silent.filter(pk=booking.pk).update(wish=Wish.RELEASE, reason="silence"):
                queue_task("cancel_appointment", booking.pk)
                found += 1
    return found


def _lapsed_holds(now: datetime) -> int:
    """Holds that nobody kept or gave back in time, because we or the city were away: the city has dropped them.

    Nothing but a pre-confirmation makes a hold last longer, and that is a state of its own. So it is said without
    asking: while the city cannot be asked, the person would go on reading "held".
    """
    # Of a hold made on the city's page nobody knows the end: reading it tells.
    lapsed = Booking.objects.filter(state=S.RESERVED, imported=False, held_until__lte=now - LAPSE_MARGIN)
    found = 0
    for booking in lapsed.select_related("subscriber", "watch")[:BATCH]:
        try:
            lapse(booking, "overdue", now=now)
        except StaleBooking:
            continue
        found += 1
    return found


def _past_appointments(now: datetime) -> int:
    """Appointments whose time has come are over: they stay confirmed and make room for another booking."""
    return Booking.objects.filter(state=S.CONFIRMED, ended_at=None, starts_at__lte=now).update(ended_at=now)


def _overdue_steps(now: datetime) -> int:
    """Steps that are due and that no worker has in hand."""
    forgotten = now - FORGOTTEN
    due = Q(retry_at__lte=now) | Q(retry_at=None, state_since__lte=forgotten)
    steps = (
        ("reserve_appointment", Q(state=S.REQUESTED) & due),
        ("send_booking", Q(state=S.RESERVED, wish=Wish.BOOK) & due),
        (
            "cancel_appointment",
            Q(state__in=(S.RESERVED, S.PRECONFIRMED, S.CONFIRMED), wish=Wish.RELEASE, ended_at=None) & due,
        ),
    )
    found = 0
    for task, condition in steps:
        for pk in Booking.objects.filter(condition).values_list("pk", flat=True)[:BATCH]:
            # Taken off the list for a moment, so that the next pass does not queue it again at once.
            if Booking.objects.filter(condition, pk=pk).update(retry_at=now + FORGOTTEN):
                queue_task(task, pk)
                found += 1
    return found


def _follow_ups(now: datetime) -> int:
    """Bookings whose turn it is to be read at the city, and such as nobody would ever look at."""
    turn = Q(follow_at__lte=now, state__in=(S.PRECONFIRMED, S.UNCERTAIN, S.CANCELLING, S.CONFIRMED))
    # Of holds only those made on the city's page have a turn.
    turn |= Q(follow_at__lte=now, state=S.RESERVED, imported=True)
    # A booking that is on its way back is found by its wish.
    unfollowed = Q(follow_at=None, state__in=(S.PRECONFIRMED, S.UNCERTAIN), state_since__lte=now - FORGOTTEN)
    due = Booking.objects.filter(turn | unfollowed, ended_at=None)
    found = 0
    for booking in due.order_by("follow_at")[:BATCH]:
        found += 1
        if booking.process_id is None:
            settle_unnamed(booking, now=now)
        else:
            queue_task("follow_booking", booking.pk)
    return found


def _reminders(now: datetime) -> int:
    """Countdowns of holds, and the reminder before the mailed link runs out."""
    due = Booking.objects.filter(remind_at__lte=now, state__in=(S.RESERVED, S.PRECONFIRMED)).select_related(
        "subscriber"
    )
    found = 0
    for booking in due[:BATCH]:
        held = booking.state == S.RESERVED
        until = booking.answer_until if held else booking.activate_until
        if until is None:
            continue
        left = until - now
        next_at = (
            _next_countdown(until, now) if held else next_mail_reminder(booking.state_since, until, now=now)
        )
        with transaction.atomic():
            if not Booking.objects.filter(
                pk=booking.pk, state=booking.state, remind_at=booking.remind_at
            ).update(remind_at=next_at):
                continue
            if left <= timedelta() or booking.wish != (Wish.ASK if held else Wish.BOOK):
                continue
            found += 1
            minutes = max(1, round(left.total_seconds() / 60))
            enqueue(
                booking.subscriber,
                "hold_ending" if held else "activation_ending",
                now=now,
                booking=booking,
                payload={"minutes": minutes},
                dedup_key=f"{'hold_ending' if held else 'activation_ending'}:{booking.pk}:{minutes}",
                thread=f"booking:{booking.pk}" if held else f"mail:{booking.pk}",
                edits=held,
                priority=4,
            )
    return found


def _next_countdown(until: datetime, now: datetime) -> datetime | None:
    moments = [until - timedelta(minutes=minutes) for minutes in COUNTDOWN_MINUTES]
    return min((moment for moment in moments if moment > now), default=None)


def _forgotten_messages(now: datetime) -> int:
    """Messages that are due and that no sender has picked up."""
    due = OutboxMessage.objects.filter(
        sent_at=None, failed_at=None, available_at__lte=now - timedelta(seconds=2)
    )
    waiting = due.count()
    if waiting:
        with transaction.atomic():
            queue_delivery()
    return waiting


def forget_old_records(*, now: datetime) -> dict[str, int]:
    """Once a day: remove what has served its purpose; counts of calls stay."""
    from appointments.models import Call, PollTarget, Sighting

    days = settings.KEEP_DAYS
    removed = {
        "calls": Call.objects.filter(at__lt=now - timedelta(days=2)).delete()[0],
        "messages": OutboxMessage.objects.filter(created_at__lt=now - timedelta(days=days)).delete()[0],
        "sightings": Sighting.objects.filter(at__lt=now - timedelta(days=days)).delete()[0],
        "days": PollTarget.objects.filter(
            kind=PollTarget.Kind.DETAIL, day__lt=now.date() - timedelta(days=1)
        ).delete()[0],
    }
    # Contact data of bookings that have ended is of no use to anybody any more.
    ended = Booking.objects.filter(ended_at__lt=now - timedelta(days=7)).exclude(
        family_name="", email="", auth_key=""
    )
    removed["contact data"] = ended.update(
        family_name="", email="", telephone="", custom_text="", custom_text_2="", auth_key=""
    )
    return removed
