"""Watching the city: a chain of short slices, each asking what is due, one request at a time.

django-q2's own schedule ticks every 30 s, too coarse for this. A slice works for about ten seconds and then queues
its successor; a compare-and-swap on an epoch keeps the chain single, whatever the queue delivers twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from appointments import selections
from appointments.errors import CatalogueRefused
from appointments.models import Heartbeat, Office, PollTarget, WatchOffice
from appointments.models.watch import HORIZON
from appointments.policy import Policy
from appointments.selectors.catalogue import facts
from appointments.selectors.watches import MUNICH
from appointments.services import leases
from appointments.services.catalogue import note_failed_sync, sync_catalogue
from appointments.services.health import beat
from appointments.services.sightings import record_answer
from appointments.services.targets import refit_targets
from appointments.services.tokens import TokenSource
from appointments.services.watches import take_up_new_offices
from appointments.upstream.client import CitizenApi
from appointments.upstream.errors import GateClosed, UpstreamError
from appointments.upstream.types import Calendar, CallKind, ServiceCount
from captcha.errors import CaptchaError

logger = logging.getLogger(__name__)

CHAIN = "watching"
SLICE = timedelta(seconds=10)
# The chain is dead when its lease is older than a slice may last, slow answers included.
CHAIN_LEASE = timedelta(seconds=45)
# Calls of watching follow each other no faster.
PACE = timedelta(seconds=1)
LONGEST_NAP = timedelta(milliseconds=500)
# Without anything to watch, one small question shows whether the city is there.
PROBE_EVERY = timedelta(seconds=90)
# While the gate keeps quiet, a bare connection (which the city does not count) shows the same.
REACH_EVERY = timedelta(seconds=20)
CATALOGUE_EVERY = timedelta(hours=1)
CATALOGUE_RETRY = timedelta(minutes=1)
CATALOGUE_DOUBTED = timedelta(minutes=10)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class Watcher:
    """What a slice works with; made by `wiring`, one per process."""

    api: CitizenApi
    policy: Policy
    tokens: TokenSource
    reachable: Callable[[], bool]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    ending: Callable[[], bool] = lambda: False
    # This computer's name: started anew, it goes on at once where it left off.
    host: str = ""
    _reach_at: datetime = LONG_AGO

    def run_slice(self, epoch: int) -> int | None:
        """Work for one slice as the holder of `epoch`, shorter when the process is to end.

        Returns the successor's epoch, or None: another chain runs.
        """
        mine = leases.pass_lease(CHAIN, epoch, CHAIN_LEASE, now=self.clock(), holder=self.host)
        if mine is None:
            return None
        end = self.clock() + SLICE
        while self.clock() < end and not self.ending():
            pause = self.step()
            nap = min(pause, max(end - self.clock(), timedelta()))
            if nap > timedelta():
                self.sleep(nap.total_seconds())
        beat(f"chain:{CHAIN}", now=self.clock())
        return mine

    def step(self) -> timedelta:
        """Do the one thing most worth doing now. Returns how long nothing else should be asked."""
        now = self.clock()
        if self._catalogue_due(now):
            self._sync_catalogue(now)
            return PACE
        target = self.policy.next_target(now=now)
        if target is not None:
            return self._ask(target)
        if self._silent_for(now, "city", "city:trouble") > PROBE_EVERY:
            self._try(self.api.probe)
            return PACE
        self._reach(now)
        return LONGEST_NAP

    def _ask(self, target: PollTarget) -> timedelta:
        """Ask one request and take its answer in. A failure is no observation: nothing is taken for "nothing free"."""
        offices = _offices_of(target)
        if not offices:
            PollTarget.objects.filter(pk=target.pk).update(active=False)
            return timedelta()
        try:
            calendar = self._calendar(target, offices)
        except GateClosed as closed:
            return self._wait(closed)
        except (UpstreamError, CaptchaError) as error:
            if getattr(error, "reason", "") == "waiting":
                # A token is being made; nothing has failed.
                self._note(target, well=False)
                return timedelta()
            self._note(target, well=False, last_error=error.code[:100])
            return PACE
        except Exception:
            # One request we cannot digest must not blind everybody else; staff see it, its watchers are told.
            logger.exception("Request plan not asked", extra={"target": target.pk})
            self._note(target, well=False, last_error="not_asked")
            return PACE
        try:
            record_answer(target, calendar, [office.upstream_id for office in offices], now=self.clock())
        except Exception:
            # Nor must one answer we cannot write down.
            logger.exception("Answer not recorded", extra={"target": target.pk})
            self._note(target, well=False, last_error="not_recorded")
            return PACE
        self._note(target, well=True)
        return PACE

    def _calendar(self, target: PollTarget, offices: list[Office]) -> Calendar:
        """The city's calendar for `target`; a token that died on the way is renewed once."""
        today = self.clock().astimezone(MUNICH).date()
        first, last = (target.day, target.day) if target.day else (today, today + HORIZON)
        return self.tokens.for_calendar(
            lambda token: self.api.calendar(
                target.search.services,
                [office.upstream_id for office in offices],
                first,
                last,
                day=target.day,
                captcha_token=token,
                kind=CallKind.DETAIL if target.day else CallKind.SWEEP,
            ),
            needed=target.guarded,
        )

    def _note(self, target: PollTarget, *, well: bool, **fields: object) -> None:
        now = self.clock()
        due = self.policy.asked(target, well=well, now=now)
        # A watch made meanwhile may have made the request due at once; that stays.
        PollTarget.objects.filter(pk=target.pk).update(asked_at=now, **fields)
        PollTarget.objects.filter(pk=target.pk, next_due_at=target.next_due_at).update(next_due_at=due)

    def _wait(self, closed: GateClosed) -> timedelta:
        """The gate keeps quiet. Meanwhile see, without a request, that the city can be reached."""
        now = self.clock()
        self._reach(now)
        return min(closed.retry_at - now, LONGEST_NAP)

    def _reach(self, now: datetime) -> None:
        """Open a bare connection if nothing else has shown lately that the city is there."""
        if now < self._reach_at or self._silent_for(now, "city", "city:reached") < REACH_EVERY:
            return
        self._reach_at = now + REACH_EVERY
        if self.reachable():
            beat("city:reached", now=now)

    @staticmethod
    def _silent_for(now: datetime, *names: str) -> timedelta:
        """How long ago one of these signs of life was last stamped."""
        last = Heartbeat.objects.filter(name__in=names).order_by("-at").values_list("at", flat=True).first()
        return now - last if last else timedelta.max

    def _catalogue_due(self, now: datetime) -> bool:
        epoch = leases.take_lease("catalogue", CATALOGUE_EVERY, now=now)
        return epoch is not None

    def _sync_catalogue(self, now: datetime) -> None:
        try:
            sync_catalogue(self.api, now=now)
        except UpstreamError as error:
            note_failed_sync(error.code)
            # Asked again soon, not in an hour.
            leases.shorten_lease("catalogue", CATALOGUE_RETRY, now=self.clock())
        except CatalogueRefused:
            # Noted for staff. A mistake of the city is not mended within a minute.
            leases.shorten_lease("catalogue", CATALOGUE_DOUBTED, now=self.clock())
        else:
            # Offices come and go, and begin to ask for a captcha or stop asking.
            take_up_new_offices(now=self.clock())
            refit_targets(now=self.clock())

    @staticmethod
    def _try(call: Callable[[], object]) -> None:
        try:
            call()
        except UpstreamError:
            return  # the gate has recorded how it went; that record is all a probe is for


