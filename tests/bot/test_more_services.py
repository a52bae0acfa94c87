"""Several services in one appointment, kinds of one service, offices for one district, and the way to the city."""

from datetime import timedelta

import pytest
from django.test import override_settings

from appointments.models import CatalogueChange, Offering, Office, Service, Watch
from appointments.services.watches import wish_of
from appointments.upstream.types import ServiceCount
from bot.effects import keyboard_of
from bot.news import render_news
from tests.bot.conftest import Person, Town
from tests.bot.test_new_watch import make
from tests.factories import OfficeFactory, OutboxMessageFactory, ServiceFactory, WatchFactory

pytestmark = pytest.mark.django_db
TO_THE_OFFICES = ("Moved here", "Familie", "2")
TO_THE_SUMMARY = ("All", "As soon", "Any time", "Tell me")


@pytest.fixture
def certificate(town: Town) -> Service:
    """May be added to the registration: at two of its three offices."""
    service = ServiceFactory(name="Haushaltsbescheinigung", offices=town.offices[:2], max_quantity=3)
    combine(town.registration, service, town.offices[:2])
    return service


def combine(main: Service, other: Service, offices: list[Office]) -> None:
    main.combinable = [*main.combinable, [other.upstream_id, [office.upstream_id for office in offices]]]
    main.save()


def services_of(watch: Watch) -> list[tuple[int, int]]:
    return [(item.service_id, item.count) for item in wish_of(watch).services]


# Another service


def test_wish_22_a_second_service_is_added_on_the_way(ada: Person, town: Town, certificate: Service) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Another service too", "Haushaltsbescheinigung", "3")

    assert "Added: Haushaltsbescheinigung" in ada.newest.html
    assert "☐ Bürgerbüro Orleansplatz" not in ada.newest.labels
    make(ada, *TO_THE_SUMMARY)
    assert "+ Haushaltsbescheinigung × 3" in ada.newest.html
    make(ada, "Start watching")

    watch = Watch.objects.get()
    assert services_of(watch) == [(town.registration.upstream_id, 2), (certificate.upstream_id, 3)]
    assert {line.office.name for line in watch.offices.all()} == {
        "Bürgerbüro Ruppertstraße",
        "Bürgerbüro Pasing",
    }


def test_it_says_where_the_choice_costs_offices(ada: Person, town: Town, certificate: Service) -> None:
    everywhere = ServiceFactory(name="Meldebescheinigung", offices=town.offices)
    combine(town.registration, everywhere, town.offices)
    ada.begin()

    shown = make_and_show(ada, *TO_THE_OFFICES, "Another service too")

    assert "Haushaltsbescheinigung · only 2 offices" in shown
    assert "Meldebescheinigung" in shown


def make_and_show(person: Person, *labels: str) -> list[str]:
    make(person, *labels)
    return person.newest.labels


def test_it_is_offered_only_where_something_combines(ada: Person, town: Town) -> None:
    ada.begin()

    assert not any("Another service" in label for label in make_and_show(ada, *TO_THE_OFFICES))


def test_it_is_added_in_the_summary_and_taken_out_again(
    ada: Person, town: Town, certificate: Service
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, *TO_THE_SUMMARY, "Another service too", "Haushaltsbescheinigung", "1")
    added = ada.newest.html

    make(ada, "Other services", "✖ Haushaltsbescheinigung", "Done", "Start watching")

    assert "+ Haushaltsbescheinigung" in added
    assert services_of(Watch.objects.get()) == [(town.registration.upstream_id, 2)]


def test_it_can_be_changed_alone_later(ada: Person, town: Town, certificate: Service) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, *TO_THE_SUMMARY, "Start watching")

    make(ada, "Change", "Other services", "Haushaltsbescheinigung", "2", "Save")

    assert services_of(Watch.objects.get()) == [
        (town.registration.upstream_id, 2),
        (certificate.upstream_id, 2),
    ]


