"""The tests that most rules make, and those of items, as one function each where a value is as it should be.

Each is asked when nobody wants to know how the answer came about. For any value of another kind, and for whoever wants
to know, the function that knows every kind is asked instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streams.conditions.answer import Answer, Run
from streams.conditions.getter import Getter
from streams.conditions.language import All, AnyOf, Condition, Items, Not, Test


def direct(test: Test, get: Getter, absent: bool, slowly: Run) -> Run:
    """The same as `slowly`, sooner where it is one of those; `absent` is the answer where there is no value."""
    match test.name, test.operand:
        case "is", str(wanted):
            return _same(get, wanted, absent, slowly)
        case "in", tuple(wanted) if all(type(one) is str for one in wanted):
            return _one_of(get, frozenset(wanted), absent, slowly)
        case "at_least", int() | float() as bound if not isinstance(bound, bool):
            return _at_least(get, bound, absent, slowly)
    return slowly


def _same(get: Getter, wanted: str, absent: bool, slowly: Run) -> Run:
    def run(about: Any, now: datetime, record: Any = None, /) -> Answer:
        if record is None:
            value = get(about)
            if type(value) is str:
                return value == wanted
            if value is None:
                return absent
        return slowly(about, now, record)

    return run


def _one_of(get: Getter, wanted: frozenset[str], absent: bool, slowly: Run) -> Run:
    def run(about: Any, now: datetime, record: Any = None, /) -> Answer:
        if record is None:
            value = get(about)
            if type(value) is str:
                return value in wanted
            if value is None:
                return absent
        return slowly(about, now, record)

    return run


def _at_least(get: Getter, bound: float, absent: bool, slowly: Run) -> Run:
    def run(about: Any, now: datetime, record: Any = None, /) -> Answer:
        if record is None:
            value = get(about)
            if type(value) is int or type(value) is float:
                return bound <= value
            if value is None:
                return absent
        return slowly(about, now, record)

    return run


def reads_only(condition: Condition, fields: Mapping[str, Any], kinds: tuple[type, ...]) -> bool:
    """True where all that a condition reads of an item are fields of some kinds."""
    match condition:
        case Test((name,)):
            return fields.get(name) in kinds
        case Not(part):
            return reads_only(part, fields, kinds)
        case All(parts) | AnyOf(parts):
            return all(reads_only(part, fields, kinds) for part in parts)
        case _:
            return False


def of_structs(condition: Items, items_of: Getter, of_item: Run, slowly: Run) -> Run:
    """A test of the items that an event's head has as structs: the event is not decoded for it."""
    name = condition.name
    decisive, otherwise = name != "every_item", name == "no_item"

    def run(about: Any, now: datetime, record: Any = None, /) -> Answer:
        if record is not None or about.is_loose:
            return slowly(about, now, record)
        try:
            items = items_of(about)
        except AttributeError:  # an object on the way is not there
            return otherwise
        failed = False
        for item in items:
            answer = of_item(item, now)
            if answer is decisive:
                return name == "any_item"
            failed = failed or type(answer) is not bool
        if failed:
            return slowly(about, now)
        return otherwise if decisive else bool(items)

    return run
