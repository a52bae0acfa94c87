"""What the domain can answer besides success. Each says what a caller can do differently."""


class DomainError(Exception):
    """Base of everything the domain refuses."""


class IllegalTransition(DomainError):
    """The booking machine has no such step."""


class StaleBooking(DomainError):
    """Another worker moved the booking first; look at it again."""


class WatchLimitReached(DomainError):
    """The person already has as many watches as one person may have."""


class AlreadyHolding(DomainError):
    """The person already holds a place, or may hold one; one at a time."""


class AlreadyBooked(DomainError):
    """The person already has a live booking for this service."""


class SlotGone(DomainError):
    """The slot is not free any more as far as we know."""


class ContactMissing(DomainError):
    """The booking needs contact data that the person has not given yet; `fields` names it."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class InvalidValue(DomainError):
    """A value a person gave breaks a rule; `reason` is a word from a closed list, `field` says which value.

    The bot turns `reason` into a sentence in the person's language.
    """

    def __init__(self, field: str, reason: str, **details: object) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.details = details


class NotAllowed(DomainError):
    """The step is not possible in the present state; show the present state instead."""


class CatalogueRefused(DomainError):
    """The city's list lacks so much of what it held before that it is taken for a mistake; the copy before stays."""

    code = "implausible"
