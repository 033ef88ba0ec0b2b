"""Schemas go on being read: those of every release by today's readers, and today's by readers of every release."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from schemas.contract import LEDGER, released_file, topic_schema
from schemas.topics import TOPICS
from tests.avro_compatibility import faults

RELEASED: list[tuple[str, str]] = [
    (topic, fingerprint) for topic, found in json.loads(LEDGER.read_text()).items() for fingerprint in found
]
_NO_DEFAULTS = "of 0.2.0: its enums have no default, so that it knows no symbol of later"
_UPSTREAM = "of 0.2.0: a quantity was a whole number; upstream writes this topic, and our own releases read it"
NOT_FORWARD: dict[str, str] = {
    "distributions": "the rules of our own matchers: a release cannot send over channels that it does not have",
    "decisions.975d4b4ee8504bf1": _NO_DEFAULTS,
    "delivery.status.12c1fe56fa209d48": _NO_DEFAULTS,
    "publications.requests.f9979d1061561874": _NO_DEFAULTS,
    "events.orders.b7fc8518d8bdbdb7": _UPSTREAM,
    "events.points.e264805839bfe5bd": _UPSTREAM,
    "events.redemptions.7b8ba052858c29bc": _UPSTREAM,
    "events.rewards.ef782c75410c8f9e": _UPSTREAM,
}
"""Topics, or schemas of a release, by which records of today need not be read, with the reason."""
FORWARD = [one for one in RELEASED if one[0] not in NOT_FORWARD and ".".join(one) not in NOT_FORWARD]


def released(topic: str, fingerprint: str) -> Any:
    return json.loads(released_file(topic, bytes.fromhex(fingerprint)).read_text())


@pytest.mark.parametrize(("topic", "fingerprint"), RELEASED)
def test_what_a_release_wrote_is_read_today(topic: str, fingerprint: str) -> None:
    assert faults(released(topic, fingerprint), topic_schema(topic)) == []


@pytest.mark.parametrize(("topic", "fingerprint"), FORWARD)
def test_what_is_written_today_is_read_by_whoever_was_built_with_a_release(topic: str, fingerprint: str) -> None:
    assert faults(topic_schema(topic), released(topic, fingerprint)) == []


def test_only_what_has_to_be_is_left_out() -> None:
    left_out = [one for one in RELEASED if one not in FORWARD]
    assert all(faults(topic_schema(topic), released(topic, found)) for topic, found in left_out)
    assert {topic for topic, _ in RELEASED} - {topic for topic, _ in FORWARD} == {"distributions"}


def symbols(schema: Any) -> list[str]:
    found: list[str] = field(schema, "outcome")["type"]["symbols"]
    return found


Spoil = Callable[[Any], object]


def copied(topic: str) -> Any:
    """A schema in which nothing is shared between its fields."""
    return json.loads(json.dumps(topic_schema(topic)))


def field(schema: Any, name: str) -> Any:
    return next(one for one in schema["fields"] if one["name"] == name)


SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "a field without a default": (
        lambda one: one["fields"].append({"name": "new", "type": "string"}), "back", "new: is not written",
    ),
    "a field that is gone": (
        lambda one: one["fields"].remove(field(one, "account")), "forth", "account: is not written",
    ),
    "a field of another kind": (
        lambda one: field(one, "attempts").update(type="string"), "both", "attempts: ",
    ),
    "a time of another unit": (
        lambda one: field(one, "occurred_at")["type"].update(logicalType="timestamp-millis"), "both", "occurred_at: ",
    ),
    "a record of another name": (lambda one: one.update(name="Status"), "both", "is named"),
    "a field that may be null now": (
        lambda one: field(one, "account").update(type=["null", "string"]), "forth", "account: null",
    ),
    "a field within another": (
        lambda one: field(one, "event")["type"]["fields"].append({"name": "x", "type": "long"}), "back", "event.x: ",
    ),
    "symbols without a default": (
        lambda one: (field(one, "outcome")["type"].pop("default"), symbols(one).remove("sent")),
        "back",
        "outcome: the symbols sent are unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_a_change_that_breaks_readers_is_found(name: str) -> None:
    spoil, direction, said = SPOILT[name]
    before, after = topic_schema("delivery.status"), copied("delivery.status")
    spoil(after)
    found = {"back": faults(before, after), "forth": faults(after, before)}
    for way, told in found.items():
        assert bool(told) is (direction in (way, "both")), (way, told)
        assert all(said in one for one in told)


HARMLESS: dict[str, Spoil] = {
    "a field with a default": lambda one: one["fields"].append(
        {"name": "new", "type": ["null", "string"], "default": None}
    ),
    "one more symbol": lambda one: symbols(one).append("read"),
    "another description": lambda one: one.update(doc="Another."),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_change_that_breaks_nobody_is_not(name: str) -> None:
    before, after = topic_schema("delivery.status"), copied("delivery.status")
    HARMLESS[name](after)
    assert faults(before, after) == faults(after, before) == []


@pytest.mark.parametrize("topic", TOPICS)
def test_a_schema_reads_what_it_wrote(topic: str) -> None:
    assert faults(topic_schema(topic), topic_schema(topic)) == []


@pytest.mark.parametrize(("topic", "fingerprint"), RELEASED)
def test_an_avro_library_reads_what_it_wrote_with_the_other_schema(topic: str, fingerprint: str) -> None:
    """The same by resolution of somebody else's, on made-up records."""
    pairs = [(released(topic, fingerprint), topic_schema(topic))]
    pairs += [(topic_schema(topic), released(topic, fingerprint))] if (topic, fingerprint) in FORWARD else []
    for writer, reader in pairs:
        parsed = fastavro.parse_schema(writer), fastavro.parse_schema(reader)
        for record in generate_many(writer, 20):
            raw = io.BytesIO()
            fastavro.schemaless_writer(raw, parsed[0], record)
            assert fastavro.schemaless_reader(io.BytesIO(raw.getvalue()), *parsed)
