"""Is everything alive, and does the watch see? Judged by the age of the signs of life in the database.

django-health-check was looked at for this: under WSGI it starts an event loop for every request, runs each check in a
thread with a database connection of its own, and knows only "OK" or an error. Here one query answers for all parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F

from appointments.limits import QUIET_GAP, is_quota_used_up
from appointments.models import Call, CircuitBreaker, CityDialect, GateState, Heartbeat, PollTarget
from appointments.selectors.traffic import city_rules
from appointments.upstream.dialects import HOPELESS
from captcha.models import CaptchaToken
from captcha.modes import current_mode
from captcha.variants import FRIENDLY, solves_friendly

FRESH = timedelta(seconds=60)
CITY = "city"
# Stamped next to "city" when an answer was bad or did not come.
CITY_TROUBLE = "city:trouble"
# Stamped while the gate rests: a bare connection opened, which the city does not count as a request.
CITY_REACHED = "city:reached"
_STUCK = (CaptchaToken.State.NEEDS_HUMAN, CaptchaToken.State.COOLDOWN)
# Nothing can be done for people while one of these is missing; the others only narrow what we can do.
NEEDED = frozenset(
    {"web", "bot", "city", "database", *(f"queue:{queue}" for queue in ("booking", "polling", "notify"))}
)

_REASON_OF_CODE = {
    "serviceUnavailable": "maintenance",
    "notUnderstood": "not_understood",
    "rateLimitExceeded": "slow_down",
    "IP_BLACKLISTED": "slow_down",
    "ipBlacklisted": "slow_down",
}


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the system. `detail` is a short English word for machines, `age` the time since its last sign."""

    name: str
    ok: bool
    detail: str
    age: timedelta | None = None

    @property
    def needed(self) -> bool:
        """Whether the service can do nothing for people without it."""
        return self.name in NEEDED


@dataclass(frozen=True, slots=True)
class CitySight:
    """Whether the watch sees, since when, and if not, why.

    `reason` is "" while it sees, else one of "starting", "slow_down", "maintenance", "no_answer", "not_understood",
    "captcha", "quota". It is the present moment: who tells people adds a grace of their own.
    """

    sees: bool
    since: datetime
    reason: str


def component_names() -> tuple[str, ...]:
    """Every part this installation consists of, in the order staff read them."""
    return ("web", "bot", *(f"queue:{queue}" for queue in settings.QUEUES), CITY, "database", "captcha")


def components(now: datetime) -> list[Component]:
    """Every part with its state at `now` (aware). Never raises: an unreachable database is a finding, too."""
    try:
        beats = {beat.name: beat for beat in Heartbeat.objects.all()}
        breakers = {breaker.name: breaker for breaker in CircuitBreaker.objects.all()}
        token = captcha_token()
    except DatabaseError:
        connection.close()
        return [
            Component(
                name,
                ok=name == "web",
                detail="alive" if name == "web" else "unknown" if name != "database" else "unreachable",
            )
            for name in component_names()
        ]
    return components_from(beats, breakers, token, now)


def components_from(
    beats: Mapping[str, Heartbeat],
    breakers: Mapping[str, CircuitBreaker],
    token: CaptchaToken | None,
    now: datetime,
) -> list[Component]:
    """`components` for a caller who has already read the rows."""
    found = [Component("web", ok=True, detail="alive", age=timedelta(0)), _by_age("bot", beats, now)]
    found += [_by_age(f"queue:{queue}", beats, now) for queue in settings.QUEUES]
    found += [
        _city(beats, now),
        Component("database", ok=True, detail="alive", age=timedelta(0)),
        _captcha(breakers, token, now),
    ]
    return found


def missing(parts: list[Component]) -> list[str]:
    """Names of the parts without which the service is not ready."""
    return [part.name for part in parts if part.needed and not part.ok]


def city_sight(now: datetime) -> CitySight:
    """Whether the watch sees the city's calendar at `now` (aware). `since` is UTC. At most six short queries."""
    names = (CITY, CITY_TROUBLE, CITY_REACHED)
    beats = {beat.name: beat for beat in Heartbeat.objects.filter(name__in=names)}
    breakers = {
        breaker.name: breaker for breaker in CircuitBreaker.objects.filter(name__in=("watching", "captcha"))
    }
    gate = GateState.objects.filter(egress=settings.EGRESS_NAME).first()
    return sight_from(beats, breakers, captcha_token(), gate, now)


