"""What most tests need: a simulated city without sockets, the domain at work against it, one clock for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
import requests
from django.core.cache import cache
from hypothesis import settings as hypothesis_settings

from appointments import tasks, wiring
from appointments.channels import DeliveryError
from appointments.models import Booking, OutboxMessage, Watch
from appointments.policy import FairPolicy
from appointments.services import leases, queueing, watching
from appointments.services.catalogue import sync_catalogue
from appointments.services.desk import Desk
from appointments.services.dialects import DatabaseDialect
from appointments.services.gate import DatabaseGate
from appointments.services.outbox import deliver_due
from appointments.services.tokens import TokenSource
from appointments.services.unread import UnreadBook
from appointments.services.watches import WatchWish, create_watch
from appointments.upstream.client import CitizenApi
from appointments.upstream.types import ServiceCount
from captcha.client import CaptchaApi
from captcha.friendly_client import FriendlyApi
from termin_project.sandbox.city import CityWorld, Clock, city_app
from termin_project.sandbox.mount import WsgiAdapter
from tests.factories import SubscriberFactory

# `pytest --hypothesis-profile=large`: model-based tests search much longer.
hypothesis_settings.register_profile("large", max_examples=1000)

# 11:00:30 in Munich, half a minute after the city's minute jobs ran.
MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
BASE = "http://city.test/city/api/citizen"
RUPPERT, PASING, GUARDED = 10489, 54261, 1063278
REGISTER = 1063475


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Rate limits of one test are none of the next one's business."""
    cache.clear()
    yield
    cache.clear()


class Queue:
    """What was put on the queues, run by hand and in order."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, tuple[object, ...]]] = []
        self.done: list[str] = []

    def put(self, name: str, *args: object, **options: object) -> None:
        self.waiting.append((name.rsplit(".", 1)[-1], args))

    def run(self) -> list[str]:
        """Run what waits, and what that queues, until nothing is left."""
        while self.waiting:
            name, args = self.waiting.pop(0)
            self.done.append(f"{name} -> {getattr(tasks, name)(*args)}")
        return self.done

    def names(self) -> list[str]:
        return [name for name, _args in self.waiting]


@dataclass
class Mailman:
    """A channel that keeps what it is given, and fails as it is told."""

    sent: list[tuple[OutboxMessage, str]] = field(default_factory=list)
    errors: list[DeliveryError] = field(default_factory=list)

    def deliver(self, message: OutboxMessage, edit_receipt: str) -> str:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((message, edit_receipt))
        return edit_receipt or str(len(self.sent))

    def kinds(self) -> list[str]:
        return [message.kind for message, _edit in self.sent]


@dataclass
class Office:
    """The domain at work against the simulated city, on one clock that moves when told."""

    munich: CityWorld
    queue: Queue
    mailman: Mailman
    watcher: watching.Watcher
    desk: Desk

    def now(self) -> datetime:
        return self.munich.clock.now()

    def advance(self, **parts: float) -> None:
        self.munich.clock.advance(timedelta(**parts))
        self.munich.tick()

    def watch(self, **wish: object) -> Watch:
        """A watch for registering a residence at one office, unless told otherwise."""
        wish = {"services": (ServiceCount(REGISTER, 1),), "office_ids": (self.office_pk(RUPPERT),)} | wish
        person = wish.pop("subscriber", None) or SubscriberFactory(known=True, now=self.now())
        return create_watch(person, WatchWish(**wish), now=self.now())  # type: ignore[arg-type]

    def office_pk(self, upstream_id: int) -> int:
        from appointments.models import Office as OfficeRow

        return OfficeRow.objects.get(upstream_id=upstream_id).pk

    def open(
        self, starts_at: datetime, *, places: int = 1, office: int = RUPPERT, service: int = REGISTER
    ) -> None:
        """The city opens places."""
        self.munich.add_places(office, [service], starts_at, places)

    def look(self, steps: int = 6) -> None:
        """Watch for a while: everything that is due is asked, everything queued is done."""
        for _step in range(steps):
            self.watcher.step()
            self.advance(seconds=1)
        self.work()

    def work(self) -> list[str]:
        """Run the queues and deliver the messages."""
        done = self.queue.run()
        deliver_due(
            lambda _name: self.mailman, clock=self.now, sleep=lambda seconds: self.advance(seconds=seconds)
        )
        return done

    def sweep(self) -> None:
        from appointments.services.sweeps import sweep_bookings

        sweep_bookings(now=self.now())
        self.work()

    def booking(self) -> Booking:
        return Booking.objects.order_by("-pk")[0]

    def open_mailed_link(self) -> None:
        """The person opens the link in the city's newest mail."""
        self.advance(seconds=2)
        mail = [mail for mail in self.munich.mails if mail.links][-1]
        token = mail.links[0].rsplit("/", 1)[-1]
        answer = self.session.post(f"http://city.test/city/control/confirm/{token}")
        assert answer.status_code == 200, answer.text

    @property
    def session(self) -> requests.Session:
        return mounted(self.munich)


