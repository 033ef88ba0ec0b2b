"""The recent sends of a customer: one small row a customer, the ground for re-entry and caps.

A row is a set of deliveries, each with the event that caused it: deciding the same event again finds its own entry and
changes nothing, so the row may be written any number of times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

KEPT = timedelta(days=30)
"""Longer ago is forgotten; what must not be sent again after that is still caught by the ledger, by its delivery id."""

MOST = 64
"""Entries of one customer; the oldest give way, those of sends that may come again at each event before the others."""


_DIGITS = 32
"""Of an id, after what says the id of which kind it is."""


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """One delivery. `at` is when its event happened, in Unix seconds; the ids are kept as bytes.

    `lasts`: another event may ask for the same delivery again, and has to find it.
    """

    delivery: bytes
    event: bytes
    at: int
    lasts: bool = False


_ROWS = msgspec.msgpack.Decoder(list[Sent])
_encode = msgspec.msgpack.Encoder().encode


def sent(delivery_id: str, event_id: str, happened: datetime, *, lasts: bool = False) -> Sent:
    """The entry of a delivery, or of a send that waits, by its hold's id."""
    return Sent(_delivery(delivery_id), _event(event_id), int(happened.timestamp()), lasts)


def read_recent(row: bytes | None) -> list[Sent]:
    """The entries of a row, oldest first."""
    return [] if row is None else _ROWS.decode(row)


def with_sent(recent: list[Sent], new: Iterable[Sent]) -> bytes:
    """The row with further entries; those that are too old or too many left out."""
    by_delivery = {one.delivery: one for one in (*recent, *new)}
    entries = sorted(by_delivery.values(), key=_at)
    since = entries[-1].at - KEPT.total_seconds()
    kept = [one for one in entries if one.at >= since]
    return _encode(kept if len(kept) <= MOST else _most_needed(kept))


def other_event_sent(recent: list[Sent], delivery_id: str, event_id: str) -> Sent | None:
    """The entry of a delivery that another event has caused already."""
    if not recent:
        return None
    delivery, event = _delivery(delivery_id), _event(event_id)
    return next((one for one in recent if one.delivery == delivery and one.event != event), None)


def _most_needed(entries: list[Sent]) -> list[Sent]:
    """As many as are kept, still oldest first."""
    needed = sorted(entries, key=lambda one: (one.lasts, one.at))[-MOST:]
    return sorted(needed, key=_at)


def _at(entry: Sent) -> int:
    return entry.at


def _delivery(delivery_id: str) -> bytes:
    return bytes.fromhex(delivery_id[-_DIGITS:])


def _event(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode(), digest_size=8).digest()
