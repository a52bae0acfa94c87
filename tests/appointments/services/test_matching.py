"""Who is told of a slot, who gets it, and when not."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from appointments.models import Booking, OutboxMessage, Slot, Subscriber, Watch, WatchOffice
from appointments.selectors.watches import MUNICH, accepts_time
from appointments.services.matching import match_slots, matching_watches
from appointments.services.subscribers import pause_subscriber
from appointments.services.watches import renew_windows, snooze_watch, spread_watch, wake_snoozed
from tests.factories import (
    OfferingFactory,
    OfficeFactory,
    SearchFactory,
    ServiceFactory,
    SlotFactory,
    SubscriberFactory,
    WatchFactory,
)

# Monday, noon in Munich.
NOW = datetime(2026, 10, 19, 10, 0, tzinfo=UTC)
MORNING = ((0b1111111, 8 * 60, 12 * 60),)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


def at(day: str, time: str, fold: int = 0) -> datetime:
    """That moment by Munich's clocks."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=MUNICH, fold=fold)


class Town:
    """One search at two offices."""

    def __init__(self) -> None:
        self.offices = [OfficeFactory(), OfficeFactory()]
        self.service = ServiceFactory(offices=self.offices)
        self.search = SearchFactory(main_service=self.service, now=NOW)

    def watch(self, *, now: datetime = NOW, who: Subscriber | None = None, **fields: object) -> Watch:
        chosen = fields.pop("chosen", self.offices[:1])
        return WatchFactory(
            search=self.search,
            now=now,
            subscriber=who or SubscriberFactory(known=True, now=now),
            chosen=chosen,
            **fields,
        )

    def slot(self, starts_at: datetime, office: int = 0, *, now: datetime = NOW) -> Slot:
        return SlotFactory(search=self.search, office=self.offices[office], starts_at=starts_at, now=now)

    def match(self, *slots: Slot, now: datetime = NOW) -> None:
        match_slots(self.search, slots, now=now)


@pytest.fixture
def town() -> Town:
    return Town()


def told() -> list[list[int]]:
    return [m.payload["slots"] for m in OutboxMessage.objects.filter(kind="slots_opened").order_by("pk")]


@pytest.mark.parametrize(
    ("fields", "starts", "accepted"),
    [
        ({}, ("2026-10-22", "09:00"), True),
        ({"date_from": date(2026, 10, 22)}, ("2026-10-21", "23:30"), False),
        ({"date_from": date(2026, 10, 22)}, ("2026-10-22", "00:00"), True),
        ({"date_to": date(2026, 10, 22)}, ("2026-10-22", "23:59"), True),
        ({"date_to": date(2026, 10, 22)}, ("2026-10-23", "00:00"), False),
        ({"rolling_days": 3}, ("2026-10-22", "18:00"), True),
        ({"rolling_days": 3}, ("2026-10-23", "08:00"), False),
        ({"rolling_days": 0}, ("2026-10-19", "18:00"), True),
        ({}, ("2027-04-17", "09:00"), True),
        ({}, ("2027-04-18", "09:00"), False),
        ({"hours": [[0b0001000, 0, 1440]]}, ("2026-10-22", "09:00"), True),  # Thursday
        ({"hours": [[0b0000100, 0, 1440]]}, ("2026-10-22", "09:00"), False),
        ({"hours": [[127, 540, 720]]}, ("2026-10-22", "09:00"), True),
        ({"hours": [[127, 540, 720]]}, ("2026-10-22", "08:59"), False),
        ({"hours": [[127, 540, 720]]}, ("2026-10-22", "12:00"), False),
        ({"hours": [[127, 540, 720]]}, ("2026-10-22", "11:59"), True),
        ({"hours": [[1, 0, 600], [8, 600, 1440]]}, ("2026-10-22", "11:00"), True),
        ({"hours": [[1, 0, 600], [8, 600, 1440]]}, ("2026-10-26", "11:00"), False),
        ({"minimum_notice_minutes": 180}, ("2026-10-19", "14:59"), False),
        ({"minimum_notice_minutes": 180}, ("2026-10-19", "15:00"), True),
        # The clocks go back on 25 October 2026 and forward on 28 March 2027: the wall clock counts.
        ({"hours": [[127, 480, 540]]}, ("2026-10-25", "08:00"), True),
        ({"hours": [[127, 480, 540]]}, ("2026-10-25", "07:59"), False),
        ({"hours": [[127, 480, 540]]}, ("2026-10-26", "08:00"), True),
        ({"hours": [[127, 480, 540]]}, ("2027-03-28", "08:00"), True),
        ({"hours": [[127, 480, 540]]}, ("2027-03-28", "09:00"), False),
        ({"hours": [[64, 0, 1440]]}, ("2026-10-25", "23:59"), True),
        ({"hours": [[64, 0, 1440]]}, ("2027-03-28", "00:00"), True),
        ({"date_to": date(2026, 10, 25)}, ("2026-10-25", "23:30"), True),
        ({"date_to": date(2027, 3, 28)}, ("2027-03-29", "00:00"), False),
    ],
)
def test_days_weekdays_hours_and_notice(
    town: Town, fields: dict[str, object], starts: tuple[str, str], accepted: bool
) -> None:
    watch = town.watch(**fields)
    slot = town.slot(at(*starts))

    town.match(slot)

    assert told() == ([[slot.pk]] if accepted else [])
    assert accepts_time(watch, slot.starts_at, now=NOW) is accepted


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_belongs_to_the_same_window(town: Town, fold: int) -> None:
    town.watch(hours=[[127, 120, 180]])
    slot = town.slot(at("2026-10-25", "02:30", fold))

    town.match(slot)

    assert told() == [[slot.pk]]


