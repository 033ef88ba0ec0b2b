"""Fetched records, read so that no record of any kind ends the reading.

aiokafka's parser takes header names for UTF-8, which no broker checks, and raises inside the fetcher where one is not.
A batch that it cannot read is read once more by its slow twin, any bytes in names allowed. One that is damaged as a
whole is asked for again, and if it stays so it is handed over as one `Unreadable`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, SupportsIndex

import structlog
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

from schemas.dead_letter import WHOLE_BATCH
from schemas.errors import Undecodable

log = structlog.get_logger()

_LENGTH = struct.Struct(">qi")
"""The base offset and the length of what follows: the start of a batch, and of a message of the old formats."""
_ASKED_AGAIN = 2
"""A bit that fell over on the way is right the next time; one on the broker's disk is wrong each time."""


class Unreadable:
    """A batch whose records cannot be told apart, in the place of its last one; `raw` is the batch as it came."""

    key = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp = -1

    def __init__(self, first: int, offset: int, raw: bytes, why: str) -> None:
        self.first, self.offset, self.raw, self.why = first, offset, raw, why
        self._message = f"a damaged batch, offsets {first} to {offset}: {why}; its bytes are kept whole"

    @property
    def value(self) -> bytes:
        """Refused: what the records were is not known."""
        raise Undecodable(self._message, path=WHOLE_BATCH)


class FetchedBatch:
    """A batch as the C parser has it, with its bytes at hand for what that cannot read."""

    _damaged: dict[tuple[Any, int], int] = {}
    """The number of times that a damaged batch was fetched in this process, by partition and first offset."""

    def __init__(self, parsed: Any, whole: bytes, start: int, end: int) -> None:
        self._parsed, self._whole, self._start, self._end = parsed, whole, start, end
        self._why = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parsed, name)

    def __next__(self) -> Any:
        return next(self._parsed)

    def is_usable(self, partition: Any) -> bool:
        """True where to go on with it: false where its checksum is wrong, until it has been asked for often enough."""
        if self._parsed.validate_crc():
            return True
        place = partition, self._first()
        self._damaged[place] = tries = self._damaged.get(place, 0) + 1
        log.error("batch_damaged", partition=str(partition), offset=place[1], tries=tries)
        if tries <= _ASKED_AGAIN:
            return False
        del self._damaged[place]
        self._why = "its checksum is wrong"
        return True

    def __iter__(self) -> Iterator[Any]:
        """Its records: the parser's own where it can read them all."""
        if self._why:
            return iter((self._unreadable(self._why),))
        try:
            return iter(list(self._parsed))
        except UnicodeDecodeError:
            pass
        except (UnsupportedCodecError, MemoryError):
            raise
        except Exception as error:
            return iter((self._unreadable(f"{type(error).__name__} {error}".rstrip()),))
        try:
            return iter(_with_any_header_names(self._raw()))
        except Exception as error:
            return iter((self._unreadable(f"{type(error).__name__} {error}".rstrip()),))

    def _raw(self) -> bytes:
        return self._whole[self._start : self._end]

    def _first(self) -> int:
        offset: int = _LENGTH.unpack_from(self._whole, self._start)[0]
        return offset

    def _unreadable(self, why: str) -> Unreadable:
        return Unreadable(self._first(), self._parsed.next_offset - 1, self._raw(), why)


class FetchedRecords:
    """`MemoryRecords` of aiokafka, whose batches are `FetchedBatch`."""

    def __init__(self, whole: bytes) -> None:
        self._whole, self._parsed, self._at = whole, MemoryRecords(whole), 0
        self.has_next, self.size_in_bytes = self._parsed.has_next, self._parsed.size_in_bytes

    def next_batch(self) -> FetchedBatch | None:
        """The next batch; None at the end."""
        parsed, start = self._parsed.next_batch(), self._at
        if parsed is None:
            return None
        self._at = start + _LENGTH.size + _LENGTH.unpack_from(self._whole, start)[1]
        return FetchedBatch(parsed, self._whole, start, self._at)


def read_leniently() -> None:
    """Have every consumer of aiokafka in this process read so; its fetcher takes the class from its module."""
    fetcher.MemoryRecords = FetchedRecords


class _Bytes(bytearray):
    """Bytes whose slices become text without loss, UTF-8 or not."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, errors)


def _with_any_header_names(raw: bytes) -> list[Any]:
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    batch._buffer = _Bytes(batch._buffer)
    # the C version of `decode_varint` reads past the end of a broken batch
    records = [batch._read_msg(decode_varint_py) for _ in range(batch._num_records)]
    if batch._pos != len(batch._buffer):
        raise CorruptRecordException(f"{len(batch._buffer) - batch._pos} bytes after the last record")
    return records
