"""First contact, consent, language, and being forgotten."""

import pytest

from appointments.models import Booking, Subscriber, Watch
from bot.models import Chat
from tests.bot.conftest import Person, Town
from tests.factories import BookingFactory, WatchFactory

pytestmark = pytest.mark.django_db


def test_the_greeting_says_who_i_am_and_what_i_store(ada: Person, settings) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_CONTACT = "Verein Wartezeit", "hilfe@example.org"

    shown = ada.say("/start")

    assert "Hello Ada" in shown.html
    assert "I am not the city" in shown.html
    assert "Verein Wartezeit" in shown.html
    assert "hilfe@example.org" in shown.html
    assert shown.labels == ["Continue", "Deutsch", "What can you do?"]


def test_practice_is_said_while_the_city_is_simulated(ada: Person, settings) -> None:
    assert "Practice only" in ada.say("/start").html

    settings.SIMULATED_CITY = False

    assert "Practice only" not in ada.say("/start").html


def test_nothing_but_the_chat_is_kept_before_consent(ada: Person) -> None:
    ada.say("/start")
    ada.say("register adress")
    ada.say("/watches")

    assert Subscriber.objects.count() == 0
    assert ada.chat.language == "en"
    assert "register" not in str(ada.chat.dialogue)


def test_consent_makes_the_person_known(ada: Person, now) -> None:
    ada.say("/start")
    shown = ada.press("Continue")

    person = Subscriber.objects.get()
    assert person.first_name == "Ada"
    assert person.consented_at == now
    assert "What do you need?" in shown.html


def test_whoever_agreed_is_not_asked_again(ada: Person) -> None:
    assert "What do you need?" in ada.begin().say("/start").html


def test_german_is_spoken_first_with_somebody_whose_telegram_is_german(jakob: Person) -> None:
    assert "Guten Tag, Jakob" in jakob.say("/start").html
    assert "Was brauchen Sie?" in jakob.press("Weiter").html


def test_another_language_means_english(town: Town, now) -> None:
    olena = Person(now, language_code="uk")

    assert "Hello" in olena.say("/start").html


def test_the_language_can_be_changed_before_and_after_consent(ada: Person) -> None:
    ada.say("/start")
    assert "Guten Tag" in ada.press("Deutsch").html
    assert "Was brauchen Sie?" in ada.press("Weiter").html
    assert Subscriber.objects.get().language == "de"

    ada.say("/settings")
    assert "Settings" in ada.press("English").html
    assert Subscriber.objects.get().language == "en"


def test_what_can_you_do_leads_on_to_consent(ada: Person) -> None:
    ada.say("/start")
    ada.press("What can you do?")

    assert "What do you need?" in ada.press("Continue").html


def test_open_commands_answer_before_consent(ada: Person) -> None:
    assert "What I store" in ada.say("/privacy").html
    assert "Do I see" in ada.say("/status").html
    assert "Help" in ada.say("/help").html


def test_deleting_forgets_everything_after_a_second_thought(ada: Person, town: Town) -> None:
    ada.begin()
    WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.passport)

    ada.say("/delete")
    assert Watch.objects.count() == 1
    shown = ada.press("Yes, erase everything")

    assert "Everything is erased" in shown.html
    assert (Chat.objects.count(), Subscriber.objects.count(), Watch.objects.count()) == (0, 0, 0)


def test_second_thoughts_keep_everything(ada: Person) -> None:
    ada.begin().say("/delete")

    ada.press("No, keep it")

    assert Subscriber.objects.count() == 1


def test_a_hold_is_given_back_before_the_person_is_forgotten_and_they_may_come_back_as_new(
    ada: Person, tasks, now
) -> None:
    ada.begin()
    booking = BookingFactory(subscriber=ada.chat.subscriber, reserved=True, now=now)
    ada.say("/delete")
    ada.press("Yes, erase everything")

    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.RELEASE
    assert ("cancel_appointment", (booking.pk,)) in tasks
    assert "Continue" in ada.say("/start").labels
    ada.press("Continue")
    assert ada.chat.subscriber != booking.subscriber


def test_a_person_paused_by_staff_can_still_see_and_give_back(ada: Person, now) -> None:
    ada.begin()
    Subscriber.objects.update(paused_at=now, pause_reason="abuse")

    assert "paused" in ada.say("register").html
    assert "paused" in ada.say("/new").html
    assert "no appointment" in ada.say("/bookings").html


def test_writing_again_after_blocking_resumes_the_person(ada: Person, now) -> None:
    ada.begin()
    Subscriber.objects.update(paused_at=now, pause_reason="blocked")
    Chat.objects.update(blocked_at=now)

    ada.say("/watches")

    assert Subscriber.objects.get().paused_at is None
    assert ada.chat.blocked_at is None
