"""What the queues may call: each loads by id, calls the service of its name, returns a line for the admin."""

import time

from django.utils import timezone
from django_q.tasks import async_task

from appointments import wiring
from appointments.channels import channel
from appointments.models import Booking, ImportRequest, Search
from appointments.services import (
    attempt_counts,
    attempts,
    blindness,
    counting,
    emergencies,
    ending,
    escalation,
    following,
    importing,
    leases,
    looking,
    moving,
    names,
    outbox,
    profiles,
    releasing,
    reserving,
    sending,
    subscribers,
    sweeps,
    verification,
    watches,
    watching,
)
from appointments.services.bookings import LOADED
from appointments.services.health import beat
from appointments.states import BookingState
from captcha.human import forget_old_tickets


def _load(booking_id: int) -> Booking | None:
    return Booking.objects.select_related(*LOADED).filter(pk=booking_id).first()


def reserve_appointment(booking_id: int) -> str:
    """Hold the slot of a booking."""
    booking = _load(booking_id)
    if booking is None:
        return f"booking {booking_id}: gone"
    return f"booking {booking_id}: {reserving.reserve_appointment(booking, wiring.desk()).state}"


def serve_search(search_id: int) -> str:
    """Give places of a search that came free to those whose turn it is."""
    search = Search.objects.filter(pk=search_id).first()
    if search is None:
        return f"search {search_id}: gone"
    return f"search {search_id}: {attempts.pay_turn(search, now=timezone.now())} attempts begun"


def send_booking(booking_id: int) -> str:
    """Send the contact data of a held booking to the city; what replaces an appointment is confirmed directly."""
    booking = _load(booking_id)
    if booking is None:
        return f"booking {booking_id}: gone"
    send = sending.send_booking if booking.replaces_id is None else moving.confirm_replacement
    return f"booking {booking_id}: {send(booking, wiring.desk()).state}"


def cancel_appointment(booking_id: int) -> str:
    """Give a booking back."""
    booking = _load(booking_id)
    if booking is None:
        return f"booking {booking_id}: gone"
    return f"booking {booking_id}: {releasing.cancel_appointment(booking, wiring.desk()).state}"


def follow_booking(booking_id: int, person_waits: bool = False) -> str:
    """See where a booking stands at the city; at once when a person waits or its outcome is unknown."""
    booking = _load(booking_id)
    if booking is None:
        return f"booking {booking_id}: gone"
    urgent = person_waits or booking.state in (BookingState.UNCERTAIN, BookingState.CANCELLING)
    return f"booking {booking_id}: {following.follow_booking(booking, wiring.desk(), urgent=urgent).state}"


def look_for_times(booking_id: int) -> str:
    """See what is free for an appointment that somebody wants to move."""
    booking = _load(booking_id)
    if booking is None:
        return f"booking {booking_id}: gone"
    answered = looking.look_for_times(booking, wiring.desk(), time.sleep)
    return f"booking {booking_id}: {answered} answers"


def import_appointment(request_id: int) -> str:
    """Take in an appointment that was made on the city's page."""
    request = ImportRequest.objects.select_related("subscriber").filter(pk=request_id).first()
    if request is None:
        return f"import {request_id}: gone"
    booking = importing.import_appointment(request, wiring.desk())
    return f"import {request_id}: {booking.state if booking else 'nothing taken in'}"


def watch_slice(epoch: int) -> str:
    """One slice of watching; queues its successor."""
    successor = wiring.watcher().run_slice(epoch)
    if successor is None:
        return f"watching {epoch}: another chain runs"
    async_task(
        "appointments.tasks.watch_slice", successor, q_options={"cluster": "polling", "task_name": "watch"}
    )
    return f"watching {epoch}: done"


def keep_watching(restarted: str = "") -> str:
    """Start the chain of slices if none runs; what the computer `restarted` had in hand runs no longer."""
    epoch = watching.start_chain(now=timezone.now(), restarted=restarted)
    if epoch is None:
        return "watching: runs"
    async_task(
        "appointments.tasks.watch_slice", epoch, q_options={"cluster": "polling", "task_name": "watch"}
    )
    return "watching: started"


def deliver_messages() -> str:
    """Send what is due."""
    sent = outbox.deliver_due(channel, clock=timezone.now, sleep=time.sleep, ending=ending.is_wanted)
    return f"messages: {sent}"


def sweep() -> str:
    """Find what was left behind; one at a time is enough."""
    now = timezone.now()
    if leases.take_lease("sweep", sweeps.FORGOTTEN / 3, now=now) is None:
        return "sweep: runs"
    found = sweeps.sweep_bookings(now=now)
    blind, seeing = blindness.tell_blindness(now=now)
    alerts, _over = escalation.escalate(now=now)
    woken = watches.wake_snoozed(now=now)
    asked = verification.offer_watching(wiring.captcha_site(), now=now)
    erased = subscribers.finish_erasures()
    told = f"blind {blind}, seeing {seeing}, alerts {alerts}, asked {asked}"
    return f"sweep: {found}, {told}, woken {woken}, erased {erased}"


def count_calls() -> str:
    """Roll calls and attempts up."""
    now = timezone.now()
    return f"counts: {counting.count_calls(now=now)} calls, {attempt_counts.count_attempts(now=now)} attempts"


def daily_upkeep() -> str:
    """Move rolling windows on, end watches whose time is over, remove what is old."""
    now = timezone.now()
    ended = watches.renew_windows(now=now)
    emergencies.judge_searches(now=now)
    erased = subscribers.erase_inactive(now=now)
    removed = sweeps.forget_old_records(now=now)
    removed["profiles"] = profiles.remove_erased_profiles()
    removed["names"] = names.forget_names(now=now)
    removed["captcha tickets"] = forget_old_tickets(now)
    return f"upkeep: {ended} watches ended, {erased} people erased, removed {removed}"


def canary(queue: str) -> str:
    """Prove that a queue works: a task that went all the way stamps its sign of life."""
    beat(f"queue:{queue}", now=timezone.now())
    return f"canary: {queue}"
