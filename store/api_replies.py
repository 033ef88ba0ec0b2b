"""Replies of the API that the same request gets again, for a day: so that a retry does nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from store.postgres import passing_errors
from store.sql import queries

KEPT = timedelta(hours=24)
_GIVEN_UP = timedelta(minutes=2)
"""After which a request without a reply is that of a process which is gone: longer than any may take."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request's own key, within those of an API key."""

    project_id: str
    key_id: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply as it was given."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


Met = Literal["under_way", "another"]
"""A request of the same key that has no reply yet, or that asked for something else."""


class ApiReplies:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("api_replies")

    async def begin(self, key: RequestKey, request_hash: bytes) -> datetime | KeptReply | Met:
        """Its beginning, where it is the first with its key; else the reply that was given, or why there is not one."""
        async with passing_errors(self._pool):
            begun = await self._pool.fetchval(self._sql["begin_request"], *_columns(key), request_hash, KEPT, _GIVEN_UP)
            if begun is not None:
                await self._pool.execute(self._sql["drop_old_replies"], KEPT)
                return begun  # type: ignore[no-any-return]
            row = await self._pool.fetchrow(self._sql["known_request"], *_columns(key))
        if row is None:  # it failed this moment: whoever tries again begins anew
            return "under_way"
        if row["request_hash"] != request_hash:
            return "another"
        if row["status"] is None:
            return "under_way"
        return KeptReply(row["status"], msgspec.json.decode(row["headers"]), row["body"])

    async def keep(self, key: RequestKey, begun: datetime, reply: KeptReply) -> None:
        """Keep the reply for those who ask the same again."""
        headers = msgspec.json.encode(reply.headers).decode()
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["keep_reply"], *_columns(key), begun, reply.status, headers, reply.body)

    async def forget(self, key: RequestKey, begun: datetime) -> None:
        """Let the same be tried again: nothing came of it."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["forget_request"], *_columns(key), begun)


def _columns(key: RequestKey) -> tuple[str, str, str]:
    return key.project_id, key.key_id, key.idempotency_key
