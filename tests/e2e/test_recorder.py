"""Recorders that are killed, and what they keep held against what the topics say."""

from __future__ import annotations

import os
import random
import signal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from schemas.decision import Decision, DeliveryStatus
from schemas.errors import TryLater
from tests.e2e.harness import Product, product, thanks

pytestmark = pytest.mark.timeout(600)

KILLS = 20 if os.environ.get("FAULTS") == "full" else 6


def on_topic(running: Product, topic: str, kind: Any) -> list[Any]:
    with TopicReader(running.wiring, topic) as reader:
        return [msgspec.convert(reader.decode(message), kind) for message in reader.until_now()]


def committed(running: Product) -> int:
    """Records that recorders have done with; 0 where the broker cannot say."""
    try:
        return sum(one.committed or 0 for one in running.lag.read("recorder"))
    except TryLater:
        return 0


def has_committed(running: Product, before: int) -> bool:
    return committed(running) > before


async def test_each_record_is_kept_once_though_recorders_are_killed(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(17)
    roles: Any = ("matcher", "sender", "recorder")
    async with product(wiring.settings, tmp_path, roles=roles, processes=2) as running:
        await running.load_customers(50)
        await running.apply(thanks(running.receiver.url))
        for turn in range(KILLS):
            before = committed(running)
            await running.publish(running.order(turn * 100 + number, rng) for number in range(100))
            await running.until(partial(has_committed, running, before), "some of it is recorded")
            rng.choice([one for one in running.workers.workers if one.role == "recorder"]).send(signal.SIGKILL)
        await running.publish(running.published[:])  # a replay: the same ids, decided once more
        await running.until_delivered()
        decided = on_topic(running, "decisions", Decision)
        ended = on_topic(running, "delivery.status", DeliveryStatus)
        async with database(running.wiring) as pool:
            rows = await pool.fetch("select decision_id, outcome, reason, channel, decided_at from recorded_decisions")
            ends = await pool.fetch("select delivery_id, outcome, occurred_at from recorded_statuses")
            read = await pool.fetchval("select sum(next_offset)::bigint from recorded_positions")
        last = {one.decision_id: (one.outcome, one.reason, one.channel, one.decided_at) for one in decided}
        assert len(decided) > len(last), "the replay decides again"
        assert len(rows) == len(last)
        assert {row["decision_id"]: tuple(row)[1:] for row in rows} == last
        assert sorted(map(tuple, ends)) == sorted({(one.delivery_id, one.outcome, one.occurred_at) for one in ended})
        assert read == len(decided) + len(ended)
