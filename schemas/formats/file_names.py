"""Names of files that travel with a message: one line without a path, and of no type that mail programs refuse."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath

LONGEST_NAME = 100
_LONGEST_TYPE = 12
UNKNOWN_TYPE = "application/octet-stream"
_TYPES = mimetypes.MimeTypes()
"""Python's own, the same on every machine."""
_REFUSED = frozenset((
    ".ade", ".adp", ".apk", ".appx", ".appxbundle", ".bat", ".cab", ".chm", ".cmd", ".com", ".cpl", ".diagcab",
    ".diagcfg", ".diagpkg", ".dll", ".dmg", ".ex", ".ex_", ".exe", ".hta", ".img", ".ins", ".iso", ".isp", ".jar",
    ".jnlp", ".js", ".jse", ".lib", ".lnk", ".mde", ".mjs", ".msc", ".msi", ".msix", ".msixbundle", ".msp", ".mst",
    ".nsh", ".pif", ".ps1", ".scr", ".sct", ".shb", ".sys", ".vb", ".vbe", ".vbs", ".vhd", ".vxd", ".wsc", ".wsf",
    ".wsh", ".xll",
))  # fmt: skip
"""Source: support.google.com/mail/answer/6590, which others refuse as well."""
_RESERVED = re.compile(r'[<>:"|?*]')
"""Characters that no file of Windows is called by."""


def file_name(text: str) -> str:
    """A name as a file is saved under; empty where nothing is left.

    What is before a slash is a path, and what does not print may turn the direction of the rest: `exe.fdp` is then read
    as `pdf.exe`. Windows drops dots and blanks at the end, and with them what hides a type.
    """
    last = re.split(r"[/\\]", text)[-1]
    shown = "".join(letter if letter.isprintable() else " " if letter.isspace() else "" for letter in last)
    name = _RESERVED.sub("-", " ".join(shown.split())).strip(". ")
    if len(name) <= LONGEST_NAME:
        return name
    kind = PurePosixPath(name).suffix
    return name[: LONGEST_NAME - len(kind)] + kind if len(kind) <= _LONGEST_TYPE else name[:LONGEST_NAME]


def type_problem(name: str) -> str | None:
    """The reason for which no mail program would take a file of this name."""
    kind = PurePosixPath(file_name(name)).suffix.lower()
    if kind not in _REFUSED:
        return None
    return f"files of the type {kind} are refused by mail programs: must be of another one, such as .pdf, .ics or .csv"


def content_type(name: str) -> str:
    """The media type that the end of a name says."""
    kind, encoding = _TYPES.guess_type(name)
    return kind if kind and not encoding else UNKNOWN_TYPE