def mounted(world: CityWorld) -> requests.Session:
    """A session for which the city is at `http://city.test/`, without sockets."""
    session = requests.Session()
    session.mount("http://city.test/", WsgiAdapter(city_app(world)))
    return session


def office_sleep(world: CityWorld, seconds: float) -> None:
    """Sleeping moves the one clock."""
    world.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def munich() -> CityWorld:
    """A quiet city: nothing free, nothing happens by itself, the clock stands on a Monday at eleven."""
    clock = Clock(at=MONDAY)
    return CityWorld(clock, limit=600, captcha_cost=1)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Tasks wait here instead of in the database; commits happen at once."""
    waiting = Queue()
    monkeypatch.setattr(queueing, "async_task", waiting.put)
    monkeypatch.setattr(tasks, "async_task", waiting.put)
    monkeypatch.setattr(queueing.transaction, "on_commit", lambda work, *a, **k: work())
    return waiting


@pytest.fixture
def office(db: None, munich: CityWorld, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The domain against the simulated city, catalogue known."""
    session = mounted(munich)
    clock: Callable[[], datetime] = munich.clock.now
    gate = DatabaseGate("test", clock, sleep=lambda seconds: office_sleep(munich, seconds))
    memory, unread = DatabaseDialect(BASE, clock), UnreadBook(clock)
    api = CitizenApi(session, BASE, gate=gate, time_limit=(1, 1), dialect=memory, unread=unread)
    transport = CaptchaApi(session, BASE, gate=gate, time_limit=(1, 1))
    puzzles = partial(FriendlyApi, session, base_url=BASE)
    tokens = TokenSource(transport, "test", "auto", clock, puzzles=puzzles)
    hurried = CaptchaApi(session, BASE, gate=gate.for_bookings, time_limit=(1, 1))
    desk = Desk(api=api, tokens=TokenSource(hurried, "test", "auto", clock, puzzles=puzzles), clock=clock)
    watcher = watching.Watcher(
        api=api,
        policy=FairPolicy(),
        tokens=tokens,
        reachable=lambda: True,
        clock=clock,
        sleep=lambda seconds: office_sleep(munich, seconds),
    )
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    monkeypatch.setattr(wiring, "watcher", lambda: watcher)
    mailman = Mailman()
    monkeypatch.setattr(tasks.timezone, "now", clock)
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=lambda seconds: office_sleep(munich, seconds)))
    monkeypatch.setattr(tasks, "channel", lambda _name: mailman)
    sync_catalogue(api, now=clock())
    leases.take_lease("catalogue", watching.CATALOGUE_EVERY, now=clock())
    return Office(munich=munich, queue=queue, mailman=mailman, watcher=watcher, desk=desk)
