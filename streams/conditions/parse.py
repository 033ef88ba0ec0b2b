"""From what people write to the tree: every problem found, each with its place and what would be right.

customer.metadata.country: PL                    a bare value: is
customer.metadata.country: [PL, DE]              a bare list: in
order.amount: {at_least: 100, less_than: 500}    several tests: all of them
{all: [...]}  {any: [...]}  {not: {...}}         and, or, not
order.items: {any_item: {sku: {starts_with: G}}} some item of a list; every_item, no_item likewise
order.items: {count: {where: {...}, at_least: 2}} how many items, all or some
order.items: {sum: {of: amount, at_least: 100}}  a field of theirs, added up; where as well
events: {type: customer.order.paid, count: {at_least: 3}, within: 90d}   what a customer did; in segments alone
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Any, get_args

from schemas.errors import Problem
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import path_text, read_names
from schemas.names import did_you_mean, nearest
from streams.conditions.answer import a_kind, kind_of, with_kind
from streams.conditions.dates import span_of
from streams.conditions.fields import CUSTOMER_FIELDS, Fields, Found, Unknown, kind_of_field
from streams.conditions.language import (
    MAX_DEPTH,
    MAX_NODES,
    SEGMENTS,
    All,
    AnyOf,
    Behaviour,
    Calendar,
    Condition,
    Happened,
    Items,
    Measure,
    Not,
    Path,
    Quantifier,
    Tally,
    Test,
    Total,
)
from streams.conditions.predicates import PREDICATES, SCALAR_KINDS, TIME_TESTS, number_tests, tests_for
from streams.values.wording import invalid

_GROUPS = ("all", "any", "not")
QUANTIFIERS: tuple[Quantifier, ...] = get_args(Quantifier)
MEASURES: tuple[Measure, ...] = get_args(Measure)
TALLIES: tuple[Tally, ...] = get_args(Tally)
CALENDARS: tuple[Calendar, ...] = get_args(Calendar)
EVENTS = "events"
"""The name of what a customer did, where a condition has a path."""
LONGEST_WINDOW = timedelta(days=731)
"""Two years: of each day in it a customer's events may have to be kept."""


def parse_condition(
    source: object, fields: Fields, *, at: str = "when", is_stored: bool = False, counts_events: bool = False
) -> tuple[Condition | None, tuple[Problem, ...]]:
    """The condition, or None with the problems. `at` is where the source stands in its document.

    What is stored may have been taken by an earlier release: a test of another kind than its field's stays, and fails.
    `counts_events` where it may ask what a customer did.
    """
    parser = _Parser(is_stored=is_stored, counts_events=counts_events)
    condition = parser.condition(source, fields, at, depth=0)
    return (None if parser.problems else condition), tuple(parser.problems)


