"""Records that others' pipelines into Postgres have stopped at for ever, on real topics, before a real recorder."""

from __future__ import annotations

import asyncio
import random
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.roles.recorder import build_recorder
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.wiring import Wiring
from schemas.delivery import DistributionRef, EventRef
from schemas.errors import TryLater
from schemas.topics import DEAD_LETTERS, DECISIONS, DELIVERY_STATUS
from store.read_models.recorded import Put, Recorded
from tests.integration.test_recorder import KEEP, NOW, count, decision, put, status

PATIENCE = 120.0
ORDERS = "events.orders"
ENDLESS = "".join(random.Random(7).choices(string.ascii_letters, k=9000))
"""A text that Postgres cannot compress: no index takes it."""


@asynccontextmanager
async def recording(wiring: Wiring, pool: asyncpg.Pool, folder: Path, **settings: Any) -> AsyncIterator[BatchApp]:
    """A recorder at work."""
    app, _ = build_recorder(wiring, Recorded(pool, KEEP), Metrics(), datadir=str(folder), **settings)
    app.finalize()
    starting = asyncio.ensure_future(app.start())
    try:
        yield app
    finally:
        await starting
        assert await app.stop_within(30)
        app.outputs.close(0.5)


async def written(wiring: Wiring, topic: str, values: list[bytes]) -> None:
    """Records of one customer, so of one partition, in this order."""
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(topic), b"c1", value) for value in values])
    producer.close()


async def until_in(pool: asyncpg.Pool, wiring: Wiring, counts: dict[str, int]) -> None:
    """Wait until so many records of each topic are in."""
    deadline = time.monotonic() + PATIENCE
    sql = "select coalesce(sum(next_offset), 0)::bigint from recorded_positions where topic = $1"
    while [await pool.fetchval(sql, wiring.topic(topic)) for topic in counts] != list(counts.values()):
        assert time.monotonic() < deadline, await pool.fetch("select * from recorded_positions")
        await asyncio.sleep(0.05)


def ordered(identity: str, order: str) -> bytes:
    """A paid order, as anybody may publish it."""
    data = {"customer": {"id": "c1"}, "order": {"id": order, "amount": 5000}}
    event = {"id": identity, "project_id": "shop", "type": "customer.order.paid", "created_at": NOW, "data": data}
    return msgspec.json.encode(event)


def refused(wiring: Wiring) -> list[str]:
    """Reasons of what was dead-lettered."""
    with TopicReader(wiring, DEAD_LETTERS) as reader:
        found = [dict(message.headers() or []) for message in reader.until_now()]
    return [(one.get("tidings-message") or b"").decode() for one in found]


async def test_no_record_stops_those_behind_it(wiring: Wiring, pool: asyncpg.Pool, tmp_path: Path) -> None:
    Provision(wiring).apply()
    ref, codec = DistributionRef(id="thanks", version=3, name="Thanks"), wiring.codec(DECISIONS)
    far = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    kept: list[Any] = [
        decision(1, detail="a\0b", customer_id="c\0"),
        decision(2, detail=ENDLESS * 20),
        decision(3, far, decided_at=NOW, until=far),
        decision(
            4,
            NOW - timedelta(days=1),
            decided_at=datetime(1, 1, 1, tzinfo=UTC),
            until=datetime(1969, 7, 20, tzinfo=UTC),
        ),
        *[decision(5, decided_at=NOW + timedelta(seconds=second)) for second in range(3)],
        decision(6, distribution=msgspec.structs.replace(ref, version=2**63 - 1)),
        decision(7, detail="Zażółć 🎈"),
    ]
    too_long = [
        decision(8, customer_id=ENDLESS),
        decision(9, event=EventRef(id=ENDLESS, type="customer.order.paid", created_at=NOW)),
        decision(10, decision_id=ENDLESS),
    ]
    half = codec.encode(decision(11, detail="half")).replace(b"half", b"\xed\xa0\x80x")
    beyond = codec.encode(decision(12, NOW)).replace(codec.encode(decision(12, NOW))[-9:], b"\xfe" * 8 + b"\x01")
    values = [codec.encode(one) for one in [*kept[:4], *too_long, *kept[4:]]] + [half, b"", b"\xc3\x01", beyond]
    values.append(msgspec.json.encode(decision(5, detail="told last", decided_at=NOW + timedelta(seconds=9))))
    ends = [
        wiring.codec(DELIVERY_STATUS).encode(one)
        for one in (
            status(1),
            status(2, account=ENDLESS, provider_id=ENDLESS),
            status(3, delivery_id=ENDLESS),
            status(4),
        )
    ]
    async with recording(wiring, pool, tmp_path):
        await written(wiring, DECISIONS, values)
        await written(wiring, DELIVERY_STATUS, ends)
        await written(wiring, ORDERS, [ordered("ev1", ENDLESS), ordered("ev2", "o2")])
        await until_in(pool, wiring, {DECISIONS: len(values), DELIVERY_STATUS: len(ends), ORDERS: 2})
        await written(wiring, DECISIONS, [codec.encode(decision(13))])
        await until_in(pool, wiring, {DECISIONS: len(values) + 1})
    numbers = await pool.fetch("select decision_id from recorded_decisions order by 1")
    assert [int(row["decision_id"][4:], 16) for row in numbers] == [1, 2, 3, 4, 5, 6, 7, 13]
    assert await pool.fetchval("select detail from recorded_decisions where decision_id like '%5'") == "told last"
    assert await pool.fetchval("select count(*) from recorded_statuses") == 3
    assert await pool.fetchval("select subject_id from recorded_purchases") == "o2"
    reasons = refused(wiring)
    assert sum("too long for an index" in one for one in reasons) == 5, reasons
    assert len(reasons) == 9, reasons


async def test_a_connection_that_is_lost_within_copy_loses_no_row_and_doubles_none(
    pool: asyncpg.Pool, dsn: str
) -> None:
    recorded, rows = Recorded(pool, KEEP), [decision(number, detail=ENDLESS) for number in range(3000)]
    sql = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where query ilike 'copy%' and state = 'active' and datname = current_database() and pid <> pg_backend_pid()"
    )
    other = await asyncpg.connect(dsn)
    try:
        for _ in range(20):
            putting = asyncio.ensure_future(put(recorded, rows))
            lost = 0
            while not lost and not putting.done():
                lost = await other.fetchval(sql)
            if lost:
                with pytest.raises(TryLater):
                    await putting
                assert await count(pool) == 0
                break
            assert (await putting).known == 0
            await pool.execute("truncate recorded_decisions, recorded_decisions_by_minute, recorded_positions")
        else:
            pytest.fail("COPY was never met")
    finally:
        await other.close()
    assert await put(recorded, rows) == Put(new=3000)
    assert await count(pool) == 3000
