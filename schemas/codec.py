"""Bytes to records and back: Avro single-object, Avro in Confluent framing, and JSON, told apart by the first bytes.

Sources: Avro 1.12 specification, "Single-object encoding" and "Schema fingerprints"; Confluent wire format (magic
byte 0, schema number as four bytes, big-endian).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

import fastavro
import msgspec
from fastavro.read import LOGICAL_READERS
from fastavro.schema import fingerprint, to_parsing_canonical_form
from fastavro.write import LOGICAL_WRITERS

from schemas.closed import Wire
from schemas.errors import BadRecord, CannotStart, TooDeep, Undecodable
from schemas.open_records import folding, unfolding
from schemas.registry import SchemaRegistry

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = 0
MAX_DEPTH = 64
"""Levels of nesting that are still read. A valid event has about six."""

_SINGLE_OBJECT_HEAD = 10
_CONFLUENT_HEAD = 5


class TopicCodec:
    """Reads any of the three encodings of one topic's records and writes the configured one.

    Records in memory are plain mappings with unknown fields beside the known ones; `encode` takes a struct as well.
    """

    def __init__(self, topic: str, schema: dict[str, Any], wire: Wire, registry: SchemaRegistry | None = None) -> None:
        if wire == "confluent" and registry is None:
            raise CannotStart("wire format confluent needs wire.registry_url; or set wire.format to avro or json")
        self.topic = topic
        self.schema = schema
        self._parsed = fastavro.parse_schema(schema)
        self._fingerprint = schema_fingerprint(schema)
        self._registry = registry
        self._foreign: dict[int, Any] = {}
        self._unfold = unfolding(schema)
        self._fold = folding(schema)
        encoders: dict[Wire, Callable[[Any], bytes]] = {
            "avro": self._encode_single_object,
            "confluent": self._encode_confluent,
            "json": msgspec.json.encode,
        }
        self.encode = encoders[wire]

    def decode(self, raw: bytes) -> dict[str, Any]:
        """The record in `raw`. Raises Undecodable or TooDeep, saying what was found and what is understood."""
        first = raw[:1]
        if first == b"{":
            return _decode_json_object(raw)
        if raw[:2] == SINGLE_OBJECT:
            return self._decode_single_object(raw)
        if first == b"\x00":
            return self._decode_confluent(raw)
        raise Undecodable(_unknown_start(raw))

    def _decode_single_object(self, raw: bytes) -> dict[str, Any]:
        found = raw[2:_SINGLE_OBJECT_HEAD]
        if found != self._fingerprint:
            raise Undecodable(
                f"Avro single-object with schema fingerprint {found.hex()}; {self.topic} has {self._fingerprint.hex()}"
            )
        return self._unfolded(_read_avro(raw, _SINGLE_OBJECT_HEAD, self._parsed))

    def _decode_confluent(self, raw: bytes) -> dict[str, Any]:
        if self._registry is None:
            raise Undecodable("Confluent framing (first byte 00), but no wire.registry_url is configured")
        if len(raw) < _CONFLUENT_HEAD:
            raise Undecodable(f"Confluent framing needs at least 5 bytes, this record has {len(raw)}")
        (number,) = struct.unpack_from(">I", raw, 1)
        return self._unfolded(_read_avro(raw, _CONFLUENT_HEAD, self._writer_schema(number, self._registry)))

    def _writer_schema(self, number: int, registry: SchemaRegistry) -> Any:
        if number not in self._foreign:
            self._foreign[number] = fastavro.parse_schema(registry.schema(number))
        return self._foreign[number]

    def _unfolded(self, record: dict[str, Any]) -> dict[str, Any]:
        return self._unfold(record) if self._unfold else record

    def _encode_single_object(self, record: Any) -> bytes:
        return self._written(SINGLE_OBJECT + self._fingerprint, record)

    def _encode_confluent(self, record: Any) -> bytes:
        assert self._registry is not None  # noqa: S101 - refused in the constructor
        number = self._registry.number(f"{self.topic}-value", self.schema)
        return self._written(struct.pack(">bI", CONFLUENT, number), record)

    def _written(self, head: bytes, record: Any) -> bytes:
        plain = msgspec.to_builtins(record, builtin_types=_AVRO_OWN) if isinstance(record, msgspec.Struct) else record
        out = io.BytesIO(head)
        out.seek(len(head))
        try:
            fastavro.schemaless_writer(out, self._parsed, self._fold(plain) if self._fold else plain)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRecord(f"does not fit the schema of {self.topic}: {error}") from error
        return out.getvalue()


def schema_fingerprint(schema: dict[str, Any]) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, eight bytes, little-endian as in single-object encoding."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def decode_json(raw: bytes | str) -> Any:
    """A JSON value, refused when nested deeper than `MAX_DEPTH`. Raises Undecodable or TooDeep."""
    brackets = (b"{", b"[") if isinstance(raw, bytes) else ("{", "[")
    may_be_deep = sum(map(raw.count, brackets)) > MAX_DEPTH  # type: ignore[arg-type]
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(f"starts as JSON but is not valid: {error}") from error
    except RecursionError as error:
        raise TooDeep(_too_deep()) from error
    if may_be_deep and _deeper_than(value, MAX_DEPTH):
        raise TooDeep(_too_deep())
    return value


def _decode_json_object(raw: bytes) -> dict[str, Any]:
    value: dict[str, Any] = decode_json(raw)
    return value


def _read_avro(raw: bytes, start: int, schema: Any) -> dict[str, Any]:
    """Decode one Avro record that fills the rest of `raw`."""
    source = io.BytesIO(raw)
    source.seek(start)
    try:
        record: dict[str, Any] = fastavro.schemaless_reader(source, schema, None)
    except BadRecord:
        raise
    except Exception as error:  # the decoder raises whatever broken bytes lead it to
        raise Undecodable(f"starts as Avro but is not valid: {type(error).__name__} {error}".rstrip()) from error
    if source.tell() != len(raw):
        raise Undecodable(f"{len(raw) - source.tell()} bytes too many after the Avro record")
    return record


def _unknown_start(raw: bytes) -> str:
    if not raw:
        return "an empty record; a record starts with { (JSON), C3 01 (Avro single-object) or 00 (Confluent framing)"
    return (
        f"starts with {raw[:2].hex(' ').upper()}, which is no encoding that is read here: "
        "{ (JSON), C3 01 (Avro single-object) or 00 (Confluent framing)"
    )


def _too_deep() -> str:
    return f"nested deeper than {MAX_DEPTH} levels; flatten the object or send less of it"


def _deeper_than(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(item, levels - 1) for item in inner if isinstance(item, dict | list))


def _json_text(value: Any, *_: Any) -> str:
    """For the logical type `json`: text passes as it is (a default, or already encoded), values are encoded."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_AVRO_OWN = (bytes, datetime)
"""What Avro takes as it is, so that only structs are turned into mappings."""

LOGICAL_WRITERS["string-json"] = _json_text
LOGICAL_READERS["string-json"] = lambda text, *_: decode_json(text)
