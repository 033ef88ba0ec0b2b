"""The console looks for a key where every client of Kafka puts it."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as peer
from hypothesis import given
from hypothesis import strategies as st

from agents.broker.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # of Kafka's own test, org.apache.kafka.common.utils.UtilsTest
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=40), st.integers(1, 300))
def test_any_key_is_where_another_client_puts_it(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (peer(key) & 0x7FFFFFFF) % partitions
