"""Out of the ledger: what is due is claimed and begun, and the leases of what is held are kept."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import structlog

from agents.roles.sender.attempts import Attempts
from agents.roles.sender.claimant import Claimant, Claimed
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.ledger_rows import read_stored, settlement_of
from agents.roles.sender.looks import Looks
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.turns import Turns
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from schemas.destination import Destination
from schemas.errors import BadRecord, TryLater
from store.sending.ledger import Settlement
from streams.sending.failover import standing_of
from streams.sending.gate import not_readable
from streams.sending.judgement import impossible

log = structlog.get_logger()

_BUSY_POLL = 0.1
"""Seconds until the ledger is asked again while some destination is busy: it may take more soon."""


class Due:
    """Claims what is due, in a loop; between two claims it looks out for pauses and hurries every `poll`."""

    def __init__(
        self,
        claimant: Claimant,
        attempts: Attempts,
        turns: Turns,
        outcomes: Outcomes,
        erasures: Erasures,
        metrics: Metrics,
        *,
        poll: timedelta,
    ) -> None:
        self._claimant, self._ledger, self._leases = claimant, claimant.ledger, claimant.leases
        self._attempts, self._turns, self._outcomes, self._erasures = attempts, turns, outcomes, erasures
        self._looks, self._metrics, self._poll = Looks(), metrics, poll.total_seconds()
        self._hurried: dict[Destination, datetime] | None = None

    async def run(self) -> None:
        """Until we stop."""
        while not self._leases.are_over:
            found = await retry_until_available(self._claim_in_touch, what="Postgres")
            if not found:
                await self._rest()

    async def _claim_in_touch(self) -> int:
        try:
            found = await self.claim()
        except TryLater:
            self._leases.out_of_touch()
            raise
        self._leases.in_touch()
        return found

    async def claim(self) -> int:
        """Claim once, and begin what can be: the number of rows found. Raises TryLater."""
        await self._look_at_pauses()
        await self._look_at_hurries()
        asked, look = time.monotonic(), self._looks.is_due()
        claimed = await self._claimant.claim_due(self._turns.capacity, look=look)
        if look:
            self._looks.looked(time.monotonic() - asked, is_over=self._ledger.has_looked_at_all)
        mine = self.held()
        if erased := {one.row.delivery_id: one.row.record for one in claimed if one.row.is_erased}:
            await self._erasures.end(erased)
        unreadable = []
        for one in claimed:
            if one.row.delivery_id in erased or one.row.delivery_id in mine:
                continue  # a lease of ours ended while Postgres was away: what is mine is still being sent
            try:
                self._begin(one)
            except BadRecord as error:  # of another release, say, which another sender may be of
                unreadable.append(settlement_of(one.row.delivery_id, not_readable(error), ended=asked))
        if unreadable:
            await self._leave(unreadable)
        return len(claimed)

    def _begin(self, claimed: Claimed) -> None:
        row = claimed.row
        work = Work(read_stored(row.record), row.attempts, row.arrived_at, claimed.expires, row.possibly_accepted)
        if row.stop is None:
            self._attempts.start(work)
        else:
            self._attempts.stop(work, impossible(*row.stop))

    async def _leave(self, unreadable: list[Settlement]) -> None:
        log.error("records_unreadable", deliveries=[one.delivery_id for one in unreadable])
        await self._ledger.settle(unreadable, owner=self._claimant.owner)

    async def _rest(self) -> None:
        """Until something known is due, or a look: in between the ledger is asked for what is paused alone."""
        capacity = self._turns.capacity
        if capacity.is_busy():
            await asyncio.sleep(_BUSY_POLL)
            return
        saturated, paused = capacity.saturated(), capacity.paused
        while not self._looks.is_due() and (due_in := self._ledger.due_in(saturated)):
            wait = self._turns.paces.soonest(min(self._poll, self._looks.due_in(), due_in))
            await asyncio.sleep(max(self._poll / 10, wait))
            is_changed = await retry_until_available(self._look_at_pauses, what="Postgres") != paused
            if is_changed or await retry_until_available(self._look_at_hurries, what="Postgres"):
                self._looks.hurry()
            if capacity.saturated() != saturated:
                return

    async def _look_at_pauses(self) -> set[Destination]:
        routes = self._turns.capacity.routes
        routes.begin_look()
        pauses = await self._ledger.pauses()
        routes.found(pauses, {one for one, pause in pauses.items() if standing_of(pause.kind) == "held"})
        self._metrics.destinations_paused.set(len(routes.paused))
        self._metrics.destinations_throttled.set(self._turns.paces.closed)
        self._metrics.destinations_failing.set(len(self._turns.breakers.open))
        return routes.paused

    async def _look_at_hurries(self) -> bool:
        """True where somebody wants a destination asked at once: what it said of when is forgotten."""
        known, self._hurried = self._hurried, await self._ledger.hurried_destinations()
        hurried = [one for one, at in self._hurried.items() if known is not None and known.get(one) != at]
        for one in hurried:
            self._turns.hurry(one)
        return bool(hurried)

    def held(self) -> set[str]:
        """Deliveries whose outcome only this process knows, or will know."""
        return self._outcomes.unsettled.keys() | set(self._attempts.held)

    async def keep_leases(self, every: float) -> None:
        """Renew the leases of what is held every so many seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            await retry_until_available(lambda: self._claimant.renew(self.held()), what="Postgres")
