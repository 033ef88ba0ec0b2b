"""An e-mail as bytes, written directly: the standard library takes a millisecond for a message, this some tens of µs.

Sources: RFC 5322 (headers), RFC 2045 to 2047 (MIME), RFC 5321 4.5.3.1.6 (a line has at most 998 characters), RFC 2387
and 2392 (images beside the HTML).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import formataddr

from schemas.errors import RenderRefused
from schemas.mail_address import mail_address

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_LONGEST_LINE = 998
_LONGEST_ASCII_HEADER = 400
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A PNG that the HTML shows as `cid:<content_id>`; both names are ASCII and need no quoting."""

    content_id: str
    file_name: str
    png: bytes = field(repr=False)


def message_bytes(
    headers: Mapping[str, str], text: str, html: str | None, *, boundary: str, images: Sequence[InlineImage] = ()
) -> bytes:
    """The whole message. Header values are made by `mailbox` and `header_text`, or are ASCII by nature."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines.append("MIME-Version: 1.0")
    if html is None:
        lines += _part(text, "plain")
    elif images:
        lines += _related(_alternative(text, html, boundary), images, boundary)
    else:
        lines += _alternative(text, html, boundary)
    return "\r\n".join(lines).encode("ascii")


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


def header_text(text: str) -> str:
    """A value for a header: on one line, so that none can add a header; encoded where it is not plain ASCII."""
    line = one_line(text)
    if line.isascii() and len(line) <= _LONGEST_ASCII_HEADER:
        return line
    return Header(line, "utf-8", maxlinelen=75).encode(linesep="\r\n")


def one_line(text: str) -> str:
    """Control characters, line ends among them, become spaces."""
    return _CONTROL.sub(" ", text).strip()


def mailbox(name: str, address: str) -> str:
    """`Name <address>`, a long name shortened. Raises RenderRefused for an address that mail cannot reach."""
    return formataddr((one_line(name)[:_LONGEST_NAME], valid_address(address)))


def valid_address(address: str) -> str:
    """An address as SMTP takes it. Raises RenderRefused for what is none."""
    try:
        return mail_address(address)
    except ValueError as error:
        raise RenderRefused("no_address", f"mail cannot be sent to the address: {error}") from error
