"""The booking machine against chance: people, city, faults and deaths in any order, invariants all along.

`pytest tests/model --hypothesis-profile=large` searches much longer.
"""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from termin_project.sandbox.city import CityWorld, Clock
from tests import conftest
from tests.conftest import MONDAY, Queue
from tests.model.invariants import Invariants
from tests.model.moves import Moves
from tests.model.trouble import Trouble
from tests.model.wishes import Wishes
from tests.model.world import World


class Bookings(Wishes, Moves, Trouble, Invariants):
    """Everything that can happen to three people who need an appointment."""


@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_nobody_is_harmed(db: None) -> None:
    large = settings.get_current_profile_name() == "large"
    World.catalogue_is_known = False
    savepoint = transaction.atomic()
    with savepoint:
        patches = pytest.MonkeyPatch()
        munich = CityWorld(Clock(at=MONDAY), limit=100_000, captcha_cost=1)
        conftest.office.__wrapped__(None, munich, Queue(), patches)  # type: ignore[attr-defined]
        patches.undo()
        World.catalogue_is_known = True
        run_state_machine_as_test(
            Bookings,
            settings=settings(
                max_examples=300 if large else 12,
                stateful_step_count=60 if large else 30,
                deadline=None,
                derandomize=not large,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
