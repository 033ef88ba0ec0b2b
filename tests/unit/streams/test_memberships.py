"""Memberships of segments as matchers keep them, and guards that ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.distribution import Distribution
from schemas.membership import Memberships
from streams.conditions.answer import Failure, Misfit
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.parse import parse_condition
from streams.event_context import EventContext
from streams.events import read_event
from streams.identity import is_of_segmenter, segment_event_id
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event
from streams.memberships import erased, members, unknown, with_event, with_told
from streams.segments import ENTERED, LEFT
from tests.factory import NOW, order_event, rule

VIP = {"customer.segments": {"contains": "vip"}}


def told(*segments: str, revision: int) -> Memberships:
    return Memberships(project_id="shop", customer_id="c1", segments=[*segments], revision=revision, told_at=NOW)


def test_the_newest_of_what_segmenters_tell_counts_in_whichever_order_it_is_read() -> None:
    records = [told("vip", revision=1), told("vip", "eu", revision=2), told("eu", revision=3)]
    for order in permutations(records):
        row = None
        for record in order:
            row = with_told(row, record)
        assert members(row) == ["eu"], order


def test_one_in_no_segment_any_more_is_remembered_to_be_in_none() -> None:
    row = with_told(with_told(None, told("vip", revision=1)), told(revision=2))
    assert (members(row), members(with_told(row, told("vip", revision=1)))) == ([], [])


def test_a_tombstone_leaves_nothing_of_what_segmenters_told() -> None:
    assert with_told(with_told(None, told("vip", revision=7)), None) is None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("e1", ENTERED, 1)], ["club"]),
        ([("e1", ENTERED, 1), ("e2", LEFT, 2)], []),
        ([("e2", LEFT, 2), ("e1", ENTERED, 1)], []),
        ([("e2", LEFT, 2), ("e1", ENTERED, 1), ("e3", ENTERED, 3)], ["club"]),
        ([("e1", ENTERED, 1), ("e2", LEFT, 2), ("e1", ENTERED, 1), ("e2", LEFT, 2)], []),
        ([("e1", ENTERED, 1), ("e2", LEFT, 1)], []),
    ],
    ids=["entered", "left", "read in another order", "back again", "delivered twice", "at the same moment"],
)
def test_of_a_segment_of_upstreams_the_latest_event_counts(
    events: list[tuple[str, str, int]], expected: list[str]
) -> None:
    row = None
    for event_id, kind, minute in events:
        row = with_event(row, event_id, kind, "club", NOW + timedelta(minutes=minute))
    assert members(row) == expected


def test_events_of_segmenters_change_nothing_since_they_tell_otherwise() -> None:
    own = segment_event_id("shop", "vip", 1, "c1", 0, ENTERED, 1)
    assert is_of_segmenter(own) and not is_of_segmenter("seg_1") and not is_of_segmenter("evt_" + own[4:])
    assert with_event(None, own, ENTERED, "vip", NOW) is None


def test_segments_of_both_count_together() -> None:
    row = with_event(with_told(None, told("vip", revision=1)), "e1", ENTERED, "club", NOW)
    assert members(row) == ["club", "vip"]
    assert members(with_told(row, told(revision=2))) == members(with_told(row, None)) == ["club"]


def test_an_erased_customer_keeps_what_came_after_and_what_its_segmenter_has_not_taken_back_yet() -> None:
    stamp = int(NOW.timestamp() * 1000)
    before = with_event(None, "e1", ENTERED, "club", NOW)
    assert erased(before, stamp) is None
    assert members(erased(with_event(before, "e2", ENTERED, "new", NOW + timedelta(seconds=1)), stamp)) == ["new"]
    assert members(erased(with_told(before, told("vip", revision=1)), stamp)) == ["vip"]


def test_segments_left_long_ago_are_forgotten_and_no_other() -> None:
    row = with_event(None, "in", ENTERED, "first", NOW)
    for number in range(500):
        row = with_event(row, f"e{number}", LEFT, f"s{number}", NOW + timedelta(minutes=number))
    assert row is not None and len(row) < 10_000
    assert members(row) == ["first"]
    assert members(with_event(row, "old", ENTERED, "s499", NOW)) == ["first"]


# -- guards ------------------------------------------------------------------------------------------------------


def happened(segments: list[str] | Misfit | None = None, customer: Mapping[str, Any] = {}) -> EventContext:
    event = order_event()
    event["data"]["customer"] |= customer
    head = read_event(event, "events.orders", b"c1", now=NOW, max_future=timedelta(days=1), default_project="shop")
    if segments is None:
        return EventContext(head, event, dict)
    return EventContext(head, event, dict, segments=lambda: segments)


def outcome(context: EventContext, **changes: Any) -> list[tuple[str, str | None]]:
    index = index_of(rule(**changes))
    return [(one.outcome, one.reason) for one in match_event(context, index, NOW).decisions]


def index_of(*rules: Distribution) -> RuleIndex:
    index = RuleIndex()
    for one in rules:
        index.insert(one)
    return index


@pytest.mark.parametrize(
    ("when", "segments", "expected"),
    [
        (VIP, ["eu", "vip"], [("emitted", None)]),
        (VIP, ["eu"], []),
        (VIP, [], []),
        ({"not": VIP}, ["eu"], [("emitted", None)]),
        ({"not": VIP}, ["vip"], []),
        ({"customer.segments": {"count": {"at_least": 2}}}, ["eu", "vip"], [("emitted", None)]),
        ({"customer.segments": {"count": {"at_least": 2}}}, ["vip"], []),
        (VIP, unknown("not yet"), [("skipped", "rule_error")]),
        ({"not": VIP}, unknown("not yet"), [("skipped", "rule_error")]),
        ({"customer.segments": {"is_set": True}}, unknown("not yet"), [("skipped", "rule_error")]),
        ({"customer.segments": {"count": {"at_least": 0}}}, unknown("not yet"), [("skipped", "rule_error")]),
        (VIP, None, [("skipped", "rule_error")]),
        ({"all": [VIP, {"order.amount": {"at_least": 9_999_999}}]}, unknown("not yet"), []),
    ],
    ids=[
        "in", "not in", "in none", "not: out", "not: in", "two", "not two", "unknown", "unknown under not",
        "unknown, set", "unknown, counted", "nobody was asked", "another test decides",
    ],
)  # fmt: skip
def test_guards_ask_which_segments_the_customer_is_in(
    when: dict[str, Any], segments: Any, expected: list[tuple[str, str | None]]
) -> None:
    assert outcome(happened(segments), when=when) == expected


def test_what_upstream_writes_as_segments_into_the_profile_is_not_asked_and_goes_out_unchanged() -> None:
    assert outcome(happened([], {"segments": ["vip"]}), when=VIP) == []
    (made,) = match_event(happened(["vip"], {"segments": ["x"]}), index_of(rule(when=VIP)), NOW).deliveries
    assert made.data["customer"]["segments"] == ["x"]


def test_explanations_show_the_list_that_was_seen() -> None:
    (one,) = explain_event(happened(["eu", "gold"]), index_of(rule(when=VIP)), NOW)
    assert [(check.test, check.passed, check.seen) for check in one.checks] == [
        ("customer.segments contains vip", False, "[eu, gold]")
    ]
    (one,) = explain_event(happened(unknown("segmenters are not done")), index_of(rule(when=VIP)), NOW)
    assert one.failure == "customer.segments contains vip: segmenters are not done"
    assert [(check.passed, check.seen) for check in one.checks] == [(None, "segmenters are not done")]


def test_rows_are_read_only_where_a_rule_asks() -> None:
    asking, other = rule(distribution="a", when=VIP), rule(distribution="b", when={"order.amount": {"at_least": 1}})
    index = index_of(other)
    assert not index.asks_segments
    index.insert(asking)
    index.insert(asking)
    assert index.asks_segments
    index.remove("shop", "a")
    assert not index.asks_segments
    ends = rule(
        distribution="c", delay="1d", unless={"trigger": "customer.order.paid", "when": {"any": [{"not": VIP}]}}
    )
    index.insert(ends)
    assert index.asks_segments


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"customer.segments": "vip"}, "is does not go with a list."),
        ({"customer.segments.id": "vip"}, "customer.segments is a list and has no id"),
        ({"customer.segment": {"contains": "vip"}}, 'Did you mean "customer.segments"?'),
        ({"customer.segments": {"contains": 5}}, "5 (number) is not valid: must be a text"),
    ],
    ids=["is", "inside", "a slip", "a number"],
)
def test_what_cannot_be_asked_of_segments_is_refused(when: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception) as refused:
        rule(when=when)
    assert said in str(refused.value)


def test_segments_are_not_made_of_segments() -> None:
    _, problems = parse_condition({"all": [VIP]}, CUSTOMER_FIELDS)
    assert [one.path for one in problems] == ['when.all[0]."customer.segments"'] and "not of segments" in problems[
        0
    ].message
    condition, problems = parse_condition(VIP, CUSTOMER_FIELDS, is_stored=True)
    assert condition is not None and not problems, "what an earlier release took goes on asking the profile"


def test_an_answer_is_a_failure_where_memberships_are_not_known() -> None:
    made = index_of(rule(when=VIP))
    (one,) = made
    assert isinstance(one.guard.run(happened(), NOW), Failure)
