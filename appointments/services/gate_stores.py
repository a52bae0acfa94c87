"""Where the gate keeps its ledger: one row per address, changed only by whoever has read its present version."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from django.db.models import F

from appointments.limits import Ledger
from appointments.models import GateState
from appointments.models.throttle import LEDGER_FIELDS


class LedgerUnreachable(Exception):
    """The ledger cannot be read or written at present, so nobody knows what may be called."""


class LedgerStore(Protocol):
    """Keeps the ledger of one address for all processes and hosts. Both methods may raise `LedgerUnreachable`."""

    def read(self) -> tuple[Ledger, int]:
        """The ledger and its version."""

    def swap(self, before: Ledger, version: int, after: Ledger) -> bool:
        """Write `after` unless somebody changed the ledger since `version`; says whether it was written."""

    def mirror(self, book: Ledger, version: int) -> None:
        """Show what was written to those who read the database: staff, people, metrics."""


class DatabaseLedger:
    """The ledger as a row of `GateState`; one conditional UPDATE for each change."""

    def __init__(self, egress: str) -> None:
        self.egress = egress

    def read(self) -> tuple[Ledger, int]:
        """One row by its unique name; made at the first call of an address."""
        rows = GateState.objects.filter(egress=self.egress)
        row = rows.first() or GateState.objects.get_or_create(egress=self.egress)[0]
        return row.ledger, row.version

    def swap(self, before: Ledger, version: int, after: Ledger) -> bool:
        """Only what changed is written, so that a value staff set meanwhile stays."""
        changes = {
            name: getattr(after, name)
            for name in LEDGER_FIELDS
            if getattr(after, name) != getattr(before, name)
        }
        row = GateState.objects.filter(egress=self.egress, version=version)
        return bool(row.update(version=F("version") + 1, **changes))

    def mirror(self, book: Ledger, version: int) -> None:
        """What is written is there already."""


def change(
    store: LedgerStore, step: Callable[[Ledger], Ledger | None], *, pause: Callable[[int], None]
) -> tuple[Ledger, int] | None:
    """Bring the ledger one `step` further; the step is taken anew while others are faster.

    Returns the new ledger and its version, or None when the step wants no change. Somebody's change succeeds in each
    turn, and there are no more of them than calls in a round, so this ends. `pause` is called before another turn.
    """
    turn = 0
    while True:
        before, version = store.read()
        after = step(before)
        if after is None:
            return None
        if store.swap(before, version, after):
            return after, version + 1
        turn += 1
        if turn > 500:
            raise LedgerUnreachable("contended")
        pause(turn)


def write_mirror(egress: str, book: Ledger, version: int) -> None:
    """Copy a ledger kept elsewhere into its row, unless the row is newer already."""
    values = {name: getattr(book, name) for name in LEDGER_FIELDS} | {"version": version}
    _row, created = GateState.objects.get_or_create(egress=egress, defaults=values)
    if not created:
        GateState.objects.filter(egress=egress, version__lt=version).update(**values)


def as_json(book: Ledger) -> dict[str, object]:
    """The ledger in values that JSON knows."""
    values = {name: getattr(book, name) for name in LEDGER_FIELDS}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }


def from_json(document: dict[str, object]) -> Ledger:
    """The ledger of `as_json`. Fields of another release of this project are left out or have their default."""
    known: dict[str, object] = {}
    for name, value in document.items():
        if name in LEDGER_FIELDS:
            moment = name.endswith(("_at", "_until")) and isinstance(value, str)
            known[name] = datetime.fromisoformat(str(value)) if moment else value
    return Ledger(**known)  # type: ignore[arg-type]
