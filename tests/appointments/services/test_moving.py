"""Moving an appointment: new before old, whatever the city answers and whenever a process dies."""

from datetime import timedelta

import pytest

from appointments import tasks
from appointments.errors import AlreadyHolding, NotAllowed, SlotGone
from appointments.models import Booking, Slot
from appointments.services import replaced, sweeps
from appointments.services.bookings import keep_booking, release_booking
from appointments.services.moving import move_appointment
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    THURSDAY_9,
    calls_of,
    confirmed,
    known_slot,
    reserved,
    settle,
    states,
    time_out,
)
from tests.conftest import PASING, Office
from tests.factories import BookingFactory

EARLIER = THURSDAY_9 - timedelta(hours=22)
UPDATE, CONFIRM, CANCEL, READ = (
    ["update-appointment"],
    ["confirm-appointment"],
    ["cancel-appointment"],
    ["appointment"],
)


def standing(office: Office) -> list[int]:
    """Start times (Unix seconds) of what the city has confirmed."""
    return sorted(p.starts_at for p in office.munich.desk.in_states("confirmed"))


def seconds(at: object) -> int:
    return int(at.timestamp())  # type: ignore[attr-defined]


def begun(office: Office, *, at: int = PASING, watched: bool = True) -> tuple[Booking, Booking]:
    """An appointment on Thursday, and the wish to have Wednesday's time instead; nothing has been asked yet.

    `watched`: see `watch_over`. Not where the person cancels the old one on purpose.
    """
    old = confirmed(office, at=at)
    slot = known_slot(office, EARLIER, at=at)
    new = move_appointment(old, slot, now=office.now())
    if watched:
        watch_over(office)
    return old, new


def watch_over(office: Office) -> None:
    """From now on something confirmed stands at the city after every single request, or the test fails."""
    send = office.desk.api._send

    def watched(*args: object) -> object:
        answer = send(*args)  # type: ignore[arg-type]
        assert standing(office), "the person has lost both"
        return answer

    office.desk.api._send = watched  # type: ignore[method-assign, assignment]


def refreshed(*bookings: Booking) -> tuple[Booking, ...]:
    for booking in bookings:
        booking.refresh_from_db()
    return bookings


def one_task(office: Office) -> None:
    """Run the task that waits longest, and nothing it queues."""
    name, args = office.queue.waiting.pop(0)
    getattr(tasks, name)(*args)


def assert_moved(office: Office, old: Booking, new: Booking) -> None:
    refreshed(old, new)
    assert (new.state, new.replaces_id, new.moved_from_id, new.changes) == (S.CONFIRMED, None, old.pk, 1)
    assert (old.state, old.reason) == (S.CANCELLED, replaced.REPLACED)
    assert standing(office) == [seconds(EARLIER)]
    assert office.mailman.kinds().count("appointment_moved") == 1
    assert "appointment_cancelled" not in office.mailman.kinds()


def assert_old_stands(office: Office, old: Booking, new: Booking) -> None:
    refreshed(old, new)
    assert (old.state, old.wish, old.ended_at) == (S.CONFIRMED, Booking.Wish.BOOK, None)
    assert new.ended_at is not None
    assert standing(office) == [seconds(THURSDAY_9)]
    assert "appointment_moved" not in office.mailman.kinds()


def test_the_new_one_is_confirmed_directly_and_the_old_one_cancelled_last(office: Office) -> None:
    old, new = begun(office)
    mails = len(office.munich.mails)

    office.work()

    assert_moved(office, old, new)
    assert states(new) == ["requested", "reserving", "reserved", "confirming", "confirmed"]
    paths = [r.path.strip("/") for r in office.munich.requests if r.method == "POST"]
    assert paths[-4:] == [
        "reserve-appointment",
        "update-appointment",
        "confirm-appointment",
        "cancel-appointment",
    ]
    office.advance(seconds=3)
    kinds = [mail.kind for mail in office.munich.mails[mails:]]
    assert "activation" not in kinds
    assert office.mailman.kinds()[-3:] == ["appointment_reserved", "appointment_moved", "old_given_back"]


def test_name_and_data_of_the_old_one_go_with_it_whatever_the_profile_says_now(office: Office) -> None:
    old, _new = begun(office)
    old.subscriber.family_name, old.subscriber.email = "Someone Else", "else@example.org"
    old.subscriber.save()

    office.work()

    process = next(office.munich.desk.in_states("confirmed"))
    assert (process.family_name, process.email) == ("Ada Lovelace", old.email)


