"""The segmenter: profiles in, entries into segments and leaves out. What it knows is in Postgres.

All work is done in hands, each in one transaction: lock customers, ask what the segments are now, work out what
changes, and write it together with the events that tell it. Only what is committed is told, and all of it is: events
wait in an outbox until Kafka has acknowledged them, so a crash in between repeats the same ones, whatever else has
changed meanwhile. The offset of a batch may be committed only after the transactions of all its hands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import structlog

from agents.arrived import moment
from agents.dead_letters import DeadLetters
from agents.health import Loop
from agents.intake import Handful, Intake
from agents.metrics import Metrics
from agents.outbox import write_all
from agents.transport.app import BatchApp
from agents.transport.batch import Incoming, Output
from agents.waiting import until_done
from agents.wiring import Clock, Wiring, utc_now
from schemas.errors import DefinitionInvalid, InvalidEvent, TooLarge, TryLater
from schemas.event import Event
from schemas.topics import CUSTOMERS
from store.segments import EventRow, MembershipRow, Overdue, Profile, Segments, State, Work
from streams.conditions.moments import earliest
from streams.events import read_customer
from streams.segments import Change, Membership, SegmentIndex, differences, segment_event

log = structlog.get_logger()

_HAND = 500
"""Customers, or records, of one transaction."""
_IDLE_SECONDS = 0.5
"""Between two looks for what is due, or to be computed, while there is nothing."""
_MEASURE_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_EVENTS = "events.segments"


def build_segmenter(
    wiring: Wiring, segments: Segments, metrics: Metrics, *, clock: Clock = utc_now, **settings: Any
) -> tuple[BatchApp, Segmenter]:
    """The Faust app of one segmenter process, and the segmenter whose `run` goes with it."""
    app = BatchApp(wiring.group("segmenter"), wiring.connection(), **settings)
    segmenter = Segmenter(app, wiring, segments, metrics, clock)
    app.batch_agent(wiring.topic(CUSTOMERS), segmenter.intake.take, name=f"segments-of-{CUSTOMERS}")
    return app, segmenter


@dataclass(frozen=True, slots=True)
class Update:
    """A record of `customers`; `row` is the profile as JSON, None where the customer is erased. `stamp`: Unix ms."""

    customer_id: str
    row: bytes | None
    offset: int
    stamp: int


@dataclass(slots=True)
class _Customer:
    """What is known of a customer inside a hand, and becomes known."""

    profile: Profile | None
    memberships: dict[str, Membership] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Hand:
    """One transaction's customers, the segments as they are in it, and the events it comes to."""

    work: Work
    now: datetime
    states: dict[str, State]
    customers: dict[str, _Customer]
    events: list[tuple[int, Event]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)


