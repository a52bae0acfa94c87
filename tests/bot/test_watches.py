"""A person's watches: list, pause, resume, snooze, change, delete; data and settings."""

from datetime import timedelta

import pytest

from appointments.models import OutboxMessage, PollTarget, Subscriber, Watch
from appointments.services.watches import wish_of
from bot.dates import show_time
from tests.bot.conftest import Person, Town
from tests.factories import SlotFactory, WatchFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def watch(ada: Person, town: Town) -> Watch:
    ada.begin()
    return WatchFactory(
        subscriber=ada.chat.subscriber, search__main_service=town.registration, search__count=3, now=ada.now
    )


def test_no_watch_yet_leads_to_a_new_one(ada: Person) -> None:
    ada.begin()

    assert ada.say("/watches").labels == ["New search"]


def test_a_watch_is_shown_with_every_point(ada: Person, watch: Watch) -> None:
    ada.say("/watches")
    shown = ada.press("Familie")

    for part in ("3 persons", "any office", "as soon as possible", "any time", "I tell you", "nothing free"):
        assert part in shown.html


def test_pause_and_resume(ada: Person, watch: Watch) -> None:
    ada.say("/watches")
    ada.press("Familie")

    assert "Paused" in ada.press("Pause").html
    assert Watch.objects.get().state == "paused"
    assert "⏸" in ada.say("/watches").labels[0]
    ada.press("Familie")
    assert "Pause" in ada.press("Watch again").labels
    assert Watch.objects.get().state == "active"


def test_snooze_until_tomorrow_and_wake(ada: Person, watch: Watch) -> None:
    ada.say("/watches")
    ada.press("Familie")

    assert "silent until Tue 24 Nov, 07:00" in ada.press("Snooze").html
    assert Watch.objects.get().snoozed_until is not None
    ada.press("Wake up")
    assert Watch.objects.get().snoozed_until is None


def test_snooze_under_the_news_needs_no_menu(ada: Person, watch: Watch) -> None:
    before = len(ada.messages)

    ada.press_data(f"w:snooze:{watch.pk}", 60)

    assert "I stay silent until" in ada.toasts[-1]
    assert len(ada.messages) == before


def test_one_point_can_be_changed(ada: Person, watch: Watch) -> None:
    ada.say("/watches")
    for label in ("Familie", "Change", "Days", "Next 10 days"):
        ada.press(label)

    assert "Your search, changed" in ada.newest.html
    assert "Saved" in ada.press("Save").html
    assert Watch.objects.count() == 1
    assert wish_of(Watch.objects.get()).rolling_days == 10


def test_deleting_needs_a_second_thought(ada: Person, watch: Watch) -> None:
    ada.say("/watches")
    ada.press("Familie")
    shown = ada.press("Delete")
    assert shown.labels == ["No, keep watching", "Yes, delete"]
    ada.press("No, keep watching")
    assert Watch.objects.get().state == "active"

    ada.press("Delete")
    assert "no search yet" in ada.press("Yes, delete").html
    assert Watch.objects.get().state == "deleted"


def test_a_button_about_an_ended_watch_says_so(ada: Person, watch: Watch) -> None:
    Watch.objects.update(state="deleted", ended_at=ada.now)

    ada.press_data(f"w:pause:{watch.pk}", 60)

    assert ada.toasts[-1] == "This search has ended."


def test_an_ended_watch_can_be_taken_up_with_other_days(ada: Person, watch: Watch) -> None:
    Watch.objects.update(state="expired", ended_at=ada.now)

    shown = ada.press_data(f"w:again:{watch.pk}", 60)

    assert "When?" in shown.html
    for label in ("As soon", "Start watching"):
        ada.press(label)
    assert Watch.objects.filter(state="active").count() == 1


def test_why_shows_the_watch_behind_the_news(ada: Person, watch: Watch) -> None:
    shown = ada.press_data(f"w:why:{watch.pk}", 60)

    assert "because of this search" in shown.html
    count = len(ada.messages)
    ada.press_data(f"w:why:{watch.pk}", 60)
    assert len(ada.messages) == count


def test_what_is_free_now_can_be_pressed(ada: Person, watch: Watch, town: Town) -> None:
    SlotFactory(search=watch.search, office=town.offices[0], now=ada.now)
    ada.say("/watches")

    shown = ada.press("Familie")

    assert "Right now free" in shown.html
    assert any("25 Nov" in label for label in shown.labels)


def test_the_profile_shows_changes_and_erases_the_data(ada: Person) -> None:
    ada.begin().say("/profile")
    ada.press("Change name")
    assert "Ada Lovelace" in ada.say("Ada Lovelace").html
    ada.press("Change e-mail")
    ada.say("ada@example.org")
    ada.press("Change telephone")
    assert "0891234567" in ada.say("089 / 123 45-67").html

    ada.press("Erase this data")
    assert Subscriber.objects.get().email == "ada@example.org"
    shown = ada.press("Yes, erase")

    assert "Erased" in shown.html
    person = Subscriber.objects.get()
    assert (person.family_name, person.email, person.telephone, person.contact_consented_at) == (
        "",
        "",
        "",
        None,
    )


def test_contact_data_never_stand_in_the_dialogue(ada: Person) -> None:
    ada.begin().say("/profile")
    ada.press("Change name")
    ada.say("Ada Lovelace")

    assert "Lovelace" not in str(ada.chat.dialogue)


def test_a_test_message_goes_the_way_of_the_news_once_a_minute(ada: Person) -> None:
    ada.begin().say("/settings")
    for _press in range(10):
        ada.press("Send a test message")

    assert OutboxMessage.objects.get().kind == "test_message"


def test_status_tells_in_plain_words(ada: Person, watch: Watch) -> None:
    shown = ada.say("/status")

    assert "I watch 1 search for you." in shown.html
    assert "Not yet. I have just started." in shown.html


def test_a_watch_that_cannot_look_says_as_of_when(ada: Person, watch: Watch) -> None:
    slot = SlotFactory(
        search=watch.search, office=watch.offices.first().office, now=ada.now - timedelta(hours=2)
    )
    PollTarget.objects.create(
        search=watch.search, kind="sweep", next_due_at=ada.now, answered_at=ada.now - timedelta(hours=2)
    )
    ada.say("/watches")

    known = ada.press("Familie").html
    slot.delete()
    ada.say("/watches")
    nothing = ada.press("Familie").html

    as_of = show_time(ada.now - timedelta(hours=2))
    assert f"I cannot look right now. As of {as_of} was free:" in known
    assert f"I cannot look right now. As of {as_of} nothing was free." in nothing
