"""The fan-out: manual sends and backfills, member by member, as events that matchers judge like any other.

A page of members is published and acknowledged before it is noted, so a crash in between makes its events again: they
have the same ids, and the ledger sends each once. What is counted is what was noted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from cachetools import LRUCache

from agents.aside import aside
from agents.broker.lag import Lag, LagReader
from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.telemetry.health import Loop
from agents.telemetry.measuring import measure
from agents.telemetry.metrics import Metrics
from agents.transport.output_app import OutputApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.closed import CHANNELS, ChannelName
from schemas.distribution import Distribution
from schemas.errors import TryLater
from schemas.events.triggers import MANUAL, TRIGGERS
from schemas.send import Started
from schemas.topics import DUE, HOLDS, PUBLICATION_REQUESTS, deliveries
from store.send_rows import Claimed, SendRow
from store.sends import SendChange, Sends
from streams.approvals import digest_of_document, judge
from streams.pace import Pace
from streams.sends import EntryEvents, MemberEvents, distribution_object

log = structlog.get_logger()

_PAGE = 2000
"""Members whose events are out, and noted, at once."""
_TURN = 20_000
"""Members of one send, until another has its turn."""
_LEASE = timedelta(seconds=60)
"""Longer than a page's acknowledgement is waited for."""
_IDLE_SECONDS = 0.5
_LOOK_AGAIN = timedelta(seconds=1)
_LOOK_AT_HELD = timedelta(seconds=5)
_SETTLED = timedelta(seconds=10)
"""After that, and with none of its events left to read, matchers have a distribution that was set live."""
_UNNOTED = timedelta(minutes=10)
"""Entries may be noted by so much later than they happened."""
_REMEMBERED = 1000
"""Sends whose pace, and whose end, is remembered."""
_HOPS = 3
"""Topics that an event goes through at most until it waits in Postgres or is over: events.manual or events.due, then
publications.requests, then deliveries."""

Place = tuple[str, str, int]
"""A group, a topic, a partition."""
Pages = Callable[[str, int], Awaitable[list[tuple[str, bytes]]]]
"""Gives the members after one, each with the record of its event, and at most so many."""
Ahead = Callable[[Collection[ChannelName]], Awaitable[Sequence[Lag]]]
"""Tells how far each group is in the topics that a send over some channels goes through. Raises TryLater."""


class AheadInKafka:
    """Records that matchers, holders, publishers and senders have still to read, of all that a send goes through."""

    def __init__(self, wiring: Wiring) -> None:
        self._lag = LagReader(wiring, ("matcher", "holder", "publisher", "sender"))

    async def __call__(self, channels: Collection[ChannelName]) -> list[Lag]:
        """See `Ahead`."""
        topics = {TRIGGERS[MANUAL].topic, HOLDS, DUE, PUBLICATION_REQUESTS, *map(deliveries, channels)}
        return await aside(lambda: self._lag.read(topics=topics))


@dataclass(slots=True)
class _Flush:
    """All that was in the topics when they were looked at is waited for, hop by hop.

    They need not be empty for that, which those that all traffic goes through never are.
    """

    ends: Mapping[Place, int]
    hops: int = 0

    def look(self, ahead: Sequence[Lag]) -> None:
        """Count a hop, where all that was there at the last one is read by now."""
        if all(not one.lag or (one.committed or 0) >= self.ends.get(_place(one), 0) for one in ahead):
            self.hops, self.ends = self.hops + 1, _ends(ahead)


def _channels(rule: Distribution | None) -> Collection[ChannelName]:
    """Those that it may go over: what is behind on others, or read by nobody here, does not concern it."""
    return CHANNELS if rule is None else {plan.channel for _, plan in rule.plans()}


def _place(lag: Lag) -> Place:
    return lag.group, lag.topic, lag.partition


def _ends(ahead: Sequence[Lag]) -> Mapping[Place, int]:
    return {_place(one): one.end for one in ahead}


