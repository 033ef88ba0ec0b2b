"""Table partitions on disk: one RocksDB each, so that a restart replays only what is new of the changelog.

Kafka has the truth: whatever is wrong with the files (missing, damaged, too old to be brought up to date), they are
thrown away and the rows are read from the changelog again. A disk that is full is waited for; any other failure ends
the process. Neither says anything about the record that is being worked on.
"""

from __future__ import annotations

import contextlib
import shutil
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import rocksdict
import structlog

from schemas.errors import DISK, CannotStart, MustRestart, TidingsError, TryLater

log = structlog.get_logger()

TOO_OLD_SECONDS = 12 * 3600.0
"""Rows that nobody has kept up for longer are rebuilt: the changelog may have dropped tombstones they have not seen
(`delete.retention.ms` of a compacted topic is a day by default)."""

_OFFSET = b"\xff offset"
"""Where the offset stands among the rows; no key is this, since keys are read as UTF-8 first."""

_STATE = struct.Struct(">qd")
_REBUILD = "REBUILD"
_LOCKED = ("lock hold by", "While lock file")
_FULL = ("No space left", "File too large", "quota exceeded")
_NOT_MENDED_BY_NEW_FILES = (
    "Permission denied", "Read-only file system", "Too many open files", "Input/output error",
    "Cannot allocate memory",
)  # fmt: skip


