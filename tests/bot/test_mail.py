"""The city's mail: mistyped addresses, a wrong one, what happens when nobody opens the link; the limit per address."""

from datetime import timedelta

import pytest

from appointments.models import Booking, OutboxMessage, Slot, Watch
from appointments.services.bookings import tell_released
from appointments.services.contact import probably_meant
from appointments.services.sending import lapse
from tests.bot.conftest import Person, Town
from tests.bot.test_bookings import hold, known, news
from tests.bot.test_profiles import me
from tests.factories import BookingFactory, SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailed(ada: Person, town: Town) -> Booking:
    """The city has mailed its link for Ada's booking."""
    ada.begin()
    known(ada)
    booking = hold(ada, town, preconfirmed=True)
    Booking.objects.filter(pk=booking.pk).update(email="ada@exmaple.org")
    Slot.objects.update(gone_at=ada.now)
    ada.press("Mail did not come")
    return booking


# Before anything is sent


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ada@gmial.com", "ada@gmail.com"),
        ("ada@gmail.con", "ada@gmail.com"),
        ("ada@gnx.de", "ada@gmx.de"),
        ("ada@webb.de", "ada@web.de"),
        ("ada@t-onlin.de", "ada@t-online.de"),
        ("ada@gmail.com", ""),
        ("ada@GMX.de", ""),
        ("ada@example.org", ""),
        ("ada@muenchen.de", ""),
        ("ada@tum.de", ""),
    ],
)
def test_hosts_that_look_mistyped_are_seen(typed: str, meant: str) -> None:
    assert probably_meant(typed) == meant


def test_an_address_that_looks_mistyped_is_asked_about(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town)
    ada.press("Keep")
    ada.say("Ada Lovelace")

    asked = ada.say("ada@gmial.com")
    shown = ada.press("Yes")

    assert "Did you mean ada@gmail.com?" in asked.html
    assert "ada@gmail.com" in shown.html
    assert me(ada).email == "ada@gmail.com"


def test_who_means_it_keeps_an_unusual_address(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town)
    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada@gmial.com")

    shown = ada.press("No, as I typed it")

    assert "Please check" in shown.html
    assert "ada@gmial.com" in shown.html


def test_an_address_typed_again_goes_on_with_the_questions(ada: Person, town: Town) -> None:
    office = town.offices[0]
    office.telephone_activated = office.telephone_required = True
    office.save()
    ada.begin()
    hold(ada, town)
    ada.press("Keep")
    ada.say("Ada Lovelace")
    ada.say("ada@gmial.com")

    shown = ada.say("ada@example.org")

    assert "telephone number" in shown.html
    assert me(ada).email == "ada@example.org"


def test_the_check_says_that_the_link_comes_once(ada: Person, town: Town) -> None:
    ada.begin()
    hold(ada, town)
    ada.press("Keep")
    ada.say("Ada Lovelace")

    shown = ada.say("ada@example.org")

    assert "mails its link once" in shown.html


# The wrong address


def test_the_whole_address_is_shown_to_whom_the_mail_did_not_come(ada: Person, mailed: Booking) -> None:
    assert "ada@exmaple.org" in ada.newest.html
    assert {"I opened it", "The address is wrong", "Release"} <= set(ada.newest.labels)


def test_a_wrong_address_is_answered_with_the_truth(ada: Person, mailed: Booking) -> None:
    ada.press("The address is wrong")

    shown = ada.say("ada@example.org")

    assert "only once" in shown.html
    assert "ada@example.org" in shown.html
    assert "comes free again" in shown.html
    mailed.refresh_from_db()
    assert mailed.wish == Booking.Wish.BOOK
    assert shown.labels[0] == "Wait for the mail"


def test_giving_back_for_another_address_searches_on(ada: Person, mailed: Booking, tasks) -> None:
    ada.press("The address is wrong")
    ada.say("ada@example.org")

    ada.press("Give back and search on")

    mailed.refresh_from_db()
    assert (mailed.wish, mailed.reason, mailed.swap_to) == ("release", "other_address", None)
    assert ("cancel_appointment", (mailed.pk,)) in tasks


def test_another_place_at_the_same_time_is_offered_first(ada: Person, mailed: Booking) -> None:
    Slot.objects.update(gone_at=None, seen_at=ada.now + timedelta(seconds=5))
    ada.later(seconds=10)
    ada.press("The address is wrong")

    shown = ada.say("ada@example.org")
    ada.press("anew")

    mailed.refresh_from_db()
    assert "another place is free" in shown.html
    assert mailed.swap_to == Slot.objects.get()


def test_the_place_taken_anew_is_sent_without_asking_again(ada: Person, mailed: Booking, tasks) -> None:
    slot = SlotFactory(search=mailed.search, office=mailed.office, now=ada.now)
    Booking.objects.filter(pk=mailed.pk).update(
        state="cancelled", ended_at=ada.now, reason="other_address", swap_to=slot
    )
    mailed.refresh_from_db()

    tell_released(mailed, had_appointment=False, why="other_address", now=ada.now)

    again = Booking.objects.get(previous=mailed)
    assert (again.wish, again.starts_at, again.email) == ("book", slot.starts_at, "")


def test_the_same_address_again_changes_nothing(ada: Person, mailed: Booking) -> None:
    ada.press("The address is wrong")

    shown = ada.say("ada@exmaple.org")

    assert "exactly this address" in shown.html
    assert not any("anew" in label for label in shown.labels)


