"""Moments at which a condition's answer may change by the clock alone, from what the table of tests says of each.

Too early is harmless (one more look), too late is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, assert_never

from streams.conditions.answer import Run
from streams.conditions.behaviour import EVENTS, changes_of
from streams.conditions.compile import Compiler, value_getter
from streams.conditions.dates import Changes, earliest, read_date
from streams.conditions.getter import Getter, getter
from streams.conditions.language import All, AnyOf, Condition, Happened, Items, Not, Path, Test, Total
from streams.conditions.predicates import PREDICATES

Moment = Callable[[Any, datetime], "datetime | None"]
"""From what a condition is asked about and the present moment (UTC): the next moment to look; None where none comes."""


def changes_at(condition: Condition, read: Callable[[Path], Getter] = getter, *, zone: tzinfo = UTC) -> Moment | None:
    """A function that says when the answer may change; None where the clock never changes it.

    `zone` is where days begin for what customers did, as it was for whoever compiled the condition.
    """
    match condition:
        case Test(path, name, operand):
            changes = PREDICATES[name].changes
            return _of_test(value_getter(path, name, read), changes, operand) if changes else None
        case Not(part):
            return changes_at(part, read, zone=zone)
        case All(parts):
            return _of_group(parts, read, zone, decisive=False)
        case AnyOf(parts):
            return _of_group(parts, read, zone, decisive=True)
        case Happened():
            return changes_of(condition, read(EVENTS), zone)
        case Items(path, _, inner):
            return _of_items(read(path), changes_at(inner))
        case Total(path, where=where):
            return _of_items(read(path), changes_at(where) if where else None)
        case _:
            assert_never(condition)


def _of_test(get: Getter, changes: Changes, operand: Any) -> Moment:
    def at(about: Any, now: datetime) -> datetime | None:
        value = read_date(get(about))
        return None if value is None else changes(value, operand, now)

    return at


def _of_group(
    parts: tuple[Condition, ...], read: Callable[[Path], Getter], zone: tzinfo, *, decisive: bool
) -> Moment | None:
    """Of the parts that the clock changes; nothing comes while one that it does not change decides the group."""
    clocked = [moment for part in parts if (moment := changes_at(part, read, zone=zone))]
    if not clocked:
        return None
    compiler = Compiler(read, remember=False)
    fixed: list[Run] = [compiler.compile(part) for part in parts if changes_at(part, read) is None]

    def at(about: Any, now: datetime) -> datetime | None:
        if any(run(about, now) is decisive for run in fixed):
            return None
        return earliest(moment(about, now) for moment in clocked)

    return at


def _of_items(get: Getter, inner: Moment | None) -> Moment | None:
    if inner is None:
        return None

    def at(about: Any, now: datetime) -> datetime | None:
        items = get(about)
        if type(items) is not list:
            return None
        return earliest(inner(item, now) for item in items if type(item) is dict)

    return at