class _Parser:
    """Collects problems on the way down; a part with a problem is None and parsing goes on beside it."""

    def __init__(self, *, is_stored: bool, counts_events: bool) -> None:
        self.problems: list[Problem] = []
        self._nodes = 0
        self._is_stored, self._counts_events = is_stored, counts_events

    def condition(self, source: object, fields: Fields, at: str, depth: int) -> Condition | None:
        if not isinstance(source, Mapping) or not source:
            return self._problem(at, invalid(source, "a mapping of a path to a test, or one of all, any, not"))
        if depth > MAX_DEPTH:
            return self._problem(at, f"is nested deeper than {MAX_DEPTH} levels")
        parts = [self._entry(str(name), value, fields, at, depth) for name, value in source.items()]
        return _one_or_all([part for part in parts if part])

    def _entry(self, name: str, value: object, fields: Fields, at: str, depth: int) -> Condition | None:
        if name in ("all", "any"):
            return self._group(name, value, fields, f"{at}.{name}", depth)
        if name == "not":
            part = self.condition(value, fields, f"{at}.not", depth + 1)
            return Not(part) if part else None
        if name == EVENTS and isinstance(fields.find((EVENTS,)), Unknown):
            return self._events(value, fields, f"{at}.{EVENTS}", depth)
        return self._tests(name, value, fields, f"{at}.{path_text((name,))}", depth)

    def _group(self, name: str, value: object, fields: Fields, at: str, depth: int) -> Condition | None:
        if not isinstance(value, list) or not value:
            return self._problem(at, invalid(value, "a list of at least one condition"))
        parts = [self.condition(part, fields, f"{at}[{index}]", depth + 1) for index, part in enumerate(value)]
        present = tuple(part for part in parts if part)
        return All(present) if name == "all" else AnyOf(present)

    def _tests(self, name: str, value: object, fields: Fields, at: str, depth: int) -> Condition | None:
        try:
            path = read_names(name)
        except ValueError as error:
            if not self._is_stored:
                return self._problem(at, f'"{name}" {str(error).replace("is a path", "is not a path")}')
            path = tuple(name.split("."))
        found = fields.find(path)
        if isinstance(found, Unknown):
            options = f" A group is one of {', '.join(_GROUPS)}." if nearest(name, _GROUPS) else ""
            return self._problem(at, found.message + options)
        if not self._is_stored and (refused := _of_segments(path, fields) or without_inside(path, fields)):
            return self._problem(at, refused)
        tests = [self._test(path, test, operand, found, at, depth) for test, operand in _as_tests(value).items()]
        return _one_or_all([test for test in tests if test])

    def _test(self, path: Path, name: str, operand: object, found: Found, at: str, depth: int) -> Condition | None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            return self._problem(at, f"has more than {MAX_NODES} tests; use a segment, or several distributions")
        if found.kind in ("list", "any"):
            for quantifier in QUANTIFIERS:
                if name == quantifier:
                    item = self.condition(operand, Fields.of_item(found.item), f"{at}.{name}", depth + 1)
                    return Items(path, quantifier, item) if item else None
            for measure in MEASURES:
                if name == measure:
                    return self._total(path, measure, operand, Fields.of_item(found.item), f"{at}.{name}", depth)
        predicate = PREDICATES.get(name)
        if predicate is None or (found.kind != "any" and found.kind not in predicate.kinds):
            return self._problem(f"{at}.{name}", _wrong_test(name, found, tests_for(found.kind)))
        try:
            test = Test(path, name, predicate.operand.read(operand))
        except ValueError as error:
            return self._problem(f"{at}.{name}", str(error))
        other = None if self._is_stored else _other_kind(test, found)
        return self._problem(f"{at}.{name}", other) if other else test

    def _total(self, path: Path, name: Measure, operand: object, item: Fields, at: str, depth: int) -> Condition | None:
        before = len(self.problems)
        body = _as_tests(operand)
        where = body.pop("where", None)
        counted = None if where is None else self.condition(where, item, f"{at}.where", depth + 1)
        of = self._added(body.pop("of", None), item, f"{at}.of") if name == "sum" else ()
        tests = [self._number_test(test, value, at) for test, value in body.items()]
        if not tests:
            return self._problem(at, "needs a test of the number, as in at_least: 2")
        present = tuple(test for test in tests if test)
        return Total(path, name, of, counted, present) if len(self.problems) == before else None

    def _added(self, source: object, item: Fields, at: str) -> Path:
        """The field of an item that is added up."""
        try:
            path = read_names(source)
        except ValueError:
            self._problem(
                at, invalid(source, "the field of an item that is added up, as in {of: amount, at_least: 100}")
            )
            return ()
        found = item.find(path)
        holder = None if self._is_stored else without_inside(path, item)
        if isinstance(found, Unknown) or holder:
            self._problem(at, found.message if isinstance(found, Unknown) else str(holder))
        elif found.kind not in ("number", "any"):
            self._problem(
                at, f"{source} is not valid: must be a field that holds a number, and is {a_kind(found.kind)}"
            )
        return path

    def _number_test(self, name: str, operand: object, at: str) -> Test | None:
        self._nodes += 1
        valid = number_tests()
        if name not in valid:
            self._problem(f"{at}.{name}", _wrong_test(name, Found("number"), tuple(valid)))
            return None
        try:
            return Test((), name, valid[name].read(operand))
        except ValueError as error:
            self._problem(f"{at}.{name}", str(error))
            return None

    def _events(self, source: object, fields: Fields, at: str, depth: int) -> Condition | None:
        """A term on what a customer did: `{type, when, within}` and what is made of it."""
        if fields is not CUSTOMER_FIELDS or not self._counts_events:
            return self._problem(at, _IN_SEGMENTS_ALONE)
        if not isinstance(source, Mapping):
            return self._problem(at, invalid(source, f"a mapping such as {_EXAMPLE}"))
        before, body = len(self.problems), {str(name): value for name, value in source.items()}
        for name in sorted(body.keys() - {*_EVENTS_KEYS}):
            hint = did_you_mean(name, _EVENTS_KEYS)
            self._problem(
                f"{at}.{name}", f'"{name}" is not a key of {EVENTS}.{hint} There are: {", ".join(_EVENTS_KEYS)}'
            )
        event, tallies = body.get("type"), [name for name in TALLIES if name in body]
        if not isinstance(event, str) or event not in COUNTED:
            hint = did_you_mean(event, COUNTED) if isinstance(event, str) else ""
            self._problem(f"{at}.type", invalid(event, f"a type of events from upstream, as in {_EXAMPLE}") + hint)
            return None
        if not tallies:
            self._problem(at, f"needs at least one of {', '.join(TALLIES)}, as in {_EXAMPLE}")
        of_event, when = Fields.of(TRIGGERS[event]), body.get("when")
        guard = None if when is None else self.condition(when, of_event, f"{at}.when", depth + 1)
        within = self._window(body.get("within"), at, tallies)
        parts = []
        for name in tallies:
            of, tests = self._tally(name, body[name], of_event, f"{at}.{name}")
            written = json.dumps([event, when, body.get("within"), of], sort_keys=True, default=str)
            key = blake2b(written.encode(), digest_size=8).hexdigest()
            parts.append(Happened(Behaviour(key, event, guard, of, within), name, tests))
        return _one_or_all(list(parts)) if len(self.problems) == before else None

    def _window(self, source: object, at: str, tallies: list[Tally]) -> timedelta | Calendar | None:
        if source is None:
            return None
        if timeless := [name for name in tallies if name in ("first", "last")]:
            said = f"within goes with count and sum; {timeless[0]} is that of all times"
            self._problem(f"{at}.within", f"{said}, and has tests of its own, as in last: {{within_last: 30d}}")
            return None
        for calendar in CALENDARS:
            if source == calendar:
                return calendar
        try:
            span = span_of(source)
        except ValueError:
            span = timedelta()
        if not timedelta() < span <= LONGEST_WINDOW:
            allowed = f"a duration of at most {LONGEST_WINDOW.days}d such as 90d, or one of {', '.join(CALENDARS)}"
            self._problem(f"{at}.within", invalid(source, allowed))
        return span

    def _tally(self, name: Tally, source: object, of_event: Fields, at: str) -> tuple[Path, tuple[Test, ...]]:
        """The field that is added up, and the tests of what is made."""
        body = _as_tests(source)
        of = self._added(body.pop("of", None), of_event, f"{at}.of") if name == "sum" else ()
        if not body:
            self._problem(at, "needs a test of the number, as in at_least: 2")
        if name in ("count", "sum"):
            tests = [self._number_test(test, value, at) for test, value in body.items()]
        else:
            tests = [self._time_test(test, value, at) for test, value in body.items()]
        return of, tuple(test for test in tests if test)

    def _time_test(self, name: str, operand: object, at: str) -> Test | None:
        self._nodes += 1
        if name not in TIME_TESTS:
            hint = did_you_mean(name, TIME_TESTS)
            self._problem(f"{at}.{name}", f'"{name}" is not a test of a time.{hint} There are: {", ".join(TIME_TESTS)}')
            return None
        try:
            return Test((), name, PREDICATES[name].operand.read(operand))
        except ValueError as error:
            self._problem(f"{at}.{name}", str(error))
            return None

    def _problem(self, at: str, message: str) -> Condition | None:
        self.problems.append(Problem(at, message))
        return None


