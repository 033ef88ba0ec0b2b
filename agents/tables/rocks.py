"""Table partitions on disk: one RocksDB each, so that a restart replays only what is new of the changelog.

Kafka has the truth: whatever is wrong with the files (missing, damaged, too old to be brought up to date), they are
thrown away and the rows are read from the changelog again.
"""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import rocksdict
import structlog

log = structlog.get_logger()

TOO_OLD_SECONDS = 12 * 3600.0
"""Rows that nobody has kept up for longer are rebuilt: the changelog may have dropped tombstones they have not seen
(`delete.retention.ms` of a compacted topic is a day by default)."""

_OFFSET = b"\xff offset"
"""Where the offset stands among the rows; no key is this, since keys are valid UTF-8."""

_STATE = struct.Struct(">qd")
_REBUILD = "REBUILD"


class Memory:
    """What all partitions of one process share: one block cache, and one limit for what is not yet on disk."""

    def __init__(self, megabytes: int) -> None:
        self.cache = rocksdict.Cache(megabytes * 1024 * 1024)
        self.buffers = rocksdict.WriteBufferManager(megabytes * 1024 * 1024 // 2, False)


class RocksPartition:
    """Rows in RocksDB with a write-ahead log, which outlives a killed process."""

    def __init__(self, path: Path, memory: Memory, clock: Callable[[], float] = time.time) -> None:
        self._path, self._memory, self._clock = path, memory, clock
        self._db = _opened(path, memory)
        self.offset, kept_up = self._state()
        if self.offset is not None and clock() - kept_up > TOO_OLD_SECONDS:
            log.warning("table_too_old", path=str(path), hours=round((clock() - kept_up) / 3600, 1))
            self.clear()

    def get(self, key: bytes) -> bytes | None:
        """The row, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            self._damaged(error)
            raise
        return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row; None takes it out."""
        if value is None:
            self._db.delete(key)
        else:
            self._db.put(key, value)

    def apply(self, records: Iterable[Any], offset: int) -> None:
        """Write the rows of changelog records and the offset at once: either all are there after a crash, or none."""
        rows = rocksdict.WriteBatch(raw_mode=True)
        put, delete = rows.put, rows.delete
        for record in records:
            if record.value is None:
                delete(record.key)
            else:
                put(record.key, record.value)
        put(_OFFSET, _STATE.pack(offset, self._clock()))
        self._db.write(rows)
        self.offset = offset

    def persist(self, offset: int) -> None:
        """Note how far the changelog is in the rows. What was put before is on disk before."""
        self._db.put(_OFFSET, _STATE.pack(offset, self._clock()))
        self.offset = offset

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows."""
        return (item for item in self._db.items() if item[0] != _OFFSET)

    def clear(self) -> None:
        """Begin with new files."""
        self._db.close()
        shutil.rmtree(self._path)
        self._db, self.offset = _opened(self._path, self._memory), None

    def close(self) -> None:
        """Let go of the files."""
        if self.offset is not None:
            self.persist(self.offset)
        self._db.close()

    def _state(self) -> tuple[int | None, float]:
        raw = self.get(_OFFSET)
        return (None, 0.0) if raw is None else _STATE.unpack(raw)

    def _damaged(self, error: Exception) -> None:
        """Have the next process rebuild the rows; this one ends with the error."""
        if "Corruption" in str(error):
            log.error("table_damaged", path=str(self._path), error=str(error))
            (self._path / _REBUILD).touch()


def _opened(path: Path, memory: Memory) -> Any:
    if (path / _REBUILD).exists():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return rocksdict.Rdict(str(path), options=_options(memory))
    except Exception as error:
        if not _is_damage(error):
            raise
        log.error("table_damaged", path=str(path), error=str(error))
        shutil.rmtree(path)
        return rocksdict.Rdict(str(path), options=_options(memory))


def _is_damage(error: Exception) -> bool:
    """A lock held by another process, or a full disk, is not mended by throwing the rows away."""
    said = str(error)
    return not any(sign in said for sign in ("lock", "No space left", "Permission denied", "Too many open files"))


def _options(memory: Memory) -> Any:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_max_open_files(64)
    options.set_write_buffer_size(8 * 1024 * 1024)
    options.set_max_write_buffer_number(3)
    options.set_write_buffer_manager(memory.buffers)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(32 * 1024 * 1024)
    options.set_stats_dump_period_sec(0)
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_bloom_filter(10, False)
    blocks.set_block_cache(memory.cache)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options
