"""Rows straight from a record's bytes, beside those that are made of its values."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.recorded_rows import decision_reader, decision_row, reader_of, status_reader, status_row
from schemas.contract import topic_codec
from schemas.decision import Check, Decision, DeliveryStatus
from schemas.delivery import DistributionRef, EventRef
from schemas.errors import BadRecord
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.read_models.copied import CopiedRow

TEXTS = ("", "c1", "Zażółć 🎈", 'a "quoted"\n\\ line', "x" * 63, "y" * 64, "ż" * 5000, "tab\tand\x1f", "a\0b", "\0")
TIMES = (
    datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC) - timedelta(microseconds=1), datetime(2026, 3, 2, 10, 0, 0, 1, UTC),
    datetime(2084, 9, 5, tzinfo=UTC), datetime(2262, 4, 12, tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
)  # fmt: skip
NUMBERS = (0, 1, 63, 64, -1, -64, -65, 2**31, 2**63 - 1, -(2**63))


class Maker:
    """Records of anything that their types can hold."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def text(self) -> str:
        return self.rng.choice(TEXTS)

    def maybe(self, value: Any) -> Any:
        return self.rng.choice((None, value))

    def shared(self) -> dict[str, Any]:
        choose = self.rng.choice
        return {
            "project_id": self.text(),
            "distribution": DistributionRef(id=self.text(), version=choose(NUMBERS), name=self.text()),
            "event": EventRef(
                id=self.text(), type=self.text(), created_at=choose(TIMES), send_id=self.maybe(self.text())
            ),
            "customer_id": self.text(),
            "reason": choose((None, "consent", "fallback", "unknown")),
            "arm": self.maybe(self.text()),
            "due_at": self.maybe(choose(TIMES)),
        }

    def decision(self) -> Decision:
        choose = self.rng.choice
        checks = [
            Check(test=self.text(), passed=choose((True, False, None)), seen=self.text())
            for _ in range(choose((0, 0, 1, 3, 70)))
        ]
        return Decision(
            decision_id=self.text(), outcome=choose(("emitted", "skipped", "unknown")), detail=self.maybe(self.text()),
            channel=choose((None, "email", "shopify")), delivery_id=self.maybe(self.text()),
            until=self.maybe(choose(TIMES)), checks=checks, decided_at=choose(TIMES), **self.shared(),
        )  # fmt: skip

    def status(self) -> DeliveryStatus:
        choose = self.rng.choice
        return DeliveryStatus(
            delivery_id=self.text(), channel=choose(("sms", "unknown")), account=self.text(), type=self.text(),
            outcome=choose(("sent", "recovered", "failed", "machine_clicked", "unknown")), detail=self.text(),
            provider_id=self.maybe(self.text()), attempts=choose(NUMBERS), occurred_at=choose(TIMES),
            code_key=self.maybe(self.text()), **self.shared(),
        )  # fmt: skip


KINDS: tuple[tuple[str, Any, Any, Any, Callable[[Maker], Any]], ...] = (
    (DECISIONS, Decision, decision_reader, decision_row, Maker.decision),
    (DELIVERY_STATUS, DeliveryStatus, status_reader, status_row, Maker.status),
)


@pytest.mark.parametrize(("topic", "kind", "reader", "row_of", "make"), KINDS)
def test_a_row_is_the_same_straight_from_bytes_and_of_values(
    topic: str, kind: Any, reader: Any, row_of: Any, make: Callable[[Maker], Any]
) -> None:
    codec = topic_codec(topic, "avro", None)
    read, by_values, straight = reader(codec), reader_of(codec, kind), 0
    for seed in range(3000):
        raw = codec.encode(make(Maker(seed)))
        row = read(raw)
        assert (row if isinstance(row, CopiedRow) else row.packed()) == row_of(by_values(raw)).packed(), seed
        straight += isinstance(row, CopiedRow)
    assert straight > 100, "all others have U+0000 somewhere"


@pytest.mark.parametrize(("topic", "kind", "reader", "row_of", "make"), KINDS)
def test_json_makes_the_same_row(topic: str, kind: Any, reader: Any, row_of: Any, make: Callable[[Maker], Any]) -> None:
    codec, record = topic_codec(topic, "avro", None), make(Maker(1))
    read = reader(codec)
    assert read(msgspec.json.encode(record)) == row_of(record)


@pytest.mark.parametrize(("topic", "kind", "reader", "row_of", "make"), KINDS)
def test_broken_bytes_are_refused_in_the_same_words(
    topic: str, kind: Any, reader: Any, row_of: Any, make: Callable[[Maker], Any]
) -> None:
    codec = topic_codec(topic, "avro", None)
    read, by_values, refused = reader(codec), reader_of(codec, kind), 0
    for seed in range(3000):
        rng, raw = random.Random(seed), bytearray(codec.encode(make(Maker(seed))))
        raw[rng.randrange(10, len(raw))] = rng.randrange(256)
        broken = bytes(raw[: rng.choice((len(raw), len(raw), rng.randrange(10, len(raw))))])
        try:
            expected = row_of(by_values(broken)).packed()
        except BadRecord as error:
            with pytest.raises(type(error)) as found:
                row = read(broken)
                row if isinstance(row, CopiedRow) else row.packed()
            assert str(found.value) == str(error), seed
            refused += 1
        else:
            row = read(broken)
            assert (row if isinstance(row, CopiedRow) else row.packed()) == expected, seed
    assert refused > 500