def test_waiting_for_the_mail_leaves_everything_as_it_is(ada: Person, mailed: Booking, tasks) -> None:
    ada.press("The address is wrong")
    ada.say("ada@example.org")
    tasks.clear()

    shown = ada.press("Wait for the mail")

    mailed.refresh_from_db()
    assert (mailed.wish, tasks) == ("book", [])
    assert "One step left" in shown.html


def test_who_comes_too_late_for_another_address_sees_where_it_stands(ada: Person, mailed: Booking) -> None:
    ada.press("The address is wrong")
    Booking.objects.filter(pk=mailed.pk).update(
        state="confirmed", city_status="confirmed", confirmed_at=ada.now
    )

    shown = ada.say("ada@example.org")

    assert "Confirmed by the city" in shown.html


# Nobody opened the link


def test_a_search_goes_on_after_a_missed_link(ada: Person, mailed: Booking) -> None:
    lapse(mailed, "appointmentNotFound", now=ada.now)

    watch = Watch.objects.get()
    assert (watch.state, watch.ended_at) == (Watch.State.ACTIVE, None)


def test_a_search_that_had_ended_as_fulfilled_goes_on_too(ada: Person, mailed: Booking) -> None:
    Watch.objects.update(state="fulfilled", ended_at=ada.now)
    mailed.refresh_from_db()

    lapse(mailed, "appointmentNotFound", now=ada.now)

    assert Watch.objects.get().state == Watch.State.ACTIVE


def test_a_search_the_person_ended_stays_ended(ada: Person, mailed: Booking) -> None:
    Watch.objects.update(state="deleted", ended_at=ada.now)
    mailed.refresh_from_db()

    lapse(mailed, "appointmentNotFound", now=ada.now)

    assert Watch.objects.get().state == Watch.State.DELETED


def test_who_wants_it_so_is_not_searched_for_after_a_missed_link(ada: Person, mailed: Booking) -> None:
    shown = ada.press("Then stop searching")
    assert "I stop searching" in shown.html
    mailed.refresh_from_db()

    lapse(mailed, "appointmentNotFound", now=ada.now)

    assert Watch.objects.get().state == Watch.State.PAUSED
    mailed.refresh_from_db()
    message = news(ada, mailed)
    assert "paused, as you wished" in ada.messages[message].html
    ada.press("Search on", message)
    assert Watch.objects.get().state == Watch.State.ACTIVE


# The limit per address


def test_what_the_city_would_refuse_is_explained_and_not_held(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    known(ada)
    office = town.offices[0]
    office.appointments_per_mail = 1
    office.save()
    BookingFactory(subscriber=me(ada), office=office, now=ada.now, confirmed=True, email="ada@example.org")
    watch = WatchFactory(subscriber=me(ada), search__main_service=town.passport, now=ada.now)
    slot = SlotFactory(search=watch.search, office=office, now=ada.now)
    message = ada.receive("times", [[{"text": "9:00", "callback_data": f"b:{slot.pk}:{watch.pk}"}]])

    shown = ada.press("9:00", message)

    assert "allows 1 appointment for each e-mail address" in shown.html
    assert {"Show this appointment", "Use another address"} <= set(shown.labels)
    assert Booking.objects.filter(state="requested").count() == 0
    assert not [name for name, _args in tasks if name == "reserve_appointment"]


def test_with_another_address_the_same_time_is_held(ada: Person, town: Town, tasks) -> None:
    ada.begin()
    known(ada)
    office = town.offices[0]
    office.appointments_per_mail = 1
    office.save()
    BookingFactory(subscriber=me(ada), office=office, now=ada.now, confirmed=True, email="old@example.org")
    watch = WatchFactory(subscriber=me(ada), search__main_service=town.passport, now=ada.now)
    slot = SlotFactory(search=watch.search, office=office, now=ada.now)
    message = ada.receive("times", [[{"text": "9:00", "callback_data": f"b:{slot.pk}:{watch.pk}"}]])

    ada.press("9:00", message)

    assert Booking.objects.filter(state="requested").count() == 1


# After the visit


@pytest.fixture
def visited(ada: Person, town: Town) -> Booking:
    ada.begin()
    known(ada)
    booking = hold(ada, town, confirmed=True)
    Booking.objects.filter(pk=booking.pk).update(ended_at=ada.now, custom_text="Kennzeichen")
    done = f"k:visit_done:{booking.pk}"
    another = f"k:another:{booking.pk}"
    ada.receive(
        "How?",
        [
            [{"text": "Done, erase my data", "callback_data": done}],
            [{"text": "I need another one", "callback_data": another}],
        ],
    )
    return booking


def test_after_the_visit_the_data_can_go(ada: Person, visited: Booking) -> None:
    ada.press("Done, erase my data")

    ada.press("Only my name and address")

    visited.refresh_from_db()
    assert (me(ada).family_name, visited.family_name, visited.email, visited.custom_text) == ("", "", "", "")
    assert not OutboxMessage.objects.filter(kind="appointment_cancelled").exists()


def test_nothing_is_erased_at_the_first_press(ada: Person, visited: Booking) -> None:
    ada.press("Done, erase my data")
    ada.press("Nothing")

    assert me(ada).family_name == "Ada Lovelace"


def test_another_one_begins_with_the_same_wish(ada: Person, visited: Booking) -> None:
    shown = ada.press("I need another one")

    assert "When?" in shown.html or "As soon as possible" in shown.labels