def test_other_offices_and_other_searches_are_not_told(town: Town) -> None:
    town.watch()
    WatchFactory(now=NOW, search=SearchFactory(now=NOW), chosen=town.offices)

    town.match(town.slot(at("2026-10-22", "09:00"), office=1))

    assert told() == []


def test_who_is_paused_snoozed_or_has_not_agreed_is_not_told(town: Town) -> None:
    paused = SubscriberFactory(now=NOW)
    pause_subscriber(paused, "staff", now=NOW)
    town.watch(who=paused)
    town.watch(who=SubscriberFactory(new=True, now=NOW))
    town.watch(paused=True)
    town.watch(deleted=True)
    snooze_watch(town.watch(), NOW + timedelta(hours=1), now=NOW)

    town.match(town.slot(at("2026-10-22", "09:00")))

    assert told() == []


def test_who_wakes_is_told_what_is_free_once(town: Town) -> None:
    watch = town.watch()
    snooze_watch(watch, NOW + timedelta(minutes=5), now=NOW)
    slot = town.slot(at("2026-10-22", "09:00"))
    town.match(slot)

    early = wake_snoozed(now=NOW + timedelta(minutes=4))
    woken = wake_snoozed(now=NOW + timedelta(minutes=5))
    again = wake_snoozed(now=NOW + timedelta(minutes=6))

    assert (early, woken, again) == (0, 1, 0)
    assert told() == [[slot.pk]]


def test_one_message_names_six_slots_and_counts_the_rest(town: Town) -> None:
    town.watch()
    slots = [town.slot(at("2026-10-22", f"{hour:02}:00")) for hour in range(17, 7, -1)]

    town.match(*slots)

    message = OutboxMessage.objects.get()
    soonest = sorted(slots, key=lambda slot: slot.starts_at)
    assert message.payload == {"slots": [slot.pk for slot in soonest[:6]], "more": 4}


def test_one_burst_is_one_message_per_watch(town: Town) -> None:
    for _watch in range(3):
        town.watch(chosen=town.offices)

    town.match(town.slot(at("2026-10-22", "09:00")), town.slot(at("2026-10-22", "09:00"), office=1))

    assert [len(slots) for slots in told()] == [2, 2, 2]


def test_distinct_slots_go_to_distinct_people_by_priority_then_waiting(town: Town) -> None:
    latest = town.watch(holding=True, now=NOW)
    first = town.watch(holding=True, now=NOW - timedelta(hours=2))
    preferred = town.watch(
        holding=True, now=NOW - timedelta(minutes=1), who=SubscriberFactory(known=True, now=NOW, priority=5)
    )
    slots = [town.slot(at("2026-10-22", f"{hour:02}:00")) for hour in (9, 10, 11)]

    town.match(*slots)

    got = {booking.watch_id: booking.starts_at for booking in Booking.objects.all()}
    assert got == {
        preferred.pk: slots[0].starts_at,
        first.pk: slots[1].starts_at,
        latest.pk: slots[2].starts_at,
    }


def test_a_time_is_tried_by_one_person_until_more_places_are_known(town: Town) -> None:
    for number in range(5):
        town.watch(holding=True, now=NOW - timedelta(hours=number))

    town.match(town.slot(at("2026-10-22", "09:00")))

    assert Booking.objects.count() == 1


def test_who_has_two_watches_gets_one_slot(town: Town) -> None:
    who = SubscriberFactory(known=True, now=NOW)
    town.watch(holding=True, who=who)
    town.watch(holding=True, who=who)

    town.match(*(town.slot(at("2026-10-22", f"{hour:02}:00")) for hour in (9, 10)))

    assert Booking.objects.count() == 1


