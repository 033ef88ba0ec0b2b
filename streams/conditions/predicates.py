"""Every test that a condition can make, in one table: adding one is one entry, and nothing else knows it by name.

A test gets a value that is present (never null) and answers True, False, or `Failure` where the value is of a kind that
the test cannot judge; None where it counts as missing, as a blank text does for all but the tests of texts. That holds
for equality, too: of "1" and 1 nobody can say that they differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from schemas.formats.blank import is_blank, trimmed
from streams.conditions.answer import (
    Answer,
    Failure,
    Kind,
    Misfit,
    equality_key,
    kinds_of,
    same_in_any_case,
    types_of,
    unfit,
)
from streams.conditions.dates import (
    LENGTH_OF_DATE,
    Changes,
    Relative,
    before_changes,
    day_is_changes,
    on_changes,
    parse_date,
    within_last_changes,
    within_next_changes,
)
from streams.conditions.operands import (
    DAY,
    FLAG,
    FOLDED_TEXT,
    MOMENT,
    NEAR_DAY,
    NUMBER,
    PATTERN,
    RANGE,
    SCALAR,
    SCALARS,
    SPAN,
    TEXT,
    TEXTS,
    Operand,
)

Check = Callable[[Any, datetime], Answer | None]


def _never(_operand: Any) -> bool:
    return False


def _always(_operand: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """One test of values of some `kinds`, which `build` makes of its operand.

    `example` makes it, in YAML, of a paid order. `changes` says when the clock alone changes its answer; None: never.
    `absent` is the answer for a missing or null value, by the operand. `compared`: the operand has to be of the field's
    kind. `of_number` is the operand where a count or a sum is tested; None where it is not.
    `costly`: asking twice takes longer than remembering the answer. `local`: it is about days, and the day begins when
    it does for the customer. `dated`: it reads a date.
    """

    kinds: tuple[Kind, ...]
    operand: Operand
    build: Callable[[Any], Check]
    example: str
    changes: Changes | None
    absent: Callable[[Any], bool] = _never
    compared: bool = False
    of_number: Operand | None = None
    costly: bool = False
    local: bool = False
    dated: bool = False


def _among(operands: tuple[Any, ...], *, wanted: bool) -> Check:
    keys, types, kinds = frozenset(map(equality_key, operands)), types_of(operands), kinds_of(operands)

    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) in types:
            return (equality_key(value) in keys) is wanted
        return unfit(value, kinds)

    return check


def _is(operand: Any) -> Check:
    return _among((operand,), wanted=True)


def _is_not(operand: Any) -> Check:
    return _among((operand,), wanted=False)


def _is_any_case(operand: str) -> Check:
    wanted = same_in_any_case(operand)
    return _on_text(lambda value: same_in_any_case(value) == wanted)


def _in_any_case(operand: tuple[str, ...]) -> Check:
    wanted = frozenset(map(same_in_any_case, operand))
    return _on_text(lambda value: same_in_any_case(value) in wanted)


def _on_number(test: Callable[[Any], bool]) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        kind = type(value)
        return test(value) if kind is int or kind is float else unfit(value, "a number")

    return check


def _on_text(test: Callable[[str], Any]) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        return bool(test(value)) if type(value) is str else unfit(value, "a text")

    return check


def _contains(operand: Any) -> Check:
    key, types, kinds = equality_key(operand), types_of((operand,)), kinds_of((operand,))

    def among(items: list[Any]) -> Answer:
        odd: Failure | None = None
        for item in items:
            if type(item) in types:
                if equality_key(item) == key:
                    return True
            elif odd is None and item is not None:
                odd = unfit(item, kinds)
        return Failure(f"needs items that are {kinds}, {odd.reason.partition(', ')[2]}") if odd else False

    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) is list:
            return among(value)
        if type(value) is str and isinstance(operand, str):
            return operand in value
        return unfit(value, f"{kinds} or a list" if isinstance(operand, str) else "a list")

    return check


def _on_date(test: Callable[[datetime, datetime], bool]) -> Check:
    def check(value: Any, now: datetime) -> Answer | None:
        moment = parse_date(value) if type(value) is str else value if isinstance(value, datetime) else None
        return unfit(value, "a date") if moment is None else test(moment, now)

    return check


def _before(end: datetime | Relative) -> Check:
    if isinstance(end, Relative):
        span = end.span
        return _on_date(lambda value, now: value < now + span)
    return _on_date(lambda value, _: value < end)


def _after(start: datetime | Relative) -> Check:
    if isinstance(start, Relative):
        span = start.span
        return _on_date(lambda value, now: value > now + span)
    return _on_date(lambda value, _: value > start)


def _on(day: date | Relative) -> Check:
    if isinstance(day, Relative):
        return _on_day(day.span, operator.eq)
    if isinstance(day, datetime):
        return _on_date(lambda value, _: value.astimezone(day.tzinfo).date() == day.date())
    return _on_day(timedelta(), lambda value, _: value == day)


def _on_day(span: timedelta, test: Callable[[date, date], bool]) -> Check:
    """`test` gets the value's day and the day so far from now, both where `now` is. A date without time is a day."""

    def check(value: Any, now: datetime) -> Answer | None:
        moment = parse_date(value) if type(value) is str else None
        if moment is None:
            return unfit(value, "a date")
        try:
            day = moment if len(trimmed(value)) == LENGTH_OF_DATE else moment.astimezone(now.tzinfo)
        except OverflowError:  # the first or the last day that there is
            return Failure("needs a date that is a day everywhere")
        return test(day.date(), (now + span).date())

    return check


