"""Questions to the catalogue: which services a word means, where they may be booked, how many at once."""

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

from appointments.models import CatalogueState, Offering, Office, Service
from appointments.upstream.types import ServiceCount
from appointments.words import EVERYDAY_PHRASES, TOPIC_WORDS

TOPICS: tuple[str, ...] = (*TOPIC_WORDS, "other")
LONGEST_QUERY = 80
MOST_PER_APPOINTMENT = 25
# Below this a word is no typing error of another but another word. Found by trying everyday words.
_SAME_WORD = 80
_GOOD_ENOUGH = 55
# Anmelden, abmelden, ummelden: one letter apart and opposites.
_DIRECTION = re.compile("(an|ab|um)meld")
_UMLAUTS = {ord(letter): written for letter, written in zip("äöüß", ("ae", "oe", "ue", "ss"), strict=True)}


def bookable_services() -> list[Service]:
    """Services somebody can get an appointment for online now, by name."""
    return list(
        Service.objects.filter(
            withdrawn_at=None, offerings__office__withdrawn_at=None, offerings__office__bookable=True
        ).distinct()
    )


def find_services(text: str, limit: int = 6) -> list[Service]:
    """Services that `text` may mean, best first; empty when nothing comes near.

    Forgives typing errors and knows everyday words in German and English ("register adress" finds the Anmeldung).
    """
    words = _words(text[:LONGEST_QUERY])
    if not words:
        return []
    meant = _meanings(words)
    scored = []
    for service in bookable_services():
        score = _score(words, meant, plain(service.name))
        if score >= _GOOD_ENOUGH:
            scored.append((-score, not service.on_start_page, len(service.name), service.name, service))
    return [entry[-1] for entry in sorted(scored, key=lambda entry: entry[:-1])][:limit]


def popular_services(topic: str) -> list[Service]:
    """Services of one topic of the menu; "other" holds what no topic names."""
    services = bookable_services()
    if topic == "other":
        every_word = [word for words in TOPIC_WORDS.values() for word in words]
        return [s for s in services if not any(plain(word) in plain(s.name) for word in every_word)]
    words = [plain(word) for word in TOPIC_WORDS.get(topic, ())]
    ranked = []
    for service in services:
        places = [index for index, word in enumerate(words) if word in plain(service.name)]
        if places:
            ranked.append((places[0], service.name, service))
    return [service for _place, _name, service in sorted(ranked, key=lambda entry: entry[:2])]


def offices_for(services: tuple[ServiceCount, ...]) -> list[Office]:
    """Offices where all of `services` may be booked together, highest priority first, then by name.

    One office without a relation to one of the services would spoil the whole request, so it is left out here.
    """
    wanted = [item.service_id for item in services]
    offices = Office.objects.filter(withdrawn_at=None, bookable=True).order_by("-priority", "name")
    for upstream_id in wanted:
        offices = offices.filter(
            pk__in=Offering.objects.filter(service__upstream_id=upstream_id).values("office")
        )
    return [
        office
        for office in offices
        if not set(wanted) & {int(number) for number in office.disabled_services}
        and slots_needed(office, services) <= (office.slots_per_appointment or MOST_PER_APPOINTMENT)
    ]


def slots_needed(office: Office, services: tuple[ServiceCount, ...]) -> int:
    """How many slots of `office` these services take together."""
    per_unit = dict(office.offerings.values_list("service__upstream_id", "slots"))
    return sum(item.count * per_unit.get(item.service_id, 0) for item in services)


def largest_count(service: Service) -> int:
    """How often `service` may be booked in one appointment, 1 to 25."""
    return max(1, min(service.max_quantity or 1, MOST_PER_APPOINTMENT))


def may_be_combined(services: tuple[ServiceCount, ...]) -> bool:
    """Whether the catalogue's rules allow these services in one appointment, main service first."""
    if len({item.service_id for item in services}) != len(services):
        return False
    main = Service.objects.filter(upstream_id=services[0].service_id).first()
    return main is not None and all(str(item.service_id) in main.combinable for item in services[1:])


def catalogue_is_known() -> bool:
    """Whether the catalogue was ever fetched; before that nothing can be watched."""
    return CatalogueState.objects.filter(synced_at__isnull=False).exists()


def plain(text: str) -> str:
    """`text` in small letters without accents, umlauts written out, everything else as blanks."""
    text = text.lower().translate(_UMLAUTS)
    text = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^a-z0-9а-яіїєґ]+", " ", "".join(c for c in text if not unicodedata.combining(c))).strip()


def _words(text: str) -> list[str]:
    return [word for word in plain(text).split() if len(word) > 1]


Phrase = tuple[str, ...]


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[Phrase, tuple[Phrase, ...]], ...]:
    """What people say, word by word, and the parts of names it stands for, likeliest first."""
    found: list[tuple[Phrase, tuple[Phrase, ...]]] = []
    for said, meant in EVERYDAY_PHRASES:
        names = tuple(tuple(plain(parts).split()) for parts in meant.split("|"))
        found.extend((tuple(plain(phrase).split()), names) for phrase in said.split("|"))
    return tuple(found)


def _likeness(word: str, other: str) -> float:
    """How alike two words are, 0 to 100; short words have no room for errors, and opposites are not alike."""
    if word == other:
        return 100
    if min(len(word), len(other)) < 4:
        return 0
    here, there = _DIRECTION.search(word), _DIRECTION.search(other)
    if here and there and here[1] != there[1]:
        return 0
    return fuzz.ratio(word, other)


def _meanings(words: list[str]) -> list[tuple[float, tuple[Phrase, ...]]]:
    """The phrases said, each with its weight: how long it is and how much of the query it explains."""
    found = []
    for phrase, names in _phrases():
        if all(any(_likeness(word, said) >= _SAME_WORD for word in words) for said in phrase):
            found.append((60 + 40 * len(phrase) + 40 * min(1.0, len(phrase) / len(words)), names))
    return found


def _score(words: list[str], meant: list[tuple[float, tuple[Phrase, ...]]], name: str) -> float:
    """How well a service's plain name fits: the words themselves (up to 140), and the best phrase that means it."""
    name_words, compact = name.split(), name.replace(" ", "")
    direct = [
        max(max(_likeness(word, other), 95 * (len(word) > 4 and word in other)) for other in name_words)
        for word in words
    ]
    hits = [likeness for likeness in direct if likeness >= _SAME_WORD]
    score = sum(hits) / len(words)
    if _likeness("".join(words), compact) >= _SAME_WORD:
        score += 40
    by_meaning = [
        weight - 8 * rank
        for weight, names in meant
        for rank, parts in enumerate(names)
        if all(part in compact for part in parts)
    ]
    return score + max(by_meaning, default=0.0)
