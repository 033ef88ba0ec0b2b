"""The guards that events of one selection may fit: under the values that they demand, up to three of them together.

What brought an event to a guard need not be tested again, so that only the rest of its tests is left to run. A value
that a demand cannot be compared with is an error, not a difference: such guards are found by a slower way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from schemas.record import Record
from streams.conditions.language import Path
from streams.event_context import EventContext, reader
from streams.index.demands import ODD, Demands
from streams.index.guard import Choice, Guard, Key
from streams.index.table import Candidate, Table, TableKey

Combination = tuple[Key, ...]
"""Values that must hold together, in the order of their paths."""

_MOST_PATHS = 3
"""Values under which a guard stands together. More would cost memory for guards that are told apart already."""
_MOST_COMBINATIONS = 64
"""Combinations that one guard may take up when the values of several `in` are multiplied."""
_MOST_TABLES = 16
"""Sets of paths in one bucket, each a look-up for every event; further guards use those that are there."""


class _Place(NamedTuple):
    """A guard's place in its bucket, and the parts of it that hold for every event that finds it there."""

    combinations: tuple[Combination, ...]
    covered: frozenset[int]


class Bucket:
    """The guards of one selection, in one table for each set of paths that tells them apart."""

    def __init__(self, data: type[Record]) -> None:
        self.size = 0
        self._data = data
        self._places: dict[str, _Place] = {}
        self._tables: dict[tuple[Path, ...], Table] = {}
        self._values: dict[Path, Demands] = {}
        self._multi_table = 0
        self._arrange_tables()

    def add(self, guard: Guard) -> None:
        """Have events find it."""
        self.size += 1
        place = self._places[guard.id] = self._place_for(guard)
        self._multi_table += _is_multi_table(place)
        for path, value in _keys(guard):
            if path not in self._values:
                self._values[path] = Demands(reader(path, self._data))
            self._values[path].demand(value)
        for path in _all_paths(place):
            self._values[path].place(guard, path)
        for combination in place.combinations:
            self._table(_paths(combination)).add(self._key(combination), guard, place.covered)

    def discard(self, guard: Guard) -> None:
        """No event finds it any more."""
        self.size -= 1
        place = self._places.pop(guard.id)
        self._multi_table -= _is_multi_table(place)
        for combination in place.combinations:
            paths = _paths(combination)
            self._tables[paths].discard(self._key(combination), guard)
            if self._tables[paths].is_empty():
                del self._tables[paths]
                self._arrange_tables()
        for path in _all_paths(place):
            self._values[path].displace(guard)
        for path, value in _keys(guard):
            self._values[path].release(value)

    def append_candidates(self, context: EventContext, found: list[Candidate]) -> None:
        """Add those that may fit an event."""
        numbers = []
        for number in self._read:  # they are few: a comprehension takes longer to set up
            numbers.append(number(context))
        begin = len(found)
        is_odd = ODD in numbers
        if is_odd:
            numbers = self._append_odd(context, numbers, found)
        for key_of, unsorted_under, sorted_ in self._lookups:
            key = key_of(numbers)
            unsorted = unsorted_under(key)
            if unsorted is not None:
                found += unsorted
            if sorted_ and key in sorted_:
                for one in sorted_[key].values():
                    one.append_candidates(context, found)
        if self._multi_table or is_odd:  # a guard under several sets of paths may have been found in more than one
            found[begin:] = {id(candidate.guard): candidate for candidate in found[begin:]}.values()

    def _append_odd(self, context: EventContext, numbers: list[int | None], found: list[Candidate]) -> list[int | None]:
        """Add the guards that cannot judge some value; the numbers for those that can."""
        odd = [self._values[path] for path, number in zip(self._paths_read, numbers, strict=True) if number == ODD]
        for demands in odd:
            found.extend(Candidate(guard, guard.without(())) for guard in demands.unable(context))
        judged = iter(odd)
        return [next(judged).demanded(context) if number == ODD else number for number in numbers]

    def ids(self) -> Iterable[str]:
        """All that stand here."""
        return self._places

    def always(self) -> Iterator[str]:
        """Those that every event here has to try."""
        table = self._tables.get(())
        return (one.guard.id for one in table.unsorted.get(None, ())) if table else iter(())

    def _table(self, paths: tuple[Path, ...]) -> Table:
        if paths not in self._tables:
            self._tables[paths] = Table(self._data)
            self._arrange_tables()
        return self._tables[paths]

    def _arrange_tables(self) -> None:
        """Have each path read once an event, and tell each table which of the values make its key."""
        self._paths_read = read = list(dict.fromkeys(path for paths in self._tables for path in paths))
        self._read = [self._values[path].number for path in read]
        self._lookups = [
            (_key_of([read.index(path) for path in paths]), table.unsorted.get, table.sorted)
            for paths, table in self._tables.items()
        ]

    def _key(self, combination: Combination) -> TableKey:
        """A combination as a table knows it."""
        numbers = [self._values[path].numbers[value] for path, value in combination]
        return tuple(numbers) if len(numbers) > 1 else numbers[0] if numbers else None

    def _place_for(self, guard: Guard) -> _Place:
        """Under the values that fewest guards demand, up to three of them together."""
        chosen: list[Choice] = []
        combinations: tuple[Combination, ...] = ((),)
        for choice in sorted(guard.choices, key=self._demand_for):
            joined = _joined(combinations, choice)
            if joined and self._has_tables_for(joined):
                combinations = joined
                chosen.append(choice)
                if len(chosen) == _MOST_PATHS:
                    break
        return _Place(combinations, frozenset(choice.part for choice in chosen if choice.part is not None))

    def _demand_for(self, choice: Choice) -> float:
        """The number of guards that demand one of its values, on average."""
        demands = (values.demands.get(value, 0) for path, value in choice.keys if (values := self._values.get(path)))
        return sum(demands) / len(choice.keys)

    def _has_tables_for(self, combinations: tuple[Combination, ...]) -> bool:
        return len(self._tables) < _MOST_TABLES or all(_paths(one) in self._tables for one in combinations)


def _key_of(positions: list[int]) -> Callable[[list[int | None]], TableKey]:
    """The key of an event in a table from the numbers of its values; one with None in it is never there."""
    return itemgetter(*positions) if positions else _same_for_all


def _same_for_all(_numbers: list[int | None]) -> TableKey:
    return None


def _keys(guard: Guard) -> set[Key]:
    return {key for choice in guard.choices for key in choice.keys}


def _joined(combinations: tuple[Combination, ...], choice: Choice) -> tuple[Combination, ...]:
    """Each combination with each key of a further choice; empty where that would be too many."""
    if len(combinations) > 1 and len(combinations) * len(choice.keys) > _MOST_COMBINATIONS:
        return ()
    joined = (_merged(combination, key) for combination, key in product(combinations, choice.keys))
    return tuple(dict.fromkeys(one for one in joined if one is not None))


def _merged(combination: Combination, key: Key) -> Combination | None:
    """None where the path would have to have two values."""
    if not combination:
        return (key,)
    values = dict(combination)
    if values.setdefault(key[0], key[1]) != key[1]:
        return None
    return tuple(sorted(values.items(), key=_path_of))


def _path_of(key: Key) -> Path:
    return key[0]


def _is_multi_table(place: _Place) -> bool:
    first = _paths(place.combinations[0])
    return any(_paths(combination) != first for combination in place.combinations)


def _all_paths(place: _Place) -> set[Path]:
    return {path for combination in place.combinations for path, _ in combination}


def _paths(combination: Combination) -> tuple[Path, ...]:
    return tuple([path for path, _ in combination])
