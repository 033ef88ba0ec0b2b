"""Coverage-guided fuzzing: whatever the bytes, a refusal that is ours and says why, or the right answer, and soon.

`codec` reads records of every topic, `fetched` batches of records; `conditions` makes conditions of the bytes, and
holds explain equal to match.
`make fuzz` runs each for a minute. An input that breaks something is kept in var/fuzz/<target>/.

atheris: libFuzzer for Python, kept by Google; wheels for Linux only, so it is installed for `make fuzz` alone.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import atheris
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

with atheris.instrument_imports(include=["schemas", "streams", "agents.transport.fetched"]):
    from agents.transport.fetched import FetchedRecords, Unreadable
    from schemas.contract import topic_codec
    from schemas.errors import BadRecord, DefinitionInvalid
    from schemas.events.triggers import EVENT_TOPICS, TRIGGERS
    from schemas.topics import CUSTOMERS, TOPICS
    from streams.conditions.fields import Fields
    from streams.conditions.parse import parse_condition
    from streams.conditions.predicates import PREDICATES
    from streams.event_context import EventContext
    from streams.events import EventReader, read_customer
    from streams.index.rules import RuleIndex
    from streams.match import explain_event, match_event
    from tests import hostile
    from tests.factory import customer, order_event, rule
    from tests.record_batches import Layout, record_batch

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECONDS_FOR_ONE = 10
MOST_BYTES = 4096

_names = sorted(TOPICS)
_codecs = {name: topic_codec(name, "avro") for name in _names}
_readers = {
    name: EventReader(name, _codecs[name], max_future=timedelta(days=1), max_bytes=1 << 20, default_project="shop")
    for name in EVENT_TOPICS
}


def codec(data: bytes) -> None:
    """The first byte says for which topic; the rest is the record."""
    if not data:
        return
    name, raw = _names[data[0] % len(_names)], data[1:]
    try:
        if name in _readers:
            head = _readers[name].read(raw, b"c1", NOW)
            assert head.customer_id == "c1"
        elif name == CUSTOMERS:
            read_customer(_codecs[name].decode(raw), b"c1", "shop")
        else:
            _codecs[name].decode(raw)
    except BadRecord as error:
        assert str(error)


def conditions(data: bytes) -> None:
    """A condition and an event, both made of the bytes."""
    made = _Maker(atheris.FuzzedDataProvider(data))
    source = made.condition(0)
    parsed, problems = parse_condition(source, Fields.of(TRIGGERS["customer.order.paid"]))
    assert (parsed is None) == bool(problems)
    index = RuleIndex()
    try:
        index.insert(rule(when=source))
    except DefinitionInvalid as error:
        assert error.problems
        return
    event = order_event(data={"customer": customer(metadata=made.value(0)), "order": made.order()})
    try:
        head = _readers["events.orders"].read(json.dumps(event).encode(), b"c1", NOW)
    except BadRecord:
        return
    context = EventContext(head, event, dict, None)
    matched, (explained,) = match_event(context, index, NOW), explain_event(context, index, NOW)
    assert matched.matched == (explained.answer is True)
    assert matched.decisions == explained.decisions
    assert explained.checks


class _Maker:
    """Conditions that are nearly right: known paths and tests, and now and then something else."""

    def __init__(self, provider: Any) -> None:
        self._bytes = provider

    def condition(self, depth: int) -> Any:
        match self._bytes.ConsumeIntInRange(0, 9):
            case 0 if depth < 40:
                return {"all": [self.condition(depth + 1) for _ in range(self._few())]}
            case 1 if depth < 40:
                return {"any": [self.condition(depth + 1) for _ in range(self._few())]}
            case 2 if depth < 40:
                return {"not": self.condition(depth + 1)}
            case 3 if depth < 40:
                return {"order.items": {"any_item": self.condition(depth + 1)}}
            case 4:
                return self.value(depth)
        return {self._pick(_PATHS): {self._pick(_TESTS): self.value(0) for _ in range(self._few())}}

    def value(self, depth: int) -> Any:
        source = self._bytes
        match source.ConsumeIntInRange(0, 11):
            case 0:
                return None
            case 1:
                return source.ConsumeBool()
            case 2:
                return source.ConsumeInt(10)
            case 3:
                return source.ConsumeFloat()
            case 4 | 5:
                return source.ConsumeUnicode(20)
            case 6 if depth < 40:
                return [self.value(depth + 1) for _ in range(self._few())]
            case 7 if depth < 40:
                return {source.ConsumeUnicode(5): self.value(depth + 1) for _ in range(self._few())}
            case 8:
                return self._pick(("PL", "2026-11-24", "2026-11-24T00:00:00Z", "GIFT", "^a+$", "(a+)+$", "7d", "-P1D"))
        return source.ConsumeIntInRange(0, 100)

    def order(self) -> Any:
        fields = ("id", "amount", "status", "items", "metadata", "created_at")
        return {"id": "o1", **{self._pick(fields): self.value(0) for _ in range(self._few())}}

    def _few(self) -> int:
        return int(self._bytes.ConsumeIntInRange(0, 3))

    def _pick(self, among: tuple[str, ...]) -> str:
        return among[int(self._bytes.ConsumeIntInRange(0, len(among) - 1))]


_PATHS = (
    "order.amount", "order.id", "order.status", "order.items", "order.metadata.x", "customer.metadata.country",
    "customer.metadata", "customer.email", "customer.consents.marketing", "event.created_at", "event.id", "sku",
    "price", "order", "customer", "order.nothing", "a..b", "",
)  # fmt: skip
_TESTS = (*sorted(PREDICATES), "any_item", "nonsense")


def _good_records() -> list[bytes]:
    event = {**order_event(), "created_at": NOW}
    rows: dict[str, Any] = {CUSTOMERS: customer(), "events.orders": event, "distributions": rule()}
    found = []
    for name, row in rows.items():
        number = bytes([_names.index(name)])
        found += [number + _codecs[name].encode(row), number + topic_codec(name, "json").encode(row)]
    found += [bytes([_names.index("events.orders")]) + (one.made.value or b"") for one in hostile.events()]
    return [one for one in found if len(one) <= MOST_BYTES]


def fetched(data: bytes) -> None:
    """Batches as a fetch might bring them: whatever the bytes, records or one that stands for the damaged batch."""
    records = FetchedRecords(data)
    with contextlib.suppress(
        CorruptRecordException, UnsupportedCodecError, SystemError
    ):  # no batch at all, or of no codec
        while records.has_next():
            batch = records.next_batch()
            for record in batch or ():
                assert isinstance(record, Unreadable) or record.offset is not None


def _batches() -> list[bytes]:
    made = [one.made for one in hostile.events() if len(one.made.value or b"") < MOST_BYTES // 2]
    batches = [record_batch([one], Layout(codec=codec)) for one in made for codec in (0, 1)]
    return [one for one in batches if len(one) <= MOST_BYTES]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "codec": (codec, _good_records),
    "fetched": (fetched, _batches),
    "conditions": (conditions, lambda: [bytes(range(200)), b"\x09" * 100]),
}
"""What is tried, and inputs to begin with."""


def main() -> None:
    target, seconds = sys.argv[1], sys.argv[2]
    folder = Path("var/fuzz") / target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    run, seeds = TARGETS[target]
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}", f"-timeout={SECONDS_FOR_ONE}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=2048",
        f"-artifact_prefix={folder}/", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
