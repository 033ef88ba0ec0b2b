"""Which rules an event may fit, found without trying them all.

(project, event type, selected id) leads to a shelf. On it a rule stands under values that its guard demands,
up to three of them together; and there, where others stand as well and the guard has a numeric bound, in a list sorted
by it. What brought an event to a rule need not be tested again, so that only the rest of its guard is
left to run. Rules whose guard demands no value stand under none, sorted by their bound or always tried.

A value that a demand cannot be compared with is an error, not a difference: such rules are found by a slower way round.

One rule goes in or out without touching the others. The index may return rules that do not fit; it never leaves one out
that would match or fail with an error.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, tzinfo
from functools import partial
from itertools import chain, islice, product
from operator import itemgetter
from typing import Any, NamedTuple

from schemas.distribution import Distribution
from schemas.events.triggers import TRIGGERS
from schemas.record import Record
from streams.conditions.compile import PLAIN, Compiler, Getter, Run
from streams.conditions.language import Path
from streams.event_context import EventContext, Head, reader
from streams.index.demands import ODD, Demands
from streams.rule import Choice, Key, Rule, Threshold, compile_rule
from streams.selection import Selection, pairs_of, selection_of

RuleKey = tuple[str, str]
"""Project and id: two projects may have rules of one id."""

ShelfKey = tuple[str, str, Selection]

TableKey = tuple[int | None, ...] | int | None
"""The numbers of the values of a table's paths; of one path the number itself, of none None."""

Combination = tuple[Key, ...]
"""Values that must hold together, in the order of their paths."""

_REACTING = ("LIVE", "PAUSED")
"""Statuses that are on the index: a paused distribution still says why it did not send."""

_MOST_PATHS = 3
"""Values under which a rule stands together. More would cost memory for rules that are told apart already."""
_MOST_COMBINATIONS = 64
"""Combinations that one rule may take up when the values of several `in` are multiplied."""
_TRIED = 4
"""Rules under one combination that are tried one by one, before further ones are sorted by a bound."""
_MOST_TABLES = 16
"""Sets of paths on one shelf, each a look-up for every event; further rules use those that are there."""


class Candidate(NamedTuple):
    """A rule that may fit, and which tests of its guard are left; it fits where all are true."""

    rule: Rule
    tests: tuple[Run, ...]


class RuleIndex:
    """All rules by project and id, and the shelves on which events find them. `zone`: where days begin."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._rules: dict[RuleKey, Rule] = {}
        self._shelves: dict[ShelfKey, _Shelf] = {}
        self._compilers: dict[type[Record], Compiler] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def insert(self, distribution: Distribution) -> Rule:
        """Compile and put in, in place of its earlier version. On DefinitionInvalid the index stays as it was."""
        rule = compile_rule(distribution, self._compiler_for(distribution))
        self.remove(*_rule_key(distribution))
        self._rules[_rule_key(distribution)] = rule
        if distribution.status in _REACTING:
            key = _shelf_key(distribution)
            if key not in self._shelves:
                self._shelves[key] = _Shelf(TRIGGERS[distribution.trigger.event].data)
            self._shelves[key].add(rule)
        return rule

    def _compiler_for(self, distribution: Distribution) -> Compiler:
        trigger = TRIGGERS.get(distribution.trigger.event)
        if trigger is None:
            return PLAIN
        if trigger.data not in self._compilers:
            self._compilers[trigger.data] = Compiler(partial(reader, data=trigger.data), remember=True, here=self._zone)
        return self._compilers[trigger.data]

    def remove(self, project_id: str, rule_id: str) -> None:
        """Take out; nothing where there is none."""
        rule = self._rules.pop((project_id, rule_id), None)
        if rule is None or rule.distribution.status not in _REACTING:
            return
        key = _shelf_key(rule.distribution)
        self._shelves[key].discard(rule)
        if not self._shelves[key].size:
            del self._shelves[key]

    def shelves(self, head: Head[Any]) -> list[_Shelf]:
        """Where the rules for an event stand; empty where none reacts to its type and selection."""
        project, kind = head.project_id, head.type
        shelf = self._shelves.get((project, kind, None))
        found = [] if shelf is None else [shelf]
        trigger = TRIGGERS[kind]
        selecting = trigger.selecting
        if not selecting:
            return found
        if len(selecting) == 1:
            chosen = getattr(head.data, selecting[0], None)
            shelf = self._shelves.get((project, kind, chosen.id)) if chosen is not None else None
            if shelf is not None:
                found.append(shelf)
        else:
            there = (self._shelves.get((project, kind, pair)) for pair in pairs_of(trigger, head.data))
            found.extend(shelf for shelf in there if shelf is not None)
        return found

    def some_for(self, head: Head[Any], begin: int, most: int) -> Iterator[Rule]:
        """Rules that stand where an event looks, fitting or not: at most so many, from any number on, around."""
        for shelf in self.shelves(head):
            start = begin % shelf.size
            turned = chain(islice(shelf.rule_ids(), start, None), islice(shelf.rule_ids(), start))
            yield from (self._rules[head.project_id, rule_id] for rule_id in islice(turned, most))

    def candidates(self, context: EventContext) -> tuple[list[Candidate], int]:
        """The rules that may fit, and how many of the event's type and selection were passed over."""
        found: list[Candidate] = []
        size = 0
        for shelf in self.shelves(context.head):
            size += shelf.size
            shelf.collect(context, found)
        return found, size - len(found)

    def unindexed(self) -> list[RuleKey]:
        """The rules that every event of their type and selection has to try."""
        return sorted((key[0], rule_id) for key, shelf in self._shelves.items() for rule_id in shelf.always())


