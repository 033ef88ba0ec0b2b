"""The known name that was probably meant by one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection

LIKE = 0.75
ROUGHLY_LIKE = 0.6
"""How alike two names have to be, from 0 to 1: where any name may be meant, and where one of the known is meant."""


def nearest(name: str, known: Collection[str], likeness: float = LIKE) -> str | None:
    """The known name that was probably meant."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=likeness)
    return close[0] if close else None


def did_you_mean(name: str, known: Collection[str], likeness: float = LIKE) -> str:
    """A sentence that names it, with a space in front; nothing where none is near. Capitals are tried as well."""
    meant = nearest(name, known, likeness) or nearest(name.upper(), known, likeness)
    return f' Did you mean "{meant}"?' if meant else ""