def test_keeping_a_new_time_does_not_exchange_the_name(office: Office) -> None:
    old, new = begun(office)
    Booking.objects.filter(pk=new.pk).update(wish=Booking.Wish.ASK)
    office.work()
    old.subscriber.family_name = "Someone Else"
    old.subscriber.save()

    keep_booking(new, now=office.now())
    office.work()

    assert_moved(office, old, new)
    assert next(office.munich.desk.in_states("confirmed")).family_name == "Ada Lovelace"


def test_another_appointment_of_the_same_person_is_left_alone(office: Office) -> None:
    """Wish 27: leave my other appointment alone."""
    old, new = begun(office)
    other = BookingFactory(confirmed=True, subscriber=old.subscriber, now=office.now())

    office.work()

    assert_moved(office, old, new)
    refreshed(other)
    assert (other.state, other.wish, other.events.count()) == (S.CONFIRMED, "book", 0)


def test_two_taps_move_once(office: Office) -> None:
    old, new = begun(office)

    with pytest.raises(AlreadyHolding):
        move_appointment(old, Slot.objects.get(starts_at=EARLIER), now=office.now())
    office.work()

    assert_moved(office, old, new)
    assert calls_of(office, "reserve-appointment") == 2


def test_what_does_not_stand_cannot_be_moved_nor_to_a_time_that_is_gone(office: Office) -> None:
    hold = reserved(office)
    slot = known_slot(office, EARLIER)
    with pytest.raises(NotAllowed):
        move_appointment(hold, slot, now=office.now())
    release_booking(hold, now=office.now())
    office.work()
    old = confirmed(office, at=PASING, starts_at=THURSDAY_9 + timedelta(hours=1), who=hold.subscriber)
    slot.gone_at = office.now()

    with pytest.raises(SlotGone):
        move_appointment(old, slot, now=office.now())
    slot.gone_at = None
    slot.search_id += 1
    with pytest.raises(NotAllowed):
        move_appointment(old, slot, now=office.now())


def test_a_new_time_that_is_taken_leaves_the_old_one_and_says_so(office: Office) -> None:
    """Wish 6: the old one was cancelled and the new one failed."""
    old, new = begun(office)
    office.munich.faults.add("lost_race", 1)

    office.work()

    assert_old_stands(office, old, new)
    assert office.mailman.kinds()[-1] == "slot_taken"


FAULTS = [
    "maintenance",
    "backend_down",
    "rate_limited",
    "gateway_400",
    "html_502",
    "html_200",
    "truncated_json",
    "empty_body",
    "lost_before",
    "lost_after",
]


@pytest.mark.parametrize("path", [UPDATE, CONFIRM, CANCEL], ids=lambda path: path[0])
@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_one_answer_is_the_move_succeeds_and_one_of_both_always_stands(
    office: Office, kind: str, path: list[str]
) -> None:
    old, new = begun(office)
    office.munich.faults.add(kind, 1, path)

    office.work()
    for _step in range(12):
        assert standing(office)
        office.advance(seconds=20)
        office.sweep()

    assert_moved(office, old, new)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("endpoint", ["update-appointment", "confirm-appointment", "cancel-appointment"])
def test_a_time_out_at_any_call_is_settled_by_reading(office: Office, endpoint: str, before: bool) -> None:
    old, new = begun(office)
    time_out(office, endpoint, before=before)

    office.work()
    settle(office, new, minutes=2)

    assert_moved(office, old, new)


@pytest.mark.parametrize("path", [UPDATE, CONFIRM], ids=lambda path: path[0])
@pytest.mark.parametrize("kind", ["maintenance", "gateway_400", "html_502", "lost_before"])
def test_a_city_that_never_takes_it_leaves_the_old_one(office: Office, kind: str, path: list[str]) -> None:
    old, new = begun(office)
    office.munich.faults.add(kind, None, path)

    office.work()
    settle(office, new, minutes=25, step=15)

    assert_old_stands(office, old, new)
    assert office.mailman.kinds()[-1] in ("hold_lapsed", "hold_released")


def test_data_that_the_city_refuses_give_the_new_time_back(office: Office) -> None:
    old, new = begun(office)
    Booking.objects.filter(pk=new.pk).update(email="no+plus@example.org")

    office.work()

    assert_old_stands(office, old, new)
    assert new.reason == "refused"
    assert office.mailman.kinds()[-1] == "hold_released"


def test_a_hold_that_lapsed_before_the_data_went_leaves_the_old_one(office: Office) -> None:
    old, new = begun(office)
    one_task(office)
    office.queue.waiting.clear()
    refreshed(new)
    office.munich.desk.processes[new.process_id].reserved_at -= 3600
    office.advance(minutes=1)

    office.sweep()

    assert_old_stands(office, old, new)
    assert office.mailman.kinds()[-1] == "hold_lapsed"


