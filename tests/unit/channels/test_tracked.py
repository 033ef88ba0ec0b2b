"""Tracked links and pictures: of those who have agreed alone, to where the author's link led, and to nowhere else."""

from __future__ import annotations

import re
from html import unescape
from string import ascii_letters, digits
from typing import Any

import msgspec
import pytest

from channels.link_tokens import sealed
from channels.tracked import LONGEST_LINK, Clicked, Opened, TrackedLinks, clicked_of, opened_of, target_of
from schemas.channels.email import EmailDelivery
from schemas.tracking import NO_TRACKING, Tracking, agrees
from tests.factory import customer, delivery

SECRET = "a secret of many characters"
ALL = Tracking(opens=True, clicks=True)
CLICKS = Tracking(clicks=True)
OURS = "https://shop.example/mail"


def links(tracking: Tracking = ALL, **changes: Any) -> TrackedLinks:
    given: dict[str, Any] = {"public_url": OURS, "secrets": (SECRET,), "wanted": lambda _: tracking}
    return TrackedLinks(**(given | changes))


def mail(*, agreed: object = True, **changes: Any) -> EmailDelivery:
    made = delivery("email")
    data = {**made.data, "customer": {**customer(), "consents": {"tracking": agreed}}}
    changed: EmailDelivery = msgspec.structs.replace(made, **({"data": data, "delivery_id": "dlv_1"} | changes))
    return changed


def in_html(html: str, tracking: Tracking = CLICKS, own: tuple[str, ...] = (), pages: tuple[str, ...] = ()) -> str:
    changed = links(tracking).in_mail("", html, mail(), own, pages)[1]
    assert changed is not None
    return changed


def in_text(text: str, tracking: Tracking = CLICKS) -> str:
    return links(tracking).in_mail(text, None, mail(), [])[0]


def targets(text: str) -> list[str]:
    """Pages that the links of a text lead to, as the console reads them."""
    found = re.findall(rf"{OURS}/c/shop/([\w-]+)", unescape(text))
    return [one.target for one in (clicked_of("shop", token, [SECRET]) for token in found) if one]


