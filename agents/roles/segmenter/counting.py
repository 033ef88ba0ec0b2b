"""Events brought in to what segments know of customers' behaviour.

Each behaviour has its own positions in Postgres, kept in the transaction of what its events have changed: an event
counts once, whoever crashed or lost a partition meanwhile. So a new behaviour is read from the beginning of its topic,
beside those that are ready: two lanes, each a reader of its own. A process reads the partitions whose customers it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TypeVar

import msgspec
import structlog

from agents.broker.follower import Followed, Follower, Partition, Stretch
from agents.clock import Clock
from agents.event_readers import event_reader
from agents.ingest_time import moment, stamp
from agents.roles.segmenter.learning import Asked, Learning
from agents.roles.segmenter.memberships import Customer, Memberships, UnitOfWork
from agents.telemetry.health import Loop
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.errors import NOT_OF_THE_RECORD
from schemas.record_key import Keyed
from store.behaviours import Behaviours, Place, Position
from store.segment_transaction import Profile, SegmentTransaction
from store.segments import Segments
from streams.conditions.behaviour import Event, noted
from streams.event_context import EventContext
from streams.events import EventReader

log = structlog.get_logger()

T = TypeVar("T")

_CHUNK_SIZE = 1000
"""Records of one fetch."""
_FETCH_SECONDS = 0.2
_LOOK_SECONDS = 0.5
"""Between two looks at which behaviours there are, and where they are."""


@dataclass(frozen=True, slots=True)
class Done:
    """Things that a customer did, by the record of an event: for each behaviour, what it adds."""

    project_id: str
    customer_id: str
    offset: int
    stamp: int
    adds: list[tuple[str, Event]]


@dataclass(slots=True)
class Lane:
    """A reader of events for the behaviours that are ready, or for those that are not; `at`: where it reads on."""

    follower: Follower
    is_ready: bool
    at: dict[Place, int] = field(default_factory=dict)
    lost: set[Place] = field(default_factory=set)
    """Places without a record where they were to be read on."""
    looked_at: float = float("-inf")
    thread: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 1))
    """Where the reader blocks: one call after the other."""

    async def call(self, work: Callable[..., T], *arguments: object) -> T:
        """Have the reader do something."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, *arguments)


