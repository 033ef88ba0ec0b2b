"""Records, Avro files and the codec."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import TopicCodec, schema_fingerprint
from schemas.contract import avro_file, avro_text, topic_codec, topic_schema
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord, CannotStart, TooDeep, Undecodable
from schemas.topics import TOPICS, check_prefix
from schemas.triggers import TRIGGERS
from tests.factory import order_event


class Registry:
    """A registry in memory."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}

    def schema(self, number: int) -> dict[str, Any]:
        return self.schemas[number]

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        self.schemas[7] = schema
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
    event["data"]["customer"]["favourite"] = "blue"
    codec = topic_codec("events.orders", wire, Registry())
    record = (
        event
        if wire == "json"
        else {**event, "created_at": msgspec.convert(event["created_at"], __import__("datetime").datetime)}
    )
    decoded = codec.decode(codec.encode(record))
    assert decoded["data"]["order"]["gift_wrap"] == {"paper": "red"}
    assert decoded["data"]["order"]["items"][0]["sku"] == "GIFT-1"
    assert decoded["data"]["customer"]["favourite"] == "blue"


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
        (b"{", "starts as JSON but is not valid"),
        (b'{"a":"\xff"}', "starts as JSON but is not valid"),
        (b"\x00\x00\x00\x00\x01abc", "no wire.registry_url"),
        (b"\xc3\x01" + b"a" * 8, "fingerprint 6161616161616161"),
    ],
)
def test_what_cannot_be_read_is_said(raw: bytes, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        avro().decode(raw)


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
