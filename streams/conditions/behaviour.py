"""Behaviour of customers, as far as it is kept: counts, sums and times, what they answer, and when time changes that.

Of each customer and behaviour a `Record` is kept: the latest events one by one, with a hash of their ids, so that one
that comes again counts once; older ones added up by the day. So a record is bounded, whatever a customer does.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.decision import Check
from streams.conditions.answer import Answer, Failure, added_up
from streams.conditions.dates import earliest
from streams.conditions.language import Behaviour, Calendar, Happened, Test
from streams.conditions.predicates import PREDICATES

EVENTS = ("events",)
"""Where a condition finds what is known of the customer: by a behaviour's key what is `Known`."""
MOST_EVENTS = 500
"""Events of a customer and behaviour that are kept one by one, the latest; older ones are added up by the day (UTC)."""

Moment = Callable[[Any, datetime], "datetime | None"]
Number = int | float
Event = tuple[int, int, Number | None]
"""When it happened, in microseconds since 1970; a hash of its id; what it adds to a sum, None where nobody can say."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_DAY = 86_400_000_000
_LONGEST: dict[Calendar, int] = {"today": 2, "this week": 8, "this month": 32, "this year": 367}
"""Days that a stretch of the calendar may last, and one more, for the hours by which days differ."""


class Record(msgspec.Struct, array_like=True):
    """The behaviour of one customer. `events` by time; `days` has what is older: how many and their sum.

    Days count since 1970. Of behaviours without a window all that is older is of day 0. `first` is the first time of
    all, `folded` the last one among what is added up.
    """

    events: list[Event] = []
    days: dict[int, tuple[int, Number]] = {}
    first: int | None = None
    folded: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The behaviour of one customer, and since when that is known; `since` None where nothing was before."""

    record: Record
    since: datetime | None = None


def in_microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // _TICK


def as_moment(microseconds: int) -> datetime:
    """A moment in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def hashed(event_id: str) -> int:
    """The hash by which an event is known when it comes again."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest()) >> 1


def noted(record: Record, behaviour: Behaviour, event: Event, now: datetime) -> bool:
    """Note an event; False where it is known, or happened before what a window reaches."""
    at, identity, _ = event
    oldest = _oldest(behaviour, now)
    if (oldest is not None and at < oldest) or any(one[1] == identity for one in record.events):
        return False
    record.first = at if record.first is None else min(record.first, at)
    if len(record.events) >= MOST_EVENTS and at < record.events[0][0]:
        _fold(record, behaviour, event)
        return True
    insort(record.events, event, key=lambda one: one[:2])
    if len(record.events) > MOST_EVENTS:
        _fold(record, behaviour, record.events.pop(0))
    return True


def pruned(record: Record, behaviour: Behaviour, now: datetime) -> bool:
    """Forget what no window reaches any more; True where there was something."""
    oldest = _oldest(behaviour, now)
    if oldest is None:
        return False
    gone = bisect_left(record.events, (oldest,), key=lambda one: one[:1])
    over = [day for day in record.days if (day + 1) * _DAY <= oldest]
    del record.events[:gone]
    for day in over:
        del record.days[day]
    return bool(gone or over)


def _fold(record: Record, behaviour: Behaviour, event: Event) -> None:
    at, _, value = event
    day = at // _DAY if behaviour.within else 0
    count, total = record.days.get(day, (0, 0))
    record.days[day] = (count + 1, added_up([total, value or 0]))
    record.folded = at if record.folded is None else max(record.folded, at)


def _oldest(behaviour: Behaviour, now: datetime) -> int | None:
    within = behaviour.within
    if within is None:
        return None
    return in_microseconds(now - (within if isinstance(within, timedelta) else timedelta(days=_LONGEST[within])))


def begin_of(within: timedelta | Calendar, now: datetime, zone: tzinfo) -> datetime:
    """The moment at which a window that ends now begins; itself inside."""
    return now - within if isinstance(within, timedelta) else _period(within, now, zone, 0)


