"""Whatever people send gets a clear answer and changes nothing."""

import pytest

from appointments.models import Booking, Subscriber, Watch
from bot.effects import Incoming
from tests.bot.conftest import Person
from tests.factories import BookingFactory, OfficeFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db
THUMB = ("Moved here", "Familie", "1", "All")


def at_days(person: Person) -> Person:
    person.begin()
    for label in (*THUMB, "Before a date"):
        person.press(label)
    return person


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("1.11.", "1 November 2026 is in the past"),
        ("22.11.2026", "22 November 2026 is in the past"),
        ("32.13.", "I do not understand this day"),
        ("31.2.", "I do not understand this day"),
        ("soon", "I do not understand this day"),
        ("3.12.2031", "opens days only until 22 May 2027"),
        ("x" * 5000, "I do not understand this day"),
        ("🎉", "I do not understand this day"),
    ],
)
def test_a_day_that_cannot_be_is_explained_and_the_question_stays(
    ada: Person, typed: str, answer: str
) -> None:
    shown = at_days(ada).say(typed)

    assert answer in shown.html
    assert "Until which day?" in shown.html
    assert ada.chat.dialogue["data"]["draft"]["days"] is None


def test_a_last_day_before_the_first_is_explained(ada: Person) -> None:
    ada.begin()
    for label in (*THUMB, "Choose days"):
        ada.press(label)
    ada.say("10.12.")

    assert "lies before the first" in ada.say("3.12.").html


@pytest.mark.parametrize("typed", ["12-8", "noon", "x" * 5000, "25-30"])
def test_hours_that_cannot_be_are_explained(ada: Person, typed: str) -> None:
    at_days(ada).say("3.12.")

    assert "I do not understand these hours" in ada.say(typed).html


@pytest.mark.parametrize("typed", ["0", "6", "-1", "many", "1" * 5000])
def test_a_number_of_persons_that_cannot_be_is_explained(ada: Person, typed: str) -> None:
    ada.begin()
    ada.press("Moved here")
    ada.press("Familie")

    shown = ada.say(typed)

    assert "1 to 5" in shown.html or "type a number" in shown.html
    assert "How many" in shown.html or "how many" in shown.html


@pytest.mark.parametrize(
    ("field", "typed", "answer"),
    [
        ("Change name", "Ada 😀", "does not accept emoji"),
        ("Change name", "A", "at least 3 letters"),
        ("Change name", "x" * 5000, "at most 50 letters"),
        ("Change name", "Ada <b>", "only letters"),
        ("Change e-mail", "ada+city@example.org", "addresses with a “+”"),
        ("Change e-mail", "ada", "This is no e-mail address"),
        ("Change e-mail", "a" * 5000 + "@example.org", "at most 100 characters"),
        ("Change telephone", "call me", "digits only"),
        ("Change telephone", "123", "too short"),
        ("Change telephone", "1" * 20, "too long"),
    ],
)
def test_contact_data_the_city_would_refuse_are_explained_and_not_kept(
    ada: Person, field: str, typed: str, answer: str
) -> None:
    ada.begin().say("/profile")
    ada.press(field)

    assert answer in ada.say(typed).html
    person = Subscriber.objects.get()
    assert (person.family_name, person.email, person.telephone) == ("", "", "")


def test_a_photo_gets_a_kind_answer_where_the_dialogue_stands(ada: Person) -> None:
    shown = at_days(ada).say(None)

    assert "I only understand text and buttons" in shown.html
    assert "Until which day?" in shown.html


def test_a_photo_from_a_stranger_gets_the_greeting(ada: Person) -> None:
    shown = ada.say(None)

    assert "I only understand text and buttons" in shown.html
    assert "Continue" in shown.labels


def test_five_thousand_letters_are_no_search(ada: Person) -> None:
    shown = ada.begin().say("x" * 5000)

    assert "too long" in shown.html
    assert len(shown.html) < 500


def test_words_that_mean_nothing_are_repeated_safely(ada: Person) -> None:
    shown = ada.begin().say("<script>&zzzz")

    assert "I found nothing for “&lt;script&gt;&amp;zzzz”" in shown.html


def test_an_unknown_command_gets_the_help(ada: Person) -> None:
    assert "do not know this command" in ada.begin().say("/frobnicate now").html


def test_a_command_may_name_the_bot(ada: Person) -> None:
    assert "Help" in ada.begin().say("/help@munich_termin_bot").html


def test_a_button_of_an_older_menu_shows_the_present_state_once(ada: Person) -> None:
    ada.begin()
    old = max(ada.messages)
    data = ada.messages[old].keyboard[0][0]["callback_data"]
    ada.say("Reisepass")

    shown = ada.press_data(data, old)

    assert "belongs to an older message. Here is where things stand" in shown.html
    assert "Reisepass" in " ".join(shown.labels)
    count = len(ada.messages)
    for _press in range(9):
        ada.press_data(data, old)
    assert len(ada.messages) == count
    assert set(ada.toasts[-10:]) == {"This button belongs to an older message."}


@pytest.mark.parametrize(
    "junk", ["", "☃", "k:keep", "1~", "99~go:home", "s:1", "go_on", "er:everything", "x" * 64]
)
def test_button_data_we_never_wrote_change_nothing(ada: Person, junk: str) -> None:
    ada.begin()

    ada.press_data(junk, 3)

    assert Subscriber.objects.count() == 1
    assert Watch.objects.count() == 0


def test_nobody_acts_on_another_persons_bookings_and_watches(ada: Person, jakob: Person, town, now) -> None:
    ada.begin()
    jakob.begin()
    booking = BookingFactory(subscriber=ada.chat.subscriber, confirmed=True, now=now)
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.passport)

    for data in (
        f"k:release:{booking.pk}",
        f"k:show:{booking.pk}",
        f"w:delete:{watch.pk}",
        f"w:pause:{watch.pk}",
    ):
        jakob.press_data(data, 50)

    booking.refresh_from_db()
    watch.refresh_from_db()
    assert (booking.wish, watch.state) == ("book", "active")
    assert "Lovelace" not in "".join(shown.html for shown in jakob.messages.values())


def test_a_slot_of_another_search_is_not_booked_for_this_watch(ada: Person, town, now) -> None:
    ada.begin()
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.passport)
    slot = SlotFactory(office=OfficeFactory(), now=now)

    ada.press_data(f"b:{slot.pk}:{watch.pk}", 50)

    assert Booking.objects.count() == 0


def test_a_button_of_a_chat_that_was_never_seen_gets_the_greeting(ada: Person) -> None:
    shown = ada.press_data("1~go:watches", 5)

    assert "Continue" in shown.labels


def test_our_own_mistake_says_sorry_and_changes_nothing(ada: Person, now) -> None:
    from bot.conversation import apologise

    ada.begin()
    incoming = Incoming(7, 99, "99:m", text="/watches")

    effects = apologise(incoming, now=now)

    assert "Something went wrong" in effects[0].html
    assert apologise(incoming, now=now) == []
