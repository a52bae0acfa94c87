"""A new watch, by thumb and by typing, in both languages."""

from datetime import date

import pytest

from appointments.models import Subscriber, Watch
from appointments.services.watches import wish_of
from appointments.upstream.types import ServiceCount
from tests.bot.conftest import Person, Town
from tests.factories import WatchFactory

pytestmark = pytest.mark.django_db


def make(person: Person, *labels: str) -> None:
    """Press one button after another."""
    for label in labels:
        person.press(label)


def test_the_whole_way_by_thumb(ada: Person, town: Town) -> None:
    ada.begin()
    make(
        ada,
        "Moved here",
        "Familie",
        "3",
        "Ruppertstraße",
        "Pasing",
        "Next",
        "Next 10 days",
        "After 15:00",
        "Hold it",
    )

    summary = ada.newest
    for part in (
        "Familie",
        "3 persons",
        "Ruppertstraße, ",
        "Pasing",
        "next 10 days",
        "after 15:00",
        "I hold it",
    ):
        assert part in summary.html
    shown = ada.press("Start watching")

    assert "I am watching" in shown.html
    wish = wish_of(Watch.objects.get())
    assert wish.services == (ServiceCount(town.registration.upstream_id, 3),)
    assert wish.office_ids == (town.offices[0].pk, town.offices[1].pk)
    assert wish.rolling_days == 10
    assert wish.hours == ((127, 900, 1440),)
    assert wish.mode == "hold"


def test_the_whole_way_by_typing_in_german(jakob: Person, town: Town) -> None:
    jakob.begin()
    jakob.say("anmelden")
    jakob.press("Familie")
    jakob.say("2")
    jakob.say("pasing")
    jakob.press("Weiter")
    jakob.say("bald")
    assert "verstehe ich nicht" in jakob.newest.html
    jakob.say("3.12.")
    jakob.say("8-12")
    jakob.press("Bescheid sagen")
    jakob.press("Suche starten")

    wish = wish_of(Watch.objects.get())
    assert wish.services[0].count == 2
    assert wish.office_ids == (town.offices[1].pk,)
    assert (wish.date_from, wish.date_to) == (date(2026, 12, 3), date(2026, 12, 3))
    assert wish.hours == ((127, 480, 720),)


def test_buttons_edit_the_one_living_menu(ada: Person) -> None:
    ada.begin()
    before = len(ada.messages)

    make(
        ada,
        "Moved here",
        "Familie",
        "3",
        "All",
        "As soon as possible",
        "Any time",
        "Tell me",
        "Start watching",
    )

    assert len(ada.messages) == before


def test_typing_brings_the_menu_down_and_takes_the_old_buttons_away(ada: Person) -> None:
    ada.begin()
    menu = max(ada.messages)

    ada.say("passport")

    assert ada.messages[menu].keyboard == []
    assert "Reisepass" in " ".join(ada.newest.labels)


def test_points_without_a_choice_are_not_asked(ada: Person) -> None:
    ada.begin()
    ada.say("Reisepass")

    assert "When?" in ada.press("Reisepass").html


def test_a_range_of_days_from_the_calendar(ada: Person) -> None:
    ada.begin()
    make(
        ada,
        "Moved here",
        "Familie",
        "1",
        "All",
        "Choose days",
        "26",
        "›",
        "3",
        "Any time",
        "Tell me",
        "Start watching",
    )

    wish = wish_of(Watch.objects.get())
    assert (wish.date_from, wish.date_to) == (date(2026, 11, 26), date(2026, 12, 3))


def test_hours_can_differ_per_weekday(ada: Person) -> None:
    ada.begin()
    make(
        ada,
        "Moved here",
        "Familie",
        "1",
        "All",
        "As soon",
        "Different per day",
        "Monday",
        "Not this day",
        "Tuesday",
    )
    ada.say("13-16")
    make(ada, "Next", "Tell me", "Start watching")

    assert set(wish_of(Watch.objects.get()).hours) == {(0b0000010, 780, 960), (0b0011100, 0, 1440)}


