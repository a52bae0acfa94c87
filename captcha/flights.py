"""One flight: challenge, solution, token; with its lease, its budget and the pauses after failures."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import transaction

from captcha import proof_of_work, rows, solving
from captcha.errors import (
    CaptchaError,
    CaptchaUnavailable,
    HumanNeeded,
    NotAdmitted,
    SolutionRefused,
    SolveAborted,
    TransportFailed,
    VerifyUnknown,
)
from captcha.models import CaptchaToken
from captcha.modes import current_mode
from captcha.providers import LONGEST_SOLVE, PROVIDERS, WITH_FRIENDLY, check_bounds, provider_for
from captcha.signals import cost_rose, token_stored
from captcha.types import Clock, Transport

State = CaptchaToken.State

CALL_LEASE = timedelta(seconds=75)
"""Longer than one call can take, waiting at the gate included."""

SOLVE_LEASE = LONGEST_SOLVE + timedelta(seconds=30)
NEEDS_HUMAN_FOR = timedelta(minutes=10)
HALF_HOUR, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)
CHALLENGES_PER_HALF_HOUR = 8
CHALLENGES_PER_DAY = 100
SOLVING_PER_HOUR = timedelta(seconds=120)
TRIES = 2
UNSOLVED = frozenset({"solveAborted", "solverDied"})
ALARM_RATIO = 10
ALARM_EVERY = timedelta(minutes=30)
REMEMBERED_WORKS = 100


class LeaseLost(Exception):
    """Another process took the flight over; whatever we have is no longer wanted."""


def obstacle(row: CaptchaToken, at: datetime) -> CaptchaError | None:
    """Why no flight may start now, or None."""
    if row.state == State.NEEDS_HUMAN and row.since is not None and at - row.since < NEEDS_HUMAN_FOR:
        return HumanNeeded(row.last_error or "unknownScheme", shape=row.unknown_shape)
    if row.cooldown_until is not None and at < row.cooldown_until:
        return CaptchaUnavailable(row.cooldown_until, row.last_error or "cooldown")
    free_at = budget_free_at(row, at)
    return CaptchaUnavailable(free_at, "budget") if free_at > at else None


def budget_free_at(row: CaptchaToken, at: datetime) -> datetime:
    """When the next challenge may be asked for; `at` itself if that is now."""
    free_at = at
    for span, most in ((HALF_HOUR, CHALLENGES_PER_HALF_HOUR), (DAY, CHALLENGES_PER_DAY)):
        recent = row.challenges_since(at - span)
        if len(recent) >= most:
            leaves = datetime.fromtimestamp(recent[-most][0], at.tzinfo) + span
            free_at = max(free_at, leaves)
    spent = row.challenges_since(at - HOUR)
    if row.solving_since(at - HOUR) >= SOLVING_PER_HOUR:
        free_at = max(free_at, datetime.fromtimestamp(spent[0][0], at.tzinfo) + HOUR)
    return free_at


def claim(site: str, at: datetime) -> str:
    """The right to fly, as the name of its holder; "" if another was first."""
    owner = secrets.token_hex(8)
    with rows.locked_row(site) as row:
        if row.in_flight(at) or row.state == State.BLOCKED or obstacle(row, at) is not None:
            return ""
        if row.serves(at) and not row.is_stale(at):
            return ""
        row.lease_owner, row.lease_until = owner, at + CALL_LEASE
        rows.enter(row, State.FETCHING, at)
        row.save()
    return owner


def fly(transport: Transport, *, site: str, owner: str, clock: Clock) -> str:
    """Challenge, solution, token: two tries at most. Raises `CaptchaUnavailable` or `HumanNeeded` and leaves the lease.

    Anything unforeseen ends the flight too, as a failed call, so that the others need not wait for its lease.
    """
    try:
        return _tries(transport, site, owner, clock)
    except LeaseLost:
        raise CaptchaUnavailable(clock() + timedelta(seconds=5), "leaseLost") from None
    except CaptchaError:
        raise
    except BaseException:
        with suppress(LeaseLost), _own(site, owner) as row:
            rows.failed(row, "unforeseen", clock())
        raise


def _tries(transport: Transport, site: str, owner: str, clock: Clock) -> str:
    reason = ""
    for _ in range(TRIES):
        try:
            return _one_try(transport, site, owner, clock)
        except NotAdmitted as error:
            with _own(site, owner) as row:
                row.challenges = row.challenges[:-1]  # nothing was asked
                rows.land(row, State.VALID if row.serves(clock()) else State.ABSENT, clock())
            raise CaptchaUnavailable(error.retry_at, error.reason) from None
        except (SolutionRefused, VerifyUnknown) as error:
            reason = error.reason  # the challenge is used up either way; a fresh one gets one try
        except TransportFailed as error:
            with _own(site, owner) as row:
                until = rows.failed(row, error.reason, clock(), pause=error.retry_after)
            raise CaptchaUnavailable(until, error.reason) from None
        except HumanNeeded as error:
            with _own(site, owner) as row:
                rows.note_error(row, error.reason, clock())
                row.unknown_shape = error.shape
                rows.land(row, State.NEEDS_HUMAN, clock())
            raise
        except SolveAborted as error:
            reason = error.reason
            if reason == "calledOff":
                with _own(site, owner) as row:
                    rows.land(row, State.VALID if row.serves(clock()) else State.ABSENT, clock())
                raise CaptchaUnavailable(None, reason) from None
            if reason not in ("expired", "noSolution"):
                break
    with _own(site, owner) as row:
        if reason in UNSOLVED and row.last_error in UNSOLVED and row.cooldowns:
            # It did not work before the pause and not after it: people are better at this.
            rows.note_error(row, reason, clock())
            row.cooldowns = 0
            rows.land(row, State.NEEDS_HUMAN, clock())
            until, human = None, True
        else:
            until, human = (
                rows.failed(row, reason, clock(), cooldown=True, refused=reason == "solutionRefused"),
                False,
            )
    if human:
        raise HumanNeeded(reason)
    raise CaptchaUnavailable(until, reason)


def _one_try(transport: Transport, site: str, owner: str, clock: Clock) -> str:
    at = clock()
    with _own(site, owner) as row:
        free_at = budget_free_at(row, at)
        if free_at <= at:
            row.challenges = [*row.challenges_since(at - DAY), [ceil(at.timestamp()), 0]]
            row.lease_until = at + CALL_LEASE
            rows.enter(row, State.FETCHING, at)
    if free_at > at:
        raise TransportFailed("budget", retry_after=free_at - at)

    document = transport.challenge()
    provider = provider_for(document, WITH_FRIENDLY if settings.CAPTCHA_FRIENDLY else PROVIDERS)
    challenge = provider.parse(document)
    work = provider.work(challenge)
    rate = proof_of_work.local_hash_rate()
    at = clock()
    with _own(site, owner) as row:
        alarm = note_cost(row, provider.name, challenge.cost, work.expected, at)
    if alarm is not None:
        cost_rose.send(CaptchaToken, site=site, ratio=alarm, now=at)
    limit = check_bounds(challenge, work, now=at, rate=rate)
    with _own(site, owner) as row:
        row.lease_until = at + SOLVE_LEASE
        rows.enter(row, State.SOLVING, at)

    solution = solving.solve(
        provider, challenge, limit=limit, rate=rate, cancelled=lambda: _called_off(site, owner)
    )

    at = clock()
    took = ceil(solution.took / timedelta(milliseconds=1))
    with _own(site, owner) as row:
        row.solve_ms, row.attempts = took, solution.attempts
        if row.challenges:
            row.challenges[-1][1] = took
        row.lease_until = at + CALL_LEASE
        rows.enter(row, State.SUBMITTING, at)
    if challenge.expires_at is not None and at >= challenge.expires_at:
        raise SolveAborted("expired")

    token = transport.verify(provider.payload(challenge, solution))
    with _own(site, owner) as row:
        if not transport.single_use:  # else it shows later whether this was a success (`solutions`)
            row.failures = row.cooldowns = row.refused_cooldowns = 0
        row.cooldown_until = None
        row.unknown_shape = ""
        rows.store(
            row, token, CaptchaToken.Source.SOLVE, at
        )  # its life counts from before we asked: the cautious side
        rows.land(row, State.VALID, clock())
    if not transport.single_use:
        token_stored.send(CaptchaToken, site=site, now=clock())
    return token


def note_cost(
    row: CaptchaToken, provider: str, cost: int, expected: int | None, at: datetime
) -> float | None:
    """Note, unsaved, how much work the present challenge is. Its ratio to the usual if that is an alarm, else None.

    The usual is the lower quartile of the last hundred: an address that asks often meets dear challenges often, and
    the alarm is to go off again when it does.
    """
    row.provider, row.cost = provider, cost
    if expected is None:
        return None
    usual = row.usual_work
    row.works = [*row.works, expected][-REMEMBERED_WORKS:]
    if not usual or expected < usual * ALARM_RATIO:
        return None
    ratio = expected / usual
    fresh = row.alarmed_at is None or at - row.alarmed_at >= ALARM_EVERY
    row.alarm_ratio, row.alarmed_at = ratio, at
    return ratio if fresh else None


def _called_off(site: str, owner: str) -> bool:
    """Whether the solving has become pointless: blocked, switched off, or somebody else's turn."""
    row = CaptchaToken.objects.filter(site=site).only("lease_owner", "state").first()
    return row is None or row.lease_owner != owner or row.state == State.BLOCKED or current_mode() == "off"


@contextmanager
def _own(site: str, owner: str) -> Iterator[CaptchaToken]:
    """The row for one short change by the holder of the lease; saved at the end. Raises `LeaseLost`."""
    with transaction.atomic():
        row = CaptchaToken.objects.select_for_update().get(site=site)
        if row.lease_owner != owner:
            raise LeaseLost
        yield row
        row.save()
