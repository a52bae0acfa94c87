"""From an appointment to a better one, end to end, in one process: moved by hand, and improved by itself."""

from datetime import UTC, datetime, timedelta

from appointments.models import Booking, Watch
from appointments.selectors.moving import times_to_move_to
from appointments.services.bookings import look_again, release_booking
from appointments.services.importing import read_key, request_import
from appointments.services.improving import start_improving
from appointments.services.looking import ask_for_look
from appointments.services.moving import move_appointment
from appointments.services.watches import wake_snoozed
from appointments.states import BookingState as S
from tests.conftest import PASING, RUPPERT, Office
from tests.factories import SubscriberFactory

THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
LATER = THURSDAY_9 + timedelta(days=18)


def confirmed(office: Office) -> Booking:
    """Found, held, sent and confirmed: an appointment in three weeks at Pasing; the search has ended."""
    office.watch(mode="auto", office_ids=(office.office_pk(PASING),))
    office.open(LATER, office=PASING)
    office.look(10)
    office.open_mailed_link()
    look_again(office.booking(), now=office.now())
    office.work()
    assert office.booking().state == S.CONFIRMED
    return office.booking()


def test_a_person_moves_to_a_time_nobody_watched_and_cancels_that_one_in_the_end(office: Office) -> None:
    old = confirmed(office)
    office.open(THURSDAY_9, office=RUPPERT)
    office.advance(minutes=40)
    assert times_to_move_to(old, now=office.now()) == []

    ask_for_look(old, now=office.now())
    office.work()
    (slot,) = times_to_move_to(old, now=office.now())
    new = move_appointment(old, slot, now=office.now())
    office.work()
    new.refresh_from_db()
    old.refresh_from_db()
    assert (new.state, old.state) == (S.CONFIRMED, S.CANCELLED)

    office.munich.clock.freeze(datetime(2026, 11, 25, 17, 0, tzinfo=UTC))
    office.sweep()
    release_booking(new, now=office.now())
    office.work()

    assert list(office.munich.desk.in_states("confirmed")) == []
    assert office.mailman.kinds()[-6:] == [
        "move_times",
        "appointment_reserved",
        "appointment_moved",
        "old_given_back",
        "reminder_day",
        "appointment_cancelled",
    ]


def test_an_appointment_gets_earlier_twice_by_itself_and_then_it_is_enough(office: Office) -> None:
    old = confirmed(office)
    watch = start_improving(old, gain_days=3, more_changes=2, mode="auto", now=office.now())

    for starts_at in (
        LATER - timedelta(days=2),
        LATER - timedelta(days=7),
        THURSDAY_9,
        LATER - timedelta(days=12),
    ):
        office.open(starts_at, office=PASING)
        office.advance(hours=25)
        wake_snoozed(now=office.now())
        office.look(10)

    live = Booking.objects.filter(state=S.CONFIRMED)
    watch.refresh_from_db()
    assert [booking.changes for booking in live] == [2]
    assert watch.state == Watch.State.FULFILLED
    assert [p.starts_at for p in office.munich.desk.in_states("confirmed")] == [
        int(live[0].starts_at.timestamp())
    ]
    assert office.mailman.kinds().count("appointment_moved") == 2


def test_an_appointment_from_the_citys_page_is_taken_over_and_moved(office: Office) -> None:
    made = confirmed(office)
    link = next(mail for mail in office.munich.mails if mail.links).links[0]
    Booking.objects.all().delete()
    who = SubscriberFactory(now=office.now())

    token = link.rsplit("/", 1)[-1]
    page = "https://stadt.muenchen.de/buergerservice/terminvereinbarung.html"
    request_import(who, read_key(f"{page}#/appointment/{token}"), now=office.now())
    office.work()
    mine = Booking.objects.get(subscriber=who)
    assert (mine.state, mine.starts_at, mine.family_name) == (S.CONFIRMED, LATER, "Ada Lovelace")
    office.open(THURSDAY_9, office=PASING)
    ask_for_look(mine, now=office.now())
    office.work()
    new = move_appointment(mine, times_to_move_to(mine, now=office.now())[0], now=office.now())
    office.work()

    new.refresh_from_db()
    assert (new.state, new.family_name) == (S.CONFIRMED, made.family_name)
    assert [p.starts_at for p in office.munich.desk.in_states("confirmed")] == [int(THURSDAY_9.timestamp())]
