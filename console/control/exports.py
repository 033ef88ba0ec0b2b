"""Exports: everything that is kept of a customer, as one JSON document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import asyncpg
import msgspec

from agents.broker.reader import TopicReader
from agents.broker.wire import Wire
from agents.roles.sender.ledger_rows import stored_keys
from console.control.customers import check_id
from console.control.dead_letters import Letter, behind
from console.control.explain import stored_profile
from schemas.audit import AuditEntry
from schemas.closed import CHANNELS
from schemas.customer_export import SECTIONS, KeptLetter, KeptSentEntry
from schemas.errors import BadRecord, TidingsError, TryLater
from schemas.hold import Hold
from schemas.record import JsonObject
from schemas.suppression import customer_keys
from schemas.topics import DEAD_LETTERS, HOLDS, MEMBERSHIPS, RECENT, changelog
from schemas.wire.read_as import read_as
from store import customer_export
from store.customer_data import SECTIONS as OF_POSTGRES
from store.customer_export import CustomerRows, snapshot
from streams.conditions.behaviour import Record
from streams.memberships import members
from streams.recent import Sent, channel_number, read_recent

NOT_SEARCHED: Mapping[str, str] = {
    "events": "upstream's own, on its topics for as long as these keep them",
    "topics of ours": "deliveries, decisions, delivery.status, holds and consents tell what stands in Postgres here",
    "waiting": "the matcher's table of what may be ended: hashes of what stands under holds",
    "outbox": "what Kafka has not acknowledged yet, for seconds",
    "api replies": "replies that are given again to the same request, for a day: ids and counts",
}
_NEWEST_LETTERS = 1_000_000
_CHANNEL_NAMES = {channel_number(one): one for one in CHANNELS}


@dataclass(frozen=True, slots=True)
class Asking:
    """The customer of whom somebody reads everything."""

    project_id: str
    customer: str
    actor: str
    now: datetime


async def export(pool: asyncpg.Pool, wire: Wire, asking: Asking, target: BinaryIO) -> None:
    """Write the document to a file, and before it to the audit log who asked. Raises BadQuestion, TryLater.

    Rows are written as they are read, so that a customer with many needs no more memory than one with few.
    """
    check_id(asking.customer)
    entry = AuditEntry(asking.project_id, asking.actor, "customer.exported", asking.customer)
    await customer_export.note(pool, entry)
    known = await asyncio.to_thread(_of_kafka, wire, asking)
    async with snapshot(pool, asking.project_id, asking.customer) as rows:
        document = _Document(target, asking, known, rows, wire)
        await document.write()
    await asyncio.to_thread(document.write_letters)


@dataclass(frozen=True, slots=True)
class _Known:
    """The last values that Kafka has of a customer."""

    profile: JsonObject | None
    segments: list[str]
    recent: list[Sent]


def _of_kafka(wire: Wire, asking: Asking) -> _Known:
    key = wire.key(asking.project_id, asking.customer).decode()
    profile = stored_profile(wire, asking.project_id, asking.customer)
    told, recent = (_last_value(wire, changelog(name), key) for name in (MEMBERSHIPS, RECENT))
    return _Known(profile, members(told), read_recent(recent))


def _last_value(wire: Wire, topic: str, key: str) -> bytes | None:
    """The newest value of a key on a changelog; None where no matcher has made it yet."""
    try:
        with TopicReader(wire, topic) as reader:
            return reader.last_value(key)
    except TryLater:
        raise
    except TidingsError:
        return None


class _Document:
    """The document on its way into a file."""

    def __init__(self, target: BinaryIO, asking: Asking, known: _Known, rows: CustomerRows, wire: Wire) -> None:
        self._target, self._asking, self._known, self._rows, self._wire = target, asking, known, rows, wire
        self._keys = set(customer_keys(known.profile or {}))

    async def write(self) -> None:
        """All but what is read of dead letters at the end."""
        known = self._known
        head = {
            "project": self._asking.project_id,
            "customer": self._asking.customer,
            "exported_at": self._asking.now,
            "not_searched": NOT_SEARCHED,
            "profile": known.profile,
            "told_segments": known.segments,
            "recent_sends": list(map(_sent, known.recent)),
        }
        self._target.write(msgspec.json.encode(head)[:-1])
        for name in OF_POSTGRES:
            self._begin(name)
            async for number, row in _numbered(self._rows.section(name, self._keys)):
                self._add(number, self._read(name, row))
            self._target.write(b"]")

    def write_letters(self) -> None:
        """The dead letters with the customer's key, and the end."""
        self._begin("dead_letters")
        for number, one in enumerate(_letters(self._wire, self._asking)):
            self._add(number, one)
        self._target.write(b"]}\n")

    def _begin(self, name: str) -> None:
        self._target.write(b"," + msgspec.json.encode(name) + b":[")

    def _add(self, number: int, row: msgspec.Struct) -> None:
        self._target.write((b",\n" if number else b"") + msgspec.json.encode(row))

    def _read(self, name: str, row: Mapping[str, Any]) -> msgspec.Struct:
        """A row as its section has it; addresses in it are those that suppressions are looked for by."""
        values = dict(row)
        for field in _JSON_FIELDS.get(name, ()):
            values[field] = _json(values[field])
        match name:
            case "behaviours":
                values["record"] = msgspec.msgpack.decode(row["record"], type=Record)
            case "deliveries":
                values |= {field: [dict(one) for one in row[field]] for field in ("tries", "actions")}
                self._keys |= {key for _, key in stored_keys(row["record"])}
            case "profiles":
                self._keys |= set(customer_keys(values["profile"] or {}))
            case "holds":
                values |= _held(self._wire, row["record"])
        return msgspec.convert(values, SECTIONS[name])


