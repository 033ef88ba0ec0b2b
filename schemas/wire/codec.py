"""Bytes to records and back: Avro single-object, Avro in Confluent framing, and JSON, told apart by the first bytes.

Sources: Avro 1.12 specification, "Single-object encoding" and "Schema fingerprints"; Confluent wire format (magic
byte 0, schema number as four bytes, big-endian).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.closed import Wire
from schemas.errors import BadRecord, CannotStart, TooLarge, Undecodable
from schemas.wire.avro_pieces import MISFIT
from schemas.wire.avro_read import Read, columns_reader, mapping_reader, struct_reader
from schemas.wire.avro_schema import NAMESPACE
from schemas.wire.avro_write import writer
from schemas.wire.json_text import MAX_DEPTH, decode_json
from schemas.wire.registry import AVRO, JSON_SCHEMA, RegisteredSchema, SchemaRegistry

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = 0
_SINGLE_OBJECT_HEAD = 10
_CONFLUENT_HEAD = 5
_MOST_NUMBER = 2**31 - 1  # numbers of schemas are signed in the registry
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"


def _no_earlier(_fingerprint: bytes) -> None:
    """No former schemas."""


class TopicCodec:
    """Reads any of the three encodings of one topic's records and writes the configured one.

    Records in memory are plain mappings with unknown fields beside the known ones; `encode` takes a struct as well.
    `earlier` gives the topic's former schema of a fingerprint, so that records of an earlier release are read for ever;
    a record of more than `max_bytes` is refused, since the broker would refuse it, and with it all that are on the way.
    """

    def __init__(
        self,
        topic: str,
        schema: dict[str, Any],
        wire: Wire,
        registry: SchemaRegistry | None = None,
        earlier: Callable[[bytes], dict[str, Any] | None] = _no_earlier,
        max_bytes: int = sys.maxsize,
        *,
        remembering: Collection[str] = (),
    ) -> None:
        if wire == "confluent" and registry is None:
            raise CannotStart("wire format confluent needs wire.registry_url; or set wire.format to avro or json")
        self.topic = topic
        self.schema = schema
        self._fingerprint = schema_fingerprint(schema)
        self._head = SINGLE_OBJECT + self._fingerprint
        self._wire, self._registry = wire, registry
        self._read = mapping_reader(schema)
        self._write = writer(schema, remembering=[f"{NAMESPACE}.{name}" for name in remembering])
        self._foreign: dict[int, Read] = {}
        self._earlier_schema = earlier
        self._earlier: dict[bytes, Read] = {}
        encoders: dict[Wire, Callable[[Any], bytes]] = {
            "avro": self._encode_single_object,
            "confluent": self._encode_confluent,
            "json": msgspec.json.encode,
        }
        self._encode, self._max_bytes = encoders[wire], max_bytes

    def encode(self, record: Any) -> bytes:
        """A record, or a mapping of one, as bytes. Raises BadRecord where it does not fit the schema or the topic."""
        raw = self._encode(record)
        if len(raw) > self._max_bytes:
            raise TooLarge(f"a record of {self.topic} would have {len(raw)} bytes; it takes {self._max_bytes}")
        return raw

    def remembering(self, *names: str) -> Callable[[Any], bytes]:
        """A function as `encode` for records that have objects in common: those of some kinds, by their Avro names.

        Such an object is gone through once, so whoever gives it again has not changed it.
        """
        given = self.topic, self.schema, self._wire, self._registry, self._earlier_schema, self._max_bytes
        return TopicCodec(*given, remembering=names).encode

    def decode(self, raw: bytes) -> dict[str, Any]:
        """The record in `raw`. Raises Undecodable or TooDeep, saying what was found and what is understood."""
        first = raw[:1]
        if first == b"{":
            return _decode_json_object(raw)
        if raw[:2] == SINGLE_OBJECT:
            return self._decode_single_object(raw)
        if first == b"\x00":
            return self._decode_confluent(raw)
        text = raw.removeprefix(_BYTE_ORDER_MARK).lstrip(_WHITE_SPACE)
        if text[:1] == b"{":
            return _decode_json_object(text)
        raise Undecodable(_unknown_start(raw))

    def straight(self, kind: Any) -> Callable[[bytes], Any]:
        """Reads records straight into a struct; None for a record that needs a closer look, or is not valid.

        Of JSON and of Avro in the topic's own schema. Avro's types are checked here, constraints like a length are not.
        """
        of_json, of_avro, head = msgspec.json.Decoder(kind), struct_reader(self.schema, kind), self._head

        def read(raw: bytes) -> Any:
            try:
                if raw[:1] == b"{":
                    opening = len(raw) - len(raw.replace(b"{", b"").replace(b"[", b""))  # in half the time of `count`
                    is_text = opening <= MAX_DEPTH and (raw.isascii() or _is_utf8(raw))  # no deeper than that anywhere
                    return of_json.decode(raw) if is_text else None
                if raw[:_SINGLE_OBJECT_HEAD] == head:
                    return _read_whole(of_avro, raw, _SINGLE_OBJECT_HEAD)
            except (msgspec.MsgspecError, BadRecord):
                pass
            return None

        return read

    def columns(self, kind: Any, paths: Sequence[str]) -> Callable[[bytes], tuple[bytes, ...] | None]:
        """Reads records of a struct straight as fields of COPY; None for a record that needs a closer look.

        Of Avro in the topic's own schema, where columns take all that is in it as it is.
        """
        fields, head = columns_reader(self.schema, kind, paths), self._head

        def read(raw: bytes) -> tuple[bytes, ...] | None:
            if raw[:_SINGLE_OBJECT_HEAD] != head:
                return None
            try:
                found: tuple[bytes, ...] = _read_whole(fields, raw, _SINGLE_OBJECT_HEAD)
            except BadRecord:
                return None
            return found

        return read

    def _decode_single_object(self, raw: bytes) -> dict[str, Any]:
        found = raw[2:_SINGLE_OBJECT_HEAD]
        read = self._read if found == self._fingerprint else self._earlier_reader(found)
        record: dict[str, Any] = _read_whole(read, raw, _SINGLE_OBJECT_HEAD)
        return record

    def _earlier_reader(self, found: bytes) -> Read:
        """A reader of records written with a former schema of the topic: what was added since is simply not there."""
        if found not in self._earlier:
            schema = self._earlier_schema(found)
            if schema is None:
                raise Undecodable(
                    f"Avro single-object with schema fingerprint {found.hex()}; {self.topic} has "
                    f"{self._fingerprint.hex()}, and no release wrote another with that one"
                )
            self._earlier[found] = mapping_reader(schema)
        return self._earlier[found]

    def _decode_confluent(self, raw: bytes) -> dict[str, Any]:
        if self._registry is None:
            raise Undecodable("Confluent framing (first byte 00), but no wire.registry_url is configured")
        if len(raw) < _CONFLUENT_HEAD:
            raise Undecodable(f"Confluent framing needs at least 5 bytes, this record has {len(raw)}")
        (number,) = struct.unpack_from(">I", raw, 1)
        if number > _MOST_NUMBER:  # some registries answer such a question as if nobody were at that address
            raise Undecodable(f"schema number {number} is none that a registry gives: they end at {_MOST_NUMBER}")
        record: Any = _read_whole(self._reader(number, self._registry), raw, _CONFLUENT_HEAD)
        if not isinstance(record, dict):
            raise Undecodable(f"schema {number} of the registry is of a {type(record).__name__}; a record is read here")
        return record

    def _reader(self, number: int, registry: SchemaRegistry) -> Read:
        if number not in self._foreign:
            self._foreign[number] = _foreign_reader(number, registry.schema(number))
        return self._foreign[number]

    def prepare(self) -> None:
        """Ask the registry for the number of the schema to write with, where there is one. Raises TryLater."""
        if self._encode == self._encode_confluent and self._registry is not None:
            self._registry.number(f"{self.topic}-value", self.schema)

    def _encode_single_object(self, record: Any) -> bytes:
        return self._written(self._head, record)

    def _encode_confluent(self, record: Any) -> bytes:
        assert self._registry is not None  # noqa: S101 - refused in the constructor
        number = self._registry.number(f"{self.topic}-value", self.schema)
        return self._written(struct.pack(">bI", CONFLUENT, number), record)

    def _written(self, head: bytes, record: Any) -> bytes:
        out = bytearray(head)
        try:
            self._write(out, record)
        except MISFIT as error:
            raise BadRecord(f"does not fit the schema of {self.topic}: {error}") from error
        return bytes(out)


def _foreign_reader(number: int, found: RegisteredSchema) -> Read:
    """Reads what stands behind the frame with the number of a schema."""
    if found.kind == JSON_SCHEMA:
        return lambda raw, at: (_decode_json_object(raw[at:]), len(raw))
    if found.kind != AVRO:
        raise Undecodable(f"schema {number} of the registry is {found.kind}; Avro and JSON Schema are read here")
    try:
        return mapping_reader(found.schema, found.references)
    except Exception as error:  # a broken schema leads anywhere
        raise Undecodable(
            f"schema {number} of the registry is not an Avro schema: {type(error).__name__} {error}"
        ) from error


def schema_fingerprint(schema: dict[str, Any]) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, eight bytes, little-endian as in single-object encoding."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _is_utf8(raw: bytes) -> bool:
    try:
        return bool(raw.decode())
    except UnicodeDecodeError:
        return False


def _decode_json_object(raw: bytes) -> dict[str, Any]:
    value = decode_json(raw)
    if not isinstance(value, dict):
        raise Undecodable("JSON, but not an object; a record is an object in { }")
    return value


def _read_whole(read: Read, raw: bytes, start: int) -> Any:
    """One Avro record that fills the rest of `raw`."""
    try:
        record, end = read(raw, start)
    except BadRecord:
        raise
    except Exception as error:  # broken bytes lead anywhere
        raise Undecodable(f"starts as Avro but is not valid: {type(error).__name__} {error}".rstrip()) from error
    if end != len(raw):
        raise Undecodable(f"{len(raw) - end} bytes too many after the Avro record")
    return record


def _unknown_start(raw: bytes) -> str:
    if not raw:
        return "an empty record; a record starts with { (JSON), C3 01 (Avro single-object) or 00 (Confluent framing)"
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"starts as UTF-16 ({raw[:2].hex(' ').upper()}); JSON is read in UTF-8"
    if raw.lstrip(_WHITE_SPACE)[:1] in (b"[", b'"'):
        return "JSON, but not an object; a record is an object in { }"
    return (
        f"starts with {raw[:2].hex(' ').upper()}, which is not an encoding that is read here: "
        "{ (JSON), C3 01 (Avro single-object) or 00 (Confluent framing)"
    )
