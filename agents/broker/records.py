"""A record as it comes from a topic, and as it goes onto one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes | None]]
"""Names as text; bytes of a fetched record's name that are not UTF-8 stand in it as lone surrogates."""


class Output(NamedTuple):
    """One record to write. `partition` -1 lets the key decide (murmur2); `timestamp` in Unix ms, 0 for now."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: Headers | None = None
    timestamp: int = 0


class Incoming(Protocol):
    """A fetched record, as aiokafka hands it over."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int | None:
        """Unix milliseconds, as the producer said; None in the oldest format."""

    @property
    def headers(self) -> Headers: ...
