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
    """A send that waits: `at` is its event's time, `due` in Unix seconds, `ended` the event that has ended it."""

    hold: bytes
    distribution: bytes
    key: bytes
    at: datetime
    due: int
    ended: Ending | None = None


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


def opened(hold_id: str, project: str, distribution: str, key: object, at: datetime, due: datetime) -> Opened:
    """A send that begins to wait."""
    return Opened(bytes.fromhex(hold_id[4:]), _digest(project, distribution), _digest(key), at, int(due.timestamp()))


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
    known = {one.hold for one in before.opened}
    waiting = [_ended(one, new) for one in before.opened]  # what was there before has been compared before
    waiting += [_ended(one, endings) for one in changes.opened if one.hold not in known]
    kept = [one for one in waiting if one.due > seconds - RELEASED.total_seconds()]
    return _encode(Row(sorted(kept, key=_due)[-MOST:], endings[-MOST:]))


def _ended(waits: Opened, endings: Sequence[Ending]) -> Opened:
    """The same, ended by the first event that may."""
    if waits.ended is not None or not endings:
        return waits
    found = next((one for one in endings if _ends(one, waits)), None)
    return waits if found is None else msgspec.structs.replace(waits, ended=found)


def _ends(one: Ending, waits: Opened) -> bool:
    return one.distribution == waits.distribution and one.key == waits.key and one.at >= waits.at


def _due(waits: Opened) -> int:
    return waits.due


def _digest(*parts: Any) -> bytes:
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
