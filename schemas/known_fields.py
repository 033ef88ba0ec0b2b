"""Fields that a provider knows: the names that attributes may have there, and what each of them takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.names import did_you_mean

FieldKind = Literal["text", "number", "boolean", "date", "moment", "list", "any"]
"""The kind of value that a field takes: a moment is a date or its Unix seconds; `any` where it is not known, or of a
kind of the provider's own.
"""

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class KnownField:
    """One field. `others` are names that it has beside; `longest` is the most bytes that its text may have."""

    name: str
    kind: FieldKind = "any"
    others: tuple[str, ...] = ()
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class KnownFields:
    """All that an account has. `noun` is what the provider calls one; `any_case`: capitals make no other name."""

    fields: tuple[KnownField, ...]
    noun: str = "field"
    any_case: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order in which they are shown."""
        return tuple(one.name for one in self.fields)

    def find(self, name: str) -> KnownField:
        """The field of that name, or of another name that it alone has. Raises ValueError that says what there is."""
        plain = name.casefold()
        tries = [
            [one for one in self.fields if one.name == name],
            [one for one in self.fields if name in one.others],
            [one for one in self.fields if self.any_case and one.name.casefold() == plain],
            [one for one in self.fields if self.any_case and plain in map(str.casefold, one.others)],
        ]
        found = next(filter(None, tries), [])
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f'"{name}" is the name of several: write {" or ".join(one.name for one in found)}')
        others = [other for one in self.fields for other in one.others]
        raise ValueError(f'there is no {self.noun} "{name}".{did_you_mean(name, [*self.names, *others])} {self._there}')

    @property
    def _there(self) -> str:
        more = len(self.fields) - _SHOWN
        return f"There are: {', '.join(self.names[:_SHOWN]) or 'none'}" + (f" and {more} more" if more > 0 else "")