def test_a_hold_that_outlasted_our_tries_is_given_back(office: Office) -> None:
    old, new = begun(office)
    one_task(office)
    office.queue.waiting.clear()
    office.munich.clock.advance(timedelta(minutes=16))

    office.sweep()

    assert_old_stands(office, old, new)
    assert (new.reason, office.mailman.kinds()[-1]) == ("not_in_time", "hold_released")


def test_an_old_one_that_cannot_be_cancelled_three_times_is_told_and_cancelled_at_last(
    office: Office,
) -> None:
    old, new = begun(office)
    office.munich.faults.add("maintenance", 6, CANCEL)

    office.work()
    refreshed(old, new)
    assert (new.state, new.replaces_id, old.state, old.wish) == (
        S.CONFIRMED,
        old.pk,
        S.CONFIRMED,
        Booking.Wish.RELEASE,
    )
    settle(office, new, minutes=8)

    assert_moved(office, old, new)
    assert office.mailman.kinds().count("two_stand") == 1
    last, edited = office.mailman.sent[-1]
    assert (last.kind, edited) == ("old_given_back", "")


def test_who_cancels_the_old_one_meanwhile_is_asked_about_the_new_one_once_it_has_gone(
    office: Office,
) -> None:
    old, new = begun(office, watched=False)
    office.munich.faults.add("maintenance", 1, CANCEL)
    release_booking(old, now=office.now())
    office.work()
    refreshed(old, new)
    before = old.state, new.state, new.wish

    settle(office, new, minutes=1)

    refreshed(old)
    assert before == (S.CONFIRMED, S.RESERVED, Booking.Wish.BOOK)
    assert (old.state, new.state, new.wish, new.replaces) == (S.CANCELLED, S.RESERVED, "ask", None)
    assert office.mailman.kinds()[-2:] == ["old_gone_meanwhile", "appointment_cancelled"]


def test_while_two_stand_there_is_no_third(office: Office) -> None:
    old, new = begun(office)
    office.munich.faults.add("maintenance", 1, CANCEL)
    office.work()
    slot = known_slot(office, EARLIER + timedelta(hours=1), at=PASING)
    refreshed(new)
    assert len(standing(office)) == 2

    with pytest.raises(NotAllowed):
        move_appointment(new, slot, now=office.now())
    settle(office, new, minutes=1)
    assert_moved(office, old, new)
    newest = move_appointment(new, slot, now=office.now())
    office.work()

    refreshed(newest)
    assert (newest.state, newest.changes) == (S.CONFIRMED, 2)
    assert standing(office) == [seconds(slot.starts_at)]


def test_only_the_new_one_is_reminded_of_while_both_stand(office: Office) -> None:
    _old, new = begun(office)
    office.munich.faults.add("maintenance", None, CANCEL)
    office.work()

    settle(office, new, minutes=60 * 47, step=900)

    reminded = {m.booking_id for m, _edit in office.mailman.sent if m.kind.startswith("reminder")}
    assert reminded == {new.pk}


@pytest.mark.parametrize("killed_at", range(8))
def test_killed_between_any_two_steps_the_sweep_goes_on(office: Office, killed_at: int) -> None:
    """The queue dies after so many tasks, and everything it had is forgotten."""
    old, new = begun(office)
    for _task in range(killed_at):
        if office.queue.waiting:
            one_task(office)
        assert standing(office)
    office.queue.waiting.clear()

    settle(office, new, minutes=2)

    assert_moved(office, old, new)


@pytest.mark.parametrize("acted", [False, True])
@pytest.mark.parametrize("call", ["update", "confirm"])
def test_a_worker_that_died_while_confirming_is_settled_by_reading(
    office: Office, call: str, acted: bool
) -> None:
    old, new = begun(office)
    real = getattr(office.desk.api, call)

    def die(*args: object) -> object:
        if acted:
            real(*args)
        raise KeyboardInterrupt

    setattr(office.desk.api, call, die)
    with pytest.raises(KeyboardInterrupt):
        office.work()
    setattr(office.desk.api, call, real)
    office.queue.waiting.clear()
    assert Booking.objects.get(pk=new.pk).state == S.CONFIRMING

    settle(office, new, minutes=3)

    assert_moved(office, old, new)


def test_an_answer_of_confirm_after_reading_settled_it_is_no_accident(office: Office) -> None:
    old, new = begun(office)
    confirm = office.desk.api.confirm

    def slow(*args: object) -> object:
        answer = confirm(*args)
        office.munich.clock.advance(timedelta(seconds=61))
        office.queue.waiting.clear()
        sweeps.sweep_bookings(now=office.now())
        office.queue.run()
        return answer

    office.desk.api.confirm = slow  # type: ignore[method-assign]
    office.work()
    settle(office, new, minutes=1)

    assert_moved(office, old, new)
