"""The holder: what has to wait, until its moment. It is an alarm clock; matchers judge what is due.

What is due is published and acknowledged before it is marked, so a crash in between releases it again: the same hold
makes the same ids again, and the ledger sends each once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import structs

from agents.aside import aside
from agents.broker.lag import Lag, LagReader
from agents.broker.producer import write_all
from agents.broker.records import Incoming, Output
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import arrived_at, moment
from agents.intake import Chunk, Intake
from agents.telemetry.health import Loop
from agents.telemetry.measuring import measure
from agents.telemetry.metrics import Metrics
from agents.told_statuses import ToldStatuses
from agents.transport.app import BatchApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.closed import UNKNOWN, Reach, Role, members
from schemas.decision import DeliveryStatus
from schemas.hold import Hold
from schemas.record_key import Keyed
from schemas.topics import DELIVERY_STATUS, DUE, HOLDS, REPLAYABLE
from schemas.wire.read_as import read_as
from store.holds import DueHold, GatheredRow, HoldRow, Holds, ReachedRow, Waiting
from streams.digest import joining_of, place_all, released
from streams.documents.fallback_keys import LONGEST_FALLBACK
from streams.events import check_owner, read_tombstone
from streams.sending.outcome import is_over, reach_of

log = structlog.get_logger()

_CHUNK_SIZE = 500
"""Holds of one transaction."""
_REACH_KEPT = timedelta(seconds=3 * LONGEST_FALLBACK)
"""So long it is known how far messages came: as long as one may be followed, and what follows may wait for hours."""
_HURRIED = timedelta(minutes=2)
"""So long after a message was told to come nowhere, what follows it may still be on its way into the database."""
_IDLE_SECONDS = 0.2
"""Between two looks for what is due, while there is nothing."""
_MOST_UNREAD = 1000
"""Releases in each partition that matchers have not read yet, before no more come.

