"""Which service a person's words mean: forgiving of typing errors, knowing everyday words of many languages.

A word is compared with every word anybody listed in one call of rapidfuzz, so the whole catalogue takes a few
milliseconds. What explains too little of what was said is not shown: nothing found is better than something random.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from appointments import words as language_tables
from appointments.models import Service

# A whole sentence is welcome, but only so much of it is read.
LONGEST_QUERY = 200
MOST_WORDS = 14
# Below this a word is no typing error of another but another word. Found by trying everyday words.
_SAME_WORD = 80
_GOOD_ENOUGH = 55
_NEAR_THE_BEST = 0.5
# With so few letters, one other letter makes another word: Karte and Katze.
_SHORT, _SAME_KNOWN_WORD = 5, 85
# Anmelden, abmelden, ummelden; register, deregister: hardly apart and opposites.
_DIRECTION = re.compile("(an|ab|um)meld|(de|un|re)?regist")
_WRITTEN = {
    ord(letter): written
    for letter, written in zip(
        "äöüßıđłøæœ", ("ae", "oe", "ue", "ss", "i", "d", "l", "o", "ae", "oe"), strict=True
    )
}
_NO_WORD = re.compile(r"[\W_]+")

Phrase = tuple[str, ...]


def plain(text: str) -> str:
    """`text` in small letters without accents, umlauts written out, everything else as blanks."""
    text = unicodedata.normalize("NFC", text.lower()).translate(_WRITTEN)
    text = unicodedata.normalize("NFKD", text)
    return _NO_WORD.sub(" ", "".join(c for c in text if not unicodedata.combining(c))).strip()


def alike(one: str, other: str) -> float:
    """How alike two names are, 0 to 100, whatever the order of their words."""
    return fuzz.token_set_ratio(plain(one), plain(other))


@dataclass(frozen=True)
class _Said:
    """Everything people say, word by word, and what it stands for."""

    phrases: tuple[tuple[Phrase, tuple[Phrase, ...]], ...]
    by_word: dict[str, tuple[int, ...]]  # word -> phrases that hold it
    vocabulary: tuple[str, ...]
    fillers: frozenset[str]


@lru_cache(maxsize=1)
def _said() -> _Said:
    phrases: list[tuple[Phrase, tuple[Phrase, ...]]] = []
    by_word: dict[str, list[int]] = {}
    fillers = frozenset(word for filler in language_tables.fillers() for word in plain(filler).split())
    for need, sayings in language_tables.sayings():
        names = tuple(tuple(plain(parts).split()) for parts in language_tables.NEEDS[need])
        for saying in sayings:
            # A filler of another language may be a word here; what is left of the saying still means it.
            phrase = tuple(dict.fromkeys(_meaningful(plain(saying).split(), fillers)))
            for word in phrase:
                by_word.setdefault(word, []).append(len(phrases))
            phrases.append((phrase, names))
    return _Said(
        tuple(phrases), {word: tuple(found) for word, found in by_word.items()}, tuple(by_word), fillers
    )


@lru_cache(maxsize=1024)
def _name(text: str) -> tuple[tuple[str, ...], str]:
    """The words of a service's name, and all of it without blanks."""
    words = plain(text).split()
    return tuple(words), "".join(words)


def rank_services(text: str, services: Sequence[Service]) -> list[Service]:
    """Those of `services` that `text` may mean, best first; empty when nothing comes near.

    "register adress" finds the Anmeldung, and so does "реєстрація"; words the tables do not know are compared with
    the names themselves.
    """
    words = _words(text[:LONGEST_QUERY])
    if not words:
        return []
    meant = _meanings(words)
    names = {service.pk: _name(service.name) for service in services}
    vocabulary = tuple({word for name_words, _compact in names.values() for word in name_words})
    alike_words = [_alike(word, vocabulary) for word in words]
    scored = []
    for service in services:
        score = _score(words, alike_words, meant, *names[service.pk])
        if score >= _GOOD_ENOUGH:
            scored.append((-score, not service.on_start_page, len(service.name), service.name, service))
    scored.sort(key=lambda entry: entry[:-1])
    # Beside a clear hit the rest is noise.
    return [entry[-1] for entry in scored if entry[0] <= scored[0][0] * _NEAR_THE_BEST]


def _words(text: str) -> list[str]:
    """What was said without the words that say nothing ("I need an appointment for ...")."""
    return list(dict.fromkeys(_meaningful(plain(text).split(), _said().fillers)))[:MOST_WORDS]


def _meaningful(words: Iterable[str], fillers: Collection[str]) -> list[str]:
    return [word for word in words if (len(word) > 1 or not word.isascii()) and word not in fillers]


def _alike(word: str, vocabulary: Iterable[str]) -> dict[str, float]:
    """The words of `vocabulary` that `word` may be a spelling of, with their likeness from 80 to 100."""
    if len(word) < 4:  # short words have no room for errors
        return {word: 100.0} if word in vocabulary else {}
    # A word people do say is hardly another one misspelt: Namensänderung is no Adressänderung.
    short_or_known = len(word) <= _SHORT or word in _said().by_word
    cutoff = _SAME_KNOWN_WORD if short_or_known else _SAME_WORD
    found = process.extract(word, vocabulary, scorer=fuzz.ratio, score_cutoff=cutoff, limit=None)
    here = _DIRECTION.search(word)
    return {
        other: likeness
        for other, likeness, _index in found
        if likeness == 100 or (len(other) >= 4 and not _opposite(here, _DIRECTION.search(other)))
    }


def _opposite(here: re.Match[str] | None, there: re.Match[str] | None) -> bool:
    return bool(here and there and here.groups() != there.groups())


def _meanings(words: Sequence[str]) -> list[tuple[float, tuple[Phrase, ...]]]:
    """The phrases said, each with its weight: how long it is, how much it explains, how exactly it was written."""
    said = _said()
    heard: dict[str, float] = {}
    for word in words:
        for other, likeness in _alike(word, said.vocabulary).items():
            heard[other] = max(likeness, heard.get(other, 0.0))
    candidates = {index for word in heard for index in said.by_word[word]}
    found = []
    for index in candidates:
        phrase, names = said.phrases[index]
        if all(word in heard for word in phrase):
            exact = sum(heard[word] for word in phrase) / len(phrase) - 100
            explained = min(1.0, len(phrase) / len(words))
            found.append((60 + 40 * len(phrase) + 40 * explained + exact, names))
    return found


def _score(
    words: Sequence[str],
    alike_words: Sequence[dict[str, float]],
    meant: Sequence[tuple[float, tuple[Phrase, ...]]],
    name_words: Sequence[str],
    compact: str,
) -> float:
    """How well a service's name fits: the words themselves (up to 140), and the best phrase that means it."""
    direct = [
        max(
            max((near.get(other, 0.0) for other in name_words), default=0.0),
            95.0 * (len(word) > 4 and any(word in other for other in name_words)),
        )
        for word, near in zip(words, alike_words, strict=True)
    ]
    score = sum(likeness for likeness in direct if likeness) / len(words)
    if len(compact) >= 4 and fuzz.ratio("".join(words), compact, score_cutoff=_SAME_WORD):
        score += 40
    by_meaning = [
        weight - 8 * rank
        for weight, names in meant
        for rank, parts in enumerate(names)
        if all(part in compact for part in parts)
    ]
    return score + max(by_meaning, default=0.0)
