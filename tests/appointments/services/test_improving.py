"""Looking on for something earlier: worth it, not too often, never at the appointment's expense."""

from datetime import timedelta

import pytest

from appointments.errors import InvalidValue, NotAllowed, WatchLimitReached
from appointments.models import Booking, Slot, Watch, WatchOffice
from appointments.selectors.moving import improving_watch_of, may_improve_now
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.improving import ask_for_more, start_improving, stop_improving
from appointments.services.moving import move_appointment
from appointments.services.watches import renew_windows, wake_snoozed
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, settle
from tests.conftest import PASING, RUPPERT, Office
from tests.factories import WatchFactory

IN_TWO_WEEKS = THURSDAY_9 + timedelta(days=14)


def appointment(office: Office) -> Booking:
    """A confirmed appointment in two weeks, at Pasing."""
    return confirmed(office, at=PASING, starts_at=IN_TWO_WEEKS)


def improving(office: Office, *, mode: str = "auto", gain: int = 1, more: int = 2) -> Watch:
    return start_improving(
        appointment(office), gain_days=gain, more_changes=more, mode=mode, now=office.now()
    )


def opens(office: Office, starts_at: object, *, at: int = PASING) -> None:
    """A time opens and is seen."""
    office.open(starts_at, office=at)  # type: ignore[arg-type]
    office.advance(seconds=90)
    office.look(8)


def stands_at(office: Office) -> list[object]:
    """When the confirmed appointments are that nobody gives back."""
    live = Booking.objects.filter(state=S.CONFIRMED, ended_at=None).exclude(wish="release")
    return [booking.starts_at for booking in live]


def test_an_earlier_time_is_swapped_by_itself_where_the_person_said_so(office: Office) -> None:
    watch = improving(office)

    opens(office, THURSDAY_9)

    assert stands_at(office) == [THURSDAY_9]
    assert [p.status for p in office.munich.desk.in_states("confirmed")] == ["confirmed"]
    watch.refresh_from_db()
    new = Booking.objects.get(state=S.CONFIRMED)
    assert (watch.improves_id, watch.state, new.changes) == (new.pk, Watch.State.ACTIVE, 1)


def test_a_later_time_and_a_small_gain_are_nothing(office: Office) -> None:
    """Wish 5: never give me a worse date."""
    improving(office, gain=7)

    opens(office, IN_TWO_WEEKS + timedelta(days=1))
    opens(office, IN_TWO_WEEKS - timedelta(days=6))
    assert stands_at(office) == [IN_TWO_WEEKS]

    opens(office, IN_TWO_WEEKS - timedelta(days=7))
    assert stands_at(office) == [IN_TWO_WEEKS - timedelta(days=7)]


def test_the_same_day_is_no_gain_of_a_day(office: Office) -> None:
    improving(office)

    opens(office, IN_TWO_WEEKS - timedelta(minutes=30))

    assert stands_at(office) == [IN_TWO_WEEKS]


def test_another_office_than_the_watch_accepts_is_nothing(office: Office) -> None:
    improving(office)

    opens(office, THURSDAY_9, at=RUPPERT)

    assert stands_at(office) == [IN_TWO_WEEKS]


def test_after_a_change_it_is_quiet_and_then_what_is_free_counts(office: Office) -> None:
    watch = improving(office)
    opens(office, IN_TWO_WEEKS - timedelta(days=7))
    opens(office, THURSDAY_9 + timedelta(days=1))
    assert stands_at(office) == [IN_TWO_WEEKS - timedelta(days=7)]
    watch.refresh_from_db()
    assert not may_improve_now(watch, now=office.now())

    office.munich.clock.advance(timedelta(hours=24))
    office.look(8)
    wake_snoozed(now=office.now())
    office.work()

    assert stands_at(office) == [THURSDAY_9 + timedelta(days=1)]


def test_at_the_ceiling_it_stops_and_says_so(office: Office) -> None:
    """Wish 7: do not burn my limited changes."""
    watch = improving(office, more=1)

    opens(office, IN_TWO_WEEKS - timedelta(days=7))

    watch.refresh_from_db()
    assert watch.state == Watch.State.FULFILLED
    moved = next(m for m, _edit in office.mailman.sent if m.kind == "appointment_moved")
    assert moved.payload["stopped"] is True
    opens(office, THURSDAY_9)
    assert stands_at(office) == [IN_TWO_WEEKS - timedelta(days=7)]


