"""No change is ever sent again blindly: after an answer that was not clear, reading comes first, or the hold's end.

Every step of a booking meets every kind of unclear answer; then an hour of sweeps goes by, and the city's own log
tells what was sent.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from appointments.services.bookings import keep_booking, release_booking
from appointments.states import BookingState as S
from termin_project.sandbox.city.world import LoggedRequest
from tests.conftest import Office

THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
UNCLEAR = (
    "lost_before",
    "lost_after",
    "html_502",
    "html_200",
    "gateway_400",
    "truncated_json",
    "empty_body",
    "framework",
)
# The shortest time after which a hold nobody can name is surely over.
HOLD = timedelta(minutes=15)


def hold(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)
    office.look()


def keep(office: Office) -> None:
    keep_booking(office.booking(), now=office.now())
    office.work()


def give_back(office: Office) -> None:
    release_booking(office.booking(), now=office.now())
    office.work()


def an_hour(office: Office) -> None:
    """Time goes by, with everything that runs by itself."""
    for _ in range(60):
        office.advance(minutes=1)
        office.sweep()


def sent(office: Office, path: str) -> list[LoggedRequest]:
    return [entry for entry in office.munich.requests if (entry.method, entry.path) == ("POST", f"/{path}/")]


def read_between(office: Office, first: LoggedRequest, second: LoggedRequest) -> bool:
    log = list(office.munich.requests)
    between = log[log.index(first) + 1 : log.index(second)]
    return any((entry.path, entry.status) == ("/appointment/", 200) for entry in between)


@pytest.mark.parametrize("kind", UNCLEAR)
def test_a_reservation_without_a_clear_answer_is_not_made_again_while_it_may_stand(
    office: Office, kind: str
) -> None:
    office.munich.faults.add(kind, paths=["reserve-appointment"])

    hold(office)
    an_hour(office)

    reservations = sent(office, "reserve-appointment")
    assert reservations
    for first, second in pairwise(reservations):
        assert second.at - first.at >= HOLD.total_seconds()


@pytest.mark.parametrize("kind", UNCLEAR)
@pytest.mark.parametrize("path", ["update-appointment", "preconfirm-appointment"])
def test_details_and_preconfirmation_are_sent_again_only_after_reading(
    office: Office, path: str, kind: str
) -> None:
    hold(office)
    assert office.booking().state == S.RESERVED
    office.munich.faults.add(kind, paths=[path])

    keep(office)
    an_hour(office)

    repeats = sent(office, path)
    assert len(repeats) > (kind == "lost_before"), "what did not arrive is sent again in the end"
    for first, second in pairwise(repeats):
        assert read_between(office, first, second)


@pytest.mark.parametrize("kind", UNCLEAR)
def test_a_cancellation_is_sent_again_only_after_reading(office: Office, kind: str) -> None:
    hold(office)
    office.munich.faults.add(kind, paths=["cancel-appointment"])

    give_back(office)
    an_hour(office)

    cancellations = sent(office, "cancel-appointment")
    assert cancellations
    for first, second in pairwise(cancellations):
        assert read_between(office, first, second)
    assert not office.munich.reservations
