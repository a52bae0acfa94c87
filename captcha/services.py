"""From demand to token: one flight at a time per site, within budgets, with pauses after failures.

No call leaves inside a transaction. Every step of a flight is written under its lease, so that a process that dies
hands over when the lease ends, and one that comes back late writes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connections

from captcha import flights, rows, tokens
from captcha.errors import CaptchaUnavailable, HumanNeeded
from captcha.friendly_client import FRIENDLY
from captcha.models import CaptchaToken
from captcha.modes import MODES
from captcha.signals import token_stored
from captcha.types import Clock, Transport, VerificationStatus

logger = logging.getLogger(__name__)

State = CaptchaToken.State

WAIT_LIMIT = timedelta(seconds=75)
POLL = timedelta(milliseconds=200)
REJECTIONS_COUNT_FOR = timedelta(minutes=30)


def get_token(
    transport: Transport,
    *,
    site: str,
    mode: str,
    now: datetime | Clock,
    wait: timedelta = WAIT_LIMIT,
    sleep: Callable[[float], None] = time.sleep,
    run: Callable[[Callable[[], object]], object] | None = None,
) -> str:
    """A token for `site`: the present one, or a new one if `mode` lets us make it.

    `site` names the API's address together with ours. `now` is a moment (aware) or a clock; with a moment, time passes
    by the machine's own clock while this waits. Whoever comes while another fetches waits for that one, `wait` at most.
    A token near its end is renewed by the next demand and serves on when the renewal fails. With `run` (such as
    `beside`) a flight goes on beside the caller: whoever has a token near its end uses it at once, whoever has none
    waits for the flight as everybody else does.

    Raises `HumanNeeded` (mode "human" without a token, or a challenge that is not ours to solve) and
    `CaptchaUnavailable(retry_at, reason)`; must not be called inside a transaction.
    """
    if mode not in MODES:
        raise ValueError(f"captcha mode {mode!r} is none of {MODES}")
    if mode == "off":
        raise CaptchaUnavailable(None, "off")
    clock = clock_from(now)
    give_up_at = clock() + wait
    while True:
        at = clock()
        row = rows.row_of(site)
        if row.state == State.BLOCKED:
            raise CaptchaUnavailable(None, "blocked")
        present = row.token if row.serves(at) else ""
        if present and (not row.is_stale(at) or mode == "human" or row.in_flight(at)):
            return present
        if mode == "human":
            raise HumanNeeded("mode")
        if not row.in_flight(at):
            obstacle = flights.obstacle(row, at)
            if obstacle is not None:
                if present:
                    return present
                raise obstacle
            owner = flights.claim(site, at)
            if owner and run is None:
                return _fly(transport, site, owner, clock, present)
            if owner and run is not None:
                run(lambda owner=owner: _fly_unwatched(transport, site, owner, clock))  # type: ignore[misc]
                if present:
                    return present
                continue
        if at >= give_up_at:
            raise CaptchaUnavailable(at + timedelta(seconds=5), "waiting")
        sleep(POLL.total_seconds())


def _fly(transport: Transport, site: str, owner: str, clock: Clock, present: str) -> str:
    """One flight; the old token serves on if it fails and is still good."""
    try:
        return flights.fly(transport, site=site, owner=owner, clock=clock)
    except (CaptchaUnavailable, HumanNeeded) as error:
        logger.warning("Captcha: no new token", extra={"site": site, "reason": error.reason})
        row = rows.row_of(site)
        if present and row.state != State.BLOCKED and row.serves(clock()):
            return row.token
        raise


def _fly_unwatched(transport: Transport, site: str, owner: str, clock: Clock) -> None:
    """One flight whose outcome others read from the row."""
    try:
        flights.fly(transport, site=site, owner=owner, clock=clock)
    except (CaptchaUnavailable, HumanNeeded) as error:
        logger.warning("Captcha: no new token", extra={"site": site, "reason": error.reason})


def beside(work: Callable[[], object]) -> None:
    """Run `work` in a thread of its own, with database connections of its own.

    A daemon: when the process ends in mid-flight the lease runs out and another process takes over.
    """

    def run() -> None:
        try:
            work()
        except Exception:
            # Nobody waits for it: the row tells the others, this line tells staff.
            logger.exception("Captcha: a flight broke")
        finally:
            connections.close_all()

    threading.Thread(target=run, name="captcha-flight", daemon=True).start()


def offer_token(site: str, token: str, now: datetime, *, source: str = CaptchaToken.Source.ANSWER) -> bool:
    """Take a token from elsewhere: the city gave it along with an appointment, or a person solved. It saves a solve.

    Returns whether it was taken: one that ends sooner than the present one is left alone, and where solutions serve
    once there is no use for a token.
    """
    if not token:
        return False
    life = tokens.life_of(token)
    with rows.locked_row(site) as row:
        better = row.expires_at is None or not row.token or now + life.usable > row.expires_at
        if row.state == State.BLOCKED or not better or row.variant == FRIENDLY:
            return False
        rows.store(row, token, source, now)
        row.cooldown_until = None if source == CaptchaToken.Source.HUMAN else row.cooldown_until
        if not row.in_flight(now):
            rows.enter(row, State.VALID, now)
        row.save()
    token_stored.send(CaptchaToken, site=site, now=now)
    return True


def cost_alarm(site: str, now: datetime) -> float | None:
    """How many times the usual work the challenges cost now, if ten times or more in the last half hour; else None.

    The city makes challenges dearer for an address that asks often: a request to slow down, which polling should heed.
    """
    row = CaptchaToken.objects.filter(site=site).only("alarm_ratio", "alarmed_at").first()
    return row.cost_alarm(now) if row is not None else None


def discard_token(site: str, reason: str, now: datetime, *, token: str = "") -> None:
    """The city did not take the token: forget it, so that the next demand makes a new one.

    `reason` is the city's word. `captchaInvalid` twice in half an hour from an unchanged address blocks the site: then
    something is wrong that another solve does not cure. With `token`, only that one is forgotten. `captchaMissing` says
    nothing about any token: none was sent.
    """
    if reason == "captchaMissing":
        return
    with rows.locked_row(site) as row:
        if token and row.token != token:
            return
        digest = row.address_digest
        rows.forget(row)
        rows.note_error(row, reason, now)
        if reason == "captchaInvalid":
            recent = row.rejected_at is not None and now - row.rejected_at < REJECTIONS_COUNT_FOR
            unchanged = row.rejected_digest == digest
            row.rejections = row.rejections + 1 if recent and unchanged else 1
            row.rejected_at, row.rejected_digest = now, digest
        if row.rejections >= 2:
            rows.enter(row, State.BLOCKED, now)
            logger.error("Captcha: blocked, tokens are rejected", extra={"site": site})
        elif row.state == State.VALID:
            rows.enter(row, State.ABSENT, now)
        row.save()


def block(site: str, now: datetime, reason: str = "operator") -> None:
    """Stop using and making tokens for `site` until `release`."""
    with rows.locked_row(site) as row:
        rows.forget(row)
        rows.note_error(row, reason, now)
        # Whoever is fetching one has lost the right to: what it brings would lift the block.
        row.lease_owner, row.lease_until = "", None
        rows.enter(row, State.BLOCKED, now)
        row.save()


def release(site: str, now: datetime) -> None:
    """Lift a block or a pause: the next demand starts afresh. Budgets stay."""
    with rows.locked_row(site) as row:
        row.failures = row.cooldowns = row.refused_cooldowns = row.rejections = 0
        row.cooldown_until = row.rejected_at = None
        row.rejected_digest = row.unknown_shape = ""
        if not row.in_flight(now):
            rows.enter(row, State.VALID if row.token else State.ABSENT, now)
        row.save()


def verification_status(site: str, now: datetime) -> VerificationStatus:
    """How things stand, for staff and people: never the token."""
    row = CaptchaToken.objects.filter(site=site).first() or CaptchaToken(site=site)
    state = str(row.state)
    if row.state == State.VALID or (row.state == State.ABSENT and row.token):
        state = "expired" if not row.serves(now) else "stale" if row.is_stale(now) else "valid"
    elif row.state in row.IN_FLIGHT and not row.in_flight(now):
        state = "absent"
    # A solution that nobody took yet opens nothing for others.
    serves = row.serves(now) and row.variant != FRIENDLY
    return VerificationStatus(
        state=state,
        since=row.since,
        remaining=row.expires_at - now if serves and row.expires_at else None,
        provider=row.provider,
        source=row.source,
        cost=row.cost,
        solve_time=None if row.solve_ms is None else timedelta(milliseconds=row.solve_ms),
        challenges_last_half_hour=len(row.challenges_since(now - timedelta(minutes=30))),
        challenges_last_day=len(row.challenges_since(now - timedelta(days=1))),
        last_error=row.last_error,
        retry_at=row.cooldown_until if row.cooldown_until and row.cooldown_until > now else None,
        variant=row.variant,
    )


def clock_from(now: datetime | Clock) -> Clock:
    """A clock from a clock, or from the present moment."""
    if not isinstance(now, datetime):
        return now
    moment, began = now, time.monotonic()
    return lambda: moment + timedelta(seconds=time.monotonic() - began)
