"""Solutions that serve once: the city checks them when they come with a reservation (Friendly Captcha v1)."""

from datetime import datetime
from typing import Any

from captcha import rows
from captcha.errors import CityPageNeeded, HumanNeeded
from captcha.models import CaptchaToken
from captcha.services import clock_from, get_token
from captcha.types import Clock, Transport
from captcha.variants import solves_friendly

State = CaptchaToken.State


def take_solution(
    transport: Transport, *, site: str, mode: str, now: datetime | Clock, **options: Any
) -> str:
    """A fresh solution for `site`: whoever gets it is the only one. `options` as for `services.get_token`.

    Raises `CaptchaUnavailable`, and `CityPageNeeded` where it is not ours to solve: the operator does not allow it, or
    it is too much for us. Nothing is asked then.
    """
    if not solves_friendly(mode):
        raise CityPageNeeded("friendly")
    clock = clock_from(now)
    while True:
        try:
            solution = get_token(transport, site=site, mode=mode, now=clock, **options)
        except HumanNeeded as error:
            raise CityPageNeeded(error.reason, shape=error.shape) from None
        with rows.locked_row(site) as row:
            if row.token != solution:
                continue  # another took it meanwhile
            rows.forget(row)
            if row.state == State.VALID:
                rows.enter(row, State.ABSENT, clock())
            row.save()
        return solution


def solution_accepted(site: str) -> None:
    """The city took one: failures before it count no more."""
    CaptchaToken.objects.filter(site=site).update(failures=0, cooldowns=0, refused_cooldowns=0)


def solutions_refused(site: str, now: datetime) -> datetime | None:
    """Two in a row were refused. Returns until when nothing is tried; None: blocked until staff release it."""
    return rows.note_failure(site, "solutionRefused", now, refused=True)


def solution_unchecked(site: str, reason: str, now: datetime) -> datetime | None:
    """The city could not check one, which may be used up all the same. Returns until when nothing is tried."""
    return rows.note_failure(site, reason, now)
