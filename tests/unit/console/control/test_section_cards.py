"""Sections of an e-mail as cards: together they are the file, to the byte, whatever the file is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.templates.designs import design_files, design_names
from console.control.section_cards import (
    NEW,
    Card,
    NotWritable,
    joined,
    moved,
    rewritten,
    split,
    with_new,
    without,
)

FILE = (
    '---\nsubject: "News"\n---\n{% from "sections" import header, button %}\n\n'
    '{{ header("Hello " ~ customer.name) }}\n<mj-text css-class="a">Dear <b>you</b>,\n welcome.</mj-text>\n'
    '{% if voucher %}\n<mj-text>Yours</mj-text>\n{{ code(voucher.code) }}{% endif %}\n'
    '<mj-image src="cid:qr" alt="QR"/>\n  {{ button(url="https://x.example", label="To " ~ (brand.name | upper)) }}'
)  # fmt: skip
PIECES = (
    "---\n", 'subject: "x"\n', "{% if a %}", "{% else %}", "{% endif %}", '{{ header("a" ~ b) }}',
    "{{ header(x, y, z) }}",
    "{{ divider() }}", "{{ x }}", "<mj-text>", "</mj-text>", "<mj-divider/>", '<mj-image src="a" alt="{{ b }}">',
    "</mj-image>", "<mj-section>", "</mj-section>", "<!-- <mj-text> -->", "{# {{ text(1) }} #}", "{{ text('a\\'b') }}",
    "\r\n", "\n", "  ", "\0", "é", '"', "'", "{{", "}}", "{%", "%}", "<", ">", "{% raw %}", "{% endraw %}",
    "{{ button(a) }}",
    "{% set x %}", "{% endset %}", "{% set x = 1 %}", '{{ code(voucher.code, label="L") }}', "<mjml>", "</mjml>",
)  # fmt: skip


def kinds(source: str) -> list[str]:
    return [one.kind for one in split(source)]


def test_a_file_is_split_into_its_sections() -> None:
    cards = split(FILE)
    assert [one.kind for one in cards] == ["subject", "source", "header", "text", "source", "image", "button"]
    assert [dict(one.fields) for one in cards if one.kind != "source"] == [
        {"subject": "News"}, {"title": "Hello {{ customer.name }}"}, {"body": "Dear <b>you</b>,\n welcome."},
        {"url": "cid:qr", "alt": "QR"}, {"label": "To {{ brand.name | upper }}", "url": "https://x.example"},
    ]  # fmt: skip
    assert cards[4].source.startswith("{% if voucher %}")
    assert cards[4].source.endswith("{% endif %}")


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_whatever_a_file_is_its_cards_are_it_to_the_byte(source: str) -> None:
    cards = split(source)
    assert joined(cards) == source
    assert joined(rewritten(one, dict(one.fields)) for one in cards) == source
    assert joined(rewritten(one, {}) for one in cards) == source
    assert all(one.source.strip() or len(cards) == 1 for one in cards)


@pytest.mark.parametrize("name", design_names())
def test_the_products_designs_are_cards_and_stay_as_they_are(name: str) -> None:
    for source in design_files(name, "en").values():
        cards = split(source)
        assert joined(cards) == source
        assert {"subject", "text"} <= {one.kind for one in cards}


@given(
    st.sampled_from(["header", "text", "code", "qr", "button", "image"]),
    st.text(st.characters(codec="utf-8", exclude_characters="{}%\r\0"), max_size=20),
    st.sampled_from(
        ["", "{{ customer.name }}", '{{ customer.name | default("you") }}', "{{ a if b else c }}", "{{ a + 1 }}"]
    ),
)
def test_what_is_written_in_a_field_is_read_there_again(kind: str, text: str, variable: str) -> None:
    for written in (text, variable, text + variable, variable + text, f"{text}{variable} {variable}"):
        card = split(f'{{{{ {kind}("x", "y") }}}}\n' if kind not in ("header", "text") else f'{{{{ {kind}("x") }}}}\n')[
            0
        ]
        name = next(iter(card.fields))
        (again,) = split(rewritten(card, {name: written}).whole)
        assert (again.kind, again.fields[name]) == (kind, written)
        assert {other: again.fields[other] for other in again.fields if other != name} == {
            other: card.fields[other] for other in card.fields if other != name
        }


@pytest.mark.parametrize(
    ("source", "field", "text", "after"),
    [
        ('{{ header("a") }}', "title", 'b "c" \\', '{{ header("b \\"c\\" \\\\") }}'),
        ("{{ code(voucher.code) }}", "label", "Yours", '{{ code(voucher.code, "Yours") }}'),
        ('{{ code(voucher.code, "x") }}', "label", "", "{{ code(voucher.code) }}"),
        ('<mj-button  href="a" width="9">b</mj-button>', "url", "c", '<mj-button  href="c" width="9">b</mj-button>'),
        ('<mj-button href="a">b</mj-button>', "label", "<i>c</i>", '<mj-button href="a"><i>c</i></mj-button>'),
        ('<mj-image src="a"/>', "alt", "b", '<mj-image src="a" alt="b"/>'),
        ('<mj-image src="a" />', "url", '{{ x | default("y") }}', "<mj-image src='{{ x | default(\"y\") }}' />"),
        ('---\nsubject: "a"\n---\n', "subject", 'é "b"', '---\nsubject: "é \\"b\\""\n---\n'),
    ],
)
def test_an_edit_changes_its_own_part_alone(source: str, field: str, text: str, after: str) -> None:
    (card,) = split(source)
    assert rewritten(card, {field: text}).whole == after


@pytest.mark.parametrize(
    ("source", "field", "text"),
    [
        ('{{ header("a") }}', "title", "{{ x"), ('{{ header("a") }}', "title", "{{ }}"),
        ('{{ header("a") }}', "title", "{% if x %}b{% endif %}"), ('<mj-image src="a"/>', "url", "\"'"),
        ('<mj-image src="a"/>', "alt", "a > b"),
    ],
)  # fmt: skip
def test_what_no_field_can_hold_is_refused(source: str, field: str, text: str) -> None:
    (card,) = split(source)
    with pytest.raises(NotWritable):
        rewritten(card, {field: text})


@pytest.mark.parametrize(
    "source",
    [
        "{{ header(a, b) }}", '{{ header(title="a", title="b") }}', "{{ header() }}", "{{ heading('x') }}", "{{ x }}",
        '{{ header("{{ x }}") }}', "<mj-text>a", "<mj-table><tr></tr></mj-table>",
        "{% if a %}{{ divider() }}{% endif %}",
        "{% set a %}{{ divider() }}{% endset %}", "<mj-raw><mj-text>a</mj-text></mj-raw>",
        "<!-- <mj-text>a</mj-text> -->", "{# {{ divider() }} #}", "{% raw %}{{ divider() }}{% endraw %}",
        "---\nsubject: 'a'\n---\n", "plain",
    ],
)  # fmt: skip
def test_what_fits_no_card_stays_source(source: str) -> None:
    assert kinds(source) == ["source"]


def test_cards_are_moved_removed_and_added_without_a_change_of_others() -> None:
    cards = split(FILE)
    assert joined(moved(moved(cards, 2, 1), 3, -1)) == FILE
    for number, by in ((0, 1), (1, -1), (6, 1), (9, 1), (-1, 1)):
        assert joined(moved(cards, number, by)) == FILE, "the subject stays in front, and ends are ends"
    last, image = FILE.rpartition("\n")[2], '<mj-image src="cid:qr" alt="QR"/>\n'
    assert joined(moved(cards, 6, -1)).endswith(f"{last}\n{image}")
    assert joined(without(cards, 3)) == FILE.replace(cards[3].whole, "")
    for kind, source in NEW.items():
        more = joined(with_new(cards, kind))
        assert more.endswith(f"\n{source}")
        assert split(more)[-1].kind == split(source)[0].kind
    assert '{% from "sections" import header, button, code %}' in joined(with_new(cards, "code"))
    assert joined(with_new(cards, "header")).count("import header, button %}") == 1
    fresh = joined(with_new(split('---\nsubject: "a"\n---\n'), "divider"))
    assert fresh == '---\nsubject: "a"\n---\n{% from "sections" import divider %}\n{{ divider() }}\n'
    assert joined(with_new([], "text")) == NEW["text"]
    assert joined([Card("source", "a")]) == "a"


def test_what_stands_in_a_column_stays_there() -> None:
    source = "<mj-section>\n <mj-column>\n  {{ divider() }}\n  <mj-text>a</mj-text>\n </mj-column>\n</mj-section>\n"
    cards = split(source)
    assert [(one.kind, one.is_fixed) for one in cards] == [
        ("source", True), ("divider", False), ("text", False), ("source", True),
    ]  # fmt: skip
    for number, by in ((1, -1), (2, 1), (0, 1), (3, -1)):
        assert joined(moved(cards, number, by)) == source
    assert joined(without(cards, 0)) == source
    swapped = source.replace(
        "  {{ divider() }}\n  <mj-text>a</mj-text>\n", "  <mj-text>a</mj-text>\n  {{ divider() }}\n"
    )
    assert joined(moved(cards, 1, 1)) == swapped
