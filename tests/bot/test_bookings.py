"""A place is held: keep, data, send, other times, release; the mail; the appointment; its end."""

import pytest

from appointments.models import Booking, Subscriber
from bot.booking_screens import booking_screen
from bot.effects import keyboard_of
from tests.bot.conftest import Person, Town
from tests.factories import BookingFactory, OfficeFactory, SlotFactory, SubscriberFactory, WatchFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(ada: Person, town: Town) -> Booking:
    """A place at Ruppertstraße is held for Ada, and she has the message."""
    ada.begin()
    return hold(ada, town)


def hold(person: Person, town: Town, **state: object) -> Booking:
    subscriber = person.chat.subscriber
    watch = WatchFactory(
        subscriber=subscriber, search__main_service=town.registration, mode="hold", now=person.now
    )
    slot = SlotFactory(search=watch.search, office=town.offices[0], now=person.now)
    booking = BookingFactory(
        subscriber=subscriber, watch=watch, slot=slot, now=person.now, **(state or {"reserved": True})
    )
    news(person, booking)
    return booking


def news(person: Person, booking: Booking) -> int:
    screen = booking_screen(booking, person.now)
    return person.receive(screen.html, keyboard_of(screen.rows))


def known(person: Person) -> None:
    """The person gave the data at an earlier time."""
    subscriber = Subscriber.objects.get(pk=person.chat.subscriber_id)
    subscriber.family_name, subscriber.email = "Ada Lovelace", "ada@example.org"
    subscriber.contact_consented_at = person.now
    subscriber.save()


def test_keeping_asks_for_the_data_then_shows_them_then_sends(ada: Person, held: Booking, tasks) -> None:
    assert "full name" in ada.press("Keep").html
    assert "e-mail address" in ada.say("Ada Lovelace").html
    shown = ada.say("ada@example.org")
    for part in ("Please check", "Ada Lovelace", "ada@example.org", "Ruppertstraße 19"):
        assert part in shown.html
    held.refresh_from_db()
    assert held.wish == Booking.Wish.ASK

    shown = ada.press("Send to the city")

    held.refresh_from_db()
    assert held.wish == Booking.Wish.BOOK
    assert (held.family_name, held.email) == ("Ada Lovelace", "ada@example.org")
    assert ("send_booking", (held.pk,)) in tasks
    assert "I am sending your data" in shown.html


def test_with_known_data_one_press_keeps_it(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town)
    message = max(ada.messages)

    ada.press("Keep")

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK
    assert tasks.count(("send_booking", (booking.pk,))) == 1
    assert "I am sending your data" in ada.messages[message].html
    assert ada.messages[message].labels == ["Release"]


def test_nothing_is_sent_before_the_person_says_so(ada: Person, held: Booking, tasks) -> None:
    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada@example.org")
    ada.press("Change")

    assert not [name for name, _args in tasks if name == "send_booking"]


def test_words_instead_of_a_decision_leave_the_question_where_it_is(ada: Person, held: Booking) -> None:
    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada@example.org")

    shown = ada.say("yes please")

    assert "press one of the buttons" in shown.html
    assert "Please check" in shown.html
    held.refresh_from_db()
    assert held.wish == Booking.Wish.ASK


def test_the_data_can_be_changed_before_they_are_sent(ada: Person, held: Booking) -> None:
    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada@example.org")
    ada.press("Change")
    ada.press("e-mail address")

    shown = ada.say("lovelace@example.org")

    assert "Please check" in shown.html
    assert "lovelace@example.org" in shown.html


def test_an_offices_own_question_is_asked_and_none_is_an_answer_where_it_may_be(
    ada: Person, town: Town
) -> None:
    office = town.offices[0]
    office.custom_text_activated, office.custom_text_label = True, "Zusätzliche Bemerkungen"
    office.save()
    ada.begin()
    hold(ada, town)
    ada.press("Keep")
    ada.say("Ada Lovelace")

    assert "Zusätzliche Bemerkungen" in ada.say("ada@example.org").html
    assert "Please check" in ada.press("None").html


