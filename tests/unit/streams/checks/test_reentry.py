"""Re-entry: the same delivery, caused by another event before."""

from __future__ import annotations

import msgspec
import pytest

from schemas.distribution import Publish
from streams.checks.reentry import REENTRY
from streams.recent import Sent, sent
from streams.verdict import GO, Skip, Verdict
from tests.factory import NOW
from tests.unit.streams.checks.subjects import DELIVERY, message

OTHER = "dlv_" + "1" * 32
TWICE = Skip("duplicate", "waits or was sent already, for an event of 2026-11-20T12:00:00+00:00")


@pytest.mark.parametrize(
    ("recent", "verdict"),
    [
        ([], GO),
        ([sent(OTHER, "ev0", NOW)], GO),
        ([sent(DELIVERY, "ev1", NOW)], GO),
        ([sent(DELIVERY, "ev0", NOW)], TWICE),
        ([sent(OTHER, "ev1", NOW), sent(DELIVERY, "ev0", NOW)], TWICE),
    ],
)
def test_the_event_itself_may_come_again_and_no_other(recent: list[Sent], verdict: Verdict) -> None:
    assert REENTRY.judge(message(recent=recent)).verdict == verdict


def test_what_publishes_a_code_is_not_asked_about() -> None:
    asked = message(recent=[sent(DELIVERY, "ev0", NOW)])
    publishing = msgspec.structs.replace(asked.distribution, publish=Publish(campaign="spring"))
    assert REENTRY.judge(msgspec.structs.replace(asked, distribution=publishing)).verdict == GO
