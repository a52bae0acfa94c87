"""People's data, the catalogue's copy, and what is removed in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments.errors import InvalidValue
from appointments.models import (
    Booking,
    Call,
    CatalogueState,
    Offering,
    OutboxMessage,
    Service,
    Sighting,
    Subscriber,
    Watch,
)
from appointments.models import Office as OfficeRow
from appointments.services.catalogue import sync_catalogue
from appointments.services.contact import (
    clean_custom_text,
    clean_email,
    clean_family_name,
    clean_telephone,
)
from appointments.services.subscribers import (
    erase_inactive,
    erase_subscriber,
    finish_erasures,
    note_visit,
    pause_subscriber,
    save_contact,
)
from appointments.services.sweeps import forget_old_records
from appointments.states import BookingState as S
from appointments.upstream.errors import UpstreamError
from termin_project.sandbox.city.catalogue import Scope
from termin_project.sandbox.city.contact import breaks_the_database, contact_problems
from tests.appointments.services.counter import AT, at_the_city, known_slot, requested, settle
from tests.conftest import RUPPERT, Office
from tests.factories import BookingFactory, OutboxMessageFactory, SlotFactory, SubscriberFactory

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def demanding_scope(office: Office) -> Scope:
    """An office that asks for everything."""
    scope = office.munich.catalogue.offices[RUPPERT].scope
    assert scope is not None
    return replace(
        scope,
        email_required=True,
        telephone=True,
        telephone_required=False,
        custom="Anything else?",
        custom_required=True,
        custom_2=None,
    )


NAMES = st.one_of(st.text(max_size=60), st.text(alphabet="abcÄöüß éñ-'’.,Łž中😀<>&", min_size=1, max_size=55))
EMAILS = st.one_of(
    st.emails(), st.text(max_size=40), st.from_regex(r"[a-z.+@ ]{1,20}@[a-z.]{1,12}", fullmatch=True)
)
NUMBERS = st.one_of(st.text(max_size=20), st.from_regex(r"\+?[0-9 ()/.-]{3,24}", fullmatch=True))
TEXTS = st.one_of(st.text(max_size=260), st.text(alphabet="a<>&;b r/lt😀", max_size=80))


def test_whatever_we_accept_the_city_accepts(office: Office) -> None:
    scope = demanding_scope(office)

    @QUICK
    @given(name=NAMES, email=EMAILS, number=NUMBERS, text=TEXTS)
    def every(name: str, email: str, number: str, text: str) -> None:
        values = {
            "familyName": "Ada Lovelace",
            "email": "ada@example.org",
            "telephone": "",
            "customTextfield": "ok",
        }
        for field, clean, raw in (
            ("familyName", clean_family_name, name),
            ("email", clean_email, email),
            ("telephone", clean_telephone, number),
            ("customTextfield", lambda answer: clean_custom_text(answer, required=True), text),
        ):
            try:
                values[field] = clean(raw)
            except InvalidValue:
                continue
        assert contact_problems(values, scope) == []
        assert not breaks_the_database(values)
        assert 3 <= len(values["familyName"]) <= 50

    every()


@pytest.mark.parametrize(
    ("clean", "raw", "reason"),
    [
        (clean_family_name, "", "empty"),
        (clean_family_name, "  ", "empty"),
        (clean_family_name, "Al", "too_short"),
        (clean_family_name, "a" * 51, "too_long"),
        (clean_family_name, "x" * 5000, "too_long"),
        (clean_family_name, "Ada 😀", "emoji"),
        (clean_family_name, "Ada 2", "letters_only"),
        (clean_email, "", "empty"),
        (clean_email, "ada+termin@example.org", "plus_address"),
        (clean_email, "ada@example", "not_an_address"),
        (clean_email, "ada..b@example.org", "not_an_address"),
        (clean_email, "ada b@example.org", "not_an_address"),
        (clean_email, "a" * 95 + "@b.org", "too_long"),
        (clean_telephone, "call me", "digits_only"),
        (clean_telephone, "12 34 56", "too_few_digits"),
        (clean_telephone, "1234567890123456", "too_many_digits"),
        (clean_telephone, "٠١٢٣٤٥٦٧", "digits_only"),
        (lambda text: clean_custom_text(text, required=True), "<b> </b>", "empty"),
        (lambda text: clean_custom_text(text, required=False), "x" * 251, "too_long"),
        (lambda text: clean_custom_text(text, required=False), "😀", "emoji"),
    ],
)
def test_what_is_refused_says_why(clean, raw: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidValue) as refused:
        clean(raw)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("clean", "raw", "kept"),
    [
        (clean_family_name, "  Ada   Lovelace ", "Ada Lovelace"),
        (clean_family_name, "José O’Neill-Müller", "José O’Neill-Müller"),
        (clean_email, " Ada@Example.org ", "Ada@Example.org"),
        (clean_telephone, "+49 (89) 233-96000", "+498923396000"),
        (clean_telephone, "", ""),
    ],
)
def test_what_people_type_is_tidied(clean, raw: str, kept: str) -> None:  # type: ignore[no-untyped-def]
    assert clean(raw) == kept


@pytest.mark.django_db
def test_contact_data_that_are_refused_change_nothing() -> None:
    person = SubscriberFactory(known=True, now=NOW)

    with pytest.raises(InvalidValue):
        save_contact(person, family_name="Grace Hopper", email="grace+x@example.org", now=NOW)

    person.refresh_from_db()
    assert person.family_name == "Ada Lovelace"


@pytest.mark.django_db
def test_who_blocked_us_and_comes_back_is_served_again() -> None:
    person = SubscriberFactory(now=NOW)
    pause_subscriber(person, "blocked", now=NOW)

    note_visit(person, now=NOW + timedelta(days=30))

    person.refresh_from_db()
    assert person.is_active
    assert person.erase_after == (NOW + timedelta(days=395)).date()


# Erasure


@pytest.mark.parametrize("state", [S.REQUESTED, S.RESERVED, S.PRECONFIRMED])
def test_erasing_a_person_gives_back_what_is_held_and_leaves_no_row(office: Office, state: S) -> None:
    booking = AT[state](office)
    person = booking.subscriber
    office.watch(subscriber=person)

    erase_subscriber(person, now=office.now())
    stays = Subscriber.objects.filter(pk=person.pk).values("family_name", "email", "first_name").first()
    office.work()
    finish_erasures()

    assert stays is None or set(stays.values()) == {""}
    assert not Subscriber.objects.filter(pk=person.pk).exists()
    assert not Booking.objects.exists()
    assert not Watch.objects.exists()
    assert [status for status in at_the_city(office) if status != "deleted"] == []


def test_a_confirmed_appointment_outlives_the_person_at_the_city(office: Office) -> None:
    booking = AT[S.CONFIRMED](office)

    erase_subscriber(booking.subscriber, now=office.now())

    assert not Subscriber.objects.exists()
    assert at_the_city(office) == ["confirmed"]


def test_who_may_hold_something_unnamed_is_erased_when_it_must_have_lapsed(office: Office) -> None:
    booking = requested(office)
    office.munich.faults.add("lost_after", 1, ["reserve-appointment"])
    office.work()

    erase_subscriber(booking.subscriber, now=office.now())
    early = Subscriber.objects.count()
    office.munich.clock.advance(timedelta(minutes=booking.office.reservation_minutes + 3))
    office.sweep()
    finish_erasures()

    assert (early, Subscriber.objects.count()) == (1, 0)


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db
def test_people_who_stay_away_for_a_year_are_erased() -> None:
    SubscriberFactory(now=NOW)
    stays = SubscriberFactory(now=NOW + timedelta(days=30))

    erased = erase_inactive(now=NOW + timedelta(days=366))

    assert erased == 1
    assert list(Subscriber.objects.all()) == [stays]


# Old records


def test_old_records_go_and_contact_data_of_ended_bookings_too(office: Office) -> None:
    now = office.now()
    old = now - timedelta(days=100)
    booking = BookingFactory(cancelled=True, now=old, family_name="Ada", email="a@b.org", auth_key="f1e2")
    fresh = BookingFactory(cancelled=True, now=now, family_name="Ada")
    live = BookingFactory(reserved=True, now=now)
    OutboxMessageFactory(now=old, sent=True)
    slot = SlotFactory(now=old)
    Sighting.objects.create(slot=slot, kind="appeared", at=old)
    Call.objects.update(at=now - timedelta(days=3))

    removed = forget_old_records(now=now)

    for each in (booking, fresh, live):
        each.refresh_from_db()
    assert (booking.family_name, booking.email, booking.auth_key) == ("", "", "")
    assert (fresh.family_name, live.auth_key) == ("Ada", "f1e2")
    assert (removed["messages"], removed["sightings"]) == (1, 1)
    assert not Call.objects.exists()


def test_contact_data_of_an_appointment_go_a_week_after_it(office: Office) -> None:
    booking = AT[S.CONFIRMED](office)
    office.munich.clock.advance(booking.starts_at - office.now())
    office.sweep()

    forget_old_records(now=booking.starts_at + timedelta(days=6))
    booking.refresh_from_db()
    before = booking.email
    forget_old_records(now=booking.starts_at + timedelta(days=8))
    booking.refresh_from_db()

    assert before
    assert (booking.email, booking.family_name, booking.auth_key) == ("", "", "")


# The catalogue


def test_what_left_the_catalogue_is_marked_and_what_returns_is_welcome(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = office.desk.api.catalogue()
    assert whole is not None
    gone = whole.services[0].upstream_id
    less = replace(
        whole,
        services=whole.services[1:],
        relations=tuple(each for each in whole.relations if each.service_id != gone),
    )
    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: less)
    office.advance(seconds=1)
    sync_catalogue(office.desk.api, now=office.now())
    away = Service.objects.get(upstream_id=gone)
    offered = Offering.objects.filter(service=away).exists()

    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: whole)
    office.advance(seconds=1)
    sync_catalogue(office.desk.api, now=office.now())

    assert away.withdrawn_at is not None
    assert not offered
    assert Service.objects.get(upstream_id=gone).withdrawn_at is None
    assert Service.objects.get(upstream_id=gone).pk == away.pk


def test_a_renamed_service_keeps_its_row(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = office.desk.api.catalogue()
    assert whole is not None
    first = whole.services[0]
    renamed = replace(whole, services=(replace(first, name="Neuer Name"), *whole.services[1:]))
    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: renamed)

    sync_catalogue(office.desk.api, now=office.now())

    assert Service.objects.get(upstream_id=first.upstream_id).name == "Neuer Name"
    assert Service.objects.count() == len(whole.services)


def test_an_unchanged_catalogue_changes_only_the_date(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(Service.objects.order_by("pk").values())
    monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: None)
    office.advance(hours=1)

    state = sync_catalogue(office.desk.api, now=office.now())

    assert state.synced_at == office.now()
    assert list(Service.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("kind", ["maintenance", "html_200", "truncated_json", "empty_body", "lost_before"])
def test_a_catalogue_we_cannot_read_changes_nothing(office: Office, kind: str) -> None:
    office.munich.faults.add(kind, 1, ["offices-and-services"])
    office.advance(seconds=5)

    with pytest.raises(UpstreamError):
        sync_catalogue(office.desk.api, now=office.now())

    assert not OfficeRow.objects.exclude(withdrawn_at=None).exists()
    assert CatalogueState.objects.get().synced_at < office.now()


def test_messages_of_the_erased_are_not_sent(office: Office) -> None:
    known_slot(office)
    watch = office.watch()
    assert OutboxMessage.objects.filter(sent_at=None).count() == 1

    erase_subscriber(watch.subscriber, now=office.now())
    office.work()

    assert office.mailman.sent == []


def test_time_alone_changes_nothing(office: Office) -> None:
    """A quiet system stays as it is: sweeps find nothing to do."""
    booking = AT[S.CONFIRMED](office)
    before = list(booking.events.values_list("pk", flat=True))

    settle(office, booking, minutes=60, step=600)

    assert list(booking.events.values_list("pk", flat=True)) == before
