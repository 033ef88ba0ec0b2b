"""The changes of customers' memberships in one transaction, and the telling of them.

A unit of work begins with locked customers and with the segments as they are now; changes are noted in it, and kept
together with the events that tell of them. Only what is committed is told, and all of it is: events wait in an outbox
until Kafka has acknowledged them, so a crash in between repeats the same ones, whatever else has changed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import msgspec
import structlog

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.ingest_time import moment
from agents.roles.segmenter.telling import MembershipTeller
from agents.telemetry.metrics import Metrics
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.errors import DefinitionInvalid
from schemas.events.event import Event
from store.behaviours import RecordRow
from store.segment_transaction import EventRow, MembershipRow, Profile, SegmentTransaction, State
from store.segments import Segments
from streams.conditions.behaviour import Known, Record, pruned
from streams.conditions.dates import earliest
from streams.conditions.language import Behaviour
from streams.segments import Judged, Membership, SegmentIndex, differences, segment_event

log = structlog.get_logger()

_EVENTS = "events.segments"


class Customer(msgspec.Struct):
    """Everything that is known of a customer inside a unit of work, or becomes known."""

    profile: Profile | None
    events: dict[str, Known] = {}
    """What is known of what it did, by behaviour; of `noted` ones that has changed."""
    noted: set[str] = set()
    memberships: dict[str, Membership] = {}
    since: dict[str, datetime] = {}
    unjudged: dict[str, str] = {}
    clocked: Collection[str] | None = None
    """The segments that time alone may take it into or out of; None where it was not judged as it is now."""


@dataclass
class UnitOfWork:
    """Customers of a project in one transaction, the segments as they are in it, and the events it comes to."""

    work: SegmentTransaction
    project_id: str
    index: SegmentIndex
    now: datetime
    states: dict[str, State]
    customers: dict[str, Customer]
    behaviours: dict[str, Behaviour]
    """All that segments of the project ask for, whether or not they are counted yet."""
    uncounted: frozenset[str]
    """Segments that ask for behaviours whose events are not all in: nobody can say yet who is in them."""
    events: list[tuple[int, Event]] = field(default_factory=list)
    erased: dict[str, datetime] = field(default_factory=dict)

    @cached_property
    def newest(self) -> datetime:
        """The time at which the youngest segment came to be."""
        return max((one.created_at for one in self.states.values()), default=datetime.min.replace(tzinfo=UTC))

    @cached_property
    def uncomputed(self) -> list[State]:
        """Segments that are being computed for the first time."""
        return [one for one in self.states.values() if not one.computed_version]

    def quiet(self, customer_id: str, before: Profile | None, at: datetime) -> set[str]:
        """Segments for which what a customer was until now is no change: they came to be, or come to it, later."""
        if before is not None:
            return {one.segment_id for one in self.uncomputed if customer_id > one.computed_to}
        if at >= self.newest:
            return set()
        return {one.segment_id for one in self.states.values() if at < one.created_at}

    def erase(self, customer_id: str, erased_at: datetime) -> None:
        """An erased customer leaves without an event: nobody is left to be messaged, and no id must go out again."""
        self.customers[customer_id] = Customer(None)
        self.erased[customer_id] = erased_at
        self.events = [one for one in self.events if one[1].customer_id != customer_id]


@dataclass(frozen=True, slots=True)
class _Known:
    """A project's segments, and which serial and version of each the index has."""

    index: SegmentIndex
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)


