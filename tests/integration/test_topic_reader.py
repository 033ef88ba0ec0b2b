"""Topics read while retention takes out what is old, on a real Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from tests.integration.api_client import wired

TOPIC = "events.orders"


class Interrupted(TopicReader):
    """Has something happen once it knows where the log begins and ends."""

    meanwhile: Callable[[], None] | None = None

    def bounds(self, partition: int) -> tuple[int, int]:
        found = super().bounds(partition)
        happens, self.meanwhile = self.meanwhile, None
        if happens:
            happens()
        return found


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, (TOPIC,)) as made:
        yield made


async def write(wiring: Wiring, *values: bytes) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(TOPIC), b"c1", value) for value in values])
    producer.close()


def take_out(wiring: Wiring, until: int) -> None:
    admin, place = AdminClient(wiring.settings.kafka.client()), TopicPartition(wiring.topic(TOPIC), 0, until)
    for future in admin.delete_records([place]).values():
        future.result(30)


@pytest.mark.parametrize("start", [{}, {0: 1}])
@pytest.mark.parametrize(("until", "left"), [(2, [b"2", b"3"]), (4, [])])
async def test_what_is_taken_out_before_it_was_read_is_passed_over(
    wiring: Wiring, start: dict[int, int], until: int, left: list[bytes]
) -> None:
    await write(wiring, b"0", b"1", b"2", b"3")
    reader = Interrupted(wiring, TOPIC)
    with reader:
        reader.meanwhile = lambda: take_out(wiring, until)
        assert [one.value() for one in reader.until_now(start=start)] == left
