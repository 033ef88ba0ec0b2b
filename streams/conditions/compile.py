"""From the tree to a function of facts, in three values: True, False, or Failure with its reason.

The three values combine as Kleene's: a False decides `all`, a True decides `any`, whatever failed beside it; otherwise
a failure stays one, and `not` of a failure is a failure. Nothing here is ever evaluated from text.

The same functions explain: given a recorder they report each test that they make, and make all of them instead of
stopping at the first that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from operator import attrgetter
from typing import Any, assert_never
from weakref import WeakValueDictionary

from schemas.decision import Check
from schemas.events.objects import PLAIN_DAYS
from schemas.formats.blank import is_blank, trimmed
from schemas.formats.days import written_day, zone_of
from schemas.formats.paths import path_text
from streams.conditions.answer import (
    Answer,
    Failure,
    Recorder,
    Run,
    added_up,
    equality_key,
    seen,
    unfit,
    with_kind,
)
from streams.conditions.behaviour import EVENTS, happened
from streams.conditions.direct import direct, of_structs, reads_only
from streams.conditions.getter import Getter, getter
from streams.conditions.language import All, AnyOf, Condition, Happened, Items, Not, Path, Test, Total
from streams.conditions.predicates import PREDICATES

_ZONES_KEPT = 1024
ZONE: Path = ("customer", "timezone")
"""Where a customer's day begins."""


Facts = dict[str, Any]
"""An event as templates see it, and conditions that are not compiled for its head: its objects by name."""


def _no_structs(_path: Path) -> None:
    """No list of structs anywhere."""


class Compiler:
    """Compiles conditions for one kind of thing that they are asked about; `read` makes the getter of a path.

    Where answers are remembered, tests that are alike become one function, and its answer is kept in `about.answers`.
    `zone` is the path of the timezone in which days are meant, `here` the one where it leads nowhere; without a path
    they are meant where `now` is. `structs` gives the getter of a list of structs at a path, and their fields' kinds.
    """

    def __init__(
        self,
        read: Callable[[Path], Getter],
        *,
        remember: bool,
        zone: Path = ZONE,
        here: tzinfo = UTC,
        structs: Callable[[Path], tuple[Getter, Mapping[str, Any]] | None] = _no_structs,
    ) -> None:
        self._read, self._structs = read, structs
        self._remember = remember
        self._here = here
        self._zone = read(zone) if zone else None
        self._tests: WeakValueDictionary[Any, Run] = WeakValueDictionary()

    def compile(self, condition: Condition) -> Run:
        """The condition as a function."""
        match condition:
            case Test():
                return self._shared(condition) if self._remember else self._test(condition, None)
            case Not(part):
                return _negated(self.compile(part))
            case All(parts):
                return conjunction([self.compile(part) for part in parts])
            case AnyOf(parts):
                return _decided_by(tuple(self.compile(part) for part in parts), True)
            case Items():
                return self._in_local_time(self._items(condition), condition)
            case Total():
                return self._in_local_time(_total(condition, self._read(condition.path)), condition)
            case Happened():
                return happened(condition, self._read(EVENTS), self._here)
            case _:
                assert_never(condition)

    def _items(self, condition: Items) -> Run:
        slowly, known = _items(condition, self._read(condition.path)), self._structs(condition.path)
        if known is None or not reads_only(condition.condition, known[1], (str, int, float, bool)):
            return slowly
        return of_structs(condition, known[0], OF_STRUCT.compile(condition.condition), slowly)

    def _shared(self, test: Test) -> Run:
        key = (test.path, test.name, _tagged(test.operand))
        run = self._tests.get(key)
        if run is None:
            run = self._tests[key] = self._test(test, object())
        return run

    def _test(self, test: Test, token: object | None) -> Run:
        """With a token, the answer of a costly test is kept under it, for the other rules that ask the same."""
        run = self._in_local_time(_test(test, value_getter(test.path, test.name, self._read)), test)
        return _remembered(run, token) if token is not None and PREDICATES[test.name].costly else run

    def _in_local_time(self, run: Run, condition: Condition) -> Run:
        if self._zone is None or not _is_local(condition):
            return run
        return _at_the_customers(run, self._zone, self._here, str(condition))


