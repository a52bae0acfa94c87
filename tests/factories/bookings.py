"""Bookings in every state, with the dates that belong to it."""

from datetime import timedelta

import factory
from django.utils import timezone

from appointments.models import Booking, Slot
from appointments.states import BookingState
from tests.factories.catalogue import OfficeFactory
from tests.factories.people import SubscriberFactory
from tests.factories.watching import SearchFactory, local

CONTACT = {"family_name": "Ada Lovelace", "email": "ada@example.org"}


def _after(field: str, **parts: float) -> factory.LazyAttribute:
    """The moment `parts` after the booking's `field`."""
    return factory.LazyAttribute(lambda booking: getattr(booking, field) + timedelta(**parts))


def _held() -> dict[str, object]:
    """What every booking has that the city once held."""
    return {
        "reserved_at": factory.SelfAttribute("now"),
        "held_until": _after("reserved_at", minutes=15),
        "process_id": factory.Sequence(lambda n: 100_000 + n),
        "auth_key": "f1e2",
        "city_status": "reserved",
    }


def _sent() -> dict[str, object]:
    """What every booking has whose data the city has got."""
    return {
        **_held(),
        **CONTACT,
        "wish": Booking.Wish.BOOK,
        "activate_until": _after("reserved_at", minutes=30),
        "city_status": "preconfirmed",
    }


class BookingFactory(factory.django.DjangoModelFactory):
    """A booking just wanted. Traits, one at a time: `reserving`, `reserved`, `preconfirming`, `preconfirmed`,
    `confirming`, `confirmed`, `cancelling`, `uncertain`, `unnamed` (uncertain without a number), `cancelled`, `lapsed`,
    `failed`.

    Without `slot=` it is for a time the day after tomorrow at 15:20. Everything counts from `now`.
    """

    class Meta:
        model = Booking

    class Params:
        now = factory.LazyFunction(timezone.now)
        slot: Slot | None = None
        reserving = factory.Trait(
            state=BookingState.RESERVING,
            lease_until=factory.LazyAttribute(lambda b: b.now + timedelta(seconds=60)),
        )
        reserved = factory.Trait(state=BookingState.RESERVED, **_held())
        preconfirming = factory.Trait(
            **{
                **_sent(),
                "state": BookingState.PRECONFIRMING,
                "city_status": "reserved",
                "lease_until": factory.LazyAttribute(lambda b: b.now + timedelta(seconds=60)),
            }
        )
        confirming = factory.Trait(
            **{
                **_sent(),
                "state": BookingState.CONFIRMING,
                "city_status": "reserved",
                "lease_until": factory.LazyAttribute(lambda b: b.now + timedelta(seconds=60)),
            }
        )
        preconfirmed = factory.Trait(state=BookingState.PRECONFIRMED, **_sent())
        confirmed = factory.Trait(
            **{
                **_sent(),
                "state": BookingState.CONFIRMED,
                "city_status": "confirmed",
                "confirmed_at": factory.SelfAttribute("now"),
                "display_number": "A-117",
            }
        )
        cancelling = factory.Trait(
            **{
                **_held(),
                "state": BookingState.CANCELLING,
                "wish": Booking.Wish.RELEASE,
                "lease_until": factory.LazyAttribute(lambda b: b.now + timedelta(seconds=60)),
            }
        )
        uncertain = factory.Trait(
            state=BookingState.UNCERTAIN,
            follow_at=factory.SelfAttribute("now"),
            process_id=factory.Sequence(lambda n: 200_000 + n),
            auth_key="f1e2",
        )
        unnamed = factory.Trait(
            state=BookingState.UNCERTAIN,
            unnamed_hold_until=factory.LazyAttribute(lambda b: b.now + timedelta(minutes=15)),
        )
        cancelled = factory.Trait(state=BookingState.CANCELLED, ended_at=factory.SelfAttribute("now"))
        lapsed = factory.Trait(state=BookingState.LAPSED, ended_at=factory.SelfAttribute("now"))
        failed = factory.Trait(
            state=BookingState.FAILED, ended_at=factory.SelfAttribute("now"), reason="slot_taken"
        )

    subscriber = factory.SubFactory(SubscriberFactory, now=factory.SelfAttribute("..now"))
    search = factory.LazyAttribute(lambda b: b.slot.search if b.slot else SearchFactory(now=b.now))
    main_service = factory.SelfAttribute("search.main_service")
    office = factory.LazyAttribute(lambda b: b.slot.office if b.slot else OfficeFactory())
    starts_at = factory.LazyAttribute(lambda b: b.slot.starts_at if b.slot else local(b.now, 2, 15, 20))
    created_at = factory.SelfAttribute("now")
    state_since = factory.SelfAttribute("now")
