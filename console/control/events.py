"""Events from a file of JSON lines into their topics, each checked as a matcher would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.clock import utc_now
from agents.wiring import Wiring
from schemas.errors import BadRecord, InvalidEvent
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from schemas.topics import CUSTOMERS
from schemas.wire.json_text import decode_json
from streams.events import read_customer, read_event
from streams.upstream import unwrapped

_HAND = 1000


@dataclass(slots=True)
class Published:
    """How many records went where, and which lines did not."""

    topics: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def publish_file(file: Path, wiring: Wiring, *, customers: bool) -> Published:
    """Publish every valid line. With `customers` the lines are profiles. Raises TryLater while Kafka is away."""
    published = Published()
    producer = Producer(wiring.settings.kafka.client())
    try:
        for hand in _hands(_outputs(file, wiring, published, customers=customers)):
            await write_all(producer, hand)
    finally:
        producer.close(1.0)
    return published


def _outputs(file: Path, wiring: Wiring, published: Published, *, customers: bool) -> Iterator[Output]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                topic, key, record = _read(line.strip(), wiring, customers=customers)
            except BadRecord as error:
                published.problems.append(f"{file}:{number}  {error}")
                continue
            published.topics[topic] = published.topics.get(topic, 0) + 1
            yield Output(wiring.topic(topic), key, wiring.codec(topic).encode(record))


def _read(line: bytes, wiring: Wiring, *, customers: bool) -> tuple[str, bytes, Any]:
    record = decode_json(line)
    if not isinstance(record, dict):
        raise InvalidEvent("a line is one JSON object")
    default = wiring.default_project
    if customers:
        key = wiring.key(wiring.project, str(record.get("id", "")))
        return CUSTOMERS, key, read_customer(record, key, default)
    record = unwrapped(record, (), wiring.project)
    trigger = TRIGGERS.get(str(record.get("type")))
    if trigger is None:
        raise InvalidEvent(f"type {record.get('type')!r} is not known; there are: {', '.join(TRIGGERS)}", path="type")
    data = record.get("data")
    customer = data.get("customer") if isinstance(data, dict) else None
    identity = str(customer.get("id", "") if isinstance(customer, dict) else "")
    key = wiring.key(str(record.get("project_id", "")), identity)
    limit = wiring.settings.matcher.max_future
    read_event(record, trigger.topic, key, now=utc_now(), max_future=limit, default_project=default)
    return trigger.topic, key, msgspec.convert(record, Event)


def _hands(outputs: Iterable[Output]) -> Iterator[list[Output]]:
    hand: list[Output] = []
    for output in outputs:
        hand.append(output)
        if len(hand) == _HAND:
            yield hand
            hand = []
    if hand:
        yield hand