class Segmenter:
    """Keeps memberships right as profiles, definitions and time change. Any number of processes share the work."""

    def __init__(self, app: BatchApp, wiring: Wiring, segments: Segments, metrics: Metrics, clock: Clock) -> None:
        self._app, self._segments, self._metrics, self._clock = app, segments, metrics, clock
        self._project = wiring.settings.project_id
        self._max_bytes = wiring.settings.matcher.max_event_bytes
        self._profiles = wiring.codec(CUSTOMERS)
        self._topic, self._codec = wiring.topic(_EVENTS), wiring.codec(_EVENTS)
        self._index = SegmentIndex(self._project)
        self._known: dict[str, tuple[int, int]] = {}
        self._overdue = Overdue(0, None)
        metrics.segments_due_age.set_function(self._due_age)
        self.loop = Loop("due customers")
        dead_letters = DeadLetters("segmenter", wiring, metrics)
        self.intake = Intake(self._read, self._bring_in, dead_letters, metrics, clock, size=_HAND, counted="changed")

    # -- profiles -----------------------------------------------------------------------------------------------

    def _read(self, record: Incoming) -> Update:
        if b"\0" in (record.key or b""):
            raise InvalidEvent("the key holds the character U+0000, which Postgres cannot keep", path="key")
        if record.value is None and record.key is not None:
            return Update(record.key.decode(errors="replace"), None, record.offset, record.timestamp)
        raw = record.value or b""
        if len(raw) > self._max_bytes:
            raise TooLarge(f"{len(raw)} bytes; matcher.max_event_bytes allows {self._max_bytes}")
        profile = read_customer(self._profiles.decode(raw), record.key)
        return Update(profile["id"], msgspec.json.encode(profile), record.offset, record.timestamp)

    async def _bring_in(self, taken: Handful[Update]) -> int:
        """Bring profiles in, and keep and publish all that they change; how many memberships."""
        now, topic, partition = self._clock(), str(taken.batch.tp.topic), taken.batch.partition
        end, stamp = taken.records[-1].offset + 1, max(record.timestamp for record in taken.records)

        async def work() -> int:
            async with self._segments.work() as transaction:
                position, latest = await transaction.position(topic, partition)
                new = _not_yet_in(taken.items, position, latest)
                hand = await self._begin(
                    transaction, await transaction.customers({one.customer_id for one in new}), new, now
                )
                for update in new:
                    self._update(hand, update, partition)
                await self._write(hand, profiles=True)
                if new or end > position:
                    await transaction.move(topic, partition, end, stamp)
            return self._count(hand)

        changed = await until_done(work, what="Postgres")
        await until_done(self.tell, what="Postgres or Kafka")
        return changed

    def _update(self, hand: _Hand, update: Update, partition: int) -> None:
        """An erased customer leaves without an event: nobody is left to be messaged, and no id must go out again."""
        customer = hand.customers[update.customer_id]
        if update.row is None:
            hand.customers[update.customer_id] = _Customer(None)
            hand.erased.append(update.customer_id)
            hand.events = [one for one in hand.events if one[1].customer_id != update.customer_id]
            return
        before, epoch = customer.profile, customer.profile.epoch if customer.profile else update.stamp
        happened = min(moment(update.stamp), hand.now)
        quiet = {one.segment_id for one in hand.states.values() if _is_before(one, update, before)}
        if before is not None and quiet:  # what it was when the segment came to be is no change
            self._change(hand, customer, self._index.of(before.customer_id, before.row, hand.now), quiet, None)
            quiet = set()
        customer.profile = Profile(update.customer_id, partition, epoch, update.row)
        wanted = self._index.of(update.customer_id, update.row, hand.now)
        self._change(hand, customer, wanted, quiet, None)
        self._change(hand, customer, wanted, self._index.definitions.keys() - quiet, happened)

    # -- time and definitions -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """All background work of a segmenter, until cancelled. An error that escapes ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_up())
            group.create_task(self._measure())

    async def _keep_up(self) -> None:
        """Look for what is due and what has to be computed, and tell what came of it, or was left by a crash."""
        while True:
            due = await until_done(self.look_at_due, what="Postgres")
            computed = await until_done(self.compute, what="Postgres")
            await until_done(self.tell, what="Postgres or Kafka")
            self.loop.rounds += 1
            if not due and not computed:
                await asyncio.sleep(_IDLE_SECONDS)

    async def look_at_due(self) -> int:
        """Look again at a hand of customers whose time has come; how many."""
        now = self._clock()
        async with self._segments.work() as work:
            found = await work.due(now, _HAND)
            if not found:
                return 0
            hand = await self._begin(work, found, (), now)
            for customer in hand.customers.values():
                self._look_again(hand, customer)
            await self._write(hand)
        log.info("due", customers=len(found), changed=self._count(hand))
        return len(found)

    def _look_again(self, hand: _Hand, customer: _Customer) -> None:
        """Segments whose first computation has not come to the customer are left to it."""
        profile = customer.profile
        if profile is not None:
            wanted = self._index.of(profile.customer_id, profile.row, hand.now)
            begun = {
                one.segment_id
                for one in hand.states.values()
                if one.computed_version or profile.customer_id <= one.computed_to
            }
            self._change(hand, customer, wanted, begun, min(profile.due_at or hand.now, hand.now))

    async def compute(self) -> int:
        """Compute a new or changed segment for the next hand of customers; how many, 0 where there is nothing to do.

        At the first computation nobody enters: they are in it already. Later ones tell the differences.
        """
        now = self._clock()
        async with self._segments.work() as work:
            segment_id = await work.computation(self._project)
            if segment_id is None:
                return 0
            state = (await work.states(self._project))[segment_id]
            found = await work.following(state.computed_to, _HAND)
            if not found:
                await work.finish(segment_id)
                log.info("segment_computed", segment=segment_id, version=state.version)
                return 1
            hand = await self._begin(work, found, (), now)
            happened = state.applied_at if state.computed_version else None
            for customer_id, customer in hand.customers.items():
                row = found[customer_id].row
                self._change(hand, customer, self._index.of(customer_id, row, now), {segment_id}, happened)
            await self._write(hand, keep_due=True)
            await work.advance(segment_id, max(found), len(found))
        self._count(hand)
        return len(found)

    # -- what they share ----------------------------------------------------------------------------------------

    async def _begin(self, work: Work, found: dict[str, Profile], updates: Iterable[Update], now: datetime) -> _Hand:
        """Everything that is known of customers that are locked. The segments are asked after the lock."""
        customers = {one.customer_id: _Customer(found.get(one.customer_id)) for one in updates}
        customers |= {customer_id: _Customer(profile) for customer_id, profile in found.items()}
        states = await work.states(self._project)
        await self._learn(work, states)
        for row in await work.memberships(customers):
            customers[row["customer_id"]].memberships[row["segment_id"]] = Membership(row["is_member"], row["number"])
        return _Hand(work, now, states, customers)

    async def _learn(self, work: Work, states: dict[str, State]) -> None:
        """Bring the index to the definitions of this moment."""
        wanted = {one.segment_id: (one.serial, one.version) for one in states.values()}
        for gone in self._known.keys() - wanted.keys():
            self._index.remove(gone)
            del self._known[gone]
        differing = [identity for identity, version in wanted.items() if self._known.get(identity) != version]
        for definition in await work.definitions(differing) if differing else ():
            try:
                self._index.insert(definition)
            except DefinitionInvalid as error:  # its memberships stay as they are
                log.error("segment_unusable", segment=definition.id, version=definition.version, error=str(error))
            serial, _ = wanted[definition.id]
            self._known[definition.id] = (serial, definition.version)
        self._metrics.segments.set(len(self._index.definitions))

    def _change(
        self, hand: _Hand, customer: _Customer, wanted: set[str], among: Collection[str], happened: datetime | None
    ) -> None:
        """Note what differs among some segments, with its events; without where `happened` is None."""
        profile = customer.profile
        usable = [one for one in among if one in self._index.definitions]
        for change in differences(wanted, customer.memberships, usable):
            customer.memberships[change.segment_id] = Membership(change.is_entry, change.number)
            customer.since[change.segment_id] = happened or hand.now
            if happened is not None and profile is not None:
                hand.events.append((profile.partition, self._event(hand, profile, change, happened)))

    def _event(self, hand: _Hand, profile: Profile, change: Change, happened: datetime) -> Event:
        definition, serial = self._index.definitions[change.segment_id], hand.states[change.segment_id].serial
        return segment_event(change, definition, serial, msgspec.json.decode(profile.row), profile.epoch, happened)

    async def _write(self, hand: _Hand, *, profiles: bool = False, keep_due: bool = False) -> None:
        """Keep what has become of a hand, and the events that are to tell it.

        `keep_due` where not all segments were looked at: what is due for the others stays due.
        """
        await hand.work.put_events(
            [EventRow(partition, event.customer_id, self._codec.encode(event)) for partition, event in hand.events]
        )
        if hand.erased:
            await hand.work.erase(hand.erased)
        there = [
            replace(
                one.profile,
                due_at=earliest((self._index.due(one.profile.row, hand.now), one.profile.due_at if keep_due else None)),
            )
            for one in hand.customers.values()
            if one.profile is not None
        ]
        if profiles:
            await hand.work.put_customers(there)
        else:
            await hand.work.put_due([(one.customer_id, one.due_at) for one in there])
        await hand.work.put_memberships(
            [
                MembershipRow(identity, segment, now.is_member, now.number, since)
                for identity, customer in hand.customers.items()
                for segment, since in customer.since.items()
                for now in (customer.memberships[segment],)
            ]
        )

    async def tell(self) -> int:
        """Publish the events of all that is kept and not told yet; how many. Raises TryLater, and then they wait on."""
        return await self._segments.publish_outbox(self._publish)

    async def _publish(self, events: Sequence[EventRow]) -> None:
        outputs = [Output(self._topic, one.customer_id.encode(), one.event, one.partition) for one in events]
        await write_all(self._app.outputs, outputs)

    def _count(self, hand: _Hand) -> int:
        for _, event in hand.events:
            self._metrics.segment_changes.labels(event.type.rpartition(".")[2]).inc()
        return len(hand.events)

    async def _measure(self) -> None:
        """Ask, apart from the loop that looks at those who are due, whether it keeps up.

        As long as Postgres answers, the loop has to come round: with nothing to do, it does so twice a second. While
        Postgres does not, only what is known to wait makes a stall of the loop's rest.
        """
        while True:
            try:
                self._overdue = await asyncio.wait_for(self._segments.overdue(self._clock()), _ANSWER_SECONDS)
                self._metrics.segments_due.set(self._overdue.customers)
                self.loop.has_to_move = True
            except (TryLater, TimeoutError) as error:
                log.warning("dependency_away", what="Postgres", error=str(error) or "no answer in time")
                self.loop.has_to_move = self._overdue.customers > 0
            await asyncio.sleep(_MEASURE_SECONDS)

    def _due_age(self) -> float:
        since = self._overdue.since
        return (self._clock() - since).total_seconds() if since else 0.0


def _not_yet_in(updates: list[Update], next_offset: int, stamp: int) -> list[Update]:
    """Without what was brought in before a crash. In a topic that was made anew, offsets are low and records later."""
    return [one for one in updates if one.offset >= next_offset or one.stamp > stamp]


def _is_before(segment: State, update: Update, before: Profile | None) -> bool:
    """Whether what a customer was until now is no change of a segment that is being computed for the first time."""
    if segment.computed_version:
        return before is None and moment(update.stamp) < segment.created_at
    return update.customer_id > segment.computed_to if before else moment(update.stamp) < segment.created_at
