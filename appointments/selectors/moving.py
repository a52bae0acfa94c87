"""Questions about moving: what stands, what may take its place, and whether now is a time for it."""

from datetime import datetime, timedelta

from appointments.models import Booking, Office, Slot, Watch
from appointments.selectors.catalogue import offices_for
from appointments.selectors.watches import KNOWN_FOR, chosen_offices
from appointments.states import LIVE, BookingState

# Why an appointment is given back because another one takes its place; `first` only after the person's explicit yes.
REPLACED, REPLACED_FIRST = "replaced", "replaced_first"
# The city's word for a mail address that has enough appointments; the person is asked while it stands here.
MAIL_LIMIT = "tooManyAppointmentsWithSameMail"


def stands(booking: Booking) -> bool:
    """Whether this is an appointment that is to come and that nobody gives back."""
    return (
        booking.state == BookingState.CONFIRMED
        and booking.ended_at is None
        and booking.wish != Booking.Wish.RELEASE
    )


def one_before_stands(booking: Booking) -> bool:
    """Whether the appointment that `booking` has taken the place of still stands: two do, and no third may."""
    if booking.replaces_id is None:
        return False
    return Booking.objects.filter(pk=booking.replaces_id, state__in=sorted(LIVE), ended_at=None).exists()


def replacement_of(booking: Booking) -> Booking | None:
    """What is about to take the place of `booking`, or has just taken it while `booking` is still on its way out."""
    found = Booking.objects.filter(replaces=booking.pk, state__in=sorted(LIVE))
    return found.select_related("subscriber", "office", "main_service", "search", "watch__search").first()


def asks_for_other_order(booking: Booking) -> bool:
    """Whether the person has to say that the old appointment may be cancelled first (the city's mail limit)."""
    return (
        booking.state == BookingState.RESERVED
        and booking.replaces_id is not None
        and not booking.cancel_first
        and booking.wish == Booking.Wish.ASK
        and booking.reason == MAIL_LIMIT
    )


def one_per_mail(booking: Booking, office_id: int) -> bool:
    """Whether the city will take a new time at this office only after `booking` is cancelled, as far as we know.

    The city counts per office (scope), so another office's limit is none of the old appointment's business.
    """
    return booking.office_id == office_id and booking.office.appointments_per_mail == 1


def may_improve_now(watch: Watch, *, now: datetime) -> bool:
    """Whether the appointment that `watch` improves may be changed at `now`.

    Not beyond the ceiling, not in the quiet time after the last change, and not shortly before the appointment itself.
    """
    appointment = watch.improves
    if appointment is None or not stands(appointment) or changes_left(watch) <= 0:
        return False
    quiet_until = quiet_after_change(watch)
    if quiet_until is not None and quiet_until > now:
        return False
    return appointment.starts_at - timedelta(hours=watch.improve_quiet_hours) > now


def changes_left(watch: Watch) -> int:
    """How often the appointment may still be changed; below zero when the person has moved it besides."""
    return watch.improve_most_changes - (watch.improves.changes if watch.improves else 0)


def quiet_after_change(watch: Watch) -> datetime | None:
    """Until when nothing is changed because a change was made lately; None when there was none."""
    appointment = watch.improves
    if appointment is None or not appointment.changes or appointment.confirmed_at is None:
        return None
    return appointment.confirmed_at + timedelta(hours=watch.improve_quiet_hours)


def improving_watch_of(booking: Booking) -> Watch | None:
    """The standing watch that looks for something earlier than `booking`."""
    standing = Watch.objects.filter(improves=booking.pk, improve=True, ended_at=None)
    return standing.select_related("search__main_service", "subscriber", "improves").first()


def liked_offices(booking: Booking) -> list[int]:
    """Offices to offer first: those the person once chose, and where the appointment is."""
    watch = booking.watch
    chosen = [office.pk for office in chosen_offices(watch)] if watch and not watch.any_office else []
    return [*chosen, booking.office_id]


def offices_to_look_at(booking: Booking) -> list[Office]:
    """Every office where the same may be booked; those behind a captcha only if the appointment is at such a one."""
    return [
        office
        for office in offices_for(booking.search.services)
        if not office.captcha_required or booking.office.captcha_required
    ]


def times_to_move_to(booking: Booking, *, now: datetime) -> list[Slot]:
    """Times of the same search free as far as we know, at any office: liked offices first, then by time."""
    liked = set(liked_offices(booking))
    found = Slot.objects.filter(
        search=booking.search_id, gone_at=None, starts_at__gt=now, seen_at__gt=now - KNOWN_FOR
    ).exclude(office=booking.office_id, starts_at=booking.starts_at)
    slots = found.select_related("office", "search").filter(office__withdrawn_at=None)
    return sorted(slots, key=lambda slot: (slot.office_id not in liked, slot.starts_at, slot.pk))
