"""Segments that count events, on a real Kafka and PostgreSQL: each event counts once, and time takes it away again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.roles.segmenter import counting
from agents.roles.segmenter.counting import Counter, Lane
from agents.roles.segmenter.segmenter import Segmenter, build_segmenter
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from store.behaviours import Behaviours
from tests.factory import event
from tests.integration.test_segments import Stage, dying

PAID = "customer.order.paid"
THREE = {
    "events": {"type": PAID, "within": "2h", "when": {"order.amount": {"at_least": 100}}, "count": {"at_least": 3}}
}
NONE = {"events": {"type": PAID, "within": "1h", "count": 0}}
SPENT = {"events": {"type": PAID, "within": "today", "sum": {"of": "order.amount", "at_least": 500}}}
LAPSED = {"events": {"type": PAID, "last": {"before": "3h ago"}}}
NEVER = {"events": {"type": PAID, "count": 0}}


class Counted(Stage):
    """A stage with orders. Its clock stands at a moment that Kafka keeps records of."""

    def __init__(self, wiring: Wiring, pool: asyncpg.Pool) -> None:
        super().__init__(wiring, pool)
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=6)
        self.orders: list[tuple[str, str, datetime, int]] = []
        self.lanes: list[tuple[Lane, ...]] = []
        """For who counts at the same time; a reader takes long to connect, and what it knows is looked at anew."""

    async def end_lanes(self) -> None:
        """Have whoever counts next begin anew."""
        for lane in [one for pair in self.lanes for one in pair]:
            await Counter.end(lane)
        self.lanes.clear()

    def segmenter(self) -> Segmenter:
        settings = {"clock": lambda: self.now}
        _, made = build_segmenter(self.wiring, self.segments, Behaviours(self.pool), Metrics(), **settings)
        made.counter._owned = lambda: range(self.wiring.topics.partitions)
        return made

    async def order(
        self, by: Segmenter, customer: str, amount: int = 100, *, identity: str = "", at: datetime | None = None
    ) -> None:
        """An order that was paid, late where it says `at`."""
        identity, happened = identity or f"e{len(self.orders)}", at or self.now
        self.orders.append((customer, identity, happened, amount))
        made = event(
            id=identity, created_at=happened.isoformat(),
            data={"customer": {"id": customer}, "order": {"id": "o", "amount": amount}},
        )  # fmt: skip
        raw = self.wiring.codec("events.orders").encode(made)
        topic, stamp = self.wiring.topic("events.orders"), int(self.now.timestamp() * 1000)
        await write_all(by.memberships._producer, [Output(topic, customer.encode(), raw, timestamp=stamp)])

    async def count(self, by: Segmenter) -> None:
        """Bring all events in, those of new behaviours from the beginning."""
        pair = (
            self.lanes.pop()
            if self.lanes
            else (Counter.lane(self.wiring, is_ready=False), Counter.lane(self.wiring, is_ready=True))
        )
        try:
            for lane in pair:
                await self.look(by, lane)
                while await self._unread(by, lane):
                    await by.counter.bring_in(lane)
                    if lane.lost:
                        await self.look(by, lane)
                await self.look(by, lane)
        except BaseException:  # whoever died has read what is not in
            for lane in pair:
                await Counter.end(lane)
            raise
        self.lanes.append(pair)

    async def look(self, by: Segmenter, lane: Lane) -> None:
        """Brokers may need a moment to lead new partitions."""
        await retry_until_available(partial(by.counter.look, lane, at_once=True), what="Kafka")

    async def _unread(self, by: Segmenter, lane: Lane) -> bool:
        async def end(place: Any) -> tuple[int, int]:
            return await lane.call(lane.follower.ends, by.counter._named(place))

        ends = {place: await retry_until_available(partial(end, place), what="Kafka") for place in lane.at}
        return any(end > lane.at[place] for place, (_, end) in ends.items())

    async def settle(self, by: Segmenter) -> None:
        """All that there is to do: events, due customers, computations."""
        await self.count(by)
        await self.look_at_due(by)
        await self.compute(by)


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counted]:
    monkeypatch.setattr(counting, "_FETCH_SECONDS", 0.02)  # what has to come is known
    made = Counted(wiring, pool)
    yield made
    await made.end_lanes()


async def test_orders_enter_and_their_age_leaves_at_its_moment(stage: Counted) -> None:
    one = stage.segmenter()
    await stage.apply("loyal", when=THREE)
    await stage.settle(one)
    began = stage.now
    for minutes in (10, 20, 30):
        stage.now = began + timedelta(minutes=minutes)
        await stage.order(one, "c1", 50)  # too small to count
        await stage.order(one, "c1", 100)
    await stage.settle(one)
    assert (stage.told(), await stage.members("loyal")) == ([("entered", "loyal", "c1")], ["c1"])
    await stage.settle(stage.segmenter())
    stage.now = began + timedelta(hours=2, minutes=10)
    await stage.look_at_due(one)
    assert len(stage.told()) == 1
    stage.now = began + timedelta(hours=5)
    await stage.settle(one)
    left = stage.events()[1]
    assert (left["type"].rpartition(".")[2], await stage.members("loyal")) == ("left", [])
    assert left["created_at"] == began + timedelta(hours=2, minutes=10, microseconds=1)


async def test_a_new_segment_counts_what_the_topic_holds_and_tells_nobody(stage: Counted) -> None:
    one = stage.segmenter()
    await stage.take(one, stage.record("c1"), stage.record("c2"))
    for customer in ("c1", "c1", "c1", "c3"):
        await stage.order(one, customer)
    stage.now += timedelta(minutes=30)
    await stage.apply("loyal", when=THREE)
    await stage.apply("quiet", when=NONE)
    await stage.compute(one)
    assert not any(summary.is_computed for summary in await stage.segments.current("shop"))
    await stage.take(one, stage.record("c2", tier="gold"))  # nobody can say yet
    assert await stage.members("quiet") == []
    await stage.settle(one)
    assert (await stage.members("loyal"), await stage.members("quiet"), stage.told()) == (["c1"], ["c2"], [])
    stage.now += timedelta(minutes=31)
    await stage.settle(one)
    assert sorted(stage.told()) == [("entered", "quiet", "c1"), ("entered", "quiet", "c3")]
    await stage.order(one, "c3")
    await stage.settle(one)
    assert stage.told()[2:] == [("left", "quiet", "c3")]


async def test_a_behaviour_that_nobody_asks_for_is_forgotten_and_counted_anew(stage: Counted) -> None:
    one = stage.segmenter()
    await stage.apply("loyal", when=THREE)
    for _ in range(3):
        await stage.order(one, "c1")
    await stage.settle(one)
    await stage.segments.remove("shop", "loyal", by="test")
    await stage.settle(one)
    assert await stage.pool.fetchval("select count(*) from segment_records") == 0
    assert await Behaviours(stage.pool).progress("shop") == []
    await stage.apply("again", when=THREE)
    await stage.settle(one)
    assert await stage.members("again") == ["c1"]


async def test_a_window_that_is_changed_is_counted_anew_and_the_difference_is_told(stage: Counted) -> None:
    one, term = stage.segmenter(), THREE["events"]
    await stage.apply("loyal", when=THREE)
    await stage.settle(one)
    for customer in ("c1", "c1", "c1", "c2", "c2"):
        await stage.order(one, customer)
    await stage.settle(one)
    stage.now += timedelta(minutes=30)
    await stage.apply("loyal", version=2, when={"events": {**term, "count": {"at_least": 2}}})
    await stage.settle(one)
    await stage.apply("loyal", version=3, when={"events": {**term, "within": "20m"}})
    await stage.settle(one)
    assert sorted(stage.told()) == [
        ("entered", "loyal", "c1"), ("entered", "loyal", "c2"), ("left", "loyal", "c1"), ("left", "loyal", "c2")
    ]  # fmt: skip
    assert len(await Behaviours(stage.pool).progress("shop")) == 1


async def test_a_segment_that_is_defined_again_at_once_has_missed_nothing(stage: Counted) -> None:
    """The behaviour is still there, and nobody asked for it when an event came."""
    one = stage.segmenter()
    await stage.apply("loyal", when=THREE)
    await stage.order(one, "c1")
    await stage.settle(one)
    _, ready = stage.lanes[-1]
    await stage.segments.remove("shop", "loyal", by="test")
    await stage.order(one, "c1")
    async with asyncio.timeout(60):
        while not await one.counter.bring_in(ready):
            pass
    await stage.apply("again", when=THREE)
    await stage.order(one, "c1")
    await stage.settle(one)
    assert await stage.members("again") == ["c1"]


async def test_a_second_segment_does_not_wait_for_and_does_not_disturb_the_first(stage: Counted) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.apply("loyal", when=THREE)
    await stage.settle(one)
    for _ in range(2):
        await stage.order(one, "c1")
    await stage.settle(one)
    await stage.apply("never", when=NEVER)
    lane = Counter.lane(stage.wiring, is_ready=False)
    await stage.look(other, lane)  # it begins, and is not done yet
    await stage.order(one, "c1")
    await asyncio.gather(stage.count(one), stage.count(one))
    await other.counter.bring_in(lane)
    await Counter.end(lane)
    await stage.settle(other)
    assert (stage.told(), await stage.members("never")) == ([("entered", "loyal", "c1")], [])


async def test_an_erased_customer_did_nothing_and_may_begin_anew(stage: Counted) -> None:
    one = stage.segmenter()
    await stage.apply("loyal", when=THREE)
    await stage.settle(one)
    for _ in range(3):
        await stage.order(one, "c1")
    await stage.settle(one)
    stage.now += timedelta(minutes=1)
    await stage.take(one, stage.tombstone("c1"))
    assert await stage.pool.fetchval("select count(*) from segment_records") == 0
    await stage.apply("never", when=NEVER)  # reads the topic from its beginning
    await stage.settle(one)
    assert (await stage.members("loyal"), await stage.segments.customers("shop")) == ([], 0)
    stage.now += timedelta(minutes=1)
    await stage.order(one, "c1")
    await stage.settle(one)
    assert (await stage.members("loyal"), await stage.members("never")) == ([], [])
    assert await stage.pool.fetchval("select count(*) from segment_records") == 2


async def test_records_that_retention_took_are_not_taken_for_none(stage: Counted) -> None:
    """Of a window that begins before what is known, only what further events cannot change is said."""
    one = stage.segmenter()
    for customer in ("c1", "c1", "c1", "c2"):
        await stage.order(one, customer)
    await stage.take(one, stage.record("c3"))
    await delete_first(stage)
    await stage.apply("quiet", when=NONE)
    await stage.apply("busy", when=THREE)
    await stage.settle(one)
    reasons = {row["segment_id"]: row["reason"] for row in await stage.segments.unjudged_of_customer("shop", "c3")}
    since = [progress.since for progress in await Behaviours(stage.pool).progress("shop")]
    assert reasons.keys() == {"quiet", "busy"} if any(since) else not reasons
    stage.now += timedelta(hours=3)
    await stage.settle(one)
    assert {"c3"} <= set(await stage.members("quiet"))
    assert await stage.segments.unjudged_of_customer("shop", "c3") == []


async def test_records_that_went_while_nobody_read_them_are_not_taken_for_none(stage: Counted) -> None:
    one = stage.segmenter()
    await stage.apply("loyal", when=THREE)
    await stage.settle(one)
    await stage.end_lanes()
    for _ in range(3):
        await stage.order(one, "c1")
    await delete_first(stage)
    await stage.settle(one)
    (reason,) = [row["reason"] for row in await stage.segments.unjudged_of_customer("shop", "c1")]
    assert ("known since" in reason, await stage.members("loyal")) == (True, [])
    await stage.order(one, "c1")
    await stage.settle(one)
    assert await stage.members("loyal") == ["c1"]


async def delete_first(stage: Counted) -> None:
    """Have Kafka forget the first record of each partition."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    name, admin = stage.wiring.topic("events.orders"), AdminClient(stage.wiring.settings.kafka.client())
    places = [TopicPartition(name, number, 1) for number in range(stage.wiring.topics.partitions)]
    for done in admin.delete_records(places).values():
        with contextlib.suppress(Exception):  # a partition without a record
            await asyncio.to_thread(done.result, 60)


