"""Every topic as AsyncAPI 3.1: who writes and reads it, how it is keyed and cleaned, and its records with examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import get_args

from agents.broker.lag import READS
from agents.broker.wire import WRITES
from console.reference.record_examples import examples
from schemas.closed import Role
from schemas.contract import topic_schema
from schemas.dead_letter import HEADER_PREFIX
from schemas.events.triggers import EVENT_TOPICS, MANUAL, PUBLISHED, TRIGGERS
from schemas.record import JsonObject
from schemas.topics import AUDIT, CONSENTS, CUSTOMERS, DEAD_LETTERS, DISTRIBUTIONS, DUE, NOTICES, TOPICS, Topic
from schemas.wire.codec import schema_fingerprint

AVRO = "application/vnd.apache.avro;version=1.9.0"
"""The format of payload schemas, as AsyncAPI names it."""
BINDING = "0.5.0"
"""The version of AsyncAPI's binding for Kafka."""

_BY_US = (TRIGGERS[MANUAL].topic, TRIGGERS[PUBLISHED].topic)
"""Event topics that nobody else writes to."""
_ALSO_WRITES: Mapping[str, tuple[str, ...]] = {
    "holder": (DUE,),
    "fan_out": (TRIGGERS[MANUAL].topic,),
    "sender": (CONSENTS,),
    "console": (DISTRIBUTIONS, CONSENTS, NOTICES),
}
"""What is passed on as it came, written as JSON, or told of an outbox."""
_ALSO_READS: Mapping[str, tuple[str, ...]] = {
    "matcher": (DISTRIBUTIONS,),
    "segmenter": EVENT_TOPICS,
    "console": (DEAD_LETTERS,),
}
"""What is read outside of the role's group."""
_ROLES: tuple[Role, ...] = get_args(Role)
_UPSTREAM = "upstream"
_KEYS: Mapping[str, str] = {
    "customer": "The customer's id; of another project than the default one the pair project, U+001F, id.",
    "distribution": "The distribution's id; of another project than the default one the pair project, U+001F, id.",
    "project": "The project's id.",
    "as source": "The key of the record that was refused, as it came.",
}
_ABOUT: Mapping[str, str] = {
    CUSTOMERS: "Profiles, the whole of each; a tombstone erases its customer.",
    "memberships": "The segments that are kept here, of each customer those it is in.",
    DISTRIBUTIONS: "Versions of distributions: the rules that every matcher has.",
    "publications.requests": "Requests for codes.",
    "holds": "What waits for a moment.",
    DUE: "What waited, and is judged again.",
    "decisions": "What was decided, for each distribution that an event fits, and why.",
    "delivery.status": "What became of deliveries.",
    CONSENTS: "What customers chose on our own pages.",
    NOTICES: "What waits for a person.",
    AUDIT: "Rows of the audit log, of each project in the order of its chain: see the reference of the audit log.",
    DEAD_LETTERS: "Records that were refused: key, bytes and headers as they came, and facts in further headers.",
}


def asyncapi_description() -> str:
    """The description as it stands in the file."""
    return json.dumps(_document(), indent=1, ensure_ascii=False) + "\n"


def _document() -> JsonObject:
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Tidings on Kafka", "version": "1", "description": _HEAD},
        "defaultContentType": "avro/binary",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The cluster of the settings (`kafka.bootstrap`).",
                "variables": {"bootstrap": {"default": "localhost:9092"}},
            }
        },
        "channels": {name: _channel(topic) for name, topic in TOPICS.items()},
        "operations": dict(_operations()),
        "components": {
            "parameters": {"prefix": {"default": "", "description": "The setting `topics.prefix`, as in `prod.`."}},
            "messages": {name: _message(topic) for name, topic in TOPICS.items()},
        },
    }


def _channel(topic: Topic) -> JsonObject:
    shared = topic.partitions == "shared"
    partitions = "as many as all that are co-partitioned (`topics.partitions`)" if shared else str(topic.partitions)
    settings = topic.settings()
    return {
        "address": f"{{prefix}}{topic.name}",
        "description": f"{_about(topic.name)} Partitions: {partitions}. Written by: {_said(_writers(topic.name))}. "
        f"Read by: {_said(_readers(topic.name))}.",
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "messages": {"record": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                **({} if shared else {"partitions": topic.partitions}),
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    **{name: int(text) for name, text in settings.items() if name in _OF_THE_BINDING},
                },
                "bindingVersion": BINDING,
            }
        },
        "x-topic-configuration": settings,
    }


