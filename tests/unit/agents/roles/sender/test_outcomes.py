"""Outcomes as they are told, also of a delivery that nobody of ours wrote."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import msgspec
import pytest

from agents.roles.sender.accepted import Accepted
from agents.roles.sender.ledger_rows import read_stored
from agents.roles.sender.outcomes import MOST_UNSETTLED, Outcomes
from agents.telemetry.metrics import Metrics
from schemas.closed import ChannelName
from schemas.contract import topic_codec
from schemas.decision import DeliveryStatus
from schemas.delivery import DistributionRef, EventRef
from store.sending.ledger import Settlement, UnannouncedOutcome
from tests.factory import delivery


class Writes:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []

    def produce(self, output: Any, _report: Any) -> None:
        self.outputs.append(output)

    async def wait_for_capacity(self, *, goes_on: bool = False) -> None:
        """It always has."""


def test_an_end_that_cannot_be_told_is_no_reason_to_tell_no_other() -> None:
    writes, nothing = Writes(), cast(Any, None)
    codec, told = topic_codec("delivery.status", "avro"), cast(Any, writes)
    outcomes = Outcomes(
        nothing,
        told,
        "t",
        codec,
        nothing,
        Accepted(None),
        owner="o",
        default_project="shop",
        on_refused=nothing,
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    good = DeliveryStatus(
        delivery_id="dlv_1", project_id="s", distribution=DistributionRef(id="d", version=1, name="D"),
        event=EventRef(id="e", type="t", created_at=now), customer_id="c", channel="webhook", account="a", type="t",
        outcome="sent", attempts=1, occurred_at=now,
    )  # fmt: skip
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    of_no_calendar = msgspec.structs.replace(good.event, created_at=early)
    outcomes._announce(msgspec.structs.replace(good, delivery_id="dlv_0", event=of_no_calendar))
    outcomes._announce(good)
    assert (len(writes.outputs), outcomes._announced) == (1, [("dlv_0", now)])


class Left:
    """A ledger with one end that was not told, of a record that cannot be read, and one that can."""

    def __init__(self) -> None:
        ended = UnannouncedOutcome("dlv_0", "failed", None, "", None, 1, datetime(2026, 1, 1, tzinfo=UTC), b"")
        self.ends = [ended, msgspec.structs.replace(ended, delivery_id="dlv_1", record=b"good")]

    async def claim_unannounced(self, **_: Any) -> list[UnannouncedOutcome]:
        return self.ends


async def test_a_record_that_cannot_be_read_keeps_no_other_end_from_being_told() -> None:
    def read(record: bytes) -> Any:
        return made if record else read_stored(record)

    made, writes, nothing = delivery("webhook"), Writes(), cast(Any, None)
    codec, told = topic_codec("delivery.status", "avro"), cast(Any, writes)
    ledger = cast(Any, Left())
    outcomes = Outcomes(
        ledger, told, "t", codec, read, Accepted(None), owner="o", default_project="shop", on_refused=nothing
    )
    assert not await outcomes.sweep(), "no more are left"
    assert (len(writes.outputs), outcomes._announced) == (1, [("dlv_0", ledger.ends[0].settled_at)])


async def test_an_end_that_no_attempt_came_to_is_counted_once_however_often_it_is_swept() -> None:
    def count(outcome: str) -> float:
        return float(metrics.deliveries.labels("webhook", outcome)._value.get())

    metrics, nothing, ledger = Metrics(), cast(Any, None), cast(Any, Left())
    expired = msgspec.structs.replace(ledger.ends[1], reason="expired", is_unjudged=True)
    ledger.ends = [expired, msgspec.structs.replace(expired, delivery_id="dlv_2", is_unjudged=False)]
    codec, made = topic_codec("delivery.status", "avro"), delivery("webhook")
    outcomes = Outcomes(
        ledger, cast(Any, Writes()), "t", codec, lambda _: made,
        Accepted(None), owner="o", default_project="shop", on_refused=nothing, metrics=metrics,
    )  # fmt: skip
    await outcomes.sweep()
    await outcomes.sweep()
    assert (count("expired"), count("failed")) == (1, 0)


@pytest.mark.parametrize(("channels", "waits"), [(["webhook"], 3), (["webhook"] * 100, 1), (["webhook", "email"], 1)])
async def test_outcomes_come_together_for_longer_where_a_message_is_known_again(
    channels: list[ChannelName], waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    nothing, waited = cast(Any, None), list[float]()
    monkeypatch.setattr("agents.roles.sender.outcomes.asyncio.sleep", sleep)
    outcomes = Outcomes(
        nothing, nothing, "t", nothing, nothing, nothing, owner="o", default_project="shop", on_refused=nothing
    )
    for number, channel in enumerate(channels):
        outcomes.put(Settlement(f"d{number}", "sent", ""), delivery(channel))
    assert (len(await outcomes._gathered()), len(waited)) == (len(channels), waits)


class Slow:
    """A ledger that takes ends when it is let."""

    def __init__(self) -> None:
        self.takes, self.taken = asyncio.Event(), 0

    async def settle(self, settlements: list[Settlement], **_: Any) -> list[Any]:
        await self.takes.wait()
        self.taken += len(settlements)
        return []


async def test_nothing_else_leaves_while_the_ledger_is_too_far_behind() -> None:
    async def attempt(number: int) -> None:
        await outcomes.wait_for_ledger()
        outcomes.put(Settlement(f"d{number}", "sent", ""), msgspec.structs.replace(made, delivery_id=f"d{number}"))

    made, nothing, ledger, writes = delivery("webhook"), cast(Any, None), cast(Any, Slow()), cast(Any, Writes())
    ledger.suppressions = nothing
    outcomes = Outcomes(
        ledger, writes, "t", nothing, nothing, Accepted(None), owner="o", default_project="shop", on_refused=nothing
    )
    settling = asyncio.create_task(outcomes.run())
    attempts = [asyncio.create_task(attempt(number)) for number in range(3 * MOST_UNSETTLED)]
    async with asyncio.timeout(60):
        while sum(one.done() for one in attempts) < MOST_UNSETTLED:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert sum(one.done() for one in attempts) == len(outcomes.unsettled) == MOST_UNSETTLED
        ledger.takes.set()
        await asyncio.gather(*attempts)
        while not outcomes.idle:
            await asyncio.sleep(0.001)
    settling.cancel()
    assert ledger.taken == 3 * MOST_UNSETTLED
