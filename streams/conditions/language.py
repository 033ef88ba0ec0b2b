"""The condition language as a tree: closed, frozen, and bounded in depth and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 16
MAX_NODES = 256
MAX_LIST = 10_000
MAX_PATTERN = 500

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A path on the left, a named test with its operand on the right."""

    path: Path
    name: str
    operand: Any

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} {self.name} {_shown(self.operand)}"


@dataclass(frozen=True, slots=True)
class AnyItem:
    """True where some item of the list at `path` fulfils `condition`, whose paths start at the item."""

    path: Path
    condition: Condition

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} any_item ({self.condition})"


@dataclass(frozen=True, slots=True)
class All:
    """True where every part is."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "all of " + "; ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where at least one part is."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "any of " + "; ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is false; an error stays an error."""

    part: Condition

    def __str__(self) -> str:
        return f"not ({self.part})"


Condition = Test | AnyItem | All | AnyOf | Not


def _shown(operand: Any) -> str:
    if isinstance(operand, list | tuple | frozenset):
        return "[" + ", ".join(map(str, operand)) + "]"
    return str(operand).lower() if isinstance(operand, bool) else str(operand)
