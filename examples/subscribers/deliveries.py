"""A subscriber of `deliveries.*`: each message that is on its way, as a line of JSON.

Nothing of Tidings is imported: it reads by the Avro files that are its public contract (`schemas/avro`, with those of
every release in `schemas/avro/released`), and needs what `pip install confluent-kafka fastavro` installs.

    python deliveries.py --bootstrap localhost:9092 --schemas schemas/avro --group my-warehouse

Each record comes at least once: one whose delivery id you have had is the same message again.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaException
from fastavro.schema import fingerprint, to_parsing_canonical_form

SINGLE_OBJECT = b"\xc3\x01"
"""The first bytes of Avro single-object encoding; eight bytes of the schema's fingerprint follow, then the record."""


class Reader:
    """Reads records of a channel's topic, whichever release wrote them.

    They are resolved against the schema that you were built with: fields that came later are left out, fields that are
    newer than the record have their default, and a symbol that you do not know is `unknown`.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self._own = _parsed(json.loads((folder / f"{topic}.avsc").read_text()))
        files = [folder / f"{topic}.avsc", *folder.glob(f"released/{topic}.*.avsc")]
        self._writers = {_fingerprint(file): _parsed(json.loads(file.read_text())) for file in files}

    def read(self, raw: bytes) -> dict[str, Any]:
        """The record in `raw`: Avro single-object, or JSON where `wire.format` says so."""
        if raw[:1] == b"{":
            record: dict[str, Any] = json.loads(raw)
            return record
        if raw[:2] != SINGLE_OBJECT:
            raise ValueError("it is neither Avro single-object nor JSON; with a registry use its own deserializer")
        writer = self._writers.get(raw[2:10])
        if writer is None:
            raise ValueError(f"no schema with the fingerprint {raw[2:10].hex()}: take the files of that release")
        found: Any = fastavro.schemaless_reader(io.BytesIO(raw[10:]), writer, self._own)
        made: dict[str, Any] = _with_objects(found, self._own)
        return made


def _parsed(schema: Any) -> Any:
    return fastavro.parse_schema(schema)


def _fingerprint(file: Path) -> bytes:
    """CRC-64-AVRO of the canonical form, as it stands in a record."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(json.loads(file.read_text())), "CRC-64-AVRO"))


def _with_objects(record: Any, schema: Any) -> Any:
    """A record with its free-form objects, which Avro has as strings with the logical type `json`."""
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, list):
        inner = [one for one in schema if one != "null"]
        return record if record is None or len(inner) != 1 else _with_objects(record, inner[0])
    if kind == "string" and isinstance(schema, dict) and schema.get("logicalType") == "json":
        return json.loads(record)
    if kind == "record":
        kinds = {field["name"]: field["type"] for field in schema["fields"]}
        return {name: _with_objects(value, kinds[name]) for name, value in record.items()}
    return record


def follow(consumer: Consumer, folder: Path, prefix: str) -> None:
    """Print what comes until SIGTERM or Ctrl-C. It is committed once it is printed: nothing is lost in between."""
    readers: dict[str, Reader] = {}
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopping.append(number))
    while not stopping:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if error := message.error():
            raise KafkaException(error)
        topic = str(message.topic()).removeprefix(prefix)
        if topic not in readers:
            readers[topic] = Reader(folder, topic)
        delivery = readers[topic].read(message.value() or b"")
        handle(topic.removeprefix("deliveries."), delivery)
        consumer.store_offsets(message)


def handle(channel: str, delivery: dict[str, Any]) -> None:
    """Your own work: here a line of JSON."""
    line = {"channel": channel, "delivery": delivery}
    sys.stdout.write(json.dumps(line, default=_text, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def main() -> None:
    """Read the options, and follow."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bootstrap", required=True, help="the brokers, as in localhost:9092")
    options.add_argument("--schemas", required=True, type=Path, help="the folder schemas/avro")
    options.add_argument("--prefix", default="", help="the setting topics.prefix")
    options.add_argument("--group", default="deliveries-subscriber", help="your consumer group")
    given = options.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,  # stored once it was handled, and committed from there
            "isolation.level": "read_committed",
            "topic.metadata.refresh.interval.ms": 10_000,  # a new channel's topic is found
        }
    )
    consumer.subscribe(["^" + re.escape(f"{given.prefix}deliveries.") + ".*"])
    try:
        follow(consumer, given.schemas, given.prefix)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
