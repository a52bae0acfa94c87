"""The dashboard: its figures, its cost, its drawing."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from appointments.charts import BASELINE, TOP, hour_chart, minute_chart
from appointments.limits import local_day
from appointments.models import Booking, BookingEvent, Call, CircuitBreaker, GateState, Sighting, StaffAlert
from appointments.selectors.dashboard import overview
from appointments.selectors.traffic import percentile
from appointments.services.counting import count_calls
from appointments.services.health import beat
from appointments.states import BookingState
from tests.appointments.web.conftest import everything_beats, seconds
from tests.appointments.web.test_pages import INLINE
from tests.factories import BookingFactory, OutboxMessageFactory, SlotFactory, SubscriberFactory, WatchFactory

pytestmark = pytest.mark.django_db


def history(booking: Booking, at: datetime, *states: str, reason: str = "") -> None:
    for state in states:
        BookingEvent.objects.create(booking=booking, state=state, at=at, reason=reason)


def called(at: datetime, *, code: str = "ok", status: int | None = 200, milliseconds: int = 100) -> None:
    Call.objects.create(at=at, kind="sweep", code=code, status=status, milliseconds=milliseconds)


def test_the_budget_shows_what_is_used_of_this_round(now: datetime) -> None:
    GateState.objects.create(egress="default", limit=60, round_cap=40, used=17, last_call_at=now, rounds=5)

    budget = overview(now + seconds(2)).budget

    assert (budget.used, budget.limit, budget.share, budget.cap_share, budget.reserve_share) == (
        17,
        60,
        28,
        67,
        33,
    )
    assert budget.state == "calling"


def test_after_a_quiet_gap_the_budget_is_whole_again(now: datetime) -> None:
    GateState.objects.create(egress="default", used=40, round_cap=40, last_call_at=now)

    assert overview(now).budget.state == "resting"
    assert overview(now).budget.until == now + seconds(61)
    assert overview(now + seconds(61)).budget.state == "ready"
    assert overview(now + seconds(61)).budget.used == 0


def test_the_budget_tells_what_is_left_and_why_it_is_slow(now: datetime) -> None:
    noon = now.replace(hour=11)
    state = GateState.objects.create(
        egress="default", round_cap=20, used=20, last_call_at=noon, refused_at=noon - timedelta(minutes=1)
    )
    GateState.objects.filter(pk=state.pk).update(day=local_day(noon), used_today=321)

    budget = overview(noon).budget

    assert (budget.left_for_watching, budget.left_for_bookings) == (0, 39)
    assert (budget.used_today, budget.daily_quota) == (321, 40_000)
    assert budget.why == ("resting", "after_refusal")


def test_yesterdays_requests_are_not_todays(now: datetime) -> None:
    GateState.objects.create(egress="default", day=local_day(now - timedelta(days=1)), used_today=321)

    assert overview(now).budget.used_today == 0


def test_a_paused_gate_says_until_when(now: datetime) -> None:
    GateState.objects.create(egress="default", paused_until=now + seconds(60), pause_reason="slow_down")

    budget = overview(now).budget

    assert (budget.state, budget.until, budget.reason) == ("paused", now + seconds(60), "slow_down")


def test_without_a_gate_the_defaults_are_shown(now: datetime) -> None:
    assert overview(now).budget.limit == 60


def test_the_funnel_counts_each_booking_once_and_only_today(now: datetime) -> None:
    slot = SlotFactory()
    for kind in ("appeared", "returned", "gone"):
        Sighting.objects.create(slot=slot, kind=kind, at=now)
    Sighting.objects.create(slot=slot, kind="appeared", at=now - timedelta(days=1))
    OutboxMessageFactory(kind="slots_opened", sent_at=now)
    OutboxMessageFactory(kind="slots_opened")
    confirmed, released = BookingFactory(confirmed=True), BookingFactory(cancelled=True)
    history(
        confirmed,
        now,
        "requested",
        "reserving",
        "reserved",
        "preconfirming",
        "reserved",
        "preconfirmed",
        "confirmed",
    )
    history(released, now, "reserved", "cancelling", "cancelled")
    history(BookingFactory(lapsed=True), now, "reserved", "lapsed")
    history(BookingFactory(failed=True), now, "failed", reason="appointmentNotAvailable")
    history(BookingFactory(failed=True), now, "failed", reason="invalidRequest")
    history(BookingFactory(cancelled=True), now - timedelta(days=2), "reserved", "cancelled")

    funnel = overview(now).funnel

    assert (funnel.seen, funnel.told, funnel.held, funnel.sent, funnel.confirmed) == (2, 1, 3, 1, 1)
    assert (funnel.released, funnel.lapsed, funnel.lost_races) == (1, 1, 1)


def test_today_begins_at_midnight_in_munich() -> None:
    just_after = datetime.fromisoformat("2026-07-01T00:30:00+02:00")
    slot = SlotFactory()
    Sighting.objects.create(slot=slot, kind="appeared", at=just_after - timedelta(minutes=45))
    Sighting.objects.create(slot=slot, kind="appeared", at=just_after - timedelta(minutes=15))

    assert overview(just_after).funnel.seen == 1


def test_watches_are_counted_by_mode_and_blindness(now: datetime) -> None:
    WatchFactory()
    WatchFactory(holding=True, blind_since=now)
    WatchFactory(booking=True)
    WatchFactory(paused=True, blind_since=now)
    WatchFactory(deleted=True)

    watches = overview(now).watches

    assert (watches.notify, watches.hold, watches.auto, watches.paused, watches.blind) == (1, 1, 1, 1, 1)
    assert watches.active == 3


def test_open_slots_are_those_not_gone_and_not_past(now: datetime) -> None:
    SlotFactory(starts_at=now + timedelta(days=1))
    SlotFactory(starts_at=now - timedelta(hours=1))
    SlotFactory(starts_at=now + timedelta(days=1), gone=True)

    assert overview(now).slots_open == 1


def test_bookings_are_shown_by_live_state_in_the_order_of_the_machine(now: datetime) -> None:
    BookingFactory(reserved=True)
    BookingFactory(uncertain=True)
    BookingFactory(cancelled=True)

    bookings = dict(overview(now).bookings)

    assert bookings[BookingState.RESERVED] == bookings[BookingState.UNCERTAIN] == 1
    assert BookingState.CANCELLED not in bookings
    assert next(iter(bookings)) == BookingState.REQUESTED


def test_queues_tell_waiting_from_taken_and_how_long(now: datetime) -> None:
    OrmQ.objects.create(key="booking", payload="x", lock=now - seconds(30))
    OrmQ.objects.create(key="booking", payload="x", lock=now + seconds(200))

    booking, polling = overview(now).queues

    assert (booking.name, booking.waiting, booking.in_hand, booking.oldest) == ("booking", 1, 1, seconds(30))
    assert (polling.name, polling.waiting, polling.in_hand, polling.oldest) == ("polling", 0, 0, None)


def test_the_outbox_shows_what_is_due_how_old_it_is_and_what_was_given_up(now: datetime) -> None:
    OutboxMessageFactory(now=now - seconds(90))
    OutboxMessageFactory(now=now + seconds(90))
    OutboxMessageFactory(now=now, sent=True)
    OutboxMessageFactory(now=now, failed_at=now)

    found = overview(now)

    assert (found.outbox.due, found.outbox.oldest, found.given_up) == (1, seconds(90), 1)


def test_traffic_of_the_last_hour_has_percentiles_and_shares(now: datetime) -> None:
    for milliseconds in range(1, 101):
        called(now - timedelta(minutes=30), milliseconds=milliseconds)
    called(now - seconds(5), code="connectionFailed", status=None, milliseconds=3000)
    called(now - seconds(5), code="rateLimitExceeded", status=429, milliseconds=3)
    called(now - timedelta(hours=2), code="timeout", status=None)

    traffic = overview(now).traffic

    assert (traffic.calls, traffic.last_minute, traffic.bad_percent) == (102, 2, 2.0)
    assert traffic.p50 == 50
    assert traffic.p95 == 96
    assert [(o.code, o.calls, o.bad) for o in traffic.outcomes] == [
        ("ok", 100, False),
        ("connectionFailed", 1, True),
        ("rateLimitExceeded", 1, True),
    ]


def test_requests_are_shown_by_minute_and_by_kind(now: datetime) -> None:
    for kind, ago, milliseconds in (
        ("sweep", 5, 100),
        ("detail", 5, 200),
        ("booking", 65, 300),
        ("follow", 65, 1),
    ):
        Call.objects.create(
            at=now - seconds(ago), kind=kind, code="ok", status=200, milliseconds=milliseconds, round=ago
        )
    called(now - timedelta(minutes=59), status=502, code="gatewayError")

    traffic = overview(now).traffic
    minutes = {minute.starts_at: (minute.watching, minute.booking) for minute in traffic.minutes}

    assert len(traffic.minutes) == 60
    assert minutes[(now - seconds(5)).replace(second=0, microsecond=0)][0] == 2
    assert minutes[(now - seconds(65)).replace(second=0, microsecond=0)][1] == 2
    assert [(kind.kind, kind.calls, kind.bad) for kind in traffic.kinds] == [
        ("sweep", 2, 1),
        ("detail", 1, 0),
        ("booking", 1, 0),
        ("follow", 1, 0),
    ]
    assert traffic.rounds == 3


def test_days_come_from_the_counts_with_their_percentiles(now: datetime) -> None:
    for number in range(100):
        called(now - timedelta(minutes=number / 10), milliseconds=100 if number < 90 else 5000)
    called(now, code="timeout", status=None)
    count_calls(now=now)

    day = overview(now).days[0]

    assert day.calls == sum(d.calls for d in overview(now).days) == 101
    assert day.p50 == pytest.approx(100, rel=0.12)
    assert day.p95 == pytest.approx(5000, rel=0.12)
    assert day.bad_percent == 1.0


def test_standing_alerts_are_shown_and_those_that_are_over_are_not(desk: Client) -> None:
    now = timezone.now()
    shared = {"kind": "breaker_open", "reason": "serviceUnavailable", "since": now, "raised_at": now}
    StaffAlert.objects.create(key="1", subject="catalogue", **shared)
    StaffAlert.objects.create(key="2", subject="captcha", over_at=now, **shared)

    assert [alert.subject for alert in overview(now).alerts] == ["catalogue"]
    assert "Somebody should look" in desk.get("/dashboard/live/").content.decode()


def test_why_it_is_slow_is_told_in_a_sentence(desk: Client) -> None:
    GateState.objects.create(egress="default", used=40, last_call_at=timezone.now())

    assert "This round is used up." in desk.get("/dashboard/live/").content.decode()


def test_a_drawing_of_minutes_stacks_bookings_on_watching() -> None:
    chart = minute_chart([("10:00", 0, 0), ("10:01", 30, 10), ("10:02", 20, 0)])

    assert chart.most == 40
    assert [round(s.low_height + s.high_height) for s in chart.stacks] == [
        0,
        BASELINE - TOP,
        (BASELINE - TOP) / 2,
    ]
    assert chart.stacks[1].high_y == TOP


@pytest.mark.parametrize(("values", "expected"), [([], None), ([7], 7), ([1, 3], 2)])
def test_a_percentile_of_few_values(values: list[int], expected: int | None) -> None:
    assert percentile(values, 50) == expected


def test_hours_count_calls_and_slots_where_they_belong(now: datetime) -> None:
    called(now)
    called(now - timedelta(hours=1))
    called(now - timedelta(hours=1))
    called(now - timedelta(hours=30))
    Sighting.objects.create(slot=SlotFactory(), kind="appeared", at=now - timedelta(hours=23))

    hours = overview(now).hours

    assert len(hours) == 24
    assert (hours[-1].calls, hours[-2].calls, hours[0].slots) == (1, 2, 1)
    assert sum(hour.calls for hour in hours) == 3


def test_hours_are_read_again_only_after_a_while(now: datetime) -> None:
    overview(now)
    called(now)

    assert overview(now).hours[-1].calls == 0
    cache.clear()
    assert overview(now).hours[-1].calls == 1


def test_recent_events_are_newest_first_and_bounded(now: datetime) -> None:
    booking = BookingFactory(reserved=True)
    for number in range(20):
        history(booking, now - seconds(100 - number), "reserved")
    Sighting.objects.create(slot=SlotFactory(), kind="appeared", at=now)

    recent = overview(now).recent

    assert len(recent) == 14
    assert recent[0].kind == "slot"
    assert recent[1].at == now - seconds(81)


def busy(now: datetime, many: int) -> None:
    """An installation with `many` of everything."""
    everything_beats(now)
    GateState.objects.update_or_create(egress="default", defaults={"used": 3, "last_call_at": now})
    CircuitBreaker.objects.get_or_create(name="watching")
    slots = SlotFactory.create_batch(many)
    for slot in slots:
        Sighting.objects.create(slot=slot, kind="appeared", at=now)
        called(now)
    for booking in BookingFactory.create_batch(many, confirmed=True):
        history(booking, now, "reserved", "confirmed")
    WatchFactory.create_batch(many)
    OutboxMessageFactory.create_batch(many)


def test_the_page_costs_as_many_queries_for_many_rows_as_for_few(
    desk: Client, django_assert_max_num_queries: Any
) -> None:
    busy(timezone.now(), 2)
    with django_assert_max_num_queries(28) as few:
        desk.get("/dashboard/live/")
    cache.clear()
    busy(timezone.now(), 20)
    with django_assert_max_num_queries(28) as many:
        desk.get("/dashboard/live/")

    assert len(many) == len(few)


def test_a_refresh_costs_less_than_the_first_look(desk: Client, django_assert_max_num_queries: Any) -> None:
    busy(timezone.now(), 2)
    desk.get("/dashboard/live/")

    with django_assert_max_num_queries(21):
        desk.get("/dashboard/live/")


def test_the_page_shows_ids_and_no_names(desk: Client) -> None:
    now = timezone.now()
    person = SubscriberFactory(known=True, first_name="Zebedeus", family_name="Zebedeus Zwiebel")
    booking = BookingFactory(confirmed=True, subscriber=person, family_name="Zebedeus Zwiebel")
    history(booking, now, "confirmed")

    text = desk.get("/dashboard/").content.decode()

    assert f"Booking {booking.pk}" in text
    assert "Zebedeus" not in text
    assert "@example.org" not in text


def test_the_headline_names_what_is_missing(desk: Client) -> None:
    everything_beats(without="queue:polling")

    text = desk.get("/dashboard/live/").content.decode()

    assert "Not working:" in text
    assert "Watching queue" in text


def test_the_headline_tells_working_from_seeing(desk: Client) -> None:
    everything_beats()
    assert "Everything works" in desk.get("/dashboard/live/").content.decode()

    CircuitBreaker.objects.create(
        name="watching", state="open", opened_at=timezone.now(), reason="notUnderstood"
    )

    text = desk.get("/dashboard/live/").content.decode()
    assert "Working, but blind" in text
    assert "we do not understand" in text


def test_the_moving_part_is_a_fragment_without_anything_inline(desk: Client) -> None:
    busy(timezone.now(), 2)

    text = desk.get("/dashboard/live/").content.decode()

    assert "<html" not in text
    assert 'id="headline"' in text
    assert not INLINE.search(text)


def test_numbers_inside_drawings_stay_numbers_in_german(desk: Client) -> None:
    now = timezone.now()
    for _ in range(3):
        called(now)
    called(now, code="timeout", status=None)
    beat("city", now=now)

    text = desk.get("/dashboard/live/", headers={"accept-language": "de"}).content.decode()

    drawing = text[text.index('class="chart"') : text.index("</svg>", text.index('class="chart"'))]
    assert 'y="12.0"' in drawing
    assert not any("," in piece.split('"')[0] for piece in drawing.split('="')[3:])


def test_the_page_asks_to_be_kept_out_of_caches(desk: Client) -> None:
    assert "no-store" in desk.get("/dashboard/live/").headers["Cache-Control"]


def test_a_drawing_scales_to_its_largest_hour() -> None:
    chart = hour_chart([("08", 0, 0), ("09", 50, 2), ("10", 100, 1)])

    assert [bar.height for bar in chart.bars] == [0.0, (BASELINE - TOP) / 2, BASELINE - TOP]
    assert [bar.dot_y for bar in chart.bars] == [None, TOP, BASELINE - (BASELINE - TOP) / 2]
    assert (chart.most_calls, chart.most_slots) == (100, 2)


def test_a_drawing_of_nothing_is_empty() -> None:
    assert hour_chart([]).bars == ()
