"""The lean way of reading a fetch reply: the records that aiokafka reads, up to where nothing can be read."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record._crc32c import crc as crc32c
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from agents.transport.fetched import FetchedRecords, Unreadable
from agents.transport.fetching import Blocked, Fetcher, FetchWait, LeanRecords

ORDERS = TopicPartition("orders", 0)
_CRC_AT, _ATTRIBUTES_AT = 17, 21
_CONTROL = 0x20
COMMIT, ABORT = b"\x00\x00\x00\x01", b"\x00\x00\x00\x00"


@dataclass(frozen=True)
class Part:
    """A batch. `offsets` are relative to the last batch's end; `marker` makes it a control batch."""

    producer: int
    offsets: tuple[int, ...]
    marker: bytes | None = None


def written(first: int, part: Part, codec: int = 0) -> bytearray:
    transactional = part.producer > 0
    builder = DefaultRecordBatchBuilder(2, codec, transactional, part.producer if transactional else -1, 0, 0, 1 << 20)
    for offset in part.offsets:
        key = part.marker if part.marker else b"k"
        builder.append(offset, 0, key, b"value %d" % (first + offset), [])
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, first)
    if part.marker:
        (attributes,) = struct.unpack_from(">h", raw, _ATTRIBUTES_AT)
        struct.pack_into(">h", raw, _ATTRIBUTES_AT, attributes | _CONTROL)
    return with_checksum(raw)


def with_checksum(raw: bytearray) -> bytearray:
    struct.pack_into(">I", raw, _CRC_AT, crc32c(bytes(raw[_ATTRIBUTES_AT:])))
    return raw


def read(kind: type[Any], raw: bytes, aborted: list[tuple[int, int]], start: int = 0) -> tuple[list[Any], Any]:
    records = kind(
        ORDERS,
        FetchedRecords(raw) if kind is LeanRecords else MemoryRecords(raw),
        aborted,
        start,
        None,
        None,
        True,
        READ_COMMITTED,
    )
    return list(records), records


def log_of(parts: list[tuple[int, bool]]) -> tuple[bytes, list[tuple[int, int]]]:
    """A log in which two producers write in turns and end their transactions, and what the broker calls aborted."""
    raw, end, began, aborted = bytearray(), 0, dict[int, int](), list[tuple[int, int]]()
    for producer, is_end in parts:
        if producer and is_end:
            is_abort = producer % 2 == 0
            raw += written(end, Part(producer, (0,), ABORT if is_abort else COMMIT))
            if producer in began and is_abort:
                aborted.append((producer, began[producer]))
            began.pop(producer, None)
            end += 1
        else:
            raw += written(end, Part(producer, (0, 2, 3)))  # compaction took the second
            began.setdefault(producer, end)
            end += 4
    aborted += [(producer, first) for producer, first in began.items() if producer == 4]  # its marker is yet to come
    return bytes(raw), aborted


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 4]), st.booleans()), max_size=12), st.integers(0, 6))
def test_what_is_read_is_what_aiokafka_reads(parts: list[tuple[int, bool]], start: int) -> None:
    raw, aborted = log_of(parts)
    lean, ours = read(LeanRecords, raw, aborted, start)
    stock, theirs = read(PartitionRecords, raw, aborted, start)
    assert [(one.offset, one.key, one.value) for one in lean] == [(one.offset, one.key, one.value) for one in stock]
    assert ours.next_fetch_offset == theirs.next_fetch_offset


def of_an_unknown_codec(raw: bytearray) -> bytearray:
    struct.pack_into(">h", raw, _ATTRIBUTES_AT, 7)
    return with_checksum(raw)


def test_reading_stops_before_what_is_written_in_an_unknown_way_and_says_where() -> None:
    part = Part(0, tuple(range(20)))
    raw = written(0, part) + of_an_unknown_codec(written(20, part)) + written(40, part)
    records, state = read(LeanRecords, bytes(raw), [])
    *readable, mark = records
    assert [one.offset for one in readable] == list(range(20))
    assert type(mark) is Blocked
    assert (mark.offset, state.next_fetch_offset) == (20, 20)
    assert "codec" in mark.why.lower()


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_what_was_compressed_and_is_nonsense_becomes_one_record_that_cannot_be_read(codec: int) -> None:
    raw = written(0, Part(0, tuple(range(20))), codec)
    raw[70:] = bytes(len(raw) - 70)
    records, state = read(LeanRecords, bytes(with_checksum(raw) + written(20, Part(0, (0,)))), [])
    assert [(type(one) is Unreadable, one.offset) for one in records] == [(True, 19), (False, 20)]
    assert state.next_fetch_offset == 21


JAVA = json.loads((Path(__file__).parent / "golden" / "java_batches.json").read_text())
"""By codec, what the Java client 4.3.1 wrote (`ProducerPerformance`, one transaction): 20 records and a marker."""


@pytest.mark.parametrize("codec", sorted(JAVA))
def test_what_the_java_client_has_compressed_is_read(codec: str) -> None:
    records, state = read(LeanRecords, base64.b64decode(JAVA[codec]), [])
    assert [one.value for one in records] == [b'{"id": "ev1", "type": "customer.order.paid"}'] * 20
    assert [one.offset for one in records] == list(range(20))
    assert state.next_fetch_offset == 21


def test_a_fetch_waits_longer_each_time_that_it_finds_nothing_and_not_where_it_leaves_partitions_out() -> None:
    wait, waits = FetchWait(20), []
    for _ in range(50):
        assert wait.ms(is_whole=True) == 20
        wait.ended(found=False)
    for _ in range(6):
        waits.append(wait.ms(is_whole=True))
        assert wait.ms(is_whole=False) == 20
        wait.ended(found=False)
    assert waits == [20, 40, 80, 160, 160, 160]
    wait.ended(found=True)
    assert wait.ms(is_whole=True) == 20


def test_a_fetch_whose_setting_is_longer_waits_as_long_as_that() -> None:
    wait = FetchWait(500)
    wait.ended(found=False)
    assert (wait.ms(is_whole=True), wait.ms(is_whole=False)) == (500, 500)


def test_what_is_live_is_handed_over_before_bulk() -> None:
    """A call ends with so many records, those first that lay there first."""
    bulk, live = TopicPartition("events.manual", 0), TopicPartition("events.orders", 0)
    fetching = Fetcher.__new__(Fetcher)
    fetching._records, fetching.bulk_topics = {bulk: "a", live: "b"}, {"events.manual"}
    fetching.put_bulk_last()
    assert list(fetching._records) == [live, bulk]
