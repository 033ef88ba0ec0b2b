"""Functions made for structs, against the writers of their fields and against fastavro."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import record_type, topic_schema
from schemas.decision import Check, Decision
from schemas.delivery import DistributionRef, EventRef
from schemas.events.triggers import EVENT_TOPICS
from schemas.topics import CUSTOMERS, DISTRIBUTIONS, TOPICS
from schemas.wire.avro_read import mapping_reader
from schemas.wire.avro_write import writer
from tests.factory import rule
from tests.unit.schemas.wire.test_avro import DECISION, Maker, from_fastavro, refuse, with_json_read

RECORDS = tuple(topic for topic in TOPICS if topic not in (*EVENT_TOPICS, CUSTOMERS, DISTRIBUTIONS))
ODD: tuple[Any, ...] = (
    None, 0, 1, 63, 64, -1, 1.0, 1.5, True, "", "x" * 64, "ż" * 40, "x" * 9000, "\ud800", [], [1], ["a"], {}, {"a": 1},
    b"z", b"", 2**70, datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), ("a",), {1},
)  # fmt: skip


def made(topic: str, seed: int) -> tuple[Any, Any]:
    """A random record as fastavro writes it, and as a struct: the first of a few that structs take."""
    rng = random.Random(f"{topic} {seed}")
    for _ in range(100):
        on_wire, in_memory = Maker(rng).both(topic_schema(topic))
        try:
            return on_wire, msgspec.convert(in_memory, record_type(topic))
        except msgspec.ValidationError:
            continue
    raise AssertionError(f"no record of {topic} is within the bounds of its fields")


def spoilt(rng: random.Random, record: Any) -> Any:
    """The same with one value of another kind in it, somewhere."""
    name = rng.choice(record.__struct_fields__)
    value = getattr(record, name)
    if isinstance(value, list) and value and isinstance(value[0], msgspec.Struct) and rng.random() < 0.8:
        at = rng.randrange(len(value))
        changed: Any = [*value[:at], spoilt(rng, value[at]), *value[at + 1 :]]
    elif isinstance(value, msgspec.Struct) and rng.random() < 0.8:
        changed = spoilt(rng, value)
    else:
        changed = rng.choice(ODD)
    return msgspec.structs.replace(record, **{name: changed})


def outcome(write: Any, record: Any) -> bytes | str:
    out = bytearray(b"before")
    try:
        write(out, record)
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return bytes(out)


@pytest.mark.parametrize("topic", RECORDS)
def test_structs_are_written_as_fastavro_writes_their_fields(topic: str) -> None:
    schema = topic_schema(topic)
    write = writer(schema)
    for seed in range(30):
        on_wire, record = made(topic, seed)
        raw = outcome(write, record)
        assert isinstance(raw, bytes), raw
        assert with_json_read(from_fastavro(schema, raw[6:])) == with_json_read(on_wire), seed


@pytest.mark.parametrize("topic", [*RECORDS, DISTRIBUTIONS])
def test_structs_are_written_at_once_as_they_are_field_by_field(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those with a value of another kind, and the same errors where it cannot be written."""
    schema, records = topic_schema(topic), []
    for seed in range(80):
        rng = random.Random(seed)
        record = rule() if topic == DISTRIBUTIONS else made(topic, seed)[1]
        for _ in range(rng.randrange(3)):
            record = spoilt(rng, record)
        records.append(record)
    write = writer(schema)
    at_once = [outcome(write, record) for record in records]
    monkeypatch.setattr("schemas.wire.avro_write.StructSource.made", lambda *_: refuse)
    slowly = writer(schema)
    assert at_once == [outcome(slowly, record) for record in records]
    assert 20 < sum(isinstance(one, bytes) for one in at_once) < 80


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.sampled_from(
    ["x" * size for size in (63, 64, 127, 128, 8191, 8192, 20_000)]
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 70)
MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(TEXTS, TEXTS, st.none() | TEXTS, NUMBERS, MOMENTS, st.none() | MOMENTS, st.lists(st.tuples(TEXTS, TEXTS)))
def test_texts_and_numbers_of_any_size_come_back(
    text: str, other: str, detail: str | None, version: int, at: datetime, due: datetime | None, checks: Any
) -> None:
    record = msgspec.structs.replace(
        DECISION,
        distribution=DistributionRef(id=text, version=version, name=other),
        event=EventRef(id=other, type=text, created_at=at, send_id=detail),
        detail=detail,
        due_at=due,
        checks=[Check(test=one, passed=one == two, seen=two) for one, two in checks],
    )
    out = bytearray()
    WRITE(out, record)
    found, end = READ(bytes(out), 0)
    assert (msgspec.convert(found, Decision), end) == (record, len(out))


SCHEMA = topic_schema("decisions")
READ, WRITE = mapping_reader(SCHEMA), writer(SCHEMA)


def test_a_wrong_value_in_a_struct_is_told_as_it_is_field_by_field() -> None:
    out = bytearray(b"before")
    for wrong, said in (
        ({"outcome": "lost"}, "'lost' must be one of unknown, emitted, deferred, skipped"),
        ({"detail": 5}, "'int' object has no attribute 'encode'"),
        ({"decided_at": "now"}, "expected a datetime, got str"),
        ({"checks": "no"}, "expected a list, got str"),
        ({"checks": [Check(test="t", passed=1, seen="")]}, "expected a boolean, got int"),  # type: ignore[arg-type]
    ):
        with pytest.raises((TypeError, ValueError, AttributeError), match=said):
            WRITE(out, msgspec.structs.replace(DECISION, **wrong))


def test_what_equals_a_number_that_was_written_is_judged_by_its_own_kind() -> None:
    def of(version: Any) -> bytes | str:
        told = msgspec.structs.replace(DECISION.distribution, version=version)
        return outcome(WRITE, msgspec.structs.replace(DECISION, distribution=told))

    assert of(1.0) == of(1)
    assert of(2.0**40) == of(2**40)
    for wrong in (True, Decimal(1), Decimal(2**40)):
        assert str(of(wrong)).startswith("TypeError"), wrong
