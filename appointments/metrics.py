"""The figures for Prometheus, read from the database at every scrape, so that any web process tells the same.

`prometheus_client` writes the format; its in-process counters would each see only one of our processes.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appointments.limits import local_day
from appointments.models import Call, GateState, Heartbeat, Slot, StaffAlert, UnreadAnswer
from appointments.selectors import dashboard, health

PREFIX = "termin_"
# Calls are kept for two days, so a counter over all times does not exist; scrapers get the last hour as a gauge.
WINDOW = timedelta(hours=1)


class TerminCollector(Collector):
    """Everything Prometheus may know: counts, ages and states, nothing about single people."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterable[Metric]:
        """One family after the other; about a dozen short queries."""
        yield from self._calls()
        yield from self._gate()
        yield from self._queues()
        yield from self._work()
        yield from self._life()

    def _calls(self) -> Iterator[Metric]:
        calls = _family("calls_last_hour", "Calls to the city sent in the last hour.", "kind", "code")
        took = _family(
            "calls_milliseconds_last_hour", "Time these calls took in all, in milliseconds.", "kind", "code"
        )
        solves = _family(
            "captcha_calls_last_hour", "Calls of the captcha in the last hour, by outcome.", "code"
        )
        rows = Call.objects.filter(at__gt=self.now - WINDOW).order_by().values("kind", "code")
        for row in rows.annotate(n=Count("pk"), total=Sum("milliseconds")).order_by("kind", "code"):
            calls.add_metric([row["kind"], row["code"]], row["n"])
            took.add_metric([row["kind"], row["code"]], row["total"])
            if row["kind"] == "captcha":
                solves.add_metric([row["code"]], row["n"])
        unread = _family(
            "unread_answers", "Answers of the city kept because we could not read them, by route.", "path"
        )
        forms = UnreadAnswer.objects.order_by().values("path").annotate(n=Sum("times"))
        for path, times in forms.order_by("path").values_list("path", "n"):
            unread.add_metric([path], times)
        yield from (calls, took, solves, unread)

    def _gate(self) -> Iterator[Metric]:
        used = _family("gate_used", "Calls of this round as the gate counted them.", "egress")
        limit = _family("gate_limit", "The city's limit of calls without a quiet minute.", "egress")
        cap = _family("gate_round_cap", "Calls of a round that watching may use.", "egress")
        paused = _family("gate_paused", "1 while the gate is paused.", "egress")
        today = _family("gate_used_today", "Calls of this day as the gate counted them.", "egress")
        alerts = _family("staff_alerts", "Alerts for staff that are not over.")
        alerts.add_metric([], StaffAlert.objects.filter(over_at=None).count())
        for gate in GateState.objects.order_by("egress"):
            today.add_metric([gate.egress], gate.used_today if gate.day == local_day(self.now) else 0)
            used.add_metric([gate.egress], gate.used)
            limit.add_metric([gate.egress], gate.limit)
            cap.add_metric([gate.egress], gate.round_cap)
            paused.add_metric([gate.egress], int(bool(gate.paused_until and gate.paused_until > self.now)))
        yield from (used, limit, cap, paused, today, alerts)

    def _queues(self) -> Iterator[Metric]:
        waiting = _family("queue_waiting", "Tasks waiting in a queue.", "queue")
        in_hand = _family("queue_in_hand", "Tasks a worker has taken.", "queue")
        oldest = _family(
            "queue_oldest_seconds", "How long the oldest waiting task has been waiting.", "queue"
        )
        for queue in dashboard.queues(self.now):
            waiting.add_metric([queue.name], queue.waiting)
            in_hand.add_metric([queue.name], queue.in_hand)
            oldest.add_metric([queue.name], queue.oldest.total_seconds() if queue.oldest else 0)
        outbox = dashboard.outbox(self.now)
        due = _family("outbox_due", "Messages that are due and not sent.")
        due.add_metric([], outbox.due)
        age = _family("outbox_oldest_seconds", "Age of the oldest message that is due.")
        age.add_metric([], outbox.oldest.total_seconds() if outbox.oldest else 0)
        yield from (waiting, in_hand, oldest, due, age)

    def _work(self) -> Iterator[Metric]:
        bookings = _family("bookings", "Bookings standing in a live state.", "state")
        for state, count in dashboard.live_bookings():
            bookings.add_metric([state.value], count)
        counts = dashboard.watches()
        watches = _family("watches", "Watches that are watching, by mode.", "mode")
        for mode in ("notify", "hold", "auto"):
            watches.add_metric([mode], getattr(counts, mode))
        paused = _family("watches_paused", "Watches paused by their owner.")
        paused.add_metric([], counts.paused)
        blind = _family("watches_blind", "Watches whose owner was told that we cannot see.")
        blind.add_metric([], counts.blind)
        open_slots = _family("slots_open", "Slots free as far as we know.")
        open_slots.add_metric([], Slot.objects.filter(Q(gone_at=None), starts_at__gt=self.now).count())
        yield from (bookings, watches, paused, blind, open_slots)

    def _life(self) -> Iterator[Metric]:
        ages = _family("heartbeat_age_seconds", "Time since a part last showed life.", "part")
        for beat in Heartbeat.objects.order_by("name"):
            ages.add_metric([beat.name], max(0.0, (self.now - beat.at).total_seconds()))
        up = _family("component_up", "1 while a part works.", "part")
        for part in health.components(self.now):
            up.add_metric([part.name], int(part.ok))
        sees = _family("city_seen", "1 while the watch sees the city's calendar.")
        sees.add_metric([], int(health.city_sight(self.now).sees))
        version = GaugeMetricFamily(
            PREFIX + "build_info", "Always 1; the label says which version.", labels=["version"]
        )
        version.add_metric([settings.VERSION], 1)
        yield from (ages, up, sees, version)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def exposition(now: datetime) -> bytes:
    """The metrics at `now` in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False, support_collectors_without_names=True)
    registry.register(TerminCollector(now))
    return generate_latest(registry)
