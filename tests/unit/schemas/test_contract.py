"""Records, Avro files and the codec."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import avro_file, avro_text, topic_codec, topic_schema
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord, CannotStart, TooDeep, TooLarge, Undecodable
from schemas.events.triggers import TRIGGERS
from schemas.topics import TOPICS, check_prefix
from schemas.wire.codec import TopicCodec, schema_fingerprint
from schemas.wire.registry import RegisteredSchema
from tests.factory import order_event


class Registry:
    """A registry in memory."""

    def __init__(self) -> None:
        self.schemas: dict[int, RegisteredSchema] = {}

    def schema(self, number: int) -> RegisteredSchema:
        return self.schemas[number]

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        self.schemas[7] = RegisteredSchema("AVRO", schema)
        return 7


@pytest.mark.parametrize("topic", TOPICS)
def test_the_avro_file_of_a_topic_says_what_the_records_say(topic: str) -> None:
    assert avro_file(topic).read_text() == avro_text(topic), "run `python -m schemas.contract`"
    fastavro.parse_schema(json.loads(avro_text(topic)))


def test_the_fingerprint_is_that_of_the_specification() -> None:
    assert schema_fingerprint("null").hex() == "8a8f25cce724dd63"  # type: ignore[arg-type]


@pytest.mark.parametrize("wire", ["avro", "confluent", "json"])
def test_unknown_fields_survive_every_encoding(wire: Any) -> None:
    event = order_event()
    event["data"]["order"] |= {"gift_wrap": {"paper": "red"}, "metadata": {"a": [1, None]}}
    event["data"]["customer"] |= {"favourite": "blue", "extra": {"a": 1}, "phone": 5}
    codec = topic_codec("events.orders", wire, Registry())
    record = (
        event
        if wire == "json"
        else {**event, "created_at": msgspec.convert(event["created_at"], __import__("datetime").datetime)}
    )
    decoded = codec.decode(codec.encode(record))
    assert decoded["data"]["order"]["gift_wrap"] == {"paper": "red"}
    assert decoded["data"]["order"]["items"][0]["sku"] == "GIFT-1"
    assert {name: decoded["data"]["customer"][name] for name in ("favourite", "extra", "phone")} == {
        "favourite": "blue", "extra": {"a": 1}, "phone": 5,
    }  # fmt: skip


def test_any_encoding_is_read_whatever_is_written() -> None:
    registry = Registry()
    codecs = [topic_codec("customers", wire, registry) for wire in ("avro", "confluent", "json")]
    for writer in codecs:
        for reader in codecs:
            assert reader.decode(writer.encode({"id": "c1"}))["id"] == "c1"


def avro() -> TopicCodec:
    return topic_codec("customers", "avro")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "an empty record"),
        (b"xx", "starts with 78 78"),
        (b"   ", "starts with 20 20"),
        (b" [1]", "JSON, but not an object"),
        (b'"text"', "JSON, but not an object"),
        ('{"id": "c1"}'.encode("utf-16"), "UTF-16"),
        ('{"id": "c1"}'.encode("utf-16-le"), "UTF-16"),
        ('{"id": "c1"}'.encode("utf-32-le"), "UTF-16 or UTF-32"),
        (b'{"id": NaN}', "invalid character"),
        (b'{"id": -Infinity}', "invalid number|invalid character"),
        (b'{"id": 1e400}', "out of range"),
        (b'{"id": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"id": "\\ud800"}', "half of a surrogate pair"),
        (b'{"id": "\\udc00\\ud800"}', "half of a surrogate pair"),
        (b"{", "starts as JSON but is not valid"),
        (b'{"a":"\xff"}', "starts as JSON but is not valid"),
        (b"\x00\x00\x00\x00\x01abc", "no wire.registry_url"),
        (b"\xc3\x01" + b"a" * 8, "fingerprint 6161616161616161"),
    ],
)
def test_what_cannot_be_read_is_said(raw: bytes, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        avro().decode(raw)


@pytest.mark.parametrize("wire", ["avro", "confluent", "json"])
def test_what_its_topic_would_not_take_is_refused_before_the_broker_does(wire: Any) -> None:
    codec = topic_codec("publications.requests", wire, Registry())
    request: dict[str, Any] = {
        "publication_id": "p", "project_id": "s", "campaign": "c", "when_empty": "skip", "customer_id": "c",
        "distribution": {"id": "d", "version": 1, "name": "D"}, "drafts": [],
        "event": {"id": "e", "type": "t", "created_at": datetime(2026, 1, 1, tzinfo=UTC)},
    }  # fmt: skip
    assert codec.encode({**request, "data": {"a": "x" * 1_000_000}})
    with pytest.raises(TooLarge, match="a record of publications.requests would have"):
        codec.encode({**request, "data": {"a": "x" * 1_600_000}})


def test_a_time_that_is_one_only_with_its_offset_is_refused() -> None:
    codec = topic_codec("events.orders", "avro")
    moment = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(BadRecord, match="outside of the calendar"):
        codec.encode({**order_event(), "created_at": moment})


@pytest.mark.parametrize("before", [b" ", b"\r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_white_space_and_a_byte_order_mark_in_front_of_json_are_read_over(before: bytes) -> None:
    assert avro().decode(before + b'{"id": "c1"}\n') == {"id": "c1"}


@pytest.mark.parametrize("wire", ["avro", "json"])
def test_numbers_of_any_size_survive_and_of_two_keys_the_last_counts(wire: Any) -> None:
    codec = topic_codec("customers", wire)
    decoded = codec.decode(b'{"id": "c0", "metadata": {"a": 18446744073709551616, "b": 1e308}, "id": "c1"}')
    assert (decoded["id"], decoded["metadata"]) == ("c1", {"a": 2**64, "b": 1e308})
    assert codec.decode(codec.encode(decoded)) == {**({"consents": {}} if wire == "avro" else {}), **decoded}


JSON_FRAME, PROTOBUF_FRAME, REFERRING_FRAME = (b"\0\0\0\0" + bytes((number,)) for number in (1, 2, 3))
ADDRESS = {"type": "record", "name": "a.Address", "fields": [{"name": "city", "type": "string"}]}
PERSON = {
    "type": "record",
    "name": "p.Person",
    "fields": [{"name": "home", "type": "a.Address"}, {"name": "work", "type": "a.Address"}],
}


def behind_a_registry() -> TopicCodec:
    registry = Registry()
    registry.schemas = {
        1: RegisteredSchema("JSON"),
        2: RegisteredSchema("PROTOBUF"),
        3: RegisteredSchema("AVRO", PERSON, (ADDRESS,)),
        4: RegisteredSchema("AVRO", PERSON),
        5: RegisteredSchema("AVRO", "string"),
        6: RegisteredSchema("AVRO", {"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}),
        7: RegisteredSchema("AVRO", {"type": "nonsense"}),
        8: RegisteredSchema("AVRO", 8),
    }  # fmt: skip
    return topic_codec("customers", "avro", registry)


def test_what_stands_behind_a_frame_is_read_by_the_kind_of_its_schema() -> None:
    codec = behind_a_registry()
    assert codec.decode(JSON_FRAME + b' {"id": "c1"}') == {"id": "c1"}
    assert codec.decode(REFERRING_FRAME + b"\x02a\x02b") == {"home": {"city": "a"}, "work": {"city": "b"}}


@pytest.mark.parametrize(
    ("number", "body", "said"),
    [
        (1, b"[]", "not an object"),
        (1, b"", "starts as JSON but is not valid"),
        (2, b"\x00\x0a\x01", "is PROTOBUF; Avro and JSON Schema are read here"),
        (4, b"\x02a", "schema 4 of the registry is not an Avro schema"),
        (5, b"\x02a", "is of a str; a record is read here"),
        (6, b"", "RecursionError"),
        (7, b"", "not an Avro schema"),
        (8, b"", "not an Avro schema"),
    ],
)
def test_what_cannot_be_read_behind_a_frame_is_said(number: int, body: bytes, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        behind_a_registry().decode(b"\0\0\0\0" + bytes((number,)) + body)


@pytest.mark.parametrize("levels", [100, 100_000])
def test_deep_nesting_is_refused_without_harm(levels: int) -> None:
    with pytest.raises(TooDeep):
        avro().decode(b'{"a":' * levels + b"1" + b"}" * levels)


def test_bytes_after_an_avro_record_are_refused() -> None:
    with pytest.raises(Undecodable, match="1 bytes too many"):
        avro().decode(avro().encode({"id": "c1"}) + b"x")


@given(st.binary(max_size=200))
def test_no_bytes_make_the_codec_fail_otherwise(raw: bytes) -> None:
    for start in (b"", b"{", b"\xc3\x01" + schema_fingerprint(topic_schema("customers"))):
        try:
            avro().decode(start + raw)
        except BadRecord as error:
            assert str(error)


def test_confluent_without_a_registry_does_not_start() -> None:
    with pytest.raises(CannotStart, match=r"wire\.registry_url"):
        topic_codec("customers", "confluent")


def test_the_facts_of_a_dead_letter_survive_its_headers() -> None:
    facts = DeadLetter(
        topic="events.orders", partition=3, offset=9, role="matcher", kind="x", message="ł", failed_at="now"
    )
    assert DeadLetter.from_headers(facts.headers()) == facts


def test_every_trigger_names_objects_of_its_topic() -> None:
    for trigger in TRIGGERS.values():
        assert set(trigger.objects) <= set(trigger.data.__struct_fields__), trigger.type


def test_a_prefix_that_makes_no_topic_name_is_refused() -> None:
    check_prefix("eu-1.prod_")
    with pytest.raises(ValueError, match="may hold only"):
        check_prefix("eu/1")
