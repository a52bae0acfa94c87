"""The staff's pages, one file per noun. State is read-only and moves through actions that call services."""

from appointments.admin import (
    accounts,
    booking,
    catalogue,
    outbox,
    queues,
    slot,
    subscriber,
    throttle,
    traffic,
    watch,
    wire,
)

__all__ = [
    "accounts",
    "booking",
    "catalogue",
    "outbox",
    "queues",
    "slot",
    "subscriber",
    "throttle",
    "traffic",
    "watch",
    "wire",
]