def test_an_offices_question_that_needs_an_answer_gets_one(ada: Person, town: Town) -> None:
    office = town.offices[0]
    office.custom_text_activated = office.custom_text_required = True
    office.custom_text_label = "Kennzeichen"
    office.save()
    ada.begin()
    known(ada)
    booking = hold(ada, town)

    shown = ada.press("Keep")

    assert "Kennzeichen" in shown.html
    assert "None" not in shown.labels
    assert "M-AB 123" in ada.say("M-AB 123").html
    ada.press("Send to the city")
    booking.refresh_from_db()
    assert booking.custom_text == "M-AB 123"


def test_a_restart_in_the_middle_of_the_questions_loses_nothing(ada: Person, held: Booking) -> None:
    ada.press("Keep")
    ada.say("Ada Lovelace")

    again = Person(ada.now, messages=ada.messages, updates=500, sent=ada.sent)

    assert "Please check" in again.say("ada@example.org").html


def test_a_new_search_is_gone_on_with_after_the_questions(ada: Person, held: Booking) -> None:
    news_id = max(ada.messages)
    ada.say("Reisepass")
    ada.press("Reisepass")
    ada.press("Keep", news_id)
    ada.say("Ada Lovelace")
    ada.say("ada@example.org")
    ada.press("Send to the city")

    assert "When?" in ada.say("/cancel").html


def test_ten_presses_on_keep_send_once(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    known(ada)
    booking = hold(ada, town)
    message = max(ada.messages)

    for _press in range(10):
        ada.press_data(f"k:keep:{booking.pk}", message)

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK
    assert max(ada.messages) == message


def test_ten_presses_on_keep_ask_once(ada: Person, held: Booking) -> None:
    message = max(ada.messages)

    for _press in range(10):
        ada.press_data(f"k:keep:{held.pk}", message)

    assert len([pk for pk in ada.messages if pk > message]) == 1


def test_keeping_what_was_given_back_shows_the_truth(ada: Person, town: Town) -> None:
    ada.begin()
    booking = hold(ada, town)
    message = max(ada.messages)
    Booking.objects.filter(pk=booking.pk).update(state="cancelled", reason="silence", ended_at=ada.now)

    ada.press("Keep")

    assert "because there was no answer" in ada.messages[message].html
    assert "Keep" not in " ".join(ada.messages[message].labels)


def test_releasing_a_hold_asks_nothing_again(ada: Person, held: Booking, tasks) -> None:
    message = max(ada.messages)

    ada.press("Release")

    held.refresh_from_db()
    assert held.wish == Booking.Wish.RELEASE
    assert ("cancel_appointment", (held.pk,)) in tasks
    assert "giving this time back" in ada.messages[message].html


def test_other_times_are_shown_and_a_choice_gives_the_held_one_back(
    ada: Person, held: Booking, town: Town
) -> None:
    other = SlotFactory(search=held.search, office=town.offices[1], now=ada.now)

    shown = ada.press("Other times")
    assert "Pasing" in shown.html
    assert "give" in shown.html
    ada.press("· Pasing")

    held.refresh_from_db()
    assert (held.wish, held.reason) == (Booking.Wish.RELEASE, "superseded")
    assert Booking.objects.count() == 1
    assert other.gone_at is None


def test_no_other_times_are_said_so(ada: Person, held: Booking) -> None:
    shown = ada.press("Other times")

    assert "Nothing else is free" in shown.html
    assert "Held for you" in ada.press("Back to").html


def test_a_slot_in_the_news_is_held_by_one_press_and_ten(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.registration, now=ada.now)
    slot = SlotFactory(search=watch.search, office=town.offices[0], now=ada.now)

    for _press in range(10):
        ada.press_data(f"b:{slot.pk}:{watch.pk}", 60)

    booking = Booking.objects.get()
    assert (booking.mode, booking.wish, booking.watch) == ("hold", "ask", watch)
    assert [name for name, _args in tasks].count("reserve_appointment") == 1
    assert "I am reserving" in ada.toasts[-10]


def test_a_slot_that_is_gone_is_said_so(ada: Person, town: Town) -> None:
    ada.begin()
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.registration, now=ada.now)
    slot = SlotFactory(search=watch.search, gone=True, now=ada.now)

    ada.press_data(f"b:{slot.pk}:{watch.pk}", 60)

    assert ada.toasts[-1] == "This time is gone."
    assert Booking.objects.count() == 0