def conjunction(parts: Sequence[Run]) -> Run:
    """True where all are; of none, always."""
    if not parts:
        return _always
    return parts[0] if len(parts) == 1 else _decided_by(tuple(parts), False)


PLAIN = Compiler(getter, remember=False)
"""For facts."""

OF_ITEM = Compiler(getter, remember=False, zone=())
"""For the items of lists: they are asked at a time that is local already."""

OF_STRUCT = Compiler(lambda path: attrgetter(path[0]), remember=False, zone=())
"""For items that are structs, of which fields alone are read."""


def _tagged(operand: Any) -> Any:
    """Operands that are equal in Python but not in a rule, such as 1 and true, told apart."""
    return tuple(map(_tagged, operand)) if isinstance(operand, tuple) else equality_key(operand) or operand


def _always(_about: Any, _now: datetime, _record: Recorder | None = None, /) -> Answer:
    return True


def _is_local(condition: Condition | None) -> bool:
    """True where a test in it is about days."""
    match condition:
        case Test(_, name):
            return PREDICATES[name].local
        case Items(_, _, part) | Total(_, _, _, part) | Not(part):
            return _is_local(part)
        case All(parts) | AnyOf(parts):
            return any(map(_is_local, parts))
        case Happened() | None:
            return False
        case _:
            assert_never(condition)


