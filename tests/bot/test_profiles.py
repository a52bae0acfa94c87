"""People somebody books for: added with their agreement, asked about, chosen, changed, deleted."""

import pytest

from appointments.models import Booking, Profile, Subscriber, Watch
from appointments.selectors.profiles import MOST_PROFILES
from bot.models import Chat
from tests.bot.conftest import Person, Town
from tests.bot.test_bookings import hold, known, news
from tests.factories import BookingFactory, ProfileFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(ada: Person, town: Town) -> Person:
    """Ada, whose own data are known."""
    ada.begin()
    known(ada)
    return ada


def me(person: Person) -> Subscriber:
    return Subscriber.objects.get(pk=person.chat.subscriber_id)


def mum_of(person: Person, **fields: str) -> Profile:
    data = {"label": "Mum", "family_name": "Anne Byron", "email": "anne@example.org"} | fields
    return ProfileFactory(subscriber=me(person), now=person.now, **data)


def to_summary(person: Person, mode: str = "Tell me") -> None:
    """A search for registration at any office, as soon as possible, any time."""
    person.say("/new")
    person.say("Ummeldung")
    person.press("Familie")
    person.press("1")
    person.press("All")
    person.press("As soon as possible")
    person.press("Any")
    person.press(mode)


def test_a_person_is_added_after_the_agreement_and_asked_about(anna: Person) -> None:
    anna.say("/profile")
    anna.press("Family and friends")
    asked = anna.press("Add a person")
    assert "May you give me this person's data?" in asked.html

    anna.press("Yes, I may")
    assert "Mum: the full name" in anna.say("Mum").html
    assert "Mum: the e-mail address?" in anna.say("Anne Byron").html
    shown = anna.say("anne@example.org")

    profile = Profile.objects.get()
    assert (profile.label, profile.family_name, profile.email) == ("Mum", "Anne Byron", "anne@example.org")
    assert (profile.subscriber, profile.consented_at) == (me(anna), anna.now)
    assert "Anne Byron" in shown.html
    assert "You said on" in shown.html


def test_nobody_is_added_without_the_agreement(anna: Person) -> None:
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Add a person")

    anna.say("Mum")
    anna.press("No")

    assert not Profile.objects.exists()


def test_names_and_addresses_never_stand_in_the_dialogue(anna: Person) -> None:
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Add a person")
    anna.press("Yes, I may")
    for text in ("Mum", "Anne Byron", "anne@gmial.com"):
        anna.say(text)
        kept = str(Chat.objects.get().dialogue)
        assert not any(word in kept for word in ("Mum", "Byron", "anne"))


def test_ones_own_address_serves_for_another_person(anna: Person) -> None:
    profile = mum_of(anna, email="")
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Mum")
    anna.press("Change e-mail")

    shown = anna.press("Take mine")

    profile.refresh_from_db()
    assert profile.email == ""
    assert "yours, ada@example.org" in shown.html


def test_so_many_people_and_no_more(anna: Person) -> None:
    for number in range(MOST_PROFILES):
        mum_of(anna, label=f"Child {number}")
    anna.say("/profile")

    shown = anna.press("Family and friends")

    assert "Add a person" not in shown.labels
    assert "Child 5" in shown.labels


def test_two_people_are_not_called_the_same(anna: Person) -> None:
    mum_of(anna)
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Add a person")
    anna.press("Yes, I may")

    shown = anna.say("mum")

    assert "already" in shown.html
    assert Profile.objects.count() == 1


def test_a_person_deleted_is_gone_with_their_searches(anna: Person, town: Town) -> None:
    profile = mum_of(anna)
    watch = WatchFactory(subscriber=me(anna), profile=profile, search__main_service=town.registration)
    mine = WatchFactory(subscriber=me(anna), search__main_service=town.passport)
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Mum")
    anna.press("Delete")

    anna.press("Yes, erase")

    watch.refresh_from_db()
    mine.refresh_from_db()
    assert not Profile.objects.exists()
    assert (watch.state, mine.state) == (Watch.State.DELETED, Watch.State.ACTIVE)


def test_somebody_elses_profile_cannot_be_opened_or_chosen(anna: Person, jakob: Person) -> None:
    jakob.begin()
    foreign = mum_of(jakob)
    anna.say("/profile")
    anna.press("Family and friends")
    menu = anna.chat.menu_message_id
    serial = anna.chat.menu_serial

    shown = anna.press_data(f"{serial}~pf:open:{foreign.pk}", menu)

    assert "Anne" not in shown.html
    assert "not known" in shown.html


# For whom?


def test_who_books_for_nobody_else_is_never_asked(anna: Person) -> None:
    to_summary(anna)

    assert not any("For me" in label for label in anna.newest.labels)


def test_a_search_for_another_person(anna: Person) -> None:
    profile = mum_of(anna)
    to_summary(anna)
    assert "☑ For me" in anna.newest.labels

    shown = anna.press("For Mum")
    anna.press("Start watching")

    assert "☑ For Mum" in shown.labels
    assert "For whom: Mum" in shown.html
    assert Watch.objects.get().profile == profile


