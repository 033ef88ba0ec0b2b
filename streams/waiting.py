"""A customer's row of what waits and may be ended, and of events that end: whichever of two was read first.

An event ends what began to wait with an event that is not later than itself. So what waits notes the events that were
read before it, which are kept for a while, and an event notes itself with what waits already. What has ended stays in
the row until its release is over, so that a release that is read again is judged the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

KEPT = timedelta(hours=1)
"""So long an event that ends something is remembered where nothing waits for it yet: topics are read apart."""
RELEASED = timedelta(days=7)
"""So long after it was due what waits stays: as long as its release may be read again."""
MOST = 256
"""Entries of a kind in one row; those that are due first give way, and the oldest events."""


class Ending(msgspec.Struct, frozen=True, array_like=True):
    """An event that ends sends of a distribution. `key` is what both have to share; `noted` in Unix seconds."""

    distribution: bytes
    key: bytes
    at: datetime
    event: str
    noted: int = 0


class Opened(msgspec.Struct, frozen=True, array_like=True):
    """A send that waits: `at` is its event's time, `due` in Unix seconds, `ended` the event that has ended it.

    `gathers` of a digest, one after the other: `at` is the time of its first event, `ended` the last event that ends
    those of its events that are not later.
    """

    hold: bytes
    distribution: bytes
    key: bytes
    at: datetime
    due: int
    ended: Ending | None = None
    gathers: bool = False


class Row(msgspec.Struct, frozen=True, array_like=True):
    """Everything that is known of one customer."""

    opened: list[Opened] = []
    endings: list[Ending] = []


_ROWS = msgspec.msgpack.Decoder(Row)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class Changes:
    """The changes that one event makes: what begins to wait, and what it ends."""

    opened: list[Opened] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.opened or self.endings)


def ending(project: str, distribution: str, key: object, at: datetime, event: str) -> Ending:
    """An event that ends sends of a distribution which share a value with it."""
    return Ending(_digest(project, distribution), _digest(key), at, event)


def opened(
    hold_id: str, project: str, distribution: str, key: object, at: datetime, due: datetime, *, gathers: bool = False
) -> Opened:
    """A send that begins to wait, or an event that a digest gathers: then it is the digest's id that is given."""
    ids = bytes.fromhex(hold_id[4:]), _digest(project, distribution), _digest(key)
    return Opened(*ids, at, int(due.timestamp()), gathers=gathers)


def read_waiting(row: bytes | None) -> Row:
    """A row of the table."""
    return Row() if row is None else _ROWS.decode(row)


def ended_by(row: bytes | None, hold_id: str) -> Ending | None:
    """The event that has ended what waits; None where nothing has."""
    hold = bytes.fromhex(hold_id[4:])
    return next((one.ended for one in read_waiting(row).opened if one.hold == hold), None)


def with_changes(row: bytes | None, changes: Changes, now: datetime) -> bytes:
    """The row after one event, without what is over."""
    before, seconds = read_waiting(row), int(now.timestamp())
    new = [msgspec.structs.replace(one, noted=seconds) for one in changes.endings]
    endings = [one for one in before.endings if one.noted > seconds - KEPT.total_seconds()] + new
    known = {one.hold: _ended(one, new) for one in before.opened}  # what was there before has been compared before
    for one in changes.opened:
        there = known.get(one.hold)
        if there is None or there.gathers:
            known[one.hold] = _ended(_joined(there or one, one), endings)
    kept = [one for one in known.values() if one.due > seconds - RELEASED.total_seconds()]
    return _encode(Row(sorted(kept, key=_due)[-MOST:], endings[-MOST:]))


def _joined(known: Opened, new: Opened) -> Opened:
    """A digest with one more event: it lasts until the end of the last one's window."""
    return msgspec.structs.replace(known, at=min(known.at, new.at), due=max(known.due, new.due))


def _ended(waits: Opened, endings: Sequence[Ending]) -> Opened:
    """The same, ended by the first event that may; a digest by the last one."""
    if waits.gathers:
        ends = [one for one in (waits.ended, *endings) if one is not None and _ends(one, waits)]
        return msgspec.structs.replace(waits, ended=max(ends, key=_at)) if ends else waits
    if waits.ended is not None or not endings:
        return waits
    found = next((one for one in endings if _ends(one, waits)), None)
    return waits if found is None else msgspec.structs.replace(waits, ended=found)


def _ends(one: Ending, waits: Opened) -> bool:
    return one.distribution == waits.distribution and one.key == waits.key and one.at >= waits.at


def _at(one: Ending) -> datetime:
    return one.at


def _due(waits: Opened) -> int:
    return waits.due


def _digest(*parts: Any) -> bytes:
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
