"""Records that no worker can read at the moment, and commits of topics that are no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.broker.lag import OPEN_SECONDS, LagReader
from agents.broker.wire import Wire
from schemas.errors import TidingsError, TryLater
from schemas.topics import TOPICS

_TIMEOUT = 10.0


def examine_records(wire: Wire, now: datetime) -> str:
    """A sentence about the records. Raises TidingsError where something has to be done, TryLater."""
    try:
        open_now = dict(_open_transactions(wire, now))
        anew = list(_made_anew(wire))
    except KafkaException as error:
        raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
    sentences = [*anew, *open_now]
    if anew or any(seconds > OPEN_SECONDS for seconds in open_now.values()):
        raise TidingsError("; ".join(sentences))
    return "; ".join(sentences) or "committed ones are read up to the end of each topic"


def _open_transactions(wire: Wire, now: datetime) -> Iterator[tuple[str, float]]:
    """A sentence for each that holds back what comes after it, and for how many seconds it is open."""
    client = {**wire.kafka.client(), "log_level": 0}
    admin = AdminClient(client)
    listed = admin.list_topics(timeout=_TIMEOUT).topics
    names = [wire.topic(name) for name in TOPICS]
    places = [TopicPartition(name, number) for name in names if name in listed for number in listed[name].partitions]
    ends = _ends(admin, places, IsolationLevel.READ_COMMITTED)
    for (topic, partition), written in _ends(admin, places, IsolationLevel.READ_UNCOMMITTED).items():
        readable = ends[topic, partition]
        if readable < written:
            seconds = _age(client, TopicPartition(topic, partition, readable), now)
            yield (
                f"{topic}-{partition}: a transaction is open from offset {readable} on, {seconds:.0f} s so far; "
                f"what comes after it ({written - readable} offsets) waits for its producer to commit or abort",
                seconds,
            )


def _ends(admin: AdminClient, places: list[TopicPartition], isolation: IsolationLevel) -> dict[tuple[str, int], int]:
    asked = {place: OffsetSpec.latest() for place in places}
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=_TIMEOUT) if asked else {}
    return {(place.topic, place.partition): answer.result(_TIMEOUT).offset for place, answer in answers.items()}


def _age(client: dict[str, object], place: TopicPartition, now: datetime) -> float:
    """For how long the record at `place` has been there; 0 where it is gone meanwhile."""
    reading = {"group.id": "tidings-console", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    consumer = Consumer({**client, **reading})
    try:
        consumer.assign([place])
        record = consumer.poll(_TIMEOUT)
        if record is None or record.error() is not None:
            return 0.0
        return float(max(0.0, now.timestamp() - record.timestamp()[1] / 1000))
    finally:
        consumer.close()


def _made_anew(wire: Wire) -> Iterator[str]:
    """A group's committed offset that its topic does not reach: a worker that runs commits anew by itself."""
    for one in LagReader(wire).read():
        if one.committed is not None and one.committed > one.end:
            yield (
                f"{one.topic}-{one.partition} ends at {one.end}, but {one.group} has committed {one.committed}: the "
                "topic was made anew; a worker of the group reads it from its beginning as soon as one runs"
            )
