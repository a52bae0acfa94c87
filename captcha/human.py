"""A person solves: a ticket, a challenge fetched by us, the solution handed in by us, a token for everybody.

The city binds a token to the address its solution comes from, so the phone only computes: fetching and handing in
stay on this side, inside the same budgets as everything else.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer

from captcha import flights, rows
from captcha.errors import CaptchaError, HumanNeeded, NotAdmitted, SolutionRefused, TransportFailed
from captcha.models import CaptchaToken, HumanTicket
from captcha.modes import current_mode
from captcha.providers import PROVIDERS, check_bounds, page_can_show, provider_for, shape_of
from captcha.services import offer_token
from captcha.types import Transport
from captcha.variants import FRIENDLY, ROUTE_GONE

State = CaptchaToken.State

TICKET_LIFE = timedelta(minutes=10)
# So long one person has the field to themselves: everybody's token comes of it.
TURN = timedelta(seconds=20)
# A token with more left than this is not renewed: it would cost the city a challenge and save nobody anything.
ENOUGH_LEFT = timedelta(seconds=60)
LARGEST_PAYLOAD = 32 * 1024
# The bounds of our own processor do not count for a phone; only the time left does.
_NO_LIMIT_RATE = 1e12

_signer = Signer(salt="captcha.ticket")


class PageRefused(Exception):
    """The page cannot go on. `reason` is one word; `retry_at` (aware) tells when it can, if that is known.

    Reasons: unknown, used, expired, owner, off, blocked, busy, later, city, elsewhere, refused, unclear, unreadable.
    """

    def __init__(self, reason: str, retry_at: datetime | None = None) -> None:
        self.reason = reason
        self.retry_at = retry_at
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Watched:
    """Guarded offices are watched until then; nothing is to be solved now."""

    until: datetime


def issue_ticket(site: str, owner: str, *, language: str, now: datetime, needs_proof: bool = True) -> str:
    """A ticket for `owner`, signed, good once and for ten minutes; only its digest is kept.

    With `needs_proof` off the ticket itself is the proof: for links given in private to one person.
    """
    secret = secrets.token_urlsafe(24)
    HumanTicket.objects.create(
        digest=_digest(secret),
        site=site,
        owner=owner,
        needs_proof=needs_proof,
        language=language,
        created_at=now,
        expires_at=now + TICKET_LIFE,
    )
    return _signer.sign(secret)


def page_address(ticket: str) -> str:
    """Where the person solves."""
    return f"{settings.PUBLIC_URL}/captcha/{ticket}/"


def ticket_of(text: str, now: datetime) -> HumanTicket:
    """The ticket, if it is still good. Raises `PageRefused`."""
    digest = digest_of(text)
    ticket = HumanTicket.objects.filter(digest=digest).first() if digest else None
    if ticket is None:
        raise PageRefused("unknown")
    if ticket.used_at is not None:
        raise PageRefused("used")
    if now >= ticket.expires_at:
        raise PageRefused("expired")
    return ticket


def digest_of(text: str) -> str:
    """The digest that a ticket rests under; "" for one we did not sign."""
    try:
        return _digest(_signer.unsign(text))
    except BadSignature:
        return ""


def follow_up(ticket: HumanTicket, now: datetime) -> str:
    """A fresh ticket for the same owner, given only to whoever has just used the old one."""
    return issue_ticket(
        ticket.site, ticket.owner, language=ticket.language, now=now, needs_proof=ticket.needs_proof
    )


def challenge_for(ticket: HumanTicket, transport: Transport, now: datetime) -> Mapping[str, Any] | Watched:
    """The challenge to be shown, fetched once for each ticket; or until when guarded offices are watched anyway.

    Raises `PageRefused`. Never call it in a transaction.
    """
    if current_mode() == "off":
        raise PageRefused("off")
    row = rows.row_of(ticket.site)
    if row.variant == FRIENDLY:
        raise PageRefused("elsewhere")
    if (
        row.state != State.BLOCKED
        and row.serves(now)
        and row.expires_at
        and row.expires_at - now > ENOUGH_LEFT
    ):
        return Watched(row.expires_at)
    if ticket.document:
        document: dict[str, Any] = json.loads(ticket.document)
        return document
    _take_turn(ticket, now)
    try:
        fetched = transport.challenge()
    except TransportFailed as error:
        _give_turn_back(ticket, error, now)
        if error.reason == ROUTE_GONE:
            raise PageRefused("elsewhere") from None  # the city has another captcha by now
        raise PageRefused("later" if isinstance(error, NotAdmitted) else "city") from None
    try:
        _note_challenge(ticket, fetched, now)
    except HumanNeeded as error:
        with rows.locked_row(ticket.site) as row:
            rows.note_error(row, error.reason, now)
            row.unknown_shape = error.shape or shape_of(fetched)
            row.save()
        raise PageRefused("elsewhere") from None
    return fetched


def hand_in(ticket: HumanTicket, payload: object, transport: Transport, now: datetime) -> Watched:
    """Send the person's solution to the city and keep the token. The ticket is used up, however it ends.

    Raises `PageRefused`. Never call it in a transaction.
    """
    if not isinstance(payload, str) or not _answers(payload, ticket.document):
        raise PageRefused("unreadable")
    fresh = HumanTicket.objects.filter(pk=ticket.pk, used_at=None, expires_at__gt=now)
    if not fresh.update(used_at=now, document=""):
        raise PageRefused("used")
    if current_mode() == "off":
        raise PageRefused("off")
    try:
        token = transport.verify(payload)
    except CaptchaError as error:
        with rows.locked_row(ticket.site) as row:
            rows.note_error(row, error.reason, now)
            row.save()
        raise PageRefused("refused" if isinstance(error, SolutionRefused) else "unclear") from None
    offer_token(ticket.site, token, now, source=CaptchaToken.Source.HUMAN)
    row = rows.row_of(ticket.site)
    if row.state == State.BLOCKED or row.expires_at is None:
        raise PageRefused("blocked")
    return Watched(row.expires_at)


def forget_old_tickets(now: datetime) -> int:
    """Remove tickets that were used or ran out a day ago. Returns how many."""
    return HumanTicket.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def _take_turn(ticket: HumanTicket, now: datetime) -> None:
    """Count the challenge that is about to be fetched; one person at a time, within the budgets."""
    with rows.locked_row(ticket.site) as row:
        if row.state == State.BLOCKED:
            raise PageRefused("blocked")
        others = HumanTicket.objects.filter(site=ticket.site, used_at=None, fetched_at__gt=now - TURN)
        if row.in_flight(now) or others.exclude(pk=ticket.pk).exists():
            raise PageRefused("busy", now + TURN)
        if row.cooldown_until is not None and now < row.cooldown_until:
            raise PageRefused("later", row.cooldown_until)
        free_at = flights.budget_free_at(row, now)
        if free_at > now:
            raise PageRefused("later", free_at)
        row.challenges = [*row.challenges_since(now - flights.DAY), [ceil(now.timestamp()), 0]]
        row.save()
        HumanTicket.objects.filter(pk=ticket.pk).update(fetched_at=now)


def _give_turn_back(ticket: HumanTicket, error: TransportFailed, now: datetime) -> None:
    with rows.locked_row(ticket.site) as row:
        if isinstance(error, NotAdmitted):
            row.challenges = row.challenges[:-1]  # nothing was asked
        else:
            rows.note_error(row, error.reason, now)
            pause = error.retry_after or rows.FIRST_BACKOFF
            row.cooldown_until = max(now + pause, row.cooldown_until or now)
        row.save()
        HumanTicket.objects.filter(pk=ticket.pk).update(fetched_at=None)


def _note_challenge(ticket: HumanTicket, document: Mapping[str, Any], now: datetime) -> None:
    """Keep the challenge with the ticket. Raises `HumanNeeded` for one that our page cannot show."""
    if not page_can_show(document):
        raise HumanNeeded("unknownScheme", shape=shape_of(document))
    provider = provider_for(document, PROVIDERS)
    challenge = provider.parse(document)
    work = provider.work(challenge)
    check_bounds(challenge, work, now=now, rate=_NO_LIMIT_RATE)
    with rows.locked_row(ticket.site) as row:
        alarm = flights.note_cost(row, provider.name, challenge.cost, work.expected, now)
        row.save()
    if alarm is not None:
        flights.cost_rose.send(CaptchaToken, site=ticket.site, ratio=alarm, now=now)
    ticket.document = json.dumps(document)
    HumanTicket.objects.filter(pk=ticket.pk).update(document=ticket.document)


def _answers(payload: str, document: str) -> bool:
    """Whether `payload` answers the challenge that was shown: the city's signature tells them apart."""
    if not document or len(payload) > LARGEST_PAYLOAD:
        return False
    try:
        answer = json.loads(base64.b64decode(payload, validate=True))
        signature = answer["signature"] if "signature" in answer else answer["challenge"]["signature"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(signature, str) and signature == json.loads(document)["signature"]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
