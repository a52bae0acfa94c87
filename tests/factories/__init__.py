"""Factories for everything the domain and the bot keep. Traits name states; dependent dates follow `now`."""

from tests.factories.bookings import BookingFactory
from tests.factories.catalogue import OfferingFactory, OfficeFactory, ServiceFactory
from tests.factories.chats import ChatFactory
from tests.factories.outbox import OutboxMessageFactory
from tests.factories.people import ProfileFactory, SubscriberFactory
from tests.factories.watching import SearchFactory, SlotFactory, WatchFactory, WatchOfficeFactory

__all__ = [
    "BookingFactory",
    "ChatFactory",
    "OfferingFactory",
    "OfficeFactory",
    "OutboxMessageFactory",
    "ProfileFactory",
    "SearchFactory",
    "ServiceFactory",
    "SlotFactory",
    "SubscriberFactory",
    "WatchFactory",
    "WatchOfficeFactory",
]
