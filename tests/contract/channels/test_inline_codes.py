"""An e-mail brings along the pictures of its code that its HTML shows, and is what it was where it shows none."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from channels.accounts import fixed_accounts
from channels.codes.images import CodeKind, code_image
from channels.email.channel import Email
from channels.email.mime import Mail
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.templates.engine import Templates
from schemas.campaign import LONGEST_CODE
from schemas.errors import RenderRefused, TemplateFailed
from schemas.receipt import Accepted
from schemas.template import StoredTemplate
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import NOW, context, rule
from tests.unit.channels.codes.test_images import png_pixels, read

CODE = "SAVE-2026-ABC"
ACCOUNT = EmailAccount("main", "127.0.0.1", 1, "none", "shop@example.com", "The Shop")
BOTH = '<p>Grüße</p><img src="cid:qr" width="120"><img src=\'cid:barcode\'><a href="cid:qr">again</a>'

PLAIN = b"""\
A: b\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="=_1"\r
\r
--=_1\r
Content-Type: text/plain; charset="utf-8"\r
Content-Transfer-Encoding: 7bit\r
\r
hi\r
\r
--=_1\r
Content-Type: text/html; charset="utf-8"\r
Content-Transfer-Encoding: base64\r
\r
PGI+w7w8L2I+\r
\r
--=_1--\r
"""


def delivery(voucher: Any = None) -> Any:
    index = RuleIndex()
    index.insert(rule(channels=[{"email": {"account": "main", "subject": "s", "text": "t"}}]))
    (made,) = match_event(context(), index, NOW).deliveries
    data = made.data if voucher is None else {**made.data, "voucher": voucher}
    return msgspec.structs.replace(made, data=data)


def message(html: str | None, voucher: Any = None, text: str | None = "plain") -> bytes:
    template = StoredTemplate(name="hello", subject="Hi", text=text, html=html)
    return Email(fixed_accounts("email", {"main": ACCOUNT}), Templates()).render(delivery(voucher), template).message


def parsed(raw: bytes) -> EmailMessage:
    made = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    assert not [defect for part in made.walk() for defect in part.defects]
    return made


def shape(part: EmailMessage) -> Any:
    inner = [shape(one) for one in part.iter_parts()]  # type: ignore[arg-type]
    return (part.get_content_type(), inner) if inner else part.get_content_type()


def test_a_message_without_a_reference_is_what_it_was() -> None:
    assert Mail.of({"A": "b"}, "hi", "<b>ü</b>", "=_1").written() == PLAIN
    for html in ("<p>hi</p>", '<img src="https://x.example/qr.png">', "<p>cid:qr is how one writes it</p>"):
        assert shape(parsed(message(html))) == ("multipart/alternative", ["text/plain", "text/html"])
    for other in ("cid:qrs", "cid:qr.x@y", "cid:logo", "xcid:qr"):
        html = f'<img src="{other}">'
        assert message(html) == message(html, {"code": CODE})
    assert shape(parsed(message(None))) == "text/plain"


async def test_the_pictures_that_the_html_shows_arrive_with_it_each_once() -> None:
    sink = SmtpSink()
    await sink.start()
    channel = Email(fixed_accounts("email", {"main": replace(ACCOUNT, port=sink.port)}), Templates())
    template = StoredTemplate(name="hello", subject="Hi", text="plain", html=BOTH)
    request = channel.render(delivery({"code": CODE}), template)
    later = datetime(2026, 12, 24, 18, tzinfo=UTC)
    assert isinstance(await channel.send(request, timeout=60, now=later), Accepted)
    await channel.close()
    await sink.stop()
    (mail,) = sink.mails
    assert mail.content == b"Date: Thu, 24 Dec 2026 18:00:00 +0000\r\n" + request.mail.written(eight_bit=True)
    assert b"Date:" not in request.message
    made = mail.parsed()
    assert shape(made) == (
        "multipart/related", [("multipart/alternative", ["text/plain", "text/html"]), "image/png", "image/png"]
    )  # fmt: skip
    assert made.get_param("type") == "multipart/alternative"
    html = made.get_body(("html",))
    text = made.get_body(("plain",))
    assert html is not None and text is not None
    assert text.get_content().strip() == "plain"
    _, *images = made.iter_parts()
    kinds: list[CodeKind] = ["qr", "barcode"]
    for image, kind in zip(images, kinds, strict=True):
        name = image["Content-ID"].strip("<>")
        assert html.get_content().count(f"cid:{name}") == (2 if kind == "qr" else 1)
        assert (image.get_content_disposition(), image.get_filename()) == ("inline", f"{kind}.png")
        assert image.get_payload(decode=True) == code_image(CODE, kind, "png")
        assert read(png_pixels(image.get_content())) == [CODE]


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('<img src="cid:qr">', ["qr.png"]),
        ("<img src=cid:barcode>", ["barcode.png"]),
        ('<img alt="x" src = "cid:qr"/>', ["qr.png"]),
        ("<td style='background:url(cid:qr)'>", ["qr.png"]),
        ('<img src="cid:barcode"><img src="cid:qr"><img src="cid:barcode">', ["barcode.png", "qr.png"]),
    ],
)
def test_every_way_to_refer_to_a_picture(html: str, shown: list[str]) -> None:
    made = parsed(message(html, {"code": CODE}))
    assert [image.get_filename() for image in list(made.iter_parts())[1:]] == shown


def test_the_same_delivery_gives_the_same_bytes_and_another_other_content_ids() -> None:
    assert message(BOTH, {"code": CODE}) == message(BOTH, {"code": CODE})
    made = delivery({"code": CODE})
    template = StoredTemplate(name="hello", subject="Hi", text=None, html=BOTH)
    other = msgspec.structs.replace(made, delivery_id="dlv_other")
    channel = Email(fixed_accounts("email", {"main": ACCOUNT}), Templates())
    ids = {
        part["Content-ID"]
        for one in (made, other)
        for part in parsed(channel.render(one, template).message).walk()
        if part["Content-ID"]
    }
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("voucher", "said"),
    [
        (None, "the data has no voucher.code"),
        ({}, "the data has no voucher.code"),
        ({"code": ""}, "the data has no voucher.code"),
        ({"code": None}, "the data has no voucher.code"),
        ("SECRET-CODE", "the data has no voucher.code"),
        ({"code": 7}, "voucher.code is no text"),
    ],
)
def test_a_picture_of_no_code_fails_and_says_so(voucher: Any, said: str) -> None:
    with pytest.raises(TemplateFailed, match=rf"html: cid:qr shows voucher\.code, and {said}") as caught:
        message('<img src="cid:qr">', voucher)
    assert "SECRET" not in str(caught.value)


def test_a_code_that_cannot_be_drawn_is_refused_without_being_shown() -> None:
    with pytest.raises(RenderRefused, match="no picture") as caught:
        message('<img src="cid:qr">', {"code": "xyz" * LONGEST_CODE})
    assert (caught.value.reason, "xyz" in str(caught.value)) == ("no_code", False)
