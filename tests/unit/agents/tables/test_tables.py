"""Table partitions: what is written is there after a restart, and what cannot be trusted is thrown away."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.tables.partition import MemoryPartition, TablePartition
from agents.tables.rocks import TOO_OLD_SECONDS, Memory, RocksPartition
from schemas.errors import NOT_OF_THE_RECORD, CannotStart, MustRestart, TryLater

MEMORY = Memory(16)


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes | None


def on_disk(folder: Path, now: float = 1000.0) -> RocksPartition:
    return RocksPartition(folder / "table-0", MEMORY, clock=lambda: now)


@pytest.fixture(params=["memory", "rocksdb"])
def partition(request: pytest.FixtureRequest, tmp_path: Path) -> TablePartition:
    makers: dict[str, Callable[[], TablePartition]] = {"memory": MemoryPartition, "rocksdb": lambda: on_disk(tmp_path)}
    return makers[request.param]()


def test_rows_are_written_read_and_taken_out(partition: TablePartition) -> None:
    partition.put(b"a", b"1")
    partition.put(b"b", b"2")
    partition.put(b"a", None)
    assert (partition.get(b"a"), partition.get(b"b"), partition.get(b"c")) == (None, b"2", None)
    assert list(partition.items()) == [(b"b", b"2")]


def test_changelog_records_are_applied_in_order_with_their_offset(partition: TablePartition) -> None:
    before = partition.offset
    partition.apply([Record(b"a", b"1"), Record(b"a", b"2"), Record(b"b", b"1"), Record(b"b", None)], 9)
    assert (before, dict(partition.items()), partition.offset) == (None, {b"a": b"2"}, 9)


def test_applying_again_changes_nothing(partition: TablePartition) -> None:
    records = [Record(b"a", b"1"), Record(b"b", b"2"), Record(b"a", None)]
    for _ in range(2):
        partition.apply(records, 3)
    assert (dict(partition.items()), partition.offset) == ({b"b": b"2"}, 3)


def test_a_cleared_partition_is_as_new(partition: TablePartition) -> None:
    partition.put(b"a", b"1")
    partition.persist(7)
    partition.clear()
    assert (partition.offset, partition.get(b"a")) == (None, None)
    partition.put(b"a", b"2")
    assert list(partition.items()) == [(b"a", b"2")]


def test_rows_and_offset_outlive_the_process(tmp_path: Path) -> None:
    first = on_disk(tmp_path)
    first.put(b"a", b"1")
    first.persist(41)
    first.close()
    again = on_disk(tmp_path)
    assert (again.get(b"a"), again.offset) == (b"1", 41)


def test_rows_that_nobody_kept_up_for_long_are_thrown_away(tmp_path: Path) -> None:
    first = on_disk(tmp_path, now=1000.0)
    first.apply([Record(b"a", b"1")], 5)
    first.close()
    young = on_disk(tmp_path, now=1000.0 + TOO_OLD_SECONDS - 1)
    assert young.offset == 5
    young.close()
    old = on_disk(tmp_path, now=1000.0 + 2 * TOO_OLD_SECONDS)
    assert (old.offset, list(old.items())) == (None, [])


@pytest.mark.parametrize("harm", ["CURRENT", "MANIFEST", "marked"])
def test_damaged_files_are_thrown_away(tmp_path: Path, harm: str) -> None:
    first = on_disk(tmp_path)
    first.apply([Record(b"a", b"1")], 5)
    first.close()
    folder = tmp_path / "table-0"
    if harm == "marked":
        (folder / "REBUILD").touch()
    for file in folder.glob(f"{harm}*"):
        file.write_bytes(b"nonsense\n")
    again = on_disk(tmp_path)
    assert (again.offset, again.get(b"a")) == (None, None)


def test_rows_in_use_by_another_process_are_left_alone(tmp_path: Path) -> None:
    first = on_disk(tmp_path)
    first.put(b"a", b"1")
    with pytest.raises(CannotStart, match="in use by another process"):
        on_disk(tmp_path)
    assert first.get(b"a") == b"1"


FULL_AND_ROOM_AGAIN = """
import resource, sys
from pathlib import Path
from agents.tables.rocks import Memory, RocksPartition
from schemas.errors import TryLater

def full(is_full):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if is_full else resource.RLIM_INFINITY, resource.RLIM_INFINITY))

def waits(work, *arguments):
    try:
        work(*arguments)
    except TryLater as error:
        assert error.what == "disk" and "no room" in str(error), error
        return True
    return False

