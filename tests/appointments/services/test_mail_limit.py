"""Where the city takes one appointment per mail address: the other order, and only with the person's explicit yes."""

from datetime import timedelta

import pytest

from appointments import tasks
from appointments.errors import NotAllowed
from appointments.models import Booking, Watch
from appointments.selectors.moving import asks_for_other_order, one_per_mail
from appointments.services.bookings import release_booking
from appointments.services.moving import cancel_old_first, move_appointment
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, confirmed, known_slot, settle, time_out
from tests.conftest import Office
from tests.factories import OfficeFactory

EARLIER = THURSDAY_9 - timedelta(hours=22)
# The office that takes one appointment per address, and what it is for.
STRICT, LEAVING = 10295168, 1063731
CANCEL, CONFIRM, UPDATE = ["cancel-appointment"], ["confirm-appointment"], ["update-appointment"]


def standing(office: Office) -> list[int]:
    return sorted(p.starts_at for p in office.munich.desk.in_states("confirmed"))


def asked(office: Office) -> tuple[Booking, Booking]:
    """The new time is held, and the person is asked whether the old appointment may be cancelled first."""
    old = confirmed(office, at=STRICT, service=LEAVING)
    slot = known_slot(office, EARLIER, at=STRICT, service=LEAVING)
    new = move_appointment(old, slot, now=office.now())
    office.work()
    new.refresh_from_db()
    assert asks_for_other_order(new)
    return old, new


def refreshed(*bookings: Booking) -> None:
    for booking in bookings:
        booking.refresh_from_db()


def test_the_limit_is_foreseen_for_the_same_office_only(office: Office) -> None:
    old = confirmed(office, at=STRICT, service=LEAVING)

    assert one_per_mail(old, old.office_id)
    assert not one_per_mail(old, old.office_id + 1)


def test_without_a_word_of_the_person_nothing_is_cancelled(office: Office) -> None:
    old, new = asked(office)
    assert office.mailman.kinds()[-1] == "move_mail_limit"

    settle(office, new, minutes=20, step=30)

    refreshed(old)
    assert (old.state, old.wish, new.state, new.reason) == (S.CONFIRMED, "book", S.CANCELLED, "silence")
    assert len(standing(office)) == 1


def test_a_no_gives_the_new_time_back(office: Office) -> None:
    old, new = asked(office)

    release_booking(new, now=office.now(), reason="kept_old")
    office.work()

    refreshed(old, new)
    assert (old.state, old.wish, new.state) == (S.CONFIRMED, "book", S.CANCELLED)
    with pytest.raises(NotAllowed):
        cancel_old_first(new, now=office.now())


def test_with_a_yes_the_old_one_goes_first_and_then_the_new_one_is_confirmed(office: Office) -> None:
    old, new = asked(office)

    cancel_old_first(new, now=office.now())
    office.work()

    refreshed(old, new)
    assert (old.state, old.reason) == (S.CANCELLED, "replaced_first")
    assert (new.state, new.replaces_id, new.cancel_first) == (S.CONFIRMED, None, False)
    assert standing(office) == [int(EARLIER.timestamp())]
    posts = [r.path.strip("/") for r in office.munich.requests if r.method == "POST"]
    assert posts[-3:] == ["cancel-appointment", "update-appointment", "confirm-appointment"]
    assert office.mailman.kinds()[-1] == "appointment_moved"
    assert "appointment_cancelled" not in office.mailman.kinds()


def test_two_yeses_act_once_and_a_late_one_not_at_all(office: Office) -> None:
    old, new = asked(office)
    cancel_old_first(new, now=office.now())
    with pytest.raises(NotAllowed):
        cancel_old_first(new, now=office.now())
    office.work()
    refreshed(old, new)

    assert new.state == S.CONFIRMED
    with pytest.raises(NotAllowed):
        cancel_old_first(new, now=office.now())


@pytest.mark.parametrize("kind", ["maintenance", "gateway_400", "html_502", "lost_before", "lost_after"])
@pytest.mark.parametrize("path", [CANCEL, UPDATE, CONFIRM], ids=lambda path: path[0])
def test_whatever_one_answer_is_it_ends_with_the_new_one(office: Office, kind: str, path: list[str]) -> None:
    _old, new = asked(office)
    office.munich.faults.add(kind, 1, path)

    cancel_old_first(new, now=office.now())
    office.work()
    settle(office, new, minutes=4)

    assert new.state == S.CONFIRMED
    assert standing(office) == [int(EARLIER.timestamp())]


@pytest.mark.parametrize("before", [True, False])
def test_the_new_one_waits_for_the_citys_word_that_the_old_one_is_gone(office: Office, before: bool) -> None:
    _old, new = asked(office)
    time_out(office, "cancel-appointment", before=before)

    cancel_old_first(new, now=office.now())
    office.work()
    settle(office, new, minutes=2)

    assert new.state == S.CONFIRMED


