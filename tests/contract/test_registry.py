"""The schema registry client against a server that speaks the registry's REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agents.broker.registry import HttpSchemaRegistry, RegistryAside
from schemas.contract import topic_codec, topic_schema
from schemas.errors import Asking, CannotStart, TryLater, Undecodable
from schemas.wire.codec import TopicCodec
from schemas.wire.registry import RegisteredSchema
from tests.registry_server import registry_server


@pytest.fixture
def server() -> Iterator[Any]:
    with registry_server() as made:
        yield made


def client(server: Any) -> HttpSchemaRegistry:
    return HttpSchemaRegistry(f"http://127.0.0.1:{server.server_port}", "user", "hush")


def test_a_record_written_in_confluent_framing_is_read_by_another_process(server: Any) -> None:
    raw = topic_codec("customers", "confluent", client(server)).encode({"id": "c1", "favourite": "blue"})
    assert raw[:5] == b"\x00\x00\x00\x00\x01"
    assert topic_codec("customers", "avro", client(server)).decode(raw)["favourite"] == "blue"
    assert server.asked[0] == ("/subjects/customers-value/versions", "Basic dXNlcjpodXNo")


def test_a_newer_writer_s_fields_are_kept(server: Any) -> None:
    newer: dict[str, Any] = json.loads(json.dumps(topic_schema("customers")))
    newer["fields"].append({"name": "shoe_size", "type": "int", "default": 0})
    server.known[7] = json.dumps(newer)

    class Seven:
        def schema(self, number: int) -> RegisteredSchema:
            return RegisteredSchema("AVRO", newer)

        def number(self, subject: str, schema: dict[str, Any]) -> int:
            return 7

    raw = TopicCodec("customers", newer, "confluent", Seven()).encode({"id": "c1", "shoe_size": 42})
    assert topic_codec("customers", "avro", client(server)).decode(raw)["shoe_size"] == 42


def test_an_unknown_number_is_the_record_s_fault_and_a_busy_registry_is_not(server: Any) -> None:
    with pytest.raises(Undecodable, match="schema number 9 is not in the registry"):
        topic_codec("customers", "avro", client(server)).decode(b"\x00\x00\x00\x00\x09x")
    server.failing = 503, {}
    with pytest.raises(TryLater, match="HTTP 503") as caught:
        topic_codec("customers", "confluent", client(server)).encode({"id": "c1"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("number", [2**31, 2**32 - 1])
def test_a_number_that_no_registry_gives_is_refused_unasked(server: Any, number: int) -> None:
    """Apicurio answers such a question with a 404 that says nothing of a schema: it would be waited for, for ever."""
    with pytest.raises(Undecodable, match=f"schema number {number} is none that a registry gives"):
        topic_codec("customers", "avro", client(server)).decode(b"\0" + number.to_bytes(4, "big") + b"x")
    assert server.asked == []


def test_the_words_of_a_registry_that_refuses_are_passed_on(server: Any) -> None:
    server.failing = 409, {"error_code": 409, "message": "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/3"}
    with pytest.raises(CannotStart, match="of customers-value: READER_FIELD_MISSING_DEFAULT_VALUE at /fields/3"):
        topic_codec("customers", "confluent", client(server)).encode({"id": "c1"})


def test_a_registry_that_is_away_is_waited_for() -> None:
    with pytest.raises(TryLater, match="does not answer"):
        HttpSchemaRegistry("http://127.0.0.1:1").schema(1)
    with pytest.raises(CannotStart, match="http://"):
        HttpSchemaRegistry("file:///etc/passwd")


def named(name: str, *fields: tuple[str, Any]) -> str:
    made = [{"name": field, "type": kind} for field, kind in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "n", "fields": made})


def refers(*subjects: str) -> list[dict[str, Any]]:
    return [{"name": subject, "subject": subject, "version": 3} for subject in subjects]


def test_references_are_fetched_each_before_those_that_use_it(server: Any) -> None:
    server.known = {
        5: {"schema": named("Top", ("left", "n.Left"), ("base", "n.Base")), "references": refers("n/left", "base")},
        "/subjects/n%2Fleft/versions/3": {"schema": named("Left", ("base", "n.Base")), "references": refers("base")},
        "/subjects/base/versions/3": {"schema": named("Base", ("at", "long"))},
    }
    codec = topic_codec("customers", "avro", client(server))
    assert codec.decode(b"\0\0\0\0\x05\x02\x04") == {"left": {"base": {"at": 1}}, "base": {"at": 2}}
    assert len(server.asked) == 3
    del server.known["/subjects/base/versions/3"]
    with pytest.raises(Undecodable, match=r"refers to base version 3, which is not in the registry"):
        topic_codec("customers", "avro", client(server)).decode(b"\0\0\0\0\x05\x02\x04")


@pytest.mark.parametrize("references", [["ring"], ["ring", "other"]])
def test_a_ring_of_references_ends(server: Any, references: list[str]) -> None:
    server.known = {
        5: {"schema": named("Top", ("ring", "n.Ring")), "references": refers(*references)},
        "/subjects/ring/versions/3": {"schema": named("Ring", ("at", "long")), "references": refers("other")},
        "/subjects/other/versions/3": {"schema": named("Other", ("at", "long")), "references": refers("ring")},
    }
    assert topic_codec("customers", "avro", client(server)).decode(b"\0\0\0\0\x05\x02") == {"ring": {"at": 1}}


def test_the_kind_of_a_schema_is_heeded(server: Any) -> None:
    server.known = {
        1: {"schema": "{}", "schemaType": "JSON", "references": refers("x")},
        2: {"schema": "syntax = 3", "schemaType": "PROTOBUF"},
    }
    codec = topic_codec("customers", "avro", client(server))
    assert codec.decode(b'\0\0\0\0\x01{"id": "c1"}') == {"id": "c1"}
    with pytest.raises(Undecodable, match="is PROTOBUF; Avro and JSON Schema"):
        codec.decode(b"\0\0\0\0\x02x")


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ((500, {}), "HTTP 500"),
        ((401, {"error_code": 401}), "HTTP 401; check wire.registry_username"),
        ((403, {}), "HTTP 403"),
        ((429, {}), "HTTP 429"),
        ((404, b"<html>no such page</html>"), "HTTP 404; check wire.registry_url"),
        ((302, {}), "HTTP 302; check wire.registry_url"),
        ((200, b"<html>log in</html>"), "does not answer"),
        ((200, []), "not a schema registry"),
    ],
)
def test_what_is_wrong_with_the_registry_is_no_record_s_fault(server: Any, failing: Any, said: str) -> None:
    server.failing = failing
    with pytest.raises(TryLater, match=said) as caught:
        client(server).schema(1)
    assert "hush" not in str(caught.value)


def test_a_loop_is_never_held_and_only_those_that_wait_wait(server: Any) -> None:
    """Each number by itself: another schema is read while the answer for one does not come."""
    server.known = {1: {"schema": "{}", "schemaType": "JSON"}, 2: {"schema": "{}", "schemaType": "JSON"}}
    registry = RegistryAside(client(server))
    codec = topic_codec("customers", "avro", registry)
    until_read(codec, b'\0\0\0\0\x01{"id": "c1"}')
    server.may_answer.clear()
    with pytest.raises(Asking):
        codec.decode(b"\0\0\0\0\x02{}")
    assert codec.decode(b'\0\0\0\0\x01{"id": "c1"}') == {"id": "c1"}
    server.may_answer.set()
    assert until_read(codec, b'\0\0\0\0\x02{"id": "c2"}') == {"id": "c2"}
    assert len(server.asked) == 2


def test_what_is_not_there_or_away_is_said_by_the_thread_too(server: Any) -> None:
    codec = topic_codec("customers", "avro", RegistryAside(client(server)))
    for _ in range(3):
        with pytest.raises(Undecodable, match="schema number 9 is not in the registry"):
            until_read(codec, b"\0\0\0\0\x09")
    assert len(server.asked) == 1
    server.failing = 503, {}
    with pytest.raises(TryLater, match="HTTP 503"):
        until_read(codec, b"\0\0\0\0\x08")


def until_read(codec: TopicCodec, raw: bytes) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            return codec.decode(raw)
        except Asking:
            assert time.monotonic() < deadline
            time.sleep(0.005)
