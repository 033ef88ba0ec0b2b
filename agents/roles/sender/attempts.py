"""Attempts: deliveries in memory pass the gate, each in its turn, are sent, and what came of them is settled.

What may be sent, and what an answer means, is judged in `streams/sending`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache

import structlog
from msgspec.structs import replace

from agents.clock import Clock
from agents.roles.sender.asking import Asking
from agents.roles.sender.ledger_rows import settlement_of
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.turns import Turns
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from schemas.closed import HoldKind
from schemas.errors import TryLater
from schemas.receipt import Receipt
from store.sending.ledger import Stop
from streams.sending.gate import (
    ASKED_AGAIN_AFTER,
    dependency_unavailable,
    domain_takes_no_more,
    stopped_at_gate,
    takes_no_more,
)
from streams.sending.judgement import Judgement, impossible
from streams.sending.outcome import outcome_of
from streams.sending.settle import settle, tried_again

log = structlog.get_logger()


class Attempts:
    """Sends leased deliveries from memory.

    `stopped` says of some deliveries why they may not leave any more: asked of what has waited here for long.
    """

    def __init__(
        self,
        turns: Turns,
        asking: Asking,
        is_ours: Callable[[str], bool],
        stopped: Callable[[list[str]], Awaitable[Mapping[str, Stop]]],
        outcomes: Outcomes,
        metrics: Metrics,
        *,
        clock: Clock,
    ) -> None:
        self._turns, self._asking, self._is_ours, self._stopped = turns, asking, is_ours, stopped
        self._outcomes, self._clock = outcomes, clock
        self._counted, self._attempt_seconds = cache(metrics.deliveries.labels), cache(metrics.attempt_seconds.labels)
        self._end_to_end_seconds = cache(metrics.end_to_end_seconds.labels)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def held(self) -> list[str]:
        """The deliveries whose leases we need."""
        return list(self._tasks)

    def start(self, work: Work) -> None:
        """Send in the background; the outcome goes to `Outcomes`."""
        identity, work = work.delivery.delivery_id, self._turns.take(work)
        task = self._tasks[identity] = asyncio.create_task(self._carry_out(work, time.monotonic()))
        task.add_done_callback(lambda _: self._done(work))

    def stop(self, work: Work, judgement: Judgement) -> None:
        """End a leased delivery without an attempt."""
        self._end(work, judgement, time.monotonic(), 0.0)

    def _done(self, work: Work) -> None:
        self._tasks.pop(work.delivery.delivery_id, None)
        self._turns.release(work)

    async def _carry_out(self, work: Work, claimed: float) -> None:
        later = await self._turns.domains.put_off(work)
        if later is not None:
            self._end(work, domain_takes_no_more(later), time.monotonic(), 0.0)
            return
        async with self._turns.slot(work) as has_slot:
            await self._outcomes.wait_for_ledger()
            left_at = await self._turns.turn(work) if has_slot else None
            if not self._is_ours(work.delivery.delivery_id):  # the ledger has it still, for whoever claims it next
                log.info("lease_ended_before_attempt", delivery=work.delivery.delivery_id)
                self._turns.heard(work, left_at, None)
                return
            started = time.monotonic()
            try:
                judgement = await self._attempt(work, claimed, left_at)
            except TryLater as error:
                judgement = dependency_unavailable(str(error))
            except Exception as error:  # a defect must not lose a delivery: it is tried again, and it is seen
                log.exception("attempt_failed", delivery=work.delivery.delivery_id)
                judged = tried_again(f"internal error: {type(error).__name__}", self._turns.made(work))
                judgement = replace(judged, is_ambiguous=True)
            ended = time.monotonic()
        self._end(work, judgement, ended, ended - started)

    async def _attempt(self, work: Work, claimed: float, left_at: float | None) -> Judgement:
        """`left_at` is its turn; without one it is not sent."""
        if judgement := stopped_at_gate(self._turns.situation(work, left_at)):
            self._turns.heard(work, left_at, None)
            return judgement
        answer: Judgement | Receipt | None = None
        try:
            answer = await self._stopped_since(work, claimed, left_at) or await self._asking.ask(work)
        finally:
            self._turns.heard(work, left_at, None if isinstance(answer, Judgement) else answer)
        if isinstance(answer, Judgement):
            return answer
        judgement = settle(answer, self._turns.made(work, answer))
        if judgement.pauses:
            await self._pause(work, judgement.pauses, judgement.detail)
        return judgement

    async def _stopped_since(self, work: Work, claimed: float, left_at: float | None) -> Judgement | None:
        """The end of what has waited in memory for long and may not leave by now, or has missed its turn meanwhile.

        Raises TryLater.
        """
        if time.monotonic() - claimed < ASKED_AGAIN_AFTER:
            return None
        if why := (await self._stopped([work.delivery.delivery_id])).get(work.delivery.delivery_id):
            return impossible(*why)
        return takes_no_more() if self._turns.is_missed(work, left_at) else None

    async def _pause(self, work: Work, kind: HoldKind, why: str) -> None:
        """At once here, so that nothing else leaves meanwhile, and in the ledger."""
        routes = self._turns.capacity.routes
        if work.leaves_for not in routes.paused:
            log.error("destination_paused", **work.leaves_for.named, why=why)
        routes.pause(work.leaves_for)
        try:
            await self._asking.pause(work, kind, why)
        finally:
            routes.is_noted(work.leaves_for)

    def _end(self, work: Work, judgement: Judgement, ended: float, took: float) -> None:
        settlement = settlement_of(work.delivery.delivery_id, judgement, ended=ended, took=took, through=work.through)
        self._outcomes.put(settlement, work.delivery)
        self._measure(work, judgement, took)

    def _measure(self, work: Work, judgement: Judgement, took: float) -> None:
        channel = work.delivery.channel
        state, reason = judgement.state, judgement.reason
        outcome = reason or "deferred" if state == "waiting" else outcome_of(state, reason)
        self._counted(channel, outcome).inc()
        self._attempt_seconds(channel).observe(took)
        if judgement.state == "sent":
            age = (self._clock() - work.arrived_at).total_seconds()
            self._end_to_end_seconds(channel).observe(max(0.0, age))
