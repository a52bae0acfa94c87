"""Moving an appointment by thumb: told before, asked once, done once."""

from datetime import timedelta

import pytest

from appointments.models import Booking, Watch
from appointments.selectors.moving import MAIL_LIMIT
from appointments.services.improving import start_improving
from bot.booking_screens import booking_screen
from bot.effects import keyboard_of
from bot.news import render_news
from tests.bot.conftest import Person, Town
from tests.factories import BookingFactory, OutboxMessageFactory, SlotFactory, WatchFactory
from tests.factories.watching import local

pytestmark = pytest.mark.django_db


@pytest.fixture
def booked(ada: Person, town: Town) -> Booking:
    """Ada has an appointment in two weeks at Ruppertstraße, and the message about it."""
    ada.begin()
    return book(ada, town)


def book(person: Person, town: Town, **state: object) -> Booking:
    watch = WatchFactory(
        subscriber=person.chat.subscriber,
        search__main_service=town.registration,
        deleted=True,
        now=person.now,
    )
    booking = BookingFactory(
        subscriber=person.chat.subscriber,
        watch=watch,
        search=watch.search,
        office=town.offices[0],
        starts_at=local(person.now, 14, 11),
        now=person.now,
        **(state or {"confirmed": True}),
    )
    show(person, booking)
    return booking


def show(person: Person, booking: Booking) -> int:
    screen = booking_screen(booking, person.now)
    return person.receive(screen.html, keyboard_of(screen.rows))


def free(person: Person, booking: Booking, town: Town, days: int, office: int = 0):
    return SlotFactory(
        search=booking.search,
        office=town.offices[office],
        starts_at=local(person.now, days, 9, 10),
        now=person.now,
    )


def names(tasks) -> list[str]:
    return [name for name, _args in tasks]