def _rule_key(distribution: Distribution) -> RuleKey:
    return distribution.project_id, distribution.id


def _shelf_key(distribution: Distribution) -> ShelfKey:
    return distribution.project_id, distribution.trigger.event, selection_of(distribution)


class _Place(NamedTuple):
    """Where a rule stands on its shelf, and which parts of its guard hold for every event that finds it there."""

    combinations: tuple[Combination, ...]
    covered: frozenset[int]


class _Shelf:
    """The rules of one (project, event type, selection), in one table for each set of paths that tells them apart."""

    def __init__(self, data: type[Record]) -> None:
        self.size = 0
        self._data = data
        self._places: dict[str, _Place] = {}
        self._tables: dict[tuple[Path, ...], _Table] = {}
        self._values: dict[Path, Demands] = {}
        self._spread = 0
        self._arrange_tables()

    def add(self, rule: Rule) -> None:
        self.size += 1
        place = self._places[rule.distribution.id] = self._place_for(rule)
        self._spread += _is_spread(place)
        for path, value in _keys(rule):
            if path not in self._values:
                self._values[path] = Demands(reader(path, self._data))
            self._values[path].demand(value)
        for path in _all_paths(place):
            self._values[path].place(rule, path)
        for combination in place.combinations:
            self._table(_paths(combination)).add(self._key(combination), rule, place.covered)

    def discard(self, rule: Rule) -> None:
        self.size -= 1
        place = self._places.pop(rule.distribution.id)
        self._spread -= _is_spread(place)
        for combination in place.combinations:
            paths = _paths(combination)
            self._tables[paths].discard(self._key(combination), rule)
            if self._tables[paths].is_empty():
                del self._tables[paths]
                self._arrange_tables()
        for path in _all_paths(place):
            self._values[path].displace(rule)
        for path, value in _keys(rule):
            self._values[path].release(value)

    def collect(self, context: EventContext, found: list[Candidate]) -> None:
        numbers = []
        for number in self._read:  # they are few: a comprehension takes longer to set up
            numbers.append(number(context))
        begin = len(found)
        is_odd = ODD in numbers
        if is_odd:
            numbers = self._collect_odd(context, numbers, found)
        for key_of, tried_under, sorted_ in self._lookups:
            key = key_of(numbers)
            tried = tried_under(key)
            if tried is not None:
                found += tried
            if sorted_ and key in sorted_:
                for one in sorted_[key].values():
                    one.collect(context, found)
        if self._spread or is_odd:  # a rule under several sets of paths may have been found in more than one
            found[begin:] = {id(candidate.rule): candidate for candidate in found[begin:]}.values()

    def _collect_odd(
        self, context: EventContext, numbers: list[int | None], found: list[Candidate]
    ) -> list[int | None]:
        """Add the rules that cannot judge some value; the numbers for those that can."""
        odd = [self._values[path] for path, number in zip(self._paths_read, numbers, strict=True) if number == ODD]
        for demands in odd:
            found.extend(Candidate(rule, rule.without(())) for rule in demands.unable(context))
        judged = iter(odd)
        return [next(judged).demanded(context) if number == ODD else number for number in numbers]

    def rule_ids(self) -> Iterable[str]:
        return self._places

    def always(self) -> Iterator[str]:
        table = self._tables.get(())
        return (one.rule.distribution.id for one in table.tried.get(None, ())) if table else iter(())

    def _table(self, paths: tuple[Path, ...]) -> _Table:
        if paths not in self._tables:
            self._tables[paths] = _Table(self._data)
            self._arrange_tables()
        return self._tables[paths]

    def _arrange_tables(self) -> None:
        """Have each path read once an event, and tell each table which of the values make its key."""
        self._paths_read = read = list(dict.fromkeys(path for paths in self._tables for path in paths))
        self._read = [self._values[path].number for path in read]
        self._lookups = [
            (_key_of([read.index(path) for path in paths]), table.tried.get, table.sorted)
            for paths, table in self._tables.items()
        ]

    def _key(self, combination: Combination) -> TableKey:
        """A combination as a table knows it."""
        numbers = [self._values[path].numbers[value] for path, value in combination]
        return tuple(numbers) if len(numbers) > 1 else numbers[0] if numbers else None

    def _place_for(self, rule: Rule) -> _Place:
        """Under the values that fewest rules demand, up to three of them together."""
        chosen: list[Choice] = []
        combinations: tuple[Combination, ...] = ((),)
        for choice in sorted(rule.choices, key=self._demand_for):
            joined = _joined(combinations, choice)
            if joined and self._has_room_for(joined):
                combinations = joined
                chosen.append(choice)
                if len(chosen) == _MOST_PATHS:
                    break
        return _Place(combinations, frozenset(choice.part for choice in chosen if choice.part is not None))

    def _demand_for(self, choice: Choice) -> float:
        """How many rules demand one of its values, on average."""
        demands = (values.demands.get(value, 0) for path, value in choice.keys if (values := self._values.get(path)))
        return sum(demands) / len(choice.keys)

    def _has_room_for(self, combinations: tuple[Combination, ...]) -> bool:
        return len(self._tables) < _MOST_TABLES or all(_paths(one) in self._tables for one in combinations)


