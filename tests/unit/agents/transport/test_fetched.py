"""Batches that aiokafka's parser does not read are read, or handed over as one record that says why they cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from agents.transport.fetched import FetchedRecords, Unreadable
from schemas.errors import Undecodable
from tests.record_batches import LOG_APPEND_TIME, Layout, Made, record_batch

ODD_HEADERS: list[list[tuple[bytes, bytes | None]]] = [
    [(b"\xff\xfe", b"x")],
    [(b"ok", None), (b"\xc3", None), (b"", b""), (b"", None)],
    [(b"twice", b"1"), (b"twice", b"2"), (b"\xed\xa0\x80", b"a lone surrogate")],
    [(b"nul\0", b"\0"), ("Zażółć".encode(), "gęślą".encode("utf-16"))],
    [(b"h%d" % number, b"v") for number in range(3000)],
]


def read(*raw: bytes) -> list[Any]:
    """All records of what a fetch brought, as a consumer would get them."""
    found: list[Any] = []
    records = FetchedRecords(b"".join(raw))
    assert records.size_in_bytes() == sum(map(len, raw))
    while records.has_next():
        batch: Any = records.next_batch()
        assert batch.is_usable("t-0")
        found += batch
    assert records.next_batch() is None
    return found


@pytest.mark.parametrize("headers", ODD_HEADERS)
@pytest.mark.parametrize("codec", [0, 1])
def test_headers_of_any_bytes_are_read_and_come_back_as_they_were(codec: int, headers: Any) -> None:
    plain = Made(b"1", headers=[(b"a", b"b")])
    raw = record_batch([plain, Made(b"2", headers=headers), plain], Layout(codec))
    found = read(record_batch([plain]), raw, record_batch([Made(None, None)]))
    assert [one.value for one in found] == [b"1", b"1", b"2", b"1", None]
    names = [(name.encode("utf-8", "surrogateescape"), value) for name, value in found[2].headers]
    assert names == list(headers)
    assert found[1].headers == found[3].headers == [("a", b"b")]


def test_offsets_and_times_are_those_of_the_fast_parser() -> None:
    records = [Made(b"1", timestamp=-1), Made(b"2", timestamp=2**62), Made(b"3", timestamp=7)]
    for attributes in (0, LOG_APPEND_TIME):
        layout = Layout(attributes=attributes, base_offset=2**40)
        fast = read(record_batch(records, layout))
        slow = read(record_batch([*records, Made(headers=[(b"\xff", b"")])], layout))
        for one, other in zip(fast, slow, strict=False):
            assert (one.offset, one.timestamp, one.key, one.value) == (
                other.offset, other.timestamp, other.key, other.value,
            )  # fmt: skip


@pytest.mark.parametrize("magic", [0, 1])
def test_messages_of_the_old_formats_are_read(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=0, batch_size=10_000)
    for offset in range(3):
        builder.append(offset, timestamp=5, key=None if offset else b"k", value=b"%d" % offset)
    found = read(bytes(builder.build()))
    assert [(one.offset, one.key, one.value) for one in found] == [(0, b"k", b"0"), (1, None, b"1"), (2, None, b"2")]


def test_a_wrong_checksum_is_asked_for_again_and_then_handed_over_whole() -> None:
    raw = record_batch([Made(b"1"), Made(b"2")], Layout(wrong_checksum=True, base_offset=40))
    answers = []
    for _ in range(3):
        batch: Any = FetchedRecords(raw).next_batch()
        answers.append(batch.is_usable("t-1"))
    (record,) = batch
    assert answers == [False, False, True]
    assert isinstance(record, Unreadable)
    assert (record.offset, record.raw, record.key, record.headers) == (41, raw, None, ())
    with pytest.raises(Undecodable, match="offsets 40 to 41: its checksum is wrong"):
        assert record.value
    assert not FetchedRecords(raw).next_batch().is_usable("t-1")  # type: ignore[union-attr]


@pytest.mark.parametrize("harm", [b"\xff\xff\xff\xff\x0f", b"\x01", b""])
def test_a_batch_that_is_no_row_of_records_is_handed_over_whole(harm: bytes) -> None:
    whole = record_batch([Made(b"1"), Made(b"2")])
    raw = bytearray(whole)
    raw[61:66] = harm.ljust(5, b"\0")
    records = FetchedRecords(bytes(raw) + record_batch([Made(b"3")], Layout(base_offset=2)))
    broken, sound = records.next_batch(), records.next_batch()
    assert broken is not None
    assert sound is not None
    (record,) = broken
    assert isinstance(record, Unreadable)
    assert (record.offset, record.raw) == (1, bytes(raw))
    assert [one.value for one in sound] == [b"3"]


def test_a_broken_batch_with_odd_header_names_ends_no_process() -> None:
    """Each byte of it in turn is another: the parsers of aiokafka read past the end of some."""
    whole = record_batch([Made(b"1", headers=[(b"\xff", b"x")]), Made(b"2", headers=[(b"\xfe", None)])])
    for at in range(61, len(whole)):
        for byte in (0x00, 0x7F, 0x80, 0xFF):
            raw = bytearray(whole)
            raw[at] = byte
            batch: Any = FetchedRecords(bytes(raw)).next_batch()
            assert list(batch)