def test_offices_chosen_before_fall_away_if_they_do_not_do_both(
    ada: Person, town: Town, certificate: Service
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Orleansplatz", "Pasing", "Next", "As soon", "Any time", "Tell me")

    make(ada, "Another service too", "Haushaltsbescheinigung", "1")

    assert "Where: Bürgerbüro Pasing" in ada.newest.html


def test_typing_finds_among_what_combines_and_says_why_not(
    ada: Person, town: Town, certificate: Service
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Another service too")

    refused = ada.say("passport").html
    asked = ada.say("household certificate").html

    assert "does not book “Reisepass” together with “An- oder Ummeldung – Familie”" in refused
    assert "Haushaltsbescheinigung" in asked
    assert "How many persons" in asked or "For how many persons" in asked


def test_german_says_why_not_in_german(jakob: Person, town: Town, certificate: Service) -> None:
    jakob.begin()
    make(jakob, "Umgezogen", "Familie", "2", "Noch ein Dienst dazu")

    assert "vergibt „Reisepass“ nicht zusammen mit" in jakob.say("Reisepass").html


def test_ten_presses_add_it_once(ada: Person, town: Town, certificate: Service) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Another service too", "Haushaltsbescheinigung")
    message = max(ada.messages)
    data = ada.messages[message].keyboard[0][0]["callback_data"]

    for _press in range(10):
        ada.press_data(data, message)

    make(ada, *TO_THE_SUMMARY, "Start watching")
    assert services_of(Watch.objects.get())[1:] == [(certificate.upstream_id, 1)]


def test_another_main_service_drops_what_does_not_go_with_it(
    ada: Person, town: Town, certificate: Service
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Another service too", "Haushaltsbescheinigung", "1", *TO_THE_SUMMARY)

    make(ada, "Change", "Service")
    ada.say("Reisepass")
    make(ada, "Reisepass")

    assert "Reisepass" in ada.newest.html
    assert "Haushaltsbescheinigung" not in ada.newest.html


# How many, how long


def test_wish_23_only_numbers_that_some_office_takes_are_offered(ada: Person, town: Town) -> None:
    Offering.objects.filter(service=town.registration).update(slots=2)
    Office.objects.update(slots_per_appointment=6)
    Office.objects.filter(pk=town.offices[0].pk).update(slots_per_appointment=4)
    ada.begin()

    numbers = make_and_show(ada, "Moved here", "Familie")
    offices = make_and_show(ada, "3")

    assert [label for label in numbers if label.isdecimal()] == ["1", "2", "3"]
    assert "☐ Bürgerbüro Ruppertstraße" not in offices
    assert "Too much for one appointment at: Bürgerbüro Ruppertstraße." in ada.newest.html


def test_the_summary_says_how_long_it_takes(ada: Person, town: Town, certificate: Service) -> None:
    Office.objects.update(slot_minutes=5)
    Office.objects.filter(pk=town.offices[1].pk).update(slot_minutes=15)
    ada.begin()
    make(ada, *TO_THE_OFFICES, *TO_THE_SUMMARY)
    alone = ada.newest.html

    make(ada, "Another service too", "Haushaltsbescheinigung", "2", "Change", "Offices", "Pasing", "Next")

    assert "Takes 10 to 30 minutes, depending on the office" in alone
    assert "Takes 60 minutes" in ada.newest.html


def test_what_became_impossible_is_named_with_what_is_possible(
    ada: Person, town: Town, certificate: Service
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Another service too", "Haushaltsbescheinigung", "1", *TO_THE_SUMMARY)
    town.registration.combinable = []
    town.registration.save()

    shown = ada.press("Start watching")

    assert "Make a search of its own for it" in shown.html
    assert "Possible: An- oder Ummeldung – Familie × 2." in shown.html
    assert "Start watching" not in shown.labels


# Kinds of one service, offices for one's own district


@pytest.fixture
def advice(town: Town) -> Service:
    root = ServiceFactory(name="Auskunft zur Rente", offices=town.offices[:1], max_quantity=1)
    for kind, name in ((2, "Auskunft zur Rente Telefon"), (3, "Auskunft zur Rente Video")):
        ServiceFactory(
            name=name,
            offices=town.offices[1:2],
            max_quantity=1,
            parent_upstream_id=root.upstream_id,
            root_parent_upstream_id=root.upstream_id,
            variant=kind,
        )
    return root


def test_a_kind_is_chosen_by_button_instead_of_among_rows(ada: Person, advice: Service) -> None:
    ada.begin()
    ada.say("pension")
    rows = [label for label in ada.newest.labels if "Rente" in label]

    kinds = make_and_show(ada, "Auskunft zur Rente")
    make(ada, "By telephone", "As soon", "Any time", "Tell me", "Start watching")

    assert rows == ["Auskunft zur Rente"]
    assert kinds[:3] == ["🏢 In person", "📞 By telephone", "🎥 By video"]
    assert Watch.objects.get().search.main_service.name == "Auskunft zur Rente Telefon"


def test_a_service_of_one_kind_asks_nothing(ada: Person, advice: Service) -> None:
    Service.objects.exclude(pk=advice.pk).filter(root_parent_upstream_id=advice.upstream_id).delete()
    ada.begin()
    ada.say("pension")

    assert "When?" in ada.press("Auskunft zur Rente").html


def test_wish_24_where_offices_stand_for_themselves_one_is_chosen_on_purpose(ada: Person, town: Town) -> None:
    halls = [OfficeFactory(name=f"Standesamt {part}", exclusive=True) for part in ("Mitte", "Pasing")]
    ServiceFactory(name="Anmeldung einer Eheschließung", offices=halls, max_quantity=1)
    ada.begin()
    ada.say("wedding")

    shown = ada.press("Eheschließung")
    make(
        ada,
        "Standesamt Mitte",
        "Standesamt Pasing",
        "Next",
        "As soon",
        "Any time",
        "Tell me",
        "Start watching",
    )

    assert "All" not in shown.labels
    assert "responsible for you" in shown.html
    assert wish_of(Watch.objects.get()).office_ids == (halls[1].pk,)


def test_offices_booked_as_one_have_one_check_mark_and_one_name(ada: Person, town: Town) -> None:
    numbers = [town.offices[0].upstream_id, town.offices[2].upstream_id]
    Office.objects.filter(upstream_id__in=numbers).update(
        shared_booking_offices=numbers, place_name="Bürgerbüro Ruppertstraße"
    )
    ada.begin()

    labels = make_and_show(ada, *TO_THE_OFFICES)
    make(ada, "Ruppertstraße", "Next", "As soon", "Any time", "Tell me", "Start watching")

    assert [label for label in labels if label.startswith("☐")] == [
        "☐ Bürgerbüro Ruppertstraße",
        "☐ Bürgerbüro Pasing",
    ]
    assert "Where: Bürgerbüro Ruppertstraße\n" in ada.newest.html
    assert {line.office_id for line in Watch.objects.get().offices.all()} == {
        town.offices[0].pk,
        town.offices[2].pk,
    }


# The way to the city


@override_settings(CITY_BOOKING_PAGE="https://city.example/book.html")
def test_wish_10_the_citys_own_page_is_one_tap_away(ada: Person, town: Town) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Pasing", "Next", "As soon", "Any time", "Tell me")
    page = f"https://city.example/book.html#/services/{town.registration.upstream_id}"

    summary = ada.newest.html
    make(ada, "Change", "Offices", "Ruppertstraße", "Next")
    several = ada.newest.html

    assert f'<a href="{page}/locations/{town.offices[1].upstream_id}">' in summary
    assert f'<a href="{page}">' in several


def test_nothing_found_names_the_page_and_the_telephone(ada: Person, town: Town) -> None:
    ada.begin()

    shown = ada.say("xyzzy")

    assert "I found nothing for “xyzzy”" in shown.html
    assert 'href="https://stadt.muenchen.de/' in shown.html
    assert "115" in shown.html
    assert "🏠 Moved here" in shown.labels


@override_settings(CITY_HOTLINE="")
def test_without_a_number_no_telephone_is_named(ada: Person, town: Town) -> None:
    ada.begin()

    assert "telephone" not in ada.say("xyzzy").html


@pytest.mark.parametrize(("days", "said"), [(1, False), (4, True)])
def test_wish_34_after_quiet_days_the_telephone_may_be_faster(
    ada: Person, town: Town, days: int, said: bool
) -> None:
    ada.begin()
    make(ada, *TO_THE_OFFICES, *TO_THE_SUMMARY, "Start watching")
    ada.later(days=days)

    ada.say("/watches")
    shown = ada.press("Familie").html

    assert ("Sometimes the telephone is faster: 115" in shown) == said


def test_an_offices_own_number_goes_before_the_citys(ada: Person, town: Town) -> None:
    Office.objects.filter(pk=town.offices[1].pk).update(information="Fragen? (089) 233-96000 hilft.")
    ada.begin()
    make(ada, *TO_THE_OFFICES, "Pasing", "Next", "As soon", "Any time", "Tell me", "Start watching")
    ada.later(days=5)

    ada.say("/watches")

    assert "faster: (089) 233-96000" in ada.press("Familie").html


# What the city changes


def withdrawn(ada: Person, town: Town, **fields: object) -> Watch:
    watch = WatchFactory(
        subscriber=ada.chat.subscriber, search__main_service=town.registration, now=ada.now, **fields
    )
    Service.objects.filter(pk=town.registration.pk).update(withdrawn_at=ada.now)
    return watch


def test_a_withdrawn_service_offers_what_is_called_alike(ada: Person, town: Town) -> None:
    ada.begin()
    alike = ServiceFactory(name="An- oder Ummeldung – Einzelperson", offices=town.offices, max_quantity=2)
    watch = withdrawn(ada, town)
    change = CatalogueChange.objects.create(
        kind="withdrawn", service=town.registration, before={"name": "x"}, at=ada.now
    )
    message = OutboxMessageFactory(
        subscriber=watch.subscriber,
        watch=watch,
        kind="catalogue_change",
        payload={"changes": [change.pk], "impossible": True},
        now=ada.now,
    )

    screen = render_news(message, ada.now).screen
    ada.receive(screen.html, keyboard_of(screen.rows))
    shown = ada.press("Instead: An- oder Ummeldung – Einzelperson")

    assert "no longer offers “An- oder Ummeldung – Familie” online" in screen.html
    assert "Your search, changed" in shown.html
    ada.press("Save")
    watch.refresh_from_db()
    assert watch.search.services == (ServiceCount(alike.upstream_id, 1),)


def test_a_watch_of_a_withdrawn_service_is_marked_and_keeps_standing(ada: Person, town: Town) -> None:
    ada.begin()
    withdrawn(ada, town)

    listed = ada.say("/watches")
    shown = ada.press("Familie")

    assert any(label.startswith("⚠️") for label in listed.labels)
    assert "no longer offers" in shown.html
    assert "Pause" in shown.labels
    assert Watch.objects.get().state == "active"


def test_somebody_elses_watch_is_not_changed_by_an_instead_button(ada: Person, town: Town) -> None:
    ada.begin()
    other = WatchFactory(search__main_service=town.registration, now=ada.now)
    message = ada.receive(
        "x", [[{"text": "Instead", "callback_data": f"in:{other.pk}:{town.passport.upstream_id}"}]]
    )

    ada.press("Instead", message)

    other.refresh_from_db()
    assert other.search.main_service == town.registration


def test_a_moved_office_is_told_with_both_addresses(ada: Person, town: Town) -> None:
    ada.begin()
    watch = WatchFactory(subscriber=ada.chat.subscriber, search__main_service=town.registration, now=ada.now)
    change = CatalogueChange.objects.create(
        kind="moved",
        office=town.offices[1],
        before={"address": "Alte Straße 1"},
        after={"address": "Neue Straße 2"},
        at=ada.now - timedelta(minutes=1),
    )
    message = OutboxMessageFactory(
        subscriber=watch.subscriber,
        watch=watch,
        kind="catalogue_change",
        payload={"changes": [change.pk], "impossible": False},
        now=ada.now,
    )

    html = render_news(message, ada.now).screen.html

    assert "Bürgerbüro Pasing has moved from Alte Straße 1 to Neue Straße 2." in html
    assert "You need not do anything." in html
