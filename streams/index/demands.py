"""The values that guards in a bucket demand of one path, numbered, so that a table's key is a small number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from streams.conditions.answer import equality_key
from streams.conditions.getter import Getter
from streams.conditions.language import Path
from streams.event_context import EventContext
from streams.index.guard import Guard

ODD = 0
"""The number of a value that some guard cannot compare with what it demands; what is demanded is numbered from 1."""

_ABSENT = frozenset({type(None)})


class Demands:
    """The values that are demanded of a path, and the guards under it, with the types that each can judge."""

    __slots__ = ("_guards", "_judged", "_next", "_read", "_types", "demands", "number", "numbers")

    def __init__(self, read: Getter) -> None:
        self._next = 1
        self._read = read
        self._guards: dict[str, tuple[Guard, frozenset[type]]] = {}
        self._judged: Counter[frozenset[type]] = Counter()
        self._types: set[type] = set(_ABSENT)
        self.numbers: dict[Any, int] = {}
        self.demands: dict[Any, int] = {}
        self.number = _number_of(read, self.numbers, self._types)

    def demand(self, value: Any) -> None:
        """One guard more demands it."""
        if value not in self.numbers:
            self.numbers[value] = self._next
            self._next += 1
        self.demands[value] = self.demands.get(value, 0) + 1

    def release(self, value: Any) -> None:
        """One guard fewer demands it."""
        self.demands[value] -= 1
        if not self.demands[value]:
            del self.demands[value], self.numbers[value]

    def place(self, guard: Guard, path: Path) -> None:
        """A guard stands under values of this path."""
        types = guard.types[path] | _ABSENT
        self._guards[guard.id] = guard, types
        self._judged[types] += 1
        self._all_judge()

    def displace(self, guard: Guard) -> None:
        """It stands there no more."""
        _, types = self._guards.pop(guard.id)
        self._judged[types] -= 1
        if not self._judged[types]:
            del self._judged[types]
        self._all_judge()

    def _all_judge(self) -> None:
        """Note which types every guard here can judge."""
        self._types.clear()
        self._types |= frozenset.intersection(*self._judged) if self._judged else _ABSENT

    def demanded(self, context: EventContext) -> int | None:
        """The number of the event's value, whoever cannot judge it; None where no guard demands it."""
        return self.numbers.get(equality_key(self._read(context)))

    def unable(self, context: EventContext) -> Iterator[Guard]:
        """The guards that cannot judge the event's value."""
        kind = type(self._read(context))
        return (guard for guard, types in self._guards.values() if kind not in types)


def _number_of(read: Getter, numbers: dict[Any, int], types: set[type]) -> Callable[[EventContext], int | None]:
    """The number of an event's value: None where no guard demands it, ODD where not every guard can judge it."""
    numbered = numbers.get

    def number(context: EventContext) -> int | None:
        value = read(context)
        if type(value) not in types:
            return ODD
        return numbered(value if type(value) is str else equality_key(value))

    return number
