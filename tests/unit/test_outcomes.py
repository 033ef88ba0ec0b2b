"""What is told of a delivery that nobody of ours wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import msgspec

from agents.accepted import Accepted
from agents.outcomes import Outcomes
from schemas.contract import topic_codec
from schemas.decision import DeliveryStatus
from schemas.delivery import DistributionRef, EventRef


class Writes:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []

    def produce(self, output: Any, _report: Any) -> None:
        self.outputs.append(output)

    async def room(self) -> None:
        """There is always room."""


async def test_an_end_that_cannot_be_told_is_no_reason_to_tell_no_other() -> None:
    writes, nothing = Writes(), cast(Any, None)
    codec, told = topic_codec("delivery.status", "avro"), cast(Any, writes)
    outcomes = Outcomes(nothing, told, "t", codec, nothing, nothing, Accepted(None), owner="o", on_refused=nothing)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    good = DeliveryStatus(
        delivery_id="dlv_1", project_id="s", distribution=DistributionRef(id="d", version=1, name="D"),
        event=EventRef(id="e", type="t", created_at=now), customer_id="c", channel="webhook", account="a", type="t",
        outcome="sent", attempts=1, occurred_at=now,
    )  # fmt: skip
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    of_no_calendar = msgspec.structs.replace(good.event, created_at=early)
    await outcomes._announce(msgspec.structs.replace(good, delivery_id="dlv_0", event=of_no_calendar))
    await outcomes._announce(good)
    assert (len(writes.outputs), outcomes._announced) == (1, ["dlv_0"])
