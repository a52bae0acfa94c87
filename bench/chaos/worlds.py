"""The simulated city and Telegram of a chaos run: in the driver, never killed, remembering everything."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bench.server import CITY_LIMIT, Exchange, Simulators
from termin_project.sandbox.city import CityWorld
from termin_project.sandbox.city.catalogue import Catalogue, Scope
from termin_project.sandbox.city.munich import munich_catalogue

LIVE = ("reserved", "preconfirmed", "confirmed")
CHANGES = ("reserve-appointment", "update-appointment", "preconfirm-appointment", "cancel-appointment")
READS = ("appointment", "available-calendar")
# Kind of fault -> how often it comes, relative to the others. `slow` is longer than our patience.
FAULTS = {
    "lost_before": 4,
    "lost_after": 6,
    "html_502": 2,
    "gateway_400": 3,
    "truncated_json": 2,
    "empty_body": 2,
    "maintenance": 1,
    "backend_down": 1,
    "lost_race": 3,
    "slow": 0.4,
    "rate_limited": 0.15,
}
TELEGRAM_FAULTS = {"lost_after": 3, "lost_before": 2, "429": 2, "502": 2, "500": 2}
SLOWER_THAN_OUR_PATIENCE = 17.0


@dataclass
class Occupied:
    """A place at the city and when it was somebody's. Times are `time.time()`."""

    number: int
    office: int
    starts_at: int
    since: float
    until: float


@dataclass(frozen=True)
class Shown:
    """A new message that Telegram put into a chat."""

    number: int
    chat: int
    text: str
    buttons: str


class Worlds(Simulators):
    """Both simulators with short deadlines and a memory for the verdict; a context manager."""

    def __init__(self, port: int, chance: random.Random, *, hold: int, activation: int) -> None:
        """`hold`, `activation`: minutes until the city drops a reservation or a link nobody opened."""
        city = CityWorld(
            limit=CITY_LIMIT, captcha_cost=1, seed=chance.randrange(2**32), catalogue=_hasty(hold, activation)
        )
        super().__init__(port, city)
        self.chance = chance
        self.occupied: dict[tuple[int, float], Occupied] = {}
        self.confirmed: dict[int, float] = {}
        self.said_confirmed: list[tuple[float, int]] = []
        self.shown: list[Shown] = []
        self.faults: dict[str, int] = {}
        self._ticking = threading.Event()
        self._pulse = threading.Thread(target=self._tick, daemon=True)
        confirm = city.desk.confirm

        def noted(number: int, key: str, now: float) -> Any:
            process = confirm(number, key, now)
            self.confirmed[number] = time.time()
            return process

        city.desk.confirm = noted  # type: ignore[method-assign]

    def __enter__(self) -> Worlds:
        super().__enter__()
        self._pulse.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ticking.set()
        super().__exit__()

    def _keep(self, exchange: Exchange) -> None:
        """Only what the verdict needs: a long run would not fit into memory otherwise."""
        if not exchange.path.endswith(("/sendMessage", "/editMessageText")):
            return
        request = json.loads(exchange.request)
        if b'"ok": true' not in exchange.answer:
            return
        self._note(exchange.path.rpartition("/")[2], request, json.loads(exchange.answer)["result"])

    def _note(self, method: str, request: dict[str, Any], result: dict[str, Any]) -> None:
        chat, text = int(request["chat_id"]), str(request["text"])
        if "Confirmed by the city" in text or "The city has confirmed the new time" in text:
            self.said_confirmed.append((time.time(), chat))
        if method == "sendMessage":
            buttons = json.dumps(request.get("reply_markup") or {})
            self.shown.append(Shown(int(result["message_id"]), chat, text, buttons))

    def _tick(self) -> None:
        """The city's minute jobs, and a look at who occupies what."""
        while not self._ticking.wait(0.2):
            self.city.tick()
            self.look()

    def look(self) -> None:
        """Note who occupies what at this moment."""
        now = time.time()
        with self.city.lock:
            for process in self.city.desk.processes.values():
                if process.status in LIVE:
                    place = (process.number, process.reserved_at)
                    known = self.occupied.setdefault(
                        place, Occupied(process.number, process.office_id, process.starts_at, now, now)
                    )
                    known.until = now

    def spoil(self) -> None:
        """Something goes wrong with the next request of some kind, at the city or at Telegram."""
        if self.chance.random() < 0.2:
            from termin_project.sandbox.telegram import control

            kind = self._one_of(TELEGRAM_FAULTS)
            control.faults(self.telegram, {"kind": kind, "count": 1, "retry_after": 1})
            self._count(f"telegram {kind}")
            return
        kind = self._one_of(FAULTS)
        paths = [self.chance.choice(CHANGES if self.chance.random() < 0.75 else READS)]
        with self.city.lock:
            if len(self.city.faults.active) < 5:
                self.city.faults.add(
                    kind, 1, None if kind == "lost_race" else paths, seconds=SLOWER_THAN_OUR_PATIENCE
                )
                self._count(kind)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        with self.city.lock:
            self.city.faults.clear()
        with self.telegram.lock:
            self.telegram.faults.clear()

    def move_on(self, minutes: float) -> None:
        """The city's clock jumps ahead, and its jobs run."""
        with self.city.lock:
            self.city.clock.advance(timedelta(minutes=minutes))
            self.city.tick()

    def _one_of(self, weights: dict[str, Any]) -> str:
        return self.chance.choices(list(weights), list(weights.values()))[0]

    def _count(self, kind: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1


def _hasty(hold: int, activation: int) -> Catalogue:
    """Munich's catalogue with short deadlines and without questions that somebody would have to answer."""
    munich = munich_catalogue()

    def scope(known: Scope | None) -> Scope | None:
        if known is None:
            return None
        return replace(
            known,
            reservation_minutes=hold,
            activation_minutes=activation,
            telephone=False,
            telephone_required=False,
            custom=None,
            custom_required=False,
            custom_2=None,
            custom_2_required=False,
            per_mail=None,
        )

    return replace(
        munich,
        offices={
            number: replace(office, scope=scope(office.scope)) for number, office in munich.offices.items()
        },
    )
