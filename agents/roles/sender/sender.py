"""The sender: deliveries in, attempts at their providers out. The ledger is its queue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from agents.accounts import LiveAccounts
from agents.channels import channels_of, policies_of
from agents.clock import Clock, SteadyTime, utc_now
from agents.dead_letters import DeadLetters
from agents.intake import Intake
from agents.roles.sender.accepted import Accepted
from agents.roles.sender.asking import Asking
from agents.roles.sender.attempts import Attempts
from agents.roles.sender.breakers import Breakers
from agents.roles.sender.calls import SenderCalls
from agents.roles.sender.claimant import Claimant
from agents.roles.sender.due import Due
from agents.roles.sender.entry import Entry
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.exchanging import Exchanging
from agents.roles.sender.ledger_rows import read_stored
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.reputation import Reputation
from agents.roles.sender.templates import TemplateCache
from agents.roles.sender.turns import Turns
from agents.roles.sender.withdrawals import Withdrawals
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from deploy.settings.workers import Sender as SenderSettings
from schemas.closed import CHANNELS, ChannelName, HoldKind
from schemas.destination import Destination
from schemas.errors import TryLater
from schemas.topics import CUSTOMERS, DELIVERY_STATUS, deliveries
from store.distributions import Control
from store.erasure import Erasure
from store.retention import Retention
from store.sending.ledger import Ledger
from streams.sending.reputation import Bounds

log = structlog.get_logger()

_CHUNK_SIZE = 100
_SWEEP_SECONDS = 10.0
_TIDY_SECONDS = 10.0


def build_sender(
    wiring: Wiring,
    ledger: Ledger,
    control: Control,
    past: Past,
    metrics: Metrics,
    *,
    owner: str,
    accepted: Accepted,
    accounts: LiveAccounts,
    tracked: TrackedLinks = NO_TRACKED_LINKS,
    clock: Clock = utc_now,
    **settings: Any,
) -> tuple[BatchApp, Sender]:
    """The Faust app of one sender process, and the sender whose `run` goes with it. `owner` names its leases."""
    app = BatchApp(wiring.group("sender"), wiring.settings.kafka, **settings)
    sender = Sender(
        app, wiring, ledger, control, past, metrics, owner=owner, clock=clock, accepted=accepted, accounts=accounts,
        tracked=tracked,
    )  # fmt: skip
    for channel in CHANNELS:
        app.batch_agent(wiring.topic(deliveries(channel)), sender.intakes[channel].take, name=deliveries(channel))
    app.batch_agent(wiring.topic(CUSTOMERS), sender.take_customers, name=f"erasures-of-{CUSTOMERS}")
    return app, sender


@dataclass(frozen=True, slots=True)
class Past:
    """The end of deliveries that are over: by time, and because their customer is gone."""

    retention: Retention
    erasure: Erasure


class Sender:
    """Takes deliveries from Kafka into the ledger (`entry`), and what is due out of it (`due`)."""

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
        accounts: LiveAccounts,
        tracked: TrackedLinks = NO_TRACKED_LINKS,
    ) -> None:
        settings = wiring.settings.sender
        self._ledger, self._owner, self._accepted, self._retention = ledger, owner, accepted, past.retention
        self._renew_every = settings.lease.total_seconds() / 3
        self._calls, self._accounts = SenderCalls(ledger.endpoint_calls), accounts
        self._channels = channels_of(wiring.settings, accounts.book, self._calls, control.file, tracked)
        claimant = Claimant(ledger, owner=owner, lease=settings.lease)
        self._leases = claimant.leases
        self.erasures = Erasures(past.erasure, self._leases, owner=owner, default_project=wiring.default_project)
        self._withdrawals = Withdrawals(
            ledger.consents, wiring.codec(CUSTOMERS), default_project=wiring.default_project,
            max_bytes=wiring.settings.matcher.max_event_bytes,
        )  # fmt: skip
        self._reputation = Reputation(ledger.reputation, _bounds(settings), ledger.pause_destination)
        self._outcomes = _outcomes(app, wiring, ledger, accepted, self._reputation, owner, metrics)
        policies = policies_of(settings)
        database = SteadyTime()
        breakers = Breakers(owner=owner, policies=policies, database=database)
        self._turns = Turns(
            self._channels, policies, concurrency=settings.concurrency, breakers=breakers, is_shared=accounts.is_shared
        )
        accounts.book.on_change(self._turns.look_up_again)
        asking = Asking(
            self._channels, policies, TemplateCache(control.template).get, self._pause, metrics,
            clock=clock, accounts=accounts, known_ids=ledger.known_ids, calls=self._calls,
        )  # fmt: skip
        self._attempts = Attempts(
            self._turns, asking, self._leases.is_ours, ledger.stopped, self._outcomes, metrics, clock=clock
        )
        self._exchanging = Exchanging(ledger.exchanges, self._turns, metrics, owner=owner, database=database)
        self._due = Due(
            claimant, self._attempts, self._turns, self._outcomes, self.erasures, metrics, poll=settings.poll
        )
        codecs = {channel: wiring.codec(deliveries(channel)) for channel in CHANNELS}
        self._entry = Entry(claimant, self._attempts, self._turns.capacity, self.erasures, codecs, poll=settings.poll)
        self.intakes = _intakes(self._entry, wiring, metrics, clock)

    async def take_customers(self, batch: Batch) -> None:
        """Tombstones first, then consents: one who comes back after a tombstone is a new customer."""
        await self.erasures.take(batch)
        await self._withdrawals.take(batch)

    async def run(self) -> None:
        """All background work of a sender, until cancelled. An error that escapes is a defect and ends the process."""
        await retry_until_available(self._ledger.make_days, what="Postgres")
        await retry_until_available(self._accounts.refresh, what="Postgres")
        await retry_until_available(self._exchanging.exchange, what="Postgres")
        await self._accepted.tell(self._ledger, self._owner)
        freed = await retry_until_available(lambda: self._ledger.release_leases(self._owner), what="Postgres")
        if freed:
            log.info("leases_reclaimed", deliveries=freed)
        self._entry.open()
        loops = (
            self._outcomes.run(), self._due.run(), self._due.keep_leases(self._renew_every), self._announce_loop(),
            self._tidy_loop(), self._accounts.run(), self._reputation.run(),
            self._exchanging.run(), self._calls.run(),
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(loop)

    async def _announce_loop(self) -> None:
        swept, is_more_expired, is_more_untold = 0.0, False, False
        while True:
            await self._outcomes.mark_announced()
            has_to_sweep = time.monotonic() - swept > _SWEEP_SECONDS
            if has_to_sweep or is_more_expired:
                is_more_expired = await self._outcomes.end_expired()
            if has_to_sweep or is_more_untold:
                is_more_untold = await self._outcomes.sweep()
            if has_to_sweep:
                swept = time.monotonic()
            await asyncio.sleep(0.1)

    async def _tidy_loop(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            dropped = await retry_until_available(self._retention.tidy, what="Postgres")
            if dropped:
                log.info("tidied", **dropped)

    async def _pause(self, destination: Destination, kind: HoldKind, why: str) -> None:
        pause = partial(self._ledger.pause_destination, destination, kind, why)
        await retry_until_available(pause, what="Postgres")

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
            await self._reputation.tell()
            await self._calls.tell()
            await self._exchanging.leave()
        except TryLater:
            log.warning("leases_left", until="they expire")
        for channel in self._channels.values():
            await channel.close()


def _bounds(settings: SenderSettings) -> Bounds:
    return Bounds(
        bounced=settings.email_max_bounced,
        complained=settings.email_max_complained,
        least=settings.email_judged_from,
        window=settings.email_judged_over,
    )


def _outcomes(
    app: BatchApp,
    wiring: Wiring,
    ledger: Ledger,
    accepted: Accepted,
    reputation: Reputation,
    owner: str,
    metrics: Metrics,
) -> Outcomes:
    return Outcomes(
        ledger,
        app.outputs,
        wiring.topic(DELIVERY_STATUS),
        wiring.codec(DELIVERY_STATUS),
        read_stored,
        accepted,
        owner=owner,
        default_project=wiring.default_project,
        on_refused=app.stop_at_once,
        metrics=metrics,
        reputation=reputation,
    )


def _intakes(entry: Entry, wiring: Wiring, metrics: Metrics, clock: Clock) -> dict[ChannelName, Intake[Work]]:
    dead_letters = DeadLetters("sender", wiring, metrics)
    return {
        channel: Intake(
            partial(entry.read, channel), entry.enter, dead_letters, metrics, clock, size=_CHUNK_SIZE, counted="sending"
        )
        for channel in CHANNELS
    }
