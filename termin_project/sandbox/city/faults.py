"""Things that can go wrong with the city, switched on for a number of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

KINDS: dict[str, str] = {
    "rate_limited": "429 with the city's error and no rate headers",
    "maintenance": "503, under maintenance",
    "backend_down": "503, back end unreachable",
    "gateway_400": "400 of the gateway, without the city's error shape",
    "html_502": "502 with an HTML page",
    "html_200": "200 with an HTML page",
    "truncated_json": "takes effect, the answer breaks off in the middle",
    "empty_body": "takes effect, the answer is empty",
    "slow": "takes `seconds` longer",
    "lost_before": "the connection closes before the request takes effect",
    "lost_after": "the request takes effect, the connection closes without an answer",
    "lost_race": "reserving loses the last place to somebody else (404, unknownError)",
    "captcha_down": "the captcha service is away (where a reservation carries a puzzle: cannot be asked about it)",
    "error": "refuses with `code`, known or not; `status` overrules the city's own, `after` lets it take effect first",
    "no_errors": "200 with an empty list of errors",
    "no_code": "400 with an entry of errors that has no code",
    "framework": "500 in the shape of a programming error",
    "spring": "404 in the shape of another framework",
}

# What people call them when they have the status or the thing in mind.
ALSO_CALLED: dict[str, str] = {
    "429": "rate_limited",
    "503": "maintenance",
    "400": "gateway_400",
    "gateway": "gateway_400",
    "502": "html_502",
    "html": "html_502",
    "truncated": "truncated_json",
    "empty": "empty_body",
    "timeout": "slow",
    "lost": "lost_after",
    "lost_answer": "lost_after",
    "lost_request": "lost_before",
    "race": "lost_race",
    "crash": "framework",
}

PUZZLE = "puzzle"
"""The route of the puzzles, which is no endpoint of the city's."""

ONLY_AT: dict[str, tuple[str, ...]] = {
    "lost_race": ("reserve-appointment",),
    "captcha_down": ("captcha-challenge", "captcha-verify", "reserve-appointment", PUZZLE),
}


@dataclass(slots=True)
class ActiveFault:
    """A fault that still has `left` requests to spoil (None: until removed)."""

    kind: str
    left: int | None
    paths: tuple[str, ...] | None
    seconds: float = 5.0
    code: str = ""
    status: int | None = None
    after: bool = False


@dataclass
class Faults:
    """The faults that are switched on; the oldest one that fits a request spoils it."""

    active: list[ActiveFault] = field(default_factory=list)

    def add(
        self,
        kind: str,
        count: int | None = 1,
        paths: Sequence[str] | None = None,
        *,
        seconds: float = 5.0,
        code: str = "",
        status: int | None = None,
        after: bool = False,
    ) -> ActiveFault:
        """Spoil the next `count` requests (None: all until cleared) whose path is in `paths` (None: any).

        A path is the endpoint's name, `reserve-appointment`, slashes around it are ignored.
        `seconds` is for the kind `slow`; `code`, `status` (HTTP) and `after` are for the kind `error`.
        Raises ValueError for an unknown kind, a senseless number, or an error without a code.
        """
        kind = str(kind).strip().lower().replace("-", "_").replace(" ", "_")
        kind = ALSO_CALLED.get(kind, kind)
        if kind not in KINDS:
            raise ValueError(f"Unknown kind of fault: {kind}. Known are: {', '.join(KINDS)}.")
        if count is not None and count < 1:
            raise ValueError("The count has to be 1 or more.")
        if not 0 <= seconds <= 600:
            raise ValueError("The seconds have to be between 0 and 600.")
        if (kind == "error") != bool(code):
            raise ValueError("A code goes with the kind error, and the kind error with a code.")
        if status is not None and not 200 <= status <= 599:
            raise ValueError("The status has to be between 200 and 599.")
        # A whole address is as good as the endpoint's name.
        names = tuple(path.rstrip("/").rsplit("/", 1)[-1] for path in paths) if paths else None
        fault = ActiveFault(kind, count, names, seconds, code, status, after)
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        self.active.clear()

    def take(self, endpoint: str, *, checks_solutions: bool = False) -> ActiveFault | None:
        """The fault for a request to this endpoint, counted down; None when it may go well.

        `checks_solutions`: whether a reservation asks the captcha service. Puzzles come from another service, which
        only faults meant for it can spoil.
        """
        for fault in self.active:
            if fault.paths is not None and endpoint not in fault.paths:
                continue
            if fault.kind in ONLY_AT and endpoint not in ONLY_AT[fault.kind]:
                continue
            away = fault.kind == "captcha_down"
            if endpoint == PUZZLE and fault.paths is None and not away:
                continue
            if endpoint == "reserve-appointment" and away and not checks_solutions:
                continue
            if fault.left is not None:
                fault.left -= 1
                if fault.left <= 0:
                    self.active.remove(fault)
            return fault
        return None

    def as_json(self) -> list[dict[str, object]]:
        of_errors = ("code", "status", "after")
        return [
            {name: value for name, value in asdict(fault).items() if fault.code or name not in of_errors}
            for fault in self.active
        ]
