"""Which captcha the city speaks: asked when one is needed, remembered for a day, found anew when an answer contradicts.

ALTCHA guards free times and reservations with a token that serves again and again; Friendly Captcha v1, which older
releases have, guards reservations alone, with a solution that serves once. The finding rests with the site's token, so
that whoever needs a captcha reads both from one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings

from captcha import rows
from captcha.errors import CaptchaUnavailable, NotAdmitted, TransportFailed
from captcha.friendly_client import ALTCHA, FRIENDLY, variant_of
from captcha.models import CaptchaToken

REMEMBERED_FOR = timedelta(days=1)
ASKED_AGAIN_AFTER = timedelta(minutes=10)
"""When the city gave no details."""

ROUTE_GONE = "notFound"
"""The city's word for a route it does not have."""
LONGEST_ADDRESS = 500


class DetailsApi(Protocol):
    """Asks the city which captcha it has. Raises `TransportFailed`."""

    def details(self) -> Mapping[str, Any]:
        """The body of GET /captcha-details/."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What the city speaks, and of Friendly Captcha `siteKey` and `puzzle` from its details. Name "": not known."""

    name: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_friendly(self) -> bool:
        """Whether it guards reservations alone."""
        return self.name == FRIENDLY


def remembered(site: str, now: datetime | None = None) -> Variant:
    """What was found out last, by one small query; with `now` only if that is not too long ago."""
    row = (
        CaptchaToken.objects.filter(site=site)
        .values_list("variant", "variant_details", "variant_until")
        .first()
    )
    if row is None or row[2] is None or (now is not None and now >= row[2]):
        return Variant("")
    return Variant(row[0], row[1])


def find_out(api: DetailsApi, *, site: str, now: datetime) -> Variant:
    """Ask the city, and remember what it said. Never call it in a transaction.

    Details that name neither captcha count as ALTCHA: its routes tell the rest. So does a city that gives no details
    as long as nothing else is known of it, and is asked again before long. Raises `CaptchaUnavailable` when our own
    gate lets nothing out.
    """
    try:
        found, until = _read(api.details()), now + REMEMBERED_FOR
    except NotAdmitted as error:
        raise CaptchaUnavailable(error.retry_at, error.reason) from None
    except TransportFailed:
        found, until = _known_before(site), now + ASKED_AGAIN_AFTER
    with rows.locked_row(site) as row:
        if (row.variant == FRIENDLY) != found.is_friendly and row.state != CaptchaToken.State.BLOCKED:
            _start_afresh(row, now, keep_token=not row.variant and not found.is_friendly)
        row.variant, row.variant_details = found.name, dict(found.details)
        row.variant_found_at, row.variant_until = now, until
        row.save()
    return found


def _read(details: Mapping[str, Any]) -> Variant:
    name = variant_of(details) or ALTCHA
    kept = {key: str(details.get(key) or "")[:LONGEST_ADDRESS] for key in ("siteKey", "puzzle")}
    return Variant(name, kept if name == FRIENDLY else {})


def _known_before(site: str) -> Variant:
    row = rows.row_of(site)
    return Variant(row.variant or ALTCHA, row.variant_details)


def doubt(site: str, *, unless: str = "") -> None:
    """An answer contradicts what we remember, `unless` it is this: whoever needs it next asks anew."""
    CaptchaToken.objects.filter(site=site).exclude(variant=unless).update(variant_until=None)


def doubt_if_route_is_gone(site: str) -> bool:
    """Doubt what we remember if the city's captcha routes have disappeared since; returns whether they have.

    Asked after every failure while routes are missing, but told once for each finding: the details of a city that names
    routes it does not have are not asked for again and again.
    """
    row = rows.row_of(site)
    gone = row.last_error == ROUTE_GONE and row.last_error_at is not None
    if not gone or row.variant_found_at is None or row.last_error_at <= row.variant_found_at:  # type: ignore[operator]
        return False
    doubt(site, unless=FRIENDLY)
    return True


def solves_friendly(mode: str) -> bool:
    """Whether we solve Friendly Captcha: only if the operator allows it. Our page cannot show it to a person."""
    return mode == "auto" and bool(settings.CAPTCHA_FRIENDLY)


def _start_afresh(row: CaptchaToken, now: datetime, *, keep_token: bool) -> None:
    """Nothing of the other captcha serves here: neither its token nor the pauses after its failures."""
    if not keep_token:
        rows.forget(row)
    row.failures = row.cooldowns = row.refused_cooldowns = row.rejections = 0
    row.cooldown_until = row.rejected_at = None
    row.rejected_digest = row.unknown_shape = ""
    # What the other one cost is no measure of this one.
    row.works, row.alarm_ratio, row.alarmed_at = [], None, None
    # A flight under way is for the other captcha: it has lost its lease.
    row.lease_owner, row.lease_until = "", None
    rows.enter(row, CaptchaToken.State.VALID if row.token else CaptchaToken.State.ABSENT, now)