def test_shortly_before_the_appointment_nothing_changes(office: Office) -> None:
    watch = start_improving(
        confirmed(office, at=PASING), gain_days=1, more_changes=2, mode="auto", now=office.now()
    )
    office.munich.clock.advance(THURSDAY_9 - office.now() - timedelta(hours=23))

    watch = Watch.objects.get(pk=watch.pk)
    assert not may_improve_now(watch, now=office.now())
    assert may_improve_now(watch, now=office.now() - timedelta(hours=2))


def test_telling_changes_nothing_by_itself(office: Office) -> None:
    watch = improving(office, mode="notify")

    opens(office, THURSDAY_9)

    assert stands_at(office) == [IN_TWO_WEEKS]
    message = office.mailman.sent[-1][0]
    assert (message.kind, message.watch_id) == ("slots_opened", watch.pk)


def test_a_held_time_is_swapped_after_the_yes(office: Office) -> None:
    """Wish 14: ask me before you book."""
    improving(office, mode="hold")
    opens(office, THURSDAY_9)
    held = office.booking()
    assert (held.state, held.wish, held.replaces_id is not None) == (S.RESERVED, "ask", True)
    assert stands_at(office) == [IN_TWO_WEEKS]

    keep_booking(held, now=office.now())
    office.work()

    assert stands_at(office) == [THURSDAY_9]


def test_a_no_and_silence_keep_the_old_one_and_the_search_goes_on(office: Office) -> None:
    watch = improving(office, mode="hold")
    opens(office, THURSDAY_9)
    release_booking(office.booking(), now=office.now(), reason="kept_old")
    office.work()

    opens(office, THURSDAY_9 + timedelta(days=1))
    held = office.booking()
    assert held.starts_at == THURSDAY_9 + timedelta(days=1)
    settle(office, held, minutes=20, step=30)

    assert (held.state, held.reason) == (S.CANCELLED, "silence")
    assert stands_at(office) == [IN_TWO_WEEKS]
    watch.refresh_from_db()
    assert watch.state == Watch.State.ACTIVE


def test_a_race_lost_goes_on_to_the_next_earlier_time(office: Office) -> None:
    improving(office)
    office.munich.faults.add("lost_race", 1)
    office.open(THURSDAY_9, office=PASING)
    opens(office, THURSDAY_9 + timedelta(hours=1))

    assert stands_at(office) == [THURSDAY_9 + timedelta(hours=1)]
    lost = Booking.objects.get(state=S.FAILED)
    assert Booking.objects.get(previous=lost).moved_from == lost.moved_from


def test_only_seven_days_gives_a_smaller_gain_back_and_looks_on(office: Office) -> None:
    watch = improving(office, mode="hold")
    opens(office, IN_TWO_WEEKS - timedelta(days=2))
    held = office.booking()

    ask_for_more(watch, 7, now=office.now())
    office.work()

    held.refresh_from_db()
    watch.refresh_from_db()
    assert (held.state, held.reason) == (S.CANCELLED, "small_gain")
    assert (watch.improve_gain_days, watch.state) == (7, Watch.State.ACTIVE)
    last = WatchOffice.objects.get(watch=watch).date_to
    assert last == (IN_TWO_WEEKS - timedelta(days=7)).date()


def test_a_larger_gain_that_is_held_stays_held(office: Office) -> None:
    watch = improving(office, mode="hold")
    opens(office, THURSDAY_9)

    ask_for_more(watch, 7, now=office.now())
    office.work()

    assert office.booking().state == S.RESERVED


def test_the_search_that_found_it_goes_on_in_its_own_days_and_hours(office: Office) -> None:
    first = office.watch(
        mode="auto",
        office_ids=(office.office_pk(PASING),),
        hours=((0b1111111, 8 * 60, 12 * 60),),
        date_from=THURSDAY_9.date(),
    )
    opens(office, IN_TWO_WEEKS)
    office.open_mailed_link()
    office.advance(seconds=15)
    office.sweep()
    booking = office.booking()
    assert booking.state == S.CONFIRMED

    watch = start_improving(booking, gain_days=3, more_changes=1, mode="hold", now=office.now())

    assert (watch.hours, watch.date_from, watch.mode) == (first.hours, first.date_from, "hold")
    assert (watch.pk != first.pk, watch.improves) == (True, booking)


