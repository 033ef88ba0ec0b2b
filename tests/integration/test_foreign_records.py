"""Logs as other people's producers and brokers leave them: codecs, transactions, retention, compaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.broker.lag import LagReader
from agents.broker.reader import TopicReader
from agents.clock import utc_now
from agents.telemetry.health import ProgressWatch
from agents.transport.batch import Batch
from agents.wiring import Wiring
from console.control.doctor import examine
from tests.integration.batch_apps import TOPIC, running, until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Reader:
    """Records that a worker was given, and the offsets that its group has committed."""

    def __init__(self, wiring: Wiring, topic: str = TOPIC, group: str = "stall") -> None:
        self.values: list[bytes | None] = []
        self._wiring, self._topic, self._group = wiring, wiring.topic(topic), wiring.group(group)

    async def work(self, batch: Batch) -> None:
        self.values += [record.value for record in batch.records]

    def lag(self) -> int:
        """As lag monitors count it: the log's end less what is committed; without a commit, all of the log counts."""
        left = 0
        with consumer(self._wiring, self._group) as reader:
            partitions = reader.list_topics(self._topic).topics[self._topic].partitions
            for place in reader.committed([TopicPartition(self._topic, number) for number in partitions], timeout=30):
                left += reader.get_watermark_offsets(place, timeout=30)[1] - max(place.offset, -1)
        return left

    def _is_behind(self) -> bool:
        try:
            return self.lag() > 0
        except KafkaException:  # a topic that was just made or grown is not led everywhere
            return True

    async def until_all_committed(self, watch: ProgressWatch) -> None:
        """The worker says that nothing is left, and so does everybody else."""
        deadline = time.monotonic() + 60
        while await asyncio.to_thread(self._is_behind):
            assert time.monotonic() < deadline, watch.health()
            await watch.observe()
        await until(watch, lambda: watch.health().status == "ok" and not any(watch.health().lag.values()))


@contextmanager
def consumer(wiring: Wiring, group: str) -> Iterator[Consumer]:
    made = Consumer({
        **wiring.settings.kafka.client(), "group.id": group, "enable.auto.commit": False,
        "isolation.level": "read_uncommitted",
    })  # fmt: skip
    try:
        yield made
    finally:
        made.close()


def produced(
    wiring: Wiring, values: list[bytes], topic: str = TOPIC, partition: int = 0, codec: str = "none", key: str = "c1"
) -> None:
    producer = Producer({**wiring.settings.kafka.client(), "linger.ms": 50, "compression.type": codec})
    refused: list[Any] = []
    for value in values:
        producer.produce(
            wiring.topic(topic), value, key, partition, on_delivery=lambda error, _: error and refused.append(error)
        )
    assert producer.flush(60) == 0
    if refused:
        raise KafkaException(refused[0])


def transaction(wiring: Wiring, name: str) -> Producer:
    producer = Producer({**wiring.settings.kafka.client(), "transactional.id": wiring.topic(name), "linger.ms": 5})
    producer.init_transactions(30)
    return producer


