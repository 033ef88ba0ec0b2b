"""The one sentence about a name that nothing has, whatever noun it is of."""

from __future__ import annotations

from collections.abc import Collection

from schemas.errors import TidingsError
from schemas.names import nearest

_NAMED = 10
"""Of the names that there are, how many are shown where none is near."""


class NotFound(TidingsError):
    """Nothing has this name. `kind` is the noun, `meant` the known name that is nearest, where one is near."""

    def __init__(self, message: str, *, kind: str, name: str, meant: str | None) -> None:
        super().__init__(message)
        self.kind, self.name, self.meant = kind, name, meant


def not_found(kind: str, name: str, known: Collection[str] = (), *, see: str = "") -> NotFound:
    """`no campaign "sprng". Did you mean "spring"?`, or which names there are.

    `see` takes the place of the names where those are not at hand: the command that lists them.
    """
    meant = nearest(name, known) or nearest(name.upper(), known)
    return NotFound(f'no {kind} "{name}". {_advice(meant, known, see)}', kind=kind, name=name, meant=meant)


def _advice(meant: str | None, known: Collection[str], see: str) -> str:
    if meant:
        return f'Did you mean "{meant}"?'
    if see:
        return f"See: {see}"
    names = sorted(known)
    return f"There are: {', '.join(names[:_NAMED]) or 'none'}{', …' if len(names) > _NAMED else '.'}"
