"""Reputation of accounts: counted in memory, told to Postgres now and then, and judged by one sender at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from agents.waiting import retry_until_available
from schemas.closed import HoldKind
from schemas.delivery import Delivery
from schemas.destination import Destination
from store.sending.ledger import Settlement
from store.sending.reputation import ReputationCounts, SentCount
from streams.sending.bounces import JUDGED, hard_bounce
from streams.sending.reputation import Bounds, Sent, trouble

log = structlog.get_logger()

_EVERY_SECONDS = 10.0
_JUDGED_EVERY = timedelta(minutes=1)


class Reputation:
    """Counts what was sent; a crash leaves out what was not told yet, ten seconds at most."""

    def __init__(
        self, counts: ReputationCounts, bounds: Bounds, pause: Callable[[Destination, HoldKind, str], Awaitable[None]]
    ) -> None:
        self._counts, self._bounds, self._pause = counts, bounds, pause
        self._sent, self._bounced = Counter[Destination](), Counter[Destination]()

    def note(self, settled: Sequence[tuple[Settlement, Delivery]]) -> None:
        """Count what came of attempts: what was taken, and what was refused for good."""
        for one, made in settled:
            if made.channel not in JUDGED or not one.tried:
                continue
            is_bounce = hard_bounce(made, one.reason, tried=True) is not None
            if is_bounce or one.state == "sent":
                account = Destination(made.project_id, made.channel, one.through or made.account)
                self._sent[account] += 1
                self._bounced[account] += is_bounce

    async def run(self) -> None:
        """Count and judge until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await retry_until_available(self.tell, what="Postgres")
            await retry_until_available(self.judge, what="Postgres")

    async def tell(self) -> None:
        """Add to Postgres what was counted since the last time. Raises TryLater."""
        sent, bounced = Counter(self._sent), Counter(self._bounced)
        if sent:
            await self._counts.add_sent({one: SentCount(count, bounced[one]) for one, count in sent.items()})
            self._sent, self._bounced = self._sent - sent, self._bounced - bounced

    async def judge(self) -> int:
        """Pause the accounts that are in trouble, where it is time to look; how many. Raises TryLater."""
        if not await self._counts.is_time(_JUDGED_EVERY):
            return 0
        await self._counts.forget(self._bounds.window)
        judged = await self._counts.to_judge(self._bounds.window, self._bounds.least)
        sent = {account: Sent(row["count"], row["bounced"], row["complained"]) for account, row in judged.items()}
        found = {account: why for account, one in sent.items() if (why := trouble(one, self._bounds))}
        for account, why in found.items():
            log.error("account_paused", **account.named, why=why)
            await self._pause(account, "reputation", why)
        return len(found)
