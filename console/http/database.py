"""Postgres for those routes that need it, once it is there: the others answer without."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from deploy.settings.settings import Settings
from schemas.errors import CannotStart, TryLater
from store.migrate import migrate
from store.postgres import connect

log = structlog.get_logger()

_SECONDS_BETWEEN = 2.0
"""Between two tries to connect: whoever asks in between hears the last answer."""


class LateDatabase:
    """One pool, opened by whoever asks first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool | None = None
        self._refused: TryLater | None = None
        self._again_at = 0.0

    async def pool(self) -> asyncpg.Pool:
        """Connections to a database that has the current schema. Raises TryLater, also where a person has to mend."""
        async with self._opening:
            if self._pool is not None:
                return self._pool
            clock = asyncio.get_running_loop().time
            if self._refused is not None and clock() < self._again_at:
                raise TryLater(str(self._refused))
            try:
                self._pool = await self._open()
            except (TryLater, CannotStart) as error:
                log.warning("database_away", why=str(error))
                self._refused, self._again_at = TryLater(str(error)), clock() + _SECONDS_BETWEEN
                raise self._refused from error
            return self._pool

    async def close(self) -> None:
        """Give back the connections."""
        if self._pool is not None:
            await self._pool.close()

    async def _open(self) -> asyncpg.Pool:
        postgres = self._settings.postgres
        pool = await connect(postgres.dsn.reveal(), size=postgres.pool, pooler=postgres.pooler)
        try:
            await migrate(pool, self._settings.project_id)
        except BaseException:
            pool.terminate()
            raise
        return pool
