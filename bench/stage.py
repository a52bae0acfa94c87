"""Where the way from a slot to a person is measured: real queues, timed simulators, people with watches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bench.processes import Installation, wait_until
from bench.server import Exchange, Simulators

MUNICH = ZoneInfo("Europe/Berlin")


class Stage:
    """An installation with its queues at work; a context manager. One in a process, because it sets Django up."""

    def __init__(self) -> None:
        self.installation = Installation()
        self.simulators = Simulators(int(self.installation.environment["SANDBOX_PORT"]))
        self._people = 0
        self._days = 0
        self._starts = _start_times()

    def __enter__(self) -> Stage:
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.installation.end()
        self.simulators.__exit__()

    def _open(self) -> None:
        os.environ.update(self.installation.environment)
        import django

        self.installation.run("manage.py", "migrate", "--verbosity", "0")
        self.installation.run("manage.py", "setup_schedules")
        django.setup()
        self.simulators.__enter__()
        for queue in ("booking", "polling"):
            self.installation.start("manage.py", "run_cluster", queue, log=f"{queue}.log")
        from appointments.models import GateState, Heartbeat, Office

        beats = ("queue:booking", "queue:polling")
        wait_until(lambda: Heartbeat.objects.filter(name__in=beats).count() == 2, 30, "queues at work")
        wait_until(lambda: Office.objects.exists() and GateState.objects.exists(), 30, "the city's catalogue")
        # The rounds of the real city would stretch the samples over an hour.
        GateState.objects.update(limit=10**6, round_cap=10**6)

    @property
    def simulators_url(self) -> str:
        """The address of the simulators, without a trailing slash."""
        return f"http://127.0.0.1:{self.installation.environment['SANDBOX_PORT']}"

    # people and slots

    def service(self, number: int) -> tuple[int, list[Any]]:
        """The `number`-th service that several unguarded offices offer: its upstream id and these offices."""
        from appointments.models import Service
        from appointments.selectors.catalogue import offices_for
        from appointments.upstream.types import ServiceCount

        found = []
        for service in Service.objects.order_by("pk"):
            offices = offices_for((ServiceCount(service.upstream_id, 1),))
            offices = [office for office in offices if office.bookable and not office.captcha_required]
            if len(offices) >= 4:
                found.append((service.upstream_id, offices))
        return found[number]

    def person(self, service: int, office_ids: tuple[int, ...], mode: str) -> int:
        """A person with a Telegram chat and a watch; returns the chat's number."""
        from django.utils import timezone

        from appointments.services.subscribers import give_consent, register_subscriber
        from appointments.services.watches import WatchWish, create_watch
        from appointments.upstream.types import ServiceCount
        from bot.models import Chat
        from termin_project.sandbox.telegram import control

        self._people += 1
        chat = 1000 + self._people
        control.say(
            self.simulators.telegram, {"chat": chat, "text": "/start", "first_name": f"Person {chat}"}
        )
        now = timezone.now()
        person = register_subscriber(f"Person {chat}", "en", now=now)
        give_consent(person, now=now)
        Chat.objects.create(
            chat_id=chat, subscriber=person, language="en", created_at=now, last_update_at=now
        )
        wish = WatchWish(services=(ServiceCount(service, 1),), office_ids=office_ids, mode=mode)
        create_watch(person, wish, now=now)
        return chat

    def next_start(self) -> datetime:
        """A start time that was not used before anywhere, far enough from the others."""
        return next(self._starts)

    def next_day(self) -> datetime:
        """Eight o'clock of a day that no other start time of this run is on."""
        self._days += 1
        day = datetime.now(UTC).astimezone(MUNICH) + timedelta(days=100 + self._days)
        return day.replace(hour=8, minute=0, second=0, microsecond=0)

    def open_slot(self, service: int, office: int, starts_at: datetime) -> int:
        """Open one place, have the city asked now; returns the number of the next exchange."""
        since = len(self.simulators.exchanges)
        self.simulators.city.add_places(office, [service], starts_at, 1)
        self.ask_now(service)
        return since

    def ask_now(self, service: int) -> None:
        """Have the city asked at once."""
        from django.utils import timezone

        from appointments.models import PollTarget

        sweeps = PollTarget.objects.filter(
            search__main_service__upstream_id=service, kind=PollTarget.Kind.SWEEP
        )
        sweeps.update(next_due_at=timezone.now())

    def answer_with(self, starts_at: datetime, since: int) -> Exchange:
        """The city's first calendar that shows this start time."""
        moment = str(int(starts_at.timestamp())).encode()

        def shows(exchange: Exchange) -> bool:
            return "calendar" in exchange.path and moment in exchange.answer

        return self.simulators.wait_for(shows, since, 20)[0]

    def end_bursts(self) -> None:
        """Have what was told just now lie long ago, so that the next slot is a message and no edit."""
        from django.db.models import F

        from appointments.models import OutboxMessage
        from appointments.services.matching import BURST

        OutboxMessage.objects.filter(kind="slots_opened").update(created_at=F("created_at") - 2 * BURST)

    def rest_of_attempts(self) -> None:
        """Wait until nobody is being served any more."""
        from appointments.models import Booking, Search
        from appointments.services.turns import ON_THE_WAY

        wait_until(
            lambda: (
                not Booking.objects.filter(state__in=ON_THE_WAY).exists()
                and not Search.objects.filter(serve_at__isnull=False).exists()
            ),
            30,
            "the end of all attempts",
        )

    def rest(self) -> None:
        """Wait until nothing is left to send."""
        from appointments.models import OutboxMessage

        waiting = OutboxMessage.objects.filter(sent_at=None, failed_at=None)
        wait_until(lambda: not waiting.exists(), 30, "an empty outbox", every=0.1)


def _start_times() -> Iterator[datetime]:
    today = datetime.now(UTC).astimezone(MUNICH)
    for day in range(2, 100):
        date = today + timedelta(days=day)
        for minutes in range(8 * 60, 18 * 60, 20):
            yield date.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0)