def test_a_second_hold_is_refused_and_the_first_one_shown(ada: Person, held: Booking, town: Town) -> None:
    slot = SlotFactory(search=held.search, office=town.offices[1], now=ada.now)
    before = len(ada.messages)

    for _press in range(10):
        ada.press_data(f"b:{slot.pk}:{held.watch_id}", 60)

    assert "I can hold only one time" in ada.newest.html
    assert "Held for you" in ada.newest.html
    assert len(ada.messages) == before + 1


def test_a_second_appointment_for_the_same_service_is_refused(ada: Person, town: Town) -> None:
    ada.begin()
    first = hold(ada, town, confirmed=True)
    slot = SlotFactory(search=first.search, office=town.offices[1], now=ada.now)

    ada.press_data(f"b:{slot.pk}:{first.watch_id}", 60)

    assert "already have an appointment" in ada.newest.html


def test_i_opened_it_never_says_confirmed_before_the_city_does(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    hold(ada, town, preconfirmed=True)
    message = max(ada.messages)

    ada.press("I opened it")

    assert "I am asking the city" in ada.messages[message].html
    assert "Confirmed by the city" not in ada.messages[message].html
    assert "follow_booking" in [name for name, _args in tasks]


def test_i_opened_it_shows_the_confirmation_once_the_city_has_it(ada: Person, town: Town) -> None:
    ada.begin()
    booking = hold(ada, town, preconfirmed=True)
    message = max(ada.messages)
    Booking.objects.filter(pk=booking.pk).update(
        state="confirmed", city_status="confirmed", confirmed_at=ada.now
    )

    ada.press("I opened it")

    assert "Confirmed by the city" in ada.messages[message].html


def test_a_missing_mail_gets_advice_with_the_full_address(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town, preconfirmed=True)
    assert "a…@example.org" in ada.newest.html

    shown = ada.press("Mail did not come")

    assert "ada@example.org" in shown.html
    assert "spam" in shown.html


def test_an_appointment_is_cancelled_only_after_a_second_thought(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    booking = hold(ada, town, confirmed=True)
    shown = ada.press("Cancel the appointment")
    assert "Cancel this appointment?" in shown.html
    assert shown.labels[0] == "No, keep it"
    ada.press("No, keep it")
    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.BOOK

    ada.press("Cancel the appointment")
    shown = ada.press("Yes, give it back")

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.RELEASE
    assert ("cancel_appointment", (booking.pk,)) in tasks
    assert "giving this time back" in shown.html


def test_a_lapsed_booking_offers_the_way_on(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town, lapsed=True)

    assert "My search" in ada.newest.labels


def test_calendar_file_and_map_come_again_once_per_press(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town, confirmed=True)

    ada.press("Calendar file and map")
    assert [effect.do for effect in ada.effects] == ["toast", "document", "venue"]
    assert "BEGIN:VCALENDAR" in ada.effects[1].document
    ada.press("Calendar file and map")

    assert [effect.do for effect in ada.effects] == ["toast"]


def test_an_office_without_a_point_on_the_map_shows_its_address(ada: Person) -> None:
    ada.begin()
    office = OfficeFactory(latitude=None, street="Am Stadtpark 20")

    ada.press_data(f"mp:{office.pk}", 60)

    assert "Am Stadtpark 20" in ada.toasts[-1]


def test_bookings_lists_what_stands_with_the_citys_word(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town, preconfirmed=True)
    BookingFactory(subscriber=ada.chat.subscriber, confirmed=True, now=ada.now)
    BookingFactory(subscriber=SubscriberFactory(), confirmed=True, now=ada.now)

    labels = " | ".join(ada.say("/bookings").labels)

    assert labels.count("Confirmed:") == 1
    assert "Open the mail:" in labels
    assert "One step left" in ada.press("Open the mail:").html
