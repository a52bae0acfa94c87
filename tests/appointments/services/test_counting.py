"""Calls rolled up: minutes from calls, hours from minutes, days from hours; a year of them stays small."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from appointments import durations
from appointments.models import Call, CallCount
from appointments.services.counting import KEEP, KEEP_CALLS, Span, count_calls, start_of
from appointments.upstream.types import CallKind

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 10, 5, 30, tzinfo=UTC)


def called(at: datetime, milliseconds: int = 100, **how: object) -> None:
    Call.objects.create(
        **{"at": at, "kind": "sweep", "code": "ok", "milliseconds": milliseconds, "size": 10} | how
    )


def test_calls_are_counted_by_minute_hour_and_day_and_twice_is_the_same() -> None:
    now = datetime(2026, 11, 23, 10, 5, 30, tzinfo=UTC)
    for seconds, code in ((0, "ok"), (10, "ok"), (70, "timeout")):
        Call.objects.create(
            at=now - timedelta(seconds=seconds), kind="sweep", code=code, milliseconds=100 + seconds
        )

    count_calls(now=now)
    count_calls(now=now)

    by_span = {
        span: sorted(CallCount.objects.filter(span=span).values_list("code", "calls", "slowest"))
        for span in ("minute", "hour", "day")
    }
    assert all(counts == [("ok", 2, 110), ("timeout", 1, 170)] for counts in by_span.values())
    assert set(by_span) == {"minute", "hour", "day"}


def test_the_day_with_twenty_five_hours_is_one_day() -> None:
    start = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    for hour in range(25):
        Call.objects.create(
            at=start + timedelta(hours=hour, minutes=30), kind="sweep", code="ok", milliseconds=1
        )

    count_calls(now=start + timedelta(hours=24, minutes=59))

    assert list(CallCount.objects.filter(span="day").values_list("calls", flat=True)) == [25]


def test_after_a_stand_still_everything_that_is_still_there_is_counted() -> None:
    for hours in range(30):
        called(NOW - timedelta(hours=hours))

    count_calls(now=NOW)

    for span in Span:
        assert sum(CallCount.objects.filter(span=span).values_list("calls", flat=True)) == 30


def test_counting_every_minute_gives_the_same_as_counting_once() -> None:
    rng = random.Random(3)
    start = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    for minute in range(90):
        for _call in range(rng.randint(0, 3)):
            kind, code = rng.choice(list(CallKind)), rng.choice(["ok", "timeout"])
            called(start + timedelta(minutes=minute), rng.randint(1, 3000), kind=kind, code=code)
        count_calls(now=start + timedelta(minutes=minute, seconds=30))
    often = sorted(CallCount.objects.values_list("span", "starts_at", "kind", "code", "calls", "size"))
    histograms = durations.added(CallCount.objects.filter(span="day").values_list("histogram", flat=True))
    CallCount.objects.all().delete()

    count_calls(now=start + timedelta(minutes=90))

    assert often == sorted(
        CallCount.objects.values_list("span", "starts_at", "kind", "code", "calls", "size")
    )
    assert histograms == durations.histogram(Call.objects.values_list("milliseconds", flat=True))


def test_a_day_begins_at_midnight_in_munich() -> None:
    called(datetime(2026, 11, 23, 22, 59, tzinfo=UTC))
    called(datetime(2026, 11, 23, 23, 1, tzinfo=UTC))

    count_calls(now=datetime(2026, 11, 23, 23, 5, tzinfo=UTC))

    starts = CallCount.objects.filter(span="day").order_by("starts_at").values_list("starts_at", flat=True)
    assert list(starts) == [datetime(2026, 11, day, 23, tzinfo=UTC) for day in (22, 23)]


def test_the_hour_that_comes_twice_in_autumn_is_two_hours() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))

    assert start_of(Span.HOUR, second) - start_of(Span.HOUR, first) == timedelta(hours=1)


def test_percentiles_of_a_day_come_from_its_histogram() -> None:
    rng = random.Random(5)
    took = sorted(max(1, round(rng.lognormvariate(5.5, 0.8))) for _call in range(500))
    for number, milliseconds in enumerate(took):
        called(NOW - timedelta(seconds=number), milliseconds)

    count_calls(now=NOW)

    histogram = durations.added(CallCount.objects.filter(span="day").values_list("histogram", flat=True))
    for percent in (50, 95, 99):
        exact = took[len(took) * percent // 100 - 1]
        assert durations.percentile(histogram, percent) == pytest.approx(exact, rel=0.13)


def test_old_counts_go_and_days_stay() -> None:
    for span, age in (
        (Span.MINUTE, 9),
        (Span.HOUR, 401),
        (Span.DAY, 401),
        (Span.MINUTE, 7),
        (Span.HOUR, 399),
    ):
        CallCount.objects.create(
            span=span, starts_at=NOW - timedelta(days=age), kind="sweep", code="ok", calls=1
        )

    count_calls(now=NOW)

    left = sorted((count.span, (NOW - count.starts_at).days) for count in CallCount.objects.all())
    assert left == [("day", 401), ("hour", 399), ("minute", 7)]


def test_a_year_of_thirty_million_calls_is_a_bounded_number_of_rows() -> None:
    """Rows depend on kinds and outcomes, not on calls; single calls are kept for two days."""
    kinds_and_outcomes = 7 * 3
    spans = {Span.MINUTE: timedelta(minutes=1), Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}
    rows = sum(KEEP[span] / length * kinds_and_outcomes for span, length in spans.items())
    calls = 30_000_000 * (KEEP_CALLS / timedelta(days=365))

    # At about 200 bytes for a row with its index, and 120 for a call.
    assert rows * 200 + calls * 120 < 200e6


# Classes of duration


@pytest.mark.parametrize("milliseconds", [1, 2, 7, 100, 999, 15_000, 60_000, 10**7])
def test_a_class_is_at_most_a_quarter_wide(milliseconds: int) -> None:
    number = durations.class_of(milliseconds)

    assert number == durations.LAST_CLASS or durations.FACTOR**number >= milliseconds - 1e-6
    assert number == 0 or durations.FACTOR ** (number - 1) < milliseconds


def test_nothing_has_no_percentile() -> None:
    assert durations.percentile({}, 50) is None
    assert durations.class_of(0) == 0
