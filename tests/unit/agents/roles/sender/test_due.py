"""Deliveries on their way out of the ledger."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from agents.roles.sender.due import Due
from agents.telemetry.metrics import Metrics
from schemas.errors import TryLater
from store.sending.ledger import Stop
from tests.unit.agents.roles.sender.doubles import SECOND, Started, World, nothing_unsettled


def due(world: World, attempts: Started) -> Due:
    return Due(
        world.claimant, cast(Any, attempts), attempts.turns, nothing_unsettled(), cast(Any, world), Metrics(),
        poll=SECOND,
    )  # fmt: skip


async def test_a_record_that_cannot_be_read_waits_and_keeps_no_other_from_being_sent() -> None:
    log: list[Any] = []
    world = World(log)
    assert await due(world, Started(log)).claim() == 2
    assert log == [("start", world.good.delivery_id), ("waiting", "dlv_0")]


async def test_what_is_suppressed_by_now_is_not_begun() -> None:
    log: list[Any] = []
    world = World(log)
    world.stop = Stop("suppressed", "its address is suppressed")
    assert await due(world, Started(log)).claim() == 2
    assert log == [("failed", "its address is suppressed"), ("waiting", "dlv_0")]


async def test_what_is_still_being_sent_is_not_begun_again() -> None:
    log: list[Any] = []
    world, attempts = World(log), Started(log)
    attempts.held = [world.good.delivery_id]
    assert await due(world, attempts).claim() == 2
    assert log == [("waiting", "dlv_0")]


async def test_a_sender_that_stops_claims_no_more() -> None:
    log: list[Any] = []
    world = World(log)
    world.claimant.leases.end()
    await asyncio.wait_for(due(world, Started(log)).run(), 60)
    assert log == []


async def test_leases_of_others_are_not_taken_over_after_the_ledger_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([])
    made, leases = due(world, Started([])), world.claimant.leases
    leases._in_touch_since = time.monotonic() - 1000
    assert leases.may_take_over()

    async def away(**_: Any) -> Any:
        raise TryLater("away")

    monkeypatch.setattr(world, "claim_due", away)
    with pytest.raises(TryLater):
        await made._claim_in_touch()
    assert not leases.may_take_over()
