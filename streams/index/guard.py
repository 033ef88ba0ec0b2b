"""A condition on events made ready for the index: as functions, and with the keys under which events can find it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, assert_never

from schemas.decision import Check
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import TRIGGERS
from schemas.formats.days import zone_of
from schemas.record import Record
from streams.conditions.answer import Answer, Run, equality_key, types_of
from streams.conditions.compile import PLAIN, Compiler, conjunction
from streams.conditions.language import (
    SEGMENTS,
    All,
    AnyOf,
    Condition,
    Happened,
    Items,
    Not,
    Path,
    Test,
    Total,
    names_path,
)
from streams.conditions.predicates import PREDICATES
from streams.event_context import EventContext, is_in_head
from streams.selection import Selection

Key = tuple[Path, Any]
"""A path and the value that it must have, as `equality_key` writes it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `keys` holds whenever the guard fits or fails. `part`: its part that says just this."""

    keys: tuple[Key, ...]
    part: int | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A numeric bound that must hold: `value >= bound` where `rising`, else `value <= bound`; never equal if strict.

    `part` is the part of the guard that says so; `exact` where it says nothing else.
    """

    path: Path
    bound: float
    rising: bool
    strict: bool
    part: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Guarded:
    """A thing that the index holds: anything with an id, a selection of events and a condition on them.

    The id is one of its project's; without a condition every selected event fits. `zone` is where its days begin, the
    index's where it has none.
    """

    id: str
    selection: Selection
    condition: Condition | None
    zone: tzinfo | None = None


def written_zone(timezone: str | None) -> tzinfo | None:
    """The zone that a definition names. Raises DefinitionInvalid where this machine does not know it."""
    try:
        return None if timezone is None else zone_of(timezone)
    except ValueError as error:
        raise DefinitionInvalid((Problem("timezone", str(error)),)) from None


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """The condition of something guarded, compiled. It is the conjunction of its parts, each one of `runs`."""

    id: str
    selection: Selection
    runs: tuple[Run, ...]
    costs: tuple[int, ...]
    run: Run
    choices: tuple[Choice, ...]
    threshold: Threshold | None
    types: Mapping[Path, frozenset[type]]
    """Of each path that it tests for equality, the types of values that every such test can judge."""
    asks_segments: bool = False
    """True where it asks which segments the customer is in."""

    def without(self, parts: Collection[int]) -> tuple[Run, ...]:
        """The tests that are left where some parts are known to hold, cheap ones first."""
        left = [number for number in range(len(self.runs)) if number not in parts]
        return tuple(self.runs[number] for number in sorted(left, key=self.costs.__getitem__))

    def explain(self, context: EventContext, now: datetime) -> tuple[Answer, list[Check]]:
        """The answer with every test that it makes."""
        checks: list[Check] = []
        return self.run(context, now, checks.append), checks


def compile_guard(guarded: Guarded, compiler: Compiler = PLAIN) -> Guard:
    """Make a condition ready; without a compiler, to be asked about facts."""
    parts = _conjuncts(guarded.condition) if guarded.condition else ()
    runs = tuple(map(compiler.compile, parts))
    types: dict[Path, frozenset[type]] = {}
    for part in parts:
        _collect_types(part, types)
    data = TRIGGERS[guarded.selection.event].data
    costs = tuple(_cost(part, data) for part in parts)
    return Guard(
        guarded.id,
        guarded.selection,
        runs,
        costs,
        conjunction(runs),
        _choices(parts),
        _threshold(parts),
        types,
        names_path(guarded.condition, SEGMENTS),
    )


def _cost(condition: Condition, data: type[Record]) -> int:
    """The lower, the sooner a part is tested: what the head has at once, then what it takes long to compare, …"""
    match condition:
        case Test(path, name):
            if not is_in_head(path, data):
                return 4
            return 2 if path == SEGMENTS else 1 if PREDICATES[name].costly else 0
        case Not(part):
            return _cost(part, data)
        case All(parts) | AnyOf(parts):
            return max((_cost(part, data) for part in parts), default=1)
        case Happened():
            return 1
        case Items() | Total():
            return 3
        case _:
            assert_never(condition)


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """The parts that must all hold, however deep `all` is nested in `all`."""
    if isinstance(condition, All):
        return tuple(inner for part in condition.parts for inner in _conjuncts(part))
    return (condition,)


def _choices(parts: tuple[Condition, ...]) -> tuple[Choice, ...]:
    return tuple(
        Choice(keys, number if isinstance(part, Test) else None)
        for number, part in enumerate(parts)
        for keys in _key_sets(part)
    )


def _key_sets(condition: Condition) -> tuple[tuple[Key, ...], ...]:
    """Sets of keys; of each set at least one key holds whenever the condition is true or fails."""
    match condition:
        case Test(path, "is", operand):
            return (((path, equality_key(operand)),),)
        case Test(path, "in", operand):
            return (tuple(dict.fromkeys((path, equality_key(value)) for value in operand)),)
        case All(parts):
            return tuple(keys for part in parts for keys in _key_sets(part))
        case AnyOf(parts):
            return _union([_key_sets(part) for part in parts])
        case _:
            return ()


def _collect_types(condition: Condition, types: dict[Path, frozenset[type]]) -> None:
    match condition:
        case Test(path, "is" | "in" as name, operand):
            judged = types_of(operand if name == "in" else (operand,))
            types[path] = types[path] & judged if path in types else judged
        case All(parts) | AnyOf(parts):
            for part in parts:
                _collect_types(part, types)


def _union(branches: list[tuple[tuple[Key, ...], ...]]) -> tuple[tuple[Key, ...], ...]:
    """One set for an `any`: the smallest of each branch together, where every branch has one."""
    if not all(branches):
        return ()
    smallest = (min(sets, key=len) for sets in branches)
    return (tuple(dict.fromkeys(key for keys in smallest for key in keys)),)


def _threshold(parts: tuple[Condition, ...]) -> Threshold | None:
    for number, part in enumerate(parts):
        match part:
            case Test(path, "at_least" | "more_than" as name, bound):
                return Threshold(path, bound, True, name == "more_than", number)
            case Test(path, "at_most" | "less_than" as name, bound):
                return Threshold(path, bound, False, name == "less_than", number)
            case Test(path, "between", (low, _)):
                return Threshold(path, low, True, False, number, exact=False)
    return None
