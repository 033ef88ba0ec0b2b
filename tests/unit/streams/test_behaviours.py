"""Segments that count events: what they may say, what is known of a customer, and when time changes an answer."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from schemas.events.triggers import TRIGGERS
from streams.behaviours import Counting, behaviours_of
from streams.conditions.behaviour import (
    MOST_EVENTS,
    Known,
    Record,
    begin_of,
    hashed,
    in_microseconds,
    noted,
    pruned,
)
from streams.conditions.compile import PLAIN, Compiler
from streams.conditions.fields import CUSTOMER_FIELDS, Fields
from streams.conditions.getter import getter
from streams.conditions.language import Behaviour, Condition
from streams.conditions.moments import changes_at
from streams.conditions.parse import parse_condition
from streams.segments import SegmentIndex
from tests.factory import NOW, context
from tests.unit.streams.test_segments import read

PAID = "customer.order.paid"
START = NOW - timedelta(days=30)


def parsed(**term: Any) -> Condition:
    condition, problems = parse_condition({"events": {"type": PAID, **term}}, CUSTOMER_FIELDS, counts_events=True)
    assert condition, problems
    return condition


def the_behaviour(condition: Condition) -> Behaviour:
    return next(behaviours_of(condition))


def known(condition: Condition, *events: tuple[datetime, Any], since: datetime | None = None) -> dict[str, Any]:
    """Facts of a customer with events: a time, and what it adds."""
    behaviour, record = the_behaviour(condition), Record()
    for number, (at, value) in enumerate(events):
        noted(record, behaviour, (in_microseconds(at), number, value), START)
    return {"customer": {"id": "c1"}, "events": {behaviour.key: Known(record, since)}}


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("term", "events", "expected"),
    [
        ({"within": "2d", "count": 2}, [ago(days=1), ago(days=2)], True),
        ({"within": "2d", "count": 2}, [ago(days=1), ago(days=2, microseconds=1)], False),
        ({"within": "2d", "count": {"at_least": 1}}, [NOW + TICK], False),
        ({"within": "2d", "count": 0}, [], True),
        ({"count": 0}, [], True),
        ({"count": 0}, [ago(days=29)], False),
        ({"count": {"between": [1, 2]}}, [ago(days=3)], True),
        ({"within": "2d", "sum": {"of": "order.amount", "at_least": 14}}, [ago(days=1), NOW], True),
        ({"within": "2d", "sum": {"of": "order.amount", "more_than": 14}}, [ago(days=1), NOW], False),
        ({"last": {"before": "2d ago"}}, [ago(days=3), ago(days=2, microseconds=1)], True),
        ({"last": {"before": "2d ago"}}, [ago(days=3), ago(days=2)], False),
        ({"last": {"before": "2d ago"}}, [], False),
        ({"last": {"is_set": False}}, [], True),
        ({"last": {"is_set": True}}, [NOW + TICK], False),
        ({"first": {"within_last": "2d"}}, [ago(days=1), ago(hours=1)], True),
        ({"first": {"within_last": "2d"}}, [ago(days=3), ago(hours=1)], False),
        ({"last": {"on": "2026-11-19"}}, [datetime(2026, 11, 18, 23, 30, tzinfo=UTC)], True),
    ],
)
def test_a_term_says_what_its_events_come_to(term: Any, events: list[datetime], expected: bool) -> None:
    condition = parsed(**term)
    compiler = Compiler(getter, remember=False, here=ZoneInfo("Europe/Warsaw"))
    assert compiler.compile(condition)(known(condition, *((at, 7) for at in events)), NOW) is expected


@pytest.mark.parametrize(
    ("term", "events", "said"),
    [
        ({"within": "2d", "count": {"at_least": 1}}, [], "known since"),
        ({"within": "2d", "count": {"at_least": 1}}, [ago(hours=1)], "True"),
        ({"within": "2d", "count": {"at_most": 1}}, [], "known since"),
        ({"within": "2d", "count": {"at_most": 1}}, [NOW, ago(hours=1)], "False"),
        ({"within": "2d", "count": 0}, [], "known since"),
        ({"within": "2d", "count": 0}, [NOW], "False"),
        ({"within": "2h", "count": 0}, [], "True"),
        ({"within": "this year", "sum": {"of": "order.amount", "at_least": 7}}, [NOW], "True"),
        ({"count": 0}, [], "True"),
        ({"last": {"within_last": "2d"}}, [], "known since"),
        ({"last": {"within_last": "2h"}}, [], "False"),
        ({"last": {"before": "2h ago"}}, [], "False"),
        ({"last": {"within_last": "2d"}}, [NOW], "True"),
    ],
)
def test_where_events_are_known_for_a_day_only_what_no_further_one_changes_is_said(
    term: Any, events: list[datetime], said: str
) -> None:
    condition = parsed(**term)
    assert said in str(PLAIN.compile(condition)(known(condition, *((at, 7) for at in events), since=ago(days=1)), NOW))


def test_an_event_that_nobody_can_judge_makes_the_count_one_that_nobody_can_say() -> None:
    condition = parsed(within="2d", count={"at_least": 1})
    assert "nobody can say" in str(PLAIN.compile(condition)(known(condition, (NOW, None)), NOW))
    assert PLAIN.compile(condition)(known(condition, (ago(days=3), None)), NOW) is False


@pytest.mark.parametrize(
    ("within", "zone", "now", "begins"),
    [
        ("today", "Europe/Warsaw", "2026-11-20T22:59:00+00:00", "2026-11-19T23:00:00+00:00"),
        ("today", "Europe/Warsaw", "2026-11-20T23:00:00+00:00", "2026-11-20T23:00:00+00:00"),
        ("today", "Africa/Cairo", "2026-04-24T12:00:00+00:00", "2026-04-23T22:00:00+00:00"),  # has no midnight
        ("today", "America/Havana", "2026-11-01T12:00:00+00:00", "2026-11-01T04:00:00+00:00"),  # has two
        ("this week", "UTC", "2026-11-22T23:59:59+00:00", "2026-11-16T00:00:00+00:00"),
        ("this week", "UTC", "2026-11-23T00:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        ("this month", "Europe/Warsaw", "2026-11-20T12:00:00+00:00", "2026-10-31T23:00:00+00:00"),
        ("this year", "Europe/Warsaw", "2026-11-20T12:00:00+00:00", "2025-12-31T23:00:00+00:00"),
        ("this year", "Pacific/Kiritimati", "2026-12-31T10:00:00+00:00", "2026-12-31T10:00:00+00:00"),
    ],
)
def test_a_stretch_of_the_calendar_begins_where_the_project_is(within: Any, zone: str, now: str, begins: str) -> None:
    assert begin_of(within, datetime.fromisoformat(now), ZoneInfo(zone)) == datetime.fromisoformat(begins)


def test_an_event_counts_once_and_what_is_kept_is_bounded() -> None:
    """Of the latest each by its id; older ones by the day, so that a window loses them by the day."""
    condition = parsed(within="30d", count={"at_least": 1})
    behaviour, record = the_behaviour(condition), Record()
    times = [START + timedelta(minutes=43 * number) for number in range(1000)]
    for number in random.Random(1).sample(range(1000), 1000):
        noted(record, behaviour, (in_microseconds(times[number]), number, 1), times[-1])
    assert not any(noted(record, behaviour, (in_microseconds(times[n]), n, 1), times[-1]) for n in range(500, 1000))
    assert len(record.events) == MOST_EVENTS
    assert sum(count for count, _ in record.days.values()) == sum(total for _, total in record.days.values()) == 500
    assert len(msgspec.msgpack.encode(record)) < 20_000
    facts = {"events": {behaviour.key: Known(record)}}
    assert PLAIN.compile(parsed(within="30d", count=1000))(facts, times[-1]) is True
    later = START + timedelta(days=35)
    left = sum(at >= datetime(2026, 10, 26, tzinfo=UTC) for at in times)  # 12:00 of that day has left, and not its rest
    assert PLAIN.compile(parsed(within="30d", count=left))(facts, later) is True
    assert pruned(record, behaviour, later + timedelta(days=30))
    assert (record.events, record.days) == ([], {})
    assert not noted(record, behaviour, (in_microseconds(times[-1]), 7, 1), later + timedelta(days=30))


def test_counting_asks_an_event_at_its_own_time_and_takes_no_event_from_the_future() -> None:
    condition = parsed(when={"order.amount": {"at_least": 1000}}, sum={"of": "order.amount", "at_least": 1})
    counting, key = Counting(behaviours_of(condition)), the_behaviour(condition).key
    head_at = context().head.created_at
    written = head_at - timedelta(minutes=1)
    assert counting.of(context(), None) == [(key, (in_microseconds(head_at), hashed("ev1"), 5000))]
    assert counting.of(context(), written)[0][1][0] == in_microseconds(written)
    in_the_same_millisecond = context(created_at=(head_at + timedelta(microseconds=999)).isoformat())
    assert counting.of(in_the_same_millisecond, head_at)[0][1][0] == in_microseconds(head_at) + 999
    small = {"customer": {"id": "c1"}, "order": {"id": "o", "amount": 10}}
    assert counting.of(context(data=small), None) == []
    assert (counting.counts(PAID), counting.counts("customer.order.created")) == (True, False)


def test_a_condition_or_a_field_of_another_kind_stays_part_of_what_is_known() -> None:
    odd = {"customer": {"id": "c1"}, "order": {"id": "o", "amount": 10, "metadata": {"size": "big"}}}
    for term in (
        {"when": {"order.metadata.size": {"at_least": 1}}, "count": 1},
        {"sum": {"of": "order.metadata.size", "at_least": 1}},
    ):
        ((_, (_, _, value)),) = Counting(behaviours_of(parsed(**term))).of(context(data=odd), None)
        assert value is None
    ((_, (_, _, value)),) = Counting(behaviours_of(parsed(sum={"of": "order.metadata.n", "at_least": 1}))).of(
        context(data=odd), None
    )
    assert value == 0


@pytest.mark.parametrize(
    ("term", "path", "said"),
    [
        ([], "when.events", "must be a mapping such as {type: customer.order.paid"),
        ({"type": "customer.order.payd", "count": 1}, "when.events.type", 'Did you mean "customer.order.paid"?'),
        ({"type": "customer.segment.entered", "count": 1}, "when.events.type", "a type of events from upstream"),
        ({"count": 1}, "when.events.type", "must be a type of events"),
        ({"type": PAID}, "when.events", "at least one of count, sum, first, last"),
        ({"type": PAID, "cont": 1}, "when.events.cont", 'Did you mean "count"?'),
        ({"type": PAID, "count": {"at_lest": 1}}, "when.events.count.at_lest", 'Did you mean "at_least"?'),
        ({"type": PAID, "count": {}}, "when.events.count", ""),
        ({"type": PAID, "count": 1, "within": "800d"}, "when.events.within", "731d such as 90d, or one of today"),
        ({"type": PAID, "count": 1, "within": "0d"}, "when.events.within", "a duration of at most"),
        ({"type": PAID, "last": {"before": "3d ago"}, "within": "9d"}, "when.events.within", "goes with count and sum"),
        ({"type": PAID, "last": {"at_least": 1}}, "when.events.last.at_least", "is not a test of a time"),
        ({"type": PAID, "last": {"before": "soon"}}, "when.events.last.before", "must be a date"),
        ({"type": PAID, "sum": {"at_least": 1}}, "when.events.sum", "the field of an item that is added up"),
        ({"type": PAID, "sum": {"of": "order.id", "at_least": 1}}, "when.events.sum", "a field that holds a number"),
        ({"type": PAID, "when": {"order.amout": 1}, "count": 1}, 'when.events.when."order.amout"', "order.amount"),
        ({"type": PAID, "when": {"events": {}}, "count": 1}, "when.events.when.events", "in segments alone"),
    ],
)  # fmt: skip
def test_a_wrong_term_says_where_and_what_would_be_right(term: Any, path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read({"segment": "a", "when": {"events": term}})
    assert any(one.path.startswith(path) and said in one.message for one in caught.value.problems), (
        caught.value.problems
    )


def test_a_guard_is_told_to_ask_for_the_segment() -> None:
    _, problems = parse_condition({"events": {"type": PAID, "count": 1}}, Fields.of(TRIGGERS[PAID]))
    assert "customer.segments: {contains: its-id}" in problems[0].message


def test_behaviours_that_are_the_same_are_counted_once() -> None:
    index = SegmentIndex("shop")
    counted = {"type": PAID, "within": "90d", "when": {"order.amount": 5}}
    index.insert(read({"segment": "a", "when": {"events": {**counted, "count": 1}}}))
    index.insert(read({"segment": "b", "when": {"not": {"any": [{"events": {**counted, "count": {"at_least": 3}}}]}}}))
    index.insert(read({"segment": "c", "when": {"events": {**counted, "within": "9d", "count": 1}}}))
    assert index.behaviours["a"].keys() == index.behaviours["b"].keys() != index.behaviours["c"].keys()
    index.remove("a")
    assert index.behaviours.keys() == {"b", "c"}


WINDOWS = st.sampled_from(["2h", "1d", "3d", "today", "this week", "this month", "this year"])
NUMBERS: list[dict[str, Any]] = [
    {"count": 0}, {"count": {"at_least": 2}}, {"count": {"at_most": 1}}, {"sum": {"of": "order.amount", "at_least": 9}}
]  # fmt: skip
TIMES: list[dict[str, Any]] = [
    {"count": {"at_least": 2}},
    {"last": {"before": "2d ago"}},
    {"last": {"within_last": "5h"}},
    {"first": {"after": "1d ago"}},
    {"first": {"on": "today"}},
    {"first": {"day_is": "yesterday"}},
]
TERMS = st.one_of(
    st.tuples(WINDOWS, st.sampled_from(NUMBERS)).map(lambda two: {"within": two[0]} | two[1]), st.sampled_from(TIMES)
)


@given(
    term=TERMS,
    minutes=st.lists(st.integers(-6000, 600), max_size=5),
    since=st.one_of(st.none(), st.integers(0, 6000)),
    zone=st.sampled_from(["UTC", "Europe/Warsaw", "Pacific/Kiritimati"]),
)
def test_no_answer_changes_before_the_moment_that_was_named(
    term: Any, minutes: list[int], since: int | None, zone: str
) -> None:
    condition, here = parsed(**term), ZoneInfo(zone)
    begin = datetime(2026, 12, 29, 3, 7, tzinfo=UTC)
    facts = known(
        condition,
        *((begin + timedelta(minutes=one), 5) for one in minutes),
        since=None if since is None else begin - timedelta(minutes=since),
    )
    run = Compiler(getter, remember=False, here=here).compile(condition)
    moment = changes_at(condition, zone=here)
    assert moment is not None
    named, answer = moment(facts, begin), run(facts, begin)
    assert named is None or named > begin
    checked = [begin + timedelta(minutes=11 * step) for step in range(1, 1000)]
    checked += [named - TICK] if named else []
    for later in checked:
        if named is None or later < named:
            assert str(run(facts, later)) == str(answer), later