_OF_THE_BINDING = ("retention.ms", "delete.retention.ms", "max.message.bytes")


def _about(topic: str) -> str:
    if topic in EVENT_TOPICS:
        types = ", ".join(one.type for one in TRIGGERS.values() if one.topic == topic)
        return f"Events: {types}."
    if topic.startswith("deliveries."):
        return f"Messages over {topic.partition('.')[2]}, as they are sent: a public contract."
    return _ABOUT[topic]


def _message(topic: Topic) -> JsonObject:
    schema = topic_schema(topic.name)
    said = {"name": topic.name, "title": schema["name"], "summary": schema["doc"]}
    key = {"kafka": {"key": {"type": "string", "description": _KEYS[topic.key]}, "bindingVersion": BINDING}}
    shown = examples(topic.name)
    if topic.name == DEAD_LETTERS:
        return {
            **said,
            "contentType": "application/octet-stream",
            "headers": _facts(schema),
            "bindings": key,
            "examples": [{"headers": one} for one in shown],
        }
    return {
        **said,
        "contentType": "avro/binary",
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": key,
        "examples": [{"name": _name(one), "payload": one} for one in shown],
        "x-fingerprint": schema_fingerprint(schema).hex(),
    }


def _facts(schema: JsonObject) -> JsonObject:
    """The headers that say why a record was refused; Kafka has bytes, these are UTF-8."""
    fields = schema["fields"]
    return {
        "type": "object",
        "required": [HEADER_PREFIX + one["name"] for one in fields],
        "properties": {
            HEADER_PREFIX + one["name"]: {
                "type": "string",
                **({"description": one["doc"]} if "doc" in one else {}),
            }
            for one in fields
        },
    }


def _name(example: JsonObject) -> str:
    kind = example.get("type")
    return str(kind) if isinstance(kind, str) and kind in TRIGGERS else "record"


def _operations() -> Iterator[tuple[str, JsonObject]]:
    """The product's part in each topic: it sends what a role writes, and receives what a role reads."""
    for name in TOPICS:
        for action, roles in (("send", _writers(name)), ("receive", _readers(name))):
            ours = [role for role in roles if role != _UPSTREAM]
            if ours:
                yield (
                    f"{action}.{name}",
                    {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{name}"},
                        "messages": [{"$ref": f"#/channels/{name}/messages/record"}],
                        "summary": f"By: {_said(ours)}.",
                    },
                )


def _writers(topic: str) -> list[str]:
    if topic == DEAD_LETTERS:
        return list(_ROLES)
    others = [_UPSTREAM] if topic == CUSTOMERS or (topic in EVENT_TOPICS and topic not in _BY_US) else []
    return others + _who(topic, WRITES, _ALSO_WRITES)


def _readers(topic: str) -> list[str]:
    return _who(topic, READS, _ALSO_READS)


def _who(topic: str, *lists: Mapping[Role, tuple[str, ...]] | Mapping[str, tuple[str, ...]]) -> list[str]:
    """The roles that have a topic in one of some lists, in their order, and the console."""
    found = {role for one in lists for role, topics in one.items() if topic in topics}
    return [one for one in (*_ROLES, "console") if one in found]


def _said(names: list[str]) -> str:
    return ", ".join(names) or "whoever wants"


_HEAD = """\
Every topic of a deployment. Written from the code by `python -m console.reference`; topics are made by `tidings topics
apply`.

A record's first bytes tell its encoding, and all three are read everywhere: `C3 01` Avro single-object (the
fingerprint of the schema, CRC-64-AVRO, as in `x-fingerprint`, then the record), `00` Confluent framing (the number of
the schema in a registry), `{` JSON. Written is what the settings say (`wire.format`), Avro single-object by default.
`schemas/avro/released` in the repository has the schemas of every release by fingerprint: records of compacted topics
may be written with any of them.

Examples show records as JSON has them. In Avro a free-form object is a string of JSON (logical type `json`), a moment
is in microseconds, and fields of upstream's that are not in the schema stand in `extra`.

Schemas grow by fields with defaults and by symbols of enums: a subscriber that resolves records against the schema it
was built with goes on reading, and sees `unknown` for a symbol that it does not know.
"""
