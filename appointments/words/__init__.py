"""Everyday words for the city's services, a table for each language.

`needs.toml` says what the city calls each need, `<language>.toml` what people call it. Another language is one more
file beside the others; matching forgives typing errors, so endings, accents and umlauts need not be listed twice.
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def _table(name: str) -> dict[str, Any]:
    with (_HERE / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


_NEEDS = _table("needs")
# Need -> parts of the names it stands for, likeliest first: a service is meant when its name holds all parts.
NEEDS: dict[str, tuple[str, ...]] = {need: tuple(names) for need, names in _NEEDS["needs"].items()}
# Topics of the menu: what the button is called lives in the bot; here is what it lists, best first.
TOPIC_WORDS: dict[str, tuple[str, ...]] = {topic: tuple(words) for topic, words in _NEEDS["topics"].items()}


def languages() -> tuple[str, ...]:
    """The languages there is a table for."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.toml") if path.stem != "needs"))


@lru_cache
def table(language: str) -> dict[str, Any]:
    """One language's table: `fillers`, and `needs`: need -> what people say."""
    return _table(language)


def sayings() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(need, what people say) of every language. A saying counts when all its words are said; the longer one wins."""
    for language in languages():
        for need, said in table(language)["needs"].items():
            yield need, tuple(said)


def fillers() -> Iterator[str]:
    """Words that say nothing about the need ("I", "please", "Termin")."""
    for language in languages():
        yield from table(language)["fillers"]