def test_an_old_one_that_cannot_be_cancelled_in_time_stays(office: Office) -> None:
    old, new = asked(office)
    office.munich.faults.add("maintenance", 40, CANCEL)

    cancel_old_first(new, now=office.now())
    settle(office, new, minutes=20, step=15)
    office.munich.faults.clear()
    settle(office, new, minutes=6, step=30)

    refreshed(old, new)
    assert (old.state, old.wish) == (S.CONFIRMED, Booking.Wish.BOOK)
    assert (new.ended_at is not None, new.reason) == (True, "overdue")
    assert standing(office) == [int(THURSDAY_9.timestamp())]
    assert "nothing_left" not in office.mailman.kinds()


@pytest.mark.parametrize("kind", ["maintenance", "html_502"])
def test_a_second_half_that_fails_is_said_and_the_search_goes_on_at_once(office: Office, kind: str) -> None:
    old, new = asked(office)
    office.munich.faults.add(kind, None, UPDATE)

    cancel_old_first(new, now=office.now())
    office.work()
    settle(office, new, minutes=20, step=15)

    refreshed(old, new)
    assert old.state == S.CANCELLED
    assert new.ended_at is not None
    assert office.mailman.kinds().count("nothing_left") == 1
    watch = Watch.objects.get(ended_at=None)
    assert (watch.mode, watch.search_id, watch.improves) == ("hold", old.search_id, None)


def test_after_a_failed_second_half_what_is_free_is_held_at_once(office: Office) -> None:
    _old, new = asked(office)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=3), at=STRICT, service=LEAVING)
    office.munich.faults.add("maintenance", None, UPDATE)
    cancel_old_first(new, now=office.now())
    office.work()

    settle(office, new, minutes=17, step=15)

    held = Booking.objects.latest("pk")
    assert (held.state, held.starts_at, held.replaces) == (S.RESERVED, other.starts_at, None)


def test_who_gives_the_new_one_back_after_the_yes_keeps_the_old_one_if_it_still_stands(
    office: Office,
) -> None:
    old, new = asked(office)
    cancel_old_first(new, now=office.now())

    release_booking(new, now=office.now())
    office.queue.waiting.reverse()
    office.work()
    settle(office, new, minutes=1)

    refreshed(old, new)
    assert (old.state, old.wish, new.state) == (S.CONFIRMED, "book", S.CANCELLED)
    assert not new.cancel_first


def test_cancelling_the_appointment_later_is_no_failed_move(office: Office) -> None:
    old, new = asked(office)
    cancel_old_first(new, now=office.now())
    release_booking(new, now=office.now())
    office.queue.waiting.reverse()
    office.work()
    settle(office, new, minutes=1)

    release_booking(old, now=office.now())
    office.work()
    settle(office, old, minutes=1)

    assert old.state == S.CANCELLED
    assert "nothing_left" not in office.mailman.kinds()


def test_who_cancels_the_old_one_by_hand_after_the_yes_does_not_get_it_back(office: Office) -> None:
    old, new = asked(office)
    office.munich.faults.add("maintenance", 40, CANCEL)
    cancel_old_first(new, now=office.now())
    office.work()

    release_booking(old, now=office.now())
    settle(office, new, minutes=20, step=15)
    office.munich.faults.clear()
    settle(office, new, minutes=6, step=30)

    refreshed(old)
    assert (old.state, old.reason) == (S.CANCELLED, "person")
    assert standing(office) == []
    assert office.mailman.kinds().count("appointment_cancelled") == 1


@pytest.mark.parametrize("killed_at", range(5))
def test_killed_between_any_two_steps_after_the_yes_it_still_ends_with_one(
    office: Office, killed_at: int
) -> None:
    _old, new = asked(office)
    cancel_old_first(new, now=office.now())
    for _task in range(killed_at):
        if office.queue.waiting:
            name, args = office.queue.waiting.pop(0)
            getattr(tasks, name)(*args)
    office.queue.waiting.clear()

    settle(office, new, minutes=2)

    assert new.state == S.CONFIRMED
    assert standing(office) == [int(EARLIER.timestamp())]


def test_a_limit_that_the_old_appointment_does_not_count_for_gives_the_new_time_back(office: Office) -> None:
    old, new = asked(office)
    Booking.objects.filter(pk=old.pk).update(office=OfficeFactory())
    Booking.objects.filter(pk=new.pk).update(wish="book")

    office.queue.put("send_booking", new.pk)
    office.work()

    refreshed(old, new)
    assert (old.state, old.wish, new.state, new.reason) == (S.CONFIRMED, "book", S.CANCELLED, "mail_limit")
