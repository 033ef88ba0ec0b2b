"""The key under which accounts are kept in the embedded Postgres: made with it, and kept beside its data."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from deploy.embedded.kept_file import kept_file

_NAME, _BYTES = "account.keys", 32


def account_key_file(folder: Path) -> Path:
    """The file with the key, as `accounts.key_file` takes it; made where it is missing, readable to its owner alone."""
    return kept_file(folder, _NAME, lambda: f"embedded:{base64.b64encode(os.urandom(_BYTES)).decode()}")
