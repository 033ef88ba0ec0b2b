"""A distribution made ready to match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import accumulate
from operator import attrgetter

from schemas.delivery import DistributionRef
from schemas.distribution import Arm, Distribution, TriggerRef
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject
from streams.conditions.compile import Compiler
from streams.conditions.fields import CUSTOMER_FIELDS, Fields
from streams.conditions.getter import getter
from streams.conditions.language import Condition
from streams.conditions.parse import parse_condition
from streams.index.guard import Guard, Guarded, compile_guard, written_zone
from streams.selection import selected


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A distribution and its guard, compiled."""

    distribution: Distribution
    guard: Guard
    ref: DistributionRef
    """As decisions and deliveries name it."""
    zone: tzinfo = UTC
    """Where its days begin, for customers who name no zone."""
    ends: Guard | None = None
    """Of events that end what waits."""
    staff: Guard | None = None
    """Of customers who are in no experiment."""
    arms: tuple[tuple[int, Arm], ...] = ()
    """Its arms, by their ids, since written in another order they are the same arms; with the end of each share."""


def compile_rule(
    distribution: Distribution, compiled: Callable[[Guarded], Guard] = compile_guard, zone: tzinfo = UTC
) -> Rule:
    """Make a distribution ready; without the index's way of compiling, to be asked about facts.

    `zone` is where days begin for a project without one of its own.

    Raises DefinitionInvalid where its trigger or guard is not valid any more.
    """
    own, unless = written_zone(distribution.timezone), distribution.unless
    guard = _guard(distribution, distribution.trigger, distribution.when, own, compiled)
    ends = _guard(distribution, unless.trigger, unless.when, own, compiled) if unless else None
    ref = DistributionRef(id=distribution.id, version=distribution.version, name=distribution.name)
    return Rule(distribution, guard, ref, own or zone, ends, _staff(distribution, own or zone), _arms(distribution))


def closes_on_holidays(distribution: Distribution) -> bool:
    """True where its hours are closed on public holidays, whose countries take a moment to load."""
    hours = (distribution.window, distribution.quiet_hours, *(plan.window for _, plan in distribution.plans()))
    return any(one and one.closed_on_holidays for one in hours)


def _arms(distribution: Distribution) -> tuple[tuple[int, Arm], ...]:
    arms = sorted(distribution.arms, key=attrgetter("id"))
    return tuple(zip(accumulate(one.share for one in arms), arms, strict=True))


def _staff(distribution: Distribution, zone: tzinfo) -> Guard | None:
    """Asked about facts, of one event at a time: it is no part of the index."""
    if distribution.staff is None:
        return None
    condition, problems = parse_condition(distribution.staff, CUSTOMER_FIELDS, is_stored=True)
    if problems:
        raise DefinitionInvalid(problems)
    guarded = Guarded(distribution.id, selected(distribution, distribution.trigger), condition)
    return compile_guard(guarded, Compiler(getter, remember=False, here=zone))


def _guard(
    distribution: Distribution,
    ref: TriggerRef,
    when: JsonObject | None,
    zone: tzinfo | None,
    compiled: Callable[[Guarded], Guard],
) -> Guard:
    trigger = TRIGGERS.get(ref.event)
    if trigger is None:
        raise DefinitionInvalid((Problem("trigger.event", f"there is no event type {ref.event}"),))
    condition: Condition | None = None
    if when is not None:
        condition, problems = parse_condition(when, Fields.of(trigger), is_stored=True)
        if problems:
            raise DefinitionInvalid(problems)
    return compiled(Guarded(distribution.id, selected(distribution, ref), condition, zone))
