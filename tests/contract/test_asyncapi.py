"""The AsyncAPI document: valid by the official schema, true of the topics, with examples that the codec takes."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from agents.broker.lag import READS
from agents.broker.wire import WRITES
from console.reference.asyncapi import AVRO, asyncapi_description
from schemas.contract import record_type, topic_codec, topic_schema
from schemas.dead_letter import DeadLetter
from schemas.events.event import Event
from schemas.events.triggers import EVENT_TOPICS
from schemas.record import Record
from schemas.topics import DEAD_LETTERS, TOPICS
from schemas.wire.codec import SINGLE_OBJECT

OFFICIAL = Path(__file__).parent / "asyncapi" / "3.1.0.json.gz"
DOCUMENT: dict[str, Any] = json.loads(asyncapi_description())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
OF_RECORDS = [name for name in TOPICS if name != DEAD_LETTERS]


@pytest.fixture(scope="module")
def official() -> Any:
    return jsonschema_rs.validator_for(json.loads(gzip.decompress(OFFICIAL.read_bytes())))


def test_the_document_is_valid_by_the_official_schema(official: Any) -> None:
    assert [(one.message, list(one.instance_path)) for one in official.iter_errors(DOCUMENT)] == []


SPOILS = {
    "a channel without a known field": lambda one: one["channels"]["customers"].update(addres="x"),
    "an operation that does neither": lambda one: one["operations"]["send.customers"].update(action="write"),
    "another version": lambda one: one.update(asyncapi="3.9.0"),
    "a message of a kind of its own": lambda one: one["components"]["messages"]["customers"].update(contentType=7),
    "an Avro schema without a type": lambda one: one["components"]["messages"]["customers"]["payload"]["schema"].pop(
        "type"
    ),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoilt_document_is_not_valid(official: Any, spoil: str) -> None:
    spoilt = copy.deepcopy(DOCUMENT)
    spoilt["operations"].setdefault("send.customers", dict(spoilt["operations"]["receive.customers"]))
    SPOILS[spoil](spoilt)
    assert not official.is_valid(spoilt)


def test_every_topic_is_a_channel_with_its_key_its_policy_and_its_schema() -> None:
    assert DOCUMENT["channels"].keys() == MESSAGES.keys() == TOPICS.keys()
    for name, topic in TOPICS.items():
        channel = DOCUMENT["channels"][name]
        assert channel["address"] == "{prefix}" + name
        assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
        assert channel["x-topic-configuration"] == topic.settings()
        assert MESSAGES[name]["bindings"]["kafka"]["key"]["type"] == "string"
    for name in OF_RECORDS:
        assert MESSAGES[name]["payload"] == {"schemaFormat": AVRO, "schema": topic_schema(name)}


def test_each_role_stands_at_what_it_reads_and_writes() -> None:
    for action, lists in (("send", WRITES), ("receive", READS)):
        for role, topics in lists.items():
            for name in topics:
                assert role in DOCUMENT["operations"][f"{action}.{name}"]["summary"], (action, role, name)
    for name, one in DOCUMENT["channels"].items():
        assert ("upstream" in one["description"]) is (
            name == "customers" or (name in EVENT_TOPICS and name not in ("events.manual", "events.publications"))
        )


def test_what_is_referred_to_is_there() -> None:
    text = json.dumps(DOCUMENT)
    for name in [part.partition('"')[0] for part in text.split('"$ref": "#/')[1:]]:
        found = DOCUMENT
        for step in name.split("/"):
            found = found[step]


def as_record(topic: str, example: dict[str, Any]) -> Record:
    return msgspec.convert(example, Event if topic in EVENT_TOPICS else record_type(topic))


def is_within(shown: Any, read: Any) -> bool:
    """True where all that is shown was read; defaults may stand beside it."""
    if isinstance(shown, dict):
        return all(name in read and is_within(value, read[name]) for name, value in shown.items())
    if isinstance(shown, list):
        return len(shown) == len(read) and all(map(is_within, shown, read))
    return bool(shown == read)


@pytest.mark.parametrize("topic", OF_RECORDS)
def test_examples_are_records_that_every_encoding_takes_and_gives_back(topic: str) -> None:
    shown = [one["payload"] for one in MESSAGES[topic]["examples"]]
    assert shown
    codec = topic_codec(topic, "avro")
    for example in shown:
        raw = codec.encode(as_record(topic, example))
        assert raw.startswith(SINGLE_OBJECT + bytes.fromhex(MESSAGES[topic]["x-fingerprint"]))
        read = as_record(topic, codec.decode(raw))
        assert is_within(msgspec.to_builtins(as_record(topic, example)), msgspec.to_builtins(read))
        assert as_record(topic, codec.decode(codec.encode(read))) == read
        assert topic_codec(topic, "json").decode(msgspec.json.encode(example)) == example


def test_the_facts_of_a_dead_letter_are_those_in_its_headers() -> None:
    (example,) = MESSAGES[DEAD_LETTERS]["examples"]
    headers = MESSAGES[DEAD_LETTERS]["headers"]
    assert example["headers"].keys() == headers["properties"].keys() == {*headers["required"]}
    assert DeadLetter.from_headers([(name, text.encode()) for name, text in example["headers"].items()]).offset == 41
