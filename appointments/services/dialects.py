"""Which dialect the city speaks, kept in the database for all processes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appointments.models import CityDialect
from appointments.upstream.dialects import Dialect


@dataclass(frozen=True)
class DatabaseDialect:
    """`DialectMemory` on one row per address of the city. Call it outside of transactions, as the client does."""

    address: str
    clock: Callable[[], datetime]

    def recall(self) -> Dialect | None:
        """The dialect found out last, None when its time is over."""
        kept = (
            CityDialect.objects.filter(address=self.address[:300], until__gt=self.clock())
            .values_list("dialect", flat=True)
            .first()
        )
        # A word written by another version of ours may be none we know.
        return next((dialect for dialect in Dialect if dialect == kept), None)

    def remember(self, dialect: Dialect, lasting: timedelta) -> None:
        """Keep `dialect`; of two processes that found out at the same time the last one is right, too.

        `found_at` stays while the same is found again and again.
        """
        now = self.clock()
        kept = CityDialect.objects.filter(address=self.address[:300])
        if kept.filter(dialect=dialect).update(until=now + lasting):
            return
        CityDialect.objects.bulk_create(
            [CityDialect(address=self.address[:300], dialect=dialect, found_at=now, until=now + lasting)],
            update_conflicts=True,
            unique_fields=["address"],
            update_fields=["dialect", "found_at", "until"],
        )