What stays here can be cancelled, and takes no time from what is live.
"""
_LOOK_SECONDS = 0.2
_WAKE_SECONDS = 1.0
_WOKEN = 10_000


Unread = Callable[[], Awaitable[Sequence[Lag]]]
"""Tells how far a role is in a topic, by partition. Raises TryLater."""


def _unread(wiring: Wiring, role: Role, topic: str) -> Unread:
    lags = LagReader(wiring, (role,))
    return partial(aside, partial(lags.read, role, topics={topic}))


def build_holder(
    wiring: Wiring, holds: Holds, metrics: Metrics, *, clock: Clock = utc_now, **settings: Any
) -> tuple[BatchApp, Holder]:
    """The Faust app of one holder process, and the holder whose `run` goes with it."""
    app = BatchApp(wiring.group("holder"), wiring.settings.kafka, **settings)
    told = ToldStatuses(_unread(wiring, "holder", DELIVERY_STATUS), holds.now)
    holder = Holder(app, wiring, holds, metrics, _unread(wiring, "matcher", DUE), told, clock)
    app.batch_agent(wiring.topic(HOLDS), holder.intake.take, name=HOLDS)
    app.batch_agent(wiring.topic(DELIVERY_STATUS), holder.statuses.take, name=DELIVERY_STATUS)
    return app, holder


@dataclass(frozen=True, slots=True)
class _Erased:
    """A customer whose profile was deleted, and when Kafka was told."""

    customer: Keyed
    at: datetime


class Holder:
    """Keeps holds and releases them. Any number of processes share the work."""

    def __init__(
        self,
        app: BatchApp,
        wiring: Wiring,
        holds: Holds,
        metrics: Metrics,
        unread: Unread,
        told: ToldStatuses,
        clock: Clock,
    ) -> None:
        self._app, self._wiring, self._holds, self._metrics = app, wiring, holds, metrics
        self._unread, self._looked, self._goes_on = unread, 0.0, True
        self._told, self._looked_at_told = told, 0.0
        self._is_releasing = False
        self._codec, self._due, self._default = wiring.codec(HOLDS), wiring.topic(DUE), wiring.default_project
        self._waiting, self._measured, self._woken = Waiting(0, None), time.monotonic(), 0.0
        metrics.holds_due_age.set_function(self._late)
        self.loop = Loop("due holds")
        dead_letters = DeadLetters("holder", wiring, metrics)
        self.intake = Intake(self._read, self._keep, dead_letters, metrics, clock, size=_CHUNK_SIZE, counted="held")
        status = self._read_status, self._keep_reach, dead_letters, metrics, clock
        self._status_codec = wiring.codec(DELIVERY_STATUS)
        self.statuses = Intake(*status, size=_CHUNK_SIZE, counted="reached")

    # -- from Kafka ---------------------------------------------------------------------------------------------

    def _read(self, record: Incoming) -> HoldRow | GatheredRow | _Erased:
        if record.value is None and record.key is not None:
            return _Erased(read_tombstone(record.key, self._default), arrived_at(record))
        hold = read_as(self._codec.decode(record.value or b""), Hold)
        check_owner(hold.project_id, hold.customer_id, record.key, self._default)
        row = HoldRow(
            project_id=hold.project_id,
            hold_id=hold.hold_id,
            round=hold.round,
            distribution_id=hold.distribution.id,
            customer_id=hold.customer_id,
            reason=hold.reason,
            until_at=hold.until,
            arrived_at=moment(hold.arrived_at),
            record=record.value or b"",
            send_id=hold.event.send_id,
            priority=hold.priority,
            step=hold.step,
            **_following(hold),
        )
        joining = joining_of(hold, len(record.value or b""))
        return GatheredRow(row, joining) if joining else row

    async def _keep(self, taken: Chunk[HoldRow | GatheredRow | _Erased]) -> int:
        """Keep what waits, and end what waits for those who are erased: what came after their tombstone stays."""
        new = [one for one in taken.items if isinstance(one, HoldRow)]
        erased = [(one.customer, one.at) for one in taken.items if isinstance(one, _Erased)]
        gathered = [one for one in taken.items if isinstance(one, GatheredRow)]
        kept = await retry_until_available(partial(self._holds.add, new), what="Postgres")
        kept += await retry_until_available(partial(self._holds.gather, gathered, place_all), what="Postgres")
        if erased:
            await retry_until_available(partial(self._holds.erase, erased), what="Postgres")
        return kept

    def _read_status(self, record: Incoming) -> ReachedRow | None:
        """The point to which a message came, also that it comes nowhere; None where the record says nothing of that."""
        if record.value is None:
            return None
        status = read_as(self._status_codec.decode(record.value), DeliveryStatus)
        reach = reach_of(status)
        if reach is None and not is_over(status):
            return None
        at = status.project_id, status.distribution.id, status.delivery_id
        return ReachedRow(*at, _number(reach) if reach else 0, status.occurred_at)

    async def _keep_reach(self, taken: Chunk[ReachedRow | None]) -> int:
        rows = [one for one in taken.items if one is not None]
        return await retry_until_available(partial(self._holds.reached, rows), what="Postgres")

    # -- when their moment has come ----------------------------------------------------------------------------

    async def run(self) -> None:
        """All background work of a holder, until cancelled. An error that escapes ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._release())
            group.create_task(measure(self.loop, self._look, is_waiting=lambda: self._waiting.late is not None))

    async def _release(self) -> None:
        while True:
            released = await retry_until_available(self.release_due, what="Postgres or Kafka")
            if time.monotonic() - self._woken > _WAKE_SECONDS:
                released += await retry_until_available(self.tidy, what="Postgres")
                self._woken = time.monotonic()
            self.loop.iterations += 1
            if not released:
                await asyncio.sleep(_IDLE_SECONDS)

    async def release_due(self) -> int:
        """Publish a chunk of what is due; how many. Raises TryLater, and then all of it is released again.

        Nothing while matchers have much to read of it.
        """
        await self._holds.close(_CHUNK_SIZE)
        if self._is_releasing and not await self._may_go_on():
            return 0
        await self._look_at_told()
        released = sum([await self._publish(due) for due in (self._holds.due, self._holds.due_by_priority)])
        self._is_releasing = released > 0
        return released

    async def _may_go_on(self) -> bool:
        """True while some partition has little that is unread: one that stands still is not waited for.

        Where matchers have never read any, nothing is known of how they get on.
        """
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            unread = await self._unread()
            self._goes_on = any(one.committed is None or one.lag < _MOST_UNREAD for one in unread)
            self._looked = time.monotonic()
        return self._goes_on

    async def _look_at_told(self) -> None:
        """Learn how far statuses are read, where something waits for that."""
        if time.monotonic() - self._looked_at_told > _LOOK_SECONDS:
            if await self._holds.follows_due(self._told.until):
                await self._told.look()
            self._looked_at_told = time.monotonic()

    async def _publish(self, due: Callable[[int, datetime], AbstractAsyncContextManager[list[DueHold]]]) -> int:
        async with due(_CHUNK_SIZE, self._told.until) as found:
            if found:
                await write_all(self._app.outputs, [self._output(one) for one in found])
        self._metrics.holds_released.inc(len(found))
        for one in found:
            if one.events is not None:
                self._metrics.digest_events.observe(one.events)
        return len(found)

    async def tidy(self) -> int:
        """Wake what waited for distributions that go on, or follows what comes nowhere; how many are awake.

        And forget what was over long ago.
        """
        woken = await self._holds.wake(_WOKEN) + await self._holds.hurry(_HURRIED)
        await self._holds.reopen()
        await self._holds.forget(REPLAYABLE, _CHUNK_SIZE)
        await self._holds.forget_reached(_REACH_KEPT, _CHUNK_SIZE)
        return woken

    def _output(self, hold: DueHold) -> Output:
        return Output(self._due, self._wiring.key(hold.project_id, hold.customer_id), self._record(hold))

    def _record(self, hold: DueHold) -> bytes:
        """The record as it came; where somebody ended it, with their name; of a digest with all that it gathered.

        Of what follows messages, with how far one of them came, where that is far enough.
        """
        if hold.canceled_by is None and hold.events is None and hold.reached is None:
            return hold.record
        came = structs.replace(self._decoded(hold.record), canceled_by=hold.canceled_by)
        if hold.reached is not None and came.follows is not None:
            reach = members(Reach)[hold.reached - 1]
            came = structs.replace(came, follows=structs.replace(came.follows, came=reach, came_at=hold.reached_at))
        if hold.events is not None:
            came = released(came, [self._decoded(one) for one in hold.gathered], hold.events, hold.until_at)
        return self._codec.encode(came)

    def _decoded(self, record: bytes) -> Hold:
        return read_as(self._codec.decode(record), Hold)

    # -- health -------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        self._waiting = await self._holds.waiting()
        self._measured = time.monotonic()
        self._metrics.holds_waiting.set(self._waiting.waiting)

    def _late(self) -> float:
        late = self._waiting.late
        return 0.0 if late is None else late + time.monotonic() - self._measured


def _following(hold: Hold) -> dict[str, Any]:
    """The columns of what follows messages."""
    follows = hold.follows
    if follows is None or follows.unless == UNKNOWN:
        return {}
    return {"follows": " ".join(follows.deliveries), "unless": _number(follows.unless)}


def _number(reach: Reach) -> int:
    return members(Reach).index(reach) + 1
