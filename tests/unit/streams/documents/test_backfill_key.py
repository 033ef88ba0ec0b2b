"""The key `backfill`, and what it needs beside it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import DefinitionInvalid
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT, definition, rule

ENTERED = {"event": "customer.segment.entered", "segment": "vip"}
RIGHT = "trigger: {event: customer.segment.entered, segment: lapsed-90-days}"


@pytest.mark.parametrize(
    ("trigger", "written", "said"),
    [
        (ENTERED, "now", "must be one of only_later, now_and_later, members_now"),
        (ENTERED, "member_now", 'Did you mean "members_now"?'),
        (ENTERED, True, "members_now"),
        (
            {"event": "customer.segment.entered"},
            "members_now",
            f"needs the segment whose members get it, as in {RIGHT}",
        ),
        (
            {"event": "customer.segment.left", "segment": "vip"},
            "members_now",
            f"beside {RIGHT}; on customer.segment.left",
        ),
        ({"event": "customer.order.paid"}, "now_and_later", f"is for those in a segment: beside {RIGHT}"),
        ({"event": "customer.order.paid"}, "only_later", "on customer.order.paid nobody is yet"),
        ({"event": "manual_distribution_schedule"}, "members_now", "is for those in a segment"),
    ],
)
def test_it_stands_beside_entries_into_one_segment_alone(trigger: Any, written: Any, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(definition(trigger=trigger, backfill=written), CONTEXT)
    assert said in {one.path: one.message for one in caught.value.problems}["backfill"]


def test_what_holds_without_it_is_nothing_that_a_version_says() -> None:
    assert rule(trigger=ENTERED, backfill="only_later") == rule(trigger=ENTERED)
    made = rule(trigger=ENTERED, backfill="members_now").backfill
    assert made is not None
    assert (made.who, made.at) == ("members_now", None)
