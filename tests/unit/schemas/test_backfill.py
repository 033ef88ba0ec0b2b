"""Backfills: which version of a distribution makes one begin, and which goes on with the one before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.backfill import begins, with_moment
from schemas.distribution import Backfill, Distribution
from tests.factory import NOW, rule

LATER = NOW + timedelta(days=1)


def version(who: str | None, status: str = "LIVE", segment: str = "vip", made: bool = False, **changes: Any) -> Any:
    written = {} if who is None else {"backfill": who}
    trigger = {"event": "customer.segment.entered", "segment": segment}
    one = rule(trigger=trigger, status=status, **written, **changes)
    if one.backfill is None:
        return one
    return msgspec.structs.replace(one, backfill=Backfill(who=one.backfill.who, at=NOW if made else None))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, version("now_and_later"), True),
        (None, version("members_now"), True),
        (None, version("only_later"), False),
        (None, version(None), False),
        (None, version("now_and_later", "DRAFT"), False),
        (None, version("now_and_later", "PAUSED"), False),
        (version("now_and_later", "DRAFT"), version("now_and_later"), True),
        (version("now_and_later", "PAUSED"), version("now_and_later"), True),
        (version("now_and_later", "PAUSED", made=True), version("now_and_later"), False),
        (version("now_and_later", "STOPPED", made=True), version("now_and_later"), False),
        (version("now_and_later", made=True), version("now_and_later"), False),
        (version("now_and_later", made=True), version("members_now"), False),
        (version("now_and_later", made=True), version("now_and_later", segment="gold"), True),
        (version("only_later"), version("now_and_later"), True),
        (version(None), version("members_now"), True),
    ],
)
def test_it_begins_once_whenever_it_is_live_first(before: Distribution, after: Distribution, expected: bool) -> None:
    assert begins(before, after) is expected
    moment = with_moment(before, after, LATER).backfill
    goes_on = before is not None and before.backfill is not None and before.backfill.at
    if after.backfill is not None:
        assert moment == Backfill(who=after.backfill.who, at=LATER if expected else NOW if goes_on else None)


def test_that_of_a_distribution_that_starts_later_is_made_then() -> None:
    made = with_moment(None, version("members_now", starts_at="2026-12-24"), NOW).backfill
    assert made is not None and made.at is not None
    assert made.at.isoformat() == "2026-12-24T00:00:00+00:00"