class FanOut:
    """Makes the events of sends that are due. Any number of processes share them, each send one at a time."""

    def __init__(
        self, wiring: Wiring, sends: Sends, metrics: Metrics, *, owner: str, ahead: Ahead, app: OutputApp | None = None
    ) -> None:
        self.app = app or OutputApp(wiring.settings.kafka)
        self._sends, self._metrics, self._owner, self._ahead = sends, metrics, owner, ahead
        self._topic, self._key = wiring.topic(TRIGGERS[MANUAL].topic), wiring.key
        self._settings = wiring.settings.sends
        self._paces: LRUCache[tuple[str, str], Pace] = LRUCache(_REMEMBERED)
        self._flushes: LRUCache[tuple[str, str, bool], _Flush] = LRUCache(_REMEMBERED)
        self.loop = Loop("sends")

    async def run(self) -> None:
        """All work, until cancelled. An error that escapes ends the process."""
        await retry_until_available(lambda: self._sends.free(self._owner), what="Postgres")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work())
            group.create_task(measure(self.loop, self._look))

    async def _work(self) -> None:
        while True:
            has_worked = await retry_until_available(self.work, what="Postgres or Kafka")
            self.loop.iterations += 1
            if not has_worked:
                await asyncio.sleep(_IDLE_SECONDS)

    async def work(self) -> bool:
        """Give one send its turn; whether there was one. Raises TryLater, and then it is taken up again later."""
        await self._sends.complete()
        claimed = await self._sends.claim(self._owner, _LEASE)
        if claimed is None:
            return False
        try:
            wait, why = await self._turn(claimed)
        except TryLater:
            with suppress(TryLater):
                await self._sends.release(claimed.send, self._owner, _LOOK_AGAIN)
            raise
        await self._sends.release(claimed.send, self._owner, wait, why)
        return True

    async def _turn(self, claimed: Claimed) -> tuple[timedelta, str]:
        """Do what can be done now; how long to leave it alone then, and why."""
        send, started = claimed.send, claimed.started
        found = await self._sends.rule(send.project_id, send.distribution_id)
        if send.emitted_at is not None:
            return await self._ended(send, _channels(found[0] if found else None))
        status = found[0].status if found else "deleted"
        if found is None or status != "LIVE":
            return _LOOK_AGAIN, f"its distribution is {status}"
        if send.backfill and await self._is_over(send, found[0]):
            return _LOOK_AGAIN, ""
        if started is None and (starts := found[0].starts_at) and await self._sends.now() < starts:
            return _LOOK_AGAIN, f"its distribution starts at {starts.isoformat()}"
        if started is None:
            claimed, why = await self._begun(claimed, *found)
        else:
            why = await self._other_segment(send)
        if claimed.started is None or why:
            return (_LOOK_AT_HELD if why else _LOOK_AGAIN), why
        capacity = await self._capacity(send, _channels(found[0]))
        if not capacity:
            return _LOOK_AGAIN, "as many are ahead as left within the last minute"
        await self._emit(claimed, claimed.started, min(capacity, _TURN))
        return timedelta(), ""

    async def _is_over(self, send: SendRow, rule: Distribution) -> bool:
        """End a backfill with its distribution's time; whether that has come."""
        if rule.ends_at is None or await self._sends.now() < rule.ends_at:
            return False
        await self._sends.end(send, f"its distribution ended at {rule.ends_at.isoformat()}")
        log.info("send_ended", project=send.project_id, send=send.send_id)
        return True

    async def _begun(self, claimed: Claimed, rule: Distribution, created_at: datetime) -> tuple[Claimed, str]:
        """Fix what stands in all of its events: the distribution as it is now, after every edit of its hold.

        The same as before, and why, of one that goes to so many that it needs an approval of what goes out now.
        """
        send = claimed.send
        if send.starts_at is None:
            return claimed, ""
        at = max(send.live_at or send.starts_at, rule.starts_at or send.starts_at)
        started = Started(at=at, version=rule.version, distribution=distribution_object(rule, created_at))
        async with self._sends.change() as change:
            now = await change.lock(send.project_id, send.send_id)
            if now is None or now.revision != send.revision:
                return claimed, ""
            why, segment = await self._approved(change, now, rule)
            if why or not await change.begin(now, self._owner, started, segment):
                return claimed, why
        log.info("send_began", project=send.project_id, send=send.send_id, version=rule.version)
        return replace(claimed, send=replace(send, segment_digest=segment), started=started), ""

    async def _approved(self, change: SendChange, send: SendRow, rule: Distribution) -> tuple[str, str | None]:
        """The approval that a send lacks, if any, and the digest of its segment that nobody changes until it begins."""
        basis = None if send.approve_above is None else await change.approvals.basis(send, rule)
        if basis is None:
            return "", None
        verdict = judge(send.approve_above, basis, await change.approvals.find(send))
        if not verdict.may_go:
            changes = "; ".join(verdict.changes) or f"it goes to {basis.audience}, more than {send.approve_above}"
            return f"an approval: {changes}", None
        return "", digest_of_document(basis.segment)

    async def _other_segment(self, send: SendRow) -> str:
        """The reason to wait, where its segment has another definition than when it began and was approved."""
        if send.segment_digest is None:
            return ""
        async with self._sends.change() as change:
            now = digest_of_document(await change.approvals.segment(send))
        return "" if now == send.segment_digest else f"segment {send.to.segment}, which was changed since it began"

    async def _capacity(self, send: SendRow, channels: Collection[ChannelName]) -> int:
        ahead = sum(one.lag for one in await self._ahead(channels)) + await self._sends.waiting(send)
        place = send.project_id, send.send_id
        pace = self._paces.get(place) or Pace(self._settings.ahead.total_seconds(), self._settings.least_ahead)
        self._paces[place] = pace
        return pace.capacity(time.monotonic(), send.emitted, ahead)

    async def _emit(self, claimed: Claimed, started: Started, most: int) -> None:
        """Publish and note page after page, until so many are out, all are, or somebody says that it is enough."""
        send, after = claimed.send, claimed.checkpoint
        pages = await self._backfilled(send, started) if send.backfill else self._sent_to(send, started)
        goes_on = True
        while goes_on and most > 0:
            size = min(_PAGE, most)
            page = await pages(after, size)
            if await self._other_segment(send):  # looked at after its members were read: these were not changed by it
                return
            await write_all(self.app.outputs, [self._output(send, *one) for one in page])
            upto = page[-1][0] if page else after
            count = 0 if send.is_swept else len(page)  # most of those who are looked for again were counted
            goes_on = await self._sends.advance(
                send, self._owner, _LEASE, after=after, upto=upto, count=count, is_last=len(page) < size
            )
            self._metrics.sends_emitted.inc(len(page))
            after, most = upto, most - size

    def _sent_to(self, send: SendRow, started: Started) -> Pages:
        events = MemberEvents(send.project_id, send.send_id, started, send.when)

        async def page(after: str, size: int) -> list[tuple[str, bytes]]:
            return [(one, events.record(one)) for one in await self._sends.members(send, after, size)]

        return page

    async def _backfilled(self, send: SendRow, started: Started) -> Pages:
        """Those who are in the segment; once that is done, those who have entered since it was set live."""
        name = await self._sends.segment_name(send)
        events = EntryEvents(send.project_id, send.send_id, started, send.to.segment or "", name)
        since = started.at - _UNNOTED if send.is_swept else None

        async def page(after: str, size: int) -> list[tuple[str, bytes]]:
            found = await self._sends.entered(send, after, size, since)
            return [(one.customer_id, events.record(one)) for one in found]

        return page

    def _output(self, send: SendRow, customer_id: str, record: bytes) -> Output:
        return Output(self._topic, self._key(send.project_id, customer_id), record)

    async def _ended(self, send: SendRow, channels: Collection[ChannelName]) -> tuple[timedelta, str]:
        """All of its events are out; it is over once nothing of it waits for its first try, its moment or a code."""
        place = send.project_id, send.send_id, send.is_swept
        if send.backfill and not send.is_swept:
            begins = await self._hops(place, channels) and await self._sends.sweep(send, self._owner, _SETTLED)
            return (timedelta(), "") if begins else (_LOOK_AGAIN, "what is queued")
        held = await self._sends.held(send)
        if held or await self._sends.waiting(send):
            self._flushes.pop(place, None)  # what is released is on its way again
            return (_LOOK_AT_HELD, f"{held} that are held") if held else (_LOOK_AGAIN, "what is queued")
        if await self._hops(place, channels) >= _HOPS and await self._sends.finish(send, self._owner):
            log.info("send_done", project=send.project_id, send=send.send_id, events=send.emitted)
        return _LOOK_AGAIN, "what is queued"

    async def _hops(self, place: tuple[str, str, bool], channels: Collection[ChannelName]) -> int:
        """The number of topics that all of a send has gone through since it was first asked."""
        ahead = await self._ahead(channels)
        flush = self._flushes.setdefault(place, _Flush(_ends(ahead)))
        flush.look(ahead)
        return flush.hops

    async def _look(self) -> None:
        sending, due = await self._sends.open()
        self._metrics.sends_sending.set(sending)
        self._metrics.sends_due.set(due)
