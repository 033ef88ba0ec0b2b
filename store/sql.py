"""Named SQL: blocks of `store/sql/*.sql`, each headed by `-- name:` and a comment that says what it is for."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(file: str) -> dict[str, str]:
    """The blocks of `store/sql/<file>.sql` by name."""
    _, *parts = _HEAD.split((FOLDER / f"{file}.sql").read_text())
    return dict(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))