folder, memory = Path(sys.argv[1]), Memory(16)
table = RocksPartition(folder / "a-0", memory)
table.put(b"before", b"1")
table.persist(7)
full(True)
assert waits(table.put, b"during", b"1") and waits(table.put, b"during", b"2") and waits(table.apply, [], 8)
table.persist(9)
assert table.offset == 7
late = RocksPartition(folder / "b-0", memory)
assert late.offset is None and waits(late.get, b"x") and waits(late.put, b"x", b"1")
full(False)
table.put(b"after", b"1")
table.persist(10)
assert (table.get(b"before"), table.get(b"after")) == (b"1", b"1")
late.put(b"x", b"1")
late.close()
table.close()
again = RocksPartition(folder / "a-0", memory)
assert (again.offset, again.get(b"after")) == (10, b"1")
again.close()
print("all held")
"""


def test_a_full_disk_is_waited_for_and_costs_no_row(tmp_path: Path) -> None:
    """In a process of its own, with a limit on the size of files that takes effect like a full disk."""
    command = [sys.executable, "-c", FULL_AND_ROOM_AGAIN, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.endswith("all held\n"), ran.stdout + ran.stderr


class Failing:
    """A database whose writes and reads fail as RocksDB's do."""

    def __init__(self, said: str) -> None:
        self.said = said

    def _fail(self, *_: object) -> Any:
        raise Exception(self.said)

    get = put = write = delete = _fail

    def close(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("IO error: No space left on device: While appending to file: /d/000004.log", TryLater),
        ("IO error: While appending to file: /d/000004.log: File too large", TryLater),
        ("IO error: Disk quota exceeded: While appending to file", TryLater),
        ("IO error: Input/output error: While pread offset 5", MustRestart),
        ("IO error: Read-only file system: While open a file for appending", MustRestart),
        ("IO error: Too many open files: While open a file", MustRestart),
        ("Corruption: block checksum mismatch", MustRestart),
        ("IO error: No such file or directory: While open a file for appending: /d/block/4.log", MustRestart),
        ("something new", MustRestart),
    ],
)
def test_no_failure_of_the_disk_is_a_records(tmp_path: Path, said: str, kind: type[Exception]) -> None:
    works: list[Callable[[RocksPartition], object]] = [
        lambda table: table.get(b"a"),
        lambda table: table.put(b"a", b"1"),
        lambda table: table.put(b"a", None),
        lambda table: table.apply([Record(b"a", b"1")], 4),
    ]
    for work in works:
        table = on_disk(tmp_path)
        real, table._db = table._db, Failing(said)
        with pytest.raises(kind) as caught:
            work(table)
        assert isinstance(caught.value, NOT_OF_THE_RECORD)
        assert (tmp_path / "table-0" / "REBUILD").exists() == ("Corruption" in said)
        real.close()


def test_rows_that_vanish_under_a_worker_are_not_taken_for_an_empty_table(tmp_path: Path) -> None:
    table = on_disk(tmp_path)
    table.put(b"a", b"1")
    table.persist(3)
    shutil.rmtree(tmp_path / "table-0")
    table._is_behind = True  # as after a write that found no room
    with pytest.raises(MustRestart):
        table.put(b"a", b"2")


def test_files_that_a_full_disk_left_broken_are_read_anew_at_the_next_start(tmp_path: Path) -> None:
    """RocksDB may write a table and not the log before it; opening again then speaks of corruption."""
    table = on_disk(tmp_path)
    table.put(b"a", b"1")
    table.persist(3)
    table._is_behind = True
    table._let_go()
    manifest = next((tmp_path / "table-0").glob("MANIFEST*"))
    manifest.write_bytes(b"\xff" * 200)
    with pytest.raises(MustRestart):
        table.put(b"a", b"2")
    again = on_disk(tmp_path)
    assert (again.offset, again.get(b"a")) == (None, None)


def test_rows_that_were_looked_up_stay_in_the_cache_of_rows_where_there_is_one(tmp_path: Path) -> None:
    memory = Memory(16, 4)
    partition = RocksPartition(tmp_path / "table-0", memory)
    for number in range(100):
        partition.put(b"%d" % number, b"x" * 1000)
    partition._db.flush()  # into a file: what is in memory yet is looked up there
    assert memory.rows is not None
    before = memory.rows.get_usage()
    assert [partition.get(b"%d" % number) for number in range(100)] == [b"x" * 1000] * 100
    assert memory.rows.get_usage() - before > 50_000
    partition.put(b"7", b"new")
    assert (partition.get(b"7"), partition.get(b"8")) == (b"new", b"x" * 1000)
    partition.close()
    assert Memory(16).rows is None


def test_a_cache_of_rows_never_holds_those_of_other_files(tmp_path: Path) -> None:
    """Files that were thrown away, and those of another table, have the numbers of these files."""
    memory = Memory(16, 4)
    one, other = (RocksPartition(tmp_path / name, memory) for name in ("table-0", "table-1"))

    def written(partition: RocksPartition, value: bytes) -> bytes | None:
        partition.put(b"a", value)
        partition._db.flush()
        return partition.get(b"a")

    for turn in range(5):
        assert written(one, b"one %d" % turn) == b"one %d" % turn
        assert written(other, b"other %d" % turn) == b"other %d" % turn
        one.clear()
        assert one.get(b"a") is None
        other.close()
        other = RocksPartition(tmp_path / "table-1", memory)
        assert other.get(b"a") == b"other %d" % turn
    one.close()
    other.close()
