"""The partition of a key among those of a topic: as Kafka's own clients decide it.

Source: `org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner`.
"""

from __future__ import annotations

_SEED, _MIX, _SHIFT = 0x9747B28C, 0x5BD1E995, 24
_UINT32, _POSITIVE = 0xFFFFFFFF, 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, of a topic that has so many."""
    return (murmur2(key) & _POSITIVE) % partitions


def murmur2(data: bytes) -> int:
    """The hash, as an unsigned number of 32 bits."""
    whole = len(data) & ~3
    result = _SEED ^ len(data)
    for at in range(0, whole, 4):
        mixed = int.from_bytes(data[at : at + 4], "little") * _MIX & _UINT32
        mixed = (mixed ^ mixed >> _SHIFT) * _MIX & _UINT32
        result = result * _MIX & _UINT32 ^ mixed
    if rest := data[whole:]:
        result = (result ^ int.from_bytes(rest, "little")) * _MIX & _UINT32
    result = (result ^ result >> 13) * _MIX & _UINT32
    return result ^ result >> 15
