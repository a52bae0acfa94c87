"""The arithmetic of rounds, buckets, nights and days, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments import limits
from appointments.limits import Ledger, Outcome, Rules, Wait
from appointments.upstream.types import CallKind

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
RULES = Rules()


def munich(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=limits.MUNICH).astimezone(UTC)


def admitted(book: Ledger, kind: CallKind, now: datetime, rules: Rules = RULES) -> Ledger:
    verdict = limits.admit(book, kind, now, rules, line="x")
    assert isinstance(verdict, Ledger), verdict
    return verdict


def answered(book: Ledger, now: datetime, **how: object) -> Ledger:
    outcome = {"kind": CallKind.SWEEP, "line": book.line, "took": timedelta(milliseconds=100)} | how
    return limits.after_call(book, Outcome(**outcome), now)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", range(13, 601, 7))
def test_watching_leaves_at_least_eight_calls_of_every_limit_that_has_them(limit: int) -> None:
    assert limits.booking_bound(limit) - limits.largest_round(limit) >= limits.BOOKING_RESERVE == 8


def test_a_tiny_limit_is_watched_with_all_the_same() -> None:
    assert [limits.largest_round(limit) for limit in (1, 2, 5, 12)] == [1, 1, 4, 4]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(CallKind)), st.floats(0, 90), st.booleans()), min_size=1, max_size=200
    ),
    st.integers(2, 120),
)
def test_no_order_of_calls_and_pauses_is_ever_refused(
    calls: list[tuple[CallKind, float, bool]], limit: int
) -> None:
    """Against the city's own way of counting, whatever is asked whenever."""
    book, now = Ledger(limit=limit, round_cap=limits.largest_round(limit)), NOON
    count, until = 0, NOON
    for kind, gap, for_booking in calls:
        now += timedelta(seconds=gap)
        verdict = limits.admit(book, kind, now, RULES, line="x", for_booking=for_booking, push=True)
        if isinstance(verdict, Wait):
            assert verdict.until > now
            continue
        count = 1 if now >= until else count + 1
        until = now + timedelta(seconds=60)
        assert count <= limit - 1
        book = answered(verdict, now, limit=limit, remaining=max(0, limit - count - 1))


def test_a_bucket_empties_and_fills_again_within_a_minute() -> None:
    book, now = Ledger(limit=600, round_cap=40), NOON
    size = limits.bucket_size(CallKind.CAPTCHA, 40)
    for _call in range(size):
        book = answered(admitted(book, CallKind.CAPTCHA, now), now)

    verdict = limits.admit(book, CallKind.CAPTCHA, now, RULES, line="x")

    assert isinstance(verdict, Wait)
    assert (verdict.why, verdict.until) == ("bucket", now + timedelta(seconds=60 / size))
    admitted(book, CallKind.CAPTCHA, verdict.until + timedelta(milliseconds=10))
    assert limits.bucket_level(book, CallKind.CAPTCHA, 40, now + timedelta(seconds=60)) == size


def test_nights_are_slower_except_around_midnight() -> None:
    hours = ("22:59", "23:00", "23:54", "23:55", "00:00", "00:19", "00:20", "05:59", "06:00")

    night = [limits.is_night(munich(f"2026-11-23 {hour}"), RULES) for hour in hours]

    assert night == [False, True, True, False, False, False, True, True, False]
    assert limits.watch_distance(munich("2026-11-23 03:00"), RULES) == RULES.night_distance
    assert limits.watch_distance(munich("2026-11-23 12:00"), RULES) == RULES.distance


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 6.5), ("2027-03-28", 4.5), ("2026-11-23", 5.5)])
def test_the_night_ends_by_the_wall_clock_when_the_clocks_change(day: str, hours: float) -> None:
    """The night of autumn has an hour more, that of spring one less: from 00:20 to 06:00 less ten minutes."""
    start = munich(f"{day} 00:20")

    slow = [minute for minute in range(12 * 60) if limits.is_night(start + timedelta(minutes=minute), RULES)]

    assert slow == list(range(len(slow)))
    assert len(slow) == hours * 60 + 10
    assert limits.is_night(munich(f"{day} 05:59"), RULES)
    assert not limits.is_night(munich(f"{day} 06:00"), RULES)


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2027-03-28", 23), ("2026-11-23", 24)])
def test_a_day_is_as_long_as_it_is_in_munich(day: str, hours: int) -> None:
    start = munich(f"{day} 00:00")

    assert limits.next_midnight(start) - start == timedelta(hours=hours)
    assert limits.local_day(start) == day
    assert limits.local_day(limits.next_midnight(start) - timedelta(seconds=1)) == day


