"""Attempts: which deliveries are being sent, at most how many to one destination, and what came of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from agents.clock import Clock
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.pacing import Destination, Paces
from agents.telemetry.metrics import Metrics
from channels.contract import AnyChannel, Policy
from schemas.closed import ChannelName, Reason
from schemas.delivery import Delivery
from schemas.errors import RenderRefused, TemplateFailed, TryLater
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered
from schemas.template import StoredTemplate
from store.sending.ledger import Settlement
from streams.sending.retry import asked_wait, next_attempt

log = structlog.get_logger()

_WAITING_PLACES = 4
"""Deliveries in memory for each that is being sent; more stay in the ledger."""
_PATIENCE = 0.5
"""Seconds in which a destination that is merely busy makes room."""
_NOT_WAITED_FOR = 5.0
"""Seconds for which a destination that made none is passed over: its deliveries wait in the ledger."""
_DEPENDENCY_AGAIN = timedelta(seconds=5)
_STRIKES, _MOST_STRIKES = 8, 10_000
"""So often a message may be told that it is too much while its neighbours pass; then it is about the message. And how
many messages are remembered for that."""


@dataclass(frozen=True, slots=True)
class Work:
    """A leased delivery. `attempts` were made before; `arrived_at` is when its event reached Kafka.

    `expires` is when it is no longer valid, by the process's steady clock; None where it always is.
    """

    delivery: Delivery
    attempts: int
    arrived_at: datetime
    expires: float | None = None

    @property
    def destination(self) -> Destination:
        """Where it goes."""
        return self.delivery.channel, self.delivery.account


class Attempts:
    """Sends leased deliveries from memory. `concurrency` bounds what is under way to one destination."""

    def __init__(
        self,
        channels: Mapping[ChannelName, AnyChannel],
        policies: Mapping[ChannelName, Policy],
        templates: Callable[[str], Awaitable[StoredTemplate | None]],
        is_ours: Callable[[str], bool],
        outcomes: Outcomes,
        pause: Callable[[Destination, str], Awaitable[None]],
        metrics: Metrics,
        *,
        concurrency: int,
        clock: Clock,
        paces: Paces | None = None,
    ) -> None:
        self._channels, self._policies, self._templates, self._is_ours = channels, policies, templates, is_ours
        self._outcomes, self._pause, self._metrics, self._clock = outcomes, pause, metrics, clock
        self._concurrency = concurrency
        self._held: Counter[Destination] = Counter()
        self._crowded: defaultdict[Destination, float] = defaultdict(float)
        self._slots: dict[Destination, asyncio.Semaphore] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()
        self._strikes: dict[str, tuple[int, int]] = {}
        self.paces = paces or Paces()
        self.paused: set[Destination] = set()

    @property
    def places(self) -> int:
        """How many deliveries for one destination are held in memory at most."""
        return self._concurrency * _WAITING_PLACES

    @property
    def held(self) -> list[str]:
        """The deliveries whose leases we need."""
        return list(self._tasks)

    def has_room(self, destination: Destination) -> bool:
        """Whether one more delivery for a destination may be held in memory."""
        return destination not in self.paused and self._held[destination] < self._room(destination)

    def rooms(self) -> dict[Destination, int]:
        """How many more each destination can take, of those that cannot take as many as any other."""
        known = dict.fromkeys((*self._held, *self.paces.known))
        return {one: max(0, self._room(one) - self._held[one]) for one in known} | dict.fromkeys(self.paused, 0)

    def full(self) -> set[Destination]:
        """Those of them that can take none now."""
        return {one for one, room in self.rooms().items() if not room}

    def saturated(self) -> bool:
        """Whether some destination is merely busy, and may have room any moment."""
        return any(count >= self.places for count in self._held.values())

    def _room(self, destination: Destination) -> int:
        return self.paces.room(destination, self.places)

    async def room_for(self, destination: Destination) -> bool:
        """Wait a moment for room. A destination that made none is not waited for again for a while.

        So a slow or dead destination cannot keep the deliveries to others from being taken in.
        """
        if self.has_room(destination):
            return True
        is_slow = self._held[destination] < self.places  # it has no room because of its pace, not for being busy
        if destination in self.paused or is_slow or self._crowded[destination] > time.monotonic():
            return False
        deadline = time.monotonic() + _PATIENCE
        while not self.has_room(destination):
            self._freed.clear()
            try:
                await asyncio.wait_for(self._freed.wait(), deadline - time.monotonic())
            except TimeoutError:
                self._crowded[destination] = time.monotonic() + _NOT_WAITED_FOR
                return False
        return True

    def start(self, work: Work) -> None:
        """Send in the background; the outcome goes to `Outcomes`."""
        identity = work.delivery.delivery_id
        self._held[work.destination] += 1
        task = self._tasks[identity] = asyncio.create_task(self._carry_out(work))
        task.add_done_callback(lambda _: self._done(work))

    def _done(self, work: Work) -> None:
        self._tasks.pop(work.delivery.delivery_id, None)
        self._held[work.destination] -= 1
        if not self._held[work.destination]:
            del self._held[work.destination]
            self._slots.pop(work.destination, None)
            self._crowded.pop(work.destination, None)
        self._freed.set()

    async def _carry_out(self, work: Work) -> None:
        async with self._slot(work.destination):
            left_at = None if work.destination in self.paused else await self.paces.turn(work.destination)
            if not self._is_ours(work.delivery.delivery_id):  # the ledger has it still, for whoever claims it next
                log.info("lease_ended_before_attempt", delivery=work.delivery.delivery_id)
                self._not_asked(work, left_at)
                return
            started = time.monotonic()
            try:
                settlement = await self._attempt(work, left_at)
            except TryLater as error:
                settlement = _held_back(work, str(error), _DEPENDENCY_AGAIN)
            except Exception as error:  # a defect must not lose a delivery: it is tried again, and it is seen
                log.exception("attempt_failed", delivery=work.delivery.delivery_id)
                settlement = self._deferred(work, Deferred(f"internal error: {type(error).__name__}"))
            ended = time.monotonic()
        took = ended - started
        self._outcomes.put(replace(settlement, ended=ended, duration_ms=round(took * 1000)), work.delivery)
        self._measure(work, settlement, took)

    def _slot(self, destination: Destination) -> asyncio.Semaphore:
        if destination not in self._slots:
            channel, name = destination
            bounds = (self._channels[channel].at_once(name), self._policies[channel].concurrency, self._concurrency)
            self._slots[destination] = asyncio.Semaphore(min(one for one in bounds if one is not None))
        return self._slots[destination]

    def _not_asked(self, work: Work, left_at: float | None) -> None:
        if left_at is not None:
            self.paces.heard(work.destination, left_at, None)

    async def _attempt(self, work: Work, left_at: float | None) -> Settlement:
        """`left_at` is its turn; without one it waits in the ledger, as old as it is."""
        if work.destination in self.paused:
            self._not_asked(work, left_at)
            return _held_back(work, "the destination is paused", reason="paused")
        if left_at is None:
            return _held_back(work, "the destination takes no more for now", reason="throttled")
        answer: Settlement | Receipt | None = None
        try:
            answer = await self._ask(work)
        finally:
            self._heard(work, left_at, None if isinstance(answer, Settlement) else answer)
        return answer if isinstance(answer, Settlement) else await self._settled_by(work, answer)

    def _heard(self, work: Work, left_at: float, receipt: Receipt | None) -> None:
        retry_after = receipt.retry_after if isinstance(receipt, Throttled) else None
        asked = asked_wait(self._policies[work.delivery.channel].retries, retry_after)
        self.paces.heard(work.destination, left_at, receipt, asked.total_seconds())

    async def _ask(self, work: Work) -> Settlement | Receipt:
        """The provider's answer, or the end of a delivery that it need not be asked about."""
        delivery = work.delivery
        if delivery.expires_at and work.expires is not None and work.expires <= time.monotonic():
            return _failed(work, "expired", f"expired at {delivery.expires_at.isoformat()}", tried=False)
        channel, policy = self._channels[delivery.channel], self._policies[delivery.channel]
        try:
            request = channel.render(delivery, await self._template(delivery))
        except TemplateFailed as error:
            return _failed(work, "template_error", str(error), tried=False)
        except RenderRefused as error:
            return _failed(work, error.reason, str(error), tried=False)
        with self._metrics.in_flight.labels(delivery.channel).track_inprogress():
            return await channel.send(request, timeout=policy.timeout.total_seconds(), now=self._clock())

    async def _template(self, delivery: Delivery) -> StoredTemplate | None:
        return await self._templates(delivery.template.digest) if delivery.template else None

    async def _settled_by(self, work: Work, receipt: Receipt) -> Settlement:
        match receipt:
            case Accepted(detail, provider_id):
                return Settlement(work.delivery.delivery_id, "sent", detail, provider_id=provider_id)
            case Deferred():
                return self._deferred(work, receipt)
            case Unanswered(detail):
                return self._deferred(work, Deferred(f"{detail} (possibly accepted)"))
            case Throttled():
                return self._throttled(work, receipt)
            case Refused(detail, reason):
                return _failed(work, reason, detail)
            case Blocked(detail):
                await self._pause_destination(work, detail)
                return _held_back(work, detail, reason="paused")
            case Gone(detail):
                await self._pause_destination(work, detail)
                return _failed(work, None, detail)
            case _:
                assert_never(receipt)

    async def _pause_destination(self, work: Work, why: str) -> None:
        if work.destination not in self.paused:
            channel, name = work.destination
            log.error("destination_paused", channel=channel, destination=name, why=why)
            self.paused.add(work.destination)
        await self._pause(work.destination, why)

    def _throttled(self, work: Work, receipt: Throttled) -> Settlement:
        """It waits without an attempt, behind its neighbours; but not for ever, where these pass and it never does."""
        identity, taken = work.delivery.delivery_id, self.paces.taken_by(work.destination)
        strikes, before = self._strikes.pop(identity, (0, taken))
        strikes += taken > before
        if strikes >= _STRIKES:
            return self._deferred(work, Deferred(receipt.detail, receipt.retry_after))
        while len(self._strikes) >= _MOST_STRIKES:
            del self._strikes[next(iter(self._strikes))]
        self._strikes[identity] = strikes, taken
        wait = timedelta(seconds=self.paces.until_next(work.destination))
        return _held_back(work, receipt.detail, wait, reason="throttled")

    def _deferred(self, work: Work, receipt: Deferred) -> Settlement:
        policy = self._policies[work.delivery.channel]
        wait = next_attempt(policy.retries, work.attempts + 1, random=random.random(), retry_after=receipt.retry_after)
        if wait is None:
            return _failed(work, None, f"given up after {work.attempts + 1} attempts: {receipt.detail}")
        return Settlement(work.delivery.delivery_id, "waiting", receipt.detail, wait)

    def _measure(self, work: Work, settlement: Settlement, took: float) -> None:
        channel = work.delivery.channel
        outcome = settlement.state if settlement.state != "waiting" else settlement.reason or "deferred"
        self._metrics.deliveries.labels(channel, outcome).inc()
        self._metrics.attempt_seconds.labels(channel).observe(took)
        if settlement.state == "sent":
            age = (self._clock() - work.arrived_at).total_seconds()
            self._metrics.end_to_end_seconds.labels(channel).observe(max(0.0, age))


def _failed(work: Work, reason: Reason | None, detail: str, *, tried: bool = True) -> Settlement:
    return Settlement(work.delivery.delivery_id, "failed", detail, reason=reason, tried=tried)


def _held_back(work: Work, detail: str, wait: timedelta | None = None, reason: Reason | None = None) -> Settlement:
    """Not the delivery's fault: it waits, as old as it is or for a time, and this was no attempt."""
    return Settlement(work.delivery.delivery_id, "waiting", detail, wait, reason, tried=False)
