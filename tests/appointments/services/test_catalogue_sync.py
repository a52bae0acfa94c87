"""The city's list taken over: what changed is kept and told once, what cannot be believed is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from appointments.errors import CatalogueRefused, InvalidValue
from appointments.models import (
    Booking,
    CatalogueChange,
    CatalogueState,
    Offering,
    OutboxMessage,
    Service,
    Watch,
)
from appointments.models import Office as OfficeRow
from appointments.selectors.catalogue import offices_for
from appointments.services.catalogue import believe_next_catalogue, sync_catalogue
from appointments.services.watches import WatchWish, check_wish, take_up_new_offices, wish_of
from appointments.upstream import types
from appointments.upstream.types import ServiceCount
from tests.appointments.services.counter import person, reserved
from tests.conftest import PASING, REGISTER, RUPPERT, Office
from tests.factories import SubscriberFactory, WatchFactory

FAMILY, CHURCH, TRAINING = 10224132, 1063731, 10503
Sync = Callable[..., None]


@pytest.fixture
def sync(office: Office, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """Take over the city's list after it was changed: `sync(offices=..., services=..., relations=...)`."""
    whole = office.desk.api.catalogue()
    assert whole is not None

    def run(**parts: object) -> None:
        office.advance(minutes=1)
        changed = replace(
            whole, **{name: tuple(change(getattr(whole, name))) for name, change in parts.items()}
        )
        monkeypatch.setattr(office.desk.api, "catalogue", lambda **_since: changed)
        sync_catalogue(office.desk.api, now=office.now())

    return run


def but(number: int, **fields: object) -> Callable[[tuple[types.Office, ...]], list[types.Office]]:
    """The list with one entry changed."""
    return lambda entries: [
        replace(entry, **fields) if entry.upstream_id == number else entry for entry in entries
    ]


def without(*numbers: int) -> Callable[[tuple[types.Office, ...]], list[types.Office]]:
    return lambda entries: [entry for entry in entries if entry.upstream_id not in numbers]


def told(kind: str = "catalogue_change") -> list[tuple[int | None, list[str], bool]]:
    """(watch, kinds of the changes told, impossible now) of every message."""
    kinds = dict(CatalogueChange.objects.values_list("pk", "kind"))
    return [
        (message.watch_id, [kinds[pk] for pk in message.payload["changes"]], message.payload["impossible"])
        for message in OutboxMessage.objects.filter(kind=kind).order_by("pk")
    ]


# History


def test_the_first_list_is_no_change(office: Office) -> None:
    assert CatalogueChange.objects.count() == 0


def test_the_same_list_again_is_no_change(office: Office, sync: Sync) -> None:
    watch = office.watch()

    sync()
    sync()

    assert CatalogueChange.objects.count() == 0
    assert told() == []
    assert Watch.objects.get(pk=watch.pk).state == "active"


@pytest.mark.parametrize(
    ("parts", "kind", "before", "after"),
    [
        (
            {"services": but(REGISTER, name="Wohnsitz anmelden")},
            "renamed",
            {"name": "Wohnsitzanmeldung"},
            {"name": "Wohnsitz anmelden"},
        ),
        ({"services": without(CHURCH)}, "withdrawn", {"name": "Kirchenaustritt"}, {}),
        ({"services": but(REGISTER, max_quantity=9)}, "rules", {"max_quantity": 3}, {"max_quantity": 9}),
        (
            {"offices": but(PASING, display_name="Bürgerbüro West")},
            "renamed",
            {"name": "Bürgerbüro Pasing"},
            {"name": "Bürgerbüro West"},
        ),
        (
            {"offices": but(PASING, street="Planegger Straße", house_number="1")},
            "moved",
            {"address": "Landsberger Straße 486, 81241 München"},
            {"address": "Planegger Straße 1, 81241 München"},
        ),
        ({"offices": but(PASING, slot_minutes=7)}, "rules", {"slot_minutes": 5}, {"slot_minutes": 7}),
    ],
)
def test_every_kind_of_change_is_kept_with_before_and_after(
    sync: Sync, parts: dict[str, object], kind: str, before: dict[str, object], after: dict[str, object]
) -> None:
    sync(**parts)

    change = CatalogueChange.objects.get(kind=kind)
    assert (change.before, change.after) == (before, after)


