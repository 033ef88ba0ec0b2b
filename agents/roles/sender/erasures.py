"""Tombstones of `customers`, as far as they concern what is sent.

The sender reads them, in its own group: it is what holds addresses, and wherever something is sent there is one. (A
segmenter runs only where there are segments.) A tombstone counts for all that had reached Kafka before it, whichever of
the two is read first; a customer who comes back after it is a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog

from agents.ingest_time import moment, stamp
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import redacted, stored_keys
from agents.transport.batch import Batch
from agents.waiting import retry_until_available
from schemas.errors import InvalidEvent
from schemas.record_key import Keyed
from store.erasure import Erasure
from streams.events import read_tombstone

log = structlog.get_logger()

_BATCH_SIZE = 500


class Erasures:
    """Ends and blanks the deliveries of erased customers. `owner` names this sender's leases."""

    def __init__(self, erasure: Erasure, leases: Leases, *, owner: str, default_project: str) -> None:
        self._erasure, self._leases, self._owner, self._default = erasure, leases, owner, default_project

    async def take(self, batch: Batch) -> None:
        """All tombstones of a batch; everything else in it is no concern of a sender."""
        erased = {
            customer: moment(stamp(record)) if stamp(record) >= 0 else None
            for record in batch.records
            if record.key and record.value is None and (customer := self._customer(record.key))  # no key: damaged batch
        }
        if erased:
            await retry_until_available(lambda: self._erase(erased), what="Postgres")
            log.info("customers_erased", customers=len(erased))

    def _customer(self, key: bytes) -> Keyed | None:
        """The customer whom a tombstone erases; None where the key is nobody's, which the matcher dead-letters."""
        try:
            return read_tombstone(key, self._default)
        except InvalidEvent:
            return None

    async def _erase(self, erased_at: Mapping[Keyed, datetime | None]) -> None:
        await self._erasure.note(erased_at)
        await self.sweep(erased_at)

    async def sweep(self, customers: Iterable[Keyed]) -> None:
        """Blank what is in the ledger of those of some customers who are erased. Raises TryLater."""
        asked = list(customers)
        while found := await self._erasure.find(asked, _BATCH_SIZE):
            await self._blank(found, owner="")

    async def end(self, records: Mapping[str, bytes]) -> None:
        """End deliveries that this sender has just claimed. Raises TryLater, and then their leases run out."""
        await self._blank(records, owner=self._owner)

    async def _blank(self, records: Mapping[str, bytes], *, owner: str) -> None:
        """Suppressions first: which are the customer's is known from what is blanked then."""
        self._leases.let_go(records)
        await self._erasure.forget_suppressed({one for record in records.values() for one in stored_keys(record)})
        await self._erasure.erase({one: redacted(record) for one, record in records.items()}, owner=owner)
