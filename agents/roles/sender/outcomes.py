"""Outcomes of attempts: written to the ledger in batches, then announced on `delivery.status`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from agents.broker.producer import Producer, RefusedByBroker
from agents.broker.records import Output
from agents.roles.sender.accepted import Accepted
from agents.roles.sender.bounces import Bounces
from agents.roles.sender.reputation import Reputation
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from channels.registry import CHANNEL_TYPES
from schemas.closed import ChannelName
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.errors import BadRecord, TryLater
from schemas.record_key import record_key
from schemas.wire.codec import TopicCodec
from store.sending.ledger import End, Ledger, Settled, Settlement, UnannouncedOutcome
from streams.sending.outcome import delivery_status, outcome_of

log = structlog.get_logger()

_CHUNK_SIZE = 500
_BATCH_SIZE = 500
_GATHER, _MANY = (0.005, 0.015, 0.03), 100
"""Seconds in which outcomes come together, until so many have: one of a statement for fifty costs half as much again
as one of a statement for a hundred.
"""
_KNOWN_AGAIN: frozenset[ChannelName] = frozenset(name for name, one in CHANNEL_TYPES.items() if one.repeats != "none")
"""Channels whose receivers know a message again; of others nothing that was accepted stays unwritten for longer."""
MOST_UNSETTLED = 200
"""Ends that the ledger has not taken yet, before nothing else leaves: a crash sends those that were accepted again."""
_SWEEP, _TELLING = timedelta(seconds=15), timedelta(minutes=3)
"""How long an end is left to whoever settled it, and how long to whoever swept it: longer than the broker is tried."""


class Outcomes:
    """Takes settlements from the attempts. Each end reaches `delivery.status` at least once, crashes included."""

    def __init__(
        self,
        ledger: Ledger,
        producer: Producer,
        topic: str,
        codec: TopicCodec,
        read_delivery: Callable[[bytes], Delivery],
        accepted: Accepted,
        *,
        owner: str,
        default_project: str,
        on_refused: Callable[[BaseException], None],
        metrics: Metrics | None = None,
        reputation: Reputation | None = None,
    ) -> None:
        self._reputation = reputation
        self._ledger, self._producer, self._topic, self._codec = ledger, producer, topic, codec
        self._read_delivery, self._owner = read_delivery, owner
        self._on_refused, self._accepted, self._default = on_refused, accepted, default_project
        self._queue: asyncio.Queue[tuple[Settlement, Delivery]] = asyncio.Queue()
        self._metrics, self._measured = metrics, set[End]()
        self._announced: list[End] = []
        self.unsettled: dict[str, Settlement] = {}
        self._settled = asyncio.Event()

    async def wait_for_ledger(self) -> None:
        """Wait while the ledger is too far behind for another attempt."""
        while len(self.unsettled) >= MOST_UNSETTLED:
            self._settled.clear()
            await self._settled.wait()

    def put(self, settlement: Settlement, delivery: Delivery) -> None:
        """Hand over the end of an attempt."""
        self.unsettled[delivery.delivery_id] = settlement
        self._queue.put_nowait((settlement, delivery))

    @property
    def idle(self) -> bool:
        """True where everything handed over is in the ledger and announced."""
        return not self.unsettled and not self._announced

    async def run(self) -> None:
        """Settle for ever; ends when cancelled."""
        while True:
            chunk = await self._gathered()
            await self._settle(chunk)
            for settlement, _ in chunk:
                self.unsettled.pop(settlement.delivery_id, None)
            self._settled.set()

    async def _gathered(self) -> list[tuple[Settlement, Delivery]]:
        chunk = [await self._queue.get()]
        for seconds in _GATHER:
            await asyncio.sleep(seconds)
            while not self._queue.empty() and len(chunk) < _CHUNK_SIZE:
                chunk.append(self._queue.get_nowait())
            if len(chunk) >= _MANY or any(delivery.channel not in _KNOWN_AGAIN for _, delivery in chunk):
                break
        return chunk

    async def _settle(self, chunk: list[tuple[Settlement, Delivery]]) -> None:
        settlements = [settlement for settlement, _ in chunk]
        settled = await retry_until_available(lambda: self._tell(settlements), what="Postgres")
        self._accepted.forget()
        by_id = {settlement.delivery_id: (settlement, delivery) for settlement, delivery in chunk}
        noted = [by_id[row.delivery_id] for row in settled]
        await Bounces(self._ledger.suppressions).note(noted)
        if self._reputation is not None:
            self._reputation.note(noted)
        lost = by_id.keys() - {row.delivery_id for row in settled}
        if lost:
            log.warning("lease_lost", deliveries=len(lost))
        for row in settled:
            settlement, delivery = by_id[row.delivery_id]
            if row.settled_at is not None:
                self._announce(self._status(row, settlement, row.settled_at, delivery))
        await self._producer.wait_for_capacity()

    async def _tell(self, settlements: list[Settlement]) -> list[Settled]:
        try:
            return await self._ledger.settle(settlements, owner=self._owner)
        except TryLater:
            self.keep_accepted()
            raise

    def keep_accepted(self) -> None:
        """Have what the ledger has not been told survive this process."""
        self._accepted.keep(self.unsettled.values())

    async def tell_rest(self) -> None:
        """Tell the ledger what is over; `delivery.status` is told by whoever sweeps next. Raises TryLater."""
        if rest := list(self.unsettled.values()):
            await self._tell(rest)
            self._accepted.forget()

    def _status(self, row: Settled, settlement: Settlement, settled_at: datetime, delivery: Delivery) -> DeliveryStatus:
        ended = UnannouncedOutcome(
            row.delivery_id, row.state, settlement.reason, row.detail, row.provider_id, row.attempts, settled_at, b"",
            through=settlement.through,
        )  # fmt: skip
        return status_of(ended, delivery)

    def _announce(self, status: DeliveryStatus) -> None:
        try:
            key = record_key(status.project_id, status.customer_id, self._default)
            output = Output(self._topic, key.encode(), self._codec.encode(status))
        except BadRecord as error:  # of a delivery that was not ours: telling it again cannot help
            log.error("status_not_told", delivery=status.delivery_id, error=str(error))
            self._announced.append((status.delivery_id, status.occurred_at))
            return

        def report(error: Any, record: Any) -> None:
            if error is not None:
                self._on_refused(RefusedByBroker(error, record))
                return
            self._announced.append((status.delivery_id, status.occurred_at))

        self._producer.produce(output, report)

    async def mark_announced(self) -> None:
        """Note in the ledger what `delivery.status` has acknowledged."""
        acknowledged, self._announced = self._announced, []
        if acknowledged:
            self._measured.difference_update(acknowledged)
            await retry_until_available(lambda: self._ledger.mark_announced(acknowledged), what="Postgres")

    async def end_expired(self) -> bool:
        """End what nobody is at and is not valid any more, and tell of it; whether there may be more at once.

        What waits for a paused destination would never be claimed.
        """
        ended = await retry_until_available(lambda: self._ledger.end_expired(_BATCH_SIZE), what="Postgres")
        await self._announce_all(ended)
        return len(ended) == _BATCH_SIZE

    async def sweep(self) -> bool:
        """Announce untold ends, of a process that died and those without an attempt; whether more are left."""
        claim = partial(
            self._ledger.claim_unannounced, owner=self._owner, lease=_TELLING, settled_for=_SWEEP, limit=_BATCH_SIZE
        )
        left = await retry_until_available(claim, what="Postgres")
        await self._announce_all(left)
        return len(left) == _BATCH_SIZE

    async def _announce_all(self, outcomes: list[UnannouncedOutcome]) -> None:
        for ended in outcomes:
            try:
                delivery = self._read_delivery(ended.record)
            except BadRecord as error:  # it would be met first each time, before all that came after it
                log.error("status_not_told", delivery=ended.delivery_id, error=str(error))
                self._announced.append((ended.delivery_id, ended.settled_at))
            else:
                status = status_of(ended, delivery)
                self._measure(ended, status)
                self._announce(status)
        await self._producer.wait_for_capacity()

    def _measure(self, ended: UnannouncedOutcome, status: DeliveryStatus) -> None:
        """Count once what no attempt has counted, however often it is swept before it is told."""
        end = ended.delivery_id, ended.settled_at
        if self._metrics and ended.is_unjudged and end not in self._measured:
            self._measured.add(end)
            self._metrics.deliveries.labels(status.channel, status.outcome).inc()


def status_of(ended: UnannouncedOutcome, delivery: Delivery) -> DeliveryStatus:
    """The public record of an end."""
    assert ended.state != "waiting"  # noqa: S101 - only ends are told
    return delivery_status(
        delivery,
        ended.state,
        outcome=outcome_of(ended.state, ended.reason),
        reason=ended.reason,
        detail=ended.detail,
        provider_id=ended.provider_id,
        attempts=ended.attempts,
        occurred_at=ended.settled_at,
        through=ended.through,
    )
