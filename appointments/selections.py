"""What may be booked together, at which offices, how often, for how long: the city's rules as plain values.

A selection is an ordered list of services with counts, the main service first. The city itself checks little of this
(it takes counts above its own limits and sells an appointment nobody can serve), so the rules are kept here, before
anything is asked. Source: GET /offices-and-services/ and how the city's own page reads it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from appointments.upstream.types import ServiceCount

MOST_PER_APPOINTMENT = 25
"""The city takes counts and slots up to this, whatever an office allows."""

Selection = tuple[ServiceCount, ...]


class Reason(StrEnum):
    """Why a selection, or one office for it, is not possible."""

    EMPTY = "empty"
    UNKNOWN = "unknown"  # the city does not offer `service` any more
    TWICE = "twice"  # `service` is named twice; its count says how often
    COUNT = "count"  # `service` may be booked `most` times at most
    NOT_COMBINABLE = "not_combinable"  # `service` cannot be booked together with the main one
    NO_COMMON_OFFICE = "no_common_office"  # it can by rule, but no office does both
    NOT_OFFERED = "not_offered"  # the office does not do `service`
    ELSEWHERE = "elsewhere"  # the office leaves `service` to a specialised one
    TOO_LONG = "too_long"  # the appointment needs `needed` slots, the office gives `most`
    NO_OFFICE = "no_office"  # nobody does this online


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason with what it is about: numbers of the city, None where they do not apply."""

    reason: Reason
    service: int | None = None
    office: int | None = None
    most: int | None = None
    needed: int | None = None


