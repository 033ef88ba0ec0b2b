"""Turns: when a message may leave, through which account, and what its destination made of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec.structs import replace

from agents.roles.sender.breakers import Breakers
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.domains import Domains
from agents.roles.sender.pacing import Paces
from agents.roles.sender.share import Share
from agents.roles.sender.slices import Slices
from agents.roles.sender.slots import Slot, Slots
from agents.roles.sender.work import Work
from channels.contract import AnyChannel, Policy
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.failover import Failover
from schemas.limit import NO_LIMIT, Limit
from schemas.receipt import Accepted, DomainThrottled, Receipt, Throttled
from streams.sending.breaker import answer_of
from streams.sending.domains import account_of, is_gate
from streams.sending.gate import Situation
from streams.sending.retry import asked_wait
from streams.sending.settle import Attempt, may_pause
from streams.sending.strikes import Strikes


class Turns:
    """Paces, breakers, slots, limits and routes of all destinations.

    All senders together have `concurrency` under way to one without a limit of its own. `is_shared` says of one that it
    is an account of all projects.
    """

    def __init__(
        self,
        channels: Mapping[ChannelName, AnyChannel],
        policies: Mapping[ChannelName, Policy],
        *,
        concurrency: int,
        breakers: Breakers | None = None,
        is_shared: Callable[[Destination], bool] = lambda _: False,
    ) -> None:
        self._channels, self._policies, self._is_shared = channels, policies, is_shared
        self.breakers = breakers or Breakers()
        self.paces = Paces(Slices(self._limit, self._row, is_wanted=self.breakers.news))
        self.share, self.slots, self._strikes = Share(concurrency), Slots(self._most_at_once), Strikes()
        self.domains = Domains(self._domain_limit, self._row, lambda: self.capacity.most, self.paces.slices)
        self.capacity = Capacity(self.paces, share=self.share, breakers=self.breakers, failover=self._failover)

    def take(self, work: Work) -> Work:
        """Hold a delivery in memory: the same with the account that it leaves through."""
        work = self._routed(work)
        self.capacity.take(work.leaves_for)
        return work

    def release(self, work: Work) -> None:
        """Hold it no longer."""
        self.domains.release(work)
        self.capacity.release(work.leaves_for)

    def slot(self, work: Work) -> Slot:
        """A slot for as long as it is under way; False where it is to be sent away."""
        return self.slots.one(work.leaves_for)

    async def turn(self, work: Work) -> float | None:
        """Wait for its turn: the moment at which it leaves; None where it may not, or not soon."""
        destination = work.leaves_for
        if destination in self.capacity.paused or not self.breakers.capacity(destination, 1):
            return None
        left_at = await self.paces.turn(destination)
        if left_at is None:
            return None
        if self.domains.is_missed(work) or not self.breakers.leave(destination, work.delivery.delivery_id):
            self.paces.heard(destination, left_at, None)
            return None
        return left_at

    def is_missed(self, work: Work, left_at: float | None) -> bool:
        """True where the turn that it had is over, of a limit that others have turns of."""
        return left_at is not None and self.paces.is_missed(work.leaves_for, left_at)

    def situation(self, work: Work, left_at: float | None) -> Situation:
        """The situation in which it stands at the gate, with its turn or without one."""
        return Situation(
            is_paused=work.leaves_for in self.capacity.paused,
            is_failing=left_at is None and self.breakers.stops(work.leaves_for),
            has_turn=left_at is not None,
            expires_at=work.delivery.expires_at,
            expires=work.expires,
            now=time.monotonic(),
            stays=work.possibly_accepted and self.capacity.routes.of(work.destination) != work.leaves_for,
        )

    def heard(self, work: Work, left_at: float | None, receipt: Receipt | None) -> None:
        """Take in what came back for one that had its turn; None where its destination was not asked after all."""
        if left_at is None:
            return
        receipt = self.domains.heard(work, left_at, receipt, self._asked_wait(work, receipt))
        self.paces.heard(work.leaves_for, left_at, receipt, self._asked_wait(work, receipt))
        self.breakers.heard(work.leaves_for, work.delivery.delivery_id, receipt)

    def made(self, work: Work, receipt: Receipt | None = None) -> Attempt:
        """The attempt as it is judged, after its answer was heard."""
        policy = self._policies[work.delivery.channel]
        attempt = Attempt(work.attempts, policy.retries, random.random())
        if receipt is None or isinstance(receipt, Accepted):
            return attempt
        if not isinstance(receipt, Throttled):
            is_last_word = self._is_last_word(work.leaves_for, policy, receipt)
            return replace(attempt, is_last_word=is_last_word, is_gone=self._is_gone(work.leaves_for, policy, receipt))
        gate = self.domains.gate(work) if isinstance(receipt, DomainThrottled) else None
        if gate is not None:
            strikes = self._strikes.add(work.delivery.delivery_id, self.domains.paces.taken_by(gate))
            return replace(attempt, strikes=strikes, until_next=self.domains.later(gate))
        strikes = self._strikes.add(work.delivery.delivery_id, self.paces.taken_by(work.leaves_for))
        return replace(attempt, strikes=strikes, until_next=self.paces.until_next(work.leaves_for))

    def may_leave(self, destination: Destination) -> bool:
        """True where a message would have its turn soon, as far as its destination's pace goes."""
        return self.paces.capacity(destination, 1) > 0

    def hurry(self, destination: Destination) -> None:
        """Try it now: what it said of when is forgotten."""
        self.paces.hurry(destination)
        self.domains.hurry(destination)
        self.breakers.hurry(destination)

    def look_up_again(self) -> None:
        """Accounts have changed, and with them what each destination's limit is."""
        self.paces.slices.look_up_again()
        self.domains.slices.look_up_again()

    def close(self, row: Destination, seconds: float) -> None:
        """Let a destination alone that said so to another process."""
        (self.domains.slices if is_gate(row) else self.paces.slices).close(row, seconds)

    def _asked_wait(self, work: Work, receipt: Receipt | None) -> float:
        if not isinstance(receipt, Accepted | Throttled) or not receipt.retry_after:
            return 0.0
        return asked_wait(self._policies[work.delivery.channel].retries, receipt.retry_after).total_seconds()

    def _routed(self, work: Work) -> Work:
        """The same with the account that it leaves through: its own, too, where it can be the probe."""
        own = work.destination
        if own not in self.capacity.paused and self.breakers.capacity(own, 1):
            return work
        through = self.capacity.routes.of(own, possibly_accepted=work.possibly_accepted)
        return work if through == own else replace(work, through=through.name)

    def _failover(self, destination: Destination) -> Failover:
        return self._channels[destination.channel].failover(destination.project_id, destination.name)

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

    def _domain_limit(self, gate: Destination) -> Limit:
        account, domain = account_of(gate), gate.name.rpartition("@")[2]
        return self._channels[gate.channel].domain_limit(account.project_id, account.name, domain)

    def _row(self, destination: Destination) -> Destination:
        """The destination under which its limit is shared: an account of all projects is one."""
        return destination._replace(project_id="") if self._is_shared(destination) else destination

    def _is_gone(self, destination: Destination, policy: Policy, receipt: Receipt) -> bool:
        """True where a failure is the last of a time in which a delivery would have used up its attempts."""
        attempts_take = sum(policy.retries, timedelta()).total_seconds()
        is_failure = may_pause(receipt, pauses=policy.pauses) and answer_of(receipt) == "failed"
        return is_failure and self.breakers.is_gone(destination, attempts_take)

    def _is_last_word(self, destination: Destination, policy: Policy, receipt: Receipt) -> bool:
        """True where retries that are used up speak of the destination: it took nothing else since the last one."""
        last_wait = policy.retries[-1].total_seconds() if policy.retries else 0.0
        return may_pause(receipt, pauses=policy.pauses) and not self.paces.took_within(destination, last_wait)