class Counter:
    """Brings events in. `owned` says which partitions' customers are this process's."""

    def __init__(
        self,
        wiring: Wiring,
        segments: Segments,
        behaviours: Behaviours,
        memberships: Memberships,
        metrics: Metrics,
        clock: Clock,
        *,
        owned: Callable[[], Collection[int]],
    ) -> None:
        self._segments, self._behaviours, self._memberships = segments, behaviours, memberships
        self._metrics, self._clock, self._owned, self._prefix = metrics, clock, owned, wiring.topic("")
        self._readers: dict[str, EventReader] = {}
        self._wiring = wiring
        self._learning = Learning(segments, memberships, wiring.settings.zone)
        self.loop = Loop("events of segments")

    async def run(self) -> None:
        """Bring events in, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for is_ready in (True, False):
                group.create_task(self._run(is_ready=is_ready))

    async def _run(self, *, is_ready: bool) -> None:
        lane = self.lane(self._wiring, is_ready=is_ready)
        try:
            while True:
                await retry_until_available(partial(self.look, lane), what="Postgres or Kafka")
                if not await self.bring_in(lane):
                    await asyncio.sleep(0 if lane.at else _LOOK_SECONDS)
                if is_ready:
                    self.loop.iterations += 1
        finally:
            await self.end(lane)

    @staticmethod
    def lane(wiring: Wiring, *, is_ready: bool) -> Lane:
        """A lane that has not begun."""
        return Lane(Follower(wiring), is_ready)

    @staticmethod
    async def end(lane: Lane) -> None:
        """Disconnect a lane, once its reader has come back."""
        await lane.call(lane.follower.close)
        lane.thread.shutdown(wait=False)

    async def look(self, lane: Lane, *, at_once: bool = False) -> None:
        """Learn which behaviours there are and where they have to be read on, now and then."""
        now = asyncio.get_running_loop().time()
        if now < lane.looked_at + _LOOK_SECONDS and not at_once:
            return
        if not lane.is_ready:
            await self._learning.learn(partial(self._ends, lane))
            for behaviour in await self._behaviours.settle():
                log.info("behaviour_counted", project=behaviour.project_id, behaviour=behaviour.id)
        places = await self._behaviours.places(self._owned(), is_ready=lane.is_ready)
        if places != lane.at:
            await self._follow(lane, places)
        lane.looked_at = now
        self._count_unread(lane)

    async def _ends(self, lane: Lane, topic: str) -> dict[int, tuple[int, int]]:
        name = self._prefix + topic
        numbers = await lane.call(lane.follower.partitions, name)
        return {number: await lane.call(lane.follower.ends, (name, number)) for number in numbers}

    async def _follow(self, lane: Lane, places: dict[Place, int]) -> None:
        """Read on from there."""
        lane.at, begins = {}, {}
        for place, offset in places.items():
            begins[self._named(place)] = await self._found(lane, place, offset) if place in lane.lost else offset
        await lane.call(lane.follower.follow, begins)
        lane.at, lane.lost = places, set()

    async def _found(self, lane: Lane, place: Place, offset: int) -> int:
        """The first offset that there is. What was before it and nobody has read is gone: less is known than before.

        The topic was made anew where an offset is behind its end: there, what the records say of it decides.
        """
        low, _ = await lane.call(lane.follower.ends, self._named(place))
        if low > offset:
            async with self._segments.transaction() as work:
                now = await work.now()
            await self._behaviours.cut(place, low, now)
            log.warning("events_gone", topic=place.topic, partition=place.partition, records=low - offset)
        return low

    def _named(self, place: Place) -> Partition:
        return self._prefix + place.topic, place.partition

    def _place(self, partition: Partition) -> Place:
        return Place(partition[0].removeprefix(self._prefix), partition[1])

    def _count_unread(self, lane: Lane) -> None:
        ends = ((lane.follower.end_of(self._named(place)), at) for place, at in lane.at.items())
        unread = sum(max(0, end - at) for end, at in ends if end is not None)
        self._metrics.segment_events_unread.labels("ready" if lane.is_ready else "new").set(unread)

    async def bring_in(self, lane: Lane) -> int:
        """Bring the next records in; how many came."""
        if not lane.at:
            return 0
        found = await lane.call(lane.follower.fetch, _CHUNK_SIZE, _FETCH_SECONDS)
        for partition, stretch in found.stretches.items():
            if (place := self._place(partition)) in lane.at:
                await self.take(lane, place, stretch)
        if found.lost:
            lane.lost |= {self._place(partition) for partition in found.lost}
            lane.at, lane.looked_at = {}, float("-inf")
        return sum(len(stretch.records) for stretch in found.stretches.values())

    async def take(self, lane: Lane, place: Place, stretch: Stretch) -> None:
        """Bring a stretch of records in, which follows what the lane has read, and publish what it has changed."""
        asked = self._learning.asked
        done = await retry_until_available(partial(self._read, asked, place, stretch), what="schema registry")
        changed = await retry_until_available(partial(self._keep, asked, lane, place, stretch, done), what="Postgres")
        if changed:
            await retry_until_available(self._memberships.tell, what="Postgres or Kafka")
        if place in lane.at:
            lane.at[place] = max(lane.at[place], stretch.end)

    # -- reading ------------------------------------------------------------------------------------------------

    async def _read(self, asked: Asked, place: Place, stretch: Stretch) -> list[Done]:
        """Things that customers did. A record that is not an event is passed over: the matcher dead-letters it."""
        reader, now = self._reader(place.topic), self._clock()
        found = []
        for record in stretch.records:
            try:
                done = _read_one(asked, reader, record, now)
            except NOT_OF_THE_RECORD:
                raise
            except Exception as error:
                where = {"topic": place.topic, "partition": place.partition, "offset": record.offset}
                log.info("event_not_counted", **where, kind=type(error).__name__)
                continue
            if done is not None:
                found.append(done)
        return found

    def _reader(self, topic: str) -> EventReader:
        """Made when a topic is read first: few of them are."""
        if topic not in self._readers:
            self._readers[topic] = event_reader(self._wiring, topic, self._wiring.settings.matcher)
        return self._readers[topic]

    # -- keeping ------------------------------------------------------------------------------------------------

    async def _keep(self, asked: Asked, lane: Lane, place: Place, stretch: Stretch, done: list[Done]) -> int:
        """Keep what customers did, and what it changes, with the positions; how many memberships changed.

        Only behaviours that are not before the stretch's beginning take part: they have missed nothing. The others are
        found by the next look.
        """
        units: dict[str, UnitOfWork] = {}
        async with self._segments.transaction() as work:
            locked = await work.behaviours.lock(place, lane.at[place], is_ready=lane.is_ready)
            positions = {one.behaviour: one for one in locked if one.behaviour in asked.behaviours}
            if not positions:
                return 0
            now = await work.now()
            new = [left for one in done if (left := _not_yet_in(one, positions))]
            for project, some in groupby(sorted(new, key=_by_project), _by_project):
                units[project] = await self._keep_project(
                    work, project, list(some), place.partition, now, lane.is_ready
                )
            await _move(work, place.partition, stretch, _counted(positions, units), now)
        return sum(map(self._memberships.count, units.values()))

    async def _keep_project(
        self, work: SegmentTransaction, project: str, done: list[Done], partition: int, now: datetime, is_ready: bool
    ) -> UnitOfWork:
        """Customers without a profile are customers with an id. While a behaviour is new, nothing is told of them."""
        erased = await work.behaviours.erased(project, {one.customer_id for one in done})
        left = [one for one in done if _is_after(one, erased.get(one.customer_id))]
        concerned = {one.customer_id for one in left}
        known = await work.admit(project, concerned, partition)
        newcomers = concerned - known.keys()
        unit = await self._memberships.begin(work, project, known, newcomers, now)
        for customer_id, customer in unit.customers.items():
            if customer.profile is not None and customer.profile.due_at is not None and customer.profile.due_at <= now:
                self._memberships.look_again(unit, customer_id)
        for one in left:
            if is_ready or unit.customers[one.customer_id].profile is None:
                become = partial(_become, unit, one, partition)
                self._memberships.take_in(unit, one.customer_id, one.stamp, become, tells=is_ready)
            else:
                _note(unit, one)
        await self._memberships.write(unit, profiles=bool(newcomers))
        return unit


async def _move(
    work: SegmentTransaction, partition: int, stretch: Stretch, positions: Mapping[Keyed, Position], now: datetime
) -> None:
    stamps = [stamp(one) for one in stretch.records]
    latest, first = max(stamps, default=-1), moment(stamps[0]) if stamps else None
    ends = {behaviour: _end(one, stretch.end, latest) for behaviour, one in positions.items()}
    written = min(latest, int(now.timestamp() * 1000))  # later ones would hide what comes
    await work.behaviours.move(partition, ends, written, first)


def _counted(positions: Mapping[Keyed, Position], units: Mapping[str, UnitOfWork]) -> dict[Keyed, Position]:
    """Those of behaviours that segments still ask for: one that is asked for again before it was forgotten goes on."""
    return {
        behaviour: position
        for behaviour, position in positions.items()
        if behaviour.project_id not in units or behaviour.id in units[behaviour.project_id].behaviours
    }


def _read_one(asked: Asked, reader: EventReader, record: Followed, now: datetime) -> Done | None:
    if record.value is None:
        return None
    head = reader.read(record.value, record.key, now, record.headers)
    counting = asked.counting.get(head.project_id)
    if counting is None or not counting.counts(head.type):
        return None
    decode = partial(reader.decode, headers=record.headers) if record.headers else reader.decode
    written = stamp(record)
    adds = counting.of(EventContext(head, record.value, decode), moment(written) if written >= 0 else None)
    return Done(head.project_id, head.customer_id, record.offset, written, adds) if adds else None


def _by_project(done: Done) -> str:
    return done.project_id


def _not_yet_in(done: Done, positions: Mapping[Keyed, Position]) -> Done | None:
    """Without what was brought in before. In a topic that was made anew, offsets are low and records later."""
    adds = []
    for key, event in done.adds:
        position = positions.get(Keyed(done.project_id, key))
        if position and (done.offset >= position.next_offset or done.stamp > position.stamp):
            adds.append((key, event))
    return replace(done, adds=adds) if adds else None


def _end(position: Position, end: int, latest: int) -> int:
    """The offset up to which all is in: it stays while others catch up; not where the topic was made anew."""
    return end if end >= position.next_offset or latest > position.stamp else position.next_offset


def _is_after(done: Done, erased_at: datetime | None) -> bool:
    """False for what a customer did before it was erased."""
    return erased_at is None or moment(done.stamp) > erased_at


def _become(unit: UnitOfWork, done: Done, partition: int, customer: Customer) -> None:
    if customer.profile is None:
        row = msgspec.json.encode({"id": done.customer_id})
        customer.profile = Profile(done.customer_id, partition, done.stamp, row)
    _note(unit, done)


def _note(unit: UnitOfWork, done: Done) -> None:
    customer = unit.customers[done.customer_id]
    customer.clocked = None
    for key, event in done.adds:
        known, behaviour = customer.events.get(key), unit.behaviours.get(key)
        if known and behaviour and noted(known.record, behaviour, event, unit.now):
            customer.noted.add(key)
