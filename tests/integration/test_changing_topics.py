"""Topics that change while workers read them: more partitions, and another topic under the same name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from agents.broker.cluster import ClusterWatch
from agents.broker.topics import Provision
from agents.waiting import Waits
from agents.wiring import Wiring
from tests.integration.batch_apps import TOPIC, running, until
from tests.integration.test_foreign_records import Reader, produced, stays_well


def applied(change: Callable[[], object]) -> None:
    """A change to the cluster that has to wait for an earlier one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            change()
        except KafkaException:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


async def another_in_its_place(admin: AdminClient, made: NewTopic) -> None:
    """Delete and make, and wait until the broker leads the new one: until then it still writes to the old one's log."""
    topic = made.topic
    partitions = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(made.num_partitions)}

    def identity() -> object:
        return admin.describe_topics(TopicCollection([topic]))[topic].result(30).topic_id

    def is_there() -> bool:
        with suppress(KafkaException):  # between the two it knows of neither
            ends = [end.result(30).offset for end in admin.list_offsets(partitions).values()]
            return not any(ends) and identity() != before
        return False

    before = await asyncio.to_thread(identity)
    admin.delete_topics([topic])[topic].result(30)
    await asyncio.to_thread(applied, lambda: admin.create_topics([made])[topic].result(30))
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(is_there):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_partitions_that_are_added_are_said_and_the_others_go_on(wiring: Wiring, tmp_path: Path) -> None:
    """A matcher with rows by partition leaves new partitions of customers alone; without tables they are read."""
    admin, topic, waits = AdminClient(wiring.settings.kafka.client()), wiring.topic(TOPIC), Waits()
    with_rows, without = Reader(wiring), Reader(wiring, group="other")
    said = ClusterWatch(Provision(wiring), lambda *_: None, waits=waits)
    async with (
        running(wiring, tmp_path / "1", with_rows.work, consumer_metadata_max_age_ms=500) as (_, one),
        running(wiring, tmp_path / "2", without.work, group="other", has_table=False, consumer_metadata_max_age_ms=500)
        as (_, other),
    ):  # fmt: skip
        await until(one, lambda: one.health().status == "ok")
        admin.create_partitions([NewPartitions(topic, 6)])[topic].result(30)
        await until(one, lambda: one.health().status == "waiting")
        assert [text[: len(topic) + 2] for text in one.health().waits_for] == [f"{topic}-4", f"{topic}-5"]
        for partition in range(6):
            applied(partial(produced, wiring, [b"%d" % partition] * 3, partition=partition))
        await until(one, lambda: len(with_rows.values) >= 12)
        await without.until_all_committed(other)
        await stays_well(one, 2.5)
        assert sorted(set(with_rows.values), key=str) == [b"0", b"1", b"2", b"3"]
        assert sorted(set(without.values), key=str) == [b"0", b"1", b"2", b"3", b"4", b"5"]
        await said.look()
        assert said._said == {f"{topic} has 6 partitions, 4 are declared"}
        assert waits.what() == []


async def test_a_topic_made_anew_is_read_from_its_beginning_and_committed_again(wiring: Wiring, tmp_path: Path) -> None:
    admin, topic, reader = AdminClient(wiring.settings.kafka.client()), wiring.topic(TOPIC), Reader(wiring)
    async with running(wiring, tmp_path, reader.work, consumer_metadata_max_age_ms=500) as (app, watch):
        begun = list[str]()

        def begin_anew(name: str, since: float) -> None:
            begun.append(name)
            app.begin_anew(name, since)

        cluster = ClusterWatch(Provision(wiring), begin_anew, waits=Waits())
        produced(wiring, [b"old"] * 20)
        await reader.until_all_committed(watch)
        await cluster.look()  # the topic is there now, which it need not be before
        await another_in_its_place(admin, NewTopic(topic, 4, 1))
        await asyncio.to_thread(applied, lambda: produced(wiring, [b"new"] * 3))
        await until(watch, lambda: reader.values.count(b"new") >= 3)
        await cluster.look()
        await reader.until_all_committed(watch)
        await stays_well(watch, 2.5)
        produced(wiring, [b"newer"])
        await until(watch, lambda: b"newer" in reader.values)
        await reader.until_all_committed(watch)
    assert reader.values[:20] == [b"old"] * 20
    assert set(reader.values[20:]) == {b"new", b"newer"}
    assert begun == [topic]


async def test_a_topic_made_anew_that_has_outgrown_the_one_before_is_read_from_its_beginning(
    wiring: Wiring, tmp_path: Path
) -> None:
    """The position is there in the new one as well, so that no fetch says that anything has changed."""
    admin, topic, reader = AdminClient(wiring.settings.kafka.client()), wiring.topic(TOPIC), Reader(wiring)
    async with running(wiring, tmp_path, reader.work, consumer_metadata_max_age_ms=500) as (app, watch):
        cluster = ClusterWatch(Provision(wiring), app.begin_anew, waits=Waits())
        produced(wiring, [b"old"])
        await reader.until_all_committed(watch)
        await cluster.look()
        app.consumer.stop_flow()
        await another_in_its_place(admin, NewTopic(topic, 4, 1))
        await asyncio.to_thread(applied, lambda: produced(wiring, [b"1", b"2", b"3"]))
        app.consumer.resume_flow()
        await cluster.look()
        await until(watch, lambda: {b"1", b"2", b"3"} <= set(reader.values))
        await reader.until_all_committed(watch)
