"""The last in line: whatever none of the others may solve is for a person."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from captcha.errors import HumanNeeded, SolveAborted
from captcha.providers.altcha_v1 import AltchaV1
from captcha.providers.altcha_v2 import SCRYPT, AltchaV2
from captcha.providers.shape import shape_of
from captcha.types import Challenge, Solution, Work


class Human:
    """Knows every challenge and solves none: it says who is needed, and keeps the shape of what was asked."""

    name = "human"

    def match(self, document: object) -> bool:
        return True

    def parse(self, document: Mapping[str, Any]) -> NoReturn:
        raise HumanNeeded("unknownScheme", shape=shape_of(document))

    def work(self, challenge: Challenge) -> Work:
        return Work(None, None)

    def solve(
        self, challenge: Challenge, *, limit: timedelta, cancelled: Callable[[], bool] | None = None
    ) -> Solution:
        raise SolveAborted("unknownScheme")

    def payload(self, challenge: Challenge, solution: Solution) -> str:
        raise HumanNeeded("unknownScheme")


def page_can_show(document: object) -> bool:
    """Whether the official widget on our own page can put `document` before a person.

    The bundle we serve has workers for SHA and PBKDF2. Codes to type, recorded pointer movements (`his`) and whatever
    else is no proof of work belong on the city's own page.
    """
    if AltchaV1().match(document):
        return True
    return AltchaV2().match(document) and document["parameters"]["algorithm"] != SCRYPT  # type: ignore[index]
