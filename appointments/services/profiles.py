"""People somebody books for: added with their agreement, changed, deleted, chosen for a booking."""

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from appointments.errors import (
    AlreadyBooked,
    InvalidValue,
    MailLimitReached,
    NotAllowed,
    ProfileLimitReached,
)
from appointments.models import Booking, NameChange, Profile, Subscriber, Watch
from appointments.selectors.profiles import ADDED_WITHIN, MOST_ADDED, MOST_PROFILES, profiles_of
from appointments.services.bookings import release_booking
from appointments.services.contact import (
    clean_email,
    clean_family_name,
    clean_telephone,
    mail_limit_reached,
)
from appointments.services.names import check_new_name
from appointments.services.subscribers import forget_sent_data
from appointments.services.watches import delete_watch
from appointments.states import ENDED, LIVE, BookingState

S = BookingState
LONGEST_LABEL = 30
# The data have not been on their way to the city yet.
UNSENT = (S.REQUESTED, S.RESERVING, S.RESERVED, S.UNCERTAIN)


def add_profile(subscriber: Subscriber, label: str, *, now: datetime) -> Profile:
    """Somebody to book for, called `label` by `subscriber`, who has just said that they may give the data away.

    Raises `InvalidValue("label", ...)` like `clean_label`, or `ProfileLimitReached`.
    """
    label = clean_label(label)
    with transaction.atomic():
        # One at a time: two at once would both see room for one more.
        Subscriber.objects.select_for_update().get(pk=subscriber.pk)
        standing = profiles_of(subscriber)
        if any(profile.label.casefold() == label.casefold() for profile in standing):
            raise InvalidValue("label", "taken")
        added = NameChange.objects.filter(
            subscriber=subscriber,
            kind=NameChange.Kind.ADDED,
            at__gte=now - ADDED_WITHIN,
            forgiven_at=None,
        )
        if len(standing) >= MOST_PROFILES or added.count() >= MOST_ADDED:
            raise ProfileLimitReached(str(MOST_PROFILES))
        profile = Profile.objects.create(subscriber=subscriber, label=label, consented_at=now, created_at=now)
        NameChange.objects.create(subscriber=subscriber, profile=profile, kind=NameChange.Kind.ADDED, at=now)
    return profile


def clean_label(text: str) -> str:
    """What a profile is called, on buttons: 1 to 30 printable characters.

    Raises `InvalidValue("label", "empty" | "too_long")`.
    """
    label = " ".join(re.sub(r"[<>\x00-\x1f]", " ", text).split())
    if not label:
        raise InvalidValue("label", "empty")
    if len(label) > LONGEST_LABEL:
        raise InvalidValue("label", "too_long", most=LONGEST_LABEL)
    return label


def save_profile(
    profile: Profile,
    *,
    family_name: str | None = None,
    email: str | None = None,
    telephone: str | None = None,
    now: datetime,
) -> None:
    """Keep this person's data, checked by the city's rules; None leaves a field as it is.

    "" for the address or the telephone means: as the subscriber's. Raises `InvalidValue`; then nothing changes.
    """
    changed = {}
    if family_name is not None:
        changed["family_name"] = clean_family_name(family_name)
        check_new_name(profile, changed["family_name"], now=now)
    if email is not None:
        changed["email"] = clean_email(email) if email.strip() else ""
    if telephone is not None:
        changed["telephone"] = clean_telephone(telephone)
    for field, value in changed.items():
        setattr(profile, field, value)
    profile.save(update_fields=[*changed])


def delete_profile(profile: Profile, *, now: datetime) -> None:
    """Erase a person's data: searches for them end, unsent holds go back, ended bookings forget them at once.

    What the city has the data for stays, with the data it was sent with, until it is over; then the row goes, too.
    """
    with transaction.atomic():
        for watch in Watch.objects.filter(profile=profile, ended_at=None):
            delete_watch(watch, now=now)
        Profile.objects.filter(pk=profile.pk, erased_at=None).update(
            label="", family_name="", email="", telephone="", erased_at=now
        )
        forget_sent_data(Booking.objects.filter(profile=profile))
        unsent = Booking.objects.filter(profile=profile, family_name="", state__in=UNSENT, ended_at=None)
        for booking in unsent:
            try:
                release_booking(booking, now=now)
            except NotAllowed:
                continue
    remove_erased_profiles()


def remove_erased_profiles() -> int:
    """Remove the rows of deleted profiles for whom nothing stands any more. Returns how many."""
    removed = 0
    for profile in Profile.objects.filter(erased_at__isnull=False):
        ended = Booking.objects.filter(profile=profile).exclude(state__in=sorted(LIVE), ended_at=None)
        forget_sent_data(ended)
        if not Booking.objects.filter(profile=profile, state__in=sorted(LIVE), ended_at=None).exists():
            profile.delete()
            removed += 1
    return removed


def choose_person(booking: Booking, profile: Profile | None, *, now: datetime) -> Booking:
    """The booking is for `profile` (None: for the subscriber) from now on; possible until its data are kept.

    Raises `NotAllowed` once it is kept or over, `AlreadyBooked` when that person has this appointment already,
    `MailLimitReached` when the office would refuse their address.
    """
    booking.refresh_from_db()
    if profile is not None and (
        profile.subscriber_id != booking.subscriber_id or profile.erased_at is not None
    ):
        raise NotAllowed("not this person's profile")
    if booking.profile_id == (profile.pk if profile else None):
        return booking
    obstacle = mail_limit_reached(booking.subscriber, profile, booking.office)
    if obstacle is not None:
        raise MailLimitReached(obstacle.pk)
    open_to_choice = Booking.objects.filter(
        pk=booking.pk, state__in=UNSENT, wish=Booking.Wish.ASK, family_name=""
    ).exclude(state__in=sorted(ENDED))
    try:
        with transaction.atomic():
            if not open_to_choice.update(profile=profile, email="", telephone=""):
                raise NotAllowed(booking.state)
    except IntegrityError as taken:
        raise AlreadyBooked() from taken
    booking.refresh_from_db()
    return booking
