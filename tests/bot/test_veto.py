"""Time to object, and nothing held for who let holds go, in the chat."""

from datetime import timedelta

import pytest

from appointments.models import Booking, OutboxMessage, Subscriber, Watch
from bot.booking_screens import booking_screen
from bot.effects import keyboard_of
from tests.bot.conftest import Person, Town
from tests.factories import BookingFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def window(ada: Person, town: Town) -> Booking:
    """Something is held for Ada and will be booked in half a minute; she has the message."""
    ada.begin()
    watch = WatchFactory(
        subscriber=ada.chat.subscriber,
        search__main_service=town.registration,
        mode="auto",
        veto_seconds=30,
        now=ada.now,
    )
    booking = BookingFactory(
        subscriber=ada.chat.subscriber,
        watch=watch,
        slot=SlotFactory(search=watch.search, office=town.offices[0], now=ada.now),
        reserved=True,
        wish="book",
        mode="auto",
        answer_until=ada.now + timedelta(minutes=13),
        veto_until=ada.now + timedelta(seconds=30),
        now=ada.now,
    )
    screen = booking_screen(booking, ada.now)
    ada.receive(screen.html, keyboard_of(screen.rows))
    return booking


def test_the_message_says_when_it_is_booked_and_how_to_stop_it(ada: Person, window: Booking) -> None:
    assert "I book this in 30 seconds, unless you stop me" in ada.newest.html
    assert ada.newest.labels == ["✅ Book it now", "✋ Stop, only hold it", "Release"]


def test_stopping_leaves_a_hold_that_asks(ada: Person, window: Booking) -> None:
    ada.press("Stop")

    window.refresh_from_db()
    assert window.wish == Booking.Wish.ASK
    assert "Held for you until" in ada.newest.html
    assert "✅ Keep" in ada.newest.labels
    assert ada.toasts[-1] == "Stopped. It stays held for you."


def test_releasing_gives_it_back(ada: Person, window: Booking) -> None:
    ada.press("Release")

    window.refresh_from_db()
    assert window.wish == Booking.Wish.RELEASE


def test_booking_at_once_ends_the_window(ada: Person, window: Booking, tasks) -> None:  # type: ignore[no-untyped-def]
    Subscriber.objects.update(
        family_name="Ada Lovelace", email="ada@example.org", contact_consented_at=ada.now
    )

    ada.press("Book it now")

    window.refresh_from_db()
    assert window.veto_until == ada.now
    assert ("send_booking", (window.pk,)) in tasks


def test_a_stop_that_comes_too_late_shows_where_it_stands(ada: Person, window: Booking) -> None:
    ada.later(seconds=31)

    ada.press("Stop")

    window.refresh_from_db()
    assert window.wish == Booking.Wish.BOOK
    assert ada.toasts[-1] == "Here is where it stands."
    assert "I am sending your data" in ada.newest.html


def test_the_window_is_chosen_under_a_search_that_books(ada: Person, window: Booking) -> None:
    ada.say("/watches")
    ada.press("Ummeldung")

    shown = ada.press("Time to object: 30 seconds")
    assert "How long may you object" in shown.html
    assert shown.labels[:4] == ["none", "✓ 30 seconds", "60 seconds", "120 seconds"]
    shown = ada.press("120 seconds")

    assert Watch.objects.get().veto_seconds == 120
    assert "Time to object: 120 seconds" in shown.labels


def test_a_search_that_only_tells_or_holds_has_no_window(ada: Person, window: Booking) -> None:
    Watch.objects.update(mode="hold")
    ada.say("/watches")

    shown = ada.press("Ummeldung")

    assert not any("object" in label for label in shown.labels)


def test_another_persons_booking_cannot_be_stopped(ada: Person, jakob: Person, window: Booking) -> None:
    jakob.begin()
    menu = jakob.receive("stolen", [[{"text": "Stop", "callback_data": f"vs:{window.pk}"}]])

    jakob.press_data(f"vs:{window.pk}", menu)

    window.refresh_from_db()
    assert window.wish == Booking.Wish.BOOK


def test_who_let_holds_go_reads_until_when_nothing_is_held(ada: Person, town: Town) -> None:
    ada.begin()
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.registration, now=ada.now)
    slot = SlotFactory(search=watch.search, office=town.offices[0], now=ada.now)
    Subscriber.objects.update(holds_paused_until=ada.now + timedelta(hours=12))
    news = ada.receive("3 free times", [[{"text": "09:00", "callback_data": f"b:{slot.pk}:{watch.pk}"}]])

    ada.press_data(f"b:{slot.pk}:{watch.pk}", news)

    assert ada.toasts[-1].startswith("I hold nothing for you until Mon 23 Nov, 21:00")
    assert not Booking.objects.exists()
    assert not OutboxMessage.objects.exists()
