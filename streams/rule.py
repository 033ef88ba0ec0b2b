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


@dataclass(frozen=True, slots=True)
class Threshold:
    """A numeric bound that must hold: `value >= bound` where `rising`, else `value <= bound`."""

    path: Path
    bound: float
    rising: bool


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One compiled distribution. `keys`: one of them must hold; None where no equality decides."""

    distribution: Distribution
    condition: Condition | None
    guard: Run
    keys: tuple[Key, ...] | None
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
    keys = access_keys(condition)
    threshold = None if keys or condition is None else _threshold(condition)
    return Rule(distribution, condition, _guard(condition, None), keys, threshold)


def _guard(condition: Condition | None, record: Recorder | None) -> Run:
    return compile_condition(condition, record) if condition else _always


def _always(_facts: Any, _now: datetime) -> Answer:
    return True


def access_keys(condition: Condition | None) -> tuple[Key, ...] | None:
    """Keys of which at least one holds whenever the condition is true or fails; None where no equality says so."""
    match condition:
        case Test(path, "is", operand):
            return ((path, equality_key(operand)),)
        case Test(path, "in", operand):
            return tuple((path, equality_key(value)) for value in operand)
        case All(parts):
            found = [keys for keys in map(access_keys, parts) if keys]
            return min(found, key=len) if found else None
        case AnyOf(parts):
            return _union([access_keys(part) for part in parts])
        case _:
            return None


def _union(branches: list[tuple[Key, ...] | None]) -> tuple[Key, ...] | None:
    present = [keys for keys in branches if keys]
    return tuple(dict.fromkeys(key for keys in present for key in keys)) if len(present) == len(branches) else None


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
