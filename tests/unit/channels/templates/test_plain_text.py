"""The text part of a mail whose author wrote HTML alone keeps apart what HTML shows apart."""

from __future__ import annotations

import pytest

from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.templates.mjml import built_in_layout, compile_mjml
from channels.templates.plain_text import text_of
from schemas.template import StoredTemplate

RECEIPT = """<html><head><title>T</title><style>p{}</style></head><body><script>x()</script>
<table><tr><th>Item</th><th>Price</th></tr>
{% for item in items %}<tr><td>{{ item.name }}</td><td>{{ item.price }}</td></tr>
{% endfor %}</table><a href='https://shop.example.com/orders'>Your orders</a></body></html>"""

BRAND = {
    "name": "Corner Shop",
    "address": "Street 1",
    "contact": "hello@shop.example.com",
    "privacy_url": "https://shop.example.com/privacy",
    "terms_url": "https://shop.example.com/terms",
    "logo_url": "https://shop.example.com/logo.png",
    "permission_reminder": "You are a customer.",
}


@pytest.mark.parametrize("mjml", [False, True])
def test_cells_and_rows_are_told_apart(mjml: bool) -> None:
    inner = RECEIPT[RECEIPT.index("<tr>") : RECEIPT.index("</table>")]
    html = compile_mjml(f"<mj-table>{inner}</mj-table>", built_in_layout()) if mjml else RECEIPT
    items = [{"name": "Gift card 5", "price": "100.0"}, {"name": "Shoe size 4", "price": "2.99"}]
    template = bundled(StoredTemplate(name="t", subject="s", html=html), BRAND)
    text = Templates().render(template, {"items": items}).text
    assert "Item         Price\nGift card 5  100.0\nShoe size 4  2.99\n" in text
    assert mjml or "\n\nYour orders (https://shop.example.com/orders)\n" in text
    assert not any(unseen in text for unseen in ("x()", "p{}", "T\n"))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('A <a href="https://x.example">link</a> here.', "A link (https://x.example) here."),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="https://x.example/?a=1&amp;b=2"><b>B</b>ig</a>', "Big (https://x.example/?a=1&b=2)"),
        ('<a href="https://x.example"><img alt="Logo"></a>', "Logo (https://x.example)"),
        ('<a href="https://x.example"><img></a>', "https://x.example"),
        ('<a href="mailto:a@b.example">a@b.example</a> <a href="#top">Top</a>', "a@b.example Top"),
        ('<img alt="A cup" src="c.png">of tea', "A cup of tea"),
        (
            '<a href="https://x.example"><img></a><a href="https://y.example"><img></a>b<a href="https://z.example">c</a>d',
            "https://x.example https://y.example bc (https://z.example) d",
        ),
        ('<a href="https://x.example">A</a>, B', "A (https://x.example), B"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u200f15 \u062c.\u200f",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u200f15 \u062c.\u200f",
        ),
        ("Hi<span>&zwnj;&nbsp;&zwnj;&nbsp;&#8204;&#8205;&nbsp;</span><p>There</p>", "Hi\n\nThere"),
        ("A &amp; B &lt;c&gt; &euro;5&nbsp;000", "A & B <c> €5\u00a0000"),
        ("<p>One</p><p>Two<br>three</p>four", "One\n\nTwo\nthree\n\nfour"),
        ("<ul><li>one<li>two</ul>", "  * one\n  * two"),
        ("<ol><li>one</li><li>two</li></ol>", " 1. one\n 2. two"),
        ('<div style="display:none;max-height:0">Preheader&zwnj;&nbsp;</div>Hello', "Hello"),
        ('<span style="font-size:1px; MAX-HEIGHT: 0px; opacity: 0">Preheader</span>Hello', "Hello"),
        ("<p hidden>Preheader</p>Hello<!-- comment --> you", "Hello you"),
        ('<p style="line-height:0;font-size:0"><b style="font-size:16px">Seen</b></p>', "Seen"),
        ("Total:<table><tr><td>a</td><td>b</td></tr></table>end", "Total:\na  b\n\nend"),
        ('<table role="presentation"><tr><td><p>Left</p></td><td><p>Right</p></td></tr></table>', "Left\n\nRight"),
        ("<table><tr><td>Only</td></tr><tr><td>column</td></tr></table>", "Only\n\ncolumn"),
        ('<b style="display: block">Line</b>next', "Line\nnext"),
        ('<a data-text="Go: x" href="y">other</a>', "Go: x"),
        ("above<hr>below", "above\nbelow"),
        ("", ""),
        ("plain", "plain"),
        ("a < b", "a < b"),
    ],
)
def test_what_html_shows_is_read_in_the_text(html: str, text: str) -> None:
    assert text_of(html) == text


def test_a_preview_text_of_mjml_is_no_part_of_the_text() -> None:
    source = (
        "<mjml><mj-head><mj-preview>Preheader</mj-preview></mj-head><mj-body><mj-section><mj-column>"
        '<mj-text>Hello</mj-text><mj-button href="https://x.example">Go</mj-button></mj-column></mj-section>'
        "</mj-body></mjml>"
    )
    text = text_of(compile_mjml(source, built_in_layout()).split('<div class="foot')[0])
    assert text.startswith("Hello\n\nGo (https://x.example)")
    assert "Preheader" not in text


def test_characters_that_no_text_can_hold_are_left_out() -> None:
    assert text_of("<p>a\x1bb\x00c\x0bd\uffffe</p>") == "abcde"
