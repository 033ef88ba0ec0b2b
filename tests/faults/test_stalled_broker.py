"""A broker that stands still for longer than its session, as by a long collection of garbage, and goes on.

The controller takes its partitions away meanwhile and gives them back. Some clients keep for good that nobody leads
them (confluentinc/librdkafka#5430, #5280): whoever reads has to get over that without being started again.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from agents.broker.extents import Extents
from agents.broker.follower import Follower
from agents.broker.lag import LagReader
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.broker.writer import Writer
from agents.wiring import Wiring
from deploy.embedded.kafka import KafkaServer
from deploy.settings.servers import Kafka
from deploy.settings.settings import Settings
from schemas.errors import TryLater
from schemas.topics import CUSTOMERS, DECISIONS
from tests.faults.harness import FULL

T = TypeVar("T")

pytestmark = pytest.mark.timeout(900)

STALLS = 8 if FULL else 2
SESSION = 9.0
"""Seconds after which a broker that says nothing is fenced: Kafka's default."""
PATIENCE = 100.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker that the test may stop."""
    made = KafkaServer(tmp_path / "kafka", os.environ)
    made.start()
    yield made
    made.kill()


def test_readers_get_over_a_broker_that_stood_still(broker: KafkaServer, settings: Settings) -> None:
    wiring = Wiring(replace(settings, kafka=Kafka(bootstrap=broker.bootstrap)))
    Provision(wiring).apply()
    rng, writer, topic = random.Random(7), Writer(wiring.settings.kafka.client()), wiring.topic(DECISIONS)
    reader, lag, follower = TopicReader(wiring, DECISIONS), LagReader(wiring), Follower(wiring)
    places = [(topic, number) for number in reader.partitions]
    written, followed, over = 0, 0, Event()

    def write(count: int) -> None:
        nonlocal written
        outputs = [Output(topic, b"c", b"{}", number % len(places)) for number in range(count)]
        written += sum(one.refused is None for one in writer.write(outputs))

    def has_read() -> bool:
        return sum(1 for _ in reader.until_now()) == written

    def knows_lag() -> bool:
        return sum(one.lag for one in lag.read("recorder", topics=(DECISIONS,))) == written

    def has_followed() -> bool:
        nonlocal followed
        followed += sum(len(one.records) for one in follower.fetch(1000, 0.2).stretches.values())
        return followed == written and sum(follower.ends(one)[1] for one in places) == written

    def go_on(look: Callable[[], bool]) -> None:
        while not over.is_set():
            _tried(look)

    write(100)
    follower.follow(dict.fromkeys(places, 0))
    looks = (has_read, knows_lag, has_followed)
    for _ in range(STALLS):
        over.clear()
        with ThreadPoolExecutor() as pool:
            going = [pool.submit(go_on, look) for look in looks]
            _stall(broker, SESSION + rng.uniform(1, 9))
            write(100)
            over.set()
        for one in going:
            one.result()
        deadline = time.monotonic() + PATIENCE
        left = list(looks)
        while left := [look for look in left if not _tried(look)]:
            assert time.monotonic() < deadline, [look.__name__ for look in left]
    for used in (reader, lag, follower):
        used.close()


def test_offsets_and_commits_of_a_broker_that_starts_again(broker: KafkaServer, settings: Settings) -> None:
    """Leaders of before are not asked; and while a coordinator is loaded, no group is said not to have begun."""
    wiring = Wiring(replace(settings, kafka=Kafka(bootstrap=broker.bootstrap)))
    Provision(wiring).apply()
    for role, offset in (("matcher", 3), ("segmenter", 5)):
        group = Consumer({**wiring.settings.kafka.client(), "group.id": wiring.group(role)})
        places = [TopicPartition(wiring.topic(CUSTOMERS), number, offset) for number in range(4)]
        _in_time(partial(group.commit, offsets=places, asynchronous=False))
        group.close()
    lag, extents = LagReader(wiring), Extents(wiring, patience=PATIENCE)
    known = _in_time(lambda: extents.read([CUSTOMERS]))
    for again in range(STALLS):
        if again:
            broker.kill()
            broker.start()
        assert extents.of([(one.topic, one.partition) for one in known]) == known
        read = _in_time(lambda: lag.read("matcher", "segmenter", "sender", topics=(CUSTOMERS,)))
        assert [(one.group, one.committed) for one in read] == [
            (wiring.group(role), offset)
            for role, offset in (("matcher", 3), ("segmenter", 5), ("sender", None))
            for _ in range(4)
        ]
    lag.close()
    extents.close()


def _in_time(look: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return look()
        except (KafkaException, TryLater):
            assert time.monotonic() < deadline


def _tried(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except TryLater:
        return False


def _stall(broker: KafkaServer, seconds: float) -> None:
    running = broker.process.running()
    assert running is not None
    os.kill(running.pid, signal.SIGSTOP)
    time.sleep(seconds)  # what is waited for is that nothing happens
    os.kill(running.pid, signal.SIGCONT)
