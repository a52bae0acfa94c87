"""What users of such bots ask for, as far as handing out is concerned; the numbers are those of the list of wishes."""

from datetime import datetime, timedelta

from appointments.models import Booking, PollTarget, Service, Watch
from appointments.policy import EMERGENCY_EVERY, JITTER
from appointments.selectors.watches import MUNICH
from appointments.services.emergencies import judge_search
from appointments.services.vetoes import set_veto, stop_booking
from appointments.states import BookingState as S
from tests.appointments.services.counter import THURSDAY_9, calls_of, look
from tests.conftest import REGISTER, Office

EVERY_DAY = 0b1111111


def test_wish_01_what_is_found_is_held_before_anybody_is_asked(office: Office) -> None:
    office.watch(mode="hold")
    office.open(THURSDAY_9)

    look(office, 6)

    assert Booking.objects.get().state == S.RESERVED
    assert office.mailman.kinds() == ["appointment_reserved"]


def test_wish_09_emergency_services_are_asked_more_often_when_their_slots_are_added(office: Office) -> None:
    watch = office.watch(mode="hold")
    Service.objects.filter(upstream_id=REGISTER).update(emergency=True)
    watch.search.main_service.refresh_from_db()
    judge_search(watch.search, now=office.now())
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=MUNICH)
    office.munich.clock.advance(noon - office.now())
    look(office, 3)

    asked = PollTarget.objects.get(kind="sweep")

    assert asked.next_due_at - asked.asked_at <= EMERGENCY_EVERY * (1 + JITTER)


def test_wish_14_nothing_is_booked_before_a_person_could_object(office: Office) -> None:
    watch = office.watch(mode="auto")
    set_veto(watch, 30, now=office.now())
    office.open(THURSDAY_9)
    look(office, 5)

    stop_booking(Booking.objects.get(), now=office.now())
    office.advance(minutes=2)
    office.sweep()

    assert calls_of(office, "preconfirm-appointment") == 0
    assert Booking.objects.get().state == S.RESERVED


def test_wish_15_nothing_outside_the_window_is_held_not_even_after_a_lost_race(office: Office) -> None:
    office.watch(mode="hold", date_to=THURSDAY_9.date())
    office.open(THURSDAY_9)
    office.open(THURSDAY_9 + timedelta(days=1))
    office.munich.faults.add("lost_race", 1)

    look(office, 8)

    assert [(b.starts_at, b.state) for b in Booking.objects.all()] == [(THURSDAY_9, S.FAILED)]


def test_wish_16_a_slot_too_soon_to_get_there_goes_to_somebody_who_can(office: Office) -> None:
    first = office.watch(mode="hold", minimum_notice_minutes=300)
    second = office.watch(mode="hold")
    soon = office.now().replace(second=0) + timedelta(hours=3)
    office.open(soon)

    look(office, 6)

    assert list(Booking.objects.filter(state=S.RESERVED).values_list("watch_id", flat=True)) == [second.pk]
    assert not Booking.objects.filter(watch=first).exists()


def test_wish_17_several_separate_windows_are_all_served(office: Office) -> None:
    hours = ((EVERY_DAY, 8 * 60, 9 * 60), (EVERY_DAY, 15 * 60, 16 * 60))
    watch = office.watch(mode="hold", hours=hours)
    office.open(THURSDAY_9 + timedelta(hours=3))
    office.open(THURSDAY_9 + timedelta(hours=6))

    look(office, 6)

    held = Booking.objects.get(state=S.RESERVED)
    assert (held.watch_id, held.starts_at) == (watch.pk, THURSDAY_9 + timedelta(hours=6))
    assert Watch.objects.get(pk=watch.pk).state == Watch.State.ACTIVE
