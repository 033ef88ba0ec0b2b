"""Messages as bytes: whatever their texts are, a reader finds them again, and every server can take them."""

from __future__ import annotations

import email
import email.policy
import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.headers import mailbox_header, text_header
from channels.email.mime import AttachedFile, InlineImage, Mail, dated
from channels.email.smtp_dialogue import ended
from schemas.formats.file_names import file_name

BOUNDARY = "=_dlv_1"
_PIECES = [
    "\r\n.\r\n", "\n.\n", "..", "\r", "\n\n", "x" * 999, "x" * 998, "y" * 2500, "=", "żółć", "\U0001f600", "\t", " ",
    "--=_dlv", "From ", "\x0b\x0c\x1c\x85\u2028", "\0", "{}", "<b>",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=20)), max_size=12).map("".join)
LINES = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=40)), max_size=6).map("".join)
IMAGE = InlineImage("qr.dlv_1@example.com", "qr.png", bytes(range(256)) * 3)


def parsed(raw: bytes) -> EmailMessage:
    made = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    assert not [defect for part in made.walk() for defect in part.defects]
    return made


def said(text: str) -> str:
    """A text in whatever way its lines end, and whether or not the last one does."""
    return re.sub(r"\r\n?", "\n", text).removesuffix("\n")


def content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return said(part.get_payload(decode=True).decode())  # type: ignore[union-attr]


@pytest.mark.parametrize("eight_bit", [False, True])
@given(text=TEXTS, html=st.none() | TEXTS, has_image=st.booleans())
def test_texts_arrive_as_they_were_written_over_any_server(
    eight_bit: bool, text: str, html: str | None, has_image: bool
) -> None:
    made = Mail.of({"Subject": "s"}, text, html, BOUNDARY, [IMAGE] if has_image else ())
    raw = made.written(eight_bit=eight_bit)
    assert eight_bit or raw.isascii()
    assert b"\0" not in raw
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not re.search(rb"[\r\n]", b"".join(lines))
    over_the_wire = ended(raw)
    assert over_the_wire.count(b"\r\n.\r\n") == 1
    message = parsed(over_the_wire.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
    assert content(message, "plain") == said(text)
    if html is not None:
        assert content(message, "html") == said(html)
        images = [part.get_payload(decode=True) for part in message.walk() if part.get_content_type() == "image/png"]
        assert images == ([IMAGE.png] if has_image else [])


NAMES = st.one_of(
    LINES, st.sampled_from(["a.pdf", "=?utf-8?b?eA==?=.pdf", "ż" * 100, "it's 100%.pdf", "ż it's (1).pdf"])
)
FILES = st.builds(
    AttachedFile.of,
    NAMES.map(lambda text: file_name(text) or "x"),
    st.sampled_from(["application/pdf", "text/csv", "image/png"]),
    st.binary(max_size=400),
)


@pytest.mark.parametrize("eight_bit", [False, True])
@given(text=TEXTS, html=st.none() | TEXTS, has_image=st.booleans(), files=st.lists(FILES, min_size=1, max_size=3))
def test_files_arrive_beside_what_is_read(
    eight_bit: bool, text: str, html: str | None, has_image: bool, files: list[AttachedFile]
) -> None:
    made = Mail.of({"Subject": "s"}, text, html, BOUNDARY, [IMAGE] if has_image else ())
    raw = replace(made, files=tuple(files)).written(eight_bit=eight_bit)
    assert eight_bit or raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = parsed(raw)
    assert message.get_content_type() == "multipart/mixed"
    assert content(message, "plain") == said(text)
    if html is not None:
        assert content(message, "html") == said(html)
    found = [part for part in message.iter_parts() if part.get_content_disposition() == "attachment"]
    assert [part.get_payload(decode=True) for part in found] == [b64decode(one.lines) for one in files]
    assert [part.get_content_type() for part in found] == [one.content_type for one in files]
    names = [words(str(part.get_filename())) for part in found]
    assert names == [words(one.name) for one in files]
    older = [words(str(make_header(decode_header(str(part["Content-Type"].params["name"]))))) for part in found]
    assert older == names


def words(text: str) -> str:
    """A text without blanks and line ends, which readers fold."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", "", text)


@pytest.mark.parametrize("size", [0, 1, 57, 58, 1000])
def test_lines_of_a_file_have_at_most_76_characters(size: int) -> None:
    made = replace(Mail.of({}, "hi", None, BOUNDARY), files=(AttachedFile.of("a.bin", "image/png", bytes(size)),))
    lines = made.written().split(b"filename=")[1].split(b"\r\n")[1:]
    assert max(map(len, lines)) <= 76


@given(subject=LINES, name=LINES)
def test_headers_say_what_was_written_and_nobody_adds_one(subject: str, name: str) -> None:
    headers = {
        "To": mailbox_header("To", name, "jo@example.com"), "Subject": text_header("Subject", subject), "X-Last": "x"
    }  # fmt: skip
    message = parsed(Mail.of(headers, "hi", None, BOUNDARY).written())
    assert message.keys()[:3] == ["To", "Subject", "X-Last"]
    assert [address.addr_spec for address in message["To"].addresses] == ["jo@example.com"]
    words = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", subject)
    assert re.sub(r"\s+", "", str(message["Subject"])) == re.sub(r"\s+", "", words)


@pytest.mark.parametrize(
    ("html", "eight_bit", "encoding"),
    [
        ("<b>hi</b>", False, "7bit"),
        ("<b>hi</b>", True, "7bit"),
        ("<b>ü</b>", False, "base64"),
        ("<b>ü</b>", True, "8bit"),
        ("x" * 998, True, "7bit"),
        ("x" * 999, True, "base64"),
        ("ü" * 499, True, "8bit"),
        ("ü" * 500, True, "base64"),
        ("short\n" * 400 + "x" * 999 + "\nshort", True, "base64"),
    ],
)
def test_a_text_leaves_as_it_is_where_a_server_takes_it(html: str, eight_bit: bool, encoding: str) -> None:
    raw = Mail.of({"A": "b"}, "plain", html, BOUNDARY, [IMAGE]).written(eight_bit=eight_bit)
    message = parsed(raw)
    part = message.get_body(("html",))
    assert part is not None
    assert part["Content-Transfer-Encoding"] == encoding
    outer = "8bit" if encoding == "8bit" else None
    assert [one["Content-Transfer-Encoding"] for one in message.walk() if one.is_multipart()] == [outer, outer]


def test_the_date_is_that_of_the_attempt_in_universal_time() -> None:
    now = datetime(2026, 12, 24, 18, 0, 0, 999, tzinfo=UTC)
    assert dated(b"A: b\r\n", now) == b"Date: Thu, 24 Dec 2026 18:00:00 +0000\r\nA: b\r\n"
    assert dated(b"", now.astimezone(timezone(timedelta(hours=2)))) == dated(b"", now)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"A: b\r\n\r\nhi", b"A: b\r\n\r\nhi\r\n.\r\n"),
        (b"A: b\r\n\r\n.\r\n..x\r\n", b"A: b\r\n\r\n..\r\n...x\r\n.\r\n"),
        (b"A: b\r\n\r\n.\r\nMAIL FROM:<x@y.example>\r\n", b"A: b\r\n\r\n..\r\nMAIL FROM:<x@y.example>\r\n.\r\n"),
    ],
)
def test_no_line_ends_a_message_early(message: bytes, expected: bytes) -> None:
    assert ended(message) == expected
