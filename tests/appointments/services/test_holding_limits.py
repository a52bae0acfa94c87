"""How much one person may have held, and what happens to those who let hold after hold go."""

from datetime import timedelta

import pytest

from appointments.errors import HoldsPaused
from appointments.models import Booking, OutboxMessage, Subscriber
from appointments.services import holding_limits
from appointments.services.bookings import release_booking, request_booking
from appointments.services.holding_limits import FIRST_PAUSE, LONGEST_PAUSE, lift_pause
from appointments.states import BookingState as S
from tests.appointments.services.counter import (
    THURSDAY_9,
    known_slot,
    look,
    person,
    preconfirmed,
    reserved,
    settle,
)
from tests.conftest import Office


def let_go(office: Office, who: Subscriber, times: int) -> None:
    """`who` has something held and gives it back, again and again."""
    already = Booking.objects.count()
    for number in range(times):
        at = THURSDAY_9 + timedelta(minutes=10 * (already + number))
        booking = reserved(office, who=Subscriber.objects.get(pk=who.pk), starts_at=at)
        release_booking(booking, now=office.now())
        office.work()


def paused_until(who: Subscriber):  # type: ignore[no-untyped-def]
    return Subscriber.objects.get(pk=who.pk).holds_paused_until


def test_the_third_hold_let_go_pauses_holding_and_says_so_once(office: Office) -> None:
    who = person(office)

    let_go(office, who, 2)
    before = paused_until(who)
    let_go(office, who, 1)

    assert before is None
    assert paused_until(who) == office.now() + FIRST_PAUSE or paused_until(who) > office.now()
    assert office.mailman.kinds().count("holds_paused") == 1
    with pytest.raises(HoldsPaused):
        request_booking(
            Subscriber.objects.get(pk=who.pk),
            known_slot(office, THURSDAY_9 + timedelta(days=1)),
            mode="hold",
            watch=None,
            now=office.now(),
        )


def test_every_further_pause_is_longer(office: Office, settings) -> None:  # type: ignore[no-untyped-def]
    settings.HOLDS_PER_DAY = 100
    who = person(office)
    pauses = []
    for _time in range(6):
        let_go(office, who, 3)
        pauses.append(paused_until(who) - office.now())
        lift_pause(Subscriber.objects.get(pk=who.pk), now=office.now())

    assert [round(pause / FIRST_PAUSE) for pause in pauses[:4]] == [1, 2, 4, 8]
    assert pauses[-1] <= LONGEST_PAUSE


@pytest.mark.parametrize("how", ["silence", "mail"])
def test_silence_and_a_mail_never_opened_count_as_let_go(office: Office, how: str) -> None:
    booking = reserved(office) if how == "silence" else preconfirmed(office)

    settle(office, booking, minutes=booking.office.activation_minutes + 2, step=60)

    assert booking.state in (S.CANCELLED, S.LAPSED)
    since = office.now() - timedelta(days=1)
    assert holding_limits.unkept_holds(since=since) == {booking.subscriber_id: 1}


def test_a_cancelled_appointment_and_another_time_are_not_held_against_anybody(office: Office) -> None:
    from appointments.services.bookings import swap_booking
    from tests.appointments.services.counter import confirmed

    appointment = confirmed(office)
    release_booking(appointment, now=office.now())
    office.work()
    held = reserved(office, starts_at=THURSDAY_9 + timedelta(hours=1))
    swap_booking(held, known_slot(office, THURSDAY_9 + timedelta(hours=2)), now=office.now())
    office.work()

    assert holding_limits.unkept_holds(since=office.now() - timedelta(days=1)) == {}


def test_who_is_paused_is_told_about_slots_and_the_next_person_gets_them(office: Office) -> None:
    watch = office.watch(mode="hold")
    Subscriber.objects.filter(pk=watch.subscriber_id).update(
        holds_paused_until=office.now() + timedelta(hours=1)
    )
    other = office.watch(mode="hold")
    office.open(THURSDAY_9)

    look(office, 6)

    assert Booking.objects.get(state=S.RESERVED).watch_id == other.pk
    told = OutboxMessage.objects.get(kind="slots_opened")
    assert told.subscriber_id == watch.subscriber_id


def test_when_the_pause_is_over_holding_goes_on(office: Office) -> None:
    watch = office.watch(mode="hold")
    Subscriber.objects.filter(pk=watch.subscriber_id).update(holds_paused_until=office.now())
    office.open(THURSDAY_9)

    look(office, 6)

    assert Booking.objects.get().state == S.RESERVED


def test_six_holds_a_day_and_then_only_messages(office: Office, settings) -> None:  # type: ignore[no-untyped-def]
    settings.HOLDS_PER_DAY, settings.UNKEPT_HOLDS = 2, 100
    watch = office.watch(mode="hold")
    who = watch.subscriber
    let_go(office, who, 2)
    office.open(THURSDAY_9 + timedelta(hours=5))

    look(office, 20)
    day_after = office.now() + timedelta(days=1)

    assert Booking.objects.filter(subscriber=who).count() == 2
    assert OutboxMessage.objects.filter(kind="slots_opened", subscriber=who).exists()
    assert OutboxMessage.objects.filter(kind="holds_paused", subscriber=who).count() == 1
    with pytest.raises(HoldsPaused) as refused:
        holding_limits.may_hold(who, now=office.now())
    assert refused.value.until <= day_after
    holding_limits.may_hold(who, now=day_after)


def test_staff_lift_a_pause(office: Office) -> None:
    who = person(office)
    let_go(office, who, 3)

    lift_pause(who, now=office.now())

    holding_limits.may_hold(Subscriber.objects.get(pk=who.pk), now=office.now())
