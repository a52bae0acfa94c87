"""The main job in every dialect: watched, seen, held, confirmed; and a change of the city's software meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from appointments.models import Booking, CityDialect, PollTarget, Slot, Watch
from appointments.services.bookings import keep_booking, look_again
from appointments.services.watching import BLIND_AFTER, tell_blindness
from appointments.states import BookingState as S
from termin_project.sandbox.city import CityWorld, Clock
from termin_project.sandbox.city.releases import Release
from tests.conftest import MONDAY, PASING, RUPPERT, Office

THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
TAGS = {"D3": 47, "D2": 45, "D2-2025": 28, "D1": 25, "D1-muc19": 19}


@pytest.fixture(params=TAGS.values(), ids=TAGS)
def munich(request: pytest.FixtureRequest) -> CityWorld:
    """A quiet city that runs this version of its software."""
    return CityWorld(Clock(at=MONDAY), limit=600, captcha_cost=1, tag=request.param)


def test_a_slot_is_seen_held_and_confirmed(office: Office) -> None:
    watch = office.watch(mode="hold", office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)))
    office.look()
    assert office.mailman.kinds() == []

    office.open(THURSDAY_9, office=PASING)
    office.advance(seconds=20)
    office.look()

    booking = office.booking()
    assert (booking.state, booking.starts_at) == (S.RESERVED, THURSDAY_9)
    assert Slot.objects.get().office.upstream_id == PASING
    keep_booking(booking, now=office.now())
    office.work()
    office.open_mailed_link()
    look_again(booking, now=office.now())
    office.work()
    watch.refresh_from_db()
    assert (office.booking().state, watch.state) == (S.CONFIRMED, Watch.State.FULFILLED)


def test_the_times_of_a_later_day_are_found_and_its_end_is_seen(office: Office) -> None:
    office.watch(mode="notify", office_ids=(office.office_pk(RUPPERT), office.office_pk(PASING)))
    office.open(THURSDAY_9)
    later = THURSDAY_9 + timedelta(days=1)
    office.open(later, office=PASING)
    office.look(10)
    assert set(Slot.objects.filter(gone_at=None).values_list("starts_at", "office__upstream_id")) == {
        (THURSDAY_9, RUPPERT),
        (later, PASING),
    }

    office.munich.remove_places(PASING, [1063475], later)
    for _ in range(4):
        office.advance(seconds=70)
        office.look(10)

    assert list(Slot.objects.filter(gone_at=None).values_list("starts_at", flat=True)) == [THURSDAY_9]


def test_an_empty_city_is_watched_without_trouble(office: Office) -> None:
    office.watch()
    office.look()

    sweep = PollTarget.objects.get(kind="sweep")
    assert (sweep.last_error, sweep.days) == ("", {})
    assert sweep.answered_at is not None


@pytest.mark.parametrize("after", [47, 45, 25])
def test_new_software_at_the_city_in_mid_watch_changes_nothing_for_people(office: Office, after: int) -> None:
    office.watch(mode="hold")
    office.look()

    office.munich.release = Release.of(tag=after)
    office.open(THURSDAY_9)
    office.advance(seconds=20)
    office.look(10)

    assert office.booking().state == S.RESERVED
    assert not PollTarget.objects.exclude(last_error="").exists()


def test_a_city_we_cannot_speak_to_is_blindness_and_never_nothing_free(office: Office) -> None:
    office.watch(mode="notify")
    office.open(THURSDAY_9)
    office.look()
    assert Slot.objects.filter(gone_at=None).count() == 1

    office.munich.release = Release.of("D0")
    for _ in range(8):
        office.advance(seconds=40)
        office.look(2)
        tell_blindness(now=office.now())
    office.work()

    assert office.now() - MONDAY > BLIND_AFTER
    assert Slot.objects.filter(gone_at=None).count() == 1
    assert PollTarget.objects.get(kind="sweep").last_error == "retiredBackend"
    assert "watch_blind" in office.mailman.kinds()
    assert CityDialect.objects.get().dialect == "D0"

    office.munich.release = Release.of("D3")
    office.advance(minutes=11)
    office.look(10)
    tell_blindness(now=office.now())
    office.work()
    assert "watch_sees" in office.mailman.kinds()
    assert Booking.objects.count() == 0
