"""The domain's tables, one file per noun."""

from appointments.models.booking import Booking, BookingEvent
from appointments.models.catalogue import CatalogueChange, CatalogueState, Offering, Office, Service
from appointments.models.outbox import OutboxMessage
from appointments.models.slot import Sighting, Slot
from appointments.models.subscriber import Profile, Subscriber
from appointments.models.throttle import CircuitBreaker, GateState, Heartbeat, Lease, StaffAlert
from appointments.models.traffic import Call, CallCount
from appointments.models.watch import PollTarget, Search, Watch, WatchOffice
from appointments.models.wire import CityDialect, UnreadAnswer

__all__ = [
    "Booking",
    "BookingEvent",
    "Call",
    "CallCount",
    "CatalogueChange",
    "CatalogueState",
    "CircuitBreaker",
    "CityDialect",
    "GateState",
    "Heartbeat",
    "Lease",
    "Offering",
    "Office",
    "OutboxMessage",
    "PollTarget",
    "Profile",
    "Search",
    "Service",
    "Sighting",
    "Slot",
    "StaffAlert",
    "Subscriber",
    "UnreadAnswer",
    "Watch",
    "WatchOffice",
]