_JSON_FIELDS: Mapping[str, tuple[str, ...]] = {
    "profiles": ("profile",),
    "deliveries": ("record",),
    "decisions": ("checks",),
    "requests": ("request",),
    "codes": ("metadata", "customer"),
    "calls": ("request", "reply"),
    "audit": ("change",),
}


def _json(raw: bytes | str | None) -> Any:
    """A value of JSON; None where it cannot be read, as of what was blanked."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def _held(wire: Wire, raw: bytes | None) -> JsonObject:
    """The record of a hold and the event in it, as far as they can be read."""
    try:
        hold = read_as(wire.codec(HOLDS).decode(raw or b""), Hold)
    except BadRecord:
        return {"record": None, "event": None}
    record: JsonObject = msgspec.to_builtins(hold)
    del record["value"]
    return {"record": record, "event": _decoded(wire, hold.topic, hold.value)}


def _decoded(wire: Wire, topic: str, raw: bytes) -> Any:
    try:
        return msgspec.to_builtins(wire.codec(topic).decode(raw))
    except (BadRecord, KeyError):
        return None


def _sent(one: Sent) -> KeptSentEntry:
    return KeptSentEntry(
        delivery=one.delivery.hex(),
        event=one.event.hex(),
        happened_at=datetime.fromtimestamp(one.at, UTC),
        channel=_CHANNEL_NAMES.get(one.channel),
        counted_at=datetime.fromtimestamp(one.counted_at, UTC),
    )


def _letters(wire: Wire, asking: Asking) -> Iterator[KeptLetter]:
    key = wire.key(asking.project_id, asking.customer)
    try:
        reader = TopicReader(wire, DEAD_LETTERS)
    except TryLater:
        raise
    except TidingsError:  # there is not such a topic yet
        return
    with reader:
        for one in behind(reader, None, newest=_NEWEST_LETTERS):
            if one.message.key() == key:
                yield _letter(one)


def _letter(one: Letter) -> KeptLetter:
    facts, value = one.facts, one.message.value() or b""
    return KeptLetter(
        place=one.place,
        record=one.source,
        role=facts.role,
        kind=facts.kind,
        message=facts.message,
        failed_at=facts.failed_at,
        value=value.decode(errors="replace"),
    )


async def _numbered(rows: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Any]]:
    number = 0
    async for row in rows:
        yield number, row
        number += 1