def test_what_is_new_and_what_returns_is_kept_too(office: Office, sync: Sync) -> None:
    another = lambda entries: [*entries, replace(entries[0], upstream_id=77, name="Neues Amt")]  # noqa: E731

    sync(offices=another)
    sync()
    sync(offices=another)

    kinds = list(
        CatalogueChange.objects.filter(office__upstream_id=77).order_by("pk").values_list("kind", flat=True)
    )
    assert kinds == ["new", "withdrawn", "returned"]


def test_an_office_that_stops_doing_a_service_is_a_change_of_the_services_rules(sync: Sync) -> None:
    sync(
        relations=lambda relations: [
            r for r in relations if (r.office_id, r.service_id) != (PASING, REGISTER)
        ]
    )

    change = CatalogueChange.objects.get(service__upstream_id=REGISTER)
    assert change.kind == "rules"
    assert str(PASING) in change.before["offered"]
    assert str(PASING) not in change.after["offered"]


# Who is told


def test_a_renamed_service_is_told_to_those_who_wait_for_it_once(office: Office, sync: Sync) -> None:
    mine, other = office.watch(), office.watch(services=(ServiceCount(1063453),), office_ids=())
    also = office.watch(services=(ServiceCount(1063441), ServiceCount(REGISTER)), office_ids=())

    sync(services=but(REGISTER, name="Wohnsitz anmelden"))
    sync(services=but(REGISTER, name="Wohnsitz anmelden"))

    assert told() == [(mine.pk, ["renamed"], False), (also.pk, ["renamed"], False)]
    assert other.pk not in [watch for watch, _kinds, _impossible in told()]


def test_a_withdrawn_service_keeps_its_watches_and_tells_again_when_it_returns(
    office: Office, sync: Sync
) -> None:
    watch = office.watch()

    sync(services=without(REGISTER))
    watch.refresh_from_db()
    standing = watch.state
    sync()

    assert standing == "active"
    assert told() == [(watch.pk, ["withdrawn"], True), (watch.pk, ["returned"], False)]


def test_an_office_is_news_to_those_who_chose_it_alone(office: Office, sync: Sync) -> None:
    chose = office.watch(office_ids=(office.office_pk(PASING),))
    office.watch(office_ids=(office.office_pk(RUPPERT),))
    office.watch(office_ids=())

    sync(offices=without(PASING))

    assert told() == [(chose.pk, ["withdrawn"], False)]


def test_an_ended_watch_is_told_nothing(office: Office, sync: Sync) -> None:
    watch = office.watch()
    Watch.objects.filter(pk=watch.pk).update(state="deleted", ended_at=office.now())

    sync(services=without(REGISTER))

    assert told() == []


def test_who_has_an_appointment_at_an_office_that_moved_is_told(office: Office, sync: Sync) -> None:
    booking = reserved(office, who=person(office))
    elsewhere = Booking.objects.exclude(pk=booking.pk)

    sync(offices=but(RUPPERT, street="Planegger Straße", house_number="1"))

    message = OutboxMessage.objects.get(kind="catalogue_change")
    assert (message.booking_id, message.subscriber_id) == (booking.pk, booking.subscriber_id)
    assert not elsewhere.exists()


def test_a_search_that_new_rules_make_impossible_is_told(office: Office, sync: Sync) -> None:
    three = office.watch(services=(ServiceCount(REGISTER, 3),), office_ids=())
    office.watch(services=(ServiceCount(REGISTER, 1),), office_ids=())

    sync(services=but(REGISTER, max_quantity=2))

    assert told() == [(three.pk, [], True)]


