"""The schema registry client against Apicurio, beside the server of our own that `test_registry` makes up."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import fastavro
import msgspec
import pytest

from agents.broker.registry import HttpSchemaRegistry
from schemas.contract import topic_codec, topic_schema
from schemas.errors import CannotStart, TryLater, Undecodable
from schemas.topics import TOPICS
from schemas.wire.codec import TopicCodec
from tests.apicurio import apicurio
from tests.unit.schemas.wire.test_avro import by_fastavro


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio")) as made:
        yield made


def tell(address: str, subject: str, method: str = "POST", **body: Any) -> Any:
    """Told as another client does."""
    request = urllib.request.Request(
        f"{address}/{subject}", json.dumps(body).encode(), {"content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def versions(subject: str) -> str:
    return f"subjects/{quote(subject, safe='')}/versions"


def framed(number: int, rest: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + rest


@pytest.mark.timeout(600)
def test_a_real_registry_is_read_and_written(address: str) -> None:
    """One test, since a registry starts for ten seconds, and each test of a module may run in a process of its own."""
    each_topic_s_schema_is_registered_once_and_read_by_another_process(address)
    a_schema_with_references_is_put_together(address)
    other_kinds_are_named(address)
    what_it_does_not_have_is_the_record_s_fault(address)
    a_schema_that_would_break_readers_is_refused_in_its_words(address)


def each_topic_s_schema_is_registered_once_and_read_by_another_process(address: str) -> None:
    writing, known = HttpSchemaRegistry(address), dict[str, int]()
    assert set(writing.check().split(", ")) == {"AVRO", "JSON", "PROTOBUF"}
    for topic in TOPICS:
        schema = topic_schema(topic)
        known[topic] = writing.number(f"{topic}-value", schema)
        assert HttpSchemaRegistry(address).number(f"{topic}-value", schema) == known[topic], "the same again"
        found = HttpSchemaRegistry(address).schema(known[topic])
        assert fastavro.parse_schema(found.schema) == fastavro.parse_schema(schema)
    raw = topic_codec("customers", "confluent", writing).encode({"id": "c1", "favourite": "blue"})
    assert raw[:5] == framed(known["customers"], b"")
    assert topic_codec("customers", "avro", HttpSchemaRegistry(address)).decode(raw)["favourite"] == "blue"


def a_schema_with_references_is_put_together(address: str) -> None:
    base = {"type": "record", "name": "Base", "namespace": "n", "fields": [{"name": "at", "type": "long"}]}
    top = {"type": "record", "name": "Top", "namespace": "n", "fields": [{"name": "base", "type": "n.Base"}]}
    tell(address, versions("bases/n.Base"), schema=json.dumps(base))
    references = [{"name": "n.Base", "subject": "bases/n.Base", "version": 1}]
    number = tell(address, versions("tops-value"), schema=json.dumps(top), references=references)["id"]
    whole = {**top, "fields": [{"name": "base", "type": base}]}
    raw = framed(number, by_fastavro(whole, {"base": {"at": 7}}))
    assert topic_codec("customers", "avro", HttpSchemaRegistry(address)).decode(raw) == {"base": {"at": 7}}


def other_kinds_are_named(address: str) -> None:
    codec = topic_codec("customers", "avro", HttpSchemaRegistry(address))
    kind = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}
    number = tell(address, versions("in-json-value"), schema=json.dumps(kind), schemaType="JSON")["id"]
    assert codec.decode(framed(number, b'{"id": "c1"}')) == {"id": "c1"}
    text = 'syntax = "proto3"; message M { string a = 1; }'
    number = tell(address, versions("in-protobuf-value"), schema=text, schemaType="PROTOBUF")["id"]
    with pytest.raises(Undecodable, match="is PROTOBUF; Avro and JSON Schema"):
        codec.decode(framed(number, b"x"))


def what_it_does_not_have_is_the_record_s_fault(address: str) -> None:
    """Never the registry's: one such record would be waited for, and all behind it, for ever."""
    codec = topic_codec("customers", "avro", HttpSchemaRegistry(address))
    for number in (999, 2**31 - 1, 2**31, 2**32 - 1):
        with pytest.raises(Undecodable, match=f"schema number {number} "):
            codec.decode(framed(number, b"x"))
    eight_bytes = b"\0" + (3).to_bytes(8, "big") + b"x"  # as its own serializers write by default
    with pytest.raises(Undecodable, match="schema number 0 .*eight bytes"):
        codec.decode(eight_bytes)
    with pytest.raises(TryLater, match="HTTP 404; check wire.registry_url"):
        HttpSchemaRegistry(address.replace("v7", "v99")).schema(1)


def a_schema_that_would_break_readers_is_refused_in_its_words(address: str) -> None:
    tell(address, "config", "PUT", compatibility="BACKWARD")
    newer = msgspec.json.decode(json.dumps(topic_schema("customers")))
    newer["fields"].append({"name": "shoe_size", "type": "int"})
    registry = HttpSchemaRegistry(address)
    with pytest.raises(CannotStart, match=r"refuses the schema of customers-value.*shoe_size"):
        TopicCodec("customers", newer, "confluent", registry).encode({"id": "c1", "shoe_size": 4})
    newer["fields"][-1]["default"] = 0
    raw = TopicCodec("customers", newer, "confluent", registry).encode({"id": "c1", "shoe_size": 4})
    assert topic_codec("customers", "avro", HttpSchemaRegistry(address)).decode(raw)["shoe_size"] == 4
