"""Two appointments, one change of mind: without looking again before the old one goes, both are lost."""

from datetime import timedelta

import pytest

from appointments.models import Booking
from appointments.services import releasing
from appointments.services.bookings import release_booking
from appointments.services.moving import move_appointment
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, settle
from tests.conftest import PASING, Office


def changed_mind(office: Office) -> tuple[Booking, Booking]:
    """The new one is confirmed, the old one could not be cancelled yet, and the person wants the new one no more."""
    old = confirmed(office, at=PASING)
    slot = known_slot(office, THURSDAY_9 - timedelta(hours=22), at=PASING)
    new = move_appointment(old, slot, now=office.now())
    office.munich.faults.add("maintenance", 1, ["cancel-appointment"])
    office.work()
    new.refresh_from_db()
    assert new.state == S.CONFIRMED
    release_booking(new, now=office.now())
    # The worker that tries the old one again is first.
    office.queue.waiting.insert(0, ("cancel_appointment", (old.pk,)))
    settle(office, new, minutes=1)
    old.refresh_from_db()
    return old, new


def test_the_race_without_looking_again_loses_both(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "may_go", lambda booking, desk: True)

    old, new = changed_mind(office)

    assert (old.state, new.state) == (S.CANCELLED, S.CANCELLED)
    assert list(office.munich.desk.in_states("confirmed")) == []


def test_looking_again_keeps_the_old_one(office: Office) -> None:
    old, new = changed_mind(office)

    assert (old.state, old.wish, new.state) == (S.CONFIRMED, Booking.Wish.BOOK, S.CANCELLED)
    assert [p.starts_at for p in office.munich.desk.in_states("confirmed")] == [int(THURSDAY_9.timestamp())]
