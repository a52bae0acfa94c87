"""Questions to the catalogue: what may be booked, where, together with what, how often."""

import re
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import quote

from django.conf import settings
from django.db.models import Q

from appointments import selections
from appointments.models import CatalogueState, Offering, Office, Service
from appointments.selections import Facts, OfferFacts, OfficeFacts, ServiceFacts, Verdict
from appointments.selectors.finding import alike, plain, rank_services
from appointments.upstream.types import ServiceCount
from appointments.words import TOPIC_WORDS

TOPICS: tuple[str, ...] = (*TOPIC_WORDS, "other")
# What the city's own page calls "in person"; a service without variants is of this kind, too.
IN_PERSON = 1
# So alike must two names be for one service to stand in for another.
SUCCESSOR = 70
# 089 233-96000, (089) 233 96000, +49 89 233-96000
_TELEPHONE = re.compile(r"(?:\+49\s?\(?89|\(?089)\)?[\s/-]{0,3}\d[\d\s-]{3,12}\d")


def bookable_services() -> list[Service]:
    """Services somebody can get an appointment for online now, by name."""
    return list(
        Service.objects.filter(
            withdrawn_at=None, offerings__office__withdrawn_at=None, offerings__office__bookable=True
        ).distinct()
    )


def find_services(text: str, limit: int = 6) -> list[Service]:
    """Services that `text` may mean, best first, variants folded; empty when nothing comes near."""
    return folded(rank_services(text, bookable_services()))[:limit]


def popular_services(topic: str) -> list[Service]:
    """Services of one topic of the menu, variants folded; "other" holds what no topic names."""
    services = folded(bookable_services())
    if topic == "other":
        every_word = [plain(word) for words in TOPIC_WORDS.values() for word in words]
        return [s for s in services if not any(word in plain(s.name) for word in every_word)]
    words = [plain(word) for word in TOPIC_WORDS.get(topic, ())]
    ranked = []
    for service in services:
        places = [index for index, word in enumerate(words) if word in plain(service.name)]
        if places:
            ranked.append((places[0], service.name, service))
    return [service for _place, _name, service in sorted(ranked, key=lambda entry: entry[:2])]


# --- Variants --------------------------------------------------------------------------------------------


def folded(services: Sequence[Service]) -> list[Service]:
    """One service for each family of variants, in order: the one it is a variant of, if that is among them."""
    by_number = {service.upstream_id: service for service in services}
    found: dict[int, Service] = {}
    for service in services:
        root = service.root_parent_upstream_id or service.upstream_id
        found.setdefault(root, by_number.get(root, service))
    return list(found.values())


def variants_of(service: Service) -> list[tuple[int, Service]]:
    """(kind of variant, service) of everything bookable in the family of `service`; [] when there is no choice.

    The service the others are variants of counts as the one in person, unless another says so. Kinds: 1 in person,
    2 by telephone, 3 by video, 4 single person, 5 family, 6 small client, 7 large client.
    """
    root = service.root_parent_upstream_id or service.upstream_id
    family = [
        member
        for member in bookable_services()
        if (member.root_parent_upstream_id or member.upstream_id) == root
    ]
    if len(family) < 2:
        return []
    found: dict[int, Service] = {}
    for member in sorted(family, key=lambda each: (each.variant is None, each.upstream_id != root)):
        found.setdefault(member.variant or IN_PERSON, member)
    return sorted(found.items()) if len(found) > 1 else []


def successors(service: Service, limit: int = 3) -> list[Service]:
    """What may serve instead of a service that is not offered any more: its family, then what is called alike."""
    root = service.root_parent_upstream_id or service.upstream_id
    ranked = []
    for other in bookable_services():
        if other.pk == service.pk:
            continue
        likeness = alike(service.name, other.name)
        if (other.root_parent_upstream_id or other.upstream_id) == root:
            likeness = 100
        if likeness >= SUCCESSOR:
            ranked.append((-likeness, other.name, other))
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:2])[:limit]]


# --- What goes together ----------------------------------------------------------------------------------


