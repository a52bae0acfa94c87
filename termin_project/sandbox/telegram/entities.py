"""Text with formatting: Telegram's HTML in, plain text and entities out, and back to HTML for a page.

Offsets and lengths count UTF-16 code units, as the Bot API does. The parser refuses what Telegram's
refuses, with the same sentences, and lets pass what Telegram lets pass (a raw `&`, a raw `>`).

Source: https://core.telegram.org/bots/api#html-style
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from termin_project.sandbox.telegram.errors import bad_request

Entity = dict[str, Any]

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
_NAMED_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_CHARACTER = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(lt|gt|amp|quot));?")
_KNOWN_TYPES = set(_TAGS.values()) | {
    "expandable_blockquote",
    "text_mention",
    "url",
    "email",
    "bot_command",
    "mention",
    "hashtag",
    "cashtag",
    "phone_number",
}


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units: an emoji outside the basic plane counts as two."""
    return len(text.encode("utf-16-le")) // 2


@dataclass
class _Open:
    """A start tag that waits for its end."""

    tag: str
    argument: str
    offset: int
    position: int


class _HtmlParser:
    """One pass over the text; the position in the source is kept for the error sentences."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.plain: list[str] = []
        self.offset = 0
        self.entities: list[Entity] = []
        self.open: list[_Open] = []

    def fail(self, reason: str, position: int) -> Exception:
        byte_offset = len(self.source[:position].encode())
        return bad_request(f"can't parse entities: {reason} at byte offset {byte_offset}")

    def take(self, wanted: Callable[[str], bool]) -> str:
        start = self.at
        while self.at < len(self.source) and wanted(self.source[self.at]):
            self.at += 1
        return self.source[start : self.at]

    def peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def emit(self, text: str) -> None:
        self.plain.append(text)
        self.offset += utf16_length(text)

    def run(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.source):
            if self.source[self.at] == "&" and (match := _CHARACTER.match(self.source, self.at)):
                character = _decoded(match)
                if character:
                    self.emit(character)
                    self.at = match.end()
                    continue
            if self.source[self.at] == "<":
                if self.source.startswith("/", self.at + 1):
                    self.end_tag()
                else:
                    self.start_tag()
                continue
            self.emit(self.source[self.at])
            self.at += 1
        if self.open:
            tag = self.open[-1].tag
            raise bad_request(
                f"can't parse entities: Can't find end tag corresponding to start tag \"{tag}\""
            )
        return "".join(self.plain), self.entities

    def start_tag(self) -> None:
        begin = self.at
        self.at += 1
        tag = self.take(lambda c: not c.isspace() and c != ">").lower()
        if not self.peek():
            raise self.fail("Unclosed start tag", begin)
        if tag not in _TAGS:
            raise self.fail(f'Unsupported start tag "{tag}"', begin)
        argument = ""
        while True:
            self.take(str.isspace)
            if self.peek() == ">":
                self.at += 1
                break
            name, value = self.attribute(tag, begin)
            argument = _argument(tag, name, value) or argument
        if tag == "span" and argument != "spoiler":
            raise self.fail('Tag "span" must have class "tg-spoiler"', begin)
        self.open.append(_Open(tag, argument, self.offset, len(self.plain)))

    def attribute(self, tag: str, begin: int) -> tuple[str, str]:
        at = self.at
        name = self.take(lambda c: not c.isspace() and c not in "=>/\"'").lower()
        if not name:
            if not self.peek():
                raise self.fail("Unclosed start tag", begin)
            raise self.fail(f'Empty attribute name in the tag "{tag}"', at)
        self.take(str.isspace)
        if self.peek() != "=":
            if not self.peek():
                raise self.fail("Unclosed start tag", begin)
            if tag == "blockquote" and name == "expandable":
                return name, "1"
            raise self.fail(f'Expected equal sign in declaration of an attribute of the tag "{tag}"', begin)
        self.at += 1
        self.take(str.isspace)
        quote = self.peek()
        if quote in ("'", '"'):
            self.at += 1
            raw = self.take(lambda c: c != quote)
            if not self.peek():
                raise self.fail("Unclosed start tag", begin)
            self.at += 1
            return name, _CHARACTER.sub(lambda m: _decoded(m) or m.group(0), raw)
        at = self.at
        value = self.take(lambda c: c.isalnum() or c in ".-")
        if not self.peek():
            raise self.fail("Unclosed start tag", begin)
        if not self.peek().isspace() and self.peek() != ">":
            raise self.fail("Unexpected end of name token", at)
        return name, value.lower()

    def end_tag(self) -> None:
        begin = self.at
        if not self.open:
            raise self.fail("Unexpected end tag", begin)
        self.at += 2
        tag = self.take(lambda c: not c.isspace() and c != ">").lower()
        self.take(str.isspace)
        if self.peek() != ">":
            raise self.fail("Unclosed end tag", begin)
        self.at += 1
        opened = self.open.pop()
        if tag and tag != opened.tag:
            raise bad_request(
                f"can't parse entities: Unmatched end tag at byte offset "
                f'{len(self.source[:begin].encode())}, expected "</{opened.tag}>", found "</{tag}>"'
            )
        if self.offset > opened.offset:
            self.close(opened)

    def close(self, opened: _Open) -> None:
        entity: Entity = {
            "type": _TAGS[opened.tag],
            "offset": opened.offset,
            "length": self.offset - opened.offset,
        }
        if opened.tag == "a":
            url = opened.argument or "".join(self.plain[opened.position :])
            if not is_link(url):
                return  # Telegram drops such a link silently and keeps the words
            entity["url"] = url
        elif opened.tag == "blockquote" and opened.argument:
            entity["type"] = "expandable_blockquote"
        elif opened.tag == "tg-emoji":
            entity["custom_emoji_id"] = opened.argument
        elif opened.tag == "code" and opened.argument and self.open and self.open[-1].tag == "pre":
            self.open[-1].argument = opened.argument  # <pre><code class="language-x">: one entity
            return
        elif opened.tag == "pre" and opened.argument:
            entity["language"] = opened.argument
        self.entities.append(entity)


def _argument(tag: str, name: str, value: str) -> str:
    """The one attribute that means something for a tag; all others are ignored, as Telegram does."""
    if tag == "a" and name == "href":
        return value
    if tag == "code" and name == "class" and value.startswith("language-"):
        return value.removeprefix("language-")
    if tag == "span" and name == "class" and value.startswith("tg-"):
        return value.removeprefix("tg-")
    if tag == "tg-emoji" and name == "emoji-id":
        return value
    if tag == "blockquote" and name == "expandable":
        return "1"
    return ""


def _decoded(match: re.Match[str]) -> str:
    """The character of one character reference, or "" when there is none such."""
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMED_CHARACTERS[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code < 0xE000 else ""


def is_link(url: str) -> bool:
    """Whether Telegram would make a link of `url`: http, https or tg, and a host with a dot in it."""
    if url.startswith("tg://"):
        return True
    return bool(
        re.match(r"(?:https?://)?(?:[^\s/?#@]+@)?[^\s/?#@:]+\.[^\s/?#@:]+(?::\d+)?(?:[/?#]\S*)?$", url)
    )


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities of Telegram's HTML.

    Raises `ApiError` 400 "can't parse entities: ..." on a tag Telegram does not know, on one that is not
    closed, and on a raw `<`.
    """
    plain, entities = _HtmlParser(source).run()
    return plain, sorted(entities, key=lambda e: (e["offset"], -e["length"]))


