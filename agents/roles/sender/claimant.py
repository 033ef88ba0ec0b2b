"""A sender towards the ledger: what it claims in its name, and until when that is its own."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from agents.roles.sender.capacity import Capacity
from agents.roles.sender.leases import Leases
from agents.roles.sender.repeats import AgainCache
from store.sending.ledger import Leased, Ledger, NewDelivery

_BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours to send. `expires` is when it is no longer valid, by the steady clock; None where always."""

    row: Leased
    expires: float | None


class Claimant:
    """Claims in `owner`'s name, for `lease` each time. Every call raises TryLater while Postgres is away."""

    def __init__(self, ledger: Ledger, *, owner: str, lease: timedelta) -> None:
        self.ledger, self.owner, self._lease = ledger, owner, lease
        self.leases = Leases(lease)
        self.again = AgainCache(ledger.again_of)

    async def claim_new(self, rows: list[NewDelivery]) -> dict[str, float | None]:
        """Enter rows: those that are ours now, and when each is no longer valid, by the steady clock."""
        asked = time.monotonic()
        claimed = await self.ledger.claim_new(rows, owner=self.owner, lease=self._lease)
        self.leases.taken(claimed, asked)
        return {identity: _moment(asked, expires_in) for identity, expires_in in claimed.items()}

    async def claim_due(self, capacity: Capacity, *, look: bool) -> list[Claimed]:
        """Rows that are due, as many as their destinations take; with `look`, other queues are looked for, too."""
        asked = time.monotonic()
        leased = await self.ledger.claim_due(
            owner=self.owner,
            lease=self._lease,
            limit=_BATCH_SIZE,
            a_destination=capacity.most,
            capacity=capacity.free(),
            for_bulk=capacity.free_for_bulk(),
            passing=capacity.routes.passing(),
            take_over=self.leases.may_take_over(),
            look=look,
        )
        self.leases.taken((row.delivery_id for row in leased), asked)
        return [Claimed(row, _moment(asked, row.expires_in)) for row in leased]

    async def renew(self, held: Collection[str]) -> None:
        """Keep what is held. With nothing held too: leases that have ended are forgotten."""
        asked = time.monotonic()
        kept = await self.ledger.renew(held, owner=self.owner, lease=self._lease) if held else set()
        self.leases.renewed(held, kept, asked)


def _moment(asked: float, later: timedelta | None) -> float | None:
    return None if later is None else asked + later.total_seconds()
