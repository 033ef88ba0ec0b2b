"""The key under which accounts are kept in the embedded Postgres: made with it, and kept beside its data."""

from __future__ import annotations

import base64
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_NAME, _BYTES = "account.keys", 32


def account_key_file(folder: Path) -> Path:
    """The file with the key, as `accounts.key_file` takes it; made where it is missing, readable to its owner alone.

    It appears whole: of several who make it at once all use what the first has written.
    """
    file = folder / _NAME
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    opened, made = tempfile.mkstemp(prefix=f"{_NAME}.", dir=folder)  # which nobody else may read
    try:
        with os.fdopen(opened, "w") as written:
            written.write(f"embedded:{base64.b64encode(os.urandom(_BYTES)).decode()}\n")
        with suppress(FileExistsError):
            os.link(made, file)
    finally:
        Path(made).unlink()
    return file
