"""Bounces of what was tried: dead addresses go on the suppression list, and those that bounce for long rest there."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from agents.waiting import retry_until_available
from schemas.delivery import Delivery
from schemas.suppression import Address, NewSuppression
from store.sending.ledger import Settlement
from store.sending.suppressions import Suppressions
from streams.sending.bounces import BOUNCING, address_of, hard_bounce, long_bounce

log = structlog.get_logger()

Settled = Sequence[tuple[Settlement, Delivery]]


class Bounces:
    """Told after the ledger: what a crash leaves out bounces once more."""

    def __init__(self, suppressions: Suppressions) -> None:
        self._suppressions = suppressions

    async def note(self, settled: Settled) -> None:
        """Note what came of attempts. Waits while Postgres is away."""
        tried = [(one, made) for one, made in settled if one.tried and made.channel in BOUNCING]
        if tried:
            added = await retry_until_available(lambda: self._note(tried), what="Postgres")
            if added:
                log.info("addresses_suppressed", added=added)

    async def _note(self, tried: Settled) -> int:
        taken = [address_of(made) for one, made in tried if one.state == "sent"]
        await self._suppressions.forget_bounces([one for one in taken if one is not None])
        hard = [hard_bounce(made, one.reason, tried=one.tried) for one, made in tried]
        entries = [one for one in hard if one is not None]
        return await self._suppressions.add([*entries, *await self._resting(tried)])

    async def _resting(self, tried: Settled) -> list[NewSuppression]:
        """The entries for addresses that have bounced for long."""
        soft: dict[Address, Delivery] = {}
        for one, made in tried:
            if one.is_bounce and (address := address_of(made)):
                soft[address] = made
        counted = await self._suppressions.count_bounces(list(soft))
        found = [long_bounce(soft[address], bounces, span) for address, (bounces, span) in counted.items()]
        return [one for one in found if one is not None]