def _period(calendar: Calendar, now: datetime, zone: tzinfo, number: int) -> datetime:
    """The midnight at which the present stretch of the calendar began, or the next one (`number` 1) will.

    A midnight that a clock leaves out is the moment of the change; one that it has twice is the first of the two.
    """
    day = now.astimezone(zone).date()
    match calendar:
        case "today":
            day += timedelta(days=number)
        case "this week":
            day += timedelta(days=7 * number - day.weekday())
        case "this month":
            months = day.year * 12 + day.month - 1 + number
            day = day.replace(year=months // 12, month=months % 12 + 1, day=1)
        case "this year":
            day = day.replace(year=day.year + number, month=1, day=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def happened(condition: Happened, get: Callable[[Any], Any], zone: tzinfo) -> Callable[..., Answer]:
    """The condition as a function; `get` reads what is known of the customer, days are those of `zone`."""
    said, key = str(condition), condition.behaviour.key

    def run(about: Any, now: datetime, record: Callable[[Check], None] | None = None, /) -> Answer:
        known = _known(get(about), key)
        seen, answer = _asked(condition, known, now, zone)
        if type(answer) is Failure:
            answer = Failure(f"{said}: {answer.reason}")
        if record is not None:
            passed = answer if type(answer) is bool else None
            record(Check(test=said, passed=passed, seen="never" if seen is None else str(seen)))
        return answer

    return run


def _known(events: Any, key: str) -> Known:
    found = events.get(key) if isinstance(events, Mapping) else None
    return found if type(found) is Known else Known(Record())


def _asked(condition: Happened, known: Known, now: datetime, zone: tzinfo) -> tuple[Any, Answer]:
    """The number or time that is there, and the answer."""
    if condition.tally in ("first", "last"):
        at = _time(condition, known.record, now)
        seen = None if at is None else as_moment(at).isoformat()
        return seen, _of_time(condition.tests, seen, known.since, now, zone)
    within = condition.behaviour.within
    begin = None if within is None else begin_of(within, now, zone)
    count, total = _measured(known.record, begin, now)
    if total is None:
        return count, Failure(f"nobody can say of one of its {count} events whether it counts, or what it adds")
    number = count if condition.tally == "count" else total
    is_whole = begin is None or known.since is None or known.since <= begin
    return number, _of_number(condition.tests, number, None if is_whole else known.since, now)


def _time(condition: Happened, record: Record, now: datetime) -> int | None:
    moment = in_microseconds(now)
    if condition.tally == "first":
        return record.first if record.first is not None and record.first <= moment else None
    return next((at for at, _, _ in reversed(record.events) if at <= moment), record.folded)


def _measured(record: Record, begin: datetime | None, now: datetime) -> tuple[int, Number | None]:
    """The number of events, and their sum; None where one cannot be judged."""
    begins, ends = None if begin is None else in_microseconds(begin), in_microseconds(now)
    values = [value for at, _, value in record.events if at <= ends and (begins is None or at >= begins)]
    days = [one for day, one in record.days.items() if begins is None or (day + 1) * _DAY > begins]
    count = len(values) + sum(number for number, _ in days)
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return count, None
    return count, added_up([*numbers, *(total for _, total in days)])


def _of_number(tests: tuple[Test, ...], number: Number, since: datetime | None, now: datetime) -> Answer:
    """Of a number that may be greater, where only events since a moment are known, what no further event changes."""
    undecided = False
    for test in tests:
        passes = PREDICATES[test.name].build(test.operand)(number, now) is True
        if since is None or passes is _is_final(test, number):
            if not passes:
                return False
        else:
            undecided = True
    return Failure(f"events are known since {since:%Y-%m-%d %H:%M} UTC alone") if undecided else True


def _is_final(test: Test, number: Number) -> bool | None:
    """The answer that stays whatever is added; None where either may change."""
    match test.name:
        case "at_least" | "more_than":
            return True
        case "at_most" | "less_than":
            return False
        case "is":
            return False if number > test.operand else None
        case "between":
            return False if number > test.operand[1] else None
        case "in":
            return False if number > max(test.operand) else None
    return None


def _of_time(tests: tuple[Test, ...], seen: str | None, since: datetime | None, now: datetime, zone: tzinfo) -> Answer:
    """Of a time. Where no event is known, one before `since` is not either: what it might pass cannot be tested."""
    local = now.astimezone(zone)
    failure: Failure | None = None
    for test in tests:
        predicate = PREDICATES[test.name]
        check = predicate.build(test.operand)
        if seen is not None:
            answer = check(seen, local)
            if answer is not True:
                return False if answer is None else answer
        elif not predicate.absent(test.operand):
            if not _may_be_earlier(test, since, local):
                return False
            failure = Failure(f"events are known since {since:%Y-%m-%d %H:%M} UTC alone")
    return failure or True


def _may_be_earlier(test: Test, since: datetime | None, now: datetime) -> bool:
    """True where an event just before `since` would pass. `before` is of what is known: else it never had an answer."""
    if since is None or test.name in ("before", "is_set"):
        return False
    return PREDICATES[test.name].build(test.operand)((since - _TICK).isoformat(), now) is True


def changes_of(condition: Happened, get: Callable[[Any], Any], zone: tzinfo) -> Moment:
    """The moments at which time alone may change an answer; too early is harmless."""
    key, within = condition.behaviour.key, condition.behaviour.within

    def at(about: Any, now: datetime) -> datetime | None:
        known = _known(get(about), key)
        future = next((one[0] for one in known.record.events if one[0] > in_microseconds(now)), None)
        begins = None if future is None else as_moment(future)
        if condition.tally in ("first", "last"):
            return earliest((begins, _time_changes(condition, known, now)))
        if within is None:
            return begins
        return earliest((begins, _window_changes(within, known, now, zone)))

    return at


def _time_changes(condition: Happened, known: Known, now: datetime) -> datetime | None:
    at = _time(condition, known.record, now)
    moment = as_moment(at) if at is not None else known.since - _TICK if known.since else None
    if moment is None:
        return None
    changes = ((PREDICATES[test.name].changes, test.operand) for test in condition.tests)
    return earliest(change(moment, operand, now) for change, operand in changes if change)


def _window_changes(within: timedelta | Calendar, known: Known, now: datetime, zone: tzinfo) -> datetime | None:
    """The first event that a window leaves behind, or the first window that is known as a whole."""
    begin = begin_of(within, now, zone)
    since = known.since if known.since and known.since > begin else None
    if not isinstance(within, timedelta):
        anything = known.record.events or known.record.days or since
        return _period(within, now, zone, 1) if anything else None
    begins = in_microseconds(begin)
    event = next((at for at, _, _ in known.record.events if at >= begins), None)
    day = min(((day + 1) * _DAY for day in known.record.days if (day + 1) * _DAY > begins), default=None)
    return earliest(
        (
            None if event is None else as_moment(event) + within + _TICK,
            None if day is None else as_moment(day) + within,
            since and since + within,
        )
    )