def sight_from(
    beats: Mapping[str, Heartbeat],
    breakers: Mapping[str, CircuitBreaker],
    token: CaptchaToken | None,
    gate: GateState | None,
    now: datetime,
) -> CitySight:
    """`city_sight` for a caller who has already read the rows."""
    good, trouble = beats.get(CITY), beats.get(CITY_TROUBLE)
    if good is None and trouble is None:
        return CitySight(sees=False, since=now, reason="starting")
    if gate and gate.paused_until and gate.paused_until > now:
        return CitySight(sees=False, since=gate.refused_at or gate.last_call_at or now, reason="slow_down")
    if gate and is_quota_used_up(gate.ledger, now, city_rules()):
        return CitySight(sees=False, since=gate.watched_at or now, reason="quota")
    watching = breakers.get("watching")
    if watching and watching.state != CircuitBreaker.State.CLOSED:
        return CitySight(sees=False, since=watching.opened_at or now, reason=_reason(watching.reason))
    if (speechless := _speechless(now)) is not None:
        return CitySight(sees=False, since=speechless.found_at, reason="not_understood")
    if not _answers_come(beats, now):
        since = good.at if good else trouble.at if trouble else now
        return CitySight(sees=False, since=since, reason=_reason(trouble.detail if trouble else ""))
    captcha = _captcha(breakers, token, now)
    guards_free_times = token is None or token.variant != FRIENDLY
    if not captcha.ok and guards_free_times and _only_guarded_requests():
        return CitySight(sees=False, since=now - (captcha.age or timedelta(0)), reason="captcha")
    return CitySight(sees=True, since=_seeing_since(trouble, gate) or (good.at if good else now), reason="")


def _by_age(name: str, beats: Mapping[str, Heartbeat], now: datetime) -> Component:
    beat = beats.get(name)
    if beat is None:
        return Component(name, ok=False, detail="no sign of life yet")
    age = max(now - beat.at, timedelta(0))
    ok = age <= FRESH
    return Component(name, ok=ok, detail=(beat.detail or "alive") if ok else "silent", age=age)


def _answers_come(beats: Mapping[str, Heartbeat], now: datetime) -> bool:
    """Whether the last answer was good and no older than a minute and one quiet gap of ours."""
    good, trouble = beats.get(CITY), beats.get(CITY_TROUBLE)
    if good is None:
        return False
    troubled = trouble is not None and trouble.at > good.at
    return now - good.at <= (FRESH if troubled else FRESH + QUIET_GAP)


def _speechless(now: datetime) -> CityDialect | None:
    """The finding that the city speaks no dialect of ours, while it stands: it answers, and tells us nothing."""
    return CityDialect.objects.filter(
        address=settings.MUNICH_API_URL[:300], dialect__in=HOPELESS, until__gt=now
    ).first()


def _city(beats: Mapping[str, Heartbeat], now: datetime) -> Component:
    """A good answer in the last minute, or, while we rest after one, a connection in the last minute."""
    good, trouble = beats.get(CITY), beats.get(CITY_TROUBLE)
    if good is None:
        return Component(CITY, ok=False, detail=trouble.detail if trouble else "no sign of life yet")
    troubled = trouble is not None and trouble.at > good.at
    last = good.at
    if not troubled and (reached := beats.get(CITY_REACHED)) is not None:
        last = max(last, reached.at)
    age = max(now - last, timedelta(0))
    ok = age <= FRESH
    detail = trouble.detail if troubled and trouble else good.detail
    return Component(CITY, ok=ok, detail=detail or ("alive" if ok else "silent"), age=age)


def _captcha(breakers: Mapping[str, CircuitBreaker], token: CaptchaToken | None, now: datetime) -> Component:
    """Trouble only while no token serves: guarded offices cannot be watched then."""
    mode = current_mode()
    if mode == "off":
        return Component("captcha", ok=True, detail="off")
    age = now - token.since if token and token.since else None
    serves = token is not None and token.serves(now)
    if token and (token.state == CaptchaToken.State.BLOCKED or (token.state in _STUCK and not serves)):
        return Component("captcha", ok=False, detail=token.state.replace("_", " "), age=age)
    breaker = breakers.get("captcha")
    if breaker and breaker.state != CircuitBreaker.State.CLOSED and not serves:
        age = now - breaker.opened_at if breaker.opened_at else None
        return Component("captcha", ok=False, detail=breaker.reason or "breaker open", age=age)
    detail = f"{mode}, token serves" if serves else mode
    if token and token.variant == FRIENDLY:
        whose = "solved by us" if solves_friendly(mode) else "left to the city's page"
        detail = f"{mode}, Friendly Captcha, {whose}"
    if token and (ratio := token.cost_alarm(now)):
        detail += f", cost {ratio:.0f} times the usual"
    return Component("captcha", ok=True, detail=detail)


def captcha_token() -> CaptchaToken | None:
    """The row of the site asked lately; an installation has one unless its city changed."""
    return CaptchaToken.objects.order_by(F("since").desc(nulls_last=True)).first()


def _reason(code: str) -> str:
    return _REASON_OF_CODE.get(code, "no_answer")


def _only_guarded_requests() -> bool:
    guarded = set(PollTarget.objects.filter(active=True).values_list("guarded", flat=True).distinct())
    return guarded == {True}


def _seeing_since(trouble: Heartbeat | None, gate: GateState | None) -> datetime | None:
    """When the first call after the last trouble went out; without any trouble, the first call we remember."""
    calls = Call.objects.order_by("at")
    ends = [moment for moment in (trouble and trouble.at, gate and gate.paused_until) if moment]
    if ends:
        calls = calls.filter(at__gte=max(ends))
    return calls.values_list("at", flat=True).first()
