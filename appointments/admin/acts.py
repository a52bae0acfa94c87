"""Turns what the domain refuses into words for staff."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from appointments.errors import (
    DomainError,
    IllegalTransition,
    NotAllowed,
    StaleBooking,
)
from termin_project.staff_admin import ActRefused


def service_act(service: Callable[..., Any], **fixed: Any) -> Callable[[Any, datetime, dict[str, Any]], None]:
    """A run of `service(row, **fixed, now=now)` that says in plain words when the domain refuses."""

    def run(row: Any, now: datetime, answers: dict[str, Any]) -> None:
        try:
            service(row, **fixed, now=now)
        except (NotAllowed, IllegalTransition) as error:
            raise ActRefused(_("not possible in its present state.")) from error
        except StaleBooking as error:
            raise ActRefused(_("it moved at the same moment; look at it again.")) from error
        except DomainError as error:
            raise ActRefused(_("refused: %(why)s") % {"why": type(error).__name__}) from error

    return run