def test_every_point_of_the_summary_can_be_changed_alone(ada: Person, town: Town) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1", "All", "As soon", "Any time", "Tell me")

    make(ada, "Change", "Persons", "4")
    make(ada, "Change", "Offices", "Pasing", "Next")
    make(ada, "Change", "Days", "This week")
    make(ada, "Change", "Time", "Mornings")
    make(ada, "Change", "What I do", "Hold it")
    assert "Start watching" in ada.newest.labels
    make(ada, "Start watching")

    wish = wish_of(Watch.objects.get())
    assert wish.services[0].count == 4
    assert wish.office_ids == (town.offices[1].pk,)
    assert wish.date_to == date(2026, 11, 29)
    assert wish.hours == ((127, 0, 720),)
    assert wish.mode == "hold"


def test_another_service_keeps_what_still_fits(ada: Person, town: Town) -> None:
    ada.begin()
    make(
        ada,
        "Moved here",
        "Familie",
        "4",
        "Pasing",
        "Next",
        "As soon",
        "Any time",
        "Tell me",
        "Change",
        "Service",
    )
    ada.say("Reisepass")
    shown = ada.press("Reisepass")

    assert "Your search" in shown.html
    assert "Reisepass" in shown.html
    assert "1 person" in shown.html
    assert "any office" in shown.html


def test_booking_by_itself_asks_for_the_data_first(ada: Person) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1", "All", "As soon", "Any time", "Book it")

    assert "full name" in ada.newest.html
    ada.say("Ada Lovelace")
    assert "I book it for you" in ada.say("ada@example.org").html
    ada.press("Start watching")

    assert Watch.objects.get().mode == "auto"
    person = Subscriber.objects.get()
    assert (person.family_name, person.email) == ("Ada Lovelace", "ada@example.org")


def test_booking_by_itself_cannot_be_started_without_data(ada: Person) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1", "All", "As soon", "Any time", "Book it", "Cancel")
    assert "Start watching" in ada.newest.labels

    ada.press("Start watching")

    assert "full name" in ada.newest.html
    assert Watch.objects.count() == 0


def test_ten_presses_start_one_watch(ada: Person) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1", "All", "As soon", "Any time", "Tell me")
    message = max(ada.messages)
    data = ada.messages[message].keyboard[0][0]["callback_data"]

    for _press in range(10):
        ada.press_data(data, message)

    assert Watch.objects.count() == 1
    assert len(ada.toasts) >= 10
    assert "Pause" in ada.messages[message].labels


def test_ten_presses_on_a_check_mark_set_it(ada: Person) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1")
    message = max(ada.messages)
    data = ada.messages[message].keyboard[0][0]["callback_data"]

    for _press in range(9):
        ada.press_data(data, message)

    assert "☑ Bürgerbüro Ruppertstraße" in ada.messages[message].labels


def test_an_eleventh_search_is_refused_with_the_reason(ada: Person, town: Town) -> None:
    ada.begin()
    for _number in range(10):
        WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.passport)

    make(ada, "Moved here", "Familie", "1", "All", "As soon", "Any time", "Tell me", "Start watching")

    assert "10 searches already" in ada.newest.html
    assert Watch.objects.count() == 10


def test_cancel_leaves_without_a_trace(ada: Person) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1")

    shown = ada.say("/cancel")

    assert "Nothing was changed" in shown.html
    assert Watch.objects.count() == 0
    assert "draft" not in ada.chat.dialogue.get("data", {})


def test_a_service_that_no_office_offers_is_said_so(ada: Person, town: Town) -> None:
    ada.begin()
    ada.press("Moved here")
    town.registration.offerings.all().delete()

    shown = ada.press("Familie")

    assert "cannot be booked online" in shown.html
    assert "What do you need?" in shown.html


def test_a_withdrawn_office_is_named_in_the_summary_and_blocks_the_start(ada: Person, town: Town) -> None:
    ada.begin()
    make(ada, "Moved here", "Familie", "1", "Pasing", "Next", "As soon", "Any time", "Tell me")
    town.offices[1].offerings.all().delete()

    shown = ada.press("Start watching")

    assert "No office takes this online" in shown.html
    assert "Start watching" not in shown.labels