def _at_the_customers(run: Run, zone_at: Getter, here: tzinfo, said: str) -> Run:
    """Ask in the customer's timezone, else in the project's; one that is not a timezone is told, not passed over."""

    def ask(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        written = zone_at(about)
        zone = here if written is None else _zone(written, here) if type(written) is str else unfit(written, "a text")
        if isinstance(zone, tzinfo):
            return run(about, now.astimezone(zone), record)
        failure = Failure(f"{said}: the customer's timezone {zone.reason if zone else ''}")
        if record is not None:
            record(Check(test=said, passed=None, seen=f"timezone {with_kind(written)}"))
        return failure

    return ask


@lru_cache(_ZONES_KEPT)
def _zone(name: str, here: tzinfo) -> tzinfo | Failure:
    try:
        return here if is_blank(name) else zone_of(trimmed(name))
    except ValueError as error:
        return Failure(f"is not known: {error}")


def value_getter(path: Path, name: str, read: Callable[[Path], Getter]) -> Getter:
    """The value that a test asks about: of a field that is a day the day as written, whatever time stands behind it."""
    get, predicate = read(path), PREDICATES.get(name)
    if path[-1] not in PLAIN_DAYS or predicate is None or not predicate.dated:
        return get
    return lambda about: written_day(get(about))


def _test(test: Test, get: Getter) -> Run:
    predicate = PREDICATES[test.name]
    check = predicate.build(test.operand)
    absent = predicate.absent(test.operand)
    said = str(test)

    def run(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        value = get(about)
        found = absent if value is None else check(value, now)
        if record is None and type(found) is bool:
            return found
        answer = absent if found is None else found if type(found) is bool else Failure(f"{said}: {found.reason}")
        if record is not None:
            record(_told(said, answer, value))
        return answer

    return direct(test, get, absent, run)


def _remembered(run: Run, token: object) -> Run:
    def ask(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        if record is not None:
            return run(about, now, record)
        known: Answer | None = about.answers.get(token)
        if known is None:
            known = about.answers[token] = run(about, now)
        return known

    return ask


def _items(condition: Items, get: Getter) -> Run:
    of_item, name = OF_ITEM.compile(condition.condition), condition.name
    said = str(condition)

    def run(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        items = get(about)
        unlisted = None if items is None or type(items) is list else unfit(items, "a list")
        if unlisted is not None:
            answer: Answer = Failure(f"{path_text(condition.path)} {name}: {unlisted.reason}")
        elif type(items) is not list:
            answer = name == "no_item"
        elif name == "every_item":
            answer = _every_item(items, of_item, now)
        else:
            answer = _some_item(items, of_item, now)
            if name == "no_item" and type(answer) is bool:
                answer = not answer
        if record is not None:
            record(_told(said, answer, items))
        return answer

    return run


def _some_item(items: list[Any], of_item: Run, now: datetime) -> Answer:
    failure: Answer = False
    for item in items:
        if item is not None:
            answer = of_item(item, now) if type(item) is dict else _no_object(item)
            if answer is True:
                return True
            failure = failure or answer
    return failure


def _every_item(items: list[Any], of_item: Run, now: datetime) -> Answer:
    """Of no items it is false: nobody means an empty order."""
    failure: Failure | None = None
    for item in items:
        answer = of_item(item, now) if type(item) is dict else item is not None and _no_object(item)
        if answer is False:
            return False
        if type(answer) is Failure:
            failure = failure or answer
    return failure or bool(items)


def _no_object(item: Any) -> Failure:
    return Failure(f"needs items that are objects, one is {with_kind(item)}")


def _total(condition: Total, get: Getter) -> Run:
    counts = OF_ITEM.compile(condition.where) if condition.where else _always
    added = getter(condition.of) if condition.of else None
    checks = [PREDICATES[test.name].build(test.operand) for test in condition.tests]
    said = str(condition)

    def run(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        number = _measured(get(about), counts, added, now)
        answer: Answer
        if type(number) is Failure:
            answer = Failure(f"{said}: {number.reason}")
        else:
            answer = all(check(number, now) is True for check in checks)
        if record is not None:
            record(_told(said, answer, None if type(number) is Failure else number))
        return answer

    return run


def _measured(items: Any, counts: Run, added: Getter | None, now: datetime) -> int | float | Failure:
    """The number of items that count, or their sum. One that cannot be judged makes the whole a failure."""
    if type(items) is not list:
        return 0 if items is None else unfit(items, "a list") or 0
    numbers: list[int | float] = []
    for item in items:
        if item is None:
            continue
        if type(item) is not dict and (counts is not _always or added is not None):
            return _no_object(item)
        counted = counts(item, now)
        if type(counted) is Failure:
            return counted
        if counted is not True:
            continue
        value = 1 if added is None else added(item)
        if type(value) is int or type(value) is float:
            numbers.append(value)
        elif value is not None and (odd := unfit(value, "numbers")):
            return odd
    return added_up(numbers)


def _decided_by(parts: tuple[Run, ...], decisive: bool) -> Run:
    """`all` is decided by False, `any` by True."""

    def run(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        failure: Failure | None = None
        decided = False
        for part in parts:
            answer = part(about, now, record)
            if answer is decisive:
                if record is None:
                    return decisive
                decided = True
            elif type(answer) is Failure:
                failure = failure or answer
        return decisive if decided else failure or (not decisive)

    return run


def _negated(part: Run) -> Run:
    def run(about: Any, now: datetime, record: Recorder | None = None, /) -> Answer:
        answer = part(about, now, record and _negating(record))
        return not answer if type(answer) is bool else answer

    return run


def _negating(record: Recorder) -> Recorder:
    """Reports the tests under a `not` as what they have to be, so that a tick always means that a test helps."""

    def negate(check: Check) -> None:
        passed = None if check.passed is None else not check.passed
        record(Check(test=f"not {check.test}", passed=passed, seen=check.seen))

    return negate


def _told(said: str, answer: Answer, value: Any) -> Check:
    if type(answer) is bool:
        return Check(test=said, passed=answer, seen=seen(value))
    return Check(test=said, passed=None, seen=with_kind(value))