def test_a_person_added_in_the_middle_of_a_search_is_the_one_meant(anna: Person) -> None:
    to_summary(anna)
    anna.press("Change")
    anna.press("For whom")
    anna.press("Add a person")
    anna.press("Yes, I may")
    anna.say("Mum")
    anna.say("Anne Byron")
    anna.press("Take mine")

    anna.press("Back")
    anna.press("Start watching")

    assert Watch.objects.get().profile == Profile.objects.get()


def test_many_people_have_a_screen_of_their_own(anna: Person) -> None:
    for name in ("Mum", "Dad", "Tom"):
        mum_of(anna, label=name)
    to_summary(anna)

    anna.press("For whom: me")
    shown = anna.press("For Tom")

    assert "For whom: Tom" in shown.html


def test_booking_by_itself_asks_for_the_data_of_the_person_it_is_for(anna: Person) -> None:
    profile = mum_of(anna, family_name="")
    to_summary(anna, "Book it for me")
    anna.press("For Mum")

    assert "Mum: the full name" in anna.press("Start watching").html
    anna.say("Anne Byron")
    anna.press("Start watching")

    profile.refresh_from_db()
    assert profile.family_name == "Anne Byron"
    assert Watch.objects.get().profile == profile


def test_a_hold_asks_for_whom_when_it_is_kept(anna: Person, town: Town, tasks) -> None:
    booking = hold(anna, town)
    anna.later(minutes=1)
    profile = mum_of(anna)

    asked = anna.press("Keep")
    assert "For whom is it?" in asked.html
    assert "is held until" in asked.html
    booking.refresh_from_db()
    assert booking.wish == Booking.Wish.ASK
    anna.press("For Mum")

    booking.refresh_from_db()
    assert (booking.profile, booking.wish, booking.family_name) == (profile, "book", "Anne Byron")
    assert ("send_booking", (booking.pk,)) in tasks


def test_a_hold_for_oneself_is_kept_after_the_same_question(anna: Person, town: Town) -> None:
    booking = hold(anna, town)
    anna.later(minutes=1)
    mum_of(anna)
    anna.press("Keep")

    anna.press("For me")

    booking.refresh_from_db()
    assert (booking.profile, booking.family_name) == (None, "Ada Lovelace")


def test_a_hold_of_a_search_for_mum_is_kept_without_asking(anna: Person, town: Town) -> None:
    profile = mum_of(anna)
    watch = WatchFactory(
        subscriber=me(anna), profile=profile, search__main_service=town.registration, now=anna.now
    )
    slot = SlotFactory(search=watch.search, office=town.offices[0], now=anna.now)
    booking = BookingFactory(
        subscriber=me(anna), watch=watch, profile=profile, slot=slot, now=anna.now, reserved=True
    )
    news(anna, booking)

    anna.press("Keep")

    booking.refresh_from_db()
    assert (booking.wish, booking.family_name) == ("book", "Anne Byron")


def test_what_is_missing_is_asked_about_the_person_it_is_for(anna: Person, town: Town) -> None:
    booking = hold(anna, town)
    anna.later(minutes=1)
    profile = mum_of(anna, family_name="", email="")
    anna.press("Keep")

    assert "Mum: the full name" in anna.press("For Mum").html
    shown = anna.say("Anne Byron")

    profile.refresh_from_db()
    assert profile.family_name == "Anne Byron"
    assert me(anna).family_name == "Ada Lovelace"
    assert "Anne Byron" in shown.html
    assert "ada@example.org" in shown.html
    booking.refresh_from_db()
    assert booking.profile == profile


def test_who_has_the_appointment_already_can_take_the_time_for_another(anna: Person, town: Town) -> None:
    profile = mum_of(anna)
    watch = WatchFactory(subscriber=me(anna), search__main_service=town.registration, now=anna.now)
    slots = [SlotFactory(search=watch.search, office=office, now=anna.now) for office in town.offices[:2]]
    BookingFactory(subscriber=me(anna), slot=slots[0], now=anna.now, confirmed=True)
    message = anna.receive("times", [[{"text": "15:20", "callback_data": f"b:{slots[1].pk}:{watch.pk}"}]])

    asked = anna.press("15:20", message)
    anna.press("For me")
    again = anna.newest.html
    anna.press("For Mum")

    assert "You have an appointment for this already" in asked.html
    assert "This person has an appointment for this already" in again
    assert Booking.objects.get(state="requested").profile == profile


def test_an_answer_about_somebody_deleted_meanwhile_is_nobody_elses(anna: Person) -> None:
    profile = mum_of(anna)
    anna.say("/profile")
    anna.press("Family and friends")
    anna.press("Mum")
    anna.press("Change name")
    profile.delete()

    anna.say("Grace Hopper")

    assert me(anna).family_name == "Ada Lovelace"
