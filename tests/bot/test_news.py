"""Every kind of news, in both languages, whatever people and offices are called."""

from datetime import timedelta

import pytest
from django.utils import translation

from appointments.models import Booking, CatalogueChange, OutboxMessage, Slot
from appointments.selectors.moving import MAIL_LIMIT
from bot.effects import keyboard_of
from bot.messages import fit, visible_length
from bot.news import KINDS, News, NothingToTell, render_news
from termin_project.sandbox.telegram.entities import parse_html
from tests.bot.conftest import Town
from tests.factories import (
    BookingFactory,
    ChatFactory,
    OfficeFactory,
    OutboxMessageFactory,
    SlotFactory,
    SubscriberFactory,
    WatchFactory,
)

pytestmark = pytest.mark.django_db
HOSTILE = 'Büro </b><a href="tg://x">&amp; {{ name }} %(x)s " \' 𝕏 <script>'
# The state in which a message of the kind has something to tell.
STATE = {
    "captcha_wanted": "requested",
    "appointment_reserved": "reserved",
    "hold_ending": "reserved",
    "hold_released": "cancelled",
    "hold_lapsed": "lapsed",
    "details_needed": "reserved",
    "contact_refused": "reserved",
    "mail_limit": "reserved",
    "check_mail": "preconfirmed",
    "not_confirmed_yet": "preconfirmed",
    "activation_ending": "preconfirmed",
    "activation_lapsed": "lapsed",
    "appointment_confirmed": "confirmed",
    "appointment_cancelled": "cancelled",
    "appointment_gone": "cancelled",
    "slot_taken": "failed",
    "booking_failed": "failed",
    "booking_uncertain": "unnamed",
    "booking_settled": "lapsed",
    "reminder_day": "confirmed",
    "reminder_hours": "confirmed",
    "visit_over": "confirmed",
    "mail_limit_ahead": "confirmed",
    "appointment_moved": "confirmed",
    "old_given_back": "confirmed",
    "two_stand": "confirmed",
    "move_mail_limit": "reserved",
    "old_gone_meanwhile": "reserved",
    "nothing_left": "lapsed",
    "move_times": "confirmed",
    "appointment_imported": "confirmed",
    "import_failed": "confirmed",
    "veto": "reserved",
}
# News about a booking that takes the place of another one.
INSTEAD = ("appointment_moved", "old_given_back", "two_stand", "move_mail_limit", "nothing_left")


def message_of(kind: str, town: Town, now, state: str | None = None, **payload: object) -> OutboxMessage:
    person = SubscriberFactory(known=True, now=now)
    ChatFactory(subscriber=person)
    watch = WatchFactory(subscriber=person, search__main_service=town.registration, mode="hold", now=now)
    slots = [
        SlotFactory(search=watch.search, office=office, now=now, number=number)
        for number, office in enumerate(town.offices)
    ]
    state = state or STATE.get(kind)
    booking = None
    if state:
        fields: dict[str, object] = {} if state == "requested" else {state: True}
        if kind in INSTEAD:
            old = BookingFactory(confirmed=True, subscriber=person, slot=slots[1], now=now)
            fields |= {"replaces": old, "moved_from": old}
        if kind == "move_mail_limit":
            fields["reason"] = MAIL_LIMIT
        booking = BookingFactory(subscriber=person, watch=watch, slot=slots[0], now=now, **fields)
    renamed = CatalogueChange.objects.create(
        kind="renamed",
        service=town.registration,
        before={"name": HOSTILE},
        after={"name": town.registration.name},
        at=now,
    )
    full = {
        "changes": [renamed.pk],
        "slots": [slot.pk for slot in slots],
        "fields": ["family_name", "email"],
        "field": "email",
        "why": "silence",
        "reason": "timeout",
        "subject": "watching",
        "since": now.isoformat(),
        "until": now.isoformat(),
        "minutes": 5,
        "next": None,
    }
    return OutboxMessageFactory(
        subscriber=person, kind=kind, booking=booking, watch=watch, payload=full | payload, now=now
    )


def render(message: OutboxMessage, now, language: str = "en") -> News:
    with translation.override(language):
        return render_news(message, now)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_html_that_telegram_takes_with_hostile_names(
    kind: str, language: str, town: Town, now
) -> None:
    for office in town.offices:
        office.name, office.street, office.information = HOSTILE, HOSTILE, HOSTILE * 20
        office.save()
    town.registration.name = HOSTILE
    town.registration.save()

    news = render(message_of(kind, town, now), now, language)

    plain, _entities = parse_html(news.screen.html)
    assert ("{{ name }}" in plain) == (
        kind not in ("test_message", "staff_alert", "holds_paused", "captcha_offer")
    )
    assert "\n\n\n" not in plain
    assert visible_length(news.screen.html) <= 4096
    for row in keyboard_of(news.screen.rows):
        assert row
        assert all(button["text"].strip() for button in row)
        assert all(len(button["callback_data"].encode()) <= 64 for button in row if "url" not in button)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_german_news_are_german(kind: str, town: Town, now) -> None:
    message = message_of(kind, town, now)

    assert render(message, now, "de").screen.html != render(message, now, "en").screen.html


