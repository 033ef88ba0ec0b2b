"""Small files of the data folder that are made once: each appears whole, and is readable to its owner alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def kept_file(folder: Path, name: str, make: Callable[[], str]) -> Path:
    """The file of that name, with a line that is made where it is missing.

    Of several who make it at once all use what the first has written.
    """
    file = folder / name
    if not file.exists():
        made = _beside(folder, name, make())
        try:
            with suppress(FileExistsError):
                os.link(made, file)
        finally:
            made.unlink()
    return file


def replace_file(folder: Path, name: str, line: str) -> Path:
    """The file of that name with another line, whatever was there."""
    return _beside(folder, name, line).replace(folder / name)


def _beside(folder: Path, name: str, line: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    opened, made = tempfile.mkstemp(prefix=f"{name}.", dir=folder)  # which nobody else may read
    with os.fdopen(opened, "w") as written:
        written.write(f"{line}\n")
    return Path(made)
