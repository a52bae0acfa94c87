"""The one place where settings become objects: the city's client, its gate, captcha tokens."""

import socket
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from django.conf import settings
from django.utils import timezone
from requests.adapters import HTTPAdapter

from appointments.policy import FairPolicy
from appointments.selectors.traffic import city_rules
from appointments.services import ending
from appointments.services.desk import Desk
from appointments.services.dialects import DatabaseDialect
from appointments.services.gate import CityGate, DatabaseGate
from appointments.services.tokens import TokenSource
from appointments.services.unread import UnreadBook
from appointments.services.watching import Watcher
from appointments.upstream.client import CitizenApi
from appointments.upstream.reach import reachable
from captcha.client import CaptchaApi
from captcha.friendly_client import FriendlyApi
from captcha.modes import current_mode
from captcha.services import WAIT_LIMIT, beside

CONNECT_SECONDS, READ_SECONDS = 3.05, 15.0
TIME_LIMIT = (CONNECT_SECONDS, READ_SECONDS)


@lru_cache(maxsize=1)
def city_session() -> requests.Session:
    """One pooled session per process: no cookies, no retries of its own, and our honest name.

    Its pool holds one connection, which is kept open, and whoever wants it while it is in use waits: one request at a
    time, whatever threads a process has. Between processes the gate sees to that.
    """
    return _honest_session()


@lru_cache(maxsize=1)
def puzzle_session() -> requests.Session:
    """As `city_session`, for Friendly Captcha's own host: the connection to the city stays open beside it."""
    return _honest_session()


def _honest_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = settings.CITY_USER_AGENT
    session.trust_env = False  # a proxy in the environment would change the address the token is bound to
    session.cookies.set_policy(_no_cookies())
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, pool_block=True, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _no_cookies() -> DefaultCookiePolicy:
    return DefaultCookiePolicy(allowed_domains=[])


def pin_address_family() -> None:
    """Use one address family for every call: a token is bound to our address, which must not flip.

    IPv4 where the machine has it, because most small hosts have exactly one such address.
    """
    from urllib3.util import connection

    connection.allowed_gai_family = lambda: socket.AF_INET


@lru_cache(maxsize=1)
def city() -> CitizenApi:
    """The city's API behind the gate."""
    pin_address_family()
    return CitizenApi(
        city_session(),
        settings.MUNICH_API_URL,
        gate=gate(),
        time_limit=TIME_LIMIT,
        dialect=DatabaseDialect(settings.MUNICH_API_URL, timezone.now),
        unread=UnreadBook(timezone.now),
    )


@lru_cache(maxsize=1)
def gate() -> CityGate:
    """The gate of this computer's address: in Redis where there is one, else in the database."""
    rules = city_rules()
    if not settings.REDIS_URL:
        return DatabaseGate(settings.EGRESS_NAME, timezone.now, rules=rules)
    # Imported here: without Redis its client would only take memory and time to start.
    from appointments.services.gate_redis import RedisLedger

    return CityGate(RedisLedger(settings.EGRESS_NAME, settings.REDIS_URL), timezone.now, rules=rules)


def captcha_site() -> str:
    """Tokens are good for one API and one address."""
    return f"{settings.MUNICH_API_URL}|{settings.EGRESS_NAME}"


def captcha_transport(*, for_bookings: bool = False) -> CaptchaApi:
    """The city's captcha routes; `for_bookings`: they may use what the gate reserves for bookings."""
    pin_address_family()
    admitting = gate().for_bookings if for_bookings else gate()
    return CaptchaApi(city_session(), settings.MUNICH_API_URL, gate=admitting, time_limit=TIME_LIMIT)


def puzzles(details: Mapping[str, Any]) -> FriendlyApi:
    """The way to the puzzles that the city's details name. Raises `ValueError` for details that lead nowhere."""
    pin_address_family()
    return FriendlyApi(puzzle_session(), details, base_url=settings.MUNICH_API_URL, time_limit=TIME_LIMIT)


def tokens(*, for_bookings: bool = False, patience: timedelta = WAIT_LIMIT) -> TokenSource:
    """Captcha tokens of the city. One for each user: it remembers which token it handed out last.

    `for_bookings`: a captcha that a booking waits for may use what the gate reserves for bookings. `patience`: how long
    to wait for one that is being made. Solving goes on beside whoever waits.
    """
    return TokenSource(
        transport=captcha_transport(for_bookings=for_bookings),
        site=captcha_site(),
        mode=current_mode,
        clock=timezone.now,
        patience=patience,
        run=beside,
        note_cost=gate().note_captcha_cost,
        puzzles=puzzles,
    )


def desk() -> Desk:
    """What the steps of a booking work with."""
    answer_time = timedelta(seconds=settings.HOLD_SECONDS) if settings.HOLD_SECONDS else None
    return Desk(api=city(), tokens=tokens(for_bookings=True), clock=timezone.now, answer_time=answer_time)


@lru_cache(maxsize=1)
def watcher() -> Watcher:
    """What a slice of watching works with."""
    return Watcher(
        api=city(),
        policy=FairPolicy(),
        # Other offices are not to wait for a dear challenge of the guarded ones.
        tokens=tokens(patience=timedelta(seconds=2)),
        reachable=lambda: reachable(settings.MUNICH_API_URL),
        clock=timezone.now,
        sleep=time.sleep,
        ending=ending.is_wanted,
        host=socket.gethostname()[:100],
    )