def test_what_will_happen_to_the_present_appointment_is_said_before_anything_happens(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    """Wish 28: tell me before what will happen to my present booking."""
    free(ada, booked, town, 3)
    ada.press("Move")

    shown = ada.press("09:10")

    assert "Mon 7 Dec, 11:00" in shown.html
    assert "Thu 26 Nov, 09:10" in shown.html
    assert "I book the new one first. The old one goes back only when the new one is confirmed." in shown.html
    assert Booking.objects.count() == 1
    assert "reserve_appointment" not in names(tasks)


def test_after_the_yes_the_new_time_is_tried_once_whatever_is_pressed(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    slot = free(ada, booked, town, 3)
    ada.press("Move")
    ada.press("09:10")
    ada.press("Yes, move")
    for _press in range(5):
        ada.press_data(f"mv:{booked.pk}:{slot.pk}:1", 60)

    new = Booking.objects.get(replaces=booked)
    assert (new.wish, new.starts_at, new.changes) == ("book", slot.starts_at, 1)
    assert names(tasks).count("reserve_appointment") == 1
    booked.refresh_from_db()
    assert (booked.state, booked.wish) == ("confirmed", "book")


def test_a_yes_that_nobody_was_asked_for_moves_nothing(ada: Person, town: Town, booked: Booking) -> None:
    slot = free(ada, booked, town, 3)

    shown = ada.press_data(f"mv:{booked.pk}:{slot.pk}:1", 60)

    assert "Move your appointment?" in shown.html
    assert Booking.objects.count() == 1


def test_a_no_leaves_everything_as_it_is(ada: Person, town: Town, booked: Booking, tasks) -> None:
    free(ada, booked, town, 3)
    ada.press("Move")
    ada.press("09:10")

    shown = ada.press("No")

    assert "Confirmed by the city" in shown.html
    assert Booking.objects.count() == 1


def test_where_no_time_is_known_somebody_looks_and_the_bot_itself_never_asks_the_city(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    shown = ada.press("Move")

    assert "I am looking at all offices now" in shown.html
    assert tasks.count(("look_for_times", (booked.pk,))) == 1
    ada.press("Look again")
    assert ada.toasts[-1] == "I looked less than a minute ago."
    assert names(tasks).count("look_for_times") == 1


def test_what_the_look_found_can_be_pressed(ada: Person, town: Town, booked: Booking) -> None:
    free(ada, booked, town, 3)
    message = OutboxMessageFactory(
        subscriber=booked.subscriber, kind="move_times", booking=booked, payload={"why": ""}, now=ada.now
    )
    screen = render_news(message, ada.now).screen
    ada.receive(screen.html, keyboard_of(screen.rows))

    assert "Move your appointment?" in ada.press("09:10").html


def test_a_look_that_failed_is_said_with_the_reason(ada: Person, town: Town, booked: Booking) -> None:
    message = OutboxMessageFactory(
        subscriber=booked.subscriber,
        kind="move_times",
        booking=booked,
        payload={"why": "gateClosed"},
        now=ada.now,
    )

    html = render_news(message, ada.now).screen.html

    assert "I could not look: it asks us to slow down." in html
    assert "Nothing is free" not in html


def test_many_times_have_pages_and_liked_offices_come_first(ada: Person, town: Town, booked: Booking) -> None:
    for days in range(2, 12):
        free(ada, booked, town, days, office=1)
    free(ada, booked, town, 13)

    shown = ada.press("Move")
    assert "Ruppertstraße" in shown.labels[0]
    assert "1/2" in shown.labels
    shown = ada.press("›")

    assert "2/2" in shown.labels
    assert sum("09:10" in label for label in shown.labels) == 3


def test_a_time_that_went_meanwhile_is_said_so(ada: Person, town: Town, booked: Booking) -> None:
    slot = free(ada, booked, town, 3)
    ada.press("Move")
    slot.gone_at = ada.now
    slot.save()

    ada.press("09:10")

    assert ada.toasts[-1] == "This time is gone."
    assert Booking.objects.count() == 1


def test_an_office_with_one_appointment_per_address_is_said_before(
    ada: Person, town: Town, booked: Booking
) -> None:
    town.offices[0].appointments_per_mail = 1
    town.offices[0].save()
    free(ada, booked, town, 3)
    ada.press("Move")

    assert "only one appointment for one e-mail address" in ada.press("09:10").html


def test_a_free_time_for_what_one_has_already_is_offered_as_a_move(
    ada: Person, town: Town, booked: Booking
) -> None:
    watch = WatchFactory(subscriber=booked.subscriber, search=booked.search, now=ada.now)
    slot = free(ada, booked, town, 3)

    shown = ada.press_data(f"b:{slot.pk}:{watch.pk}", 60)

    assert "Move your appointment?" in shown.html
    ada.press("Yes, move")
    assert Booking.objects.get(replaces=booked).starts_at == slot.starts_at


def test_while_one_move_runs_it_is_shown_instead_of_a_second(
    ada: Person, town: Town, booked: Booking
) -> None:
    free(ada, booked, town, 3)
    ada.press("Move")
    ada.press("09:10")
    ada.press("Yes, move")

    shown = ada.press_data(f"ma:times:{booked.pk}", 60)

    assert ada.toasts[-1] == "I am already at it."
    assert "I am asking the city for this time" in shown.html
    assert "Your appointment stands: <b>Mon 7 Dec, 11:00</b>" in shown.html


def test_somebody_elses_appointment_is_not_known(
    ada: Person, jakob: Person, town: Town, booked: Booking
) -> None:
    jakob.begin()
    slot = free(ada, booked, town, 3)

    for data in (f"ma:times:{booked.pk}", f"mv:{booked.pk}:{slot.pk}:1", f"ma:earlier:{booked.pk}"):
        jakob.press_data(data, 60)
        assert jakob.toasts[-1] == "Dieser Termin ist hier nicht mehr bekannt."

    assert Booking.objects.count() == 1


# --- The other order ---------------------------------------------------------------------------------------


def other_order(person: Person, old: Booking, town: Town) -> Booking:
    slot = free(person, old, town, 3)
    new = BookingFactory(
        subscriber=old.subscriber,
        slot=slot,
        reserved=True,
        replaces=old,
        moved_from=old,
        reason=MAIL_LIMIT,
        answer_until=person.now + timedelta(minutes=12),
        now=person.now,
    )
    show(person, new)
    return new


def test_the_other_order_is_explained_and_needs_the_explicit_yes(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    """Wish 6: the old one was cancelled and the new one failed: I have none."""
    new = other_order(ada, booked, town)
    assert "If that fails, you have no appointment." in ada.newest.html
    assert ada.newest.labels[0] == "No, keep the old one"

    ada.press("Yes, cancel the old one first")

    booked.refresh_from_db()
    new.refresh_from_db()
    assert (booked.wish, booked.reason, new.cancel_first) == ("release", "replaced_first", True)
    assert ("cancel_appointment", (booked.pk,)) in tasks
    assert "The old one is cancelled first, as you said." in ada.newest.html


def test_no_keeps_the_old_one(ada: Person, town: Town, booked: Booking) -> None:
    new = other_order(ada, booked, town)

    ada.press("No, keep the old one")

    booked.refresh_from_db()
    new.refresh_from_db()
    assert (booked.wish, new.wish, new.reason) == ("book", "release", "kept_old")


def test_a_late_yes_shows_where_things_stand(ada: Person, town: Town, booked: Booking) -> None:
    other_order(ada, booked, town)
    ada.later(minutes=13)

    ada.press("Yes, cancel the old one first")

    booked.refresh_from_db()
    assert booked.wish == "book"
    assert ada.toasts[-1] == "Here is where it stands."


# --- Looking for something earlier -------------------------------------------------------------------------


def test_an_earlier_one_is_looked_for_with_the_chosen_settings(ada: Person, booked: Booking) -> None:
    """Wish 7: do not burn my limited changes: a ceiling, a minimum gain, a stop."""
    shown = ada.press("Find me an earlier one")
    assert "Earlier by at least: <b>1 day</b>" in shown.html
    ada.press("7 days")
    ada.press("1 change")
    shown = ada.press("Swap it for me")
    assert "I swap by myself, without asking." in shown.html

    shown = ada.press("Start looking")

    watch = Watch.objects.get(improve=True)
    assert (watch.improves, watch.improve_gain_days, watch.improve_most_changes, watch.mode) == (
        booked,
        7,
        1,
        "auto",
    )
    assert "I look for something earlier than Mon 7 Dec, 11:00." in shown.html
    assert "Your appointment stays until then." in shown.html


def test_settings_of_a_running_search_are_shown_changed_and_stopped(ada: Person, booked: Booking) -> None:
    start_improving(booked, gain_days=3, more_changes=2, mode="notify", now=ada.now)
    shown = ada.press("Find me an earlier one")
    assert "✓ 3 days" in shown.labels
    ada.press("14 days")
    ada.press("Save")
    assert Watch.objects.get(improve=True).improve_gain_days == 14

    ada.press_data(f"ma:earlier:{booked.pk}", 60)
    ada.press("Look for no other time")

    assert Watch.objects.get(improve=True).ended_at is not None
    assert ada.toasts[-1] == "I look for nothing earlier any more."


def test_an_appointment_too_near_for_the_gain_is_said_so(ada: Person, booked: Booking) -> None:
    ada.later(days=12)
    ada.press("Find me an earlier one")
    ada.press("7 days")

    shown = ada.press("Start looking")

    assert "too near" in shown.html
    assert not Watch.objects.filter(improve=True).exists()


def earlier_held(person: Person, old: Booking, town: Town) -> Booking:
    watch = start_improving(old, gain_days=1, more_changes=2, mode="hold", now=person.now)
    slot = free(person, old, town, 12)
    new = BookingFactory(
        subscriber=old.subscriber, watch=watch, slot=slot, reserved=True, replaces=old, now=person.now
    )
    show(person, new)
    return new


def test_a_held_earlier_time_says_instead_of_what_and_is_swapped_by_one_press(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    Booking.objects.filter(pk=booked.pk).update(family_name="Ada Lovelace", email="ada@example.org")
    booked.refresh_from_db()
    new = earlier_held(ada, booked, town)
    Booking.objects.filter(pk=new.pk).update(family_name="Ada Lovelace", email="ada@example.org")
    for part in ("Earlier time found", "Instead of Mon 7 Dec, 11:00", "I hold it until"):
        assert part in ada.newest.html
    assert ada.newest.labels == ["✅ Yes, swap", "No", "Only if 7+ days earlier"]

    ada.press("Yes, swap")

    new.refresh_from_db()
    assert new.wish == "book"
    assert ("send_booking", (new.pk,)) in tasks
    assert ada.toasts[-1] == "I book the new time first."


def test_only_if_seven_days_earlier_gives_it_back_and_says_so(
    ada: Person, town: Town, booked: Booking
) -> None:
    new = earlier_held(ada, booked, town)

    ada.press("Only if 7+ days earlier")

    new.refresh_from_db()
    assert (new.wish, new.reason) == ("release", "small_gain")
    assert Watch.objects.get(improve=True).improve_gain_days == 7
    assert ada.toasts[-1] == "Only 7 days or more from now on."


def test_a_told_earlier_time_leads_to_the_question_not_to_a_hold(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    watch = start_improving(booked, gain_days=1, more_changes=2, mode="notify", now=ada.now)
    slot = free(ada, booked, town, 3)
    message = OutboxMessageFactory(
        subscriber=booked.subscriber,
        kind="slots_opened",
        watch=watch,
        payload={"slots": [slot.pk]},
        now=ada.now,
    )
    screen = render_news(message, ada.now).screen
    ada.receive(screen.html, keyboard_of(screen.rows))
    assert "Earlier time found" in screen.html
    assert "Instead of Mon 7 Dec, 11:00" in screen.html

    shown = ada.press("09:10")

    assert "Move your appointment?" in shown.html
    assert "reserve_appointment" not in names(tasks)


def test_a_watch_that_improves_says_what_and_by_which_rules(ada: Person, booked: Booking) -> None:
    watch = start_improving(booked, gain_days=3, more_changes=2, mode="hold", now=ada.now)

    shown = ada.press_data(f"w:open:{watch.pk}", 60)

    assert "Earlier by at least 3 days, and 2 changes left." in shown.html
    assert "Gain and changes …" in shown.labels


# --- What is said afterwards --------------------------------------------------------------------------------


def moved(person: Person, old: Booking, town: Town, **fields: object) -> Booking:
    return BookingFactory(
        subscriber=old.subscriber,
        slot=free(person, old, town, 3),
        confirmed=True,
        moved_from=old,
        now=person.now,
        **fields,
    )


def test_both_ends_of_a_move_are_told_as_they_are(ada: Person, town: Town, booked: Booking) -> None:
    Booking.objects.filter(pk=booked.pk).update(wish="release", reason="replaced")
    booked.refresh_from_db()
    new = moved(ada, booked, town, replaces=booked)
    screen = booking_screen(new, ada.now)
    assert "I am giving the old one back: Mon 7 Dec, 11:00." in screen.html

    Booking.objects.filter(pk=booked.pk).update(state="cancelled", ended_at=ada.now)
    Booking.objects.filter(pk=new.pk).update(replaces=None)
    message = OutboxMessageFactory(subscriber=new.subscriber, kind="old_given_back", booking=new, now=ada.now)
    message.booking.refresh_from_db()

    assert "The old one is given back: Mon 7 Dec, 11:00." in render_news(message, ada.now).screen.html


@pytest.mark.parametrize("why", ["silence", "person", "refused", "mail_limit", "unclear", "kept_old"])
def test_whatever_failed_the_old_one_that_stands_is_named(
    ada: Person, town: Town, booked: Booking, why: str
) -> None:
    new = BookingFactory(
        subscriber=booked.subscriber,
        slot=free(ada, booked, town, 3),
        cancelled=True,
        replaces=booked,
        moved_from=booked,
        reason=why,
        now=ada.now,
    )
    message = OutboxMessageFactory(
        subscriber=new.subscriber, kind="hold_released", booking=new, payload={"why": why}, now=ada.now
    )

    html = render_news(message, ada.now).screen.html

    assert "Your appointment stands: <b>Mon 7 Dec, 11:00</b>, Bürgerbüro Ruppertstraße." in html


@pytest.mark.parametrize(
    "state", ["reserved", "preconfirmed", "confirmed", "unnamed", "confirming", "reserving"]
)
def test_every_screen_of_something_that_stands_lets_one_give_it_back(
    ada: Person, town: Town, state: str
) -> None:
    ada.begin()
    booking = book(ada, town, **{state: True})

    labels = booking_screen(booking, ada.now).rows

    acts = [
        button.data.act for row in labels for button in row if button.data and hasattr(button.data, "act")
    ]
    assert "release" in acts


def test_the_reminder_lets_one_give_it_back_after_a_question_with_its_real_effect(
    ada: Person, town: Town, booked: Booking, tasks
) -> None:
    message = OutboxMessageFactory(
        subscriber=booked.subscriber, kind="reminder_day", booking=booked, now=ada.now
    )
    screen = render_news(message, ada.now).screen
    ada.receive(screen.html, keyboard_of(screen.rows))

    shown = ada.press("I can't come: give it back")
    assert "others can book it some minutes later" in shown.html
    assert "cancel_appointment" not in names(tasks)
    ada.press("Yes, give it back")

    assert ("cancel_appointment", (booked.pk,)) in tasks
