"""A distribution made ready to match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import TRIGGERS
from streams.conditions.fields import Fields
from streams.conditions.language import Condition
from streams.conditions.parse import parse_condition
from streams.index.guard import Guard, Guarded, compile_guard, written_zone
from streams.selection import selection_of


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A distribution and its guard, compiled."""

    distribution: Distribution
    guard: Guard
    zone: tzinfo = UTC
    """Where its days begin, for customers who name no zone."""


def compile_rule(
    distribution: Distribution, compiled: Callable[[Guarded], Guard] = compile_guard, zone: tzinfo = UTC
) -> Rule:
    """Make a distribution ready; without the index's way of compiling, to be asked about facts.

    `zone` is where days begin for a project without one of its own.

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
    own = written_zone(distribution.timezone)
    return Rule(
        distribution, compiled(Guarded(distribution.id, selection_of(distribution), condition, own)), own or zone
    )
