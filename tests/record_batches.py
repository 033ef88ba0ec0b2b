"""Record batches made by hand, for what no producer would write, and their way into a real broker."""

from __future__ import annotations

import gzip
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

LOG_APPEND_TIME = 8
_RECENT = (int(time.time()) - 3600) * 1000
"""What is older than its topic keeps may be taken out at any time."""


class Made(NamedTuple):
    """A record, with header names as bytes."""

    value: bytes | None = b""
    key: bytes | None = b"c1"
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    timestamp: int = _RECENT


@dataclass(frozen=True)
class Layout:
    """The form of a batch: its compression (0 none, 1 gzip), its other attributes, and what is wrong with it."""

    codec: int = 0
    attributes: int = 0
    wrong_checksum: bool = False
    base_offset: int = 0


def varint(number: int) -> bytes:
    """Zig-zag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _sized(raw: bytes | None) -> bytes:
    return varint(-1) if raw is None else varint(len(raw)) + raw


def _record(made: Made, delta: int, since: int) -> bytes:
    headers = b"".join(_sized(name) + _sized(value) for name, value in made.headers)
    body = b"\0" + varint(made.timestamp - since) + varint(delta) + _sized(made.key) + _sized(made.value)
    body += varint(len(made.headers)) + headers
    return varint(len(body)) + body


def record_batch(records: Sequence[Made], layout: Layout = Layout()) -> bytes:
    """A batch of format v2. Source: Kafka protocol guide, "Record Batch"."""
    since = records[0].timestamp
    body = b"".join(_record(one, delta, since) for delta, one in enumerate(records))
    if layout.codec == 1:
        body = gzip.compress(body)
    latest, last = max(one.timestamp for one in records), len(records) - 1
    attributes = layout.codec | layout.attributes
    checked = struct.pack(">hiqqqhii", attributes, last, since, latest, -1, -1, -1, len(records)) + body
    checksum = calc_crc32c(checked) ^ layout.wrong_checksum
    rest = struct.pack(">ibI", -1, 2, checksum) + checked
    return struct.pack(">qi", layout.base_offset, len(rest)) + rest


async def produce_raw(bootstrap: str, topic: str, partition: int, batch: bytes) -> int:
    """Write a batch as it is; the broker's error code, 0 where it was taken."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        request = ProduceRequest(
            transactional_id=None, required_acks=-1, timeout=30_000, topics=[(topic, [(partition, batch)])]
        )
        answer = await client.send(leader, request)
        code: int = answer.topics[0][1][0][1]
        return code
    finally:
        await client.close()
