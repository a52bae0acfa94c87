"""While we cannot see, the last known times are shown with their age."""

from datetime import timedelta

from appointments.models import PollTarget
from appointments.selectors.watches import known_slots
from tests.appointments.services.counter import THURSDAY_9, look
from tests.conftest import Office


def test_a_fresh_look_is_told_without_its_age(office: Office) -> None:
    watch = office.watch()
    office.open(THURSDAY_9)
    look(office, 4)

    known = known_slots(watch, now=office.now())

    assert [slot.starts_at for slot in known.slots] == [THURSDAY_9]
    assert not known.is_old


def test_after_an_hour_without_an_answer_the_last_known_times_are_told_with_their_age(office: Office) -> None:
    watch = office.watch()
    office.open(THURSDAY_9)
    look(office, 4)
    answered_at = PollTarget.objects.get(kind="sweep").answered_at
    office.advance(hours=1)

    known = known_slots(watch, now=office.now())

    assert [slot.starts_at for slot in known.slots] == [THURSDAY_9]
    assert (known.as_of, known.is_old) == (answered_at, True)


def test_yesterdays_times_are_told_no_more(office: Office) -> None:
    watch = office.watch()
    office.open(THURSDAY_9)
    look(office, 4)
    office.advance(hours=25)

    assert known_slots(watch, now=office.now()).slots == ()


def test_a_watch_nobody_has_looked_for_yet_has_no_age(office: Office) -> None:
    watch = office.watch()

    known = known_slots(watch, now=office.now())

    assert (known.slots, known.as_of, known.is_old) == ((), None, False)


def test_the_oldest_of_several_sweeps_counts(office: Office) -> None:
    watch = office.watch()
    look(office, 2)
    old = office.now() - timedelta(hours=2)
    PollTarget.objects.create(
        search=watch.search, kind="sweep", guarded=True, next_due_at=office.now(), answered_at=old
    )

    assert known_slots(watch, now=office.now()).as_of == old
