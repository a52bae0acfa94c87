"""The domain's tables, one file per noun."""

from appointments.models.booking import Booking, BookingEvent
from appointments.models.catalogue import CatalogueState, Offering, Office, Service
from appointments.models.outbox import OutboxMessage
from appointments.models.slot import Sighting, Slot
from appointments.models.statistics import AttemptCount
from appointments.models.subscriber import Profile, Subscriber
from appointments.models.throttle import CircuitBreaker, GateState, Heartbeat, Lease
from appointments.models.traffic import Call, CallCount
from appointments.models.watch import PollTarget, Search, Watch, WatchOffice

__all__ = [
    "AttemptCount",
    "Booking",
    "BookingEvent",
    "Call",
    "CallCount",
    "CatalogueState",
    "CircuitBreaker",
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
    "Subscriber",
    "Watch",
    "WatchOffice",
]
