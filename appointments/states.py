"""The booking machine as data: which state may follow which, and what each one means.

```
REQUESTED -> RESERVING -> RESERVED -> PRECONFIRMING -> PRECONFIRMED -> CONFIRMED -> CANCELLED
```

In an -ING state a worker holds the lease and a call is under way. An expired lease and a lost answer both
lead to UNCERTAIN, where reading the appointment (or waiting until it must have lapsed) decides. CANCELLING stays
itself meanwhile, because it says what is wanted; reading decides there just the same.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BookingState(models.TextChoices):
    """Where one attempt to get one slot stands."""

    REQUESTED = "requested", _("wanted")
    RESERVING = "reserving", _("being held")
    RESERVED = "reserved", _("held")
    PRECONFIRMING = "preconfirming", _("being sent")
    PRECONFIRMED = "preconfirmed", _("waiting for the mailed link")
    CONFIRMED = "confirmed", _("confirmed by the city")
    CANCELLING = "cancelling", _("being given back")
    CANCELLED = "cancelled", _("given back")
    UNCERTAIN = "uncertain", _("outcome unknown")
    LAPSED = "lapsed", _("lapsed")
    FAILED = "failed", _("failed")


S = BookingState

TRANSITIONS: dict[BookingState, frozenset[BookingState]] = {
    S.REQUESTED: frozenset({S.RESERVING, S.CANCELLED}),
    S.RESERVING: frozenset({S.RESERVED, S.REQUESTED, S.UNCERTAIN, S.FAILED}),
    S.RESERVED: frozenset(
        {S.PRECONFIRMING, S.CANCELLING, S.PRECONFIRMED, S.CONFIRMED, S.LAPSED, S.CANCELLED}
    ),
    S.PRECONFIRMING: frozenset({S.PRECONFIRMED, S.RESERVED, S.UNCERTAIN, S.LAPSED}),
    S.PRECONFIRMED: frozenset({S.CONFIRMED, S.CANCELLING, S.LAPSED, S.CANCELLED}),
    S.CONFIRMED: frozenset({S.CANCELLING, S.CANCELLED}),
    # Giving back is a call like any other: its answer can be lost, and then reading decides.
    S.CANCELLING: frozenset({S.CANCELLED, S.RESERVED, S.PRECONFIRMED, S.CONFIRMED, S.LAPSED}),
    S.UNCERTAIN: frozenset(
        {S.REQUESTED, S.RESERVED, S.PRECONFIRMED, S.CONFIRMED, S.CANCELLED, S.LAPSED, S.FAILED}
    ),
    S.CANCELLED: frozenset(),
    S.LAPSED: frozenset(),
    S.FAILED: frozenset(),
}

# A worker has a call under way in these.
CALLING = frozenset({S.RESERVING, S.PRECONFIRMING, S.CANCELLING})
# The person occupies (or may occupy) a place at the city that is not an appointment yet: one at a time.
HOLDING = frozenset({S.REQUESTED, S.RESERVING, S.RESERVED, S.PRECONFIRMING, S.PRECONFIRMED, S.UNCERTAIN})
# One of these per person and service.
LIVE = HOLDING | {S.CONFIRMED, S.CANCELLING}
ENDED = frozenset({S.CANCELLED, S.LAPSED, S.FAILED})
