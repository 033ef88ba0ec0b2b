"""Definitions of segments: what they may say, when time changes an answer, an index that agrees with trying all."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from schemas.segment import SegmentDefinition
from streams.conditions.answer import Failure
from streams.conditions.compile import PLAIN
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.moments import changes_at
from streams.conditions.parse import parse_condition
from streams.documents.segment import parse_segment
from streams.segments import Membership, SegmentIndex, differences
from tests.factory import NOW


def read(source: Any) -> SegmentDefinition:
    def no_file(name: str) -> list[str]:
        raise ValueError(f"{name} cannot be read")

    return parse_segment(source, project_id="shop", version=1, now=NOW, read_members=no_file)


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ([], "", "must be a segment, a mapping with segment, name"),
        ({"when": {"customer.name": "x"}}, "segment", "is missing"),
        ({"segment": "a b", "when": {"customer.name": "x"}}, "segment", "letters, digits"),
        ({"segment": "a"}, "when", "exactly one of when, members"),
        ({"segment": "a", "when": {"customer.name": "x"}, "members": ["c"]}, "members", "stand together"),
        ({"segment": "a", "wen": 1, "members": ["c"]}, "wen", 'Did you mean "when"?'),
        ({"segment": "a", "when": {"order.amount": 1}}, 'when."order.amount"', "There are: customer"),
        ({"segment": "a", "when": {"customer.nme": "x"}}, 'when."customer.nme"', 'Did you mean "customer.name"?'),
        ({"segment": "a", "when": []}, "when", "must be a mapping of a path"),
        ({"segment": "a", "members": "c1"}, "members", "list of customer ids"),
        ({"segment": "a", "members": ["c1", 7]}, "members[1]", "in quotes"),
        ({"segment": "a", "members_file": "gone.csv"}, "members_file", "gone.csv cannot be read"),
        ({"segment": "a", "members_file": 1}, "members_file", "name of a CSV file"),
        ({"segment": "a", "name": 1, "members": ["c"]}, "name", "must be a text"),
    ],
)
def test_a_wrong_definition_says_where_and_what_would_be_right(source: Any, path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read(source)
    assert any(one.path == path and said in one.message for one in caught.value.problems), caught.value.problems


DATES = st.one_of(
    st.dates(datetime(2022, 1, 1).date(), datetime(2030, 1, 1).date()).map(lambda day: day.isoformat()),
    st.sampled_from(["2024-02-29", "2000-02-29", "1990-12-31", "1990-01-01", "2026-11-20T23:30:00-08:00", "no date"]),
)
CLOCKED = st.one_of(
    st.sampled_from(["6h", "1d", "30d", "2w"]).map(lambda span: {"within_last": span}),
    st.sampled_from(["6h", "1d", "30d", "2w"]).map(lambda span: {"within_next": span}),
    st.sampled_from(["today", "tomorrow", "in 7d", "400d ago"]).map(lambda day: {"day_is": day}),
    st.sampled_from(["today", "yesterday", "in 7d", "2027-12-01"]).map(lambda day: {"on": day}),
    st.sampled_from(["now", "in 7d", "30d ago", "2027-12-24"]).map(lambda moment: {"before": moment}),
    st.sampled_from(["now", "in 6h", "30d ago"]).map(lambda moment: {"after": moment}),
)
LEAVES = st.one_of(
    CLOCKED.map(lambda test: {"customer.metadata.at": test}),
    CLOCKED.map(lambda test: {"customer.metadata.visits": {"no_item": {"at": test}}}),
    CLOCKED.map(lambda test: {"customer.metadata.visits": {"count": {"where": {"at": test}, "at_least": 1}}}),
    st.just({"customer.metadata.tier": "gold"}),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some}),
    ),
    max_leaves=5,
)


ZONES = st.sampled_from([None, "Europe/Warsaw", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu"])


@given(source=CONDITIONS, at=DATES, tier=st.sampled_from(["gold", "tin"]), start=st.integers(-70, 500), zone=ZONES)
def test_no_answer_changes_before_the_moment_that_was_named(
    source: Any, at: str, tier: str, start: int, zone: str | None
) -> None:
    condition, _ = parse_condition(source, CUSTOMER_FIELDS)
    assert condition is not None
    moment, run = changes_at(condition), PLAIN.compile(condition)
    metadata = {"at": at, "tier": tier, "visits": [{"at": at}, {"at": "2027-12-05"}]}
    facts = {"customer": {"id": "c", "timezone": zone, "metadata": metadata}}
    now = datetime(2027, 12, 1, tzinfo=UTC) + timedelta(days=start, hours=3)
    named, answer = moment and moment(facts, now), run(facts, now)
    assert named is None or named > now
    for step in range(1, 24 * 4 * 20):
        later = now + timedelta(minutes=15 * step)
        if named is not None and later >= named:
            break
        assert str(run(facts, later)) == str(answer), later


@given(
    sources=st.lists(CONDITIONS, min_size=1, max_size=6), at=DATES, tier=st.sampled_from(["gold", "tin"]),
    start=st.integers(-70, 500),
)  # fmt: skip
def test_nobody_is_in_another_segment_before_the_moment_of_those_that_are_clocked(
    sources: list[Any], at: str, tier: str, start: int
) -> None:
    index = SegmentIndex("shop")
    for number, source in enumerate(sources):
        index.insert(read({"segment": f"s{number}", "when": source}))
    metadata = {"at": at, "tier": tier, "visits": [{"at": at}, {"at": "2027-12-05"}]}
    row, now = msgspec.json.encode({"id": "c", "metadata": metadata}), NOW + timedelta(days=start, hours=3)
    found = index.of("c", row, now)
    named, of_all = index.due(row, now, among=found.clocked), index.due(row, now)
    assert named is None or (of_all is not None and now < of_all <= named)
    for step in range(1, 24 * 20):
        later = now + timedelta(hours=step)
        if named is not None and later >= named:
            break
        assert index.of("c", row, later).members == found.members, later


def test_segments_that_another_value_leads_to_are_not_asked_when_time_changes_them() -> None:
    index = SegmentIndex("shop")
    for tier in ("gold", "tin", "iron"):
        when = {"customer.metadata.tier": tier, "customer.metadata.at": {"within_last": "1d"}}
        index.insert(read({"segment": tier, "when": when}))
    index.insert(read({"segment": "always", "when": {"customer.metadata.tier": "gold"}}))
    row = msgspec.json.encode({"id": "c", "metadata": {"tier": "gold", "at": NOW.isoformat()}})
    found = index.of("c", row, NOW)
    assert (found.members, found.clocked) == ({"gold", "always"}, ("gold",))
    assert index.due(row, NOW, among=found.clocked) == index.due(row, NOW) != index.due(row, NOW, among=())


def test_the_index_agrees_with_trying_every_segment() -> None:
    rng = random.Random(3)
    index = SegmentIndex("shop")
    runs = {}
    for number in range(60):
        when: dict[str, Any] = {"customer.metadata.tier": rng.choice(["a", "b", "c"])}
        if number % 2:
            when["customer.metadata.value"] = {"at_least": rng.randrange(100)}
        if number % 5 == 0:
            when = {"not": when}
        index.insert(read({"segment": f"s{number}", "when": when}))
        condition, _ = parse_condition(when, CUSTOMER_FIELDS)
        assert condition is not None
        runs[f"s{number}"] = PLAIN.compile(condition)
    index.insert(read({"segment": "list", "members": ["c7"]}))
    for number in range(200):
        profile = {"id": f"c{number}", "metadata": {"tier": rng.choice("abcd"), "value": rng.choice([1, 50, 99, "x"])}}
        wanted = {name for name, run in runs.items() if run({"customer": profile}, NOW) is True}
        found = index.of(profile["id"], msgspec.json.encode(profile), NOW)  # type: ignore[arg-type]
        failed = {name for name, run in runs.items() if isinstance(run({"customer": profile}, NOW), Failure)}
        assert found.members == wanted | ({"list"} if number == 7 else set())
        assert found.unjudged.keys() == failed
        assert all('needs a number, the value is "x" (text)' in reason for reason in found.unjudged.values())


def test_differences_are_only_among_the_segments_asked_for() -> None:
    known = {"a": Membership(True, 3), "b": Membership(False, 2), "c": Membership(True, 1)}
    changes = differences({"b", "c", "d", "x"}, known, {"a", "b", "c", "d"})
    assert [(one.segment_id, one.is_entry, one.number) for one in changes] == [
        ("a", False, 4), ("b", True, 3), ("d", True, 1)
    ]  # fmt: skip