COUNTED = tuple(name for name, one in TRIGGERS.items() if not one.addressed and one.topic != "events.segments")
"""Types of events that segments count: those of upstream, and not what segments tell themselves."""
_EVENTS_KEYS = ("type", "when", "within", *TALLIES)
_EXAMPLE = "{type: customer.order.paid, within: 90d, count: {at_least: 3}}"
_IN_SEGMENTS_ALONE = (
    "is what a customer did, and counted in segments alone: make a segment of it, and ask for that,"
    " as in customer.segments: {contains: its-id}"
)


def _as_tests(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(name): operand for name, operand in value.items()} or {"": None}
    return {"in" if isinstance(value, list) else "is": value}


def _one_or_all(parts: list[Condition]) -> Condition | None:
    if len(parts) > 1:
        return All(tuple(parts))
    return parts[0] if parts else None


def _of_segments(path: Path, fields: Fields) -> str | None:
    """The problem with a path to the customer's segments where there are none to ask about."""
    if path[:2] != SEGMENTS or fields.has_segments:
        return None
    return (
        "customer.segments cannot be asked here: segments are made of profiles, not of segments. "
        "Repeat what the other segment asks, or ask for both in the guard of a distribution"
    )


def without_inside(path: Path, fields: Fields) -> str | None:
    """The problem with a path that goes on inside of a list or of a value that has nothing inside."""
    for end in range(1, len(path)):
        found = fields.find(path[:end])
        if isinstance(found, Found) and found.kind not in ("object", "any"):
            asked = "; any_item, every_item and count ask about its items" if found.kind == "list" else ""
            return f"{path_text(path[:end])} is {a_kind(found.kind)} and has no {path[end]}{asked}"
    return None


def _other_kind(test: Test, found: Found) -> str | None:
    """The problem where a field of a known kind is compared with a value of another kind: nobody can say if it is."""
    if test.name == "contains" and found.kind == "list":
        kind = kind_of_field(found.item)
        if kind == "object":
            return f"{path_text(test.path)} is a list of objects; any_item asks about them, as in any_item: {{id: …}}"
    else:
        kind = found.kind
    if not PREDICATES[test.name].compared or kind not in SCALAR_KINDS:
        return None
    for operand in test.operand if isinstance(test.operand, tuple) else (test.operand,):
        if kind_of(operand) != kind:
            said = f"{with_kind(operand)} is not valid: must be {a_kind(kind)}, as {path_text(test.path)} is one"
            return f'{said}. In quotes it is a text: "{with_kind(operand).split(" (")[0]}"' if kind == "text" else said
    return None


def _wrong_test(name: str, found: Found, valid: tuple[str, ...]) -> str:
    hint = did_you_mean(name, valid)
    is_other = name in PREDICATES
    said = f"{name} does not go with {a_kind(found.kind)}." if is_other else f'"{name}" is not a test.'
    kind = "" if found.kind == "any" else f" for {a_kind(found.kind)}"
    return f"{said}{hint} Tests{kind}: {', '.join(valid)}"