def _is_set(wanted: bool) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) is str:
            return None if is_blank(value) else wanted
        return Failure(str(value)) if isinstance(value, Misfit) else wanted

    return check


def _same_day_of_year(day: date, wanted: date) -> bool:
    """Born on 29 February is 28 February in other years."""
    month_and_day = (day.month, day.day)
    if month_and_day == (2, 29) and not _is_leap(wanted.year):
        month_and_day = (2, 28)
    return (wanted.month, wanted.day) == month_and_day


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _passes(test: Callable[[Any, Any], bool], operand: Any) -> Check:
    """`test` gets the operand and the value, which is a number."""
    return _on_number(partial(test, operand))


def _between(ends: tuple[Any, Any]) -> Check:
    low, high = ends
    return _on_number(lambda value: bool(low <= value <= high))


def _in_folded(test: Callable[[str, str], bool], part: str) -> Check:
    return _on_text(lambda value: test(same_in_any_case(value), part))


SCALAR_KINDS: tuple[Kind, ...] = ("text", "number", "boolean")
"""Kinds of which one value can be equal to another."""

_equal = partial(Predicate, kinds=SCALAR_KINDS, changes=None, compared=True)
_number = partial(Predicate, kinds=("number",), operand=NUMBER, of_number=NUMBER, changes=None)
_text = partial(Predicate, kinds=("text",), changes=None)
_date = partial(Predicate, kinds=("text",), costly=True, dated=True)

