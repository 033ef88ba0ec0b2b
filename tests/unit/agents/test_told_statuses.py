"""The moment up to which statuses are read, by what the broker tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.broker.lag import Lag
from agents.told_statuses import ToldStatuses

START = datetime(2026, 3, 2, tzinfo=UTC)


class Topic:
    """The partitions of a topic, each read up to an offset of so many; every question takes a second."""

    def __init__(self, *partitions: tuple[int | None, int]) -> None:
        self.partitions, self.now = partitions, START

    async def lags(self) -> list[Lag]:
        return [Lag("g", "delivery.status", at, read, end) for at, (read, end) in enumerate(self.partitions)]

    async def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


async def looked(topic: Topic, told: ToldStatuses) -> datetime:
    await told.look()
    return told.until


async def test_nothing_is_known_before_all_that_was_there_is_read() -> None:
    topic = Topic((None, 5), (3, 3))
    told = ToldStatuses(topic.lags, topic.clock)
    assert await looked(topic, told) < START
    topic.partitions = (4, 9), (3, 7)
    assert await looked(topic, told) < START, "one of the five is left"
    topic.partitions = (5, 11), (3, 7)
    assert await looked(topic, told) == after(1), "what came since the first look is not waited for"
    topic.partitions = (10, 20), (7, 20)
    assert await looked(topic, told) == after(1)
    topic.partitions = (11, 20), (7, 20)
    assert await looked(topic, told) == after(3)


async def test_where_all_is_read_it_is_known_at_once() -> None:
    topic = Topic((5, 5), (None, 0))
    told = ToldStatuses(topic.lags, topic.clock)
    assert await looked(topic, told) == after(1)
    assert await looked(topic, told) == after(2)


async def test_a_topic_without_partitions_has_nothing_to_tell() -> None:
    topic = Topic()
    assert await looked(topic, ToldStatuses(topic.lags, topic.clock)) == after(1)


async def test_a_topic_that_was_made_anew_or_has_grown_is_read_as_it_is_now() -> None:
    topic = Topic((0, 900))
    told = ToldStatuses(topic.lags, topic.clock)
    await told.look()
    topic.partitions = (900, 4), (0, 3)  # committed by the topic before: nothing of this one is read
    assert await looked(topic, told) < START
    topic.partitions = (4, 4), (0, 3)
    assert await looked(topic, told) == after(1), "the second partition was not there at that moment"
    topic.partitions = (4, 4), (3, 3)
    assert await looked(topic, told) == after(4)
