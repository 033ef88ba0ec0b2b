"""The connection to Postgres, and which of its errors pass with time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from schemas.errors import CannotStart, TryLater

PASSING: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that died in the middle of an operation
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.DiskFullError,
    asyncpg.QueryCanceledError,
)
"""Errors after which the same work may succeed: the server is away, starting, stopping or short of something."""

_TRIES = 4
"""Of a transaction that met another with the same unique key, or in a ring of locks."""
_CONNECT_SECONDS = 5.0
_COMMAND_SECONDS = 30.0

T = TypeVar("T")


@asynccontextmanager
async def passing_errors() -> AsyncIterator[None]:
    """Turn errors that pass with time into TryLater; all others are defects and go through."""
    try:
        yield
    except PASSING as error:
        raise TryLater(f"Postgres: {type(error).__name__} {error}".strip()) from error


async def transaction(pool: asyncpg.Pool, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do some work in a transaction, again where it met another one that took the same. Raises TryLater."""
    async with passing_errors():
        for left in range(_TRIES - 1, -1, -1):
            try:
                async with pool.acquire() as connection, connection.transaction():
                    return await work(connection)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                if not left:
                    raise
    raise AssertionError("unreachable")


async def connect(dsn: str, *, size: int = 4) -> asyncpg.Pool:
    """A pool. Raises TryLater where the server does not answer, CannotStart where it refuses us."""
    try:
        async with passing_errors():
            return await asyncpg.create_pool(
                dsn, min_size=1, max_size=size, timeout=_CONNECT_SECONDS, command_timeout=_COMMAND_SECONDS
            )
    except TryLater as error:
        raise TryLater(f"Postgres at {where(dsn)} does not answer ({error.__cause__})") from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise CannotStart(
            f"Postgres at {where(dsn)} refuses us: {error}. Check postgres.dsn or TIDINGS_POSTGRES"
        ) from error


async def connect_when_ready(dsn: str, *, wait: float, size: int = 4) -> asyncpg.Pool:
    """Like `connect`, trying again for at most `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await connect(dsn, size=size)
        except TryLater:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(0.5)


def where(dsn: str) -> str:
    """Host, port and database of a connection string, without user and password."""
    parts = urlsplit(dsn)
    return f"{parts.hostname or 'a local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