def start_chain(*, now: datetime, restarted: str = "") -> int | None:
    """The epoch of a new chain if none is running, else None.

    `restarted`: the computer of this name has just begun anew, so a chain whose last slice it had runs no longer.
    """
    return leases.take_lease(CHAIN, CHAIN_LEASE, now=now, left_by=restarted)


def _offices_of(target: PollTarget) -> list[Office]:
    """All offices any active watch of the target's search accepts, captcha-guarded ones apart from the others.

    Only those that take these services together: one office that does not would spoil the whole request. Offices that
    are booked as one are asked together, because the city deals their times out to them in turn.
    """
    services: tuple[ServiceCount, ...] = target.search.services
    accepted = WatchOffice.objects.filter(search=target.search_id, active=True)
    if target.day is not None:
        accepted = accepted.filter(office__in=_offices_on(target, target.day))
    chosen = Office.objects.filter(pk__in=accepted.values("office"))
    known = facts({item.service_id for item in services})
    possible = selections.judge(known, services).offices
    numbers = selections.with_siblings(known, chosen.values_list("upstream_id", flat=True), possible)
    return list(
        Office.objects.filter(
            upstream_id__in=set(numbers) & set(possible), captcha_required=target.guarded
        ).order_by("pk")
    )


def _offices_on(target: PollTarget, day: date) -> list[int]:
    sweep = PollTarget.objects.filter(
        search=target.search_id, guarded=target.guarded, kind=PollTarget.Kind.SWEEP
    ).first()
    return sweep.days.get(day.isoformat(), []) if sweep else []