def given_entities(raw: object, text: str) -> list[Entity]:
    """The `entities` parameter, checked.

    Raises `ApiError` 400 when it is no list of known entities inside the text.
    """
    if not isinstance(raw, list):
        raise bad_request("can't parse entities JSON object")
    total, kept = utf16_length(text), []
    for entity in raw:
        if not isinstance(entity, dict) or entity.get("type") not in _KNOWN_TYPES:
            raise bad_request("can't parse MessageEntity: unsupported type")
        offset, length = entity.get("offset"), entity.get("length")
        if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length < 1:
            raise bad_request("can't parse MessageEntity: wrong offset or length")
        if offset + length > total:
            raise bad_request(
                f"can't parse entities: entity beginning at UTF-16 offset {offset} ends after the end of the text"
            )
        kept.append(dict(entity))
    return sorted(kept, key=lambda e: (e["offset"], -e["length"]))


_AUTOMATIC = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)\]])"
    r"|(?P<email>(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<bot_command>(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?![\w/]))"
)


def with_automatic(text: str, entities: list[Entity]) -> list[Entity]:
    """`entities` plus the links, addresses and commands that Telegram finds by itself."""
    found = list(entities)
    for match in _AUTOMATIC.finditer(text):
        offset, length = utf16_length(text[: match.start()]), utf16_length(match.group())
        inside = [e for e in entities if e["offset"] < offset + length and offset < e["offset"] + e["length"]]
        if any(
            e["type"] in ("code", "pre", "text_link")
            or not (e["offset"] <= offset and offset + length <= e["offset"] + e["length"])
            for e in inside
        ):
            continue
        found.append({"type": match.lastgroup, "offset": offset, "length": length})
    return sorted(found, key=lambda e: (e["offset"], -e["length"]))


def trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Without space at both ends, as Telegram stores it; the entities move along."""
    stripped = text.strip()
    if stripped == text:
        return text, entities
    lead = utf16_length(text[: len(text) - len(text.lstrip())])
    total, kept = utf16_length(stripped), []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(total, entity["offset"] + entity["length"] - lead)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return stripped, kept


_RENDERED = {
    "bold": ("<b>", "</b>"),
    "italic": ("<i>", "</i>"),
    "underline": ("<u>", "</u>"),
    "strikethrough": ("<s>", "</s>"),
    "spoiler": ('<span class="tg-spoiler">', "</span>"),
    "code": ("<code>", "</code>"),
    "pre": ("<pre>", "</pre>"),
    "blockquote": ("<blockquote>", "</blockquote>"),
    "expandable_blockquote": ("<blockquote>", "</blockquote>"),
}


def render_html(text: str, entities: list[Entity]) -> str:
    """The text as HTML that holds nothing but tags written here; everything else is escaped."""
    units = text.encode("utf-16-le")

    def piece(start: int, end: int) -> str:
        return units[2 * start : 2 * end].decode("utf-16-le", "replace")

    out: list[str] = []
    stack: list[tuple[int, str]] = []
    at = 0

    def advance(to: int) -> None:
        nonlocal at
        while stack and stack[-1][0] <= to:
            end, tag = stack.pop()
            out.append(html.escape(piece(at, end), quote=False) + tag)
            at = end
        out.append(html.escape(piece(at, to), quote=False))
        at = to

    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        advance(max(start, at))
        end = min([end, *(limit for limit, _tag in stack)])
        opening, closing = _RENDERED.get(entity["type"], ("", ""))
        if entity["type"] in ("text_link", "url"):
            url = entity.get("url") or piece(start, end)
            url = url if re.match(r"(?:https?|tg)://", url) else f"http://{url}"
            opening, closing = f'<a href="{html.escape(url)}">', "</a>"
        elif entity["type"] == "email":
            opening, closing = f'<a href="mailto:{html.escape(piece(start, end))}">', "</a>"
        if opening and end > at:
            out.append(opening)
            stack.append((end, closing))
    advance(len(units) // 2)
    return "".join(out)
