"""Three brokers of which one is lost."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from agents.broker.topics import make, wait_until_led
from deploy.embedded.kafka import KafkaCluster, KafkaServer
from deploy.settings.servers import Kafka, Topics
from deploy.settings.settings import Settings
from tests.faults.harness import FULL, Load, matchers

pytestmark = pytest.mark.timeout(900 if FULL else 600)

RATE = 1000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """Brokers that the test may break."""
    made = KafkaCluster(tmp_path / "cluster", os.environ)
    yield made
    made.stop()


async def test_a_leader_is_lost(cluster: KafkaCluster, settings: Settings, tmp_path: Path) -> None:
    """One broker after the other: the group's coordinator and the leaders of partitions are among them."""
    bootstrap = await asyncio.to_thread(cluster.start)
    three = Settings(
        kafka=Kafka(bootstrap=bootstrap),
        postgres=settings.postgres,
        topics=Topics(prefix="three.", partitions=4, replication=3),
    )
    rng = random.Random(101)
    async with matchers(three, tmp_path) as load:
        for lost in cluster.nodes if FULL else cluster.nodes[:1]:
            await load.feed(1000, RATE, rng, lambda _: None)
            await asyncio.to_thread(lost.kill)
            await load.feed(2000, RATE, rng, lambda _: None)
            await load.check()
            await asyncio.to_thread(lost.start)
            await load.running.until(lambda: _in_sync(load, cluster.nodes), "every copy is in step again")
        await load.feed(500, RATE, rng, lambda _: None)
        await load.check()


async def test_topics_are_made_once_enough_brokers_are_there(cluster: KafkaCluster) -> None:
    """A cluster that starts, or fences a broker that was busy, has too few of them for a moment."""
    first, second, third = (asyncio.to_thread(node.start) for node in cluster.nodes)
    admin, new = AdminClient({"bootstrap.servers": ",".join(await asyncio.gather(first, second))}), NewTopic("a", 2, 3)
    refused = await asyncio.to_thread(lambda: admin.create_topics([new])["a"].exception(60))
    assert isinstance(refused, KafkaException)
    assert refused.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR
    making = asyncio.create_task(asyncio.to_thread(make, admin, [new], seconds=300))
    _, still = await asyncio.wait({making}, timeout=1)
    assert still == {making}
    await third
    await making
    await asyncio.to_thread(wait_until_led, admin, {"a": 2})
    await asyncio.to_thread(make, admin, [new])


def _in_sync(load: Load, nodes: list[KafkaServer]) -> bool:
    topics = AdminClient(load.running.wiring.settings.kafka.client()).list_topics(timeout=10).topics
    return all(
        len(partition.isrs) == len(nodes)
        for name, topic in topics.items()
        if name.startswith(load.running.wiring.settings.topics.prefix)
        for partition in topic.partitions.values()
    )
