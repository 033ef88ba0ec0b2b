"""The segmenter: profiles and events in, entries into segments and leaves out. What it knows is in Postgres.

Here is where the work comes from: a record of `customers`, a moment that has come, a definition that is new; events,
which some segments count, come from `counting.py`. It is done in chunks, each in one transaction: lock customers, ask
what the segments are now, work out what changes, keep it. The next chunk is read meanwhile, and what one has changed
is told beside the next. The offset of a batch may be committed only after the transactions of all its chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import groupby
from typing import Any

import msgspec
import structlog

from agents.broker.records import Incoming
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import moment, stamp
from agents.intake import Chunk, Intake
from agents.roles.segmenter.counting import Counter
from agents.roles.segmenter.memberships import Customer, Memberships, UnitOfWork
from agents.telemetry.health import Loop
from agents.telemetry.measuring import measure
from agents.telemetry.metrics import MOST_NAMED, Metrics
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.errors import TooLarge
from schemas.formats.search_keys import SearchKeys, search_keys
from schemas.record_key import Keyed, label_of, parse_key
from schemas.topics import CUSTOMERS
from store.behaviours import Behaviours
from store.segment_transaction import Profile, SegmentTransaction
from store.segments import Overdue, Segments
from streams.events import read_customer, read_tombstone

log = structlog.get_logger()

_CHUNK_SIZE = 500
"""Customers, or records, of one transaction."""
_ABREAST = 2
"""Partitions whose customers are worked on at once: while Postgres keeps one's, another one's are judged."""
_SLICE_SIZE = 20
"""Records that are read before what Postgres answered about the chunk before is looked at."""
_IDLE_SECONDS = 0.5
"""Between two looks for what is due, or to be computed, while there is nothing."""


def build_segmenter(
    wiring: Wiring,
    segments: Segments,
    behaviours: Behaviours,
    metrics: Metrics,
    *,
    clock: Clock = utc_now,
    **settings: Any,
) -> tuple[BatchApp, Segmenter]:
    """The Faust app of one segmenter process, and the segmenter whose `run` goes with it."""
    app = BatchApp(wiring.group("segmenter"), wiring.settings.kafka, **settings)
    segmenter = Segmenter(app, wiring, segments, behaviours, metrics, clock)
    app.batch_agent(wiring.topic(CUSTOMERS), segmenter.take, name=f"segments-of-{CUSTOMERS}", abreast=_ABREAST)
    return app, segmenter


class Update(msgspec.Struct, frozen=True, gc=False):
    """A record of `customers`; `row` is the profile as JSON, None where the customer is erased. `stamp`: Unix ms."""

    project_id: str
    customer_id: str
    row: bytes | None
    offset: int
    stamp: int
    keys: SearchKeys | None = None


class Segmenter:
    """Keeps memberships right as profiles, definitions and time change. Any number of processes share the work."""

    def __init__(
        self,
        app: BatchApp,
        wiring: Wiring,
        segments: Segments,
        behaviours: Behaviours,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._segments, self._metrics = segments, metrics
        self._default = wiring.default_project
        self._max_bytes = wiring.settings.matcher.max_event_bytes
        self._profiles = wiring.codec(CUSTOMERS)
        self.memberships = Memberships(segments, app.outputs, wiring, metrics)
        self._overdue, self._measured = Overdue(0), time.monotonic()
        metrics.segments_due_age.set_function(self._due_age)
        self.loop = Loop("due customers")
        self.counter = Counter(
            wiring, segments, behaviours, self.memberships, metrics, clock, owned=partial(_owned, app, wiring)
        )
        dead_letters = DeadLetters("segmenter", wiring, metrics)
        self.intake = Intake(
            self._read, self._bring_in, dead_letters, metrics, clock, size=_CHUNK_SIZE, counted="changed",
            slice_size=_SLICE_SIZE, reads_ahead=True, abreast=_ABREAST,
        )  # fmt: skip

    # -- profiles -----------------------------------------------------------------------------------------------

    async def take(self, batch: Batch) -> None:
        """Bring a batch in. It has ended once what it changed is told, which is done beside the next chunk."""
        await self.intake.take(batch)
        if batch.ending is not None:
            batch.ending = partial(self._end, batch.ending)

    async def _end(self, brought_in: Callable[[], Awaitable[None]]) -> None:
        await brought_in()
        await self.memberships.tell_together()

    def _read(self, record: Incoming) -> Update:
        if record.value is None and record.key is not None:
            return Update(*read_tombstone(record.key, self._default), None, record.offset, stamp(record))
        raw = record.value or b""
        if len(raw) > self._max_bytes:
            raise TooLarge(f"{len(raw)} bytes; matcher.max_event_bytes allows {self._max_bytes}")
        profile = read_customer(self._profiles.decode(raw), record.key, self._default)
        whose, row = parse_key(record.key or b"", self._default), msgspec.json.encode(profile)
        return Update(*whose, row, record.offset, stamp(record), search_keys(profile))

    async def _bring_in(self, taken: Chunk[Update]) -> int:
        """Bring profiles in, and keep all that they change; how many memberships.

        Projects in one order, as their customers are: processes that work on the same never wait for each other.
        """
        topic, partition = str(taken.batch.tp.topic), taken.batch.partition
        end, latest_stamp = taken.records[-1].offset + 1, max(map(stamp, taken.records))

        projects = {one: list(some) for one, some in groupby(sorted(taken.items, key=_by_project), _by_project)}
        first = next(iter(projects), "")  # its customers are asked for together with the position

        async def work() -> int:
            async with self._segments.transaction() as transaction:
                position, latest, known = await transaction.position(
                    topic, partition, first, {one.customer_id for one in projects.get(first, ())}
                )
                units = [
                    await self._update_project(
                        transaction, project, new, partition, known if project == first else None
                    )
                    for project, updates in projects.items()
                    if (new := _not_yet_in(updates, position, latest))
                ]
                if units or end > position:
                    now = units[-1].now if units else await transaction.now()
                    written = min(latest_stamp, int(now.timestamp() * 1000))  # later ones would hide what comes
                    await transaction.move(topic, partition, end, written)
            return sum(map(self.memberships.count, units))

        return await retry_until_available(work, what="Postgres")

    async def _update_project(
        self,
        work: SegmentTransaction,
        project: str,
        updates: list[Update],
        partition: int,
        known: dict[str, Profile] | None,
    ) -> UnitOfWork:
        """Work on a project's customers; those that are `known` are locked already."""
        concerned = {one.customer_id for one in updates}
        if known is not None:
            known = {one: profile for one, profile in known.items() if one in concerned}
        found = await work.admit(project, concerned, partition, known)
        unit = await self.memberships.begin(work, project, found, concerned - found.keys())
        for update in updates:
            self._update(unit, update, partition)
        await self.memberships.write(unit, profiles=True)
        return unit

    def _update(self, unit: UnitOfWork, update: Update, partition: int) -> None:
        row = update.row
        if row is None:
            unit.erase(update.customer_id, moment(update.stamp))
            return

        def become(customer: Customer) -> None:
            epoch = customer.profile.epoch if customer.profile else update.stamp
            customer.profile = Profile(update.customer_id, partition, epoch, row, keys=update.keys)

        self.memberships.take_in(unit, update.customer_id, update.stamp, become)

    # -- time and definitions -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """All background work of a segmenter, until cancelled. An error that escapes ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_up())
            group.create_task(self.counter.run())
            group.create_task(measure(self.counter.loop))
            group.create_task(
                measure(self.loop, self._look, self.measure, is_waiting=lambda: self._overdue.customers > 0)
            )

    async def _keep_up(self) -> None:
        """Look for what is due and what has to be computed, and tell what came of it, or was left by a crash."""
        while True:
            due = await retry_until_available(self.look_at_due, what="Postgres")
            computed = await retry_until_available(self.compute, what="Postgres")
            told = await retry_until_available(self.memberships.tell, what="Postgres or Kafka")
            self.loop.iterations += 1
            if not due and not computed and not told:
                await asyncio.sleep(_IDLE_SECONDS)

    async def look_at_due(self) -> int:
        """Look again at a chunk of customers whose time has come; how many."""
        async with self._segments.transaction() as work:
            now = await work.now()
            found = await work.due(now, _CHUNK_SIZE)
            if not found:
                return 0
            units = []
            for project, profiles in found.items():
                unit = await self.memberships.begin(work, project, profiles, (), now)
                for customer_id in unit.customers:
                    self.memberships.look_again(unit, customer_id)
                await self.memberships.write(unit)
                units.append(unit)
        customers, changed = sum(map(len, found.values())), sum(map(self.memberships.count, units))
        log.info("due", customers=customers, changed=changed)
        return customers

    async def compute(self) -> int:
        """Compute a new or changed segment for the next chunk of customers; how many, 0 where there is nothing to do.

        At the first computation nobody enters: they are in it already. Later ones tell the differences.
        """
        async with self._segments.transaction() as work:
            segment = await self._to_compute(work)
            if segment is None:
                return 0
            project, segment_id = segment
            state = (await work.states(project))[segment_id]
            found = await work.following(project, state.computed_to, _CHUNK_SIZE)
            if not found:
                await work.finish(segment)
                log.info("segment_computed", project=project, segment=segment_id, version=state.version)
                return 1
            now = await work.now()
            unit = await self.memberships.begin(work, project, found, (), now)
            happened = state.applied_at if state.computed_version else None
            for customer_id, customer in unit.customers.items():
                wanted = self.memberships.judged(unit, customer_id, customer)
                self.memberships.change(unit, customer, wanted, {segment_id}, happened)
            await self.memberships.write(unit, keep_due=True)
            await work.advance(segment, max(found), len(found))
        self.memberships.count(unit)
        return len(found)

    async def _to_compute(self, work: SegmentTransaction) -> Keyed | None:
        """A segment that has to be computed, and can be: all events that it counts are in."""
        besides: list[Keyed] = []
        while segment := await work.computation(besides):
            uncounted = await self.memberships.uncounted(work, segment.project_id)
            if segment.id not in uncounted:
                return segment
            besides += [Keyed(segment.project_id, one) for one in uncounted]
        return None

    # -- health -------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        self._overdue = await self._segments.overdue()
        self._measured = time.monotonic()
        self._metrics.segments_due.set(self._overdue.customers)

    async def measure(self) -> None:
        """Count whom segments cannot judge."""
        unjudged = await self._segments.count_unjudged(MOST_NAMED)
        self._metrics.segment_unjudged.clear()
        for segment, customers in unjudged.items():
            self._metrics.segment_unjudged.labels(label_of(*segment, self._default)).set(customers)

    def _due_age(self) -> float:
        waits, since = self._overdue.waits.total_seconds(), time.monotonic() - self._measured
        return waits + since if self._overdue.customers else 0.0


def _owned(app: BatchApp, wiring: Wiring) -> set[int]:
    """The partitions whose customers this process has: their events are its as well."""
    if not app.rebalancing_count:  # it has not been given any yet
        return set()
    topic = wiring.topic(CUSTOMERS)
    return {place.partition for place in app.consumer.assignment() if place.topic == topic}


def _by_project(update: Update) -> str:
    return update.project_id


def _not_yet_in(updates: list[Update], next_offset: int, stamp: int) -> list[Update]:
    """Without what was brought in before a crash. In a topic that was made anew, offsets are low and records later."""
    return [one for one in updates if one.offset >= next_offset or one.stamp > stamp]