async def stays_well(watch: ProgressWatch, seconds: float) -> None:
    """For longer than a stall takes."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        await watch.observe()
        assert watch.health().healthy, watch.health()
        await asyncio.sleep(0.1)


async def test_every_codec_is_read_by_workers_and_commands(wiring: Wiring, tmp_path: Path) -> None:
    expected = [f'{{"codec": "{codec}", "number": {number}}}'.encode() for codec in CODECS for number in range(50)]
    for codec in CODECS:
        produced(wiring, [value for value in expected if codec.encode() in value], codec=codec)
    reader = Reader(wiring)
    async with running(wiring, tmp_path, reader.work) as (_, watch):
        await until(watch, lambda: len(reader.values) >= len(expected))
        await reader.until_all_committed(watch)
    assert reader.values == expected
    with TopicReader(wiring, TOPIC) as console:
        assert [message.value() for message in console.until_now()] == expected


async def test_only_what_was_committed_is_read_and_markers_leave_no_lag(wiring: Wiring, tmp_path: Path) -> None:
    reader, topic = Reader(wiring), wiring.topic(TOPIC)
    good, bad = transaction(wiring, "good"), transaction(wiring, "bad")
    good.begin_transaction()
    bad.begin_transaction()
    for number in range(200):  # in turns, so that batches of both stand between each other's
        producer, value = (good, b"kept") if number % 2 else (bad, b"aborted")
        producer.produce(topic, value, b"c1", 0)
        if number % 20 == 19:
            producer.flush(30)
    bad.flush(30)
    bad.abort_transaction(30)
    good.commit_transaction(30)
    async with running(wiring, tmp_path, reader.work) as (_, watch):
        await reader.until_all_committed(watch)
        assert reader.values == [b"kept"] * 100
        bad.begin_transaction()  # nothing but an aborted batch and its marker: the position moves, no record comes
        bad.produce(topic, b"aborted", b"c1", 0)
        bad.flush(30)
        bad.abort_transaction(30)
        await reader.until_all_committed(watch)
        await stays_well(watch, 2.5)
        assert reader.values == [b"kept"] * 100
    with TopicReader(wiring, TOPIC) as console:
        assert [message.value() for message in console.until_now()] == [b"kept"] * 100


async def test_a_transaction_left_open_is_waited_for_and_named(wiring: Wiring, tmp_path: Path) -> None:
    reader, topic = Reader(wiring), wiring.topic(TOPIC)
    held = transaction(wiring, "held")
    async with running(wiring, tmp_path, reader.work) as (_, watch):
        watch._open_seconds = 0.5
        produced(wiring, [b"before"])
        held.begin_transaction()
        held.produce(topic, b"in it", b"c1", 0)
        held.flush(30)
        produced(wiring, [b"after"])
        await until(watch, lambda: watch.health().status == "waiting")
        await stays_well(watch, 2.5)
        (said,) = watch.health().waits_for
        assert said.startswith(f"{topic}-0: a transaction is open from offset 1 on")
        assert reader.values == [b"before"]
        with TopicReader(wiring, TOPIC) as console:
            assert [message.value() for message in console.until_now()] == [b"before"]
        assert f"{topic}-0: a transaction is open from offset 1 on" in await doctor(wiring)
        (lag,) = [one for one in LagReader(wiring, ("matcher",)).read() if (one.topic, one.partition) == (topic, 0)]
        assert (lag.end, lag.lag) == (1, 1)
        held.commit_transaction(30)
        await reader.until_all_committed(watch)
        assert (reader.values, watch.health().waits_for) == ([b"before", b"in it", b"after"], [])


async def test_records_that_were_deleted_before_they_were_read_are_no_work(
    wiring: Wiring, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before the group's first start, and while it reads; with and without anything that is left."""
    admin, topic = AdminClient(wiring.settings.kafka.client()), wiring.topic(TOPIC)
    for partition in range(4):
        produced(wiring, [b"old"] * 10, partition=partition)
    delete(admin, topic, {0: 10, 1: 10, 2: 4})
    reader = Reader(wiring)
    async with running(wiring, tmp_path, reader.work) as (app, watch):
        await reader.until_all_committed(watch)
        assert reader.values == [b"old"] * (6 + 10)
        app.consumer.stop_flow()
        produced(wiring, [b"lost"] * 5 + [b"new"], partition=1)
        delete(admin, topic, {1: 15})
        app.consumer.resume_flow()
        await reader.until_all_committed(watch)
        await stays_well(watch, 2.5)
    assert b"new" in reader.values
    said = capfd.readouterr()
    assert reader.values.count(b"lost") == 5 or "records_gone" in said.out + said.err


async def doctor(wiring: Wiring) -> str:
    """The sentence about the records."""
    return next(one.said for one in await examine(wiring, {}, utc_now()) if one.what == "records")


def delete(admin: AdminClient, topic: str, before: dict[int, int]) -> None:
    """Delete what stands before some offsets, once it is there: a transaction's markers come after its end is said."""
    places = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
    deadline = time.monotonic() + 90
    while any(future.result(30).offset < before[place.partition] for place, future in _ends(admin, places).items()):
        assert time.monotonic() < deadline, f"{topic}: not all of it was written"
        time.sleep(0.05)
    for future in admin.delete_records(places).values():
        future.result(30)


def _ends(admin: AdminClient, places: list[TopicPartition]) -> dict[TopicPartition, Any]:
    """The ends of partitions, whether they can be read yet or not."""
    ends: dict[TopicPartition, Any] = admin.list_offsets(
        {TopicPartition(place.topic, place.partition): OffsetSpec.latest() for place in places}
    )
    return ends