PREDICATES: dict[str, Predicate] = {
    "is": _equal(operand=SCALAR, of_number=NUMBER, build=_is, example="customer.metadata.country: {is: PL}"),
    "is_not": _equal(
        operand=SCALAR, of_number=NUMBER, build=_is_not, absent=_always, example="order.status: {is_not: CANCELED}"
    ),
    "in": _equal(
        operand=SCALARS, build=partial(_among, wanted=True), example="customer.metadata.country: {in: [PL, DE]}"
    ),
    "not_in": _equal(
        operand=SCALARS,
        build=partial(_among, wanted=False),
        absent=_always,
        example="customer.metadata.country: {not_in: [US]}",
    ),
    "at_least": _number(build=partial(_passes, operator.le), example="order.amount: {at_least: 10000}"),
    "at_most": _number(build=partial(_passes, operator.ge), example="order.amount: {at_most: 10000}"),
    "more_than": _number(build=partial(_passes, operator.lt), example="order.amount: {more_than: 0}"),
    "less_than": _number(build=partial(_passes, operator.gt), example="order.metadata.weight: {less_than: 2.5}"),
    "between": _number(operand=RANGE, of_number=RANGE, build=_between, example="order.amount: {between: [1000, 5000]}"),
    "is_any_case": _text(
        operand=TEXT, build=_is_any_case, costly=True, example="customer.address.city: {is_any_case: warszawa}"
    ),
    "in_any_case": _text(
        operand=TEXTS,
        build=_in_any_case,
        costly=True,
        example="customer.address.city: {in_any_case: [warszawa, gdynia]}",
    ),
    "contains": Predicate(
        kinds=("text", "list"),
        operand=SCALAR,
        build=_contains,
        changes=None,
        compared=True,
        costly=True,
        example="customer.metadata.tags: {contains: vip}",
    ),
    "starts_with": _text(
        operand=TEXT,
        build=lambda start: _on_text(lambda value: value.startswith(start)),
        example="customer.phone: {starts_with: '+48'}",
    ),
    "ends_with": _text(
        operand=TEXT,
        build=lambda end: _on_text(lambda value: value.endswith(end)),
        example="customer.email: {ends_with: '@example.com'}",
    ),
    "contains_any_case": _text(
        operand=FOLDED_TEXT,
        build=partial(_in_folded, str.__contains__),
        costly=True,
        example="customer.name: {contains_any_case: nowak}",
    ),
    "starts_with_any_case": _text(
        operand=FOLDED_TEXT,
        build=partial(_in_folded, str.startswith),
        costly=True,
        example="customer.name: {starts_with_any_case: dr}",
    ),
    "ends_with_any_case": _text(
        operand=FOLDED_TEXT,
        build=partial(_in_folded, str.endswith),
        costly=True,
        example="customer.email: {ends_with_any_case: '@example.com'}",
    ),
    "matches": _text(
        operand=PATTERN,
        build=lambda pattern: _on_text(pattern.search),
        costly=True,
        example="order.source_id: {matches: '^web-'}",
    ),
    "before": _date(
        operand=MOMENT,
        build=_before,
        changes=before_changes,
        example="customer.metadata.last_order: {before: 30d ago}",
    ),
    "after": _date(
        operand=MOMENT,
        build=_after,
        changes=before_changes,
        example="customer.metadata.contract_until: {after: 2026-12-31}",
    ),
    "on": _date(
        operand=DAY, build=_on, changes=on_changes, local=True, example="customer.metadata.trial_until: {on: in 3d}"
    ),
    "within_last": _date(
        operand=SPAN,
        build=lambda span: _on_date(lambda value, now: now - span <= value <= now),
        changes=within_last_changes,
        example="customer.metadata.last_order: {within_last: 30d}",
    ),
    "within_next": _date(
        operand=SPAN,
        build=lambda span: _on_date(lambda value, now: now <= value <= now + span),
        changes=within_next_changes,
        example="customer.metadata.contract_until: {within_next: 2w}",
    ),
    "day_is": _date(
        operand=NEAR_DAY,
        build=lambda near: _on_day(near.span, _same_day_of_year),
        changes=day_is_changes,
        local=True,
        example="customer.birthday: {day_is: today}",
    ),
    "is_set": Predicate(
        kinds=("text", "number", "boolean", "list", "object"),
        operand=FLAG,
        build=_is_set,
        changes=None,
        absent=operator.not_,
        example="customer.email: {is_set: true}",
    ),
}
"""Name to test. `is_set` is the one test that a missing value can pass, by `is_set: false`."""

ITEM_TESTS: Mapping[str, str] = {
    "any_item": "order.items: {any_item: {sku_id: {starts_with: GIFT-}}}",
    "every_item": "order.items: {every_item: {amount: {at_least: 1000}}}",
    "no_item": "order.items: {no_item: {sku_id: VOUCHER}}",
    "count": "order.items: {count: {where: {price: {at_least: 1000}}, at_least: 2}}",
    "sum": "order.items: {sum: {of: amount, where: {metadata.kind: shoe}, at_least: 10000}}",
}
"""The tests that look into a list's items, which are forms of the language themselves, with an example of each."""

TIME_TESTS = ("before", "after", "on", "within_last", "day_is", "is_set")
"""The tests of the first or the last time at which a customer did something."""

EVENT_TESTS: Mapping[str, str] = {
    "count": "events: {type: customer.order.paid, within: 90d, count: {at_least: 3}}",
    "sum": "events: {type: customer.order.paid, within: this year, sum: {of: order.amount, at_least: 50000}}",
    "first": "events: {type: customer.order.paid, first: {before: 365d ago}}",
    "last": "events: {type: customer.order.paid, when: {order.amount: {at_least: 1000}}, last: {before: 30d ago}}",
}
"""What segments make of the events of a customer, with an example of each."""


def tests_for(kind: Kind) -> tuple[str, ...]:
    """The tests that make sense for a kind of field, in the order they are listed."""
    names = tuple(name for name, test in PREDICATES.items() if kind == "any" or kind in test.kinds)
    return (*names, *ITEM_TESTS) if kind in ("list", "any") else names


def number_tests() -> dict[str, Operand]:
    """The tests of a count or a sum, with the operand that each takes there."""
    return {name: test.of_number for name, test in PREDICATES.items() if test.of_number is not None}