@dataclass(frozen=True, slots=True)
class OfficeFacts:
    """What the rules need to know about an office that takes bookings online. Ids are the city's numbers."""

    id: int
    slots_per_appointment: int | None = None
    slot_minutes: int | None = None
    disabled: frozenset[int] = frozenset()
    mix: frozenset[int] = frozenset()
    pool: tuple[int, ...] = ()
    exclusive: bool = False

    @property
    def most_slots(self) -> int:
        """Slots one appointment may take here."""
        return min(self.slots_per_appointment or MOST_PER_APPOINTMENT, MOST_PER_APPOINTMENT)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the rules need to know about a service. `partners`: other service -> offices that do both, in order."""

    id: int
    max_quantity: int = 1
    partners: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def offices_with(self, other: int) -> tuple[int, ...] | None:
        """Offices where `other` may be added to this one; () by rule but nowhere; None: not by rule."""
        return next((offices for service, offices in self.partners if service == other), None)


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """That an office does a service: slots one unit takes, and how many units at most (None: not set)."""

    slots: int = 1
    max_quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The part of the catalogue a question is about. `offers` is keyed by (office, service)."""

    services: Mapping[int, ServiceFacts] = field(default_factory=dict)
    offices: Mapping[int, OfficeFacts] = field(default_factory=dict)
    offers: Mapping[tuple[int, int], OfferFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether an office takes a selection: `problem` is None where it does. `minutes` is None where unknown."""

    office: int
    problem: Problem | None = None
    slots: int = 0
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a selection may be booked: `problem` says why not; `fits` has every office that does the main service."""

    problem: Problem | None
    fits: tuple[Fit, ...] = ()

    @property
    def offices(self) -> tuple[int, ...]:
        """Where it may be booked, in the order of the facts."""
        return tuple(fit.office for fit in self.fits if fit.problem is None) if self.problem is None else ()

    @property
    def refusals(self) -> tuple[Problem, ...]:
        """Why each of the other offices does not take it."""
        return tuple(fit.problem for fit in self.fits if fit.problem is not None)

    def minutes(self, offices: Iterable[int] = ()) -> tuple[int, int] | None:
        """Shortest and longest time it takes at `offices` (all that fit, if none are named); None if unknown."""
        wanted = set(offices) or set(self.offices)
        known = [
            fit.minutes for fit in self.fits if fit.office in wanted and fit.problem is None and fit.minutes
        ]
        return (min(known), max(known)) if known else None


@dataclass(frozen=True, slots=True)
class Partner:
    """A service that may be added, and the offices that remain then; none: by rule, but at no common office."""

    service: int
    offices: tuple[int, ...]


def judge(facts: Facts, selection: Sequence[ServiceCount]) -> Verdict:
    """Whether, and at which offices, `selection` may be booked in one appointment.

    Each office counts its own slots against its own limit. The city's page takes the worst of all offices shown, which
    refuses at Pasing what only Ruppertstraße cannot do; an appointment is at one office, so one limit counts.
    """
    problem = _rule_broken(facts, selection)
    if problem is not None:
        return Verdict(problem)
    main = selection[0].service_id
    fits = [_fit(facts, office, selection) for office in facts.offices if (office, main) in facts.offers]
    fits = _specialised(facts, fits, selection)
    if any(fit.problem is None for fit in fits):
        return Verdict(None, tuple(fits))
    return Verdict(_why_nowhere(fits, selection), tuple(fits))


def largest_count(facts: Facts, selection: Sequence[ServiceCount], service: int) -> int:
    """How often `service` (in the selection or not) may be booked, the other services staying; 0: not at all.

    The best office counts: a number is offered when at least one office takes it.
    """
    known = facts.services.get(service)
    if known is None:
        return 0
    for count in range(min(max(known.max_quantity, 1), MOST_PER_APPOINTMENT), 0, -1):
        if judge(facts, with_count(selection, service, count)).problem is None:
            return count
    return 0


def partners(facts: Facts, selection: Sequence[ServiceCount]) -> list[Partner]:
    """Services that the main one's rules let be added, in the city's order, each with the offices that remain.

    The rule is the main service's own: what may be added to an added service does not matter.
    """
    if not selection or selection[0].service_id not in facts.services:
        return []
    chosen = {item.service_id for item in selection}
    found = []
    for other, _offices in facts.services[selection[0].service_id].partners:
        if other in chosen or other not in facts.services:
            continue
        verdict = judge(facts, (*selection, ServiceCount(other, 1)))
        found.append(Partner(other, verdict.offices))
    return found


def nearest(facts: Facts, selection: Sequence[ServiceCount]) -> Selection | None:
    """The selection closest to an impossible one that can be booked; None if nothing near can.

    First another order (what combines is a rule of the main service), then smaller counts, then fewer services.
    """
    wanted = tuple(
        {item.service_id: item for item in selection if item.service_id in facts.services}.values()
    )
    if not wanted:
        return None
    for turn in range(len(wanted)):
        turned = (wanted[turn], *wanted[:turn], *wanted[turn + 1 :])
        if judge(facts, turned).problem is None:
            return turned
    for index in range(len(wanted) - 1, -1, -1):
        most = largest_count(facts, wanted, wanted[index].service_id)
        if 0 < most < wanted[index].count:
            return with_count(wanted, wanted[index].service_id, most)
    return nearest(facts, wanted[:-1]) if len(wanted) > 1 else None


def with_count(selection: Sequence[ServiceCount], service: int, count: int) -> Selection:
    """`selection` with this many of `service`, added at the end if it is not in it yet."""
    if any(item.service_id == service for item in selection):
        return tuple(replace(item, count=count) if item.service_id == service else item for item in selection)
    return (*selection, ServiceCount(service, count))


def with_siblings(facts: Facts, offices: Iterable[int], possible: Iterable[int]) -> list[int]:
    """`offices` and after each those booked as one with it that are `possible`; every office once.

    The city deals the times of such a group out to its members in turn, so whoever wants one wants all.
    """
    allowed = set(possible)
    found: dict[int, None] = {}
    for office in offices:
        found[office] = None
        known = facts.offices.get(office)
        for sibling in known.pool if known is not None else ():
            if sibling in allowed:
                found[sibling] = None
    return list(found)


def places(facts: Facts, offices: Iterable[int]) -> list[int]:
    """One office for each place people know: the first of a group stands for those booked as one with it."""
    listed = list(dict.fromkeys(offices))
    found: dict[int, None] = {}
    for office in listed:
        known = facts.offices.get(office)
        group = [member for member in known.pool if member in listed] if known is not None else []
        found[group[0] if group else office] = None
    return list(found)


def must_choose(facts: Facts, offices: Iterable[int]) -> bool:
    """Whether one of these has to be chosen on purpose, because an office among them stands for no other."""
    listed = places(facts, offices)
    return len(listed) > 1 and any(facts.offices[o].exclusive for o in listed if o in facts.offices)


def _rule_broken(facts: Facts, selection: Sequence[ServiceCount]) -> Problem | None:
    """The rule about services and counts that `selection` breaks, whatever the office."""
    if not selection:
        return Problem(Reason.EMPTY)
    seen: set[int] = set()
    for item in selection:
        known = facts.services.get(item.service_id)
        if known is None:
            return Problem(Reason.UNKNOWN, item.service_id)
        if item.service_id in seen:
            return Problem(Reason.TWICE, item.service_id)
        seen.add(item.service_id)
        most = min(max(known.max_quantity, 1), MOST_PER_APPOINTMENT)
        if not 1 <= item.count <= most:
            return Problem(Reason.COUNT, item.service_id, most=most)
    main = facts.services[selection[0].service_id]
    for item in selection[1:]:
        offices = main.offices_with(item.service_id)
        if offices is None:
            return Problem(Reason.NOT_COMBINABLE, item.service_id)
        if not offices:
            return Problem(Reason.NO_COMMON_OFFICE, item.service_id)
    return None


def _fit(facts: Facts, office_id: int, selection: Sequence[ServiceCount]) -> Fit:
    office, main = facts.offices[office_id], facts.services[selection[0].service_id]
    slots = 0
    for item in selection:
        offer = facts.offers.get((office_id, item.service_id))
        together = main.offices_with(item.service_id) if item is not selection[0] else None
        if offer is None or (together is not None and office_id not in together):
            return Fit(office_id, Problem(Reason.NOT_OFFERED, item.service_id, office_id))
        if offer.max_quantity and item.count > offer.max_quantity:
            return Fit(office_id, Problem(Reason.COUNT, item.service_id, office_id, most=offer.max_quantity))
        slots += item.count * offer.slots
    left = [item.service_id for item in selection if item.service_id in office.disabled]
    # Within a group that allows the mix, only a selection of nothing else is left to the specialised office.
    if left and (not office.mix or len(left) == len(selection)):
        return Fit(office_id, Problem(Reason.ELSEWHERE, left[0], office_id))
    if slots > office.most_slots:
        return Fit(office_id, Problem(Reason.TOO_LONG, None, office_id, office.most_slots, slots))
    return Fit(office_id, None, slots, slots * office.slot_minutes if office.slot_minutes else None)


def _specialised(facts: Facts, fits: Sequence[Fit], selection: Sequence[ServiceCount]) -> list[Fit]:
    """Of a group that allows the mix, a mixed selection goes to the general office, not to the specialised one."""
    chosen = {item.service_id for item in selection}
    general = [
        facts.offices[fit.office]
        for fit in fits
        if fit.problem is None and facts.offices[fit.office].disabled & chosen
    ]

    def steps_back(office: OfficeFacts) -> bool:
        return not office.disabled and any(
            office.id in other.mix and office.id not in other.pool for other in general
        )

    return [
        Fit(fit.office, Problem(Reason.ELSEWHERE, selection[0].service_id, fit.office))
        if fit.problem is None and steps_back(facts.offices[fit.office])
        else fit
        for fit in fits
    ]


def _why_nowhere(fits: Sequence[Fit], selection: Sequence[ServiceCount]) -> Problem:
    """The reason nearest to a yes: somewhere fewer would do, somewhere the services exist, or nowhere."""
    problems = [fit.problem for fit in fits if fit.problem is not None]
    for reason in (Reason.TOO_LONG, Reason.COUNT):
        found = [problem for problem in problems if problem.reason == reason]
        if found:
            return max(found, key=lambda problem: problem.most or 0)
    if len(selection) > 1 and problems:
        missing = next((p.service for p in problems if p.reason == Reason.NOT_OFFERED), None)
        return Problem(Reason.NO_COMMON_OFFICE, missing or selection[-1].service_id)
    return Problem(Reason.NO_OFFICE)
