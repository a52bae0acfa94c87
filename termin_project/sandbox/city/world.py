"""The simulated city as a whole: its catalogue, capacity, appointments, mails, limits and moods."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from termin_project.sandbox.city import snapshot
from termin_project.sandbox.city.appointments import (
    CONFIRMED,
    DELETED,
    PRECONFIRMED,
    RESERVED,
    AppointmentDesk,
    Process,
)
from termin_project.sandbox.city.captcha import CaptchaDesk
from termin_project.sandbox.city.catalogue import Catalogue
from termin_project.sandbox.city.clock import Clock
from termin_project.sandbox.city.faults import Faults
from termin_project.sandbox.city.friendly import PuzzleDesk
from termin_project.sandbox.city.life import Life
from termin_project.sandbox.city.limiter import Limiter
from termin_project.sandbox.city.mail import Mail
from termin_project.sandbox.city.munich import munich_catalogue
from termin_project.sandbox.city.openings import OfficeCapacity
from termin_project.sandbox.city.releases import ALTCHA_V1, Release

REMEMBERED_REQUESTS = 5000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that reached the city. `at` in Unix seconds; `code` is "ok" or the first error code."""

    at: float
    method: str
    path: str
    address: str
    status: int
    code: str


class CityWorld:
    """The state behind the simulated API. All methods may be called from any thread.

    clock: the time, real by default. seed: of everything random that need not be secret.
    limit, window: requests per address, and the seconds of quiet after which the count starts again.
    life: whether days open, slots come free and other citizens take them by themselves.
    mail_delay, release_delay, reserve_pause: seconds. captcha_cost: rounds of the first challenges.
    captcha_token_life: seconds. captcha_version: of ALTCHA, by default the one of the city's release.
    public_url: where the links of the mails lead to.
    gateway: answer as production does, where a gateway turns most 5xx into a bare 400.
    max_body: bytes. blacklist: addresses that are refused.
    dialect, tag: which version of its software the city runs ("D0" to "D3", 45 for muc45); the newest by default.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        seed: int = 1,
        limit: int = 60,
        window: float = 60.0,
        life: bool = False,
        mail_delay: float = 1.0,
        release_delay: float = 15 * 60,
        reserve_pause: float = 0.0,
        captcha_cost: int = 1000,
        captcha_token_life: int = 300,
        captcha_version: int | None = None,
        public_url: str = "http://127.0.0.1:8000",
        catalogue: Catalogue | None = None,
        gateway: bool = False,
        max_body: int = 10_485_760,
        blacklist: Iterable[str] = (),
        dialect: str | None = None,
        tag: int | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.catalogue = catalogue or munich_catalogue()
        self.public_url = public_url.rstrip("/")
        self.gateway = gateway
        self.max_body = max_body
        self.blacklist = frozenset(blacklist)
        self.reserve_pause = reserve_pause
        self.release = Release.of(dialect, tag)
        self.lock = threading.RLock()
        self.capacities = {
            office.id: OfficeCapacity(office.slot_minutes)
            for office in self.catalogue.offices.values()
            if office.scope
        }
        self.limiter = Limiter(limit, window)
        self.captcha = CaptchaDesk(
            captcha_token_life,
            ((1, captcha_cost), (10, captcha_cost * 5), (20, captcha_cost * 10)),
            version=captcha_version,
            usual_version=lambda: 1 if self.release.captcha == ALTCHA_V1 else 2,
        )
        self.puzzles = PuzzleDesk()
        self.faults = Faults()
        random = Random(seed)
        self.desk = AppointmentDesk(
            self.catalogue,
            self.capacities,
            Random(random.random()),
            self.activation_link,
            mail_delay,
            release_delay,
            lambda: self.release.new_key(),
        )
        self.life = Life(self.catalogue, self.capacities, random, on=life)
        self.requests: deque[LoggedRequest] = deque(maxlen=REMEMBERED_REQUESTS)
        self.changes = 0
        self._jobs_done_until = self.now() // 60
        self.tick()

    # time

    def now(self) -> float:
        """The city's present instant in Unix seconds."""
        return self.clock.now().timestamp()

    def tick(self, now: datetime | None = None) -> None:
        """Do what has become due by `now` (the clock's time by default): minute jobs and natural life.

        The jobs act as of the last full minute, as a job run at that minute would have.
        """
        with self.lock:
            at = now.timestamp() if now else self.now()
            minute = at // 60
            if minute > self._jobs_done_until:
                self._jobs_done_until = minute
                if self.desk.run_jobs(minute * 60):
                    self.changes += 1
                self._tidy_up(at)
            self.life.tick(at)

    def run_jobs(self) -> int:
        """Run the minute jobs now, whatever the minute. How many reservations and appointments went."""
        with self.lock:
            self.changes += 1
            return self.desk.run_jobs(self.now())

    def generate(self) -> None:
        """Switch natural life on: an almost booked-out calendar, and changes from now on."""
        with self.lock:
            self.life.on = True
            self.changes += 1
            self.tick()

    def _tidy_up(self, at: float) -> None:
        self.limiter.forget_old(at)
        self.captcha.forget_old(at)
        self.puzzles.forget_old(at)
        for capacity in self.capacities.values():
            capacity.prune(int(at) - 86_400)

    # capacity

    def add_places(
        self, office_id: int, service_ids: Sequence[int], starts_at: datetime, places: int = 1
    ) -> None:
        """Open `places` places for one appointment with these services (one of each) at this time.

        Raises ValueError when the office cannot be booked, does not offer the services, or the number
        makes no sense.
        """
        capacity, slots = self._capacity(office_id, service_ids)
        if not 1 <= places <= 100:
            raise ValueError("The places have to be between 1 and 100.")
        with self.lock:
            capacity.open(int(starts_at.timestamp()), slots, places)
            self.changes += 1

    def remove_places(
        self,
        office_id: int,
        service_ids: Sequence[int],
        starts_at: datetime,
        places: int | None = None,
    ) -> int:
        """Withdraw up to `places` free places (None: all) of this start time; how many it were."""
        capacity, slots = self._capacity(office_id, service_ids)
        with self.lock:
            self.changes += 1
            return capacity.close(int(starts_at.timestamp()), slots, places)

    def free_places(self, office_id: int, service_ids: Sequence[int], starts_at: datetime) -> int:
        """How many places are free at this start time."""
        capacity, slots = self._capacity(office_id, service_ids)
        with self.lock:
            return capacity.places(int(starts_at.timestamp()), slots)

    def _capacity(self, office_id: int, service_ids: Sequence[int]) -> tuple[OfficeCapacity, int]:
        capacity = self.capacities.get(office_id)
        if capacity is None:
            raise ValueError(f"There is no office {office_id} that can be booked.")
        if not service_ids:
            raise ValueError("At least one service is needed.")
        missing = [service for service in service_ids if not self.catalogue.offers(office_id, [service])]
        if missing:
            raise ValueError(f"Office {office_id} does not offer: {', '.join(map(str, missing))}.")
        return capacity, self.catalogue.slots_needed(office_id, [(service, 1) for service in service_ids])

    # what there is

    @property
    def reservations(self) -> list[Process]:
        """Reserved and pre-confirmed, not yet confirmed."""
        with self.lock:
            return list(self.desk.in_states(RESERVED, PRECONFIRMED))

    @property
    def appointments(self) -> list[Process]:
        """Confirmed ones, and cancelled ones until they are released."""
        with self.lock:
            return list(self.desk.in_states(CONFIRMED, DELETED))

    @property
    def mails(self) -> list[Mail]:
        """The mails that have left by now, oldest first."""
        with self.lock:
            return [mail for mail in self.desk.outbox if mail.sent_at <= self.now()]

    def activation_link(self, token: str) -> str:
        return f"{self.public_url}/sandbox/mailbox/confirm/{token}"

    def log(self, method: str, path: str, address: str, status: int, code: str) -> None:
        with self.lock:
            self.requests.append(LoggedRequest(self.now(), method, path, address, status, code))
            if method == "POST":
                self.changes += 1

    # keeping

    def save(self, path: Path) -> None:
        """Write everything worth keeping to `path` as JSON, replacing the file in one step."""
        snapshot.save(self, path)

    @classmethod
    def load(cls, path: Path, **settings: object) -> CityWorld:
        """A city with the state kept in `path`; a fresh one when there is no such file.

        `settings` are the arguments of the constructor. Raises ValueError for a file of another kind.
        """
        return snapshot.load(cls, path, settings)
