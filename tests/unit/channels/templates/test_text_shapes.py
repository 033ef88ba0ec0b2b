"""Texts made of HTML once for each shape: the same, to the letter, as those made anew for each message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.templates import text_shapes
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.templates.mjml import built_in_layout, compile_mjml
from channels.templates.plain_text import text_of
from schemas.template import StoredTemplate

BRAND = {
    "name": "Tom & Co", "address": "Long Street 1", "contact": "a@b.example", "permission_reminder": "You asked.",
    "logo_url": "https://s.example/l.png", "privacy_url": "https://s.example/p", "terms_url": "https://s.example/t",
}  # fmt: skip
SOURCES = {
    "values": "<p>Hello {{ a }}, {{ b }}!</p><p>{{ a }}{{ b }}</p><div>{{ b }}</div><p>{{ c }}</p>",
    "links": '<a href="{{ a }}">{{ a }}</a><a href="https://s.example/{{ b }}">{{ b }}</a>{{ c }}<a href="x:{{ c }}">'
    '{{ c }}</a> <a href="{{ b }}">see</a>{{ a }} <a href="mailto:{{ a }}">{{ a }}</a><a href="{{ c }}"></a>',
    "branches": "{% if a %}<ul>{% for x in [a, b, c] %}<li>{{ x }} {{ loop.index }}</li>{% endfor %}</ul>{% endif %}",
    "filters": "{{ a | upper }} {{ b | default('-') }} {{ (a ~ b) | lower }} {{ n | number }} {{ n }} {{ [a, 1] }}",
    "arranged": "<table><tr><td><p>{{ a }}</p></td><td><p>{{ b }}</p></td></tr></table>",
    "data": "<table><tr><th>{{ a }}</th><th>b</th></tr><tr><td>{{ c }}</td><td>{{ b }}</td></tr></table>",
    "styles": '<p style="display:{{ a }}">x{{ b }}</p><p style="color:{{ b }}">{{ c }}</p><p {{ a }}>y</p>',
    "attributes": '<img alt="{{ a }}" src="{{ b }}"><p data-text="{{ c }}">z</p><b title="{{ a }}">{{ b }}</b>',
    "markup": "<p>{{ a | safe }}</p>{{ '<i>' | safe }}{{ b }}",
    "captured": "{% filter upper %}{{ a }}{% endfilter %}{% set x %}{{ b }}{% endset %}{{ x | length }}{{ x }}",
    "macros": "{% macro m(v) %}<i>{{ v }}</i>{% endmacro %}{{ m(a) }}{{ m(b) | upper }}{{ m(c) }}",
    "odd": "<pre>{{ a }}\n  {{ b }}</pre><title>{{ c }}</title><!-- {{ a }} --><p>--<br>{{ b }}</p>tidings",
    "sections": compile_mjml(
        '{% from "sections" import header, code %}{{ header(a) }}<mj-text>Hi {{ b }}</mj-text>{{ code(c, "Yours") }}'
        '<mj-button href="https://s.example/?x={{ a }}">{{ b }}</mj-button>', built_in_layout()
    ),
}  # fmt: skip
TEMPLATES = {name: bundled(StoredTemplate(name=name, subject="s", html=html), BRAND) for name, html in SOURCES.items()}
_PIECES = [
    "Jo", "Zoë", "漢字", "none", "block", "<b>", "&", "'", '"', "/", "https://x.example/a", "cid:qr", "mailto:", "--",
    " ", "  ", "\n", "\t", "\u00a0", "\u200b", "\u200d", "-", "#", ":", "a@b.example", "tidingsvalue0x", "TIDINGSVALUE",
]  # fmt: skip
RENDERER = Templates()
VALUES = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=4).map("".join)


@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=12)
@given(a=VALUES, b=VALUES, c=VALUES, n=st.integers(-5, 99999) | st.floats(0, 10))
@example(a="", b="x", c="mailto:", n=0)
@example(a="", b="", c="Jo\u00a0Jo", n=0)
def test_a_text_is_what_it_would_be_if_it_were_made_anew(name: str, a: str, b: str, c: str, n: Any) -> None:
    made = RENDERER.render(TEMPLATES[name], {"a": a, "b": b, "c": c, "n": n, "category": "marketing"})
    assert made.html is not None
    assert made.text == text_of(made.html)


@pytest.mark.parametrize("name", ["values", "sections"])
def test_messages_of_one_shape_are_laid_out_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []

    def counted(html: str) -> str:
        laid_out.append(html)
        return text_of(html)

    monkeypatch.setattr(text_shapes, "text_of", counted)
    text_shapes._text_of_shape.cache_clear()
    templates = Templates()
    said = [
        templates.render(TEMPLATES[name], {"a": f"A{number}", "b": f"Jo {number}", "c": f"C-{number}"}).text
        for number in range(10)
    ]
    assert len(laid_out) == 1
    assert all(f"Jo {number}" in text and f"C-{number}" in text for number, text in enumerate(said))


def test_a_value_that_is_missing_is_named_as_ever() -> None:
    with pytest.raises(Exception, match="template t, html, line 2: `b` is undefined"):
        Templates().render(StoredTemplate(name="t", subject="s", html="<p>{{ a }}</p>\n{{ b }}"), {"a": "x"})
