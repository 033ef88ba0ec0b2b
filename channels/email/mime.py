"""An e-mail as bytes, written directly: the standard library takes milliseconds for a message, this some tens of µs.

What is the same for each message stands here as it is written; a text leaves as it is where a mail server can take it,
and in base64 where not. Sources: RFC 2045 to 2047 (MIME), RFC 5321 4.5.3.1.6 (a line has at most 998 characters), RFC
6152 (8BITMIME), RFC 2387 and 2392 (images beside the HTML), RFC 2183 (files beside the texts).
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from channels.email.headers import file_name_parameter, type_name_parameter

_LONGEST_LINE = 998
_ENCODED_LINE = 76
_LINE_END = re.compile(rb"\r\n?")


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A PNG that the HTML shows as `cid:<content_id>`; both names are ASCII and need no quoting."""

    content_id: str
    file_name: str
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The most bytes of one file beside the texts, and of all of a message."""

    each: int = 5 * 1024 * 1024
    together: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file beside the texts; `content_type` is ASCII, and not of several parts. `lines` are its bytes in base64."""

    name: str
    content_type: str
    lines: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, content_type: str, data: bytes) -> AttachedFile:
        """Takes 10 ms for each MB, which no loop waits for."""
        return cls(name, content_type, _base64(data))


@dataclass(frozen=True, slots=True)
class Mail:
    """A message but for its Date, its texts in UTF-8. `boundary` is in none of them."""

    head: bytes = field(repr=False)
    text: bytes = field(repr=False)
    html: bytes | None = field(repr=False)
    boundary: bytes
    images: tuple[InlineImage, ...] = ()
    files: tuple[AttachedFile, ...] = ()

    @classmethod
    def of(
        cls, headers: Mapping[str, str], text: str, html: str | None, boundary: str, images: Sequence[InlineImage] = ()
    ) -> Mail:
        """Header values are made by `channels.email.headers`, or are short and ASCII by nature."""
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = "".join([*lines, "MIME-Version: 1.0\r\n"]).encode()
        return cls(
            head, text.encode(), None if html is None else html.encode(), boundary.encode("ascii"), tuple(images)
        )

    def written(self, *, eight_bit: bool = False) -> bytes:
        """The whole message, its texts in ASCII or, with `eight_bit`, with other letters as they are."""
        return self.head + self._body(eight_bit=eight_bit)

    def _body(self, *, eight_bit: bool) -> bytes:
        shown = self._shown(eight_bit=eight_bit)
        if not self.files:
            return shown
        return _multipart(b"mixed", [shown, *map(_file, self.files)], b"=_mixed" + self.boundary)

    def _shown(self, *, eight_bit: bool) -> bytes:
        text = _part(b"plain", self.text, eight_bit=eight_bit)
        if self.html is None:
            return text
        html = _part(b"html", self.html, eight_bit=eight_bit)
        both = _multipart(b"alternative", [text, html], self.boundary)
        if not self.images:
            return both
        # neither boundary begins with the other, which some readers would take for an end
        outer = b"=_related" + self.boundary
        return _multipart(b'related; type="multipart/alternative"', [both, *map(_image, self.images)], outer)


def dated(message: bytes, now: datetime) -> bytes:
    """A message with the time at which it is sent; what makes a repeat known, its Message-ID, stays the same."""
    return _date_header(now.astimezone(UTC).replace(microsecond=0)) + message


@lru_cache(8)
def _date_header(second: datetime) -> bytes:
    return f"Date: {format_datetime(second)}\r\n".encode()


def _multipart(kind: bytes, parts: list[bytes], boundary: bytes) -> bytes:
    """The parts between boundaries; 8-bit where one of them is (RFC 2045, 6.4)."""
    encoding = b"" if all(map(bytes.isascii, parts)) else b"\r\nContent-Transfer-Encoding: 8bit"
    head = b'Content-Type: multipart/%b; boundary="%b"%b\r\n\r\n' % (kind, boundary, encoding)
    inner = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return head + inner + b"--%b--\r\n" % boundary


def _image(image: InlineImage) -> bytes:
    file_name = image.file_name.encode("ascii")
    return (
        b'Content-Type: image/png; name="%b"\r\n'
        b"Content-Transfer-Encoding: base64\r\n"
        b"Content-ID: <%b>\r\n"
        b'Content-Disposition: inline; filename="%b"\r\n\r\n%b\r\n'
    ) % (file_name, image.content_id.encode("ascii"), file_name, _base64(image.png))


def _file(file: AttachedFile) -> bytes:
    kind, disposition = (made(file.name).encode("ascii") for made in (type_name_parameter, file_name_parameter))
    return (
        b"Content-Type: %b%b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment%b\r\n\r\n%b\r\n"
    ) % (file.content_type.encode("ascii"), kind, disposition, file.lines)


def _part(subtype: bytes, data: bytes, *, eight_bit: bool) -> bytes:
    """As it is where that is safe, else in base64."""
    lines = _LINE_END.sub(b"\n", data) if b"\r" in data else data
    if not (eight_bit or data.isascii()) or b"\0" in data or not _has_short_lines(lines):
        encoding, body = b"base64", _base64(data)
    else:
        encoding, body = b"7bit" if data.isascii() else b"8bit", lines.removesuffix(b"\n").replace(b"\n", b"\r\n")
    return (b'Content-Type: text/%b; charset="utf-8"\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n') % (
        subtype,
        encoding,
        body,
    )


def _has_short_lines(data: bytes) -> bool:
    """Look from the far end of what a line may take, which skips most of the data."""
    at = 0
    while at + _LONGEST_LINE < len(data):
        end = data.rfind(b"\n", at, at + _LONGEST_LINE + 1)
        if end < 0:
            return False
        at = end + 1
    return True


def _base64(data: bytes) -> bytes:
    encoded = b2a_base64(data, newline=False)
    return b"\r\n".join([encoded[at : at + _ENCODED_LINE] for at in range(0, len(encoded), _ENCODED_LINE)])
