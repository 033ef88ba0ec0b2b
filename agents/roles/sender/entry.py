"""From Kafka into the ledger: what is new there and can be sent at once is begun."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from msgspec.structs import replace

from agents.broker.records import Incoming
from agents.ingest_time import arrived_at
from agents.intake import Chunk
from agents.roles.sender.attempts import Attempts
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.claimant import Claimant
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.ledger_rows import is_bulk, row_of, version_of
from agents.roles.sender.work import Work
from agents.waiting import retry_until_available
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import InvalidEvent
from schemas.record_key import Keyed
from schemas.wire.codec import TopicCodec
from schemas.wire.read_as import read_as
from streams.sending.gate import entry_wait

_IN_TURN = timedelta(milliseconds=1)
"""The wait of what is sent to many: it is claimed out of the ledger, by turns with all that waits there."""


class Entry:
    """Takes deliveries in. `poll` is how long those wait in the ledger that their destination does not take now."""

    def __init__(
        self,
        claimant: Claimant,
        attempts: Attempts,
        capacity: Capacity,
        erasures: Erasures,
        codecs: Mapping[ChannelName, TopicCodec],
        *,
        poll: timedelta,
    ) -> None:
        self._claimant, self._attempts, self._capacity, self._erasures = claimant, attempts, capacity, erasures
        self._codecs, self._poll = codecs, poll
        self._straight = {channel: codec.straight(DELIVERY_TYPES[channel]) for channel, codec in codecs.items()}
        self._is_open = asyncio.Event()

    def open(self) -> None:
        """Begin: an earlier process's leases have been released, and with them what was claimed before would be."""
        self._is_open.set()

    def read(self, channel: ChannelName, record: Incoming) -> Work:
        """The delivery of a record. Raises BadRecord."""
        if record.value is None:
            raise InvalidEvent("a delivery has a value; this record is a tombstone")
        delivery = self._straight[channel](record.value) or self._read_closely(channel, record.value)
        return Work(delivery, 0, arrived_at(record))

    def _read_closely(self, channel: ChannelName, raw: bytes) -> Delivery:
        """One of another release or format, or one that is not right: then this says what it is that is not."""
        return read_as(self._codecs[channel].decode(raw), DELIVERY_TYPES[channel])

    async def enter(self, chunk: Chunk[Work]) -> int:
        """Claim in the ledger; only what was new and is taken at once is ours to send now."""
        works = {work.delivery.delivery_id: work for work in chunk.items}
        if not works:
            return 0
        await self._is_open.wait()
        waits = await self._waits({work.destination for work in works.values() if not is_bulk(work.delivery)})
        versions = {version_of(work.delivery) for work in works.values()}
        again = await retry_until_available(lambda: self._claimant.again.of(versions), what="Postgres")
        rows = [
            row_of(
                work,
                _IN_TURN if is_bulk(work.delivery) else waits[work.destination],
                again[version_of(work.delivery)],
            )
            for work in works.values()
        ]
        claimed = await retry_until_available(lambda: self._claimant.claim_new(rows), what="Postgres")
        for delivery_id, expires in claimed.items():  # at once: what is not known here as held is not renewed
            self._attempts.start(replace(works[delivery_id], expires=expires))
        # of all, since a tombstone may have been read while they were entered: then neither has seen the other
        customers = {Keyed(row.project_id, row.customer_id) for row in rows}
        await retry_until_available(lambda: self._erasures.sweep(customers), what="Postgres")
        return len(claimed)

    async def _waits(self, destinations: Iterable[Destination]) -> dict[Destination, timedelta]:
        """The wait of a new delivery to each; a hundred busy destinations are waited for as one."""
        ordered = list(destinations)
        taking = await asyncio.gather(*map(self._capacity.wait_for, ordered))
        return {
            destination: entry_wait(has_capacity=has_capacity, poll=self._poll)
            for destination, has_capacity in zip(ordered, taking, strict=True)
        }