def expected(
    orders: list[tuple[str, str, datetime, int]], customers: set[str], now: datetime, zone: ZoneInfo
) -> dict[str, set[str]]:
    """The members of each segment, by looking at all orders."""
    seen: set[tuple[str, str]] = set()
    of: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for customer, identity, at, amount in orders:
        if (customer, identity) not in seen:
            seen.add((customer, identity))
            of[customer].append((at, amount))
    everybody = customers | of.keys()
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = {n: now - timedelta(hours=n) for n in (1, 2, 3)}
    return {
        "three": {c for c in everybody if sum(at >= hours[2] and n >= 100 for at, n in of[c]) >= 3},
        "none": {c for c in everybody if not any(at >= hours[1] for at, _ in of[c])},
        "spent": {c for c in everybody if sum(n for at, n in of[c] if at >= midnight) >= 500},
        "lapsed": {c for c in everybody if of[c] and max(at for at, _ in of[c]) < hours[3]},
    }


@pytest.mark.parametrize("seed", [1, 2])
async def test_members_are_those_of_brute_force_whoever_dies_when(stage: Counted, seed: int) -> None:
    """Late orders, orders told twice, segmenters that die before and after their commits, and others beside them."""
    rng, zone = random.Random(seed), ZoneInfo("Europe/Warsaw")
    conditions = {"three": THREE, "none": NONE, "spent": SPENT, "lapsed": LAPSED}
    producer, profiles = stage.segmenter(), {"c0", "c1"}
    await stage.take(producer, *(stage.record(one) for one in sorted(profiles)))

    async def whole(work: Callable[[Segmenter], Awaitable[Any]]) -> None:
        while rng.random() < 0.4:
            step = rng.choice(["write", "tell", "_publish"])
            with contextlib.suppress(ZeroDivisionError):
                await work(dying(stage.segmenter(), step, after=rng.random() < 0.5))
        await asyncio.gather(work(stage.segmenter()), *([stage.count(stage.segmenter())] if rng.random() < 0.5 else []))

    for turn in range(10):
        stage.now += timedelta(minutes=rng.randrange(1, 100))
        if turn % 2 == 0 and conditions:
            name = sorted(conditions)[0]
            await stage.apply(name, when=conditions.pop(name), timezone="Europe/Warsaw")
        for _ in range(rng.randrange(4)):
            late = timedelta(minutes=rng.randrange(150) if rng.random() < 0.3 else 0)
            told = rng.random() < 0.2 and stage.orders
            customer, identity, at, amount = rng.choice(stage.orders) if told else ("", "", stage.now - late, 0)
            customer, amount = customer or f"c{rng.randrange(5)}", amount or rng.choice([40, 100, 300])
            await stage.order(producer, customer, amount, identity=identity, at=at)
        await whole(stage.settle)
        await stage.look_at_due(producer)
        await stage.compute(producer)
        wanted = expected(stage.orders, profiles, stage.now, zone)
        for name in sorted(wanted.keys() - conditions.keys()):
            assert set(await stage.members(name)) == wanted[name], (turn, name, stage.now)
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in {one["id"]: one for one in stage.events()}.values():
        kinds[one["data"]["segment"]["id"], one["data"]["customer"]["id"]].append(one["type"].rpartition(".")[2])
    assert len(kinds) > 4
    for some in kinds.values():
        assert all(first != second for first, second in pairwise(some))
