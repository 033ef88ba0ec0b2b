"""Bounces of what was tried: dead addresses go on the suppression list, and those that bounce for long rest there."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from agents.waiting import retry_until_available
from schemas.delivery import Delivery
from schemas.suppression import Address, NewSuppression
from store.sending.ledger import Settlement
from store.sending.suppressions import SoftBounce, Suppressions
from streams.sending.bounces import BOUNCING, address_of, hard_bounce, long_bounce

log = structlog.get_logger()

Settled = Sequence[tuple[Settlement, Delivery]]


class Bounces:
    """Told after the ledger: what a crash leaves out bounces once more."""

    def __init__(self, suppressions: Suppressions) -> None:
        self._suppressions = suppressions

    async def note(self, settled: Settled) -> None:
        """Note what came of attempts: where nothing bounced, nothing. Waits while Postgres is away."""
        tried = [(one, made) for one, made in settled if one.tried and made.channel in BOUNCING]
        hard = [hard_bounce(made, one.reason, tried=True) for one, made in tried]
        entries = [one for one in hard if one is not None]
        soft = {address: made for one, made in tried if one.is_bounce and (address := address_of(made))}
        if entries or soft:
            added = await retry_until_available(lambda: self._note(entries, soft), what="Postgres")
            if added:
                log.info("addresses_suppressed", added=added)

    async def _note(self, entries: list[NewSuppression], soft: dict[Address, Delivery]) -> int:
        return await self._suppressions.add([*entries, *await self._resting(soft)])

    async def _resting(self, soft: dict[Address, Delivery]) -> list[NewSuppression]:
        """The entries for addresses that have bounced for long."""
        counted = await self._suppressions.count_bounces(
            {address: SoftBounce(made.customer.id) for address, made in soft.items()}
        )
        found = [long_bounce(soft[address], bounces, span) for address, (bounces, span) in counted.items()]
        return [one for one in found if one is not None]
