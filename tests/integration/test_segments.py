"""Segments on a real Kafka and PostgreSQL: profiles, definitions and time change, and each change is told once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from faust.types import TP

from agents.metrics import Metrics
from agents.segmenter import Segmenter, build_segmenter
from agents.transport.batch import Batch
from agents.wiring import Wiring
from console.reading import TopicReader
from console.segments import remove
from schemas.errors import TidingsError
from schemas.segment_definition import SegmentDefinition
from store.control import Change, Control
from store.segments import Segments
from streams.definition import parse_definition
from tests.factory import AROUND, NOW, definition


@dataclass
class Record:
    key: bytes
    value: bytes | None
    offset: int
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Owner:
    """Whom a batch reports to."""

    def batch_done(self, batch: Batch) -> None:
        """Nothing to do."""

    def delivery_failed(self, error: BaseException) -> None:
        raise error


class Stage:
    """Segmenters on one database, a clock, and a partition of profiles."""

    def __init__(self, wired: Wiring, pool: asyncpg.Pool) -> None:
        self.wired, self.pool, self.segments, self.now = wired, pool, Segments(pool), NOW
        self.log: list[Record] = []

    def segmenter(self) -> Segmenter:
        _, made = build_segmenter(self.wired, self.segments, Metrics(), clock=lambda: self.now)
        return made

    def record(self, customer: str, **fields: Any) -> Record:
        raw = self.wired.codec("customers").encode({"id": customer, "metadata": fields})
        return self._add(customer, raw)

    def tombstone(self, customer: str) -> Record:
        return self._add(customer, None)

    def _add(self, customer: str, raw: bytes | None) -> Record:
        self.log.append(Record(customer.encode(), raw, len(self.log), int(self.now.timestamp() * 1000)))
        return self.log[-1]

    async def take(self, by: Segmenter, *records: Record) -> None:
        place = TP(self.wired.topic("customers"), 1)
        batch = Batch(place, list(records), owner=Owner(), producer=by._app.outputs, epoch=0)
        await by.intake.take(batch)
        batch.close()

    async def apply(self, identity: str, version: int = 1, **who: Any) -> None:
        made = SegmentDefinition(
            id=identity, project_id="shop", name=identity, version=version, updated_at=self.now, **who
        )
        await self.segments.save([(made, "")], applied_by="test", now=self.now)

    async def compute(self, by: Segmenter) -> None:
        while await by.compute():
            pass

    async def members(self, identity: str) -> list[str]:
        return [row["customer_id"] for row in await self.segments.members(identity, 1000)]

    def events(self) -> list[dict[str, Any]]:
        with TopicReader(self.wired, "events.segments") as reader:
            return [reader.decode(message) for message in reader.until_now()]

    def told(self) -> list[tuple[str, str, str]]:
        return [
            (one["type"].rpartition(".")[2], one["data"]["segment"]["id"], one["data"]["customer"]["id"])
            for one in self.events()
        ]


@pytest.fixture
async def stage(wired: Wiring, pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    yield Stage(wired, pool)


GOLD = {"customer.metadata.tier": "gold"}


async def test_profiles_enter_and_leave_and_what_is_delivered_again_changes_nothing(stage: Stage) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    records = [stage.record("c1", tier=tier) for tier in ("gold", "silver", "gold")]
    await stage.take(one, *records)
    assert stage.told() == [("entered", "gold", "c1"), ("left", "gold", "c1"), ("entered", "gold", "c1")]
    assert len({event["id"] for event in stage.events()}) == 3
    await stage.take(other, *records)
    await stage.take(other, records[0])
    assert len(stage.told()) == 3
    await stage.take(other, stage.record("c1", tier="none"))
    assert (stage.told()[3], await stage.members("gold")) == (("left", "gold", "c1"), [])


async def test_a_crash_between_acknowledgement_and_commit_repeats_the_same_ids(stage: Stage) -> None:
    await stage.apply("gold", when=GOLD)
    await stage.compute(stage.segmenter())
    stage.now += timedelta(minutes=1)
    record = stage.record("c1", tier="gold")
    dying = stage.segmenter()

    write = dying._write

    async def write_and_die(hand: Any, **options: Any) -> None:
        await write(hand, **options)
        raise ZeroDivisionError

    dying._write = write_and_die  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await stage.take(dying, record)
    assert await stage.members("gold") == []
    await stage.take(stage.segmenter(), record)
    first, second = stage.events()
    assert first == second
    assert await stage.members("gold") == ["c1"]


async def test_time_enters_and_leaves(stage: Stage) -> None:
    one = stage.segmenter()
    await stage.apply("lapsed", when={"not": {"customer.metadata.last_order": {"within_last": "30d"}}})
    await stage.apply("party", when={"customer.metadata.born": {"day_is": "today"}})
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1", last_order=stage.now.isoformat(), born="1990-11-22"))
    assert (stage.told(), await one.look_at_due()) == ([], 0)
    for days, expected in (
        (2, [("entered", "party", "c1")]),
        (3, [("left", "party", "c1")]),
        (31, [("entered", "lapsed", "c1")]),
    ):
        before = len(stage.told())
        stage.now = NOW + timedelta(days=days)
        while await one.look_at_due():
            pass
        assert stage.told()[before:] == expected


async def test_those_who_are_in_it_at_first_do_not_enter_and_a_changed_definition_tells_differences(
    stage: Stage,
) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.take(one, *[stage.record(f"c{n:04}", tier="gold" if n % 2 else "silver") for n in range(1200)])
    stage.now += timedelta(minutes=1)
    await stage.apply("tier", when=GOLD)
    assert await one.compute() == 500
    await stage.take(other, stage.record("c0001", tier="silver"), stage.record("c1199", tier="silver"))
    await stage.compute(other)
    assert await stage.segments.count("tier") == 598
    assert sorted(stage.told()) == [("left", "tier", "c0001"), ("left", "tier", "c1199")]
    await stage.apply("tier", 2, when={"customer.metadata.tier": "silver"})
    await asyncio.gather(stage.compute(one), stage.compute(other))
    told = Counter(kind for kind, _, _ in stage.told()[2:])
    assert (told, await stage.segments.count("tier")) == ({"entered": 602, "left": 598}, 602)


async def test_an_erased_customer_is_forgotten_without_an_event_and_may_come_back(stage: Stage) -> None:
    one = stage.segmenter()
    await stage.apply("list", members=["c1"])
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1"), stage.tombstone("c1"))
    assert (stage.told(), await stage.members("list"), await stage.segments.customers()) == ([], [], 0)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1"))
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.tombstone("c1"), stage.record("c1"))
    assert len({event["id"] for event in stage.events()}) == 2


async def test_segmenters_share_what_is_due(stage: Stage) -> None:
    many = [stage.segmenter() for _ in range(3)]
    await stage.apply("new", when={"customer.metadata.since": {"within_last": "1d"}})
    await stage.compute(many[0])
    stage.now += timedelta(minutes=1)
    since = stage.now.isoformat()
    await stage.take(many[0], *[stage.record(f"c{n}", since=since) for n in range(700)])
    stage.now += timedelta(days=2)
    looked = 0
    while found := sum(await asyncio.gather(*(one.look_at_due() for one in many))):
        looked += found
    assert looked == 700
    assert Counter(kind for kind, _, _ in stage.told()) == {"entered": 700, "left": 700}


async def test_a_segment_in_use_is_not_deleted(stage: Stage) -> None:
    control = Control(stage.pool)
    await stage.apply("vip", when=GOLD)
    using = definition(trigger={"event": "customer.segment.entered", "segment": "vip"})
    made = parse_definition(using, AROUND).distribution
    await control.save([Change(made, "", ())], applied_by="test", now=NOW)
    with pytest.raises(TidingsError, match="vip is used by thanks"):
        await remove("vip", "shop", stage.segments, control)
    stopped = msgspec.structs.replace(made, version=2, status="STOPPED")
    await control.save([Change(stopped, "", ())], applied_by="test", now=NOW)
    await remove("vip", "shop", stage.segments, control)
    with pytest.raises(TidingsError, match="there is no segment vip"):
        await remove("vip", "shop", stage.segments, control)


async def test_a_lost_connection_to_postgres_loses_no_change(stage: Stage, dsn: str) -> None:
    one = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    records = [stage.record(f"c{number}", tier="gold") for number in range(1500)]
    taking = asyncio.ensure_future(stage.take(one, *records))
    breaker = await asyncpg.connect(dsn)
    broken = 0
    while not taking.done() and broken < 4:
        broken += len(await breaker.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()"
        ))  # fmt: skip
        await asyncio.sleep(0.01)
    await taking
    await breaker.close()
    assert broken
    assert len({event["id"] for event in stage.events()}) == 1500
    assert await stage.segments.count("gold") == 1500
