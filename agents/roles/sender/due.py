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
from agents.roles.sender.next_due import NextDue
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from schemas.destination import Destination
from schemas.errors import BadRecord, TryLater
from store.sending.ledger import Settlement
from streams.sending.gate import not_readable
from streams.sending.judgement import impossible

log = structlog.get_logger()

_REST, _LONGEST_REST = 5.0, 60.0
"""Seconds after which the ledger is asked for what is due whatever it said before: another sender may have gone."""
_REST_SHARE = 200
"""So many times what asking took, where that is longer: ten thousand destinations take a while to ask for."""
_BUSY_POLL = 0.1
"""Seconds until the ledger is asked again while some destination is busy: it may take more soon."""


class Due:
    """Claims what is due, in a loop; between two claims it looks out for pauses and hurries every `poll`."""

    def __init__(
        self,
        claimant: Claimant,
        attempts: Attempts,
        outcomes: Outcomes,
        erasures: Erasures,
        next_due: NextDue,
        metrics: Metrics,
        *,
        poll: timedelta,
    ) -> None:
        self._claimant, self._ledger, self._leases = claimant, claimant.ledger, claimant.leases
        self._attempts, self._outcomes, self._erasures = attempts, outcomes, erasures
        self._next_due, self._metrics, self._poll = next_due, metrics, poll.total_seconds()
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
        asked = time.monotonic()
        claimed = await self._claimant.claim_due(self._attempts.capacity)
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
        """Until the ledger may have something: in between it is asked for what is paused alone, which costs nothing."""
        capacity = self._attempts.capacity
        if capacity.is_busy():
            await asyncio.sleep(_BUSY_POLL)
            return
        saturated, passing = capacity.saturated(), capacity.routes.passing()
        self._next_due.ask()
        began = time.monotonic()
        due_in = await retry_until_available(lambda: self._ledger.next_due(saturated, passing), what="Postgres")
        ends = _rest_ends(began, time.monotonic(), due_in)
        while True:
            wait = self._attempts.paces.soonest(min(self._poll, ends - time.monotonic()))
            await asyncio.sleep(max(self._poll / 10, wait))
            ends, before = min(ends, self._next_due.at), capacity.paused
            if ends <= time.monotonic() or await retry_until_available(self._look_at_pauses, what="Postgres") != before:
                return
            is_hurried = await retry_until_available(self._look_at_hurries, what="Postgres")
            if is_hurried or capacity.saturated() != saturated:
                return

    async def _look_at_pauses(self) -> set[Destination]:
        pauses = await self._ledger.pauses()
        paused, routes = set(pauses), self._attempts.capacity.routes
        routes.paused, routes.held = paused, {one for one, pause in pauses.items() if not pause.by_answer}
        self._metrics.destinations_paused.set(len(paused))
        self._metrics.destinations_throttled.set(self._attempts.paces.closed)
        self._metrics.destinations_failing.set(len(self._attempts.breakers.open))
        return paused

    async def _look_at_hurries(self) -> bool:
        """True where somebody wants a destination asked at once: what it said of when is forgotten."""
        known, self._hurried = self._hurried, await self._ledger.hurried_destinations()
        hurried = [one for one, at in self._hurried.items() if known is not None and known.get(one) != at]
        for one in hurried:
            self._attempts.paces.hurry(one)
            self._attempts.breakers.hurry(one)
        return bool(hurried)

    def held(self) -> set[str]:
        """Deliveries whose outcome only this process knows, or will know."""
        return self._outcomes.unsettled.keys() | set(self._attempts.held)

    async def keep_leases(self, every: float) -> None:
        """Renew the leases of what is held every so many seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            await retry_until_available(lambda: self._claimant.renew(self.held()), what="Postgres")


def _rest_ends(began: float, now: float, due_in: timedelta | None) -> float:
    rest = min(_LONGEST_REST, max(_REST, _REST_SHARE * (now - began)))
    return now + (rest if due_in is None else min(rest, due_in.total_seconds()))
