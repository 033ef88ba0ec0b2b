"""Cap: who gets a place, who waits and who does not, and that no order of replays ever gives one too many."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decision import Decision
from streams.checks.cap import CAP
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event
from streams.outcome import Matched
from streams.recent import Sent, counted, read_recent, with_sent
from streams.verdict import GO, Defer, Skip
from tests.factory import NOW, context, order_event, rule
from tests.unit.streams.checks.subjects import DELIVERY, message

DAY = timedelta(days=1)
TWO: dict[str, Any] = {"at_most": 2, "in": "7d"}


def before(number: int, ago: timedelta, category: str = "marketing", channel: Any = "webhook") -> Sent:
    """A delivery of another event that counted some time ago."""
    named = f"dlv_{number:032x}", f"before{number}"
    at = NOW - ago
    return counted(*named, at, lasts=False, channel=channel, category=category, now=at)


SAID = "2 of 2 in the last 7d: cap 2 in 7d of all"
FREE = "2026-11-25T12:00:00+00:00"
FULL = [before(1, 2 * DAY), before(2, DAY)]


@pytest.mark.parametrize(
    ("cap", "recent", "verdict"),
    [
        (TWO, FULL[:1], GO),
        (TWO, [before(1, 8 * DAY), before(2, DAY)], GO),
        (
            TWO,
            FULL,
            Skip("capped", SAID),
        ),
        (
            {**TWO, "then": {"wait": "6d"}},
            FULL,
            Defer("capped", NOW + 5 * DAY, f"{SAID}, held until {FREE}"),
        ),
        (
            {**TWO, "then": {"wait": "4d"}},
            FULL,
            Skip(
                "capped",
                f"{SAID}; there is room from {FREE} on, later than it may wait",
            ),
        ),
        ({**TWO, "of": "category"}, [FULL[0], before(2, DAY, category="loyalty")], GO),
        ({**TWO, "of": "channel"}, [FULL[0], before(2, DAY, channel="sms")], GO),
        (
            [{**TWO, "then": {"wait": "6d"}}, {"at_most": 1, "in": "2d"}],
            FULL,
            Skip("capped", "1 of 1 in the last 2d: cap 1 in 2d of all"),
        ),
        (
            [{**TWO, "then": {"wait": "6d"}}, {"at_most": 1, "in": "2d", "then": {"wait": "6d"}}],
            FULL,
            Defer("capped", NOW + 5 * DAY, f"{SAID}, held until {FREE}"),
        ),
    ],
)  # fmt: skip
def test_the_verdict(cap: Any, recent: list[Sent], verdict: Any) -> None:
    assert CAP.judge(message(recent=recent, cap=cap)).verdict == verdict


GATHERED = (
    "the last one of cap 2 in 7d of all: gathered until 2026-11-20T12:00:30+00:00, when the highest priority goes first"
)
LAST: dict[str, Any] = {**TWO, "gather": "30s"}


@pytest.mark.parametrize(
    ("changes", "recent", "verdict"),
    [
        ({"cap": LAST}, [], GO),
        ({"cap": LAST}, FULL[:1], Defer("gathered", NOW + timedelta(seconds=30), GATHERED, 7)),
        ({"cap": LAST}, FULL, Skip("capped", SAID)),
        ({"cap": {**LAST, "then": {"wait": "6d"}}}, FULL,
         Defer("capped", NOW + 5 * DAY, f"{SAID}, held until {FREE}", 7)),
        ({"cap": LAST, "is_ranked": True}, FULL[:1], GO),
        ({"cap": {**LAST, "gather": "0s"}}, FULL[:1], GO),
        ({"cap": [{"at_most": 3, "in": "7d", "gather": "1h"}, LAST]}, FULL[:1],
         Defer("gathered", NOW + timedelta(seconds=30), GATHERED, 7)),
        ({"cap": [{"at_most": 1, "in": "2h", "gather": "5s"}, LAST]}, FULL[:1],
         Defer("gathered", NOW + timedelta(seconds=30), GATHERED, 7)),
        ({"cap": [{"at_most": 1, "in": "2d"}, LAST]}, FULL[1:],
         Skip("capped", "1 of 1 in the last 2d: cap 1 in 2d of all")),
        ({"cap": {**LAST, "of": "category"}}, [before(1, DAY, category="loyalty")], GO),
        ({"cap": LAST, "expires_after": "30s"}, FULL[:1], GO),
        ({"cap": LAST, "expires_after": "31s"}, FULL[:1], Defer("gathered", NOW + timedelta(seconds=30), GATHERED, 7)),
    ],
    ids=["room for more", "the last", "none left", "waits for its turn", "gathered before", "none", "of another cap",
         "the longest", "skipped by another", "another category", "too late then", "just in time"],
)  # fmt: skip
def test_the_last_one_is_gathered(changes: dict[str, Any], recent: list[Sent], verdict: Any) -> None:
    assert CAP.judge(message(recent=recent, priority=7, **changes)).verdict == verdict


def test_what_is_transactional_is_not_gathered() -> None:
    one = message(recent=FULL[:1], cap=LAST)
    transactional = msgspec.structs.replace(one.distribution, consent="transactional")
    assert CAP.judge(msgspec.structs.replace(one, distribution=transactional)).verdict == GO


def test_what_is_transactional_always_goes_and_counts() -> None:
    assert CAP.judge(message(recent=FULL, consent="transactional")).verdict == GO
    recent = [FULL[0], before(2, DAY, category="transactional")]
    assert isinstance(CAP.judge(message(recent=recent, cap=TWO)).verdict, Skip)


def test_a_message_that_has_its_place_keeps_it() -> None:
    own = counted(DELIVERY, "ev1", NOW, lasts=False, channel="webhook", category="marketing", now=NOW)
    assert CAP.judge(message(recent=[*FULL, own], cap=TWO)).verdict == GO
    assert CAP.judge(message(recent=[*FULL, own], cap=TWO))[1:] == (
        "cap 2 in 7d of all",
        "counted already, for this event",
    )


def test_it_is_shown_with_its_count() -> None:
    assert CAP.judge(message(recent=FULL, cap=TWO))[1:] == ("cap 2 in 7d of all", "2 the last 7d")
    assert CAP.judge(message(recent=FULL)).test == ""


def rules(*changes: dict[str, Any]) -> RuleIndex:
    index = RuleIndex()
    for number, one in enumerate(changes):
        index.insert(rule(distribution=f"d{number}", **one))
    return index


def matched(index: RuleIndex, row: bytes | None = None, event: str = "ev1", now: datetime = NOW) -> Matched:
    head = context(id=event).head
    return match_event(EventContext(head, order_event(id=event), dict, recent=lambda: row), index, now)


def outcomes(decisions: list[Decision]) -> list[tuple[str, str, str | None]]:
    return [(one.distribution.id, one.outcome, one.reason) for one in decisions]


def test_of_one_event_the_highest_priority_gets_the_place() -> None:
    one = {"cap": {"at_most": 1, "in": "day"}}
    index = rules({**one, "priority": 1}, {**one, "priority": 5}, {**one, "priority": 3})
    found = outcomes(matched(index).decisions)
    assert found == [("d1", "emitted", None), ("d2", "skipped", "capped"), ("d0", "skipped", "capped")]
    explained = [one for rule in explain_event(context(), index, NOW) for one in rule.decisions]
    assert outcomes(explained) == found


def test_the_messages_of_one_distribution_take_a_place_each() -> None:
    hook = {"webhook": {"url": "https://hooks.example.com/x", "type": "x"}}
    found = matched(rules({"cap": {"at_most": 1, "in": "day"}, "channels": [hook, hook]}))
    assert outcomes(found.decisions) == [("d0", "emitted", None), ("d0", "skipped", "capped")]
    assert len(found.deliveries) == len(found.sent) == 1


def test_one_too_many_waits_without_a_place_and_takes_one_when_it_leaves() -> None:
    index = rules({"cap": {"at_most": 1, "in": "1h", "then": {"wait": "2h"}}})
    first = matched(index)
    row = with_sent([], first.sent, index.cap_span)
    second = matched(index, row, "ev2")
    assert [(one.outcome, one.reason, one.until) for one in second.decisions] == [
        ("deferred", "capped", NOW + timedelta(hours=1))
    ]
    assert (len(second.holds), second.deliveries) == (1, [])
    third = matched(index, with_sent([], [*first.sent, *second.sent], index.cap_span), "ev3", NOW + timedelta(hours=1))
    assert [one.outcome for one in third.decisions] == ["emitted"], "what waits has taken no place"


def test_what_is_let_go_by_a_cap_has_to_be_kept_first() -> None:
    assert matched(rules({"cap": TWO})).counts
    assert not matched(rules({})).counts


@dataclass
class Matcher:
    """A matcher whose rows are lost as far as nobody acknowledged them: nothing leaves before its row is."""

    index: RuleIndex
    kept: bytes | None = None
    left: set[str] = field(default_factory=set)

    def run(self, events: list[int], acknowledged: int) -> None:
        """Judge events in an order, and end where only so many rows were acknowledged."""
        row = self.kept
        for number, event in enumerate(events):
            found = matched(self.index, row, f"ev{event}")
            if found.sent:
                row = with_sent(read_recent(row), found.sent, self.index.cap_span)
            if number < acknowledged:
                self.kept = row
                self.left |= {one.delivery_id for one in found.deliveries}


EVENTS = 6
RUNS = st.lists(st.tuples(st.permutations(range(EVENTS)), st.integers(0, EVENTS)), max_size=5)


@settings(max_examples=25)
@given(RUNS, st.permutations(range(EVENTS)), st.integers(1, 4))
def test_in_no_order_of_replays_does_one_too_many_leave_and_no_place_is_lost(
    runs: list[tuple[list[int], int]], last: list[int], at_most: int
) -> None:
    cap = {"cap": {"at_most": at_most, "in": "7d"}}
    matcher = Matcher(rules({**cap, "priority": 1}, cap))
    for order, acknowledged in runs:
        matcher.run(order, acknowledged)
        assert len(matcher.left) <= at_most
    matcher.run(last, EVENTS)
    assert len(matcher.left) == at_most
    matcher.run(last, EVENTS)
    assert len(matcher.left) == at_most, "again changes nothing"