def test_a_thousand_people_are_told_with_few_statements(
    office: Office, sync: Sync, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    search = office.watch().search
    for _number in range(40):
        WatchFactory(search=search, subscriber=SubscriberFactory(now=office.now()), now=office.now())

    with django_assert_max_num_queries(75):  # type: ignore[attr-defined]
        sync(services=without(REGISTER))

    assert len(told()) == 41


# What cannot be believed


@pytest.mark.parametrize(
    "parts",
    [
        {"services": lambda services: services[:20]},
        {"offices": lambda offices: offices[:10]},
        {"offices": lambda offices: [replace(each, scope=None) for each in offices]},
        {"relations": lambda relations: relations[:30]},
    ],
    ids=["services", "offices", "nothing bookable", "offers"],
)
def test_a_list_that_lacks_most_is_refused_and_changes_nothing(
    office: Office, sync: Sync, parts: dict[str, object]
) -> None:
    office.watch()
    before = Service.objects.filter(withdrawn_at=None).count(), Offering.objects.count()

    with pytest.raises(CatalogueRefused):
        sync(**parts)

    state = CatalogueState.objects.get()
    assert (Service.objects.filter(withdrawn_at=None).count(), Offering.objects.count()) == before
    assert CatalogueChange.objects.count() == 0
    assert told() == []
    assert (state.refused_at, state.last_error) == (office.now(), "implausible")
    assert state.refusal.split()[1] == "of"


def test_a_list_that_lacks_a_little_is_believed(office: Office, sync: Sync) -> None:
    sync(services=lambda services: services[: int(len(services) * 0.7)])

    assert CatalogueState.objects.get().refused_at is None
    assert CatalogueChange.objects.filter(kind="withdrawn").count() > 10


def test_staff_can_have_the_next_list_believed_once(office: Office, sync: Sync) -> None:
    most = {"services": lambda services: services[:20]}
    with pytest.raises(CatalogueRefused):
        sync(**most)

    believe_next_catalogue()
    sync(**most)

    state = CatalogueState.objects.get()
    assert (state.refused_at, state.refusal, state.believe_next) == (None, "", False)
    assert Service.objects.filter(withdrawn_at=None).count() == 20


def test_watching_goes_on_after_a_refused_list_and_asks_again_in_ten_minutes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = office.desk.api.catalogue()
    assert whole is not None
    asked = []
    monkeypatch.setattr(
        office.desk.api,
        "catalogue",
        lambda **_since: asked.append(office.now()) or replace(whole, services=whole.services[:5]),
    )
    office.advance(minutes=61)

    office.look(700)

    assert len(asked) == 2
    assert asked[1] - asked[0] >= timedelta(minutes=9)
    assert OfficeRow.objects.filter(withdrawn_at=None).count() == len(whole.offices)


# What a wish may be


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        ((), "empty"),
        ((ServiceCount(4711),), "unknown"),
        ((ServiceCount(REGISTER, 4),), "count"),
        ((ServiceCount(REGISTER), ServiceCount(REGISTER)), "twice"),
        ((ServiceCount(REGISTER), ServiceCount(1063565)), "not_combinable"),
        ((ServiceCount(1063424, 2), ServiceCount(1064323, 2)), "too_long"),
        ((ServiceCount(1063648),), "exclusive"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_before_anything_is_asked(
    office: Office, services: tuple[ServiceCount, ...], reason: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_wish(WatchWish(services=services), now=office.now())

    assert refused.value.reason == reason


def test_one_of_several_districts_may_be_chosen(office: Office) -> None:
    wish = WatchWish(services=(ServiceCount(1063648),), office_ids=(office.office_pk(10470),))

    assert [each.upstream_id for each in check_wish(wish, now=office.now())] == [10470]


def test_an_office_chosen_too_small_says_why(office: Office) -> None:
    OfficeRow.objects.filter(upstream_id=PASING).update(slots_per_appointment=5)
    wish = WatchWish(services=(ServiceCount(REGISTER, 2),), office_ids=(office.office_pk(PASING),))

    with pytest.raises(InvalidValue) as refused:
        check_wish(wish, now=office.now())

    details = refused.value.details
    assert (refused.value.field, refused.value.reason) == ("offices", "too_long")
    assert (details["office"], details["needed"], details["most"]) == (PASING, 6, 5)
    assert PASING not in {each.upstream_id for each in offices_for(wish.services)}


def test_new_offices_are_taken_up_by_those_who_take_any(office: Office, sync: Sync) -> None:
    closed = lambda relations: [r for r in relations if r.office_id != PASING]  # noqa: E731
    sync(relations=closed)
    any_office, chosen = office.watch(office_ids=()), office.watch()

    sync()
    changed = take_up_new_offices(now=office.now())

    assert changed == 1
    assert any_office.offices.filter(office__upstream_id=PASING).exists()
    assert not chosen.offices.filter(office__upstream_id=PASING).exists()
    assert wish_of(chosen).office_ids == (office.office_pk(RUPPERT),)


def test_an_office_that_stands_for_no_other_is_not_joined_by_new_ones(office: Office, sync: Sync) -> None:
    marriage, pasing_hall = 1063648, 10351880
    sync(offices=without(pasing_hall))
    watch = office.watch(services=(ServiceCount(marriage),), office_ids=())

    sync()
    take_up_new_offices(now=office.now())

    assert [line.office.upstream_id for line in watch.offices.all()] == [10470]
