"""Mail in files: a message, an mbox, a Maildir, or a folder of messages."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from pathlib import Path

from channels.email.reports import MOST_BYTES

_BETWEEN = b"From "
"""Begins a message of an mbox, and no header."""


def messages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each message with its name, as far as a report would reach. Raises OSError."""
    if path.is_dir():
        folders = [path / name for name in ("cur", "new") if (path / name).is_dir()] or [path]
        files = sorted(file for folder in folders for file in folder.iterdir() if file.is_file())
        yield from ((file.name, _head(file)) for file in files)
    elif _head(path).startswith(_BETWEEN):
        box = mailbox.mbox(path, create=False)
        try:
            for number, key in enumerate(box.keys(), start=1):
                with box.get_file(key) as file:
                    yield f"{path.name} {number}", file.read(MOST_BYTES)
        finally:
            box.close()
    else:
        yield path.name, _head(path)


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(MOST_BYTES)
