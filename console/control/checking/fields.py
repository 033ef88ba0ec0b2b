"""Fields in recorded events: how often each is there, and of which kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.control.checking.finding import FindingKind
from schemas.formats.paths import Steps, path_text, value_at
from streams.conditions.answer import Kind, a_kind, kind_of
from streams.conditions.fields import Fields, Found


@dataclass(slots=True)
class Seen:
    """One field in some events. `first` is the place of the first event with each kind."""

    path: Steps
    events: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    first: dict[Kind, str] = field(default_factory=dict)

    def note(self, facts: Mapping[str, Any], place: str) -> None:
        """Look into one event."""
        self.events += 1
        value = value_at(self.path, facts)
        if value is not None:
            kind = kind_of(value)
            self.kinds[kind] += 1
            self.first.setdefault(kind, place)

    def gone(self) -> str | None:
        """A sentence, where no event has it."""
        if not self.events or self.kinds:
            return None
        return f"{path_text(self.path)} is missing in {every(self.events, 'event')} of the recording"

    def changed(self, kind: Kind | None, where: str) -> str | None:
        """A sentence, where events have it in another kind than the one that is described."""
        others = [other for other in self.kinds if kind not in (None, "any", other)]
        if not others:
            return None
        said = ", ".join(
            f"{a_kind(other)} in {self.kinds[other]} of {counted(self.events, 'event')} ({self.first[other]})"
            for other in others
        )
        return f"{path_text(self.path)} is {a_kind(str(kind))} {where}, and {said}"


def counted(number: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def every(number: int, noun: str) -> str:
    """`the 1 event`, `all 2 events`."""
    return f"{'the' if number == 1 else 'all'} {counted(number, noun)}"


def kind_at(path: Steps, fields: Fields) -> Kind | None:
    """The kind that a field is known to have; None where that is not known."""
    names = tuple(step for step in path if isinstance(step, str))
    found = fields.find(names) if len(names) == len(path) else None
    return found.kind if isinstance(found, Found) else None


def sentences(seen: Iterable[Seen], fields: Fields, where: str) -> Iterator[tuple[Steps, FindingKind, str]]:
    """Everything there is to say about fields, by their paths."""
    for one in seen:
        gone, changed = one.gone(), one.changed(kind_at(one.path, fields), where)
        if gone:
            yield one.path, "field_gone", gone
        if changed:
            yield one.path, "kind_changed", changed
