"""Every admin page opens, with rows, and shows neither secrets nor more about people than it must."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from appointments.models import (
    AttemptCount,
    BookingEvent,
    Call,
    CallCount,
    CatalogueChange,
    CatalogueState,
    CircuitBreaker,
    CityDialect,
    GateState,
    Heartbeat,
    ImportRequest,
    Lease,
    PollTarget,
    Service,
    Sighting,
    StaffAlert,
    Subscriber,
    UnreadAnswer,
)
from captcha.models import CaptchaChoice, CaptchaToken
from termin_project.staff_admin import StaffAdmin, masked
from tests.factories import (
    BookingFactory,
    ChatFactory,
    OfferingFactory,
    OutboxMessageFactory,
    SearchFactory,
    SlotFactory,
    SubscriberFactory,
    WatchFactory,
)

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
# Written by hand through forms of their own; everything else is a fact.
ACCOUNTS = {User, Group}


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def rows(staff: User) -> None:
    """At least one row in every table the admin shows."""
    now = timezone.now()
    offering = OfferingFactory()
    search = SearchFactory(main_service=offering.service)
    person = SubscriberFactory(
        known=True, first_name="Zebedeus", family_name="Zebedeus Zwiebel", telephone="0897654321"
    )
    slot = SlotFactory(search=search, office=offering.office)
    watch = WatchFactory(subscriber=person, search=search)
    booking = BookingFactory(
        confirmed=True,
        subscriber=person,
        slot=slot,
        watch=watch,
        auth_key="top-secret-key",
        family_name="Zebedeus Zwiebel",
        email="zebedeus@example.org",
        telephone="0897654321",
        custom_text="private matter",
    )
    BookingEvent.objects.create(booking=booking, state="confirmed", at=now)
    Sighting.objects.create(slot=slot, kind="appeared", at=now)
    OutboxMessageFactory(subscriber=person, booking=booking, watch=watch)
    ChatFactory(
        subscriber=person,
        chat_id=987654321,
        dialogue={"step": "family_name", "data": {"typed": "Zebedeus"}},
        unanswered="Hello Zebedeus",
    )
    ImportRequest.objects.create(
        subscriber=person, process_id=123456, auth_key="top-secret-key", created_at=now
    )
    PollTarget.objects.create(kind="sweep", search=search, next_due_at=now)
    CatalogueState.objects.create(pk=1, synced_at=now)
    CatalogueChange.objects.create(
        kind="renamed", office=offering.office, before={"name": "A"}, after={"name": "B"}, at=now
    )
    GateState.objects.create(egress="default")
    CircuitBreaker.objects.create(name="watching")
    StaffAlert.objects.create(
        key="breaker:watching", kind="breaker_open", subject="watching", since=now, raised_at=now
    )
    Lease.objects.create(name="sender")
    Heartbeat.objects.create(name="bot", at=now)
    AttemptCount.objects.create(
        hour=now, search=search, office=offering.office, outcome="lost", reason="taken", attempts=3
    )
    Call.objects.create(at=now, kind="sweep", code="ok", milliseconds=5)
    CallCount.objects.create(span="hour", starts_at=now, kind="sweep", code="ok", calls=4, milliseconds=40)
    CaptchaChoice.objects.create(pk=1)
    CityDialect.objects.create(address="http://city", dialect="D3", found_at=now, until=now)
    UnreadAnswer.objects.create(
        fingerprint="f", method="GET", path="/p/", code="notUnderstood", shape="{}", first_at=now, last_at=now
    )
    CaptchaToken.objects.create(
        site="city|default",
        state="valid",
        token="top-secret-token",
        issued_at=now,
        stale_at=now + timedelta(seconds=200),
        expires_at=now + timedelta(seconds=300),
    )
    for model, success in ((Success, True), (Failure, False)):
        model.objects.create(
            id=f"task-{success}",
            name="a task",
            func="appointments.tasks.sweep",
            started=now,
            stopped=now,
            success=success,
            result="booking 7: reserved",
        )
    OrmQ.objects.create(key="booking", payload="", lock=now)
    Schedule.objects.create(
        func="appointments.tasks.sweep", name="sweep", schedule_type=Schedule.MINUTES, minutes=1
    )
    Group.objects.create(name="desk")


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
@pytest.mark.usefixtures("rows")
def test_every_list_and_every_row_opens(model: type[Model], desk: Client) -> None:
    row = model._default_manager.first()
    assert row is not None, "the fixture makes a row of every kind"

    listed = desk.get(address(model, "changelist"))
    opened = desk.get(address(model, "change", row.pk))

    assert listed.status_code == 200
    assert address(model, "change", row.pk) in listed.content.decode()
    assert opened.status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
@pytest.mark.usefixtures("rows")
def test_every_search_box_works(model: type[Model], desk: Client) -> None:
    for words in ("1", "Zwiebel"):
        assert desk.get(address(model, "changelist"), {"q": words}).status_code == 200


@pytest.mark.parametrize(
    "model", [m for m in REGISTERED if m not in ACCOUNTS], ids=lambda model: model._meta.label
)
@pytest.mark.usefixtures("rows")
def test_facts_can_be_neither_added_nor_deleted(model: type[Model], desk: Client) -> None:
    row = model._default_manager.first()
    assert row is not None

    assert isinstance(admin.site._registry[model], StaffAdmin)
    assert desk.get(address(model, "add")).status_code == 403
    assert desk.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert b'value="delete_selected"' not in desk.get(address(model, "changelist")).content


@pytest.mark.parametrize(
    "model", [m for m in REGISTERED if m not in ACCOUNTS], ids=lambda model: model._meta.label
)
@pytest.mark.usefixtures("rows")
def test_only_named_fields_can_be_edited(model: type[Model], desk: Client) -> None:
    row = model._default_manager.first()
    assert row is not None

    form = desk.get(address(model, "change", row.pk)).context["adminform"].form

    editable = {Subscriber: {"priority"}, Service: {"emergency"}, CaptchaChoice: {"mode"}}
    assert set(form.fields) == editable.get(model, set())


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
@pytest.mark.usefixtures("rows")
def test_no_page_shows_keys_tokens_or_personal_data(model: type[Model], desk: Client) -> None:
    row = model._default_manager.first()
    assert row is not None

    text = (
        desk.get(address(model, "changelist")).content.decode()
        + desk.get(address(model, "change", row.pk)).content.decode()
        + desk.get(address(model, "history", row.pk)).content.decode()
    )

    for secret in (
        "top-secret",
        "Zebedeus",
        "Zwiebel",
        "zebedeus@",
        "0897654321",
        "private matter",
        "987654321",
    ):
        assert secret not in text


@pytest.mark.usefixtures("rows")
def test_lists_cost_a_bounded_number_of_queries(desk: Client, django_assert_max_num_queries: Any) -> None:
    def cost() -> dict[str, int]:
        counts = {}
        for model in REGISTERED:
            with django_assert_max_num_queries(25) as queries:
                desk.get(address(model, "changelist"))
            counts[model._meta.label] = len(queries)
        return counts

    before = cost()
    for booking in BookingFactory.create_batch(5, confirmed=True):
        Sighting.objects.create(slot=SlotFactory(), kind="appeared", at=timezone.now())
        OutboxMessageFactory(booking=booking)
        ChatFactory()
        WatchFactory()
        OfferingFactory()
        PollTarget.objects.create(kind="sweep", search=SearchFactory(), next_due_at=timezone.now())

    assert cost() == before


def test_names_are_cut_to_first_letters() -> None:
    assert masked("Ada Lovelace") == "A… L…"
    assert masked("ada@example.org") == "a…@e…"
    assert masked("+49 89 1234567") == "+4…"
    assert masked("") == ""


def granted(account: User | Group) -> None:
    permission, _created = Permission.objects.get_or_create(
        codename="view_personal_data",
        content_type=ContentType.objects.get_for_model(Subscriber),
        defaults={"name": "May see names, e-mail addresses and telephone numbers"},
    )
    (account.user_permissions if isinstance(account, User) else account.permissions).add(permission)


@pytest.mark.usefixtures("rows")
def test_a_superuser_without_the_permission_sees_letters_only(desk: Client) -> None:
    text = desk.get(address(Subscriber, "change", Subscriber.objects.get().pk)).content.decode()

    assert "Z… Z…" in text
    assert "Zwiebel" not in text


@pytest.mark.parametrize("through_group", [False, True])
@pytest.mark.usefixtures("rows")
def test_the_permission_shows_a_person_in_clear_on_their_page_only(
    through_group: bool, desk: Client, staff: User, caplog: pytest.LogCaptureFixture
) -> None:
    if through_group:
        group = Group.objects.get(name="desk")
        granted(group)
        staff.groups.add(group)
    else:
        granted(staff)
    person = Subscriber.objects.get()

    with caplog.at_level("INFO"):
        page = desk.get(address(Subscriber, "change", person.pk)).content.decode()

    assert "Zebedeus Zwiebel" in page
    assert "0897654321" in page
    assert "Zwiebel" not in desk.get(address(Subscriber, "changelist")).content.decode()
    shown = [record for record in caplog.records if record.message == "Personal data shown to staff"]
    assert len(shown) == 1
    assert "Zwiebel" not in caplog.text


@pytest.mark.usefixtures("rows")
def test_a_staff_account_sees_only_what_it_was_given(client: Client) -> None:
    account = User.objects.create_user("helper", password="x", is_staff=True)
    account.user_permissions.add(Permission.objects.get(codename="view_booking"))
    client.force_login(account)

    index = client.get("/admin/").content.decode()

    assert "/admin/appointments/booking/" in index
    assert "/admin/appointments/subscriber/" not in index
    assert client.get("/admin/appointments/booking/").status_code == 200
    assert client.get("/admin/appointments/subscriber/").status_code == 403


@pytest.mark.usefixtures("rows")
def test_editing_a_person_writes_nothing_but_the_edited_field(desk: Client) -> None:
    person = Subscriber.objects.get()
    page = address(Subscriber, "change", person.pk)
    desk.get(page)

    answer = desk.post(page, {**formset_basics(), "priority": "5", "family_name": "Mallory"})

    assert answer.status_code == 302
    person.refresh_from_db()
    assert (person.priority, person.family_name) == (5, "Zebedeus Zwiebel")


def formset_basics() -> dict[str, str]:
    return {
        f"{prefix}-{key}": value
        for prefix in ("watches", "bookings", "profiles", "name_changes")
        for key, value in (("TOTAL_FORMS", "0"), ("INITIAL_FORMS", "0"))
    }


def test_the_login_page_is_open_to_strangers(client: Client) -> None:
    assert client.get("/admin/login/").status_code == 200
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
