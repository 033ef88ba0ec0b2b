"""Records that an earlier release wrote are still read."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import msgspec
import pytest
from fastavro.utils import generate_one

from schemas.contract import LEDGER, released_file, topic_codec, topic_schema
from schemas.distribution import Distribution
from schemas.errors import Undecodable
from schemas.topics import TOPICS
from schemas.wire.codec import SINGLE_OBJECT, schema_fingerprint
from streams.index.rules import RuleIndex

RELEASED: list[tuple[str, str]] = [
    (topic, fingerprint) for topic, found in json.loads(LEDGER.read_text()).items() for fingerprint in found
]


def written(schema: Any, record: Any) -> bytes:
    """As an earlier release wrote it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return SINGLE_OBJECT + schema_fingerprint(schema) + out.getvalue()


@pytest.mark.parametrize(("topic", "fingerprint"), RELEASED)
def test_a_schema_that_was_released_is_kept(topic: str, fingerprint: str) -> None:
    file = released_file(topic, bytes.fromhex(fingerprint))
    assert file.exists(), f"the schema of {topic} with fingerprint {fingerprint} is in people's Kafka; keep it: {file}"
    assert schema_fingerprint(json.loads(file.read_text())).hex() == fingerprint


def test_every_released_topic_is_still_one() -> None:
    assert {topic for topic, _ in RELEASED} <= set(TOPICS)


@pytest.mark.parametrize(("topic", "fingerprint"), RELEASED)
def test_a_record_of_an_earlier_schema_is_read(topic: str, fingerprint: str) -> None:
    schema = json.loads(released_file(topic, bytes.fromhex(fingerprint)).read_text())
    record = _with_valid_json(schema, generate_one(schema))
    assert topic_codec(topic, "json").decode(written(schema, record))


@pytest.mark.parametrize("outcome", ["delivered", "bounced", "complained", "suppressed", "expired", "canceled"])
def test_an_older_reader_reads_an_outcome_that_it_does_not_know_as_unknown(outcome: str) -> None:
    older = json.loads(released_file("delivery.status", bytes.fromhex("25363a422a694b19")).read_text())
    record = generate_one(older) | {"outcome": outcome, "reason": "canceled", "provider_id": None}
    raw = io.BytesIO()
    fastavro.schemaless_writer(raw, fastavro.parse_schema(topic_schema("delivery.status")), record)
    read = fastavro.schemaless_reader(io.BytesIO(raw.getvalue()), topic_schema("delivery.status"), older)
    assert isinstance(read, dict)
    assert (read["outcome"], read["reason"]) == ("unknown", "unknown")


def _with_valid_json(schema: Any, value: Any, named: dict[str, Any] | None = None) -> Any:
    """Made-up records with texts that are JSON where the schema says so. `named`: the records seen so far."""
    named = {} if named is None else named
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, dict) and schema.get("logicalType") == "json":
        return "{}"
    if isinstance(schema, dict) and schema.get("type") == "record":
        named[f"{schema.get('namespace', 'tidings')}.{schema['name']}"] = schema
        kinds = {field["name"]: field["type"] for field in schema["fields"]}
        return {name: _with_valid_json(kinds[name], item, named) for name, item in value.items()}
    if isinstance(schema, dict) and schema.get("type") == "array":
        return []
    return None if isinstance(schema, list) and "null" in schema else value


def test_a_rule_of_the_first_release_still_stands_on_the_index() -> None:
    schema = json.loads(released_file("distributions", bytes.fromhex("a5e13469e268bbd4")).read_text())
    rule = {
        "id": "old", "project_id": "shop", "name": "Old", "version": 3, "status": "LIVE", "action": "message",
        "trigger": {"event": "customer.segment.entered", "segment": "vip", "campaign": None},
        "when": '{"customer.metadata.country": "PL"}', "consent": "marketing",
        "channels": [{"channel": "webhook", "url": "https://x.example.com", "type": "t", "headers": {}}],
        "again": {"mode": "once_in", "path": None, "seconds": 60}, "priority": 4, "starts_at": None, "ends_at": None,
        "expires_after": None, "updated_at": 1_760_000_000_000_000,
    }  # fmt: skip
    decoded = topic_codec("distributions", "avro").decode(written(schema, rule))
    read = msgspec.convert(decoded, Distribution)
    index = RuleIndex()
    index.insert(read)
    assert (read.action, read.trigger.segment, read.version, len(index)) == ("message", "vip", 3, 1)


def test_a_fingerprint_of_nobody_is_refused_with_both_named() -> None:
    with pytest.raises(Undecodable, match=r"fingerprint 6161616161616161; customers has [0-9a-f]{16}"):
        topic_codec("customers", "avro").decode(SINGLE_OBJECT + b"a" * 8)
