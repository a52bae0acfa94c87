"""What people ask of such bots, as far as the chat keeps it; the others are in `tests/journeys/test_wishes.py`."""

import pytest

from appointments.models import Booking, OutboxMessage, Slot, Watch
from tests.bot.conftest import Person, Town
from tests.bot.test_bookings import hold, known
from tests.bot.test_profiles import me, mum_of
from tests.factories import SlotFactory, WatchFactory
from tests.factories.watching import local

pytestmark = pytest.mark.django_db
MORNINGS = [[0b0011111, 8 * 60, 12 * 60]]


def narrow(ada: Person, town: Town, **fields: object) -> Watch:
    """A search of Ada's for weekday mornings at the first office."""
    ada.begin()
    known(ada)
    return WatchFactory(
        subscriber=ada.chat.subscriber,
        search__main_service=town.registration,
        search__count=3,
        hours=MORNINGS,
        chosen=[town.offices[0]],
        now=ada.now,
        **fields,
    )


def test_wish_14_a_hold_can_be_refused_with_one_press(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town)

    ada.press("Release")

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.RELEASE
    assert ("cancel_appointment", (booking.pk,)) in tasks
    assert not [name for name, _args in tasks if name == "send_booking"]


def test_wish_20_a_test_message_so_that_i_trust_it(ada: Person) -> None:
    ada.begin()
    ada.say("/settings")

    ada.press("Send a test message")

    assert OutboxMessage.objects.get().kind == "test_message"


def test_wish_22_choose_who_it_is_for_by_thumb(ada: Person, town: Town) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town)
    ada.later(minutes=1)
    mum = mum_of(ada)

    ada.press("Keep")
    ada.press("For Mum")

    booking.refresh_from_db()
    assert (booking.profile, booking.family_name) == (mum, mum.family_name)


def test_wish_28_another_time_says_first_what_happens_to_the_one_i_have(ada: Person, town: Town) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town)
    SlotFactory(search=booking.search, office=booking.office, now=ada.now)

    shown = ada.press("Other times")

    assert "If you choose another, I first give" in shown.html
    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.ASK


def test_wish_28_another_address_says_first_what_happens_to_the_one_i_have(ada: Person, town: Town) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town, preconfirmed=True)
    Booking.objects.filter(pk=booking.pk).update(email="ada@exmaple.org")
    Slot.objects.update(gone_at=ada.now)
    ada.press("Mail did not come")
    ada.press("The address is wrong")

    shown = ada.say("ada@example.org")

    assert "So I would give" in shown.html
    assert "Somebody else may be faster" in shown.html
    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK


def test_wish_28_cancelling_asks_first(ada: Person, town: Town) -> None:
    ada.begin()
    booking = hold(ada, town, confirmed=True)

    shown = ada.press("Cancel the appointment")

    assert "Cancel this appointment?" in shown.html
    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK


def test_wish_24_a_name_in_use_is_kindly_refused(ada: Person, town: Town) -> None:
    ada.begin()
    known(ada)
    hold(ada, town, confirmed=True)
    ada.say("/profile")
    ada.press("Change name")

    shown = ada.say("Somebody Else")

    assert "cannot be passed on to another person" in shown.html
    assert me(ada).family_name == "Ada Lovelace"


def test_wish_33_the_apology_and_the_help_ask_for_no_personal_data(ada: Person) -> None:
    ada.begin()

    shown = ada.say("/help").html.lower()

    assert not any(word in shown for word in ("your name to", "screenshot", "token", "send me your"))


def test_wish_29_near_misses_are_shown_where_nothing_fits(ada: Person, town: Town) -> None:
    watch = narrow(ada, town)
    SlotFactory(search=watch.search, office=town.offices[0], now=ada.now, starts_at=local(ada.now, 2, 12, 30))

    ada.say("/watches")
    shown = ada.press("Familie")

    assert "nothing free" in shown.html
    assert "Just outside your search" in shown.html
    assert "Wed 25 Nov, 12:30" in shown.html
    assert "outside your hours" in shown.html


def test_wish_29_a_near_miss_that_is_pressed_is_held_and_asked_about(ada: Person, town: Town) -> None:
    watch = narrow(ada, town, mode="auto")
    SlotFactory(search=watch.search, office=town.offices[0], now=ada.now, starts_at=local(ada.now, 2, 12, 30))
    ada.say("/watches")
    ada.press("Familie")

    ada.press("25 Nov 12:30")

    booking = Booking.objects.get()
    assert (booking.mode, booking.wish, booking.watch) == ("hold", Booking.Wish.ASK, watch)
