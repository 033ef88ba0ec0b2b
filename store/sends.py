"""Manual sends in Postgres: to whom and when, how far their events are out, and what people did to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import asyncpg
import msgspec

from schemas.audit import OF_SENDS, AuditAction, AuditEntry
from schemas.closed import SendStatus
from schemas.distribution import Distribution
from schemas.segment import SegmentDefinition
from schemas.send import Audience, Entered, Started, When
from store import audit
from store.approvals import Approvals
from store.clock import database_now
from store.postgres import changing, passing_errors
from store.segments import SegmentConflict
from store.send_rows import Claimed, Progress, SendPlace, SendRow, claimed_of, send_of
from store.sql import queries


class Sends:
    """Raises TryLater while Postgres is away. The time is the database's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("sends")

    # -- what people see ------------------------------------------------------------------------------------------

    async def find(self, project_id: str, send_id: str) -> SendRow | None:
        """One send."""
        rows = await self._fetch("find", project_id, send_id)
        return send_of(rows[0]) if rows else None

    async def listed(
        self, project_id: str, limit: int, status: SendStatus | None = None, after: SendPlace | None = None
    ) -> list[SendRow]:
        """The newest of a project, those of a status where one is named, behind a place."""
        rows = await self._fetch("listed", project_id, limit, status, *(after or (None, None)))
        return [send_of(row) for row in rows]

    async def ids(self, project_id: str) -> list[str]:
        """Those of a project that a person could mean."""
        return [row["send_id"] for row in await self._fetch("ids", project_id)]

    async def count(self, project_id: str, send_id: str) -> tuple[int, bool]:
        """The number of those it goes to, and whether all of them are known."""
        (row,) = await self._fetch("count", project_id, send_id)
        return row["audience"], row["is_complete"]

    async def progress(self, project_id: str, send_id: str) -> Progress:
        """Its deliveries by what became of them."""
        (row,) = await self._fetch("progress", project_id, send_id)
        return Progress(**row)

    async def actions(self, project_id: str, send_id: str) -> list[asyncpg.Record]:
        """at, action, actor, detail; in order."""
        return await self._fetch("actions", project_id, send_id)

    async def using_segment(self, project_id: str, segment_id: str) -> str | None:
        """The id of a send that goes to a segment and is not over."""
        rows = await self._fetch("using_segment", project_id, segment_id)
        return rows[0]["send_id"] if rows else None

    @asynccontextmanager
    async def change(self, *, dry_run: bool = False) -> AsyncIterator[SendChange]:
        """One thing that somebody does, with the entry that says so: kept as a whole or not at all."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            change = SendChange(connection, self._sql)
            yield change
            await audit.write(connection, *change.entries)

    # -- the fan-out ----------------------------------------------------------------------------------------------

    async def claim(self, owner: str, lease: timedelta) -> Claimed | None:
        """A send that is due, for us alone until the lease ends or `release`."""
        rows = await self._fetch("claim", owner, lease)
        return claimed_of(rows[0]) if rows else None

    async def complete(self) -> int:
        """Begin the hold of sends whose segment is complete by now; how many."""
        return len(await self._fetch("complete"))

    async def rule(self, project_id: str, distribution_id: str) -> tuple[Distribution, datetime] | None:
        """The newest version of a distribution, and when its first one was applied."""
        rows = await self._fetch("rule", project_id, distribution_id)
        if not rows:
            return None
        return msgspec.json.decode(rows[0]["definition"], type=Distribution), rows[0]["created_at"]

    async def members(self, send: SendRow, after: str, limit: int) -> list[str]:
        """The next ones, by id."""
        name, of = ("members", send.send_id) if send.to.kind == "list" else ("members_of_segment", send.to.segment)
        return [row["customer_id"] for row in await self._fetch(name, send.project_id, of, after, limit)]

    async def entered(self, send: SendRow, after: str, limit: int, since: datetime | None) -> list[Entered]:
        """The next members of a backfill's segment, by id: all, or those who entered at a moment or later.

        Where it is for those alone who are in it by its begin, without others.
        """
        until = send.starts_at if send.backfill == "members_now" else None
        rows = await self._fetch("entered", send.project_id, send.to.segment, after, since, until, limit)
        return [Entered(**row) for row in rows]

    async def segment_name(self, send: SendRow) -> str:
        """The name of the segment that it goes to."""
        rows = await self._fetch("segment_name", send.project_id, send.to.segment)
        return rows[0]["name"] if rows else ""

    async def sweep(self, send: SendRow, owner: str, after: timedelta) -> bool:
        """Have those looked for who entered since a backfill began, which is so long ago; whether that begins now."""
        return bool(await self._fetch("sweep", send.project_id, send.send_id, owner, after))

    async def now(self) -> datetime:
        """The time that counts."""
        async with passing_errors(self._pool):
            return await database_now(self._pool)

    async def end(self, send: SendRow, why: str) -> None:
        """End a send whose distribution has ended, with what is queued of it."""
        async with self.change() as change:
            now = await change.lock(send.project_id, send.send_id)
            if now is not None and now.is_open:
                after, canceled = await change.stop(now, why, "fan_out")
                await change.note(after, "stop", "fan_out", f"{why}; {after.gone} had gone, {canceled} were queued")

    async def advance(
        self, send: SendRow, owner: str, lease: timedelta, *, after: str, upto: str, count: int, is_last: bool
    ) -> bool:
        """Note that the events of the members after one, up to another, are out; whether it goes on with us."""
        of = send.project_id, send.send_id, owner
        rows = await self._fetch("advance", *of, after, upto, count, lease, is_last)
        return bool(rows and rows[0]["goes_on"])

    async def release(self, send: SendRow, owner: str, wait: timedelta, waits_for: str = "") -> None:
        """Leave it to whoever is next, after a while."""
        await self._fetch("release", send.project_id, send.send_id, owner, wait, waits_for)

    async def free(self, owner: str) -> None:
        """Leave what an earlier process of our name worked on."""
        await self._fetch("free", owner)

    async def waiting(self, send: SendRow) -> int:
        """The number of its deliveries that wait for their first try."""
        (row,) = await self._fetch("waiting", send.project_id, send.send_id)
        return int(row["count"])

    async def held(self, send: SendRow) -> int:
        """The number of its messages that wait until a moment, or for a code."""
        (row,) = await self._fetch("held_of", send.project_id, send.send_id)
        return int(row["held"])

    async def finish(self, send: SendRow, owner: str) -> bool:
        """End it, where its time has come everywhere; whether it is over."""
        async with self.change() as change:
            return await change.finish(send, owner)

    async def open(self) -> tuple[int, int]:
        """The number of sends under way, and of those that should be worked on and nobody does."""
        (row,) = await self._fetch("open")
        return row["sending"], row["due"]

    async def overdue(self, late: timedelta) -> list[str]:
        """The ids of those that nobody has taken up for so long, the first 1,000."""
        return [row["send_id"] for row in await self._fetch("overdue", late)]

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


class SendChange:
    """A transaction of what somebody does to a send; whoever opens it writes its `entries` into the audit log."""

    def __init__(self, connection: Any, sql: dict[str, str]) -> None:
        self._connection, self._sql = connection, sql
        self.entries: list[AuditEntry] = []

    async def add(
        self,
        project_id: str,
        send_id: str,
        distribution_id: str,
        *,
        to: Audience,
        when: When,
        hold: timedelta,
        actor: str,
    ) -> None:
        """A draft."""
        await self._run("add", project_id, send_id, distribution_id, to.segment, to.own, *_times(when), hold, actor)

    async def add_backfill(self, send_id: str, rule: Distribution, actor: str) -> SendRow | None:
        """The draft of a distribution's backfill; None where its segment is not one of ours."""
        segment, asked = rule.trigger.segment, rule.backfill
        if asked is None or not await self._connection.fetchval(self._sql["has_segment"], rule.project_id, segment):
            return None
        of = rule.project_id, send_id, rule.id, segment
        await self._run("add_backfill", *of, asked.at, actor, asked.who)
        return await self.lock(rule.project_id, send_id)

    async def backfills(self, project_id: str, distribution_id: str) -> list[SendRow]:
        """Those of a distribution that are not over, as nobody else changes them until the end."""
        rows = await self._connection.fetch(self._sql["backfills"], project_id, distribution_id)
        return [send_of(row) for row in rows]

    async def add_members(self, project_id: str, send_id: str, customers: Sequence[str]) -> None:
        """Customers of a list."""
        await self._run("add_members", project_id, send_id, customers)

    async def add_segment(self, segment: SegmentDefinition, actor: str) -> None:
        """The segment of a condition, as its author could have applied it."""
        text = msgspec.json.encode(segment).decode()
        row = (segment.id, segment.project_id, segment.version, text, "", actor, segment.updated_at)
        if not await self._connection.fetchval(queries("segments")["apply"], *row):
            raise SegmentConflict(f"segment {segment.id} exists already; name another, or send to it")

    async def lock(self, project_id: str, send_id: str) -> SendRow | None:
        """One send, as nobody else changes it until the end."""
        return await self._one("lock", project_id, send_id)

    async def count(self, send: SendRow) -> int:
        """The number of those that it goes to, as of now."""
        return int(await self._connection.fetchval(self._sql["count"], send.project_id, send.send_id))

    async def note(self, send: SendRow, action: str, actor: str, detail: str = "") -> None:
        """Keep who did what."""
        await self._run("note", send.project_id, send.send_id, action, actor, detail)
        self._tell(send, OF_SENDS[action], actor, {"detail": detail} if detail else {})

    def _tell(self, send: SendRow, action: AuditAction, actor: str, said: dict[str, str]) -> None:
        change = {"distribution": send.distribution_id, **said}
        self.entries.append(AuditEntry(send.project_id, actor, action, send.send_id, None, change))

    async def confirm(self, send: SendRow, approve_above: int | None = None) -> SendRow:
        """Have a draft sent after its hold; beyond so many customers not without an approval."""
        return await self._changed("confirm", send, approve_above)

    @property
    def approvals(self) -> Approvals:
        """Approvals of sends, in the same transaction."""
        return Approvals(self._connection)

    async def begin(self, send: SendRow, owner: str, started: Started, segment_digest: str | None) -> bool:
        """Fix what stands in all of its events, and the segment it is for; whether it is still to be sent."""
        text = msgspec.json.encode(started.distribution).decode()
        what = owner, started.version, text, started.at, segment_digest
        begun = await self._connection.fetchval(self._sql["begin"], send.project_id, send.send_id, *what)
        return bool(begun)

    async def edit(self, send: SendRow, when: When, hold: timedelta, *, restarts: bool) -> SendRow:
        """Another moment or hold."""
        return await self._changed("edit", send, *_times(when), hold, restarts)

    async def readdress(self, send: SendRow, to: Audience) -> SendRow:
        """Other recipients, of whom a list is added afterwards: a draft again."""
        after = await self._changed("readdress", send, to.segment, to.own)
        await self._end_segment(send.project_id, send.to)
        return after

    async def pause(self, send: SendRow) -> SendRow:
        """Have nothing more of it leave for now."""
        after = await self._changed("pause", send)
        await self._run("put_off", send.project_id, send.send_id)
        return after

    async def resume(self, send: SendRow) -> SendRow:
        """Have it go on."""
        after = await self._changed("resume", send)
        await self._run("call_back", send.project_id, send.send_id)
        return after

    async def stop(self, send: SendRow, detail: str, actor: str) -> tuple[SendRow, int]:
        """Have nothing of it leave any more; how much of what was queued, or held, has ended by that.

        What a sender has in its hands this moment leaves, and counts as gone.
        """
        rows = await self._connection.fetch(self._sql["cancel"], send.project_id, send.send_id, detail)
        row = await self._connection.fetchrow(self._sql["progress"], send.project_id, send.send_id)
        await self._run("call_off", send.project_id, send.send_id, actor)
        after = await self._changed("stop", send, row["sent"] + row["under_way"])
        await self._end_segment(after.project_id, after.to)
        return after, len(rows) + row["held"]

    async def discard(self, send: SendRow, actor: str) -> None:
        """Forget a draft."""
        await self._run("discard", send.project_id, send.send_id)
        self._tell(send, "send.discarded", actor, {})
        await self._end_segment(send.project_id, send.to)

    async def finish(self, send: SendRow, owner: str) -> bool:
        """See `Sends`."""
        row = await self._connection.fetchrow(self._sql["finish"], send.project_id, send.send_id, owner)
        if row is not None:
            await self._end_segment(send.project_id, send.to)
        return row is not None

    async def _end_segment(self, project_id: str, to: Audience) -> None:
        if to.own:
            await self._run("remove_segment", project_id, to.segment)

    async def _changed(self, name: str, send: SendRow, *arguments: object) -> SendRow:
        return cast(SendRow, await self._one(name, send.project_id, send.send_id, *arguments))

    async def _one(self, name: str, *arguments: object) -> SendRow | None:
        row = await self._connection.fetchrow(self._sql[name], *arguments)
        return None if row is None else send_of(row)

    async def _run(self, name: str, *arguments: object) -> None:
        await self._connection.execute(self._sql[name], *arguments)


def _times(when: When) -> tuple[object, ...]:
    return when.at, when.local_time, when.not_before, when.lasts_until
