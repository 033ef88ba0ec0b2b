"""Rules of a page's style in its elements: what MiniJinja fills in stays where it was, with its author's line."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import minijinja
import pytest

from channels.templates.author_lines import author_line
from channels.templates.css import with_inlined_css

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>{{ subject }}</title><style>
.b { color: {{ color }}; padding: 4px }
td { border: 1px solid }
@media (max-width: 600px) { .b { color: blue } }
a:hover { color: red }
</style></head>
<body>
<!--[if mso]><p>{{ name }}</p><![endif]-->
<table>
{% for item in items %}
<tr><td class="b" lang="{{ item.kind }}"
  title="{{ 'a' if item.n > 2 else "q" }}">{{ item.n < 3 }} {# a note #}</td></tr>
{% endfor %}
</table>
<p class="b">A &amp; B {{ name }}</p>
<img src="cid:qr" alt="">
</body></html>
"""
FACTS: dict[str, Any] = {
    "subject": "S", "color": "teal", "name": "<Jo>", "items": [{"kind": "x", "n": 1}, {"kind": "y", "n": 3}],
}  # fmt: skip


class Shape(HTMLParser):
    """Elements with their attributes but style, in any order, and texts without the blanks around them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.styles: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "tbody":  # a parser adds it
            self.found.append((tag, sorted(one for one in attrs if one[0] != "style")))
        self.styles += [(tag, value or "") for name, value in attrs if name == "style"]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(data.strip())


def rendered(source: str) -> str:
    return minijinja.Environment(templates={"x.html": source}).render_template("x.html", **FACTS)


def test_a_page_says_the_same_with_its_rules_in_its_elements() -> None:
    before, after = Shape(rendered(PAGE)), Shape(rendered(with_inlined_css(PAGE)))
    assert after.found == before.found
    assert before.styles == []
    cell = "border: 1px solid;color: teal;padding: 4px;"
    assert after.styles == [("td", cell), ("td", cell), ("p", "color: teal;padding: 4px;")]


def test_rules_with_a_condition_and_comments_for_outlook_stay() -> None:
    made = rendered(with_inlined_css(PAGE))
    for kept in (
        "@media (max-width: 600px)",
        "a:hover",
        "<!--[if mso]><p>&lt;Jo&gt;</p><![endif]-->",
        "<!DOCTYPE html>",
    ):
        assert kept in made


def test_each_mark_keeps_its_line() -> None:
    made = with_inlined_css(PAGE)
    for mark in ("{% for", "{{ item.kind", "{{ 'a' if", "{{ item.n < 3", "{% endfor", "<p class"):
        written = PAGE.count("\n", 0, PAGE.index(mark)) + 1
        if mark.startswith("{"):
            assert author_line(made, made.index(mark)).line == written, mark


@pytest.mark.parametrize(
    "page",
    [
        "<p class='b'>{{ a }}</p>",
        "<style>p { color: red }</style><p{% if a %} class='x'{% endif %}>t</p>",
        "<style>p { color: red }</style><{{ tag }}>t</p>",
        "<style>p { color: red } {% if a %} p { color: blue } {% endif %}</style><p>t</p>",
        "<style>p { color: red; {% if a %} color: blue; {% endif %} }</style><p>t</p>",
        "<style>p { color: red } {{ rules }}</style><p>t</p>",
        "<style>p { color: red } {{ rules }} a:hover { color: blue }</style><p>t</p>",
        "<style type='text/css' media='print'>p { color: red }</style><p>t</p>",
        "<style media=print>p { color: red }</style><p>t</p>",
        "<style>.b { color: red } .c { color: blue }</style><p class='b {{ kind }}'>t</p>",
        '<style>p { color: red } #c { color: blue }</style><p id="{% if a %}c{% endif %}">t</p>',
        "{% if a %}<style>p { color: red }</style>{% endif %}<p>t</p>",
    ],
)
def test_a_page_that_cannot_be_known_before_it_is_filled_in_stays(page: str) -> None:
    assert with_inlined_css(page) == page


def test_blocks_that_end_before_the_rules_change_nothing() -> None:
    made = with_inlined_css("{% set a = 1 %}{% if a %}x{% endif %}<style>p { color: red }</style><p>t</p>")
    assert '<p style="color: red;">' in made


@pytest.mark.parametrize("media", ["", ' media="all"', ' media="screen"', " type='text/css'"])
def test_rules_for_every_reader_go_into_the_elements(media: str) -> None:
    assert '<p style="color: red;">' in with_inlined_css(f"<style{media}>p {{ color: red }}</style><p>t</p>")


def test_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("p { color: red }")
    links = "".join(
        f'<link rel="stylesheet" href="{at}">' for at in (tmp_path / "x.css", (tmp_path / "x.css").as_uri())
    )
    assert "red" not in with_inlined_css(f"<head>{links}<style>p {{ margin: 0 }}</style></head><p>t</p>")


def test_an_own_style_counts_more_and_nothing_is_fetched() -> None:
    made = with_inlined_css(
        '<head><link rel="stylesheet" href="http://127.0.0.1:9/x.css"><style>p { color: red; margin: 0 }</style></head>'
        '<p style="color: blue">t</p>'
    )
    assert "color: blue" in made.partition("</style>")[2]
    assert "margin: 0" in made.partition("</style>")[2]
    assert "color: red" not in made.partition("</style>")[2]


@pytest.mark.parametrize(
    "rules", ["p { color", "}}}", "p { color: {{ a } }", "@import url(http://x/y.css); p { color: red }"]
)
def test_rules_that_are_wrong_refuse_nothing(rules: str) -> None:
    page = f"<style>{rules}</style><p>t</p>"
    assert "<p" in with_inlined_css(page)
