"""The one place where settings become objects: the city's client, its gate, captcha tokens."""

import socket
import time
from datetime import timedelta
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy

import requests
from django.conf import settings
from django.utils import timezone
from requests.adapters import HTTPAdapter

from appointments.policy import FairPolicy
from appointments.services import ending
from appointments.services.desk import Desk
from appointments.services.gate import DatabaseGate
from appointments.services.tokens import TokenSource
from appointments.services.watching import Watcher
from appointments.upstream.client import CitizenApi
from appointments.upstream.reach import reachable
from captcha.client import CaptchaApi
from captcha.modes import current_mode
from captcha.services import WAIT_LIMIT, beside

CONNECT_SECONDS, READ_SECONDS = 3.05, 15.0
TIME_LIMIT = (CONNECT_SECONDS, READ_SECONDS)


@lru_cache(maxsize=1)
def city_session() -> requests.Session:
    """One pooled session per process: no cookies, no retries of its own, and our honest name."""
    session = requests.Session()
    session.headers["User-Agent"] = settings.CITY_USER_AGENT
    session.trust_env = False  # a proxy in the environment would change the address the token is bound to
    session.cookies.set_policy(_no_cookies())
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=4, max_retries=0)
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
    return CitizenApi(city_session(), settings.MUNICH_API_URL, gate=gate(), time_limit=TIME_LIMIT)


@lru_cache(maxsize=1)
def gate() -> DatabaseGate:
    """The gate of this computer's address."""
    return DatabaseGate(settings.EGRESS_NAME, timezone.now)


def captcha_site() -> str:
    """Tokens are good for one API and one address."""
    return f"{settings.MUNICH_API_URL}|{settings.EGRESS_NAME}"


def captcha_transport() -> CaptchaApi:
    """The city's captcha routes."""
    pin_address_family()
    return CaptchaApi(city_session(), settings.MUNICH_API_URL, gate=gate(), time_limit=TIME_LIMIT)


def tokens(patience: timedelta = WAIT_LIMIT) -> TokenSource:
    """Captcha tokens of the city. One for each user: it remembers which token it handed out last.

    `patience`: how long to wait for one that is being made. Solving goes on beside whoever waits.
    """
    return TokenSource(
        transport=captcha_transport(),
        site=captcha_site(),
        mode=current_mode,
        clock=timezone.now,
        patience=patience,
        run=beside,
    )


def desk() -> Desk:
    """What the steps of a booking work with."""
    answer_time = timedelta(seconds=settings.HOLD_SECONDS) if settings.HOLD_SECONDS else None
    return Desk(api=city(), tokens=tokens(), clock=timezone.now, answer_time=answer_time)


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
    )
