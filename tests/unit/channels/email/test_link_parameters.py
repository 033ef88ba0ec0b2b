"""Links of an e-mail with parameters for a shop's analytics."""

from __future__ import annotations

import pytest

from channels.email.link_parameters import in_html, in_text, with_parameters

UTM = {"utm_source": "news letter", "utm_medium": "email"}
ADDED = "utm_source=news%20letter&utm_medium=email"
OWN = ("https://t.example/unsubscribe/abc", "", "mailto:u@shop.example")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://shop.example", f"https://shop.example?{ADDED}"),
        ("https://shop.example/a?b=1&c", f"https://shop.example/a?b=1&c&{ADDED}"),
        ("https://shop.example/a?b=%C3%A9&c=a+b#top?x", f"https://shop.example/a?b=%C3%A9&c=a+b&{ADDED}#top?x"),
        ("HTTP://shop.example/#/new", f"HTTP://shop.example/?{ADDED}#/new"),
        ("https://shop.example/?UTM_source=x", "https://shop.example/?UTM_source=x&utm_medium=email"),
        ("https://shop.example/?utm_source=x&utm_medium=y", "https://shop.example/?utm_source=x&utm_medium=y"),
        ("https://t.example/unsubscribe/abc", "https://t.example/unsubscribe/abc"),
        ("https://t.example/unsubscribe/abc?category=x", "https://t.example/unsubscribe/abc?category=x"),
        ("https://t.example/unsubscribe/abcd", f"https://t.example/unsubscribe/abcd?{ADDED}"),
        ("mailto:jo@shop.example?subject=x", "mailto:jo@shop.example?subject=x"),
        ("tel:+48123", "tel:+48123"),
        ("#top", "#top"),
        ("cid:qr", "cid:qr"),
        ("", ""),
    ],
)
def test_a_link_keeps_what_it_has(link: str, expected: str) -> None:
    assert with_parameters(link, UTM, OWN) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="https://s.example/?a=1&amp;b=2">x</a>', '<a href="https://s.example/?a=1&amp;b=2&amp;{}">x</a>'),
        ("<A class='x>y' HREF = 'https://s.example'>x</A>", "<A class='x>y' HREF = 'https://s.example?{}'>x</A>"),
        ('<v:roundrect href="https:&#x2f;&#x2f;s.example" a="b">', '<v:roundrect href="https://s.example?{}" a="b">'),
        ('<a\nhref="https://s.example">https://s.example</a>', '<a\nhref="https://s.example?{}">https://s.example</a>'),
        ('<a href="https:&#x2f;&#x2f;t.example/unsubscribe/abc">x</a>', None),
        ('<a href="mailto:a@b.example">x</a><a name="x">y</a>', None),
        ('<img src="https://s.example/logo.png"><link href="https://s.example/a.css">', None),
        ("<p>https://s.example</p>", None),
    ],
)  # fmt: skip
def test_links_of_html(html: str, expected: str | None) -> None:
    changed = (expected or "").replace("{}", ADDED.replace("&", "&amp;"))
    assert in_html(html, UTM, OWN) == (html if expected is None else changed)


def test_links_of_a_text() -> None:
    text = "See https://s.example/a. (https://s.example/b?c=1), https://t.example/unsubscribe/abc and a@s.example!"
    assert in_text(text, UTM, OWN) == (
        f"See https://s.example/a?{ADDED}. (https://s.example/b?c=1&{ADDED}), "
        "https://t.example/unsubscribe/abc and a@s.example!"
    )
