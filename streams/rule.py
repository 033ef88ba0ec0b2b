"""A distribution made ready to match: its guard as functions, and the keys under which events can find it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.decision import Check
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import TRIGGERS
from streams.conditions.answer import Answer, equality_key, types_of
from streams.conditions.compile import PLAIN, Compiler, Run, conjunction
from streams.conditions.fields import Fields
from streams.conditions.language import All, AnyOf, Condition, Items, Path, Test, Total
from streams.conditions.parse import parse_condition
from streams.event_context import EventContext

Key = tuple[Path, Any]
"""A path and the value that it must have, as `equality_key` writes it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `keys` holds whenever the rule fits or fails. `part`: the part of the guard that says just this."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One compiled distribution. The guard is the conjunction of its parts, compiled to `runs`."""

    distribution: Distribution
    runs: tuple[Run, ...]
    costs: tuple[int, ...]
    guard: Run
    choices: tuple[Choice, ...]
    threshold: Threshold | None
    types: Mapping[Path, frozenset[type]]
    """Of each path that the guard tests for equality, the types of values that every such test can judge."""

    def without(self, parts: Collection[int]) -> tuple[Run, ...]:
        """What is left to test where some parts are known to hold, cheap tests first."""
        left = [number for number in range(len(self.runs)) if number not in parts]
        return tuple(self.runs[number] for number in sorted(left, key=self.costs.__getitem__))

    def explain(self, context: EventContext, now: datetime) -> tuple[Answer, list[Check]]:
        """The guard's answer with every test that it makes."""
        checks: list[Check] = []
        return self.guard(context, now, checks.append), checks


def compile_rule(distribution: Distribution, compiler: Compiler = PLAIN) -> Rule:
    """Make a distribution ready; without a compiler, to be asked about facts.

    Raises DefinitionInvalid where its trigger or guard is not valid any more.
    """
    trigger = TRIGGERS.get(distribution.trigger.event)
    if trigger is None:
        raise DefinitionInvalid((Problem("trigger.event", f"there is no event type {distribution.trigger.event}"),))
    condition: Condition | None = None
    if distribution.when is not None:
        condition, problems = parse_condition(distribution.when, Fields.of(trigger), is_stored=True)
        if problems:
            raise DefinitionInvalid(problems)
    parts = _conjuncts(condition) if condition else ()
    runs = tuple(map(compiler.compile, parts))
    types: dict[Path, frozenset[type]] = {}
    for part in parts:
        _collect_types(part, types)
    costs = tuple(map(_cost, parts))
    return Rule(distribution, runs, costs, conjunction(runs), _choices(parts), _threshold(parts), types)


def _cost(condition: Condition) -> int:
    """Which of several parts to test first."""
    match condition:
        case Test():
            return 0
        case Items() | Total():
            return 2
        case _:
            return 1


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
