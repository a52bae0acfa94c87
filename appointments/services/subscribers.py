"""People: first contact, consent, contact data, pause, erasure."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from appointments.models import Booking, OutboxMessage, Profile, Subscriber, Watch
from appointments.services.contact import clean_email, clean_family_name, clean_telephone
from appointments.services.names import check_new_name
from appointments.states import ENDED, BookingState

# People who do not use the service for so long are erased.
KEEP_FOR = timedelta(days=365)
LANGUAGES = frozenset(Subscriber.Language.values)


def register_subscriber(first_name: str, language: str, *, now: datetime) -> Subscriber:
    """A new person, not yet agreed to anything. `language` may be a code such as "de-AT"; unknown ones mean English."""
    code = language.lower()[:2]
    return Subscriber.objects.create(
        first_name=first_name.strip()[:100],
        language=code if code in LANGUAGES else Subscriber.Language.ENGLISH,
        created_at=now,
        last_seen_at=now,
        erase_after=(now + KEEP_FOR).date(),
    )


def give_consent(subscriber: Subscriber, *, now: datetime) -> None:
    """The person agreed to the rules told at the start; agreeing twice changes nothing."""
    if Subscriber.objects.filter(pk=subscriber.pk, consented_at=None).update(consented_at=now):
        subscriber.consented_at = now


def note_visit(subscriber: Subscriber, *, now: datetime) -> None:
    """The person is here: the date of erasure moves on, and who had blocked the bot is served again."""
    subscriber.last_seen_at, subscriber.erase_after = now, (now + KEEP_FOR).date()
    Subscriber.objects.filter(pk=subscriber.pk).update(
        last_seen_at=subscriber.last_seen_at, erase_after=subscriber.erase_after
    )
    if subscriber.pause_reason == "blocked":
        resume_subscriber(subscriber, now=now)


def set_language(subscriber: Subscriber, language: str) -> None:
    """Speak `language` ("de" or "en") with the person from now on. Raises `ValueError` for another."""
    if language not in LANGUAGES:
        raise ValueError(f"no such language: {language}")
    subscriber.language = language
    subscriber.save(update_fields=["language"])


def save_contact(
    subscriber: Subscriber,
    *,
    family_name: str | None = None,
    email: str | None = None,
    telephone: str | None = None,
    now: datetime,
) -> None:
    """Keep contact data, checked by the city's rules; None leaves a field as it is.

    Raises `InvalidValue`, also for a name that may not change now (`names.check_new_name`); then nothing changes.
    """
    changed = {}
    if family_name is not None:
        changed["family_name"] = clean_family_name(family_name)
        check_new_name(subscriber, changed["family_name"], now=now)
    if email is not None:
        changed["email"] = clean_email(email)
    if telephone is not None:
        changed["telephone"] = clean_telephone(telephone)
    for field, value in changed.items():
        setattr(subscriber, field, value)
    subscriber.contact_consented_at = subscriber.contact_consented_at or now
    subscriber.save(update_fields=[*changed, "contact_consented_at"])


def forget_contact(subscriber: Subscriber) -> None:
    """Erase the person's own contact data, in ended bookings, too.

    What stands keeps the data it was sent with until it ends; profiles are deleted one by one.
    """
    subscriber.family_name = subscriber.email = subscriber.telephone = ""
    subscriber.contact_consented_at = None
    with transaction.atomic():
        subscriber.save(update_fields=["family_name", "email", "telephone", "contact_consented_at"])
        forget_sent_data(Booking.objects.filter(subscriber=subscriber, profile=None))


def forget_sent_data(bookings: QuerySet[Booking]) -> int:
    """Remove what those of `bookings` that are over were sent with. Returns how many there were."""
    over = bookings.filter(Q(state__in=sorted(ENDED)) | Q(ended_at__isnull=False))
    return over.update(family_name="", email="", telephone="", custom_text="", custom_text_2="")


def pause_subscriber(subscriber: Subscriber, reason: str, *, now: datetime) -> None:
    """Send nothing and start nothing for this person until resumed."""
    subscriber.paused_at, subscriber.pause_reason = now, reason[:100]
    subscriber.save(update_fields=["paused_at", "pause_reason"])


def resume_subscriber(subscriber: Subscriber, *, now: datetime) -> None:
    """Serve the person again."""
    subscriber.paused_at, subscriber.pause_reason = None, ""
    subscriber.save(update_fields=["paused_at", "pause_reason"])


def erase_subscriber(subscriber: Subscriber, *, now: datetime) -> None:
    """Forget a person: holds are given back first, then every trace goes.

    A confirmed appointment stays with the city (the person has its mail). While a hold still has to be given back
    the row stays, paused and without data; the sweep `finish_erasures` removes it as soon as nothing is held.
    """
    from appointments.services.bookings import release_booking
    from appointments.services.watches import delete_watch

    with transaction.atomic():
        pause_subscriber(subscriber, "erasing", now=now)
        forget_contact(subscriber)
        Profile.objects.filter(subscriber=subscriber).update(
            label="", family_name="", email="", telephone="", erased_at=now
        )
        subscriber.first_name = ""
        subscriber.save(update_fields=["first_name"])
        for watch in Watch.objects.filter(subscriber=subscriber, ended_at=None):
            delete_watch(watch, now=now)
        OutboxMessage.objects.filter(subscriber=subscriber, sent_at=None, failed_at=None).update(
            failed_at=now
        )
        held = Booking.objects.filter(subscriber=subscriber).exclude(
            state__in=[*ENDED, BookingState.CONFIRMED, BookingState.CANCELLING]
        )
        for booking in held:
            release_booking(booking, now=now)
    finish_erasures()


def finish_erasures() -> int:
    """Remove people who asked for it and hold nothing any more. Returns how many."""
    removed = 0
    for subscriber in Subscriber.objects.filter(pause_reason="erasing"):
        # An appointment stays with the city, unless another one has just taken its place.
        stays = Q(state=BookingState.CONFIRMED) & (~Q(wish=Booking.Wish.RELEASE) | Q(ended_at__isnull=False))
        open_bookings = subscriber.bookings.exclude(state__in=ENDED).exclude(stays)
        if not open_bookings.exists():
            subscriber.delete()
            removed += 1
    return removed


def erase_inactive(*, now: datetime) -> int:
    """Erase people whose date has come. Returns how many were started."""
    due = list(Subscriber.objects.filter(erase_after__lt=now.date()).exclude(pause_reason="erasing"))
    for subscriber in due:
        erase_subscriber(subscriber, now=now)
    return len(due)
