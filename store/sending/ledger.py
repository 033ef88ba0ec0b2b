"""The ledger: who may send which delivery, what came of it, and when to try again. It is the outbound queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import asyncpg
import msgspec

from schemas.closed import HoldKind, Reason
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.distribution import Again
from schemas.suppression import key_hash
from store.limits import Limits
from store.postgres import passing_errors, storable
from store.sending.claim_keys import claim_key
from store.sending.claims import Claims, queue_of
from store.sending.consents import Consents
from store.sending.destinations import columns_of, destination_of, resume
from store.sending.endpoint_calls import EndpointCalls
from store.sending.exchanges import Exchanges
from store.sending.queues import Queue, Queues
from store.sending.reputation import ReputationCounts
from store.sending.suppressions import Suppressions
from store.sql import queries

State = Literal["waiting", "sent", "recovered", "failed"]
Lane = Literal["live", "retry", "bulk"]
"""First tries, what was tried before, and what is sent to many at once."""
VersionKey = tuple[str, str, int]
"""Project, distribution and version."""
End = tuple[str, datetime]
"""Delivery, and when it was settled: one that is sent again has another end later."""


class NewDelivery(msgspec.Struct, frozen=True):
    """A delivery on its way into the ledger; the fields are the columns, in the order of `claim_new`.

    `record` is the delivery itself. Due after `wait`, or at `not_before` if that is later; without a lease till then.
    `happened_at` says whether it is too old to be sent; `repeats_until` is when the last event happens that can make
    its id again, None where any can. `category` is its consent's, `address_keys` the keys of the suppression list that
    would stop it, `send_id` the manual send that it is a part of.
    """

    delivery_id: str
    project_id: str
    distribution_id: str
    distribution_version: int
    event_id: str
    customer_id: str
    channel: str
    destination: str
    priority: int
    expires_at: datetime | None
    record: bytes
    arrived_at: datetime
    happened_at: datetime
    repeats_until: datetime | None
    not_before: datetime | None = None
    wait: timedelta = timedelta()
    lane: Lane = "live"
    category: str | None = None
    address_keys: tuple[str, ...] = ()
    send_id: str | None = None


class Stop(NamedTuple):
    """The reason why a delivery may not leave any more, and the same in words."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that is ours to send, until its lease ends. `attempts` were made before.

    `expires_in` is how long it is still valid, by the database's clock; negative where it is not. `is_erased`: its
    customer was erased after its event. `stop` is why it may not leave any more; None where it may.
    `possibly_accepted`: its account may have had it.
    """

    delivery_id: str
    channel: str
    destination: str
    attempts: int
    record: bytes
    arrived_at: datetime
    expires_in: timedelta | None
    is_erased: bool
    stop: Stop | None
    possibly_accepted: bool = False


class Settlement(msgspec.Struct, frozen=True):
    """The outcome of a delivery that we held: its end, or `waiting` for `wait` from `ended` on.

    `tried` is False where the provider was not asked (paused, expired): that is no attempt. `ended` is when it was
    over, by the process's steady clock: however long the ledger is away, waits count from there. `through` is the
    account that it was sent through in place of its own. `is_ambiguous`: it may have been accepted all the same.
    """

    delivery_id: str
    state: Literal["waiting", "sent", "failed"]
    detail: str
    wait: timedelta | None = None
    reason: Reason | None = None
    provider_id: str | None = None
    tried: bool = True
    ended: float = 0.0
    duration_ms: int = 0
    is_bounce: bool = False
    through: str | None = None
    is_ambiguous: bool = False

    def at(self, now: float) -> tuple[timedelta | None, timedelta]:
        """The rest of the wait, and how long ago the attempt began."""
        over = timedelta(seconds=max(0.0, now - self.ended))
        wait = None if self.wait is None else max(timedelta(), self.wait - over)
        return wait, over + timedelta(milliseconds=self.duration_ms)


class Settled(msgspec.Struct, frozen=True):
    """A delivery after its settlement: how many attempts it has had, where it stands now, and since when it is over.

    `detail` and `provider_id` are as they were kept: empty of a customer who was erased meanwhile.
    """

    delivery_id: str
    attempts: int
    state: State
    settled_at: datetime | None
    detail: str
    provider_id: str | None


class UnannouncedOutcome(msgspec.Struct, frozen=True):
    """An outcome that `delivery.status` has still to be told. `is_unjudged`: no sender has measured it."""

    delivery_id: str
    state: State
    reason: Reason | None
    detail: str
    provider_id: str | None
    attempts: int
    settled_at: datetime
    record: bytes
    is_unjudged: bool = False
    through: str | None = None


class Pause(NamedTuple):
    """The reason of a pause, in words and as one of those that there are."""

    reason: str
    kind: HoldKind


def _hashes(keys: Iterable[str]) -> str:
    """Keys as an array of their hashes, as Postgres reads it."""
    return f"{{{','.join(map(key_hash, keys))}}}"


_LEASED = tuple(name for name in Leased.__dataclass_fields__ if name != "stop")
_SETTLED = Settled.__struct_fields__
_KEEP = timedelta(days=90)


def _leased(row: asyncpg.Record) -> Leased:
    stop = Stop(*row["stop"]) if row["stop"] else None
    return Leased(**{name: row[name] for name in _LEASED}, stop=stop)


class Ledger:
    """Every call is one statement. Raises TryLater while Postgres is away.

    The database's clock decides: durations go in. `ticks` is the process's steady clock, in seconds. What happened
    longer ago than `keep` is not sent.
    """

    def __init__(
        self, pool: asyncpg.Pool, *, keep: timedelta = _KEEP, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._keep = pool, keep
        self.suppressions, self.consents = Suppressions(pool), Consents(pool, keep)
        self.reputation, self.limits = ReputationCounts(pool), Limits(pool)
        self.exchanges, self.endpoint_calls = Exchanges(pool), EndpointCalls(pool)
        self._sql = queries("ledger")
        self._ticks = ticks
        self._queues = Queues(ticks)
        self._claims = Claims(pool, self._queues)

    async def claim_new(
        self, deliveries: Sequence[NewDelivery], *, owner: str, lease: timedelta
    ) -> dict[str, timedelta | None]:
        """Enter deliveries; those that were new, are due, and are now leased to `owner`: how long each is valid.

        What is too old to be sent, is suppressed, or over its project's limit, is over at once.
        """
        if not deliveries:
            return {}
        columns = list(map(list, zip(*map(msgspec.structs.astuple, deliveries), strict=True)))
        sends = columns.pop()
        columns[-1] = [_hashes(delivery.address_keys) for delivery in deliveries]
        keys = [claim_key(delivery.delivery_id) for delivery in deliveries]
        rows = await self._fetch("claim_new", *columns, owner, lease, self._keep, keys, sends)
        claimed = {row["delivery_id"]: row["expires_in"] for row in rows}
        for one in deliveries:
            if one.delivery_id not in claimed:
                queue = Queue(one.project_id, one.channel, one.destination, one.lane, one.distribution_id)
                self._queues.expect(queue, None, one.wait)
        return claimed

    async def claim_due(
        self,
        *,
        owner: str,
        lease: timedelta,
        limit: int,
        a_destination: int,
        capacity: Mapping[Destination, int] | None = None,
        for_bulk: Mapping[Destination, int] | None = None,
        passing: Collection[Destination] = (),
        take_over: bool = True,
        look: bool = True,
    ) -> list[Leased]:
        """Lease what is due and free, at most `limit`, at most `a_destination` of each, or what `capacity` says for it.

        Of those that are sent to many no more than `for_bulk` says, where it does.
        Of paused destinations those in `passing`. With `take_over`, also what others have leased for a time that is
        over. Queues that are known are asked; with `look`, others are looked for first: a part of all, the next one
        with the next claim.
        """
        limits = capacity or {}
        given = (owner, lease, limit, a_destination, take_over, *columns_of(limits), list(limits.values()))
        full, some = {one for one, free in limits.items() if not free}, for_bulk or {}
        bulk = [some.get(one, free) for one, free in limits.items()]
        rows = await self._claims.due(given, limit, full=full, passing=passing, for_bulk=bulk, look=look)
        return [_leased(row) for row in rows]

    @property
    def has_looked_at_all(self) -> bool:
        """True where the next look begins with the first queue."""
        return self._claims.has_looked_at_all

    def due_in(self, full: Collection[Destination] = ()) -> float:
        """Seconds until something is due that can be claimed, as far as is known; infinity where nothing waits."""
        return self._queues.soonest(full)

    async def stopped(self, delivery_ids: Collection[str]) -> dict[str, Stop]:
        """Of deliveries that are about to leave, those that may not any more, each with the reason."""
        rows = await self._fetch("stopped", list(delivery_ids))
        return {row["delivery_id"]: Stop(*row["stop"]) for row in rows}

    async def known_ids(self, delivery: Delivery, provider_ids: Collection[str | None]) -> set[str]:
        """Of a provider's ids for messages, those of other deliveries of its project and channel."""
        about = delivery.project_id, delivery.channel, delivery.delivery_id
        rows = await self._fetch("known_ids", *about, [one for one in provider_ids if one])
        return {row["provider_id"] for row in rows}

    async def settle(self, settlements: Sequence[Settlement], *, owner: str) -> list[Settled]:
        """Write outcomes. Where `owner` has lost its lease, only what was sent counts; the rest is not returned.

        What was sent counts over a failure, though `delivery.status` has been told of that: it is told once more.
        """
        now = self._ticks()
        rows = [
            (
                one.delivery_id, one.state, wait, one.reason, storable(one.detail),
                one.provider_id and storable(one.provider_id), ago, one.duration_ms, one.tried,
            )
            for one in settlements
            for wait, ago in (one.at(now),)
        ]  # fmt: skip
        columns = map(list, zip(*rows, strict=True))
        more = [one.through for one in settlements], [one.is_ambiguous for one in settlements]
        settled = self._note_settled(await self._fetch("settle", *columns, owner, *more))
        known = {one.delivery_id for one in settled}
        late = [one for one in settlements if one.state == "sent" and one.delivery_id not in known]
        return settled + await self._settle_ended(late, now) if late else settled

    def _note_settled(self, rows: Iterable[asyncpg.Record]) -> list[Settled]:
        settled = []
        for row in rows:
            settled.append(Settled(*(row[name] for name in _SETTLED)))
            if row["state"] == "waiting" and row["due_in"] is not None:
                self._queues.expect(queue_of(row), row["due_at"], row["due_in"])
        return settled

    async def _settle_ended(self, accepted: Sequence[Settlement], now: float) -> list[Settled]:
        rows = [
            (one.delivery_id, storable(one.detail), one.provider_id and storable(one.provider_id), one.at(now)[1],
             one.duration_ms, one.through)
            for one in accepted
        ]  # fmt: skip
        columns = map(list, zip(*rows, strict=True))
        return [Settled(**row) for row in await self._fetch("settle_ended", *columns)]

    async def renew(self, delivery_ids: Iterable[str], *, owner: str, lease: timedelta) -> set[str]:
        """Hold on to deliveries that take long; those that are still `owner`'s."""
        rows = await self._fetch("renew", list(delivery_ids), owner, lease)
        return {row["delivery_id"] for row in rows}

    async def release_leases(self, owner: str) -> int:
        """Give back what an earlier process of the same name held when it ended; how many."""
        return len(await self._fetch("release_leases", owner))

    async def end_expired(self, limit: int) -> list[UnannouncedOutcome]:
        """End what waits and is not valid any more, at most so many; whoever calls tells of these."""
        return [UnannouncedOutcome(**row, is_unjudged=True) for row in await self._fetch("end_expired", limit)]

    async def claim_unannounced(
        self, *, owner: str, lease: timedelta, settled_for: timedelta, limit: int
    ) -> list[UnannouncedOutcome]:
        """Outcomes that `delivery.status` was not told in so long; `owner`'s to tell while the lease lasts."""
        rows = await self._fetch("claim_unannounced", settled_for, limit, owner, lease)
        return [UnannouncedOutcome(**row) for row in rows]

    async def mark_announced(self, ends: Collection[End]) -> None:
        """`delivery.status` has acknowledged these."""
        columns = [one for one, _ in ends], [settled_at for _, settled_at in ends]
        try:
            await self._fetch("mark_announced", *columns)
        except asyncpg.CheckViolationError:  # the clock has gone past the days that were made
            await self.make_days()
            await self._fetch("mark_announced", *columns)

    async def make_days(self) -> None:
        """Make the days in which deliveries will end, where they are missing."""
        async with passing_errors(self._pool):
            await self._pool.execute(queries("retention")["make_days"])

    async def again_of(self, versions: Collection[VersionKey]) -> dict[VersionKey, Again]:
        """The number of times that a customer may get what these versions send; without those that we do not have."""
        columns = [list(column) for column in zip(*versions, strict=True)]
        rows = await self._fetch("again_of", *columns)
        return {
            (row["project_id"], row["distribution_id"], row["version"]): msgspec.json.decode(row["again"], type=Again)
            for row in rows
            if row["again"] is not None
        }

    async def pause_destination(self, destination: Destination, kind: HoldKind, reason: str) -> None:
        """Stop sending to a destination until somebody resumes it."""
        await self._fetch("pause_destination", *destination, storable(reason), kind)

    async def resume_destination(self, destination: Destination, *, by: str) -> bool:
        """Send to it again, the oldest first; whether it was paused."""
        return await resume(self._pool, destination, by)

    async def hurried_destinations(self) -> dict[Destination, datetime]:
        """The destinations that somebody wanted asked at once within the last hour, and when that was."""
        return {destination_of(row): row["hurried_at"] for row in await self._fetch("hurried_destinations")}

    async def held_destinations(self, project_id: str) -> list[asyncpg.Record]:
        """Those of a project that something waits for, and why.

        channel, destination, state (paused, failing, throttled), kind, reason, paused_at, waiting, oldest.
        """
        return await self._fetch("held_destinations", project_id)

    async def paused_destinations(self) -> dict[Destination, str]:
        """All that are paused, and the reason of each."""
        return {one: pause.reason for one, pause in (await self.pauses()).items()}

    async def pauses(self) -> dict[Destination, Pause]:
        """All that are paused."""
        rows = await self._fetch("paused_destinations")
        return {destination_of(row): Pause(row["reason"], row["kind"]) for row in rows}

    async def counts(self) -> list[asyncpg.Record]:
        """channel, state, reason, count."""
        return await self._fetch("counts")

    async def deliveries_of(self, project_id: str, customer_id: str, limit: int) -> list[asyncpg.Record]:
        """A customer's deliveries, newest first, without their records."""
        return await self._fetch("deliveries_of_customer", project_id, customer_id, limit)

    async def delivery(self, delivery_id: str) -> asyncpg.Record | None:
        """One delivery, without its record."""
        rows = await self._fetch("one_delivery", delivery_id)
        return rows[0] if rows else None

    async def deliveries_with(self, project_id: str, delivery_ids: Iterable[str]) -> list[asyncpg.Record]:
        """Deliveries of a project by their ids, newest first, without their records."""
        return await self._fetch("some_deliveries", project_id, list(delivery_ids))

    async def attempts_of(self, delivery_ids: Iterable[str]) -> list[asyncpg.Record]:
        """delivery_id, number, at, duration_ms, outcome, detail; in order."""
        return await self._fetch("attempts_of", list(delivery_ids))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows
