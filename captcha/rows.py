"""The row of a site: read, locked, and what a success or a failure makes of it.

Most of these change a row that the caller has locked and saves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction

from captcha import tokens
from captcha.models import CaptchaToken
from termin_project.encryption import Undecryptable

State = CaptchaToken.State

FIRST_BACKOFF = timedelta(seconds=30)
FAILURES_BEFORE_COOLDOWN = 3
COOLDOWNS_BEFORE_BLOCK = 3
LONGEST_COOLDOWN = timedelta(hours=6)


def row_of(site: str) -> CaptchaToken:
    """The row of `site`, made if it is not there."""
    rows = CaptchaToken.objects.filter(site=site)
    try:
        return rows.first() or CaptchaToken.objects.get_or_create(site=site)[0]
    except Undecryptable:
        # Its key is gone. A token is worth a tenth of a second of work: a fresh start costs less than a repair.
        rows.update(token="", state=State.ABSENT, lease_owner="", lease_until=None)
        return rows.get()


@contextmanager
def locked_row(site: str) -> Iterator[CaptchaToken]:
    """The row of `site`, locked until the block ends and then to be saved by the caller; for short changes only."""
    row_of(site)
    with transaction.atomic():
        yield CaptchaToken.objects.select_for_update().get(site=site)


def note_failure(site: str, reason: str, at: datetime, *, refused: bool = False) -> datetime | None:
    """What a flight brought was no good: when to try again (None: blocked), as after a failed flight.

    `refused`: solutions were, twice in a row. Whoever is in flight meanwhile flies on.
    """
    with locked_row(site) as row:
        if row.state == State.BLOCKED:
            return None
        flying = (row.state, row.since, row.lease_owner, row.lease_until) if row.in_flight(at) else None
        until = failed(row, reason, at, cooldown=refused, refused=refused)
        if flying is not None and until is not None:
            row.state, row.since, row.lease_owner, row.lease_until = flying
        row.save()
    return until


def failed(
    row: CaptchaToken,
    reason: str,
    at: datetime,
    *,
    pause: timedelta | None = None,
    cooldown: bool = False,
    refused: bool = False,
) -> datetime | None:
    """Land after a failure and return when to try again (None: blocked).

    A pause the city asks for is kept as it is. Failed calls are followed by 30 and 60 s, then by a cooldown of
    1, 5, 15, 60 minutes and so on; refused solutions by a cooldown at once, and three such in a row block the site.
    """
    note_error(row, reason, at)
    if pause is not None:
        row.cooldown_until = at + pause
        land(row, State.COOLDOWN, at)
        return row.cooldown_until
    row.failures += 1
    if not cooldown and row.failures < FAILURES_BEFORE_COOLDOWN:
        row.cooldown_until = at + FIRST_BACKOFF * row.failures
        land(row, State.VALID if row.serves(at) else State.ABSENT, at)
        return row.cooldown_until
    row.cooldowns += 1
    row.refused_cooldowns = row.refused_cooldowns + 1 if refused else 0
    row.failures = 0
    if row.refused_cooldowns >= COOLDOWNS_BEFORE_BLOCK:
        forget(row)
        land(row, State.BLOCKED, at)
        return None
    row.cooldown_until = at + cooldown_length(row.cooldowns)
    land(row, State.COOLDOWN, at)
    return row.cooldown_until


def cooldown_length(count: int) -> timedelta:
    """The length of the `count`-th pause in a row: 1, 5, 15, 60 minutes, then doubling up to six hours."""
    steps = (1, 5, 15, 60)
    minutes = steps[count - 1] if count <= len(steps) else 60 * 2 ** min(count - len(steps), 8)
    return min(timedelta(minutes=minutes), LONGEST_COOLDOWN)


def land(row: CaptchaToken, state: str, at: datetime) -> None:
    """End the flight in `state` and give the lease back."""
    row.lease_owner, row.lease_until = "", None
    enter(row, state, at)


def enter(row: CaptchaToken, state: str, at: datetime) -> None:
    """Move `row` to `state`, unsaved, and note since when."""
    if row.state != state:
        row.state, row.since = state, at


def store(row: CaptchaToken, token: str, source: str, at: datetime) -> None:
    """Put a token received at `at` into `row`, unsaved, with its times."""
    life = tokens.life_of(token)
    row.token, row.source, row.address_digest = token, source, life.address_digest
    row.issued_at, row.stale_at, row.expires_at = at, at + life.fresh, at + life.usable


def forget(row: CaptchaToken) -> None:
    """Take the token out of `row`, unsaved."""
    row.token = row.source = row.address_digest = ""
    row.issued_at = row.stale_at = row.expires_at = None


def note_error(row: CaptchaToken, reason: str, at: datetime) -> None:
    """Remember what went wrong, unsaved."""
    row.last_error, row.last_error_at = reason[:80], at