def test_who_is_served_already_is_neither_told_nor_served(town: Town) -> None:
    who = SubscriberFactory(known=True, now=NOW)
    town.watch(holding=True, who=who)
    town.match(town.slot(at("2026-10-22", "09:00")))
    town.watch(who=who)

    town.match(town.slot(at("2026-10-22", "10:00")))

    assert Booking.objects.count() == 1
    assert told() == []


def test_the_soonest_slot_counts_and_then_the_office_liked_better(town: Town) -> None:
    second, first = town.offices
    town.watch(holding=True, chosen=[first, second])
    nine_at_second = town.slot(at("2026-10-22", "09:00"), office=0)
    nine_at_first = town.slot(at("2026-10-22", "09:00"), office=1)
    eight_at_second = town.slot(at("2026-10-22", "08:00"), office=0)

    town.match(nine_at_second, nine_at_first)
    choice = Booking.objects.get()
    Booking.objects.all().delete()
    town.match(nine_at_second, nine_at_first, eight_at_second)

    assert choice.office == first
    assert Booking.objects.get().starts_at == eight_at_second.starts_at


def test_a_rolling_window_moves_at_midnight_and_tells_what_came_in(town: Town) -> None:
    watch = town.watch(rolling_days=3)
    inside = town.slot(at("2026-10-22", "09:00"))
    outside = town.slot(at("2026-10-23", "09:00"))
    town.match(inside, outside)
    midnight = at("2026-10-20", "00:00")
    Slot.objects.update(seen_at=midnight)

    renew_windows(now=midnight - timedelta(minutes=1))
    before = told()
    renew_windows(now=midnight + timedelta(minutes=1))
    renew_windows(now=midnight + timedelta(minutes=61))

    assert before == [[inside.pk]]
    assert told() == [[inside.pk], [outside.pk]]
    assert watch.offices.get().date_to == date(2026, 10, 23)


def test_a_rolling_window_counts_days_over_the_change_of_clocks(town: Town) -> None:
    now = at("2026-10-24", "23:30").astimezone(UTC)
    watch = town.watch(rolling_days=1, now=now)

    assert watch.window(now.astimezone(MUNICH).date()) == (date(2026, 10, 24), date(2026, 10, 25))
    later = now + timedelta(hours=1)
    assert later.astimezone(MUNICH).date() == date(2026, 10, 25)
    slot = town.slot(at("2026-10-26", "09:00"), now=later)
    renew_windows(now=later)
    town.match(slot, now=later)
    assert [slot.pk] in told()


def test_a_watch_whose_last_day_is_over_ends_and_says_so(town: Town) -> None:
    watch = town.watch(date_to=date(2026, 10, 19))

    same_day = renew_windows(now=at("2026-10-19", "23:59"))
    next_day = renew_windows(now=at("2026-10-20", "00:00"))

    watch.refresh_from_db()
    assert (same_day, next_day, watch.state) == (0, 1, Watch.State.EXPIRED)
    assert [m.kind for m in OutboxMessage.objects.all()] == ["watch_expired"]
    assert renew_windows(now=at("2026-10-20", "01:00")) == 0


def test_who_takes_any_office_takes_new_ones_too(town: Town) -> None:
    everywhere = town.watch(any_office=True)
    spread_watch(everywhere, town.offices, now=NOW)
    chosen = town.watch()
    fresh = OfficeFactory()
    OfferingFactory(service=town.service, office=fresh)

    renew_windows(now=NOW)

    assert fresh.pk in set(everywhere.offices.values_list("office_id", flat=True))
    assert fresh.pk not in set(chosen.offices.values_list("office_id", flat=True))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plan")
def test_matching_reads_only_its_index(town: Town) -> None:
    for _watch in range(3):
        town.watch()
    slot = town.slot(at("2026-10-22", "09:00"))
    with connection.execute_wrapper(Listener()) as _wrapped:
        matching_watches(town.search, [slot], now=NOW)
    sql, params = Listener.heard[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())

    assert "USING COVERING INDEX watch_office_match" in plan
    assert "TEMP B-TREE" not in plan


class Listener:
    """Keeps the statements that pass."""

    heard: list[tuple[str, tuple[object, ...]]] = []

    def __call__(self, execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        self.heard.append((sql, tuple(params or ())))
        return execute(sql, params, many, context)


def test_matching_asks_once_per_office_and_day(town: Town, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for _watch in range(20):
        town.watch(chosen=town.offices)
    slots = [town.slot(at("2026-10-22", f"{hour:02}:{minute:02}")) for hour in (9, 10) for minute in (0, 30)]

    with django_assert_num_queries(1):
        matching_watches(town.search, slots, now=NOW)


def test_lines_of_ended_watches_are_never_read(town: Town) -> None:
    town.watch(deleted=True)

    assert not WatchOffice.objects.filter(active=True).exists()
    assert matching_watches(town.search, [town.slot(at("2026-10-22", "09:00"))], now=NOW) == {}