def token_of(address: str) -> str:
    return address.rpartition("/")[2]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="https://a.example/x">a</a>', ["https://a.example/x"]),
        ("<a href='http://a.example'>a</a>", ["http://a.example"]),
        ('<A class="b" HREF=" https://a.example/?a=1&amp;b=2 ">a</A>', ["https://a.example/?a=1&b=2"]),
        ('<a href="https://a.example/?a=1&#38;b=2&#x26;c=3">a</a>', ["https://a.example/?a=1&b=2&c=3"]),
        ('<a href="https://a.example/?a=1&b=2#top?x=/y">a</a>', ["https://a.example/?a=1&b=2#top?x=/y"]),
        ('<a href="https://a.example/?f[0]=t:2&amp;g=a%20b%EF">a</a>', ["https://a.example/?f[0]=t:2&g=a%20b%EF"]),
        ('<a href="https://a.example/s?u=1&href=http://b.example/">a</a>',
         ["https://a.example/s?u=1&href=http://b.example/"]),
        ("<a href=\"https://a.example/Astor's+Bar\">a</a>", ["https://a.example/Astor's+Bar"]),
        ('<a\n  title="x > y"\n  href="https://a.example/x"\n  style="color:red"\n>a</a>', ["https://a.example/x"]),
        ('<a data-href="https://b.example" href="https://a.example/x">a</a>', ["https://a.example/x"]),
        ('<a href="https://a.example/\n  x y">a</a>', ["https://a.example/%20%20x%20y"]),
        ('<a href="https://a.example/caf\u00e9?q=\u4e2d\u6587&e=\U0001f600#\u00fc">a</a>',
         ["https://a.example/caf%C3%A9?q=%E4%B8%AD%E6%96%87&e=%F0%9F%98%80#%C3%BC"]),
        ('<a href="https://b\u00fccher.example/x">a</a>', ["https://xn--bcher-kva.example/x"]),
        ('<v:roundrect href="https://a.example/x">a</v:roundrect>', ["https://a.example/x"]),
        ('<a href="mailto:a@a.example">a</a><a href="tel:1">b</a><a href="#top">c</a><a href="cid:x">d</a>', []),
        ('<a href="https://shop.example/mail/unsubscribe/abc">a</a>', []),
        ('<a href="https://shop.example/mail/view/abc">a</a>', []),
        ('<a href="https://shop.example/mail">a</a>', []),
        ('<a href="https://leave.example/u?id=1">a</a>', []),
        ('<a href="https://a.example/terms?utm_source=x#1">a</a>', []),
        ('<a href="https://a.example/terms/more">a</a>', ["https://a.example/terms/more"]),
        ('<a href="https://a.example/x" data-tracking="off">a</a>', []),
        ("<a clicktracking=off class='x' href=\"https://a.example/x\">a</a>", []),
        ('<a href="https://a.example/?data-tracking=off">a</a>', ["https://a.example/?data-tracking=off"]),
        ('<img src="https://a.example/x.png"><link href="https://a.example/x.css"><a-x href="https://a.example">', []),
        ('<a href="javascript:alert(1)">a</a><a href="//a.example">b</a><a href="ftp://a.example">c</a>', []),
        ('<a href="https://">a</a><a href="https:///x">b</a><a href="https://[::1">c</a>', []),
        (f'<a href="https://a.example/{"x" * LONGEST_LINK}">a</a>', []),
    ],
)  # fmt: skip
def test_links_to_pages_lead_through_the_console(html: str, expected: list[str]) -> None:
    changed = in_html(html, own=("https://leave.example/u", ""), pages=("https://a.example/terms",))
    assert targets(changed) == expected
    if not expected:
        assert changed == html


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        ("See https://a.example/x?a=1, or (https://b.example).", ["https://a.example/x?a=1", "https://b.example"],
         "See , or ()."),
        ("https://a.example/TD(EU)_V2.pdf", ["https://a.example/TD(EU)_V2.pdf"], ""),
        ("(see https://a.example/Foo_(bar))", ["https://a.example/Foo_(bar)"], "(see )"),
        ("https://a.example/s?f[0]=t:2&f[1]=u!", ["https://a.example/s?f[0]=t:2&f[1]=u"], "!"),
        ("https://a.example/Astor's+Bar 'https://b.example'", ["https://a.example/Astor's+Bar", "https://b.example"],
         " ''"),
        ("<https://a.example/>\nhttps://b.example", ["https://a.example/", "https://b.example"], "<>\n"),
        ("[https://a.example](https://b.example)", ["https://a.example", "https://b.example"], "[]()"),
        ("\u201chttps://a.example\u201d \u300chttps://b.example/x\u300d",
         ["https://a.example", "https://b.example/x"], "\u201c\u201d \u300c\u300d"),
        ("https://a.example/x\u3092\u898b\u308b", [], "https://a.example/x\u3092\u898b\u308b"),
        ("a@a.example ftp://a.example mailto:a@a.example", [], "a@a.example ftp://a.example mailto:a@a.example"),
        (f"{OURS}/view/t. {OURS}/unsubscribe/t", [], f"{OURS}/view/t. {OURS}/unsubscribe/t"),
    ],
)  # fmt: skip
def test_links_of_a_text_end_where_they_do_for_its_reader(text: str, expected: list[str], rest: str) -> None:
    changed = in_text(text)
    assert targets(changed) == expected
    assert re.sub(rf"{OURS}/c/shop/[\w-]+", "", changed) == rest
    assert in_text(text, Tracking(opens=True)) == text


def test_a_link_that_the_html_does_not_want_tracked_is_not_in_the_text_either() -> None:
    html = '<a href="https://a.example/verify?t=1&amp;u=2" data-tracking="off">a</a><a href="https://a.example/x">b</a>'
    text = "https://a.example/verify?t=1&u=2 https://a.example/x"
    changed, page = links(CLICKS).in_mail(text, html, mail(), [])
    assert targets(changed) == targets(page or "") == ["https://a.example/x"]
    assert changed.startswith("https://a.example/verify?t=1&u=2 ")


def test_no_link_ends_in_what_programs_leave_out_of_it() -> None:
    made = [links().link(f"https://a.example/{number}", mail()) for number in range(300)]
    assert all(one[-1].isalnum() for one in made)
    assert all(len(one) < 300 for one in made)


