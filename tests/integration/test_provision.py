"""Topics on a real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from agents.broker import topics
from agents.broker.partitioner import partition_of
from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader, headers_of
from agents.broker.records import Output
from agents.broker.topics import Provision, wait_until_led
from agents.wiring import Wiring
from console.control.topics import copy_kept
from deploy.settings.servers import Kafka, Topics
from deploy.settings.settings import Settings
from schemas.errors import CannotStart, TidingsError, TryLater
from schemas.topics import CHANGELOGS, CUSTOMERS, RECENT, TOPICS, changelog
from tests.record_batches import Made, produce_raw, record_batch


def test_what_is_planned_is_applied_and_then_nothing_is_left(settings: Settings) -> None:
    provision = Provision(Wiring(settings))
    with pytest.raises(CannotStart, match=r"topics are missing: .*tidings topics apply"):
        provision.check()
    assert {change.kind for change in provision.plan()} == {"create"}
    assert len(provision.apply()) == len(TOPICS) + len(CHANGELOGS)
    assert provision.plan() == []
    provision.check()


def test_what_is_made_can_be_read_at_once(settings: Settings) -> None:
    wiring = Wiring(settings)
    Provision(wiring).apply()
    admin = AdminClient(settings.kafka.client())
    places = [TopicPartition(wiring.topic(name), 0) for name in (*TOPICS, *CHANGELOGS)]
    ends = admin.list_offsets({place: OffsetSpec.latest() for place in places})
    assert [end.result(30).offset for end in ends.values()] == [0] * len(places)


async def test_a_topic_that_is_made_and_that_the_broker_does_not_know_yet_is_waited_for(settings: Settings) -> None:
    admin, orders = AdminClient(settings.kafka.client()), NewTopic(Wiring(settings).topic("events.orders"), 2, 1)
    waiting = asyncio.create_task(asyncio.to_thread(wait_until_led, admin, {orders.topic: 2}))
    _, still = await asyncio.wait({waiting}, timeout=0.5)
    assert still == {waiting}, "nobody lists it, so nobody leads it"
    admin.create_topics([orders])[orders.topic].result(30)
    await waiting
    assert len(admin.list_topics(orders.topic).topics[orders.topic].partitions) == 2


def test_unequal_partition_counts_refuse_to_start_with_what_to_do(settings: Settings) -> None:
    wiring = Wiring(settings)
    admin = AdminClient(settings.kafka.client())
    orders = NewTopic(wiring.topic("events.orders"), 3, 1, config=TOPICS["events.orders"].settings())
    admin.create_topics([orders])[orders.topic].result()
    provision = Provision(wiring)
    provision.apply()
    with pytest.raises(CannotStart, match=r"must have equal partition counts.*events\.orders has 3"):
        provision.check()
    assert [change.kind for change in provision.plan()] == ["partitions"]


def test_what_somebody_else_set_for_a_topic_stays(settings: Settings) -> None:
    """Of ours the copies that have to be in step are set as well: what was made for one broker lacks that."""
    Provision(Wiring(settings)).apply()
    admin = AdminClient(settings.kafka.client())
    orders = Wiring(settings).topic("events.orders")
    own = {"message.timestamp.type": "LogAppendTime", "retention.bytes": "1000000", "retention.ms": "1"}
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in own.items()]
    asked = ConfigResource(ResourceType.TOPIC, orders, incremental_configs=entries)
    admin.incremental_alter_configs([asked])[asked].result(60)
    of_three = Provision(Wiring(replace(settings, topics=replace(settings.topics, replication=3))))
    assert {change.kind for change in of_three.apply()} == {"settings"}
    assert of_three.plan() == []
    (found,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, orders)]).values()
    told = {name: entry.value for name, entry in found.result(60).items()}
    wanted = {**own, **TOPICS["events.orders"].settings(), "min.insync.replicas": "2"}
    assert {name: told[name] for name in wanted} == wanted


def test_a_topic_that_another_makes_meanwhile_is_taken_with_the_partitions_that_it_has(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring, made_by_us = Wiring(settings), topics.make
    orders = NewTopic(wiring.topic("events.orders"), 3, 1, config=TOPICS["events.orders"].settings())

    def made_by_another_first(admin: AdminClient, new: Sequence[NewTopic]) -> None:
        admin.create_topics([orders])[orders.topic].result()
        made_by_us(admin, new)

    monkeypatch.setattr(topics, "make", made_by_another_first)
    provision = Provision(wiring)
    assert len(provision.apply()) == len(TOPICS) + len(CHANGELOGS)
    assert [change.kind for change in provision.plan()] == ["partitions"]


def test_a_count_that_differs_from_the_settings_is_said(settings: Settings) -> None:
    Provision(Wiring(settings)).apply()
    other = replace(settings, topics=replace(settings.topics, partitions=5))
    with pytest.raises(CannotStart, match=r"set topics\.partitions = 4"):
        Provision(Wiring(other)).check()


def test_a_broker_that_is_not_there_is_said_to_pass() -> None:
    wiring = Wiring(Settings(kafka=Kafka(bootstrap="127.0.0.1:1")))
    with pytest.raises(TryLater, match=r"127\.0\.0\.1:1 does not answer"):
        Provision(wiring, timeout=0.5).check()


async def test_what_is_kept_moves_to_topics_with_more_partitions_by_key(settings: Settings) -> None:
    old = Wiring(settings)
    new = Wiring(replace(settings, topics=Topics(prefix=settings.topics.prefix + "v2.", partitions=6)))
    for wiring in (old, new):
        Provision(wiring).apply()
    keys = [f"c{number}" for number in range(50)]
    producer = Producer(settings.kafka.client())
    rows = old.topic(changelog(RECENT))
    erased = 1_600_000_000_000
    for topic in (old.topic(CUSTOMERS), rows):
        await write_all(producer, [Output(topic, key.encode(), topic.encode()) for key in keys])
    producer.close()
    tombstone = record_batch([Made(None, b"c1", [(b"\xff", b"a name that is not UTF-8")], erased)])
    for topic in (old.topic(CUSTOMERS), rows):
        assert await produce_raw(settings.kafka.bootstrap, topic, partition_of(b"c1", 4), tombstone) == 0
    copied_at = time.time() * 1000
    copied = await copy_kept(old, new)
    assert sorted(copied.values()) == [0, 0, 0, 0, 51, 51]
    for topic in (CUSTOMERS, changelog(RECENT)):
        with TopicReader(new, topic) as reader:
            found = list(reader.until_now())
            assert {message.key().decode() for message in found} == set(keys)
            assert all(message.partition() == reader.partition_of(message.key().decode()) for message in found)
            assert len({message.partition() for message in found}) == 6
            assert all(message.timestamp()[1] < copied_at for message in found)
            assert [message.timestamp()[1] for message in found if message.value() is None] == [erased]
    with pytest.raises(TidingsError, match=r"v2\.customers holds records already"):
        await copy_kept(old, new)


async def test_headers_with_a_name_that_is_not_utf_8_are_none_however_many_were_read_before(settings: Settings) -> None:
    wiring = Wiring(settings)
    Provision(wiring).apply()
    topic, plain = wiring.topic(CUSTOMERS), ("a", b"b")
    producer = Producer(settings.kafka.client())
    await write_all(producer, [Output(topic, b"c1", b"{}", 0, [plain]) for _ in range(200)])
    producer.close()
    odd = record_batch([Made(b"{}", b"c1", [(b"\xff", b"x"), (b"a", b"b")])] * 20)
    assert await produce_raw(settings.kafka.bootstrap, topic, 0, odd) == 0
    with TopicReader(wiring, CUSTOMERS) as reader:
        assert [headers_of(message) for message in reader.until_now([0])] == [*[[plain]] * 200, *[[]] * 20]
