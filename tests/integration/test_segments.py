"""Segments on a real Kafka and PostgreSQL: profiles, definitions and time change, and each change is told once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from faust.types import TP

from agents.broker.reader import TopicReader
from agents.roles.segmenter.segmenter import Segmenter, build_segmenter
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.wiring import Wiring
from console.control.explain import Asking, story
from console.control.segments import remove
from schemas.errors import TidingsError
from schemas.segment import SegmentDefinition
from store.behaviours import Behaviours
from store.distributions import Change, Control
from store.segments import Segments
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT, NOW, definition


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

    async def give_way(self, batch: Batch) -> None:
        """Nothing is more urgent."""


class Stage:
    """Segmenters on one database, a clock, and a partition of profiles."""

    def __init__(self, wiring: Wiring, pool: asyncpg.Pool) -> None:
        self.wiring, self.pool, self.now = wiring, pool, NOW
        self.segments = Segments(pool, clock=self.moment)
        self.log: list[Record] = []

    async def moment(self, _: object) -> datetime:
        return self.now

    def segmenter(self) -> Segmenter:
        _, made = build_segmenter(self.wiring, self.segments, Behaviours(self.pool), Metrics())
        return made

    def record(self, customer: str, **fields: Any) -> Record:
        raw = self.wiring.codec("customers").encode({"id": customer, "metadata": fields})
        return self._add(customer, raw)

    def tombstone(self, customer: str) -> Record:
        return self._add(customer, None)

    def _add(self, customer: str, raw: bytes | None) -> Record:
        self.log.append(Record(customer.encode(), raw, len(self.log), int(self.now.timestamp() * 1000)))
        return self.log[-1]

    def batch(self, by: Segmenter, *records: Record) -> Batch:
        place = TP(self.wiring.topic("customers"), 1)
        return Batch(place, list(records), owner=Owner(), producer=by.memberships._producer, epoch=0)

    async def take(self, by: Segmenter, *records: Record) -> None:
        batch = self.batch(by, *records)
        await by.take(batch)
        if batch.ending is not None:
            await batch.ending()
        batch.close()

    async def apply(self, identity: str, version: int = 1, **who: Any) -> None:
        made = SegmentDefinition(
            id=identity, project_id="shop", name=identity, version=version, updated_at=self.now, **who
        )
        await self.segments.save([(made, "")], applied_by="test", now=self.now)

    async def compute(self, by: Segmenter) -> None:
        while await by.compute():
            pass
        await by.memberships.tell()

    async def look_at_due(self, *by: Segmenter) -> int:
        looked = 0
        while found := sum(await asyncio.gather(*(one.look_at_due() for one in by))):
            looked += found
        await asyncio.gather(*(one.memberships.tell() for one in by))
        return looked

    async def members(self, identity: str) -> list[str]:
        return [row["customer_id"] for row in await self.segments.members("shop", identity, 1000)]

    def events(self) -> list[dict[str, Any]]:
        with TopicReader(self.wiring, "events.segments") as reader:
            return [reader.decode(message) for message in reader.until_now()]

    def told(self) -> list[tuple[str, str, str]]:
        return [
            (one["type"].rpartition(".")[2], one["data"]["segment"]["id"], one["data"]["customer"]["id"])
            for one in self.events()
        ]


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    yield Stage(wiring, pool)


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


def dying(by: Segmenter, step: str, *, after: bool) -> Segmenter:
    """One that dies before or after a step."""
    whole = getattr(by.memberships, step)

    async def die(*args: Any, **options: Any) -> None:
        if after:
            await whole(*args, **options)
        raise ZeroDivisionError

    setattr(by.memberships, step, die)
    return by


CRASHES = [
    pytest.param("write", True, [], id="before the commit"),
    pytest.param("tell", False, ["entered", "left"], id="committed, and Kafka does not know"),
    pytest.param("_publish", True, ["entered", "entered", "left"], id="Kafka knows, and Postgres does not know that"),
]


@pytest.mark.parametrize(("step", "after", "told"), CRASHES)
async def test_a_crash_while_a_profile_comes_in_leaves_no_event_that_memberships_do_not_show(
    stage: Stage, step: str, after: bool, told: list[str]
) -> None:
    """By the definition that comes in between, nobody is in it: whoever was told to have entered is told to leave."""
    one = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    record = stage.record("c1", tier="gold")
    with pytest.raises(ZeroDivisionError):
        await stage.take(dying(stage.segmenter(), step, after=after), record)
    await stage.apply("gold", 2, when={"customer.metadata.tier": "none"})
    await stage.take(one, record)
    await stage.compute(one)
    assert ([kind for kind, _, _ in stage.told()], await stage.members("gold")) == (told, [])
    assert len({event["id"] for event in stage.events()}) == len(set(told))


@pytest.mark.parametrize(("step", "after", "told"), CRASHES)
async def test_a_crash_while_time_changes_a_membership_leaves_no_event_that_memberships_do_not_show(
    stage: Stage, step: str, after: bool, told: list[str]
) -> None:
    """A later look, when it is no longer that day."""
    one, dead = stage.segmenter(), dying(stage.segmenter(), step, after=after)
    await stage.apply("party", when={"customer.metadata.born": {"day_is": "today"}})
    await stage.compute(one)
    await stage.take(one, stage.record("c1", born="1990-11-22"))
    stage.now = NOW + timedelta(days=2)
    with pytest.raises(ZeroDivisionError):
        await dead.look_at_due()
        await dead.memberships.tell()
    stage.now = NOW + timedelta(days=3)
    await stage.look_at_due(one)
    assert ([kind for kind, _, _ in stage.told()], await stage.members("party")) == (told, [])


async def test_what_several_tell_at_once_is_told_once_and_in_the_order_in_which_it_happened(stage: Stage) -> None:
    """As after a crash of many: more transactions wait than are told at once."""
    many = [stage.segmenter() for _ in range(3)]
    await stage.apply("gold", when=GOLD)
    await stage.compute(many[0])
    stage.now += timedelta(minutes=1)
    for tier in ["gold", "tin"] * 10:
        with pytest.raises(ZeroDivisionError):
            await stage.take(dying(stage.segmenter(), "tell", after=False), stage.record("c1", tier=tier))
    told = sum(await asyncio.gather(*(one.memberships.tell() for one in many)))
    assert told == 20 + 1, "events, and the one customer of whom all changes are told at once"
    assert [kind for kind, _, _ in stage.told()] == ["entered", "left"] * 10


@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_dies_when_events_tell_each_change_of_memberships_and_nothing_else(
    stage: Stage, seed: int
) -> None:
    rng, one, version = random.Random(seed), stage.segmenter(), 1
    conditions = [GOLD, {"customer.metadata.tier": "tin"}, {"customer.metadata.at": {"within_last": "1h"}}]
    await stage.apply("some", when=conditions[0])
    await stage.compute(one)

    async def whole(work: Callable[[Segmenter], Awaitable[Any]]) -> None:
        """By some that die of it, and then by another."""
        while rng.random() < 0.4:
            step = rng.choice(["write", "tell", "_publish"])
            with contextlib.suppress(ZeroDivisionError):
                await work(dying(stage.segmenter(), step, after=rng.random() < 0.5))
        await work(stage.segmenter())

    async def look(by: Segmenter) -> None:
        await by.look_at_due()
        await by.compute()
        await by.memberships.tell()

    for _ in range(40):
        stage.now += timedelta(minutes=rng.randrange(40))
        if rng.random() < 0.3:
            version += 1
            await stage.apply("some", version, when=rng.choice(conditions))
        at = (stage.now - timedelta(minutes=rng.randrange(120))).isoformat()
        records = [
            stage.record(f"c{rng.randrange(6)}", tier=rng.choice(["gold", "tin"]), at=at)
            for _ in range(rng.randrange(4))
        ]
        if records:
            await whole(lambda by, records=records: stage.take(by, *records))  # type: ignore[misc]
        await whole(look)
    await stage.look_at_due(one)
    await stage.compute(one)
    events = list({event["id"]: event for event in stage.events()}.values())
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["data"]["customer"]["id"], []).append(event["type"].rpartition(".")[2])
    for told in kinds.values():
        assert told == ["entered" if number % 2 == 0 else "left" for number in range(len(told))]
    assert len(events) > 20
    assert sorted(one for one, told in kinds.items() if told[-1] == "entered") == await stage.members("some")


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
        await stage.look_at_due(one)
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
    assert await stage.segments.count("shop", "tier") == 598
    assert sorted(stage.told()) == [("left", "tier", "c0001"), ("left", "tier", "c1199")]
    await stage.apply("tier", 2, when={"customer.metadata.tier": "silver"})
    await asyncio.gather(stage.compute(one), stage.compute(other))
    told = Counter(kind for kind, _, _ in stage.told()[2:])
    assert (told, await stage.segments.count("shop", "tier")) == ({"entered": 602, "left": 598}, 602)


async def test_an_erased_customer_is_forgotten_without_an_event_and_may_come_back(stage: Stage) -> None:
    one = stage.segmenter()
    await stage.apply("list", members=["c1"])
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1"), stage.tombstone("c1"))
    assert (stage.told(), await stage.members("list"), await stage.segments.customers("shop")) == ([], [], 0)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1"))
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.tombstone("c1"), stage.record("c1"))
    assert len({event["id"] for event in stage.events()}) == 2


async def test_whom_a_segment_cannot_judge_stays_what_it_was_and_is_counted_with_the_reason(stage: Stage) -> None:
    one = stage.segmenter()
    await stage.apply("big", when={"customer.metadata.score": {"at_least": 40}})
    await stage.apply("lapsed", when={"not": {"customer.metadata.last_order_at": {"within_last": "30d"}}})
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.record("c1", score=42, last_order_at=""), stage.record("c2", score=4))
    assert stage.told() == [("entered", "big", "c1"), ("entered", "lapsed", "c1"), ("entered", "lapsed", "c2")]
    odd = {"c1": "42", "c2": "n/a\0", "c3": ["x"]}
    await stage.take(one, *[stage.record(customer, score=score, last_order_at=5) for customer, score in odd.items()])
    assert (len(stage.told()), await stage.members("big"), await stage.members("lapsed")) == (3, ["c1"], ["c1", "c2"])
    assert await stage.segments.count_unjudged(9) == {("shop", "big"): 3, ("shop", "lapsed"): 3}
    reasons = [dict(row) for row in await stage.segments.unjudged_reasons("shop", "big", 5)]
    said = "customer.metadata.score at_least 40: needs a number, the value is"
    assert reasons == [{"customers": 3, "customer_id": "c1", "reason": f'{said} "42" (text)'}]
    of_c2 = {row["segment_id"]: row["reason"] for row in await stage.segments.unjudged_of_customer("shop", "c2")}
    assert of_c2["big"] == rf'{said} "n/a\x00" (text)'
    found = await story(stage.pool, stage.wiring, "shop", Asking(who="c2"), stage.now)
    assert ({one.segment_id: one.reason for one in found.unjudged}, found.dead_letters) == (of_c2, ())
    await one.measure()
    assert b'tidings_segment_unjudged{segment="big"} 3.0' in one._metrics.text()[0]
    await stage.take(one, stage.record("c1", score=1), stage.tombstone("c2"), stage.record("c3", score=50))
    assert (await stage.members("big"), await stage.segments.count_unjudged(9)) == (["c3"], {})


async def test_segmenters_share_what_is_due(stage: Stage) -> None:
    many = [stage.segmenter() for _ in range(3)]
    await stage.apply("new", when={"customer.metadata.since": {"within_last": "1d"}})
    await stage.compute(many[0])
    stage.now += timedelta(minutes=1)
    since = stage.now.isoformat()
    await stage.take(many[0], *[stage.record(f"c{n}", since=since) for n in range(700)])
    stage.now += timedelta(days=2)
    assert await stage.look_at_due(*many) == 700
    assert Counter(kind for kind, _, _ in stage.told()) == {"entered": 700, "left": 700}


_LEFT = {"event": "customer.segment.left", "segment": "vip"}
_IN_VIP = {"customer.segments": {"contains": "vip"}}


@pytest.mark.parametrize(
    "using",
    [
        {"trigger": {**_LEFT, "event": "customer.segment.entered"}},
        {"when": {"any": [{"order.amount": 5}, {"not": _IN_VIP}]}},
        {"delay": "1h", "unless": {"trigger": _LEFT}},
        {"delay": "1h", "unless": {"trigger": "customer.order.paid", "when": _IN_VIP}},
    ],
    ids=["trigger", "guard", "ending", "guard of the ending"],
)
async def test_a_segment_in_use_is_not_deleted(stage: Stage, using: dict[str, Any]) -> None:
    control = Control(stage.pool)
    await stage.apply("vip", when=GOLD)
    using = definition(**using)
    made = parse_definition(using, CONTEXT).distribution
    await control.save([Change(made, "", ())], applied_by="test", now=NOW)
    with pytest.raises(TidingsError, match="vip is used by thanks"):
        await remove(stage.pool, "shop", "vip", actor="ann")
    stopped = msgspec.structs.replace(made, version=2, status="STOPPED")
    await control.save([Change(stopped, "", ())], applied_by="test", now=NOW)
    await remove(stage.pool, "shop", "vip", actor="ann")
    with pytest.raises(TidingsError, match='no segment "vip"'):
        await remove(stage.pool, "shop", "vip", actor="ann")


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
    assert await stage.segments.count("shop", "gold") == 1500
