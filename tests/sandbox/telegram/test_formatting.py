"""What Telegram makes of formatted text: entities counted in UTF-16 units, and errors for the rest."""

import pytest

from termin_project.sandbox.telegram.entities import parse_html, render_html, with_automatic
from termin_project.sandbox.telegram.errors import ApiError


def test_an_emoji_before_a_bold_word_moves_its_offset_by_two() -> None:
    text, entities = parse_html("👋🏽 <b>Ada</b>")

    assert text == "👋🏽 Ada"
    assert entities == [{"type": "bold", "offset": 5, "length": 3}]


def test_nested_tags_become_nested_entities() -> None:
    text, entities = parse_html('<b>now <i>or</i></b> <a href="https://a.example/?x=1&amp;y=2">never</a>')

    assert text == "now or never"
    assert entities == [
        {"type": "bold", "offset": 0, "length": 6},
        {"type": "italic", "offset": 4, "length": 2},
        {"type": "text_link", "offset": 7, "length": 5, "url": "https://a.example/?x=1&y=2"},
    ]


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("strong", "bold"), ("em", "italic"), ("ins", "underline"), ("u", "underline"),
        ("del", "strikethrough"), ("s", "strikethrough"), ("tg-spoiler", "spoiler"),
        ("code", "code"), ("pre", "pre"), ("blockquote", "blockquote"),
    ],
)  # fmt: skip
def test_every_tag_of_telegram_is_known(tag: str, kind: str) -> None:
    assert parse_html(f"<{tag}>x</{tag}>")[1] == [{"type": kind, "offset": 0, "length": 1}]


def test_code_with_a_language_inside_pre_is_one_entity() -> None:
    entities = parse_html('<pre><code class="language-python">x</code></pre>')[1]

    assert entities == [{"type": "pre", "offset": 0, "length": 1, "language": "python"}]


def test_a_quote_can_be_expandable() -> None:
    assert parse_html("<blockquote expandable>x</blockquote>")[1][0]["type"] == "expandable_blockquote"


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("ä <p>x</p>", 'Unsupported start tag "p" at byte offset 3'),
        ("<br>", 'Unsupported start tag "br" at byte offset 0'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href>x</a>", 'Expected equal sign in declaration of an attribute of the tag "a"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler"'),
        ("<a href=https://a.example/>x</a>", "Unexpected end of name token at byte offset 8"),
    ],
)
def test_what_telegram_cannot_parse_is_refused_in_its_words(html: str, reason: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_html(html)

    assert refusal.value.code == 400
    assert refusal.value.description.startswith(f"Bad Request: can't parse entities: {reason}")


def test_a_raw_ampersand_and_a_raw_greater_sign_pass_as_they_are() -> None:
    assert parse_html("R&D > Q&amp;A &nbsp; &lt;3 &#252;")[0] == "R&D > Q&A &nbsp; <3 ü"


def test_a_link_to_nowhere_keeps_its_words_and_loses_its_link() -> None:
    assert parse_html('<a href="nowhere">here</a>') == ("here", [])


def test_commands_links_and_addresses_are_found_by_themselves() -> None:
    text = "/start see https://example.org/a. or ask a.b+c@example.org"
    found = [(e["type"], text[e["offset"] : e["offset"] + e["length"]]) for e in with_automatic(text, [])]

    assert found == [
        ("bot_command", "/start"),
        ("url", "https://example.org/a"),
        ("email", "a.b+c@example.org"),
    ]


def test_a_date_or_a_path_is_no_command() -> None:
    assert with_automatic("24/11 and a/b", []) == []


def test_rendered_html_escapes_everything_but_its_own_tags() -> None:
    text, entities = parse_html("<b>&lt;script&gt;</b> &amp; <s>15:20</s> 👋 <i>x</i>")

    assert render_html(text, entities) == "<b>&lt;script&gt;</b> &amp; <s>15:20</s> 👋 <i>x</i>"


def test_a_link_cannot_break_out_of_its_attribute() -> None:
    text, entities = parse_html("<a href='https://a.example/\"onclick=x'>x</a>")

    assert render_html(text, entities) == '<a href="https://a.example/&quot;onclick=x">x</a>'


def test_overlapping_entities_are_cut_where_the_outer_one_ends() -> None:
    entities = [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 1, "length": 4}]

    assert render_html("abcdef", entities) == "<b>a<i>bc</i></b>def"