def test_slow_answers_make_rounds_smaller_once_a_round_and_usual_ones_do_not() -> None:
    steady = slow = admitted(Ledger(), CallKind.SWEEP, NOON)
    for number in range(60):
        took = timedelta(milliseconds=200 + 40 * (number % 3))
        steady = answered(steady, NOON, took=took)
    slow = steady
    for _call in range(30):
        slow = answered(slow, NOON, took=timedelta(seconds=2))

    assert steady.round_cap == 40
    assert (slow.round_cap, slow.slow_reason) == (30, "latency")
    again = answered(replace(slow, rounds=slow.rounds + 1), NOON, took=timedelta(seconds=2))
    assert again.round_cap == 22


def test_a_city_that_stays_slower_is_the_usual_city_in_time() -> None:
    book = Ledger()
    for number in range(2000):
        book = answered(replace(book, rounds=number), NOON, took=timedelta(seconds=0.2 if number < 60 else 1))

    assert not limits.is_slow(book)


def test_fast_answers_that_double_are_no_sign() -> None:
    book = Ledger()
    for number in range(80):
        book = answered(book, NOON, took=timedelta(milliseconds=10 if number < 60 else 40))

    assert book.round_cap == 40


def test_rounds_grow_by_one_and_shrink_by_half() -> None:
    caps = [40]
    for _refusal in range(5):
        caps.append(limits.shrink_round(caps[-1]))

    assert caps == [40, 20, 10, 5, 4, 4]
    assert [limits.grow_round(cap, 60) for cap in (4, 39, 40)] == [5, 40, 40]
    assert all(after <= before for before, after in pairwise(caps))


def test_why_it_is_slow_names_the_weightiest_reason_first() -> None:
    resting = Ledger(used=40, last_call_at=NOON)
    night = munich("2026-11-23 03:00")
    refused = Ledger(round_cap=20, refused_at=NOON)

    assert limits.why_slow(Ledger(), NOON, RULES) == ()
    assert limits.why_slow(resting, NOON, RULES) == ("resting",)
    assert limits.why_slow(Ledger(), night, RULES) == ("night",)
    assert limits.why_slow(refused, NOON, RULES) == ("after_refusal",)
    paused = replace(refused, paused_until=NOON + timedelta(minutes=1), pause_reason="slow_down")
    assert limits.why_slow(paused, NOON, RULES)[0] == "slow_down"
    quota = Ledger(day="2026-11-23", used_today=40_000)
    assert limits.why_slow(quota, NOON, RULES) == ("quota",)
    slow = Ledger(round_cap=30, slow_reason="latency", slowed_at=NOON)
    assert limits.why_slow(slow, NOON, RULES) == ("latency",)


def test_a_breaker_pauses_longer_each_time_it_opens() -> None:
    pauses = [limits.pause_after(opening) for opening in (1, 2, 3, 9)]

    assert pauses == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 15)]


@pytest.mark.parametrize(("cost", "rounds_of"), [(1_900, 40), (2_000, 30), (9_999, 30), (10_000, 20)])
def test_a_dearer_captcha_makes_rounds_smaller_and_one_ten_times_as_dear_halves_them(
    cost: int, rounds_of: int
) -> None:
    book = limits.Ledger(limit=60, round_cap=40, usual_captcha_cost=1_000)

    eased = limits.note_captcha_cost(book, cost, datetime(2026, 11, 23, 10, tzinfo=UTC))

    assert eased.round_cap == rounds_of