def test_a_watch_told_to_improve_from_the_start_goes_on_after_the_first_confirmation(office: Office) -> None:
    watch = office.watch(mode="auto", office_ids=(office.office_pk(PASING),))
    Watch.objects.filter(pk=watch.pk).update(improve=True)
    opens(office, IN_TWO_WEEKS)
    office.open_mailed_link()
    office.advance(seconds=15)
    office.sweep()
    watch.refresh_from_db()
    assert (watch.state, watch.improves) == (Watch.State.ACTIVE, office.booking())

    opens(office, THURSDAY_9)

    assert stands_at(office) == [THURSDAY_9]


def test_asked_twice_it_is_one_watch_with_the_new_settings(office: Office) -> None:
    watch = improving(office, mode="notify")

    again = start_improving(
        watch.improves or Booking(), gain_days=14, more_changes=3, mode="hold", now=office.now()
    )

    assert again.pk == watch.pk
    assert (again.improve_gain_days, again.improve_most_changes, again.mode) == (14, 3, "hold")


def test_what_cannot_be_improved_is_refused_and_leaves_nothing_behind(office: Office) -> None:
    booking = confirmed(office, at=PASING)
    with pytest.raises(NotAllowed):
        start_improving(booking, gain_days=7, more_changes=1, mode="hold", now=office.now())
    with pytest.raises(InvalidValue):
        start_improving(booking, gain_days=2, more_changes=1, mode="hold", now=office.now())
    for _n in range(10):
        WatchFactory(subscriber=booking.subscriber, now=office.now())
    with pytest.raises(WatchLimitReached):
        start_improving(booking, gain_days=1, more_changes=1, mode="hold", now=office.now())

    assert not Watch.objects.filter(improve=True).exists()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_appointment_that_is_cancelled_is_improved_no_more(office: Office, elsewhere: bool) -> None:
    watch = improving(office)
    booking = office.booking()
    if elsewhere:
        office.desk.api.cancel(booking.key)
        office.advance(hours=25)
        office.sweep()
    else:
        release_booking(booking, now=office.now())
        office.work()

    watch.refresh_from_db()
    assert watch.ended_at is not None
    opens(office, THURSDAY_9 + timedelta(days=3))
    assert Booking.objects.count() == 1


def test_stopping_keeps_the_appointment(office: Office) -> None:
    watch = improving(office)

    stop_improving(watch, now=office.now())
    opens(office, THURSDAY_9)

    assert stands_at(office) == [IN_TWO_WEEKS]


def test_a_move_by_hand_counts_as_a_change_and_takes_the_search_along(office: Office) -> None:
    watch = improving(office, mode="notify", more=2)
    old = office.booking()
    slot = known_slot(office, IN_TWO_WEEKS - timedelta(days=1), at=PASING)

    new = move_appointment(old, slot, now=office.now())
    office.work()

    watch.refresh_from_db()
    assert (watch.improves_id, improving_watch_of(new)) == (new.pk, watch)
    assert not may_improve_now(watch, now=office.now())


def test_another_search_of_the_same_person_for_the_same_finds_nothing_while_the_appointment_stands(
    office: Office,
) -> None:
    watch = improving(office)
    office.watch(mode="hold", subscriber=watch.subscriber, office_ids=(office.office_pk(RUPPERT),))

    opens(office, THURSDAY_9, at=RUPPERT)

    assert Booking.objects.count() == 1


def test_when_nothing_earlier_is_left_it_ends_with_a_word(office: Office) -> None:
    watch = improving(office, mode="notify", gain=14)
    office.munich.clock.advance(timedelta(days=5))

    renew_windows(now=office.now())
    office.work()

    watch.refresh_from_db()
    assert watch.state == Watch.State.EXPIRED
    assert office.mailman.kinds()[-1] == "watch_expired"
    assert not Slot.objects.filter(gone_at=None, starts_at__lt=IN_TWO_WEEKS).exists()