class Memory:
    """Memory that all partitions of one process share: one block cache, and one limit for what is not yet on disk.

    Beside it, where it has some, one cache of rows as they are: a look-up there needs no block to be searched.
    """

    def __init__(self, megabytes: int, row_megabytes: int = 0) -> None:
        self.cache = rocksdict.Cache(megabytes * 1024 * 1024)
        self.buffers = rocksdict.WriteBufferManager(megabytes * 1024 * 1024 // 2, False)
        self.rows = rocksdict.Cache(row_megabytes * 1024 * 1024) if row_megabytes else None


class RocksPartition:
    """Rows in RocksDB with a write-ahead log, which outlives a killed process.

    Each method raises TryLater while the disk is full, and MustRestart where the files cannot be used; opening raises
    CannotStart where another process has them.
    """

    def __init__(self, path: Path, memory: Memory, clock: Callable[[], float] = time.time) -> None:
        self._path, self._memory, self._clock = path, memory, clock
        self._db: Any = None
        self._is_behind = self._is_discarded = False
        """Behind: a write failed for want of room, and RocksDB takes no other until it is opened again. Discarded:
        there was no room to open the files, and whoever asked how far they are was told that they hold nothing."""
        self.offset: int | None = None
        try:
            self._open()
        except TryLater as error:
            self._is_discarded = True
            log.error("table_waits_for_room", path=str(path), error=str(error))

    def get(self, key: bytes) -> bytes | None:
        """The row, or None."""
        db = self._usable() if self._db is None else self._db
        try:
            value: bytes | None = db.get(key)
        except Exception as error:
            raise self._failure(error) from error
        return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row; None takes it out."""
        db = self._usable()
        try:
            if value is None:
                db.delete(key)
            else:
                db.put(key, value)
        except Exception as error:
            raise self._failure(error) from error

    def apply(self, records: Iterable[Any], offset: int) -> None:
        """Write the rows of changelog records and the offset at once: either all are there after a crash, or none."""
        db, rows = self._usable(), rocksdict.WriteBatch(raw_mode=True)
        put, delete = rows.put, rows.delete
        for record in records:
            if record.value is None:
                delete(record.key)
            else:
                put(record.key, record.value)
        put(_OFFSET, _STATE.pack(offset, self._clock()))
        try:
            db.write(rows)
        except Exception as error:
            raise self._failure(error) from error
        self.offset = offset

    def persist(self, offset: int) -> None:
        """Note how far the changelog is in the rows. What was put before is on disk before.

        Where there is no room, it is not noted: more of the changelog is then read at the next start.
        """
        with contextlib.suppress(TryLater):
            self.put(_OFFSET, _STATE.pack(offset, self._clock()))
            self.offset = offset

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows."""
        return (item for item in self._usable().items() if item[0] != _OFFSET)

    def clear(self) -> None:
        """Begin with new files."""
        self.offset, self._is_discarded = None, True
        self._let_go()
        try:
            if self._path.exists():
                shutil.rmtree(self._path)
        except OSError as error:
            raise self._failure(error) from error
        self._db = self._files()
        self._is_behind = self._is_discarded = False

    def close(self) -> None:
        """Let go of the files."""
        if self.offset is not None and not self._is_behind:
            with contextlib.suppress(TidingsError):
                self.persist(self.offset)
        self._let_go()

    # -- files --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._db = self._files()
        self.offset, kept_up = self._state()
        if self.offset is not None and self._clock() - kept_up > TOO_OLD_SECONDS:
            log.warning("table_too_old", path=str(self._path), hours=round((self._clock() - kept_up) / 3600, 1))
            self.clear()

    def _files(self, *, create: bool = True) -> Any:
        """Opened files; damaged ones are thrown away, since the changelog has all that was in them."""
        try:
            if (self._path / _REBUILD).exists():
                shutil.rmtree(self._path)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _database(self._path, self._memory, create=create)
        except Exception as error:
            failure = self._failure(error)
            if not create or not _is_damage(error):
                raise failure from error
            log.error("table_damaged", path=str(self._path), error=str(error), mended_by="reading the changelog anew")
        try:
            shutil.rmtree(self._path)
            return _database(self._path, self._memory)
        except Exception as error:
            raise self._failure(error) from error

    def _usable(self) -> Any:
        """The files, opened again where a write or the opening failed before for want of room."""
        if self._is_discarded:
            self.clear()
        elif self._is_behind:
            self._let_go()
            self._db = self._files(create=False)
            found = self._state()[0]
            if self.offset is not None and (found is None or found < self.offset):
                raise MustRestart(f"{self._path}: not the rows that were there; they are read anew at the next start")
            self._is_behind = False
            log.info("table_has_room", path=str(self._path))
        return self._db

    def _let_go(self) -> None:
        """Close the files. What could not be written is said once more, and was known."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Exception):
                db.close()

    def _state(self) -> tuple[int | None, float]:
        raw = self.get(_OFFSET)
        return (None, 0.0) if raw is None else _STATE.unpack(raw)

    def _failure(self, error: Exception) -> TidingsError:
        """An error of RocksDB, or of the file system, by what has to happen next."""
        said = str(error)
        if any(sign in said for sign in _FULL):
            self._is_behind = True
            return TryLater(f"the disk has no room for {self._path}: {said}", what=DISK)
        if any(sign in said for sign in _LOCKED):
            return CannotStart(
                f"{self._path} is in use by another process; give each worker an --instance of its own ({said})"
            )
        if "Corruption" in said:
            log.error("table_damaged", path=str(self._path), error=said, mended_by="reading the changelog anew")
            with contextlib.suppress(OSError):
                (self._path / _REBUILD).touch()
        return MustRestart(f"{self._path}: {said}")


def _is_damage(error: Exception) -> bool:
    """An error that new files mend: neither a lock held by another process nor a disk that is full or failing."""
    said = str(error)
    return not any(sign in said for sign in (*_LOCKED, *_FULL, *_NOT_MENDED_BY_NEW_FILES))


def _database(path: Path, memory: Memory, *, create: bool = True) -> Any:
    return rocksdict.Rdict(str(path), options=_options(memory, create=create))


def _options(memory: Memory, *, create: bool) -> Any:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(create)
    options.set_max_open_files(64)
    options.set_write_buffer_size(8 * 1024 * 1024)
    options.set_max_write_buffer_number(3)
    options.set_write_buffer_manager(memory.buffers)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(32 * 1024 * 1024)
    options.set_stats_dump_period_sec(0)
    if memory.rows is not None:
        options.set_row_cache(memory.rows)
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_bloom_filter(10, False)
    blocks.set_block_cache(memory.cache)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options
