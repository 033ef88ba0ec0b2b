"""The intake of a batch: what can be read is worked on in order, what cannot is kept with its bytes, once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import dataclass
from typing import Any

import pytest
from faust.types import TP
from structlog.testing import capture_logs

from agents import waiting
from agents.broker.records import Output
from agents.dead_letters import DeadLetters
from agents.ingest_time import arrived_at, arrived_header
from agents.intake import BatchLog, Chunk, Intake
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.wiring import Wiring
from deploy.settings.settings import load_settings
from schemas.dead_letter import DeadLetter, names_written_out
from schemas.errors import BadRecord, InvalidEvent, MustRestart, TryLater
from schemas.topics import MIB
from tests.factory import NOW


@dataclass
class Record:
    offset: int
    value: bytes | None
    key: bytes = b"c1"
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Written:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def produce(self, output: Output, _report: Any) -> None:
        self.outputs.append(output)

    async def wait_for_capacity(self, *, goes_on: bool = False) -> None:
        """There is always room."""


class Role:
    """Reads numbers. The registry is away for as many calls as `away` says."""

    def __init__(self, away: int = 0, slice_size: int | None = None) -> None:
        self.away, self.written, self.metrics = away, Written(), Metrics()
        self.chunks: list[list[int]] = []
        dead_letters = DeadLetters("sender", Wiring(load_settings({})), self.metrics)
        self.intake = Intake(
            self.read, self.work, dead_letters, self.metrics, lambda: NOW, size=3, counted="numbers",
            slice_size=slice_size,
        )  # fmt: skip

    def read(self, record: Any) -> int:
        if record.value is None:
            raise InvalidEvent("a number has a value", path="value")
        if record.value == b"7" and self.away:
            self.away -= 1
            raise TryLater("the schema registry does not answer")
        return int(record.value)

    async def work(self, taken: Chunk[int]) -> int:
        self.chunks.append(taken.items)
        return len(taken.items)

    async def take(self, *values: bytes | None) -> None:
        records: list[Any] = [Record(offset, value) for offset, value in enumerate(values)]
        written: Any = self.written
        owner: Any = None
        batch = Batch(TP("deliveries.webhook", 2), records, owner=owner, producer=written, epoch=0)
        await self.intake.take(batch)
        while batch.rest is not None:
            await batch.take_rest()()

    def refused(self) -> list[tuple[bytes | None, str, int, str, str]]:
        facts = [(one.value, DeadLetter.from_headers(one.headers or ())) for one in self.written.outputs]
        return [(value, one.kind, one.offset, one.path, one.topic) for value, one in facts]

    def counted(self, kind: str) -> float:
        return self.metrics.registry.get_sample_value("tidings_dead_letters_total", {"kind": kind}) or 0.0


async def test_what_can_be_read_is_worked_on_in_order_and_in_hands() -> None:
    role = Role()
    await role.take(*(str(number).encode() for number in range(7)))
    assert (role.chunks, role.refused()) == ([[0, 1, 2], [3, 4, 5], [6]], [])
    assert role.metrics.registry.get_sample_value("tidings_batch_seconds_count", {"topic": "deliveries.webhook"}) == 1


async def test_what_cannot_be_read_is_dead_lettered_with_its_bytes_and_never_stops_the_others() -> None:
    role = Role()
    await role.take(b"1", None, b"x", b"2")
    assert role.chunks == [[1], [2]]
    assert role.refused() == [
        (None, "invalid_event", 1, "value", "deliveries.webhook"),
        (b"x", "internal", 2, "", "deliveries.webhook"),
    ]
    assert (role.counted("invalid_event"), role.counted("internal")) == (1, 1)


async def test_nothing_of_a_chunk_outlasts_it_though_records_were_refused() -> None:
    """Chunks that wait for the collector are memory by the hundred megabyte, where what cannot be read is large."""
    role = Role()
    records: list[Any] = [Record(0, b"1"), Record(1, None), Record(2, b"x")]
    left = [weakref.ref(one) for one in records]
    owner: Any = None
    written: Any = role.written
    gc.disable()
    try:
        await role.intake.take(Batch(TP("deliveries.webhook", 2), records, owner=owner, producer=written, epoch=0))
        del records
        assert [one() for one in left] == [None, None, None]
    finally:
        gc.enable()


async def test_a_registry_that_is_away_is_waited_for_and_no_record_is_refused_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.001)
    role = Role(away=3)
    await role.take(None, b"7", b"8")
    assert (role.chunks, len(role.refused()), role.counted("invalid_event")) == ([[7, 8]], 1, 1)


async def test_a_dead_letter_keeps_headers_of_any_bytes_and_the_time_of_the_record() -> None:
    role = Role()
    odd = (
        ("\udcff", b"1"),
        ("a", None),
        ("tidings-topic", b"of a copied dead-letter"),
        ("tidings-arrived-at", b"7"),
        ("", b""),
    )
    records: list[Any] = [Record(5, b"x", headers=odd, timestamp=-1)]
    written: Any = role.written
    owner: Any = None
    await role.intake.take(Batch(TP("deliveries.webhook", 2), records, owner=owner, producer=written, epoch=0))
    (output,) = role.written.outputs
    headers = list(output.headers or ())
    facts = DeadLetter.from_headers(headers)
    assert facts.own_of(headers) == [("\\xff", b"1"), *odd[1:]]
    assert (facts.topic, facts.timestamp, facts.offset) == ("deliveries.webhook", -1, 5)
    assert (dict(headers)["tidings-name-0"], names_written_out(headers)) == (b"\xff", 1)


@pytest.mark.parametrize(
    ("record", "value", "headers"),
    [
        (Record(0, b"x" * 13 * MIB, headers=(("a", b"b"),)), b"x" * MIB, 1),
        (Record(0, None, headers=tuple((f"h{n}", b"v" * MIB) for n in range(14))), None, 0),
        (Record(0, b"x", headers=(("a", b"b" * 12 * MIB),)), b"x", 1),
    ],
)
async def test_what_no_topic_would_take_is_kept_in_part_and_says_so(record: Any, value: Any, headers: int) -> None:
    role = Role()
    owner: Any = None
    written: Any = role.written
    await role.intake.take(Batch(TP("deliveries.webhook", 2), [record], owner=owner, producer=written, epoch=0))
    (output,) = role.written.outputs
    facts = DeadLetter.from_headers(output.headers or ())
    assert (output.value, facts.own_headers, facts.cut > 0) == (value, headers, value != b"x")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError(), MustRestart("the disk")])
async def test_an_error_of_the_worker_ends_it_and_dead_letters_nothing(error: Exception) -> None:
    role = Role()

    def broken(_record: Any) -> int:
        raise error

    role.intake._read = broken
    with pytest.raises(type(error)):
        await role.take(b"1")
    assert (role.chunks, role.written.outputs) == ([], [])


@pytest.mark.parametrize("bad", [{3}, {0, 6}, {0, 1, 2, 3, 4, 5, 6}, {1, 2}])
async def test_what_the_work_finds_out_about_a_record_dead_letters_it_alone(bad: set[int]) -> None:
    role = Role()
    done: list[int] = []

    async def work(taken: Chunk[int]) -> int:
        if bad & set(taken.items):
            raise BadRecord("Postgres cannot keep it")
        done.extend(taken.items)
        role.chunks.append([record.offset for record in taken.records])
        return len(taken.items)

    role.intake._work = work
    await role.take(*(str(number).encode() for number in range(7)))
    assert done == [number for number in range(7) if number not in bad]
    assert [offset for chunk in role.chunks for offset in chunk] == list(range(7))  # each is accounted for, in order
    assert [offset for _, _, offset, _, _ in role.refused()] == sorted(bad)


async def test_an_error_of_the_work_goes_through() -> None:
    role = Role()

    async def broken(_taken: Chunk[int]) -> int:
        raise ZeroDivisionError

    role.intake._work = broken
    with pytest.raises(ZeroDivisionError):
        await role.take(b"1")
    assert role.refused() == []


@pytest.mark.parametrize(
    ("headers", "milliseconds", "passed_on"),
    [
        ((), 1_700_000_000_000, []),
        ((("tidings-arrived-at", b"1600000000000"), ("other", b"1")), 1_600_000_000_000,
         [("tidings-arrived-at", b"1600000000000")]),
        ((("tidings-arrived-at", b"soon"),), 1_700_000_000_000, [("tidings-arrived-at", b"soon")]),
    ],
)  # fmt: skip
def test_when_an_event_arrived_is_what_was_passed_on_or_when_the_record_did(
    headers: Any, milliseconds: int, passed_on: list[tuple[str, bytes]]
) -> None:
    record = Record(0, b"", headers=headers)
    assert arrived_at(record).timestamp() * 1000 == milliseconds
    assert arrived_header(record) == passed_on


def test_a_topic_has_one_line_a_second_with_the_sums_and_another_topic_has_its_own() -> None:
    at = [0.0]
    written = BatchLog(Metrics(), ticks=lambda: at[0])
    nobody: Any = None
    with capture_logs() as logs:
        for at[0], topic, count in ((0.0, "a", 1), (0.2, "a", 2), (0.3, "b", 5), (0.9, "a", 3), (1.1, "a", 4)):
            records: list[Any] = [Record(offset, b"1") for offset in range(count)]
            batch = Batch(TP(topic, 2), records, owner=nobody, producer=nobody, epoch=0)
            written.ended(batch, 0.0104, outputs=2 * count)
    lines = [(line["topic"], line["batches"], line["records"], line["outputs"], line["milliseconds"]) for line in logs]
    assert lines == [("a", 1, 1, 2, 10.4), ("b", 1, 5, 10, 10.4), ("a", 3, 9, 18, 31.2)]
    assert logs[-1]["offset"] == 3


async def test_others_have_their_turn_between_slices_of_what_is_read() -> None:
    role, order = Role(slice_size=1), list[object]()
    read = role.intake._read

    def reading(record: Any) -> int:
        order.append(record.offset)
        return read(record)

    async def other() -> None:
        for turn in ("a", "b"):
            order.append(turn)
            await asyncio.sleep(0)

    role.intake._read = reading
    await asyncio.gather(other(), role.take(b"1", b"2", b"3"))
    assert order == ["a", "b", 0, 1, 2]
    assert role.chunks == [[1, 2, 3]]
