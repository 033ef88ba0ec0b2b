"""Table partitions: what is written is there after a restart, and what cannot be trusted is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.tables.partition import MemoryPartition, TablePartition
from agents.tables.rocks import TOO_OLD_SECONDS, Memory, RocksPartition

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
    with pytest.raises(Exception, match="lock"):
        on_disk(tmp_path)
    assert first.get(b"a") == b"1"