def test_slots_are_grouped_and_offered_as_buttons(town: Town, now) -> None:
    message = message_of("slots_opened", town, now)

    screen = render(message, now).screen

    assert "3 free times" in screen.html
    assert "Seen at 09:00" in screen.html
    assert [len(row) for row in screen.rows[:3]] == [1, 1, 1]
    assert "Pasing" in screen.rows[1][0].text


def test_a_slot_that_went_is_struck_out_with_how_long_it_lasted(town: Town, now) -> None:
    message = message_of("slots_opened", town, now)
    gone = Slot.objects.order_by("pk").first()
    Slot.objects.filter(pk=gone.pk).update(gone_at=now + timedelta(minutes=2, seconds=10))

    screen = render(message, now + timedelta(minutes=3)).screen

    assert "2 free times" in screen.html
    assert "<s>" in screen.html
    assert "gone after 2 minutes" in screen.html
    assert len([row for row in screen.rows if "Nov" in row[0].text]) == 2


def test_when_all_are_gone_the_message_says_so(town: Town, now) -> None:
    message = message_of("slots_opened", town, now)
    Slot.objects.update(gone_at=now + timedelta(seconds=30))

    screen = render(message, now + timedelta(minutes=1)).screen

    assert "All gone. I keep watching." in screen.html
    assert not any("Nov" in button.text for row in screen.rows for button in row)


def test_a_countdown_tells_the_minutes_left(town: Town, now) -> None:
    message = message_of("hold_ending", town, now)
    Booking.objects.update(answer_until=now + timedelta(minutes=13))
    message.refresh_from_db()

    assert "5 minutes left" in render(message, now + timedelta(minutes=8)).screen.html


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("appointment_reserved", "cancelled"),
        ("hold_ending", "preconfirmed"),
        ("check_mail", "confirmed"),
        ("activation_ending", "confirmed"),
        ("appointment_confirmed", "cancelled"),
        ("details_needed", "lapsed"),
        ("booking_uncertain", "reserved"),
        ("reminder_day", "cancelled"),
    ],
)
def test_news_that_time_has_overtaken_are_not_told(kind: str, state: str, town: Town, now) -> None:
    with pytest.raises(NothingToTell):
        render(message_of(kind, town, now, state), now)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_the_confirmation_carries_an_exclamation_mark_and_files(kind: str, town: Town, now) -> None:
    news = render(message_of(kind, town, now), now)

    confirmed = ("appointment_confirmed", "appointment_moved", "appointment_imported")
    assert ("!" in news.screen.html) == (kind in (*confirmed, "old_given_back"))
    assert (news.files_of is not None) == (kind in confirmed)


def test_a_lost_race_names_the_next_attempt(town: Town, now) -> None:
    message = message_of("slot_taken", town, now)
    successor = BookingFactory(
        subscriber=message.subscriber, now=now, office=OfficeFactory(name="Bürgerbüro Giesing")
    )
    message.payload["next"] = successor.pk

    html = render(message, now).screen.html

    assert "went to someone else" in html
    assert "I am trying Wed 25 Nov, 15:20 at Bürgerbüro Giesing now" in html


def test_a_hold_on_the_way_to_the_city_offers_no_keep(town: Town, now) -> None:
    message = message_of("appointment_reserved", town, now)
    Booking.objects.update(wish="book")
    message.refresh_from_db()

    screen = render(message, now).screen

    assert "I am sending your data" in screen.html
    assert [button.text for row in screen.rows for button in row] == ["Release"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("rateLimitExceeded", "slow down"),
        ("serviceUnavailable", "maintenance"),
        ("timeout", "does not answer"),
        ("captchaInvalid", "captcha"),
        ("notUnderstood", "no sense"),
    ],
)
def test_being_blind_says_why_in_plain_words(code: str, words: str, town: Town, now) -> None:
    assert words in render(message_of("watch_blind", town, now, reason=code), now).screen.html


def test_the_address_is_masked(town: Town, now) -> None:
    html = render(message_of("check_mail", town, now), now).screen.html

    assert "a…@example.org" in html
    assert "ada@example.org" not in html


def test_a_text_that_is_too_long_loses_whole_lines_from_its_end() -> None:
    long = "\n".join(f"<b>line {number} &amp; more</b>" for number in range(1000))

    shorter = fit(long)

    assert visible_length(shorter) <= 4096
    assert shorter.endswith("</b>\n…")
    parse_html(shorter)


def test_one_endless_line_is_cut_outside_entities() -> None:
    shorter = fit("<b>" + "&amp;" * 3000 + "</b>")

    assert visible_length(shorter) <= 4096
    parse_html(shorter)


@pytest.mark.parametrize(("mode", "again"), [("auto", True), ("hold", True), ("notify", False)])
def test_a_place_given_back_for_another_address_says_what_comes_next(
    mode: str, again: bool, town: Town, now
) -> None:
    message = message_of("hold_released", town, now, why="other_address")
    message.booking.watch.mode = mode

    text = render(message, now).screen.html

    assert "because the address was wrong" in text
    assert ("I take it again" in text) == again
