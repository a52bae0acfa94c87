"""Staff sees who brings in many names, never which, and may allow more."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.models import NameChange, Subscriber
from appointments.services.names import WINDOW
from tests.factories import ProfileFactory, SubscriberFactory

pytestmark = pytest.mark.django_db
PEOPLE = "admin:appointments_subscriber_changelist"


def changed(person: Subscriber, times: int, days_ago: int = 0) -> None:
    for _time in range(times):
        NameChange.objects.create(
            subscriber=person, kind="changed", at=timezone.now() - timedelta(days=days_ago)
        )


def shown(desk: Client, **query: str) -> set[int]:
    answer = desk.get(reverse(PEOPLE), query)
    return {person.pk for person in answer.context["cl"].result_list}


def test_people_with_many_new_names_are_found(desk: Client) -> None:
    trader, careful, long_ago = SubscriberFactory.create_batch(3)
    changed(trader, 2)
    changed(careful, 1)
    changed(long_ago, 5, days_ago=WINDOW.days + 1)

    assert shown(desk, names="many") == {trader.pk}
    assert shown(desk) >= {trader.pk, careful.pk, long_ago.pk}


def test_names_allowed_by_staff_count_no_more(desk: Client) -> None:
    trader = SubscriberFactory()
    changed(trader, 2)

    desk.post(
        reverse("admin:appointments_subscriber_forgive_names", args=(trader.pk,)), {"_form_submitted": "True"}
    )

    assert shown(desk, names="many") == set()
    assert NameChange.objects.filter(forgiven_at=None).count() == 0


def test_the_people_somebody_books_for_are_masked(desk: Client) -> None:
    profile = ProfileFactory(label="Zenobia", family_name="Zenobia Zwiebel", email="zenobia@example.org")

    page = desk.get(reverse("admin:appointments_subscriber_change", args=(profile.subscriber_id,)))

    text = page.content.decode()
    assert "enobia" not in text
    assert "wiebel" not in text
