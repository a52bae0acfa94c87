"""Captcha tokens as the domain uses them: one source per city and address, whichever captcha the city has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from appointments.upstream.errors import SOLUTION_CODES, UNCHECKED_CODE, CaptchaRefused, SlotTaken
from captcha import services as captcha
from captcha import solutions, variants
from captcha.errors import CaptchaUnavailable, CityPageNeeded
from captcha.types import Transport
from captcha.variants import DetailsApi, Variant

T = TypeVar("T")


class CityCaptchaApi(Transport, DetailsApi, Protocol):
    """The captcha routes of the city's own API."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a guarded reservation brings along: a token, a solution that serves once, or neither."""

    token: str = field(default="", repr=False)
    solution: str = field(default="", repr=False)


NOTHING = Proof()


@dataclass
class TokenSource:
    """Hands out what guarded calls need, makes it when needed, forgets it when the city refuses it.

    `mode` may be asked each time, because the operator changes it while everything runs. `patience` is how long a
    caller waits for a token in the making, `run` where it is made (see `captcha.services.get_token`). `puzzles` makes
    the way to Friendly Captcha's puzzles from the city's details; it raises `ValueError` for details that lead nowhere.
    """

    transport: CityCaptchaApi
    site: str
    mode: str | Callable[[], str]
    clock: Callable[[], datetime]
    patience: timedelta = captcha.WAIT_LIMIT
    run: Callable[[Callable[[], object]], object] | None = None
    # Told what the last captcha cost whenever there is a new token; puzzles come from elsewhere and tell nothing of the
    # city's wishes.
    note_cost: Callable[[int | None], None] | None = None
    puzzles: Callable[[Mapping[str, Any]], Transport] | None = None
    _used: str = field(default="", repr=False)

    def for_calendar(self, ask: Callable[[str], T], *, needed: bool) -> T:
        """What `ask` returns for a token ("" if none is `needed`); asked once more with a fresh one if it is refused.

        A city with Friendly Captcha wants none for its calendars. The city refuses a token before the call has any
        effect, so asking again is no blind repetition. Raises what `ask` raises, `CaptchaRefused` for the second
        refusal, and `captcha.errors.CaptchaError`. Never call it in a transaction.
        """
        sent = self._calendar_proof() if needed else NOTHING
        try:
            return ask(sent.token)
        except CaptchaRefused as refused:
            self._learn(refused, sent)
            sent = self._calendar_proof()
            if not sent.token:
                raise  # by its details nothing is wanted, and yet it is
        try:
            return ask(sent.token)
        except CaptchaRefused as refused:
            self._learn(refused, sent)
            raise

    def for_reservation(self, ask: Callable[[Proof], T], *, needed: bool) -> T:
        """As `for_calendar`, for a reservation: `ask` gets a token, or a fresh solution where the city wants that.

        Raises `CityPageNeeded` where only the city's own page can show its captcha, and `CaptchaUnavailable` when two
        solutions in a row were refused or the city could not check one.
        """
        sent = self._reservation_proof() if needed else NOTHING
        try:
            return self._reserve(ask, sent)
        except CaptchaRefused as refused:
            self._learn(refused, sent)
        sent = self._reservation_proof()
        try:
            return self._reserve(ask, sent)
        except CaptchaRefused as refused:
            self._learn(refused, sent)
            if sent.solution:
                until = solutions.solutions_refused(self.site, self.clock())
                raise CaptchaUnavailable(until, "solutionRefused") from None
            raise

    def token(self) -> str:
        """A token that should work now. Raises `captcha.errors.CaptchaError`; never call it in a transaction."""
        before = self._used
        self._used = captcha.get_token(
            self.transport,
            site=self.site,
            mode=self._mode(),
            now=self.clock,
            wait=self.patience,
            run=self.run,
        )
        if self._used != before and self.note_cost is not None:
            self.note_cost(captcha.verification_status(self.site, self.clock()).cost)
        return self._used

    def offer(self, token: str) -> None:
        """Take a token that came along with an appointment: it saves a solve."""
        if token:
            captcha.offer_token(self.site, token, self.clock())

    # What is sent along

    def _calendar_proof(self) -> Proof:
        if self._mode() != "off" and self._variant().is_friendly:
            return NOTHING
        return self._token_proof(or_else=lambda _friendly: NOTHING)

    def _reservation_proof(self) -> Proof:
        # However old the finding: nobody who is after a slot waits for the details; a refusal corrects it.
        known = variants.remembered(self.site)
        if not known.name and self._mode() != "off":
            known = variants.find_out(self.transport, site=self.site, now=self.clock())
        if known.is_friendly:
            return self._solution_proof(known)
        return self._token_proof(or_else=self._solution_proof)

    def _token_proof(self, *, or_else: Callable[[Variant], Proof]) -> Proof:
        """A token; `or_else` if the routes it is made by have gone and the city turns out to have Friendly Captcha."""
        try:
            return Proof(token=self.token())
        except CaptchaUnavailable as error:
            gone = error.reason == variants.ROUTE_GONE and variants.doubt_if_route_is_gone(self.site)
            found = self._variant() if gone else Variant("")
            if not found.is_friendly:
                raise
        return or_else(found)

    def _solution_proof(self, known: Variant) -> Proof:
        try:
            puzzles = self.puzzles(known.details) if self.puzzles is not None else None
        except ValueError:
            puzzles = None
        if puzzles is None:
            raise CityPageNeeded("noPuzzles")
        solution = solutions.take_solution(
            puzzles, site=self.site, mode=self._mode(), now=self.clock, wait=self.patience, run=self.run
        )
        return Proof(solution=solution)

    def _variant(self) -> Variant:
        known = variants.remembered(self.site, self.clock())
        return known if known.name else variants.find_out(self.transport, site=self.site, now=self.clock())

    def _mode(self) -> str:
        return self.mode if isinstance(self.mode, str) else self.mode()

    # What the city makes of it

    def _reserve(self, ask: Callable[[Proof], T], sent: Proof) -> T:
        try:
            answer = ask(sent)
        except SlotTaken:
            if sent.solution:
                solutions.solution_accepted(self.site)
            raise
        if sent.solution:
            solutions.solution_accepted(self.site)
        return answer

    def _learn(self, refused: CaptchaRefused, sent: Proof) -> None:
        """Take in what a refusal says: of a token, of a solution, or that the city has another captcha than we thought.

        Raises `CaptchaUnavailable` when the city could not check: asking again at once would not help.
        """
        now = self.clock()
        about_solutions = refused.code in SOLUTION_CODES
        variants.doubt(self.site, unless=variants.FRIENDLY if about_solutions else variants.ALTCHA)
        if refused.code == UNCHECKED_CODE:
            until = solutions.solution_unchecked(self.site, refused.code, now)
            raise CaptchaUnavailable(until, refused.code) from None
        if sent.token and not about_solutions:
            captcha.discard_token(self.site, refused.code, now, token=sent.token)
