"""The sender: deliveries in, attempts at their providers out. The ledger is its queue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from agents.broker.records import Incoming
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import arrived_at
from agents.intake import Chunk, Intake
from agents.roles.sender.accepted import Accepted
from agents.roles.sender.attempts import Attempts
from agents.roles.sender.channels import channels_of, policies_of
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import read_stored, row_of
from agents.roles.sender.next_due import NextDue
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.pacing import Destination
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import BadRecord, InvalidEvent, TryLater
from schemas.record_key import Keyed
from schemas.template import StoredTemplate
from schemas.topics import CUSTOMERS, DELIVERY_STATUS, deliveries
from schemas.wire.read_as import read_as
from store.distributions import Control
from store.erasure import Erasure
from store.retention import Retention
from store.sending.ledger import Ledger, NewDelivery, Settlement
from streams.sending.gate import entry_wait

log = structlog.get_logger()

_CHUNK = 100
_HAND = 500
_SWEEP_SECONDS = 10.0
_UNREADABLE_AGAIN = timedelta(minutes=5)
_TIDY_SECONDS = 10.0
_REST, _LONGEST_REST = 5.0, 60.0
"""Seconds after which the ledger is asked for what is due whatever it said before: another sender may have gone."""
_REST_SHARE = 200
"""So many times what asking took, where that is longer: ten thousand destinations take a while to ask for."""
_BUSY_POLL = 0.1
"""Seconds until the ledger is asked again while some destination is busy: it may take more soon."""


def build_sender(
    wiring: Wiring,
    ledger: Ledger,
    control: Control,
    past: Past,
    metrics: Metrics,
    *,
    owner: str,
    accepted: Accepted,
    clock: Clock = utc_now,
    **settings: Any,
) -> tuple[BatchApp, Sender]:
    """The Faust app of one sender process, and the sender whose `run` goes with it. `owner` names its leases."""
    app = BatchApp(wiring.group("sender"), wiring.settings.kafka, **settings)
    sender = Sender(app, wiring, ledger, control, past, metrics, owner=owner, clock=clock, accepted=accepted)
    for channel in CHANNELS:
        app.batch_agent(wiring.topic(deliveries(channel)), sender.intakes[channel].take, name=deliveries(channel))
    app.batch_agent(wiring.topic(CUSTOMERS), sender.erasures.take, name=f"erasures-of-{CUSTOMERS}")
    return app, sender


@dataclass(frozen=True, slots=True)
class Past:
    """The end of deliveries that are over: by time, and because their customer is gone."""

    retention: Retention
    erasure: Erasure


class Sender:
    """Takes deliveries from Kafka into the ledger, and what is due out of it."""

    def __init__(
        self,
        app: BatchApp,
        wiring: Wiring,
        ledger: Ledger,
        control: Control,
        past: Past,
        metrics: Metrics,
        *,
        owner: str,
        clock: Clock,
        accepted: Accepted,
    ) -> None:
        self._ledger, self._control, self._metrics = ledger, control, metrics
        self._owner, self._accepted = owner, accepted
        self._settings = settings = wiring.settings.sender
        self._leases, self._next_due, self._retention = Leases(settings.lease), NextDue(), past.retention
        self.erasures = Erasures(past.erasure, self._leases, owner=owner, default_project=wiring.default_project)
        self._has_begun = asyncio.Event()
        self._hurried: dict[Destination, datetime] | None = None
        self._codecs = {channel: wiring.codec(deliveries(channel)) for channel in CHANNELS}
        self._channels = channels_of(wiring.settings)
        self._templates: dict[str, StoredTemplate] = {}
        self._outcomes = Outcomes(
            ledger,
            app.outputs,
            wiring.topic(DELIVERY_STATUS),
            wiring.codec(DELIVERY_STATUS),
            read_stored,
            self._next_due,
            accepted,
            owner=owner,
            default_project=wiring.default_project,
            on_refused=app.stop_at_once,
        )
        self._attempts = Attempts(
            self._channels,
            policies_of(settings),
            self._template,
            self._leases.is_ours,
            self._outcomes,
            self._pause,
            metrics,
            concurrency=settings.concurrency,
            clock=clock,
        )
        dead_letters = DeadLetters("sender", wiring, metrics)
        self.intakes = {
            channel: Intake(
                partial(self._read, channel), self._enter, dead_letters, metrics, clock, size=_CHUNK, counted="sending"
            )
            for channel in CHANNELS
        }

    # -- from Kafka into the ledger -----------------------------------------------------------------------------

    def _read(self, channel: ChannelName, record: Incoming) -> Work:
        if record.value is None:
            raise InvalidEvent("a delivery has a value; this record is a tombstone")
        delivery = read_as(self._codecs[channel].decode(record.value), DELIVERY_TYPES[channel])
        return Work(delivery, 0, arrived_at(record))

    async def _enter(self, taken: Chunk[Work]) -> int:
        """Claim in the ledger; only what was new and is taken at once is ours to send now."""
        works = {work.delivery.delivery_id: work for work in taken.items}
        if not works:
            return 0
        await self._has_begun.wait()
        destinations = {work.destination for work in works.values()}
        waited = await asyncio.gather(*map(self._attempts.capacity.wait_for, destinations))  # a hundred wait as one
        waits = {
            destination: entry_wait(has_capacity=has_capacity, poll=self._settings.poll)
            for destination, has_capacity in zip(destinations, waited, strict=True)
        }
        rows = [row_of(work, waits[work.destination]) for work in works.values()]
        claimed = await retry_until_available(lambda: self._claim_new(rows), what="Postgres")
        for delivery_id, expires in claimed.items():  # at once: what is not known here as held is not renewed
            self._attempts.start(replace(works[delivery_id], expires=expires))
        if len(claimed) < len(rows):
            self._next_due.within()
            others = {Keyed(row.project_id, row.customer_id) for row in rows if row.delivery_id not in claimed}
            await retry_until_available(lambda: self.erasures.sweep(others), what="Postgres")
        return len(claimed)

    async def _claim_new(self, rows: list[NewDelivery]) -> dict[str, float | None]:
        """Deliveries that are ours now, and when each is no longer valid, by the steady clock."""
        asked = time.monotonic()
        claimed = await self._ledger.claim_new(rows, owner=self._owner, lease=self._settings.lease)
        self._leases.taken(claimed, asked)
        return {identity: _moment(asked, expires_in) for identity, expires_in in claimed.items()}

    # -- out of the ledger --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All background work of a sender, until cancelled. An error that escapes is a defect and ends the process."""
        await self._accepted.tell(self._ledger, self._owner)
        freed = await retry_until_available(lambda: self._ledger.release_leases(self._owner), what="Postgres")
        if freed:
            log.info("leases_reclaimed", deliveries=freed)
        self._has_begun.set()  # what is claimed before would be given away with the rest
        loops = (
            self._outcomes.run(), self._claim_loop(), self._lease_loop(), self._announce_loop(), self._tidy_loop(),
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(loop)

    async def _claim_loop(self) -> None:
        while not self._leases.are_over:
            found = await retry_until_available(self._claim_in_touch, what="Postgres")
            if not found:
                await self._rest()

    async def _rest(self) -> None:
        """Until the ledger may have something: in between it is asked for what is paused alone, which costs nothing."""
        capacity, poll = self._attempts.capacity, self._settings.poll.total_seconds()
        if capacity.is_busy():
            await asyncio.sleep(_BUSY_POLL)
            return
        saturated = capacity.saturated()
        self._next_due.ask()
        began = time.monotonic()
        due_in = await retry_until_available(lambda: self._ledger.next_due(saturated), what="Postgres")
        ends = _rest_ends(began, time.monotonic(), due_in)
        while True:
            wait = self._attempts.paces.soonest(min(poll, ends - time.monotonic()))
            await asyncio.sleep(max(poll / 10, wait))
            ends, before = min(ends, self._next_due.at), capacity.paused
            if ends <= time.monotonic() or await retry_until_available(self._look_at_pauses, what="Postgres") != before:
                return
            is_hurried = await retry_until_available(self._look_at_hurries, what="Postgres")
            if is_hurried or capacity.saturated() != saturated:
                return

    async def _look_at_pauses(self) -> set[Destination]:
        rows = await self._ledger.paused_destinations()
        self._attempts.capacity.paused = {(row["channel"], row["destination"]) for row in rows}
        self._metrics.destinations_paused.set(len(rows))
        self._metrics.destinations_throttled.set(self._attempts.paces.closed)
        return self._attempts.capacity.paused

    async def _look_at_hurries(self) -> bool:
        """True where somebody wants a destination asked at once: what it said of when is forgotten."""
        known, rows = self._hurried, await self._ledger.hurried_destinations()
        self._hurried = {(row["channel"], row["destination"]): row["hurried_at"] for row in rows}
        hurried = [one for one, at in self._hurried.items() if known is not None and known.get(one) != at]
        for one in hurried:
            self._attempts.paces.hurry(one)
        return bool(hurried)

    async def _claim_in_touch(self) -> int:
        try:
            found = await self._claim()
        except TryLater:
            self._leases.out_of_touch()
            raise
        self._leases.in_touch()
        return found

    async def _claim(self) -> int:
        await self._look_at_pauses()
        await self._look_at_hurries()
        asked = time.monotonic()
        leased = await self._ledger.claim_due(
            owner=self._owner,
            lease=self._settings.lease,
            limit=_HAND,
            a_destination=self._attempts.capacity.most,
            rooms=self._attempts.capacity.free().items(),
            take_over=self._leases.may_take_over(),
        )
        self._leases.taken((row.delivery_id for row in leased), asked)
        mine = self._mine()
        if erased := {row.delivery_id: row.record for row in leased if row.is_erased}:
            await self.erasures.end(erased)
        unreadable: list[Settlement] = []
        for row in leased:
            if row.delivery_id in erased or row.delivery_id in mine:
                continue  # a lease of ours ended while Postgres was away: what is mine is still being sent
            try:
                delivery = read_stored(row.record)
            except BadRecord as error:  # of another release, say, which another sender may be of
                unreadable.append(Settlement(row.delivery_id, "waiting", str(error), _UNREADABLE_AGAIN, tried=False))
                continue
            self._attempts.start(Work(delivery, row.attempts, row.arrived_at, _moment(asked, row.expires_in)))
        if unreadable:
            log.error("records_unreadable", deliveries=[one.delivery_id for one in unreadable])
            await self._ledger.settle([replace(one, ended=asked) for one in unreadable], owner=self._owner)
        return len(leased)

    def _mine(self) -> set[str]:
        """Deliveries whose outcome only this process knows, or will know."""
        return self._outcomes.unsettled.keys() | set(self._attempts.held)

    async def _lease_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease.total_seconds() / 3)
            await retry_until_available(self._renew, what="Postgres")

    async def _renew(self) -> None:
        held, asked = self._mine(), time.monotonic()
        kept = await self._ledger.renew(held, owner=self._owner, lease=self._settings.lease) if held else set()
        self._leases.renewed(held, kept, asked)  # with nothing held too: what has ended is forgotten

    async def _announce_loop(self) -> None:
        swept = 0.0
        while True:
            await self._outcomes.mark_announced()
            if time.monotonic() - swept > _SWEEP_SECONDS:
                await self._outcomes.sweep()
                swept = time.monotonic()
            await asyncio.sleep(0.1)

    async def _tidy_loop(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            dropped = await retry_until_available(self._retention.tidy, what="Postgres")
            if dropped:
                log.info("tidied", **dropped)

    # -- stopping -----------------------------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and wait for what is under way, at most `seconds`: else it would leave once more."""
        self._leases.end()
        deadline = time.monotonic() + seconds
        while (self._attempts.held or not self._outcomes.idle) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        log.info("drained", left=len(self._attempts.held))

    async def close(self) -> None:
        """Give back leases that are left, but for what has been sent; and connections."""
        self._outcomes.keep_accepted()
        try:
            await self._outcomes.tell_rest()
            await self._ledger.release_leases(self._owner)
        except TryLater:
            log.warning("leases_left", until="they expire")
        for channel in self._channels.values():
            await channel.close()

    # -- what attempts need -------------------------------------------------------------------------------------

    async def _template(self, digest: str) -> StoredTemplate | None:
        """By content, so what is known once is known for ever. Raises TryLater while Postgres is away."""
        known = self._templates.get(digest)
        if known is None:
            known = await self._control.template(digest)
            if known is not None:
                self._templates[digest] = known
        return known

    async def _pause(self, destination: Destination, why: str) -> None:
        channel, name = destination
        await retry_until_available(lambda: self._ledger.pause_destination(channel, name, why), what="Postgres")


def _rest_ends(began: float, now: float, due_in: timedelta | None) -> float:
    rest = min(_LONGEST_REST, max(_REST, _REST_SHARE * (now - began)))
    return now + (rest if due_in is None else min(rest, due_in.total_seconds()))


def _moment(asked: float, later: timedelta | None) -> float | None:
    return None if later is None else asked + later.total_seconds()