@pytest.mark.parametrize(
    ("html", "around"),
    [
        ("<p>a</p></body></html>", ("<p>a</p>", "</body></html>")),
        ("<pre>&lt;/body></pre></BODY >", ("<pre>&lt;/body></pre>", "</BODY >")),
        ("<p>a</p>", ("<p>a</p>", "")),
    ],
)
def test_the_picture_stands_at_the_end(html: str, around: tuple[str, str]) -> None:
    changed = in_html(html, Tracking(opens=True))
    picture = changed[len(around[0]) : len(changed) - len(around[1])]
    assert changed == f"{around[0]}{picture}{around[1]}"
    assert "none" not in picture, "programs do not fetch what is not shown"
    token = re.search(rf'src="{OURS}/o/shop/([\w-]+)"', picture)
    assert token is not None
    assert opened_of("shop", token[1], [SECRET]) == Opened("dlv_1")


@pytest.mark.parametrize(
    ("made", "to"),
    [
        (links(NO_TRACKING), mail()),
        (links(public_url=""), mail()),
        (links(secrets=()), mail()),
        (links(), mail(agreed=False)),
        (links(), mail(agreed="yes")),
        (links(), mail(data={})),
        (links(), mail(data={"customer": {"consents": {"marketing": True}}})),
        (links(), mail(delivery_id="test_1")),
    ],
)
def test_without_the_projects_and_the_customers_consent_nothing_is_changed(made: TrackedLinks, to: Any) -> None:
    both = "https://a.example", '<a href="https://a.example">a</a></body>'
    assert made.in_mail(*both, to, []) == both
    assert links().in_mail(*both, mail(), []) != both
    assert agrees({"customer": {"consents": {"tracking": True}}})


def test_a_link_that_was_changed_or_made_by_others_leads_nowhere() -> None:
    address = links().link("https://a.example", mail())
    token = token_of(address)
    assert clicked_of("shop", token, ["another secret", SECRET]) == Clicked("dlv_1", "https://a.example")
    for place in range(len(token)):
        for other in "AB_0":
            if token[place] != other:
                assert clicked_of("shop", token[:place] + other + token[place + 1 :], [SECRET]) is None
    for changed in (token[:-1], token + "0", token[1:], token + "=0", token.upper(), ""):
        assert clicked_of("shop", changed, [SECRET]) is None
    assert clicked_of("shop", token, ["another secret"]) is None
    assert clicked_of("outlet", token, [SECRET]) is None, "another project's"
    assert opened_of("shop", token, [SECRET]) is None, "a link's token is not a picture's"
    assert "a.example" not in address and "dlv" not in address


@pytest.mark.parametrize("path", ["", "x", "xx"])
def test_a_link_is_written_in_one_way_to_its_last_letter(path: str) -> None:
    token = token_of(links().link(f"https://a.example/{path}", mail()))
    for other in set(ascii_letters + digits + "-_") - {token[-1]}:
        assert clicked_of("shop", token[:-1] + other, [SECRET]) is None


@pytest.mark.parametrize(
    "parts",
    [
        ("dlv_1",),
        ("dlv_1", "javascript:x"),
        ("dlv_1", "//a.example"),
        ("dlv_1", "https://a.example\r\nset-cookie: x=1"),
        ("dlv_1", "https://a.example/\u00fc"),
        ("dlv_1", "https://"),
        ("dlv_1", "https://a.example", "x"),
    ],
)
def test_what_is_not_a_page_leads_nowhere_even_with_the_secret(parts: tuple[str, ...]) -> None:
    token = sealed(parts, SECRET, b"tidings tracked link of shop")
    assert clicked_of("shop", token, [SECRET]) is None


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://a.example\r\nset-cookie:\tx=1", "https://a.exampleset-cookie:x=1"),
        ("https://a.example/\x00\x7f<\">", "https://a.example/%00%7F%3C%22%3E"),
        ("HTTPS://A.example/%zz%20", "HTTPS://A.example/%zz%20"),
        ("https://u:p@a.example:8443/", "https://u:p@a.example:8443/"),
        ("https://\ud800.example", None),
        ("https://a.example/\ud800", None),
        ("https://?x", None),
        ("data:text/html,x", None),
    ],
)  # fmt: skip
def test_a_target_is_what_a_header_takes(link: str, target: str | None) -> None:
    assert target_of(link) == target


def test_each_attempt_makes_the_same_message() -> None:
    both = "https://a.example", '<a href="https://a.example">a</a></body>'
    assert links().in_mail(*both, mail(), []) == links().in_mail(*both, mail(), [])
