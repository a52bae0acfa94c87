"""Answers of the city that we could not read, kept by their form so that staff can tell us what changed."""

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.db.models import F

from appointments.models import UnreadAnswer

logger = logging.getLogger(__name__)

# A city that answers something else every time must not fill the table.
MOST_KEPT = 200


@dataclass(frozen=True)
class UnreadBook:
    """`UnreadNotes` in the database: one row for each form of answer, counted."""

    clock: Callable[[], datetime]

    def note(self, *, method: str, path: str, status: int | None, code: str, shape: str) -> None:
        """Count an answer of this form, or write down a new form and forget the one not seen for longest.

        Never raises for want of the database: the failure the caller has to tell is the greater one.
        """
        now = self.clock()
        # Forms that differ in a number alone (lengths, counts of entries) are one.
        form = re.sub(r"[0-9]+", "#", shape)
        key = hashlib.sha256(f"{method} {path} {status} {code} {form}".encode()).hexdigest()
        known = UnreadAnswer.objects.filter(fingerprint=key)
        try:
            if known.update(times=F("times") + 1, last_at=now, shape=shape[:500]):
                return
            row = UnreadAnswer(
                fingerprint=key,
                method=method[:8],
                path=path[:100],
                status=status,
                code=code[:60],
                shape=shape[:500],
                first_at=now,
                last_at=now,
            )
            UnreadAnswer.objects.bulk_create([row], ignore_conflicts=True)
            oldest = UnreadAnswer.objects.order_by("-last_at", "-pk").values_list("pk", flat=True)
            UnreadAnswer.objects.filter(pk__in=list(oldest[MOST_KEPT : MOST_KEPT + 50])).delete()
        except DatabaseError:
            logger.exception("Unread answer not kept", extra={"status": status})
