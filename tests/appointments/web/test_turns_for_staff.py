"""What staff see of turns, limits and attempts, in words."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from appointments.admin.turns import turn_in_words
from appointments.models import AttemptCount, Booking, Search, Subscriber
from tests.factories import BookingFactory, OfficeFactory, SearchFactory, ServiceFactory, SubscriberFactory

pytestmark = pytest.mark.django_db
TURN = {
    "rank": 2,
    "of": 31,
    "priority": 0,
    "waited": 3 * 86400,
    "unkept": 0,
    "before": {"served": 1},
    "lost": None,
    "probe": False,
}


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (TURN, "Number 2 of 31 in turn: waited 3 d, priority 0. Before: 1 got another time."),
        ({}, "chosen by hand"),
        (TURN | {"lost": 7, "before": {}}, "Lost booking #7 just before."),
        (TURN | {"unkept": 2}, "Let 2 holds go lately."),
        (TURN | {"before": {"served": 2, "nothing": 3, "busy": 1}}, "Before: 2 got other times."),
        (TURN | {"before": {"nothing": 3}}, "For 3 before nothing fitting was to be had."),
        (TURN | {"probe": True}, "one more place"),
    ],
)
def test_why_this_person_in_words(turn: dict[str, object], words: str) -> None:
    with translation.override("en"):
        assert words in turn_in_words(Booking(turn=turn))


def test_the_booking_page_says_why_this_person(desk: Client) -> None:
    booking = BookingFactory(turn=TURN)

    page = desk.get(reverse("admin:appointments_booking_change", args=(booking.pk,)))

    assert "Number 2 of 31 in turn" in page.content.decode()


def test_staff_see_the_holds_of_a_person_and_lift_the_pause(desk: Client) -> None:
    now = timezone.now()
    who = SubscriberFactory(now=now, holds_paused_until=now + timedelta(hours=5))
    BookingFactory(subscriber=who, reserved=True, now=now)
    address = reverse("admin:appointments_subscriber_change", args=(who.pk,))

    before = desk.get(address).content.decode()
    listed = reverse("admin:appointments_subscriber_changelist")
    desk.post(listed, {"action": "lift_holds_pause_picked", "_selected_action": [who.pk]})

    assert "1 / 6" in before
    assert Subscriber.objects.get(pk=who.pk).holds_paused_until <= timezone.now()


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Attempts to get a slot"), ("de", "Versuche, einen Termin")]
)
def test_the_dashboard_shows_success_rates_per_place(desk: Client, language: str, title: str) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    place = {"hour": hour, "search": SearchFactory(), "office": OfficeFactory(name="Bürgerbüro Giesing")}
    AttemptCount.objects.create(**place, outcome="kept", attempts=3, leaving=3, leaving_ms=150)
    AttemptCount.objects.create(**place, outcome="lost", reason="taken", attempts=1)

    page = desk.get(reverse("appointments:dashboard"), headers={"accept-language": language}).content.decode()

    assert title in page
    assert "Bürgerbüro Giesing" in page
    assert "75 %" in page
    assert "50 ms" in page
    assert "taken 1" in page


def test_a_dashboard_without_attempts_says_so(desk: Client) -> None:
    page = desk.get(reverse("appointments:dashboard"), headers={"accept-language": "en"}).content.decode()

    assert "Nobody has tried yet." in page


def test_what_staff_say_about_emergencies_counts_at_once(desk: Client) -> None:
    service = ServiceFactory(name="Reisepass")
    search = SearchFactory(main_service=service)

    desk.post(
        reverse("admin:appointments_service_change", args=(service.pk,)),
        {
            "emergency": "true",
            **{
                f"{rows}-{forms}_FORMS": 0
                for rows in ("offerings", "changes")
                for forms in ("TOTAL", "INITIAL")
            },
        },
    )

    assert Search.objects.get(pk=search.pk).short_notice
