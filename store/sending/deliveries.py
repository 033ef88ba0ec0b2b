"""Deliveries as people choose them by a filter: listed, counted, sent again, cancelled, hurried."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Literal

import asyncpg

from schemas.audit import AuditAction, AuditEntry, chosen_by
from store import audit
from store.clock import time_there
from store.postgres import changing, passing_errors
from store.sql import queries, with_parts

Action = Literal["resend", "cancel", "hurry"]

_TOLD: dict[Action, AuditAction] = {
    "resend": "deliveries.resent",
    "cancel": "deliveries.canceled",
    "hurry": "deliveries.hurried",
}

_NARROWED: dict[str, tuple[str | None, str | None]] = {
    **dict.fromkeys(("waiting", "retried"), ("waiting", None)),
    "held": ("waiting", "found_by_destination"),
    "sent": ("sent", None),
    "recovered": ("recovered", None),
    "failed": ("failed", None),
    **dict.fromkeys(("suppressed", "expired", "canceled"), ("failed", "found_by_end")),
    **dict.fromkeys(("bounced", "complained"), (None, "found_by_reports")),
}
"""By status, the state that it implies, and the block that narrows it, where there are any.

Said beside the status, the state lets an index on what failed be used. What is usual is found on the way.
"""
_WITHIN: dict[Action, str] = {
    "resend": ":over",
    "cancel": "d.state = 'waiting'",
    "hurry": "d.state = 'waiting' and d.detail <> ''",
}
_IN_THE_WAY: dict[Action, str] = {
    "resend": "in_the_way_of_failed",
    "cancel": "in_the_way_of_waiting",
    "hurry": "in_the_way_of_waiting",
}


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """A choice of deliveries: all that every given field fits; the fields are the arguments of `chosen`, in its order.

    `reason` '' means that it has not any; `detail` is part of the last answer; `since` and `until` are about when it
    was taken in. `state` is the ledger's; `status` tells apart what waits, and why it failed. `ended_before` is about
    when it was over: what is sent again and fails anew is not among them.
    """

    project_id: str
    ids: tuple[str, ...] | None = None
    distribution: str | None = None
    channel: str | None = None
    destination: str | None = None
    customer: str | None = None
    state: str | None = None
    reason: str | None = None
    detail: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    ended_before: datetime | None = None

    def arguments(self) -> tuple[object, ...]:
        """The arguments of `chosen`; the state is said where the status tells it."""
        told = replace(self, state=self.state or _NARROWED.get(self.status or "", (None, None))[0])
        return tuple(list(one) if isinstance(one, tuple) else one for one in astuple(told))


@dataclass(frozen=True, slots=True)
class Standing:
    """The number of those chosen that an action reaches (`within`), and how many it leaves, by why.

    `possibly_accepted` are those within that a provider may have taken already, without an answer.
    """

    within: int
    possibly_accepted: int
    under_way: int
    expired: int
    erased: int
    chosen: int


class Deliveries:
    """Every call is one statement. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("deliveries")

    async def now(self) -> datetime:
        """The database's time, by which deliveries are dated."""
        return await time_there(self._pool)

    async def newest(
        self, chosen: DeliveryFilter, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[asyncpg.Record]:
        """The newest of those chosen, at most `limit`, without their records; behind one by its created_at and id."""
        sql = self._narrowed("listed", chosen)
        return await self._fetch(sql, *chosen.arguments(), limit, *(after or (None, None)))

    async def missed(self, chosen: DeliveryFilter) -> dict[str, str | None]:
        """The ids that a filter names and its rest leaves out, with the status of each; None where there is not one."""
        rows = await self._fetch(self._sql["missed"], *chosen.arguments())
        return {row["delivery_id"]: row["status"] for row in rows}

    async def groups(self, chosen: DeliveryFilter, limit: int) -> list[asyncpg.Record]:
        """channel, destination, state, reason, detail, deliveries, oldest; the most frequent first."""
        return await self._fetch(self._narrowed("groups", chosen), *chosen.arguments(), limit)

    async def standing(self, action: Action, chosen: DeliveryFilter) -> Standing:
        """The reach of an action, before it is done."""
        (row,) = await self._fetch(self._with(self._narrowed("standing", chosen), action), *chosen.arguments())
        return Standing(**row)

    async def act(self, action: Action, chosen: DeliveryFilter, actor: str, *, after: str, limit: int) -> list[str]:
        """Do it to the next `limit` by id, after the id `after`; those it was done to, in order."""
        sql = self._with(self._sql[action], action)
        async with changing(self._pool) as connection:
            rows = await connection.fetch(sql, *chosen.arguments(), after, limit, actor)
            if rows:
                await audit.write(connection, _entry(action, chosen, actor, len(rows)))
        return sorted(row["delivery_id"] for row in rows)

    async def resendable(self, chosen: DeliveryFilter, *, after: str, limit: int) -> list[asyncpg.Record]:
        """Those of the next `limit` that are over.

        delivery_id, customer_id, channel, record, possibly_accepted, against (the reason not to, or None).
        """
        sql = self._with(self._narrowed("resendable", chosen), "resend")
        return await self._fetch(sql, *chosen.arguments(), after, limit)

    async def actions_of(self, delivery_ids: list[str]) -> list[asyncpg.Record]:
        """delivery_id, at, action, actor; in order."""
        return await self._fetch(self._sql["actions_of"], delivery_ids)

    async def shown(self, project_id: str, delivery_id: str) -> bytes | None:
        """The record of a delivery that may still be shown; None where its content is gone, or its customer."""
        rows = await self._fetch(self._sql["shown"], project_id, delivery_id)
        return rows[0]["record"] if rows else None

    def _narrowed(self, name: str, chosen: DeliveryFilter) -> str:
        """A statement with a condition that all meet that fit, by which the planner finds them where they are few."""
        _, block = _NARROWED.get(chosen.status or "", (None, None))
        if block is None and chosen.reason:
            block = "found_by_reason"
        return with_parts(self._sql[name], {"found_by": self._sql[block] if block else "true"})

    def _with(self, sql: str, action: Action) -> str:
        parts = {
            "within": f"({_WITHIN[action]})",
            "in_the_way": self._sql[_IN_THE_WAY[action]],
            "suppression": queries("ledger")["suppression"],
            "choice": queries("ledger")["choice"],
            "over": self._sql["over"],
        }
        return with_parts(sql, parts)

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(sql, *arguments)
            return rows


def _entry(action: Action, chosen: DeliveryFilter, actor: str, count: int) -> AuditEntry:
    """A part of what somebody chose, with the choice: `thing` is the only id of it, else its distribution."""
    thing = chosen.ids[0] if chosen.ids is not None and len(chosen.ids) == 1 else chosen.distribution or ""
    said = {"count": count, "chosen": chosen_by(chosen)}
    return AuditEntry(chosen.project_id, actor, _TOLD[action], thing, None, said)
