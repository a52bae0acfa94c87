"""The booking machine as data: every step, who takes it, what must hold, what the person reads, and what heals it.

```
REQUESTED -> RESERVING -> RESERVED -> PRECONFIRMING -> PRECONFIRMED -> CONFIRMED -> CANCELLED
                                   -> CONFIRMING (takes the place of a standing appointment) -> CONFIRMED
```

In an -ING state a worker holds the lease and a call is under way. An expired lease and a lost answer both
lead to UNCERTAIN, where reading the appointment (or waiting until it must have lapsed) decides. CANCELLING stays
itself meanwhile, because it says what is wanted; reading decides there just the same.

`services.bookings.advance` takes no step that is not here, and takes it only while its `given` holds, in the same
UPDATE. `docs/booking-machine.md` and its picture are drawn from these tables (`manage.py draw_booking_machine`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class BookingState(models.TextChoices):
    """Where one attempt to get one slot stands."""

    REQUESTED = "requested", _("wanted")
    RESERVING = "reserving", _("being held")
    RESERVED = "reserved", _("held")
    PRECONFIRMING = "preconfirming", _("being sent")
    PRECONFIRMED = "preconfirmed", _("waiting for the mailed link")
    CONFIRMING = "confirming", _("being confirmed")
    CONFIRMED = "confirmed", _("confirmed by the city")
    CANCELLING = "cancelling", _("being given back")
    CANCELLED = "cancelled", _("given back")
    UNCERTAIN = "uncertain", _("outcome unknown")
    LAPSED = "lapsed", _("lapsed")
    FAILED = "failed", _("failed")


S = BookingState


class By(StrEnum):
    """Who takes a step."""

    WORKER = "worker"
    PERSON = "person"
    READING = "reading"  # GET /appointment/: the city's own word
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow. `when` says in words what leads to it, `given` what must hold of the row (Django lookups).

    `tells` are the kinds of message the person may read because of it; none means that a later step tells.
    """

    source: BookingState
    target: BookingState
    by: By
    when: str
    tells: tuple[str, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stay:
    """What keeps a booking from standing in a state for ever.

    `deadline` is the field of `Booking` with the last moment, `counted` how it is set and with which margin.
    `healed_by` names the function that finds a booking left behind here (module of `services` and name).
    """

    waits_for: str
    deadline: str
    counted: str
    healed_by: str


_BOOK, _RELEASE = {"wish": "book"}, {"wish": "release"}
_FIRST = _BOOK | {"replaces__isnull": True}
_INSTEAD = _BOOK | {"replaces__isnull": False}
_RELEASED = ("hold_released",)

STEPS: tuple[Step, ...] = (
    Step(S.REQUESTED, S.RESERVING, By.WORKER, "the lease is taken; POST /reserve-appointment/ follows"),
    Step(S.REQUESTED, S.CANCELLED, By.PERSON, "given back before the city was asked", _RELEASED),
    Step(
        S.REQUESTED,
        S.FAILED,
        By.SWEEP,
        "not asked in time, or seen gone before asking",
        ("booking_failed", "slot_taken", "hold_released"),
    ),
    Step(S.RESERVING, S.RESERVED, By.WORKER, "the city holds the slot", ("appointment_reserved", "veto")),
    Step(S.RESERVING, S.REQUESTED, By.WORKER, "nothing was changed there: again soon, a few times"),
    Step(
        S.RESERVING,
        S.FAILED,
        By.WORKER,
        "the slot is taken (404), or the city refuses the request itself",
        ("slot_taken", "booking_failed", "hold_released"),
    ),
    Step(
        S.RESERVING, S.UNCERTAIN, By.SWEEP, "the answer was lost, or the worker died", ("booking_uncertain",)
    ),
    Step(S.RESERVED, S.PRECONFIRMING, By.WORKER, "the person wants it and the data are known", given=_FIRST),
    Step(S.RESERVED, S.CONFIRMING, By.WORKER, "it takes the place of an appointment", given=_INSTEAD),
    Step(S.RESERVED, S.CANCELLING, By.WORKER, "given back, or nobody answered", given=_RELEASE),
    Step(
        S.RESERVED,
        S.LAPSED,
        By.SWEEP,
        "the city has dropped it, or must have, and could not be asked",
        ("hold_lapsed", "hold_released"),
    ),
    Step(S.RESERVED, S.PRECONFIRMED, By.READING, "the city has the data already", ("check_mail",)),
    Step(S.RESERVED, S.CONFIRMED, By.READING, "confirmed already", ("appointment_confirmed",)),
    Step(S.RESERVED, S.CANCELLED, By.READING, "cancelled at the city", ("appointment_gone", "hold_released")),
    Step(S.PRECONFIRMING, S.PRECONFIRMED, By.WORKER, "the city mails its link", ("check_mail",)),
    Step(
        S.PRECONFIRMING,
        S.RESERVED,
        By.WORKER,
        "the data are refused, or nothing was changed there",
        ("contact_refused", "mail_limit"),
    ),
    Step(
        S.PRECONFIRMING,
        S.UNCERTAIN,
        By.SWEEP,
        "the answer was lost, or the worker died",
        ("booking_uncertain",),
    ),
    Step(S.PRECONFIRMING, S.LAPSED, By.WORKER, "the city has dropped it", ("hold_lapsed", "hold_released")),
    Step(
        S.CONFIRMING,
        S.CONFIRMED,
        By.WORKER,
        "the city confirms the new appointment; only now the old one may go",
        ("appointment_moved",),
    ),
    Step(
        S.CONFIRMING,
        S.RESERVED,
        By.WORKER,
        "the data are refused, or nothing was changed there; the old appointment stands",
        ("move_mail_limit", "contact_refused"),
    ),
    Step(
        S.CONFIRMING, S.UNCERTAIN, By.SWEEP, "the answer was lost, or the worker died", ("booking_uncertain",)
    ),
    Step(S.CONFIRMING, S.LAPSED, By.WORKER, "the city has dropped it", ("hold_lapsed", "hold_released")),
    Step(S.PRECONFIRMED, S.CONFIRMED, By.READING, "the mailed link was opened", ("appointment_confirmed",)),
    # The city mails its link once, to the address of that moment: another address needs another place.
    Step(
        S.PRECONFIRMED,
        S.CANCELLING,
        By.WORKER,
        "given back; or another address is to get the link, and a place is taken anew",
        given=_RELEASE,
    ),
    Step(
        S.PRECONFIRMED, S.LAPSED, By.READING, "nobody opened the link", ("activation_lapsed", "hold_released")
    ),
    Step(
        S.PRECONFIRMED,
        S.CANCELLED,
        By.READING,
        "cancelled at the city",
        ("appointment_gone", "hold_released"),
    ),
    Step(S.CONFIRMED, S.CANCELLING, By.WORKER, "cancelled by the person", given=_RELEASE),
    Step(S.CONFIRMED, S.CANCELLED, By.READING, "cancelled at the city", ("appointment_gone",)),
    # Giving back is a call like any other: its answer can be lost, and then reading decides.
    Step(
        S.CANCELLING,
        S.CANCELLED,
        By.WORKER,
        "the city took it back, or its key is dead (406): an earlier attempt worked",
        ("hold_released", "appointment_cancelled", "old_given_back", "appointment_gone"),
    ),
    Step(S.CANCELLING, S.RESERVED, By.WORKER, "nothing was changed there: again later"),
    Step(S.CANCELLING, S.PRECONFIRMED, By.WORKER, "nothing was changed there: again later"),
    Step(
        S.CANCELLING,
        S.CONFIRMED,
        By.WORKER,
        "nothing was changed there, or it is too late",
        ("booking_failed",),
    ),
    Step(
        S.CANCELLING,
        S.LAPSED,
        By.READING,
        "it lapsed before it could be given back",
        ("hold_released", "hold_lapsed"),
    ),
    Step(S.UNCERTAIN, S.REQUESTED, By.WORKER, "a late answer says that nothing was changed"),
    Step(
        S.UNCERTAIN, S.RESERVED, By.READING, "the city holds it", ("appointment_reserved", "contact_refused")
    ),
    Step(S.UNCERTAIN, S.PRECONFIRMED, By.READING, "the city has the data", ("check_mail",)),
    Step(
        S.UNCERTAIN,
        S.CONFIRMED,
        By.READING,
        "the city says confirmed",
        ("appointment_confirmed", "appointment_moved"),
    ),
    Step(
        S.UNCERTAIN, S.CANCELLED, By.READING, "the city says deleted", ("appointment_gone", "hold_released")
    ),
    Step(
        S.UNCERTAIN,
        S.LAPSED,
        By.SWEEP,
        "the city does not know it, or a hold without a name must have lapsed",
        ("booking_settled", "hold_lapsed", "hold_released"),
    ),
    Step(
        S.UNCERTAIN,
        S.FAILED,
        By.WORKER,
        "a late answer says that the slot is taken",
        ("slot_taken", "booking_failed"),
    ),
)

TRANSITIONS: dict[BookingState, frozenset[BookingState]] = {
    state: frozenset(step.target for step in STEPS if step.source == state) for state in S
}
_STEP = {(step.source, step.target): step for step in STEPS}

STAYS: dict[BookingState, Stay] = {
    S.REQUESTED: Stay(
        "a worker",
        "retry_at",
        "15 s after it was queued; out of time after 90 s if it never began, else after five minutes",
        "sweeps._overdue_steps",
    ),
    S.RESERVING: Stay(
        "the city's answer", "lease_until", "45 s after the call began", "sweeps._stale_leases"
    ),
    S.RESERVED: Stay(
        "the person's answer",
        "answer_until",
        "reservationDuration from the reserve call, less a fifth of it (two minutes at most)",
        "sweeps._silent_holds",
    ),
    S.PRECONFIRMING: Stay(
        "the city's answer", "lease_until", "45 s after the call began", "sweeps._stale_leases"
    ),
    S.PRECONFIRMED: Stay(
        "the mailed link",
        "activate_until",
        "activationDuration from the reserve call, too; reminders at half time and ten minutes before",
        "sweeps._follow_ups",
    ),
    S.CONFIRMING: Stay(
        "the city's answer", "lease_until", "45 s after the call began", "sweeps._stale_leases"
    ),
    S.CONFIRMED: Stay("the visit", "starts_at", "a look a day until then", "sweeps._past_appointments"),
    S.CANCELLING: Stay(
        "the city's answer", "lease_until", "45 s after the call began", "sweeps._stale_leases"
    ),
    S.UNCERTAIN: Stay(
        "reading, or lapse",
        "unnamed_hold_until",
        "reservationDuration from the end of the lease, and two minutes for the city's minute jobs",
        "sweeps._follow_ups",
    ),
}

# A worker has a call under way in these.
CALLING = frozenset({S.RESERVING, S.PRECONFIRMING, S.CONFIRMING, S.CANCELLING})
# The person occupies (or may occupy) a place at the city that is not an appointment yet: one at a time.
HOLDING = frozenset(
    {S.REQUESTED, S.RESERVING, S.RESERVED, S.PRECONFIRMING, S.PRECONFIRMED, S.CONFIRMING, S.UNCERTAIN}
)
# One of these per person and service.
LIVE = HOLDING | {S.CONFIRMED, S.CANCELLING}
ENDED = frozenset({S.CANCELLED, S.LAPSED, S.FAILED})


def step_between(source: BookingState, target: BookingState) -> Step | None:
    """The step from `source` to `target`, or None: the machine has no such step."""
    return _STEP.get((source, target))
