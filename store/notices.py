"""Notices of what waits for a person: opened and closed once each, with the messages that tell its owner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from schemas.closed import NoticeKind, NoticeState
from schemas.notice import Concern, Notice, NoticeAddresses
from schemas.topics import NOTICES
from store.postgres import passing_errors, storable
from store.sql import queries

QUIET = timedelta(hours=1)
"""A notice that comes back within this time is not sent again, unless it stays: it comes and goes."""


@dataclass(frozen=True, slots=True)
class Message:
    """A notice on its way to its owner. `way` is `email:` or `webhook:` with the address; `attempts` were made."""

    notice_id: str
    way: str
    notice: Notice
    attempts: int


Ways = Callable[[Notice], Collection[str]]
"""A notice to the ways in which its owner is told of it, where the project's document says nothing."""


def nobody(notice: Notice) -> Collection[str]:
    """No ways at all, for whoever reads notices alone."""
    del notice
    return ()


class Notices:
    """Each change is one transaction with the record for Kafka (in the outbox) and the messages.

    Raises TryLater while Postgres is away.
    """

    def __init__(self, pool: asyncpg.Pool, ways: Ways, *, quiet: timedelta = QUIET) -> None:
        self._pool, self._ways, self._quiet = pool, ways, quiet
        self._sql = queries("notices")
        self._add_to_outbox = queries("control")["add_to_outbox"]
        self._notices_of = queries("projects")["notices_of"]

    async def keep(
        self, project_id: str, kind: NoticeKind, found: Sequence[Concern], *, settle: timedelta = timedelta()
    ) -> int:
        """Open what is found of a kind and close all others of it that have been open for `settle`; how many changed.

        So it does not matter who looks, how often, or who died in between.
        """
        is_open = await self.is_open(project_id, kind)
        opened = [one.about not in is_open and await self.open(one) for one in found]
        over = is_open - {one.about for one in found}
        closed = [await self.close(project_id, kind, about, settle=settle) for about in sorted(over)]
        late = await self.tell_late(project_id, kind) if is_open else 0  # what has just been opened is not late
        return sum(opened) + sum(closed) + late

    async def keep_all(self, kind: NoticeKind, found: Iterable[Concern]) -> None:
        """Keep what is found of a kind in each project that has some, or had."""
        of_projects: dict[str, list[Concern]] = {project: [] for project in await self.projects_with(kind)}
        for concern in found:
            of_projects.setdefault(concern.project_id, []).append(concern)
        for project_id, of_project in of_projects.items():
            await self.keep(project_id, kind, of_project)

    async def projects_with(self, kind: NoticeKind) -> list[str]:
        """The projects that have a notice of a kind open."""
        async with passing_errors(self._pool):
            return [row["project_id"] for row in await self._pool.fetch(self._sql["projects_with"], kind)]

    async def is_open(self, project_id: str, kind: NoticeKind) -> set[str]:
        """Subjects of the open notices of a kind."""
        return set(await self.opened(project_id, kind))

    async def opened(self, project_id: str, kind: NoticeKind) -> dict[str, datetime]:
        """The times at which the open notices of a kind were opened, by subject."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["open_notices"], project_id, kind)
        return {row["about"]: row["opened_at"] for row in rows}

    async def open(self, one: Concern) -> bool:
        """Open a notice; False where it is open already."""
        words = (storable(one.summary), storable(one.look_at))
        subject = (one.project_id, one.kind, one.about)
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(self._sql["open_notice"], *subject, *words, self._quiet)
            if row is not None and row["is_told"]:
                await self._tell(connection, _notice(one.project_id, one.kind, "opened", row))
        return row is not None

    async def tell_late(self, project_id: str, kind: NoticeKind) -> int:
        """Tell of what came back within the quiet time and has stayed; how many."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(self._sql["tell_late"], project_id, kind, self._quiet)
            for row in rows:
                await self._tell(connection, _notice(project_id, kind, "opened", row))
        return len(rows)

    async def close(self, project_id: str, kind: NoticeKind, about: str, *, settle: timedelta = timedelta()) -> bool:
        """Close a notice; False where it is not open, or has not been for `settle`."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(self._sql["close_notice"], project_id, kind, about, settle)
            if row is not None and row["was_told"]:
                notice = _notice(project_id, kind, "closed", row)
                await connection.execute(self._sql["drop_late_messages"], f"{notice.notice_id}.opened")
                await self._tell(connection, notice)
        return row is not None

    async def _tell(self, connection: asyncpg.Connection, notice: Notice) -> None:
        text = msgspec.json.encode(notice)
        at = notice.closed_at or notice.opened_at
        await connection.execute(self._add_to_outbox, NOTICES, notice.project_id, text.decode(), at)
        for way in sorted(await self._ways_of(connection, notice)):
            message = f"{notice.notice_id}.{notice.state}"
            await connection.execute(self._sql["add_message"], message, way, notice.project_id, text)

    async def _ways_of(self, connection: asyncpg.Connection, notice: Notice) -> Collection[str]:
        """Those that the project's document names; `ways` where it names none. In the transaction at hand."""
        written = await connection.fetchval(self._notices_of, notice.project_id)
        if written is None:
            return self._ways(notice)
        return msgspec.json.decode(written, type=NoticeAddresses).ways(notice.state)

    async def of_project(self, project_id: str, *, closed: bool = False) -> list[asyncpg.Record]:
        """kind, about, summary, look_at, opened_at, closed_at; open ones first. With `closed` those that are over."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql["list_notices"], project_id, closed)
            return rows

    async def take(self, owner: str, *, limit: int, lease: timedelta) -> list[Message]:
        """Messages that are due, for `owner` to send within `lease`."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["take_messages"], owner, limit, lease)
        return [
            Message(row["notice_id"], row["way"], msgspec.json.decode(row["notice"], type=Notice), row["attempts"])
            for row in rows
        ]

    async def end(self, message: Message, owner: str) -> None:
        """It has arrived, or never will."""
        await self._execute("end_message", message.notice_id, message.way, owner)

    async def put_off(self, message: Message, owner: str, wait: timedelta, detail: str) -> None:
        """It is tried again after `wait`."""
        await self._execute("put_off_message", message.notice_id, message.way, owner, wait, storable(detail))

    async def _execute(self, name: str, *arguments: object) -> None:
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql[name], *arguments)


def _notice(project_id: str, kind: NoticeKind, state: NoticeState, row: Any) -> Notice:
    opened: datetime = row["opened_at"]
    about, summary, look_at = row["about"], row["summary"], row["look_at"]
    what = msgspec.json.encode([project_id, kind, about, row["number"]])
    return Notice(
        notice_id=f"ntc_{hashlib.blake2b(what, digest_size=16).hexdigest()}",
        project_id=project_id,
        kind=kind,
        about=about,
        state=state,
        summary=summary,
        look_at=look_at,
        opened_at=opened,
        closed_at=row["closed_at"] if state == "closed" else None,
    )
