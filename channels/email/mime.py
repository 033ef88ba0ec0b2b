"""An e-mail as bytes, written directly: the standard library takes a millisecond for a message, this some tens of µs.

Sources: RFC 2045 to 2047 (MIME), RFC 5321 4.5.3.1.6 (a line has at most 998 characters), RFC 2387
and 2392 (images beside the HTML).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

_LONGEST_LINE = 998


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A PNG that the HTML shows as `cid:<content_id>`; both names are ASCII and need no quoting."""

    content_id: str
    file_name: str
    png: bytes = field(repr=False)


def message_bytes(
    headers: Mapping[str, str], text: str, html: str | None, *, boundary: str, images: Sequence[InlineImage] = ()
) -> bytes:
    """The whole message. Header values are made by `channels.email.headers`, or are short and ASCII by nature."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines.append("MIME-Version: 1.0")
    if html is None:
        lines += _part(text, "plain")
    elif images:
        lines += _related(_alternative(text, html, boundary), images, boundary)
    else:
        lines += _alternative(text, html, boundary)
    return "\r\n".join(lines).encode("ascii")


def dated(message: bytes, now: datetime) -> bytes:
    """A message with the time at which it is sent; what makes a repeat known, its Message-ID, stays the same."""
    return f"Date: {format_datetime(now)}\r\n".encode() + message


def _alternative(text: str, html: str, boundary: str) -> list[str]:
    lines = [f'Content-Type: multipart/alternative; boundary="{boundary}"']
    for content, subtype in ((text, "plain"), (html, "html")):
        lines += ["", f"--{boundary}", *_part(content, subtype)]
    return [*lines, f"--{boundary}--", ""]


def _related(root: list[str], images: Sequence[InlineImage], boundary: str) -> list[str]:
    """The root and what it shows. Neither boundary begins with the other, which some readers would take for an end."""
    outer = f"=_related{boundary}"
    lines = [f'Content-Type: multipart/related; type="multipart/alternative"; boundary="{outer}"', ""]
    lines += [f"--{outer}", *root]
    for image in images:
        lines += [f"--{outer}", *_image(image)]
    return [*lines, f"--{outer}--", ""]


def _image(image: InlineImage) -> list[str]:
    return [
        f'Content-Type: image/png; name="{image.file_name}"',
        "Content-Transfer-Encoding: base64",
        f"Content-ID: <{image.content_id}>",
        f'Content-Disposition: inline; filename="{image.file_name}"',
        "",
        base64.encodebytes(image.png).decode().replace("\n", "\r\n"),
    ]


def _part(content: str, subtype: str) -> list[str]:
    """As it is where that is safe, else in base64."""
    head = f'Content-Type: text/{subtype}; charset="utf-8"'
    lines = content.splitlines()
    if content.isascii() and "\0" not in content and all(len(line) <= _LONGEST_LINE for line in lines):
        return [head, "Content-Transfer-Encoding: 7bit", "", *lines, ""]
    encoded = base64.encodebytes(content.encode()).decode().replace("\n", "\r\n")
    return [head, "Content-Transfer-Encoding: base64", "", encoded]
