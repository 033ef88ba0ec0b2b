"""Attempts: deliveries in memory are sent, each in its turn, and what came of them is handed on.

What may be sent, and what an answer means, is judged in `streams/sending`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import cache

import msgspec
import structlog
from msgspec.structs import replace

from agents.accounts import LiveAccounts
from agents.clock import Clock
from agents.roles.sender.breakers import Breakers
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.ledger_rows import settlement_of
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.pacing import Paces
from agents.roles.sender.share import Share
from agents.roles.sender.slices import Slices
from agents.roles.sender.slots import Slots
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from channels.contract import AnyChannel, Policy
from schemas.closed import ChannelName, HoldKind
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import AccountHeld, RenderRefused, TemplateFailed, TryLater
from schemas.failover import Failover
from schemas.limit import NO_LIMIT, Limit
from schemas.receipt import Accepted, Receipt, Throttled
from schemas.template import StoredTemplate
from store.sending.ledger import Stop
from streams.sending.breaker import answer_of
from streams.sending.gate import (
    ASKED_AGAIN_AFTER,
    Situation,
    account_held,
    dependency_unavailable,
    not_rendered,
    stopped_at_gate,
)
from streams.sending.judgement import Judgement, impossible
from streams.sending.outcome import outcome_of
from streams.sending.retry import asked_wait
from streams.sending.settle import Attempt, may_pause, settle, tried_again
from streams.sending.strikes import Strikes

log = structlog.get_logger()


class Attempts:
    """Sends leased deliveries from memory. All senders together have `concurrency` under way to one destination.

    `stopped` says of some deliveries why they may not leave any more: asked of what has waited here for long.
    """

    def __init__(
        self,
        channels: Mapping[ChannelName, AnyChannel],
        policies: Mapping[ChannelName, Policy],
        templates: Callable[[str], Awaitable[StoredTemplate | None]],
        is_ours: Callable[[str], bool],
        outcomes: Outcomes,
        pause: Callable[[Destination, HoldKind, str], Awaitable[None]],
        stopped: Callable[[list[str]], Awaitable[Mapping[str, Stop]]],
        metrics: Metrics,
        *,
        concurrency: int,
        clock: Clock,
        paces: Paces | None = None,
        breakers: Breakers | None = None,
        accounts: LiveAccounts | None = None,
    ) -> None:
        self._channels, self._policies, self._templates, self._is_ours = channels, policies, templates, is_ours
        self._outcomes, self._pause, self._clock = outcomes, pause, clock
        self._accounts, self._stopped = accounts, stopped
        self._in_flight, self._counted = cache(metrics.in_flight.labels), cache(metrics.deliveries.labels)
        self._attempt_seconds = cache(metrics.attempt_seconds.labels)
        self._end_to_end_seconds = cache(metrics.end_to_end_seconds.labels)
        self.slots = Slots(self._most_at_once)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._strikes = Strikes()
        self.paces = paces or Paces(Slices(self._limit, self._row))
        if accounts is not None:
            accounts.book.on_change(self.paces.slices.look_up_again)
        self.breakers = breakers or Breakers()
        self.share = Share(concurrency)
        self.capacity = Capacity(self.paces, share=self.share, breakers=self.breakers, failover=self._failover)

    @property
    def held(self) -> list[str]:
        """The deliveries whose leases we need."""
        return list(self._tasks)

    def may_leave(self, destination: Destination) -> bool:
        """True where a message would have its turn soon, as far as its destination's pace goes."""
        return self.paces.capacity(destination, 1) > 0

    def start(self, work: Work) -> None:
        """Send in the background; the outcome goes to `Outcomes`."""
        identity, work = work.delivery.delivery_id, self._routed(work)
        self.capacity.take(work.leaves_for)
        task = self._tasks[identity] = asyncio.create_task(self._carry_out(work, time.monotonic()))
        task.add_done_callback(lambda _: self._done(work))

    def _failover(self, destination: Destination) -> Failover:
        return self._channels[destination.channel].failover(destination.project_id, destination.name)

    def _routed(self, work: Work) -> Work:
        """The same with the account that it leaves through: its own, too, where it can be the probe."""
        own = work.destination
        if own not in self.capacity.paused and self.breakers.capacity(own, 1):
            return work
        through = self.capacity.routes.of(own, possibly_accepted=work.possibly_accepted)
        return work if through == own else replace(work, through=through.name)

    def _done(self, work: Work) -> None:
        self._tasks.pop(work.delivery.delivery_id, None)
        self.capacity.release(work.leaves_for)

    async def _carry_out(self, work: Work, claimed: float) -> None:
        async with self.slots.one(work.leaves_for) as has_slot:
            left_at = await self._turn(work) if has_slot else None
            if not self._is_ours(work.delivery.delivery_id):  # the ledger has it still, for whoever claims it next
                log.info("lease_ended_before_attempt", delivery=work.delivery.delivery_id)
                self._not_asked(work, left_at)
                return
            started = time.monotonic()
            try:
                judgement = await self._attempt(work, claimed, left_at)
            except TryLater as error:
                judgement = dependency_unavailable(str(error))
            except Exception as error:  # a defect must not lose a delivery: it is tried again, and it is seen
                log.exception("attempt_failed", delivery=work.delivery.delivery_id)
                judged = tried_again(f"internal error: {type(error).__name__}", self._made(work))
                judgement = replace(judged, is_ambiguous=True)
            ended = time.monotonic()
        self._end(work, judgement, ended, ended - started)

    async def _turn(self, work: Work) -> float | None:
        """The moment at which it leaves; None where it may not, or not soon."""
        destination = work.leaves_for
        if destination in self.capacity.paused or not self.breakers.capacity(destination, 1):
            return None
        left_at = await self.paces.turn(destination)
        if left_at is not None and not self.breakers.leave(destination, work.delivery.delivery_id):
            self.paces.heard(destination, left_at, None)
            return None
        return left_at

    def stop(self, work: Work, judgement: Judgement) -> None:
        """End a leased delivery without an attempt."""
        self._end(work, judgement, time.monotonic(), 0.0)

    def _end(self, work: Work, judgement: Judgement, ended: float, took: float) -> None:
        settlement = settlement_of(work.delivery.delivery_id, judgement, ended=ended, took=took, through=work.through)
        self._outcomes.put(settlement, work.delivery)
        self._measure(work, judgement, took)

    def _most_at_once(self, destination: Destination) -> int:
        now, shared = time.monotonic(), self.paces.slices.of(destination)
        most = shared.most_at_once(now) if shared else None
        most = self.share.at(now) if most is None else most
        own = self._channels[destination.channel].at_once(destination.project_id, destination.name)
        return most if own is None else min(most, own)

    def _limit(self, destination: Destination) -> Limit:
        """The limit that its account has, or else its channel."""
        own = self._channels[destination.channel].limit(destination.project_id, destination.name)
        preset = self._policies[destination.channel].limit
        if preset == NO_LIMIT:
            return own
        return Limit(own.rate or preset.rate, own.concurrency or preset.concurrency)

    def _row(self, destination: Destination) -> Destination:
        """The destination under which its limit is shared: an account of all projects is one."""
        is_shared = self._accounts is not None and self._accounts.is_shared(destination)
        return destination._replace(project_id="") if is_shared else destination

    def _not_asked(self, work: Work, left_at: float | None) -> None:
        if left_at is not None:
            self._heard(work, left_at, None)

    async def _attempt(self, work: Work, claimed: float, left_at: float | None) -> Judgement:
        """`left_at` is its turn; without one it is not sent."""
        if judgement := stopped_at_gate(self._situation(work, left_at)):
            self._not_asked(work, left_at)
            return judgement
        assert left_at is not None  # noqa: S101 - nothing passes the gate without a turn
        answer: Judgement | Receipt | None = None
        try:
            if why := await self._stopped_since(work, claimed):
                return impossible(*why)
            answer = await self._ask(work)
        finally:
            self._heard(work, left_at, None if isinstance(answer, Judgement) else answer)
        if isinstance(answer, Judgement):
            return answer
        judgement = settle(answer, self._made(work, answer))
        if judgement.pauses:
            await self._pause_destination(work, judgement.pauses, judgement.detail)
        return judgement

    async def _stopped_since(self, work: Work, claimed: float) -> Stop | None:
        """The reason not to send what has waited in memory for long, where there is one by now. Raises TryLater."""
        if time.monotonic() - claimed < ASKED_AGAIN_AFTER:
            return None
        return (await self._stopped([work.delivery.delivery_id])).get(work.delivery.delivery_id)

    def _situation(self, work: Work, left_at: float | None) -> Situation:
        return Situation(
            is_paused=work.leaves_for in self.capacity.paused,
            is_failing=left_at is None and self.breakers.stops(work.leaves_for),
            has_turn=left_at is not None,
            expires_at=work.delivery.expires_at,
            expires=work.expires,
            now=time.monotonic(),
            stays=work.possibly_accepted and self.capacity.routes.of(work.destination) != work.leaves_for,
        )

    def _heard(self, work: Work, left_at: float, receipt: Receipt | None) -> None:
        asked = 0.0
        if isinstance(receipt, Accepted | Throttled) and receipt.retry_after:
            asked = asked_wait(self._policies[work.delivery.channel].retries, receipt.retry_after).total_seconds()
        self.paces.heard(work.leaves_for, left_at, receipt, asked)
        self.breakers.heard(work.leaves_for, work.delivery.delivery_id, receipt)

    async def _ask(self, work: Work) -> Judgement | Receipt:
        """The provider's answer, or the end of a delivery that cannot be written."""
        delivery = work.delivery
        channel, policy = self._channels[delivery.channel], self._policies[delivery.channel]
        template = await self._template(delivery)
        try:
            request = (
                channel.render_through(delivery, template, work.through)
                if work.through
                else channel.render(delivery, template)
            )
            with self._in_flight(delivery.channel).track_inprogress():
                return await channel.send(request, timeout=policy.timeout.total_seconds(), now=self._clock())
        except (TemplateFailed, RenderRefused) as error:
            return not_rendered(error)
        except AccountHeld as error:
            if self._accounts and not work.through:  # else it takes another way the next time, or is held then
                await self._accounts.hold(delivery, str(error))
            return account_held(str(error))

    async def _template(self, delivery: Delivery) -> StoredTemplate | None:
        return await self._templates(delivery.template.digest) if delivery.template else None

    def _made(self, work: Work, receipt: Receipt | None = None) -> Attempt:
        """The attempt as it is judged, after its answer was heard."""
        policy = self._policies[work.delivery.channel]
        attempt = Attempt(work.attempts, policy.retries, random.random())
        if receipt is None or isinstance(receipt, Accepted):
            return attempt
        if not isinstance(receipt, Throttled):
            is_last_word = self._is_last_word(work.leaves_for, policy, receipt)
            return replace(attempt, is_last_word=is_last_word, is_gone=self._is_gone(work.leaves_for, policy, receipt))
        strikes = self._strikes.add(work.delivery.delivery_id, self.paces.taken_by(work.leaves_for))
        return replace(attempt, strikes=strikes, until_next=self.paces.until_next(work.leaves_for))

    def _is_gone(self, destination: Destination, policy: Policy, receipt: Receipt) -> bool:
        """True where a failure is the last of a time in which a delivery would have used up its attempts."""
        attempts_take = sum(policy.retries, timedelta()).total_seconds()
        is_failure = may_pause(receipt, pauses=policy.pauses) and answer_of(receipt) == "failed"
        return is_failure and self.breakers.is_gone(destination, attempts_take)

    def _is_last_word(self, destination: Destination, policy: Policy, receipt: Receipt) -> bool:
        """True where retries that are used up speak of the destination: it took nothing else since the last one."""
        last_wait = policy.retries[-1].total_seconds() if policy.retries else 0.0
        return may_pause(receipt, pauses=policy.pauses) and not self.paces.took_within(destination, last_wait)

    async def _pause_destination(self, work: Work, kind: HoldKind, why: str) -> None:
        if work.leaves_for not in self.capacity.paused:
            log.error("destination_paused", **work.leaves_for.named, why=why)
            self.capacity.paused.add(work.leaves_for)
        accounts, delivery = self._accounts, work.delivery
        if work.through:
            delivery = msgspec.structs.replace(delivery, account=work.through)
        known = accounts.changed_at(delivery) if accounts else None
        await self._pause(work.leaves_for, kind, why)
        if accounts:
            await accounts.release_changed_since(delivery, known)

    def _measure(self, work: Work, judgement: Judgement, took: float) -> None:
        channel = work.delivery.channel
        state, reason = judgement.state, judgement.reason
        outcome = reason or "deferred" if state == "waiting" else outcome_of(state, reason)
        self._counted(channel, outcome).inc()
        self._attempt_seconds(channel).observe(took)
        if judgement.state == "sent":
            age = (self._clock() - work.arrived_at).total_seconds()
            self._end_to_end_seconds(channel).observe(max(0.0, age))