class Memberships:
    """The members of each segment, kept right unit by unit. What is known of segments is as the last one found them."""

    def __init__(self, segments: Segments, producer: Producer, wiring: Wiring, metrics: Metrics) -> None:
        self._segments, self._producer, self._metrics = segments, producer, metrics
        self._topic, self._encode = wiring.topic(_EVENTS), wiring.codec(_EVENTS).remembering("Customer", "Segment")
        self._key, self._zone = wiring.key, wiring.settings.zone
        self._known: dict[str, _Known] = {}
        self._teller = MembershipTeller(segments.changes, producer, wiring)
        self._telling: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def begin(
        self,
        work: SegmentTransaction,
        project_id: str,
        found: dict[str, Profile],
        newcomers: Iterable[str],
        now: datetime | None = None,
    ) -> UnitOfWork:
        """A unit of work on locked customers, and on some that are not known yet. The segments are asked for last.

        They are asked for again where others have brought the index to newer ones meanwhile: a unit is judged by the
        index, without a pause from here on, and knows all that is in it.
        """
        customers = {one: Customer(None) for one in newcomers}
        customers |= {customer_id: Customer(profile) for customer_id, profile in found.items()}
        await work.write()  # what was put of another project
        while True:
            look = await work.look(project_id, customers)
            index = await self.learned(work, project_id, look.states)
            behaviours = {key: one for some in index.behaviours.values() for key, one in some.items()}
            counted = await work.behaviours.of_project(project_id) if behaviours else {}
            if behaviours:
                await _add_known(work, project_id, customers, behaviours, counted)
            if self._is_at(project_id, look.states):
                break
        for row in look.memberships:
            customers[row["customer_id"]].memberships[row["segment_id"]] = Membership(row["is_member"], row["number"])
        uncounted = _uncounted(index, counted)
        return UnitOfWork(work, project_id, index, now or look.now, look.states, customers, behaviours, uncounted)

    def _is_at(self, project_id: str, states: dict[str, State]) -> bool:
        """True where the index has the segments as they are in these states."""
        return self._known[project_id].versions == _versions(states)

    async def uncounted(self, work: SegmentTransaction, project_id: str) -> frozenset[str]:
        """The segments of a project that cannot be computed yet."""
        index = await self.learned(work, project_id, await work.states(project_id))
        return _uncounted(index, await work.behaviours.of_project(project_id) if index.behaviours else {})

    async def learned(self, work: SegmentTransaction, project_id: str, states: dict[str, State]) -> SegmentIndex:
        """A project's index, brought to the definitions of this moment."""
        if project_id not in self._known:
            self._known[project_id] = _Known(SegmentIndex(project_id, self._zone))
        index, known = self._known[project_id].index, self._known[project_id].versions
        wanted = _versions(states)
        for gone in known.keys() - wanted.keys():
            index.remove(gone)
            del known[gone]
        differing = [identity for identity, version in wanted.items() if known.get(identity) != version]
        for definition in await work.definitions(project_id, differing) if differing else ():
            try:
                index.insert(definition)
            except DefinitionInvalid as error:  # its memberships stay as they are
                where = {"project": project_id, "segment": definition.id, "version": definition.version}
                log.error("segment_unusable", **where, error=str(error))
            serial, _ = wanted[definition.id]
            known[definition.id] = (serial, definition.version)
        self._metrics.segments.set(sum(len(one.index.definitions) for one in self._known.values()))
        return index

    def change(
        self, unit: UnitOfWork, customer: Customer, judged: Judged, among: Collection[str], happened: datetime | None
    ) -> None:
        """Note what differs among some segments, with its events; without where `happened` is None.

        Whom a segment cannot judge it neither takes in nor lets go: what nobody can say is no change.
        """
        profile = customer.profile
        customer.unjudged = {one: why for one, why in judged.unjudged.items() if one not in unit.uncounted}
        told = None
        for change in differences(judged.members, customer.memberships, among):
            segment = change.segment_id
            if segment not in unit.index.definitions or segment in judged.unjudged or segment in unit.uncounted:
                continue
            customer.memberships[segment] = Membership(change.is_entry, change.number)
            customer.since[segment] = happened or unit.now
            if happened is not None and profile is not None:
                told = told or msgspec.json.decode(profile.row)
                about, serial = unit.index.objects[segment], unit.states[segment].serial
                event = segment_event(change, unit.project_id, about, serial, told, profile.epoch, happened)
                unit.events.append((profile.partition, event))

    def judged(self, unit: UnitOfWork, customer_id: str, customer: Customer) -> Judged:
        """The segments that a customer with a profile belongs to now."""
        row = b"" if customer.profile is None else customer.profile.row
        found = unit.index.of(customer_id, row, unit.now, customer.events)
        customer.clocked = found.clocked
        return found

    def take_in(
        self, unit: UnitOfWork, customer_id: str, stamp: int, become: Callable[[Customer], None], *, tells: bool = True
    ) -> None:
        """Note what changes as a customer becomes another one, by a record of that time (Unix ms).

        What it was when a segment came to be is no change. Without an event where nothing is to be told at all.
        """
        customer, at = unit.customers[customer_id], moment(stamp)
        before, happened = customer.profile, min(at, unit.now)
        quiet = unit.quiet(customer_id, before, at)
        if before is not None and quiet:
            self.change(unit, customer, self.judged(unit, customer_id, customer), quiet, None)
            quiet = set()
        become(customer)
        wanted = self.judged(unit, customer_id, customer)
        if quiet:
            self.change(unit, customer, wanted, quiet, None)
        others = unit.index.definitions.keys() - quiet if quiet else unit.index.definitions
        self.change(unit, customer, wanted, others, happened if tells else None)

    def look_again(self, unit: UnitOfWork, customer_id: str) -> None:
        """Note what time has changed. Segments whose first computation has not come to the customer are left to it."""
        customer = unit.customers[customer_id]
        profile = customer.profile
        if profile is None:
            return
        begun = {
            one.segment_id for one in unit.states.values() if one.computed_version or customer_id <= one.computed_to
        }
        wanted = self.judged(unit, customer_id, customer)
        self.change(unit, customer, wanted, begun, min(profile.due_at or unit.now, unit.now))
        for key, known in customer.events.items():
            if pruned(known.record, unit.behaviours[key], unit.now):
                customer.noted.add(key)

    async def write(self, unit: UnitOfWork, *, profiles: bool = False, keep_due: bool = False) -> None:
        """Keep what has become of a unit of work, and the events that are to tell it.

        `keep_due` where not all segments were looked at: what is due for the others stays due.
        """
        keys = {one: self._key(unit.project_id, one).decode() for one in unit.customers} if unit.events else {}
        await unit.work.put_events(
            [EventRow(partition, keys[event.customer_id], self._encode(event)) for partition, event in unit.events]
        )
        if unit.erased:
            await unit.work.erase(unit.project_id, list(unit.erased))
            await unit.work.behaviours.erase(unit.project_id, unit.erased)
        await self._keep_unjudged(unit)
        await _keep_records(unit)
        there = [_with_due(unit, one, one.profile, keep_due=keep_due) for one in unit.customers.values() if one.profile]
        if profiles:
            await unit.work.put_customers(unit.project_id, there)
        else:
            await unit.work.put_due(unit.project_id, [(one.customer_id, one.due_at) for one in there])
        await unit.work.put_memberships(
            unit.project_id,
            [
                MembershipRow(identity, segment, now.is_member, now.number, since)
                for identity, customer in unit.customers.items()
                for segment, since in customer.since.items()
                for now in (customer.memberships[segment],)
            ],
        )

    async def _keep_unjudged(self, unit: UnitOfWork) -> None:
        customers = {identity: one for identity, one in unit.customers.items() if one.profile is not None}
        rows = [(identity, *one) for identity, known in customers.items() for one in known.unjudged.items()]
        await unit.work.put_unjudged(unit.project_id, list(customers), rows)

    async def tell(self) -> int:
        """Publish what is kept and not told yet; how much. Raises TryLater, and then it waits on.

        Who is in which segments first, as far as a page goes: then a guard knows mostly what its event tells of.
        """
        return await self._teller.tell() + await self._segments.publish_outbox(self._publish)

    async def tell_together(self) -> None:
        """Wait until what is kept by now is told. Those who come while somebody tells share the next telling."""
        if self._next is None:
            self._next = asyncio.create_task(self._tell_after(self._telling))
        await asyncio.shield(self._next)

    async def _tell_after(self, before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.wait({before})
        self._telling, self._next = self._next, None
        return await retry_until_available(self.tell, what="Postgres or Kafka")

    async def _publish(self, events: Sequence[EventRow]) -> None:
        outputs = [Output(self._topic, one.key.encode(), one.event, one.partition) for one in events]
        await write_all(self._producer, outputs)

    def count(self, unit: UnitOfWork) -> int:
        """Count what a unit that is committed has changed; how many memberships."""
        for kind, number in Counter(event.type for _, event in unit.events).items():
            self._metrics.segment_changes.labels(kind.rpartition(".")[2]).inc(number)
        return len(unit.events)


def _with_due(unit: UnitOfWork, customer: Customer, profile: Profile, *, keep_due: bool) -> Profile:
    """The profile with the time at which to look again; where it has one already, that may come first."""
    due = unit.index.due(profile.row, unit.now, customer.events, among=customer.clocked)
    if keep_due:
        due = earliest((due, profile.due_at))
    return profile if due == profile.due_at else msgspec.structs.replace(profile, due_at=due)


def _versions(states: dict[str, State]) -> dict[str, tuple[int, int]]:
    return {one.segment_id: (one.serial, one.version) for one in states.values()}


async def _add_known(
    work: SegmentTransaction,
    project_id: str,
    customers: dict[str, Customer],
    behaviours: Mapping[str, Behaviour],
    counted: Mapping[str, tuple[bool, datetime | None]],
) -> None:
    """Add what is known of what customers did; of those who did nothing, since when that is known."""
    since = {key: one for key, (_, one) in counted.items() if key in behaviours}
    for customer in customers.values():
        customer.events = {key: Known(Record(), one) for key, one in since.items()}
    for row in await work.behaviours.records(project_id, customers):
        if row["key"] in since:
            record = msgspec.msgpack.decode(row["record"], type=Record)
            customers[row["customer_id"]].events[row["key"]] = Known(record, since[row["key"]])


def _uncounted(index: SegmentIndex, counted: Mapping[str, tuple[bool, datetime | None]]) -> frozenset[str]:
    ready = {key for key, (is_ready, _) in counted.items() if is_ready}
    return frozenset(segment for segment, behaviours in index.behaviours.items() if behaviours.keys() - ready)


async def _keep_records(unit: UnitOfWork) -> None:
    rows = []
    for identity, customer in unit.customers.items():
        for key in customer.noted:
            record = customer.events[key].record
            pruned(record, unit.behaviours[key], unit.now)
            is_left = record.events or record.days
            rows.append(RecordRow(identity, key, msgspec.msgpack.encode(record) if is_left else None))
    await unit.work.behaviours.put_records(unit.project_id, rows)
