"""A distribution made ready to match: its guard as a function, and the keys under which events can find it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.decision import Check
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.triggers import TRIGGERS
from streams.conditions.compile import Recorder, Run, compile_condition
from streams.conditions.fields import Fields
from streams.conditions.language import All, AnyOf, Condition, Path, Test
from streams.conditions.parse import parse_condition
from streams.conditions.predicates import Answer, equality_key

Key = tuple[Path, Any]
"""A path and the value that it must have, as `equality_key` writes it."""

Keys = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A numeric bound that must hold: `value >= bound` where `rising`, else `value <= bound`."""

    path: Path
    bound: float
    rising: bool


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One compiled distribution. `choices`: of each of these sets of keys, one key must hold for it to fit."""

    distribution: Distribution
    condition: Condition | None
    guard: Run
    choices: tuple[Keys, ...]
    threshold: Threshold | None

    def explain(self, facts: dict[str, Any], now: datetime) -> tuple[Answer, list[Check]]:
        """The guard's answer with every test that it makes."""
        checks: list[Check] = []
        return _guard(self.condition, checks.append)(facts, now), checks


def compile_rule(distribution: Distribution) -> Rule:
    """Make a distribution ready. Raises DefinitionInvalid where its trigger or guard is not valid any more."""
    trigger = TRIGGERS.get(distribution.trigger.event)
    if trigger is None:
        raise DefinitionInvalid((Problem("trigger.event", f"there is no event type {distribution.trigger.event}"),))
    condition: Condition | None = None
    if distribution.when is not None:
        condition, problems = parse_condition(distribution.when, Fields.of(trigger))
        if problems:
            raise DefinitionInvalid(problems)
    choices = access_choices(condition)
    threshold = None if choices or condition is None else _threshold(condition)
    return Rule(distribution, condition, _guard(condition, None), choices, threshold)


def _guard(condition: Condition | None, record: Recorder | None) -> Run:
    return compile_condition(condition, record) if condition else _always


def _always(_facts: Any, _now: datetime) -> Answer:
    return True


def access_choices(condition: Condition | None) -> tuple[Keys, ...]:
    """Sets of keys; of each set at least one key holds whenever the condition is true or fails.

    Empty where no equality says so.
    """
    match condition:
        case Test(path, "is", operand):
            return (((path, equality_key(operand)),),)
        case Test(path, "in", operand):
            return (tuple((path, equality_key(value)) for value in operand),)
        case All(parts):
            return tuple(choice for part in parts for choice in access_choices(part))
        case AnyOf(parts):
            return _union([access_choices(part) for part in parts])
        case _:
            return ()


def _union(branches: list[tuple[Keys, ...]]) -> tuple[Keys, ...]:
    """One set for an `any`: the smallest of each branch together, where every branch has one."""
    if not all(branches):
        return ()
    smallest = (min(choices, key=len) for choices in branches)
    return (tuple(dict.fromkeys(key for keys in smallest for key in keys)),)


def _threshold(condition: Condition) -> Threshold | None:
    parts = condition.parts if isinstance(condition, All) else (condition,)
    for part in parts:
        match part:
            case Test(path, "at_least" | "more_than", bound):
                return Threshold(path, bound, rising=True)
            case Test(path, "at_most" | "less_than", bound):
                return Threshold(path, bound, rising=False)
            case Test(path, "between", (low, _)):
                return Threshold(path, low, rising=True)
    return None
