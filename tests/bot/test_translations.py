"""The German catalogue is complete, and texts keep to the form that stressed people can read."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from django.conf import settings

from termin_project.translations import LOCALE_DIR, compile_catalogues

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
LONGEST_SENTENCE = 15


def messages() -> list[Message]:
    with (LOCALE_DIR / "de" / "LC_MESSAGES" / "django.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


def forms(text: object) -> list[str]:
    return list(text) if isinstance(text, tuple | list) else [str(text)]


def test_every_text_has_a_german_translation_and_none_is_fuzzy() -> None:
    missing = [message.id for message in messages() if not all(forms(message.string)) or message.fuzzy]

    assert missing == []


def test_translations_keep_every_placeholder() -> None:
    broken = []
    for message in messages():
        named = [set(PLACEHOLDER.findall(form)) for form in forms(message.id)]
        for form in forms(message.string):
            if set(PLACEHOLDER.findall(form)) not in named:
                broken.append(message.id)

    assert broken == []


def test_sentences_of_the_bot_are_short() -> None:
    long = []
    for message in messages():
        if not any(str(path).startswith(("bot/", "templates/bot/")) for path, _line in message.locations):
            continue
        for form in [*forms(message.id), *forms(message.string)]:
            sentences = re.split(r"(?<=[.?!:])\s", re.sub(r"<[^>]+>", "", form))
            long += [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE]

    assert long == []


def test_every_text_of_the_bots_code_and_templates_is_in_the_catalogue() -> None:
    known = {form for message in messages() for form in forms(message.id)}
    said: set[str] = set()
    for path in (Path(settings.BASE_DIR) / "bot").rglob("*.py"):
        said |= set(re.findall(r'\b_\(\s*"((?:[^"\\]|\\.)+)"\s*\)', path.read_text()))
    for path in (Path(settings.BASE_DIR) / "templates" / "bot").rglob("*.html"):
        said |= set(re.findall(r'{% translate "([^"]+)" %}', path.read_text()))

    assert len(said) > 200
    assert sorted(said - known) == []


def test_catalogues_are_compiled_only_when_they_are_stale(tmp_path: Path) -> None:
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_bytes((LOCALE_DIR / "de" / "LC_MESSAGES" / "django.po").read_bytes())

    assert compile_catalogues(tmp_path) == [folder / "django.mo"]
    assert compile_catalogues(tmp_path) == []


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES if code != "en"])
def test_every_language_but_the_sources_has_a_catalogue(language: str) -> None:
    assert (LOCALE_DIR / language / "LC_MESSAGES" / "django.po").exists()
