"""A distribution for the members of a segment alone: those who get it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.send import Entered, Started
from streams.checks.backfill import BACKFILL
from streams.checks.check import Subject
from streams.events import read_event
from streams.sends import EntryEvents
from streams.verdict import GO, Skip, Verdict
from tests.factory import NOW, customer, rule

STARTED = Started(at=NOW, version=1, distribution={"id": "welcome"})
MEMBER = Entered("c1", 1, 1, 1, NOW - timedelta(days=9))
LATE = Skip("ended", "backfill: members_now leaves out those who enter later")
TEST = "in the segment when it was set live"


def entry(topic: str) -> Any:
    made = EntryEvents("shop", "backfill_1", STARTED, "vip", "VIP").event(MEMBER)
    if topic == "events.segments":
        made = replace_data(made)
    decoded = msgspec.to_builtins(made)
    return read_event(decoded, topic, b"c1", now=NOW, max_future=timedelta(1), default_project="shop")


def replace_data(made: Any) -> Any:
    return msgspec.structs.replace(made, data={name: made.data[name] for name in ("customer", "segment")})


@pytest.mark.parametrize(
    ("written", "topic", "verdict", "shown"),
    [
        ({}, "events.segments", GO, ("", "")),
        ({"backfill": "only_later"}, "events.segments", GO, ("", "")),
        ({"backfill": "now_and_later"}, "events.segments", GO, ("", "")),
        ({"backfill": "now_and_later"}, "events.manual", GO, ("", "")),
        ({"backfill": "members_now"}, "events.manual", GO, (TEST, NOW.isoformat())),
        ({"backfill": "members_now"}, "events.segments", LATE, (TEST, "entered later")),
    ],
)
def test_only_members_get_what_is_for_them_alone(
    written: dict[str, Any], topic: str, verdict: Verdict, shown: tuple[str, str]
) -> None:
    trigger = {"event": "customer.segment.entered", "segment": "vip"}
    subject = Subject(rule(trigger=trigger, **written), entry(topic), customer())
    found = BACKFILL.judge(subject)
    assert (found.verdict, (found.test, found.seen)) == (verdict, shown)