def _key_of(positions: list[int]) -> Callable[[list[int | None]], TableKey]:
    """The key of an event in a table from the numbers of its values; one with None in it is never there."""
    return itemgetter(*positions) if positions else _same_for_all


def _same_for_all(_numbers: list[int | None]) -> TableKey:
    return None


def _keys(rule: Rule) -> set[Key]:
    return {key for choice in rule.choices for key in choice.keys}


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


def _is_spread(place: _Place) -> bool:
    first = _paths(place.combinations[0])
    return any(_paths(combination) != first for combination in place.combinations)


def _all_paths(place: _Place) -> set[Path]:
    return {path for combination in place.combinations for path, _ in combination}


def _paths(combination: Combination) -> tuple[Path, ...]:
    return tuple([path for path, _ in combination])


class _Table:
    """Rules by the values that some paths must have together. No path at all: one key, for every event.

    The first few under a key are simply tried; further ones that have a bound stand sorted by it.
    """

    __slots__ = ("_data", "sorted", "tried")

    def __init__(self, data: type[Record]) -> None:
        self._data = data
        self.tried: dict[TableKey, list[Candidate]] = {}
        self.sorted: dict[TableKey, dict[tuple[Path, bool], _Sorted]] = {}

    def is_empty(self) -> bool:
        return not self.tried and not self.sorted

    def add(self, key: TableKey, rule: Rule, covered: frozenset[int]) -> None:
        tried, bound = self.tried.setdefault(key, []), rule.threshold
        if bound is None or len(tried) < _TRIED:
            tried.append(Candidate(rule, rule.without(covered)))
            return
        by_bound = self.sorted.setdefault(key, {})
        place = (bound.path, bound.rising)
        if place not in by_bound:
            by_bound[place] = _Sorted(reader(bound.path, self._data), rising=bound.rising)
        by_bound[place].add(bound, rule, covered)

    def discard(self, key: TableKey, rule: Rule) -> None:
        if not self._discard_tried(key, rule) and rule.threshold is not None:
            place = (rule.threshold.path, rule.threshold.rising)
            self.sorted[key][place].discard(rule.threshold, rule)
            if not self.sorted[key][place].bounds:
                del self.sorted[key][place]
                if not self.sorted[key]:
                    del self.sorted[key]

    def _discard_tried(self, key: TableKey, rule: Rule) -> bool:
        tried = self.tried.get(key, [])
        rest = [candidate for candidate in tried if candidate.rule is not rule]
        if rest:
            self.tried[key] = rest
        else:
            self.tried.pop(key, None)
        return len(rest) < len(tried)


class _Sorted:
    """Rules sorted by a bound, so that those whose bound is reached are a slice."""

    __slots__ = ("_reached", "_read", "_rising", "_unsure", "bounds")

    def __init__(self, read: Getter, *, rising: bool) -> None:
        self._read = read
        self._rising = rising
        self.bounds: list[tuple[float, bool]] = []
        self._reached: list[Candidate] = []
        self._unsure: list[Candidate] = []

    def add(self, bound: Threshold, rule: Rule, covered: frozenset[int]) -> None:
        at = bisect.bisect_left(self.bounds, self._order(bound))
        self.bounds.insert(at, self._order(bound))
        known = covered | {bound.part} if bound.exact else covered
        self._reached.insert(at, Candidate(rule, rule.without(known)))
        self._unsure.insert(at, Candidate(rule, rule.without(covered)))

    def discard(self, bound: Threshold, rule: Rule) -> None:
        at = bisect.bisect_left(self.bounds, self._order(bound))
        while self._reached[at].rule is not rule:
            at += 1
        del self.bounds[at], self._reached[at], self._unsure[at]

    def _order(self, bound: Threshold) -> tuple[float, bool]:
        """Equal bounds in the order in which a value reaches them: rising `>=` before `>`, falling `<` before `<=`."""
        return bound.bound, bound.strict if self._rising else not bound.strict

    def collect(self, context: EventContext, found: list[Candidate]) -> None:
        value = self._read(context)
        if value is None:
            return
        if type(value) not in (int, float) or value != value:  # noqa: PLR0124 - NaN is the one that differs from itself
            found.extend(self._unsure)  # their test fails, or is false
        elif self._rising:
            found.extend(self._reached[: bisect.bisect_right(self.bounds, (value, False))])
        else:
            found.extend(self._reached[bisect.bisect_left(self.bounds, (value, True)) :])
