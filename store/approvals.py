"""Approvals of manual sends in Postgres, and all that they are bound to, in the transaction of whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.approval import Approval, Basis
from schemas.distribution import Distribution
from schemas.record import JsonObject
from store.send_rows import SendRow
from store.sql import queries


class Approvals:
    """Approvals, on one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._sql = connection, queries("approvals")

    async def find(self, send: SendRow) -> Approval | None:
        """The newest approval of a send."""
        row = await self._connection.fetchrow(self._sql["approval"], send.project_id, send.send_id)
        return None if row is None else Approval(**{**row, "parts": msgspec.json.decode(row["parts"])})

    async def authors(self, send: SendRow) -> list[str]:
        """Whoever drew it up or edited it, by name."""
        rows = await self._connection.fetch(self._sql["authors"], send.project_id, send.send_id)
        return sorted({send.created_by, *(row["actor"] for row in rows)})

    async def basis(self, send: SendRow, rule: Distribution | None = None) -> Basis | None:
        """All that decides what goes out to whom, by a version that was read before, or else the newest.

        None where its distribution is gone.
        """
        if rule is None:
            text = await self._connection.fetchval(self._sql["newest_rule"], send.project_id, send.distribution_id)
            if text is None:
                return None
            rule = msgspec.json.decode(text, type=Distribution)
        campaign = rule.publish.campaign if rule.publish else None
        return Basis(
            send.revision, send.to, send.when, send.hold, rule,
            await self.segment(send), await self._defined("campaign", send, campaign), await self._count(send),
        )  # fmt: skip

    async def segment(self, send: SendRow) -> JsonObject | None:
        """The segment that it goes to, as it is defined now."""
        return await self._defined("segment", send, send.to.segment)

    async def approve(self, send: SendRow, audience: int, parts: Mapping[str, str], actor: str) -> None:
        """Keep an approval, in place of an earlier one."""
        of, text = (send.project_id, send.send_id), msgspec.json.encode(parts).decode()
        await self._connection.execute(self._sql["approve"], *of, actor, audience, text)
        await self._connection.execute(self._sql["look_at_once"], *of)

    async def _defined(self, name: str, send: SendRow, identity: str | None) -> JsonObject | None:
        if identity is None:
            return None
        text = await self._connection.fetchval(self._sql[name], send.project_id, identity)
        return None if text is None else msgspec.json.decode(text)

    async def _count(self, send: SendRow) -> int:
        return int(await self._connection.fetchval(queries("sends")["count"], send.project_id, send.send_id))
