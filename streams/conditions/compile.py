"""From the tree to a function of facts, in three values: True, False, or Failure with its reason.

The three values combine as Kleene's: a False decides `all`, a True decides `any`, whatever failed beside it; otherwise
a failure stays one, and `not` of a failure is a failure. Nothing here is ever evaluated from text.

With a recorder the same functions also report each test that they make, and make all of them instead of stopping at the
first that decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from schemas.decision import Check
from streams.conditions.language import All, AnyItem, AnyOf, Condition, Not, Path, Test
from streams.conditions.predicates import PREDICATES, Answer, Failure

Facts = dict[str, Any]
Run = Callable[[Any, datetime], Answer]
Recorder = Callable[[Check], None]

_SHOWN = 80


def compile_condition(condition: Condition, record: Recorder | None = None) -> Run:
    """A function of facts and now. `record` is called with each test made, what it saw and how it went."""
    match condition:
        case Test():
            return _test(condition, record)
        case AnyItem():
            return _any_item(condition, record)
        case All(parts):
            return _decided_by(tuple(compile_condition(part, record) for part in parts), False, record is not None)
        case AnyOf(parts):
            return _decided_by(tuple(compile_condition(part, record) for part in parts), True, record is not None)
        case Not(part):
            return _negated(compile_condition(part, record and _recording_negation(record)))
        case _:
            assert_never(condition)


def getter(path: Path) -> Callable[[Any], Any]:
    """A function that follows a path through nested mappings; None where it leads nowhere."""
    if len(path) == 2:
        first, second = path

        def get_two(facts: Any) -> Any:
            outer = facts.get(first)
            return outer.get(second) if type(outer) is dict else None

        return get_two

    def get(facts: Any) -> Any:
        for name in path:
            if type(facts) is not dict:
                return None
            facts = facts.get(name)
        return facts

    return get


def _test(test: Test, record: Recorder | None) -> Run:
    predicate = PREDICATES[test.name]
    check, get = predicate.build(test.operand), getter(test.path)
    absent = not test.operand if test.name == "is_set" else predicate.absent

    def run(facts: Any, now: datetime) -> Answer:
        value = get(facts)
        if value is None:
            return absent
        answer = check(value, now)
        return answer if type(answer) is bool else Failure(f"{test}: {answer.reason}")

    return run if record is None else _recorded(run, str(test), get, record)


def _any_item(condition: AnyItem, record: Recorder | None) -> Run:
    get, of_item = getter(condition.path), compile_condition(condition.condition)
    name = ".".join(condition.path)

    def run(facts: Any, now: datetime) -> Answer:
        items = get(facts)
        if items is None:
            return False
        if type(items) is not list:
            return Failure(f"{name} any_item: needs a list, the value is not one")
        return _any_true([of_item(item, now) for item in items if type(item) is dict])

    return run if record is None else _recorded(run, str(condition), get, record)


def _any_true(answers: list[Answer]) -> Answer:
    if True in answers:
        return True
    return next((answer for answer in answers if answer is not False), False)


def _decided_by(parts: tuple[Run, ...], decisive: bool, make_all: bool) -> Run:
    """`all` is decided by False, `any` by True."""

    def run(facts: Any, now: datetime) -> Answer:
        failure: Failure | None = None
        decided = False
        for part in parts:
            answer = part(facts, now)
            if answer is decisive:
                decided = True
                if not make_all:
                    return decisive
            elif type(answer) is Failure:
                failure = failure or answer
        return decisive if decided else failure or (not decisive)

    return run


def _negated(part: Run) -> Run:
    def run(facts: Any, now: datetime) -> Answer:
        answer = part(facts, now)
        return not answer if type(answer) is bool else answer

    return run


def _recording_negation(record: Recorder) -> Recorder:
    """Reports the tests under a `not` as what they have to be, so that a tick always means that a test helps."""

    def negate(check: Check) -> None:
        record(
            Check(test=f"not {check.test}", passed=None if check.passed is None else not check.passed, seen=check.seen)
        )

    return negate


def _recorded(run: Run, said: str, get: Callable[[Any], Any], record: Recorder) -> Run:
    def run_and_record(facts: Any, now: datetime) -> Answer:
        answer = run(facts, now)
        record(Check(test=said, passed=answer if type(answer) is bool else None, seen=_seen(get(facts))))
        return answer

    return run_and_record


def _seen(value: Any) -> str:
    if value is None:
        return "not set"
    text = f"{len(value)} items" if isinstance(value, list) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
