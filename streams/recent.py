"""The recent sends of a customer: one small row a customer, the ground for re-entry and caps.

A row is a set of deliveries, each with the event that caused it: deciding the same event again finds its own entry and
changes nothing, so the row may be written any number of times. What has counted once keeps its time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zlib import crc32

import msgspec

from schemas.closed import ChannelName

KEPT = timedelta(days=30)
"""Longer ago is forgotten; what must not be sent again after that is still caught by the ledger, by its delivery id."""
MOST = 64
"""Entries of one customer that no cap needs; the oldest give way, those of sends that may come again at each event
before the others."""
MOST_COUNTED = 512
"""Entries of one customer that caps need; beyond, the oldest give way, and a metric says so."""

_ID_BYTES, _EVENT_BYTES = 8, 4
"""Enough to tell apart what is in one row; the ledger knows whole ids."""


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """One delivery. `at` is when its event happened, in Unix seconds; of the ids a few bytes are kept.

    `lasts`: another event may ask for the same delivery again, and has to find it.

    `channel` is 0 for what waits: it has not counted yet. What has counted did so `later` seconds after `at`, for a
    consent category that is kept as a number.
    """

    delivery: bytes
    event: bytes
    at: int
    lasts: bool = False
    channel: int = 0
    category: int = 0
    later: int = 0

    @property
    def counted_at(self) -> int:
        """The moment at which it counted, in Unix seconds."""
        return self.at + self.later


_ROWS = msgspec.msgpack.Decoder(list[Sent])
_encode = msgspec.msgpack.Encoder().encode


def sent(delivery_id: str, event_id: str, happened: datetime, *, lasts: bool = False) -> Sent:
    """The entry of a send that waits, by its hold's id."""
    return Sent(_delivery(delivery_id), _event(event_id), int(happened.timestamp()), lasts)


def counted(
    delivery_id: str,
    event_id: str,
    happened: datetime,
    *,
    lasts: bool,
    channel: ChannelName,
    category: str,
    now: datetime,
) -> Sent:
    """The entry of a delivery that leaves now."""
    at = int(happened.timestamp())
    ids, later = (_delivery(delivery_id), _event(event_id)), int(now.timestamp()) - at
    return Sent(*ids, at, lasts, channel_number(channel), category_number(category), later)


def channel_number(channel: ChannelName) -> int:
    """The number that rows hold for a channel, of one byte; a test holds that no two have the same."""
    return crc32(channel.encode()) % 127 + 1


def category_number(category: str) -> int:
    """The number that rows hold for a consent category."""
    return crc32(category.encode())


def read_recent(row: bytes | None) -> list[Sent]:
    """The entries of a row, oldest first."""
    if row is None:
        return []
    entries = _ROWS.decode(row)
    if any(len(one.delivery) > _ID_BYTES for one in entries):  # of releases before 0.7
        return [
            msgspec.structs.replace(one, delivery=one.delivery[-_ID_BYTES:], event=one.event[:_EVENT_BYTES])
            for one in entries
        ]
    return entries


def with_sent(recent: list[Sent], new: Iterable[Sent], span: int = 0) -> bytes:
    """The row with further entries; those that are too old or too many left out.

    A delivery that has counted keeps its first entry, unless another event asks for it: a code that is published after
    an earlier event was too early for it. `span` is that of the longest cap in seconds: what counted within it stays.
    """
    by_delivery = {one.delivery: one for one in recent}
    for one in new:
        known = by_delivery.get(one.delivery)
        if known is None or (one.channel and (not known.channel or one.event != known.event)):
            by_delivery[one.delivery] = one
    entries = sorted(by_delivery.values(), key=_at)
    needed, others = _needed(entries, span)
    since = entries[-1].at - KEPT.total_seconds()
    kept = [one for one in others if one.at >= since]
    if len(kept) > MOST:
        kept = _most_needed(kept)
    if needed:
        kept = sorted((*kept, *needed), key=_at)
    return _encode(kept)


def is_overfull(recent: list[Sent], span: int) -> bool:
    """True where caps need more entries of one customer than are kept."""
    return len(recent) >= MOST_COUNTED and len(_needed(recent, span)[0]) >= MOST_COUNTED


def has_counted(recent: Iterable[Sent], delivery_id: str, event_id: str) -> bool:
    """True where the same event has had the same delivery count: this is a replay."""
    delivery, event = _delivery(delivery_id), _event(event_id)
    return any(one.delivery == delivery and one.event == event and one.channel for one in recent)


def own_places(recent: list[Sent], delivery_ids: Sequence[str], event_id: str) -> list[tuple[int, Sent]]:
    """The entries that the same event has made already, each with the place of its delivery among the given ones."""
    if not recent:
        return []
    places, event = {_delivery(one): place for place, one in enumerate(delivery_ids)}, _event(event_id)
    return [(places[one.delivery], one) for one in recent if one.delivery in places and one.event == event]


def other_event_sent(recent: list[Sent], delivery_id: str, event_id: str) -> Sent | None:
    """The entry of a delivery that another event has caused already."""
    if not recent:
        return None
    delivery, event = _delivery(delivery_id), _event(event_id)
    return next((one for one in recent if one.delivery == delivery and one.event != event), None)


def _needed(entries: list[Sent], span: int) -> tuple[list[Sent], list[Sent]]:
    """Those that counted within the longest cap, the newest of them, and the others."""
    if not span:
        return [], entries
    since = max(one.counted_at for one in entries) - span
    needed = sorted((one for one in entries if one.channel and one.counted_at >= since), key=_counted_at)
    kept = needed[-MOST_COUNTED:]
    names = {one.delivery for one in kept}
    return kept, [one for one in entries if one.delivery not in names]


def _most_needed(entries: list[Sent]) -> list[Sent]:
    """As many as are kept, still oldest first."""
    needed = sorted(entries, key=lambda one: (one.lasts, one.at))[-MOST:]
    return sorted(needed, key=_at)


def _at(entry: Sent) -> int:
    return entry.at


def _counted_at(entry: Sent) -> int:
    return entry.counted_at


def _delivery(delivery_id: str) -> bytes:
    return bytes.fromhex(delivery_id[-2 * _ID_BYTES :])


def _event(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode(), digest_size=8).digest()[:_EVENT_BYTES]