def facts(services: Collection[int] | None = None) -> Facts:
    """The rules about these services (the city's numbers), or about all; offices that take no bookings left out."""
    wanted = Service.objects.filter(withdrawn_at=None)
    offers = Offering.objects.filter(office__withdrawn_at=None, office__bookable=True)
    if services is not None:
        wanted = wanted.filter(upstream_id__in=services)
        offers = offers.filter(service__upstream_id__in=services)
    offices = Office.objects.filter(withdrawn_at=None, bookable=True).order_by("-priority", "name", "pk")
    if services is not None:
        offices = offices.filter(pk__in=offers.values("office"))
    return Facts(
        services={
            service.upstream_id: ServiceFacts(
                service.upstream_id,
                service.max_quantity or 1,
                tuple((int(other), tuple(map(int, where))) for other, where in service.combinable),
            )
            for service in wanted
        },
        offices={
            office.upstream_id: OfficeFacts(
                office.upstream_id,
                office.slots_per_appointment,
                office.slot_minutes,
                frozenset(map(int, office.disabled_services)),
                frozenset(map(int, office.disabled_services_mix)),
                tuple(map(int, office.shared_booking_offices)),
                office.exclusive,
            )
            for office in offices
        },
        offers={
            (office, service): OfferFacts(slots, most)
            for office, service, slots, most in offers.values_list(
                "office__upstream_id", "service__upstream_id", "slots", "max_quantity"
            )
        },
    )


def facts_about(services: Sequence[ServiceCount]) -> Facts:
    """The rules about these services and everything that may be added to the main one."""
    numbers = {item.service_id for item in services}
    for combinable in Service.objects.filter(upstream_id__in=numbers).values_list("combinable", flat=True):
        numbers |= {int(other) for other, _where in combinable}
    return facts(numbers)


def judge(services: Sequence[ServiceCount]) -> Verdict:
    """Whether these services may be booked together, and where."""
    return selections.judge(facts({item.service_id for item in services}), services)


def offices_for(services: Sequence[ServiceCount]) -> list[Office]:
    """Offices where all of `services` may be booked together, highest priority first, then by name.

    One office without a relation to one of the services would spoil the whole request, so it is left out here.
    """
    return in_order(judge(services).offices)


def places_for(services: Sequence[ServiceCount]) -> list[Office]:
    """The same as people know them: offices that are booked as one are listed once."""
    known = facts({item.service_id for item in services})
    return in_order(selections.places(known, selections.judge(known, services).offices))


def must_choose_office(services: Sequence[ServiceCount]) -> bool:
    """Whether "any office" is no answer, because an office stands for no other."""
    known = facts({item.service_id for item in services})
    return selections.must_choose(known, selections.judge(known, services).offices)


def with_siblings(offices: Sequence[Office], services: Sequence[ServiceCount]) -> list[Office]:
    """`offices` and those booked as one with them that take these services, each group together."""
    if not any(office.shared_booking_offices for office in offices):
        return list(offices)
    known = facts({item.service_id for item in services})
    possible = selections.judge(known, services).offices
    return in_order(selections.with_siblings(known, [office.upstream_id for office in offices], possible))


def in_order(numbers: Iterable[int]) -> list[Office]:
    """Offices by the city's numbers, in the order given."""
    wanted = list(numbers)
    rows = {office.upstream_id: office for office in Office.objects.filter(upstream_id__in=wanted)}
    return [rows[number] for number in wanted if number in rows]


def largest_count(services: Sequence[ServiceCount], service: int) -> int:
    """How often `service` may be booked in one appointment with the others of `services`; 0: not at all."""
    known = facts({service, *(item.service_id for item in services)})
    return selections.largest_count(known, services, service)


def nearest(services: Sequence[ServiceCount]) -> selections.Selection | None:
    """The selection closest to an impossible one that can be booked."""
    return selections.nearest(facts({item.service_id for item in services}), services)


def catalogue_is_known() -> bool:
    """Whether the catalogue was ever fetched; before that nothing can be watched."""
    return CatalogueState.objects.filter(synced_at__isnull=False).exists()


def services_named(services: Sequence[ServiceCount]) -> dict[int, Service]:
    """The services by the city's number, those not offered any more included."""
    found = Service.objects.filter(upstream_id__in=[item.service_id for item in services])
    return {service.upstream_id: service for service in found}


def withdrawn_among(services: Sequence[ServiceCount]) -> list[Service]:
    """Those of `services` that the city does not offer any more."""
    return list(
        Service.objects.filter(~Q(withdrawn_at=None), upstream_id__in=[item.service_id for item in services])
    )


def telephone_in(offices: Iterable[Office]) -> str:
    """The first Munich telephone number the city names in what it says about these offices; "" if there is none."""
    for office in offices:
        found = _TELEPHONE.search(f"{office.information} {office.hint}")
        if found is not None:
            return " ".join(found[0].split())
    return ""


def city_page(service: int | None = None, office: int | None = None) -> str:
    """Where the city's own page opens for this service and office (the city's numbers).

    Source: the address its page answers to, `#/services/{serviceId}/locations/{officeId}`.
    """
    address = settings.CITY_BOOKING_PAGE
    if service is None:
        return address
    address += f"#/services/{quote(str(service))}"
    return address if office is None else f"{address}/locations/{quote(str(office))}"
