"""Signatures by DKIM: the reference verifier takes them, and takes no message that somebody changed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.dkim import Signer, signed
from channels.email.headers import text_header
from channels.email.mime import AttachedFile, Mail, dated
from schemas.channels.dkim import DkimFields
from tests.unit.channels.email.dkim_keys import DOMAIN, SELECTOR, pem, record, signer
from tests.unit.channels.email.test_mime import BOUNDARY, IMAGE, LINES, TEXTS

NOW = datetime(2025, 12, 25, 18, 0, 0, tzinfo=UTC)
HEADERS = {
    "From": "The Shop <shop@example.com>",
    "Reply-To": "help@example.com",
    "To": "jo@example.org",
    "Subject": "Hello",
    "Message-ID": "<dlv_1@example.com>",
    "Auto-Submitted": "auto-generated",
    "Feedback-ID": "dst_1:marketing:default:tidings",
    "List-Unsubscribe": "<https://shop.example/leave>,\r\n <mailto:leave@shop.example>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
SIGNED = (
    "from:to:subject:date:message-id:reply-to:mime-version:content-type:list-unsubscribe:list-unsubscribe-post"
    ":feedback-id:from:to:subject:date"
)


def is_valid(message: bytes, one: Signer) -> bool:
    def looked_up(name: bytes, timeout: int = 5) -> bytes:
        assert name == f"{SELECTOR}._domainkey.{DOMAIN}.".encode()
        return record(one).encode()

    try:
        return bool(dkim.DKIM(message, minkey=1024).verify(dnsfunc=looked_up))
    except dkim.ValidationError:  # of another body
        return False


def mail(one: Signer, text: str = "Zażółć", html: str | None = "<p>ü</p>", **changes: str) -> bytes:
    written = Mail.of({**HEADERS, **changes}, text, html, BOUNDARY, [IMAGE]).written()
    return signed(dated(written, NOW), one, NOW)


def test_attached_files_are_signed_with_the_rest() -> None:
    one = signer("rsa")
    made = Mail.of(HEADERS, "hi", "<p>ü</p>", BOUNDARY, [IMAGE])
    files = tuple(AttachedFile.of(name, "application/pdf", bytes(range(256))) for name in ("ż.pdf", "a.pdf"))
    raw = signed(dated(replace(made, files=files).written(), NOW), one, NOW)
    assert is_valid(raw, one)
    assert not is_valid(raw.replace(b"a.pdf", b"b.pdf"), one)


def tags(message: bytes) -> dict[str, str]:
    header = re.split(rb"\r\n(?![ \t])", message)[0].decode().partition(":")[2]
    found = (one.partition("=") for one in header.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in found}


@pytest.mark.parametrize("kind", ["rsa", "rsa1", "ed25519"])
def test_the_reference_verifier_takes_it(kind: str) -> None:
    one = signer(kind)
    made = mail(one)
    assert is_valid(made, one)
    assert (made.isascii(), max(map(len, made.partition(b"\r\nDate")[0].split(b"\r\n"))) <= 78) == (True, True)
    assert tags(made)["h"] == SIGNED
    assert (tags(made)["t"], tags(made)["c"]) == (str(int(NOW.timestamp())), "relaxed/relaxed")


@given(text=TEXTS, html=st.none() | TEXTS, subject=LINES)
def test_whatever_is_in_a_message(text: str, html: str | None, subject: str) -> None:
    one = signer("ed25519")
    assert is_valid(mail(one, text, html, Subject=text_header("Subject", subject)), one)


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", " ", "\t\n \n", "a  b\t \n\n c \n \n"])
def test_blanks_and_empty_lines(text: str) -> None:
    one = signer("ed25519")
    made = mail(one, text, None)
    assert is_valid(made, one)
    assert is_valid(made + b"\r\n\r\n", one)  # which servers add
    assert is_valid(made.replace(b"Subject: Hello", b"subject:\tHello "), one)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Subject: Hello", b"Subject: Hullo"),
        (b"<https://shop.example/leave>", b"<https://other.example/leave>"),
        (b"dst_1:marketing", b"dst_2:marketing"),
        (b"Date: Thu", b"From: Other <shop@other.example>\r\nDate: Thu"),
        (b"Date: Thu", b"Subject: Other\r\nDate: Thu"),
        (b"image/png", b"image/jpg"),
    ],
)
def test_a_message_that_was_changed_is_not_taken(before: bytes, after: bytes) -> None:
    one = signer("ed25519")
    made = mail(one)
    assert before in made
    assert not is_valid(made.replace(before, after, 1), one)


def test_what_the_server_writes_anew_is_not_signed() -> None:
    written = DkimFields(dkim_domain=DOMAIN, dkim_selector=SELECTOR, dkim_private_key=pem("ed25519"))
    one = Signer.of(written, "email-smtp.eu-west-1.amazonaws.com")
    assert one is not None
    made = mail(one)
    assert is_valid(made.replace(b"<dlv_1@example.com>", b"<0102@eu-west-1.amazonses.com>", 1), one)
    assert {"date", "message-id"}.isdisjoint(tags(made)["h"].split(":"))


def test_an_account_signs_by_all_three_fields_or_not_at_all() -> None:
    assert Signer.of(DkimFields(), "mail.example") is None
    assert Signer.of(DkimFields(dkim_domain=DOMAIN, dkim_private_key=pem("ed25519")), "mail.example") is None


def test_the_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(signer("ed25519"))
