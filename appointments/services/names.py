"""Own name only: which name may be booked, when it may change, and what is remembered of changes.

The name stands from the moment a booking is kept until it is over. In between nobody can put another person's name
in its place: that is how appointments are traded. What was typed wrong and never accepted by the city costs nothing.
"""

import unicodedata
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.crypto import salted_hmac

from appointments.errors import InvalidValue
from appointments.models import Booking, NameChange, Profile, Subscriber
from appointments.states import LIVE

# So many other names than the one used before within so long; then a member of staff looks at it.
MOST_CHANGES = 2
WINDOW = timedelta(days=90)

Owner = Subscriber | Profile


def mark_of(name: str) -> str:
    """A keyed mark of a name: equal for the same name however it is spelt in capitals, accents and order of words.

    It outlives the name when the person erases it, so that the same name entered again is no change.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    words = sorted("".join(c if c.isalnum() else " " for c in plain).split())
    return salted_hmac("appointments.names", " ".join(words), algorithm="sha256").hexdigest()


def check_new_name(owner: Owner, name: str, *, now: datetime) -> None:
    """Whether `owner`'s stored name may become `name` (cleaned already).

    Raises `InvalidValue("family_name", "in_use")` while something that stands carries the old one, and
    `InvalidValue("family_name", "too_many_names")` after too many other names.
    """
    mark = mark_of(name)
    carried = list(bookings_carrying_a_name(owner))
    if any(mark_of(booking.family_name) != mark for booking in carried):
        raise InvalidValue("family_name", "in_use")
    if owner.name_mark and owner.name_mark != mark and _changes(owner, now).count() >= MOST_CHANGES:
        raise InvalidValue("family_name", "too_many_names")


def bookings_carrying_a_name(owner: Owner) -> QuerySet[Booking]:
    """What stands for `owner` under a fixed name: kept, sent or confirmed; imported ones were named elsewhere."""
    if isinstance(owner, Profile):
        own = Booking.objects.filter(profile=owner)
    else:
        own = Booking.objects.filter(subscriber=owner, profile=None)
    return own.filter(state__in=sorted(LIVE), ended_at=None, imported=False).exclude(family_name="")


def note_name_used(booking: Booking, *, now: datetime) -> None:
    """The city has taken the booking's name. Another one than before is written down, once."""
    owner: Owner = booking.profile or booking.subscriber
    mark = mark_of(booking.family_name)
    if not booking.family_name:
        return
    before = owner.name_mark
    with transaction.atomic():
        same_row = type(owner)._default_manager.filter(pk=owner.pk, name_mark=before)
        if same_row.update(name_mark=mark, name_used_at=now) and before not in ("", mark):
            NameChange.objects.create(
                subscriber_id=booking.subscriber_id,
                profile=booking.profile,
                kind=NameChange.Kind.CHANGED,
                at=now,
            )
    owner.name_mark, owner.name_used_at = mark, now


def forgive_names(subscriber: Subscriber, *, now: datetime) -> int:
    """Staff has looked at this person's new names: they count no more. Returns how many those were."""
    return NameChange.objects.filter(subscriber=subscriber, forgiven_at=None).update(forgiven_at=now)


def forget_names(*, now: datetime) -> int:
    """Once a day: remove what is older than it counts. Returns how many rows and marks went."""
    gone = NameChange.objects.filter(at__lt=now - WINDOW).delete()[0]
    for model in (Subscriber, Profile):
        old = model._default_manager.filter(name_used_at__lt=now - WINDOW, family_name="")
        gone += old.exclude(name_mark="").update(name_mark="", name_used_at=None)
    return gone


def new_names_within(now: datetime) -> Count:
    """For annotating `Subscriber`: how many new names each brought in lately that nobody has forgiven."""
    lately = Q(name_changes__at__gte=now - WINDOW, name_changes__forgiven_at=None)
    return Count("name_changes", filter=lately, distinct=True)


def _changes(owner: Owner, now: datetime) -> QuerySet[NameChange]:
    lately = NameChange.objects.filter(at__gte=now - WINDOW, forgiven_at=None, kind=NameChange.Kind.CHANGED)
    if isinstance(owner, Profile):
        return lately.filter(profile=owner)
    return lately.filter(subscriber=owner, profile=None)
